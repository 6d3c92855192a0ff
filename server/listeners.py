"""Listening sockets: the addresses that a deployer writes, opened before anything is served.

Every way in which opening can fail becomes a :class:`ListenError` with a sentence and a way out.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

DEFAULT_PORT = 8080


class ListenError(OSError):
    """An address that cannot be listened on: ``what`` is wrong with its ``about``, and the way out in ``fix``."""

    def __init__(self, address: Address, what: str, fix: str = "", about: Literal["host", "port"] = "port") -> None:
        self.address, self.what, self.fix, self.about = address, what, fix, about
        super().__init__(f"{address}: {what}; {fix}" if fix else f"{address}: {what}")


class Address(NamedTuple):
    """A host and port, or the path of a UNIX socket. The host ``*`` is every interface, port 0 any free port."""

    host: str = ""
    port: int = 0
    path: str | None = None

    def __str__(self) -> str:
        if self.path is not None:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str, default_port: int = DEFAULT_PORT) -> Address:
    """Read ``127.0.0.1:8080``, ``[::1]:8080``, ``*:80``, ``localhost``, ``8080`` or ``unix:/run/site.sock``.

    A port alone is one of 127.0.0.1. Raises ``ValueError`` with a phrase that completes "listen: …".
    """
    text = text.strip()
    if text.startswith("unix:"):
        path = text[len("unix:") :]
        if not path:
            raise ValueError("names no path; write unix:/run/site.sock")
        return Address(path=os.path.expanduser(path))
    if "/" in text:
        raise ValueError("must be host:port without scheme or path, such as 127.0.0.1:8080, or unix:/path")
    if text.isdecimal():
        return Address("127.0.0.1", _port(text))
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise ValueError("must be [address]:port, such as [::1]:8080")
        return Address(host, _port(rest[1:]) if rest else default_port)
    if text.count(":") > 1:  # a bare IPv6 address
        return Address(text, default_port)
    host, colon, port = text.partition(":")
    if not host:
        raise ValueError(f"names no host; write 127.0.0.1{text}, or *{text} for every interface")
    return Address(host, _port(port) if colon else default_port)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or int(text) > 65535:
        raise ValueError(f"has no port number from 0 to 65535, got {text!r}")
    return int(text)


def open_listeners(
    addresses: Iterable[Address],
    *,
    backlog: int = 1024,
    unix_permissions: int = 0o600,
    families: Sequence[socket.AddressFamily] = (socket.AF_INET, socket.AF_INET6),
) -> list[socket.socket]:
    """Bind and listen on every address. Raises ``ListenError``; then none stays open.

    Connections wait in the sockets' queues until a server accepts them. A name with several addresses gets a socket
    for each.
    """
    opened: list[socket.socket] = []
    try:
        for address in addresses:
            if address.path is not None:
                opened.append(_open_unix(address, address.path, backlog, unix_permissions))
            else:
                opened += _open_tcp(address, backlog, families)
    except BaseException:
        close_listeners(opened)
        raise
    return opened


def close_listeners(sockets: Iterable[socket.socket]) -> None:
    """Close the sockets and remove the files of UNIX sockets among them."""
    closing = list(sockets)
    files = socket_files(closing)
    for each in closing:
        each.close()
    remove_socket_files(files)


def socket_files(sockets: Iterable[socket.socket]) -> tuple[str, ...]:
    """The paths of the UNIX sockets among open sockets."""
    names = (each.getsockname() for each in sockets if each.family == socket.AF_UNIX and each.fileno() >= 0)
    return tuple(name for name in names if isinstance(name, str) and name)


def remove_socket_files(paths: Iterable[str]) -> None:
    """Remove the files of UNIX sockets that were closed, unless another process listens there now."""
    for path in paths:
        if not _is_alive(path):
            with contextlib.suppress(OSError):
                os.unlink(path)


def url_of(listener: socket.socket, scheme: str = "http", prefix: str = "") -> str:
    """The URL that opens what a socket serves, from this machine; ``unix:PATH`` for UNIX sockets."""
    if listener.family == socket.AF_UNIX:
        return f"unix:{listener.getsockname()}"
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    shown = f"[{host}]" if ":" in host else host
    if (scheme, port) in (("http", 80), ("https", 443)):
        return f"{scheme}://{shown}{prefix}/"
    return f"{scheme}://{shown}:{port}{prefix}/"


def is_public(listener: socket.socket) -> bool:
    """Whether others than this machine can connect."""
    if listener.family == socket.AF_UNIX:
        return False
    host = str(listener.getsockname()[0])
    return not (host.startswith("127.") or host == "::1")


def _open_tcp(address: Address, backlog: int, families: Sequence[socket.AddressFamily]) -> list[socket.socket]:
    found = _resolve(address, families)
    opened: list[socket.socket] = []
    absent: OSError | None = None
    port = address.port
    try:
        for family, place in found:
            try:
                listener = _bind_tcp(family, (place[0], port, *place[2:]), backlog)
            except OSError as error:
                # `localhost` and `*` often also mean an IPv6 that the machine (a container) does not have.
                if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT) and len(found) > 1:
                    absent = error
                    continue
                raise _explained(address, error) from error
            opened.append(listener)
            port = port or listener.getsockname()[1]
    except BaseException:
        close_listeners(opened)
        raise
    if not opened:
        raise _explained(address, absent or OSError(errno.EADDRNOTAVAIL, "not available"))
    return opened


def _resolve(
    address: Address, families: Sequence[socket.AddressFamily]
) -> list[tuple[socket.AddressFamily, tuple[str, int] | tuple[str, int, int, int]]]:
    if address.host == "*":
        every: list[tuple[socket.AddressFamily, tuple[str, int] | tuple[str, int, int, int]]] = []
        if socket.AF_INET in families:
            every.append((socket.AF_INET, ("0.0.0.0", address.port)))
        if socket.AF_INET6 in families and socket.has_ipv6:
            every.append((socket.AF_INET6, ("::", address.port, 0, 0)))
        return every
    try:
        # As bytes, because a str loads the IDNA tables even for 127.0.0.1: 5 ms of the start.
        host = address.host.encode("ascii") if address.host.isascii() else address.host
        infos = socket.getaddrinfo(host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "it is no host name"
        raise ListenError(
            address,
            f"{address.host!r} does not resolve ({reason})",
            "write an address of this machine, 127.0.0.1 for this machine alone or * for every interface",
            about="host",
        ) from error
    found = []
    for family, _, _, _, place in infos:
        pair = (socket.AddressFamily(family), place)
        if family in families and pair not in found:
            found.append(pair)
    if not found:
        raise ListenError(address, f"{address.host!r} has no address of the allowed kind", "see ipv4 and ipv6", "host")
    return found  # type: ignore[return-value]  # getaddrinfo's type also allows what SOCK_STREAM excludes


def _bind_tcp(family: socket.AddressFamily, place: tuple[object, ...], backlog: int) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # One socket per family: with both on one socket IPv4 peers would look like ::ffff:1.2.3.4.
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(place)
        listener.listen(backlog)
    except BaseException:
        listener.close()
        raise
    return listener


def _explained(address: Address, error: OSError) -> ListenError:
    if error.errno == errno.EADDRINUSE:
        return ListenError(
            address,
            f"is in use by another process ({address})",
            f"end that process or choose another port, such as {_free_port_after(address.port)}",
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return ListenError(
            address,
            f"may not be opened by this user ({address})",
            "choose a port above 1023 behind a proxy, or start as root with --user NAME",
        )
    if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
        return ListenError(
            address,
            f"{address.host} is not an address of this machine",
            "write 127.0.0.1 for this machine alone or * for every interface",
            about="host",
        )
    return ListenError(address, f"cannot be opened ({address}: {error.strerror or error})")


def _free_port_after(port: int) -> int:
    for candidate in range(port + 1, min(port + 50, 65536)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", candidate))
            except OSError:
                continue
            return candidate
    return DEFAULT_PORT + 1


def _open_unix(address: Address, path: str, backlog: int, permissions: int) -> socket.socket:
    folder = os.path.dirname(path) or "."
    if not os.path.isdir(folder):
        raise ListenError(address, f"the folder {folder} does not exist", "create it, or choose another path")
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        pass  # nothing is there, or the bind below says why not
    else:
        if not stat.S_ISSOCK(mode):
            raise ListenError(address, f"{path} exists and is no socket", "choose another path")
        if _is_alive(path):
            raise ListenError(address, f"{path} is in use by another process", "end that process first")
        with contextlib.suppress(OSError):
            os.unlink(path)  # left behind by a process that was killed
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # Between bind and chmod nobody else may connect.
    mask = os.umask(0o177)
    try:
        listener.bind(path)
        Path(path).chmod(permissions)
        listener.listen(backlog)
    except OSError as error:
        listener.close()
        raise ListenError(address, error.strerror or str(error)) from error
    finally:
        os.umask(mask)
    return listener


def _is_alive(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            return False
        except FileNotFoundError:
            return False
        except OSError:
            return True  # busy, or not ours to look at
        return True
