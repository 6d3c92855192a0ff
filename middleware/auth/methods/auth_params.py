"""The grammar of ``Authorization`` and ``WWW-Authenticate`` (RFC 9110 section 11): schemes and their parameters."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

_SCHEME = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) +(.*)", re.DOTALL)
_PARAMETER = re.compile(
    r"[ \t]*([!#$%&'*+\-.^_`|~0-9A-Za-z]+)[ \t]*=[ \t]*"
    r'(?:"((?:[^"\\\x00-\x08\x0a-\x1f\x7f]|\\[\t -~\x80-\xff])*)"|([!#$%&\'*+\-.^_`|~0-9A-Za-z/:@]+))[ \t]*(?:,|$)'
)
_EXTENDED = re.compile(r"(?i:utf-8)'[A-Za-z0-9-]*'((?:[!#$&+\-.^_`|~0-9A-Za-z]|%[0-9A-Fa-f]{2})*)")
_LONGEST = 8192


def credentials(header: str, scheme: str) -> str | None:
    """What stands behind the scheme, in whatever letters it is written; None where the header is for another one."""
    if len(header) > _LONGEST:
        return None
    found = _SCHEME.fullmatch(header.strip(" \t"))
    return found[2].strip(" \t") if found and found[1].lower() == scheme.lower() else None


def parameters(text: str) -> dict[str, str] | None:
    """Parameters by their names in lower case, quotes taken away; None where it is no list of them, or one is twice.

    Values are as WSGI has headers, text that stands for Latin-1 bytes; :func:`text_of` reads them.
    """
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        part = _PARAMETER.match(text, at)
        if part is None:
            if text[at:].strip(" \t,"):
                return None
            break
        name = part[1].lower()
        if name in found:
            return None
        found[name] = re.sub(r"\\(.)", r"\1", part[2], flags=re.DOTALL) if part[2] is not None else part[3]
        at = part.end()
    return found


def text_of(value: str) -> str:
    """The text of a header's value: its bytes read as UTF-8, or as Latin-1 where they are not that."""
    if value.isascii():
        return value
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return value


def extended_text(value: str) -> str | None:
    """The text of an extended value (RFC 8187), ``UTF-8''J%C3%A4s``; None for what is none."""
    found = _EXTENDED.fullmatch(value)
    if found is None:
        return None
    try:
        return unquote_to_bytes(found[1]).decode("utf-8")
    except UnicodeDecodeError:
        return None


def quoted(text: str) -> str:
    """A quoted-string (RFC 9110 section 5.6.4) whose other characters than ASCII are bytes of UTF-8."""
    clean = "".join(letter for letter in text if letter.isprintable())
    return '"' + clean.replace("\\", "\\\\").replace('"', '\\"').encode("utf-8", "replace").decode("latin-1") + '"'
