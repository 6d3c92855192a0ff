"""Permissions that ask what a request is and where it comes from, whoever makes it. No login changes that."""

from __future__ import annotations

import re
from datetime import datetime, time, tzinfo
from functools import lru_cache
from typing import TYPE_CHECKING

from ....protocol.peers import read_address
from .context import Context
from .decision import ALLOWED, Decision
from .permission import Permission
from .who import with_values
from .words import phrase

if TYPE_CHECKING:
    from ipaddress import IPv4Network, IPv6Network

_TIME = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?", re.ASCII)
_METHOD = re.compile(r"[A-Za-z][A-Za-z-]*")

_address = lru_cache(maxsize=1024)(read_address)


class _OfRequest(Permission):
    """A permission that does not depend on who makes the request."""

    __slots__ = ()

    asks_who = False


class FromIP(_OfRequest):
    """A client with one of these addresses or in one of these networks; ``unix`` for clients on a UNIX socket.

    An IPv4 address inside an IPv6 one counts as itself.
    """

    __slots__ = ("_networks", "_unix")

    _networks: tuple[IPv4Network | IPv6Network, ...]
    _unix: bool

    def __init__(self, *networks: str) -> None:
        if not networks:
            raise ValueError("FromIP needs at least one network")
        super().__init__(*networks)
        self._keep(_unix="unix" in networks, _networks=tuple(_network(each) for each in networks if each != "unix"))

    def decide(self, ctx: Context) -> Decision:
        """Whether the client's address is among them."""
        return ALLOWED if self.holds(ctx.address) else self.denied()

    def holds(self, address: str) -> bool:
        """Whether an address is among them; the empty one is that of a UNIX socket."""
        if not address:
            return self._unix
        read = _address(address) if len(address) <= 64 else None
        return read is not None and any(read in network for network in self._networks)

    def __str__(self) -> str:
        return phrase("from", self.told)


def _network(text: str) -> IPv4Network | IPv6Network:
    from ipaddress import ip_network

    if text == "*":
        raise ValueError("'*' is no network; write everyone")
    try:
        return ip_network(text)
    except ValueError:
        pass
    try:
        wide = ip_network(text, strict=False)
    except ValueError:
        raise ValueError(f"{text!r} is no network such as 10.0.0.0/8 and no address") from None
    raise ValueError(f"{text!r} names an address within a network; write {wide} or {text.partition('/')[0]}")


class Between(_OfRequest):
    """A time of day, from ``start`` (included) to ``end``, over midnight where that is earlier.

    Both are ``datetime.time`` or text such as ``08:00``. ``zone`` names a time zone (``Europe/Berlin``); without it the
    server's own counts.
    """

    __slots__ = ("_end", "_start", "_zone")

    _end: time
    _start: time
    _zone: tzinfo | None

    def __init__(self, start: time | str, end: time | str, zone: str | None = None) -> None:
        read = (_time(start), _time(end))
        if read[0] == read[1]:
            raise ValueError("begins when it ends; write everyone for the whole day")
        self._keep(_start=read[0], _end=read[1], _zone=None if zone is None else _zone(zone))
        super().__init__(*read, *(() if zone is None else (zone,)))

    def decide(self, ctx: Context) -> Decision:
        """Whether it is that time."""
        now = datetime.fromtimestamp(ctx.clock(), self._zone).time()
        start, end = self._start, self._end
        holds = start <= now < end if start < end else now >= start or now < end
        return ALLOWED if holds else self.denied()

    def __str__(self) -> str:
        zone = phrase("", self.told[2:])
        return f"between {_text(self._start)} and {_text(self._end)}{zone}"

    def __repr__(self) -> str:
        told = [_text(self._start), _text(self._end), *self.told[2:]]
        return f"Between({', '.join(map(repr, told))})"


def _time(value: time | str) -> time:
    if isinstance(value, time):
        if value.tzinfo is not None or value.microsecond:
            raise ValueError("must be times without a zone of their own, to the second")
        return value
    found = _TIME.fullmatch(value)
    try:
        if found is None:
            raise ValueError
        hour, minute, second = map(int, found.groups("0"))
        return time(hour, minute, second)
    except ValueError:
        raise ValueError(f"{value!r} is no time of day such as 08:00") from None


def _text(value: time) -> str:
    return value.isoformat("seconds" if value.second else "minutes")


def _zone(name: str) -> tzinfo:
    from zoneinfo import ZoneInfo  # costs milliseconds, and few rules name one

    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        raise ValueError(
            f"{name!r} is no time zone that this machine knows, such as Europe/Berlin"
            " (pip install tzdata, where it knows none)"
        ) from None


class Secure(_OfRequest):
    """A client who came over TLS."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__()

    def decide(self, ctx: Context) -> Decision:
        """Whether it did, as far as can be told."""
        return ALLOWED if ctx.is_secure else self.denied()

    def __str__(self) -> str:
        return "secure"


class HttpMethod(_OfRequest):
    """A request with one of these methods. ``GET`` includes ``HEAD``, which asks for nothing more."""

    __slots__ = ("_methods",)

    _methods: frozenset[str]

    def __init__(self, *methods: str) -> None:
        if not methods:
            raise ValueError("HttpMethod needs at least one method")
        for each in methods:
            if not _METHOD.fullmatch(each):
                raise ValueError(f"{each!r} is no request method such as GET")
        names = [each.upper() for each in methods]
        super().__init__(*names)
        self._keep(_methods=with_head(names))

    def decide(self, ctx: Context) -> Decision:
        """Whether the request has one of them."""
        return ALLOWED if ctx.method in self._methods else self.denied()

    def __str__(self) -> str:
        return phrase("method", self.told)


def with_head(methods: list[str]) -> frozenset[str]:
    """The methods, and ``HEAD`` where ``GET`` is among them: apps answer it by what they do for GET."""
    return frozenset([*methods, "HEAD"] if "GET" in methods else methods)


class EnvironKey(_OfRequest):
    """A request whose environ has a key, or has one of these values there (compared as text).

    What clients send stands under ``HTTP_…``: such a key is theirs to choose.
    """

    __slots__ = ("_key", "_values")

    _key: str
    _values: frozenset[str]

    def __init__(self, key: str, *values: str) -> None:
        if not key.strip():
            raise ValueError("EnvironKey was given an empty key")
        super().__init__(key, *values)
        self._keep(_key=key, _values=frozenset(values))

    def decide(self, ctx: Context) -> Decision:
        """Whether the key is there, with one of the values."""
        if self._key not in ctx.environ:
            return self.denied()
        return ALLOWED if not self._values or str(ctx.environ[self._key]) in self._values else self.denied()

    def __str__(self) -> str:
        return with_values("environ", self._key, self.told[1:])
