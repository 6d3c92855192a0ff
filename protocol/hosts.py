"""The name and port of a Host: read strictly, in one canonical form.

Hosts are compared as text all over the house (mounts, host checks, redirects), so there is one way to write each:
lower case, no dot at the end, IDNA for what is not ASCII, IPv6 shortened and in its brackets.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

_DEFAULT_PORTS = {"http": 80, "https": 443}


class HostPort(NamedTuple):
    """A host in canonical form (IPv6 in brackets) and its port, None where none was written."""

    host: str
    port: int | None = None

    def port_for(self, scheme: str) -> int | None:
        """The port that is meant: the written one, or else the default of the scheme (None for unknown schemes)."""
        return self.port if self.port is not None else _DEFAULT_PORTS.get(scheme)

    def without_default_port(self, scheme: str) -> HostPort:
        """The same place without a port that the scheme implies."""
        return HostPort(self.host) if self.port is not None and self.port == _DEFAULT_PORTS.get(scheme) else self

    def __str__(self) -> str:
        return self.host if self.port is None else f"{self.host}:{self.port}"


# Underscores are no host names by RFC 1123, but container networks use them; a comma means two Host headers.
_NAME = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
_PORT = re.compile(r"[0-9]{1,5}")
_LONGEST = 253  # RFC 1035 section 2.3.4, less the bytes that only the wire form has
_LONGEST_VALUE = _LONGEST + len(".:65535")


def read_host(value: str) -> HostPort | None:
    """Read the value of a ``Host`` header (RFC 9110 section 7.2), or return None when it is not valid.

    A wire value is ASCII; use ``parse_host`` for what a person wrote. Cheap for hosts that come again.
    """
    # Long values are turned away before the cache, which a client could otherwise fill with them.
    return _read(value) if len(value) <= _LONGEST_VALUE else None


@lru_cache(maxsize=512)
def _read(value: str) -> HostPort | None:
    if not value.isascii():
        return None
    try:
        return parse_host(value)
    except ValueError:
        return None


def parse_host(value: str) -> HostPort:
    """Read ``host`` or ``host:port`` as a person writes it: also in other alphabets, converted by IDNA.

    Raises ``ValueError`` with a sentence that says what is wrong.
    """
    if not value:
        raise ValueError("the host is empty")
    if "@" in value:
        raise ValueError("a user name has no place in a host")
    if value[0] == "[":
        address, bracket, rest = value.partition("]")
        if not bracket or (rest and rest[0] != ":"):
            raise ValueError("the brackets of an IPv6 address are not closed")
        return HostPort(_ipv6(address[1:]), _port(rest[1:]))
    name, colon, port = value.partition(":")
    if ":" in port:
        raise ValueError("an IPv6 address needs brackets, and a host has only one port")
    return HostPort(_name(name), _port(port) if colon else None)


def _name(name: str) -> str:
    if not name.isascii():
        try:
            name = name.encode("idna").decode("ascii")
        except UnicodeError as error:
            raise ValueError(f"{name!r} cannot be written as an international host name") from error
    name = name.lower().removesuffix(".")
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a host name")
    if len(name) > _LONGEST:
        raise ValueError(f"a host name has at most {_LONGEST} characters")
    return name


def _ipv6(text: str) -> str:
    from ipaddress import AddressValueError, IPv6Address  # rare enough not to be paid for by each start

    try:
        address = IPv6Address(text)
    except AddressValueError as error:
        raise ValueError(f"{text!r} is not an IPv6 address") from error
    if address.scope_id is not None:
        raise ValueError("a zone has no meaning outside its machine")
    return f"[{address.compressed}]"


def _port(text: str) -> int | None:
    if not text:  # RFC 3986 section 3.2.3 allows the colon without a port
        return None
    if not _PORT.fullmatch(text) or not 1 <= int(text) <= 65535:
        raise ValueError(f"{text!r} is not a port between 1 and 65535")
    return int(text)
