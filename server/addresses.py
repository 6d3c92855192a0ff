"""The addresses that a deployer writes: where a server listens, and what is said when it cannot."""

from __future__ import annotations

import os
import re
from typing import Literal

from ..config.records import record

DEFAULT_PORT = 8080

# Roughly: whether it is one is found out by binding. A zone is the name of an interface.
_IPV6 = r"[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(?:%[\w.-]+)?"


class ListenError(OSError):
    """An address that cannot be listened on: ``what`` is wrong with its ``about``, and the way out in ``fix``."""

    def __init__(self, address: Address, what: str, fix: str = "", about: Literal["host", "port"] = "port") -> None:
        self.address, self.what, self.fix, self.about = address, what, fix, about
        super().__init__(f"{address}: {what}; {fix}" if fix else f"{address}: {what}")


@record
class Address:
    """One place to listen on: exactly one of a host and port, a path, a descriptor, or what systemd has opened.

    The host ``*`` is every interface, port 0 any free port. A path that begins with ``@`` is an abstract UNIX socket,
    which has a name but no file. ``activated`` is the name of sockets in a systemd unit, ``""`` for all of them.
    """

    host: str = ""
    port: int = 0
    path: str | None = None
    descriptor: int | None = None
    activated: str | None = None

    def __str__(self) -> str:
        if self.path is not None:
            return f"unix:{self.path}"
        if self.descriptor is not None:
            return f"fd:{self.descriptor}"
        if self.activated is not None:
            return f"systemd:{self.activated}" if self.activated else "systemd"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str, default_port: int = DEFAULT_PORT) -> Address:
    """Read where to listen.

    ``127.0.0.1:8080``, ``[::1]:8080``, ``*:80``, ``localhost``, ``8080`` (of 127.0.0.1), ``unix:/run/site.sock``,
    ``unix:@site`` (abstract), ``fd:3`` (inherited), ``systemd`` or ``systemd:NAME`` (socket activation).
    Raises ``ValueError`` with a phrase that completes "listen: …".
    """
    text = text.strip()
    scheme, colon, rest = text.partition(":")
    if scheme == "unix":
        return _unix_address(rest)
    if scheme == "fd" and not rest.startswith(":"):  # fd::1 is an address of IPv6
        if not (rest.isascii() and rest.isdecimal()):
            raise ValueError(f"names no descriptor, got {rest!r}; write its number, such as fd:3")
        return Address(descriptor=int(rest))
    if scheme == "systemd":
        if colon and not rest:
            raise ValueError("names no socket of systemd; write systemd:NAME, or systemd for all of them")
        return Address(activated=rest)
    if "/" in text:
        raise ValueError("must be host:port without scheme or path, such as 127.0.0.1:8080, or unix:/path")
    if text.isdecimal():
        return Address("127.0.0.1", _port(text))
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")) or not re.fullmatch(_IPV6, host):
            raise ValueError("must be [address]:port, such as [::1]:8080")
        return Address(host, _port(rest[1:]) if rest else default_port)
    if text.count(":") > 1 and re.fullmatch(_IPV6, text):
        return Address(text, default_port)
    if not scheme:
        raise ValueError(f"names no host; write 127.0.0.1{text}, or *{text} for every interface")
    return Address(scheme, _port(rest) if colon else default_port)


def _unix_address(path: str) -> Address:
    if not path:
        raise ValueError("names no path; write unix:/run/site.sock")
    if path == "@":
        raise ValueError("names no abstract socket; write unix:@site")
    return Address(path=path if path.startswith("@") else os.path.expanduser(path))


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or int(text) > 65535:
        raise ValueError(f"has no port number from 0 to 65535, got {text!r}")
    return int(text)
