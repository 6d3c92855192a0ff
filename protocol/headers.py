"""Header fields: what may stand in one, and the lists with qualities (RFC 9110 sections 5.5, 5.6 and 12.4)."""

from __future__ import annotations

import re

_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
# RFC 9110 section 5.5 lets a recipient keep other control characters; whoever writes a header has no use for them.
_NOT_IN_VALUE = re.compile(r"[^\t\x20-\x7e\x80-\xff]")
_WEIGHT = re.compile(r"(?:0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)")


def is_header_name(name: str) -> bool:
    """Whether this is a field name: a token (RFC 9110 section 5.1)."""
    return _NAME.fullmatch(name) is not None


def is_header_value(value: str) -> bool:
    """Whether this may be sent as a field value: latin-1 without CR, LF, NUL or other controls, no blanks around."""
    return _NOT_IN_VALUE.search(value) is None and value == value.strip(" \t")


def check_header(name: str, value: str) -> None:
    """Raise ``ValueError`` for a field that would break, or add to, the response it is put in.

    The sentence names the field but quotes no value, which may be secret or hostile.
    """
    if not is_header_name(name):
        raise ValueError(f"{name!r} is not a header name")
    if not is_header_value(value):
        raise ValueError(
            f"the value of the header {name} holds a control character, a character outside latin-1, or outer blanks"
        )


def split_list(value: str) -> list[str]:
    """The items of a comma-separated list, without the empty ones; commas within quotes do not separate."""
    if '"' not in value:
        return [item for part in value.split(",") if (item := part.strip(" \t"))]
    items = re.findall(r'(?:[^",]|"(?:\\.|[^"\\])*"?)+', value)
    return [stripped for item in items if (stripped := item.strip(" \t"))]


def parse_qualities(value: str) -> dict[str, float]:
    """Read ``Accept``, ``Accept-Encoding`` or ``Accept-Language``: lower-case item → quality from 0 to 1, in order.

    A quality of 0 means "not this" and stays in the answer. An item with a broken quality is left out, and so is what
    it asked for; parameters other than ``q`` are left out of the key. Of repeated items the better one counts.
    """
    qualities: dict[str, float] = {}
    for item in split_list(value):
        name, *parameters = (part.strip(" \t").lower() for part in item.split(";"))
        quality = 1.0
        for parameter in parameters:
            key, _, text = parameter.partition("=")
            if key.rstrip(" \t") == "q":
                text = text.strip(" \t")
                quality = float(text) if _WEIGHT.fullmatch(text) else -1.0
        if name and quality >= 0:
            qualities[name] = max(quality, qualities.get(name, 0.0))
    return qualities


def media_quality(accepted: dict[str, float], media_type: str) -> float:
    """How much a client wants this media type: the most specific range decides (RFC 9110 section 12.5.1)."""
    for pattern in (media_type, media_type.partition("/")[0] + "/*", "*/*"):
        if pattern in accepted:
            return accepted[pattern]
    return 0.0


def choose_encoding(accept_encoding: str | None, available: tuple[str, ...]) -> str | None:
    """The content coding to send (RFC 9110 section 12.5.3): one of ``available``, ``identity``, or None for nothing.

    ``available`` is in the server's order of preference, which decides between equal qualities; ``identity`` wins over
    a coding only where the client says so. None means that the client refuses everything, identity too; sending
    identity nevertheless is allowed and usual.
    """
    if accept_encoding is None:
        return "identity"
    accepted = parse_qualities(accept_encoding)
    other = accepted.get("*", 0.0)
    best, best_quality = "", 0.0
    for coding in available:
        quality = accepted.get(coding, accepted.get(f"x-{coding}", other))
        if quality > best_quality:
            best, best_quality = coding, quality
    if best and best_quality >= accepted.get("identity", 0.0):
        return best
    return "identity" if accepted.get("identity", accepted.get("*", 1.0)) > 0 else None
