"""Tickets in cookies, as mod_auth_tkt, Paste, AuthKit, repoze.who and Pyramid write them.

``digest time user!tokens!data``: the digest is of all parts and a secret, and nothing is encrypted. Which part ends
where does not follow from the digest alone, so parts that hold a separator are neither written nor believed.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import b64decode
from collections.abc import Iterator
from typing import Literal, NamedTuple
from urllib.parse import quote, unquote

Digest = Literal["md5", "sha256", "sha512"]

_LENGTHS: dict[str, int] = {"md5": 32, "sha256": 64, "sha512": 128}
_LONGEST = 4096
_TIME = 8
_NOWHERE = "0.0.0.0"
_HEAD = re.compile(r"[0-9a-f]+")
_TOKEN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._:@/+-]*")
_DATA = re.compile(r"[#-+\--:<-\[\]-~]*")  # what a cookie may hold (RFC 6265 section 4.1.1), without "!"
_OCTAL = re.compile(r"\\([0-3][0-7]{2})")
_QUOTED = re.compile(r"\\(.)")
_PYRAMID = re.compile(r"(?:^|\|)userid_type:(\w+)(?:\||$)")


class Ticket(NamedTuple):
    """What a ticket says; ``time`` is when it was made (seconds since 1970)."""

    user: str
    time: int
    tokens: tuple[str, ...] = ()
    data: str = ""


def write_ticket(secret: str, ticket: Ticket, digest: Digest = "sha512", address: str = _NOWHERE) -> str:
    """The text of a ticket. Raises ``ValueError`` where a part holds what separates parts, or no cookie can hold."""
    user, tokens = ticket.user, ",".join(ticket.tokens)
    if not user or "\0" in user or "!" in user:
        raise ValueError("a ticket cannot name this user")
    if not all(_TOKEN.fullmatch(token) for token in ticket.tokens):
        raise ValueError("a token of a ticket is a word without separators")
    if not _DATA.fullmatch(ticket.data):
        raise ValueError("a ticket cannot hold these data: only what a cookie may, and no exclamation mark")
    signature = digest_of(secret, ticket, digest, address)
    middle = f"{tokens}!" if tokens else ""
    text = f"{signature}{ticket.time:08x}{quote(user)}!{middle}{ticket.data}"
    if len(text) > _LONGEST:
        raise ValueError(f"a ticket cannot be longer than {_LONGEST} bytes")
    return text


def read_ticket(secret: str, text: str, digest: Digest = "sha512", address: str = _NOWHERE) -> Ticket | None:
    """The ticket with this text, if it was made with the secret, and for the address; None for everything else."""
    if len(text) > _LONGEST:
        return None
    for form in _forms(text):
        signature, rest = form[: _LENGTHS[digest]], form[_LENGTHS[digest] :]
        if not _HEAD.fullmatch(signature) or not _HEAD.fullmatch(rest[:_TIME]) or "\0" in form:
            continue
        for ticket in _readings(rest):
            expected = digest_of(secret, ticket, digest, address)
            if hmac.compare_digest(signature, expected):
                return _decoded(ticket)
    return None


def digest_of(secret: str, ticket: Ticket, digest: Digest, address: str = _NOWHERE) -> str:
    """The digest that stands first in a ticket."""
    known = secret.encode()
    parts = (ticket.user, ",".join(ticket.tokens), ticket.data)
    told = b"\0".join(part.encode("utf-8", "surrogatepass") for part in parts)
    inner = hashlib.new(digest, _place(address, ticket.time) + known + told, usedforsecurity=True).hexdigest()
    return hashlib.new(digest, inner.encode() + known).hexdigest()


def _place(address: str, time: int) -> bytes:
    if ":" in address:
        return f"{address}{time}".encode()
    return bytes(int(part) for part in address.split(".")) + time.to_bytes(4, "big")


def _forms(text: str) -> Iterator[str]:
    """A cookie's value may be quoted, and mod_auth_tkt's own tools write it as base64."""
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = _QUOTED.sub(r"\1", _OCTAL.sub(lambda match: chr(int(match[1], 8)), text[1:-1]))
    yield text
    try:
        yield b64decode(text, validate=True).decode()
    except ValueError:
        return


def _readings(rest: str) -> Iterator[Ticket]:
    """What the parts behind the digest may be. Some programs quote the user's name, some do not."""
    user, separator, further = rest[_TIME:].partition("!")
    tokens, has_tokens, data = further.partition("!")
    if not separator or not user or "!" in data:
        return
    if not has_tokens:
        tokens, data = "", further
    time = int(rest[:_TIME], 16)
    for name in dict.fromkeys((unquote(user), user)):
        if "\0" not in name and "!" not in name:
            yield Ticket(name, time, tuple(tokens.split(",")) if tokens else (), data)


def _decoded(ticket: Ticket) -> Ticket | None:
    """Pyramid writes names as base64, and says so in the data."""
    found = _PYRAMID.search(ticket.data)
    if found is None or found[1] not in ("b64unicode", "b64str"):
        return ticket
    try:
        name = b64decode(ticket.user, validate=True).decode()
    except ValueError:
        return None
    return ticket._replace(user=name, data=_PYRAMID.sub("", ticket.data)) if name and name.isprintable() else None
