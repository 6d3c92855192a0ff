"""Listening sockets: the addresses that a deployer writes, opened before anything is served.

Every way in which opening can fail becomes a :class:`ListenError` with a sentence and a way out.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections.abc import Iterable, Sequence

from .activation import InheritedSocket, adopt, passed_descriptors
from .addresses import DEFAULT_PORT, Address, ListenError, parse_address
from .unix_sockets import open_unix, remove_socket_files, socket_file

__all__ = [
    "DEFAULT_PORT",
    "Address",
    "ListenError",
    "close_listeners",
    "is_public",
    "open_listeners",
    "parse_address",
    "remove_socket_files",
    "socket_files",
    "url_of",
]

_FAMILIES = (socket.AF_INET, socket.AF_INET6)
# How often a free port that one address of a name offers is tried on the others.
_TRIES = 20

Place = tuple[str, int] | tuple[str, int, int, int]


def open_listeners(
    addresses: Iterable[Address],
    *,
    backlog: int = 1024,
    unix_permissions: int = 0o600,
    unix_owner: str | None = None,
    reuse_port: bool = False,
    families: Sequence[socket.AddressFamily] = _FAMILIES,
) -> list[socket.socket]:
    """Bind and listen on every address, or adopt what listens already. Raises ``ListenError``; then none stays open.

    Connections wait in the sockets' queues until a server accepts them. A name with several addresses gets a socket
    for each, with the same port where port 0 asks for a free one. ``unix_permissions`` and ``unix_owner``
    (``user:group``) say who may connect to the files of UNIX sockets. With ``reuse_port`` several processes of one user
    listen on the same port, and the kernel shares connections out among them: a port in use is then no error.
    """
    opened: list[socket.socket] = []
    adopted: set[int] = set()
    try:
        for address in addresses:
            if address.path is not None:
                opened.append(
                    open_unix(address, address.path, backlog=backlog, permissions=unix_permissions, owner=unix_owner)
                )
            elif address.descriptor is not None:
                opened.append(_adopt(address, address.descriptor, adopted))
            elif address.activated is not None:
                for descriptor in _passed(address, address.activated):
                    opened.append(_adopt(address, descriptor, adopted))
            else:
                opened += _open_tcp(address, backlog, families, reuse_port)
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
    """The paths of the UNIX sockets among open sockets, as far as this process made them.

    Whether anybody else still listens there is found out by connecting, which would wake what systemd activates: so the
    files of inherited sockets are left to whoever made them.
    """
    files = (socket_file(each) for each in sockets if not isinstance(each, InheritedSocket))
    return tuple(path for path in files if path is not None)


def url_of(listener: socket.socket, scheme: str = "http", prefix: str = "") -> str:
    """The URL that opens what a socket serves, from this machine; ``unix:PATH`` for UNIX sockets."""
    if listener.family == socket.AF_UNIX:
        name = listener.getsockname()
        return f"unix:@{name[1:].decode(errors='backslashreplace')}" if isinstance(name, bytes) else f"unix:{name}"
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


def _passed(address: Address, name: str) -> list[int]:
    try:
        passed = passed_descriptors()
    except ValueError as error:
        raise ListenError(
            address, f"cannot be used ({error})", "correct the environment, or write an address"
        ) from error
    if not passed:
        meant = os.environ.get("LISTEN_PID")
        if meant not in (None, str(os.getpid())):
            raise ListenError(
                address,
                f"systemd has passed its sockets to process {meant}, and this is {os.getpid()}",
                "let ExecStart= start wheatpaste itself, or a shell that calls it with exec",
            )
        raise ListenError(
            address,
            "systemd has passed no sockets to this process",
            "start it through its socket unit, or write an address such as 127.0.0.1:8080",
        )
    found = [each.descriptor for each in passed if not name or each.name == name]
    if not found:
        known = ", ".join(sorted({each.name for each in passed}))
        raise ListenError(
            address,
            f"systemd has passed no socket called {name}, but {known}",
            f"write `FileDescriptorName={name}` into the socket unit, or another name here",
        )
    return found


def _adopt(address: Address, descriptor: int, adopted: set[int]) -> socket.socket:
    if descriptor in adopted:
        raise ListenError(address, f"descriptor {descriptor} is listened on twice", "name it once")
    try:
        listener = adopt(descriptor)
    except ValueError as error:
        fix = "pass a stream socket that listens; a socket unit needs ListenStream= and no Accept=yes"
        raise ListenError(address, f"descriptor {descriptor} {error}", fix) from error
    adopted.add(descriptor)
    _send_at_once(listener)
    return listener


def _open_tcp(
    address: Address, backlog: int, families: Sequence[socket.AddressFamily], reuse_port: bool
) -> list[socket.socket]:
    if reuse_port and not hasattr(socket, "SO_REUSEPORT"):
        raise ListenError(address, "this system has no SO_REUSEPORT", "leave reuse_port out")
    found = _resolve(address, families)
    for _ in range(_TRIES if address.port == 0 and len(found) > 1 else 0):
        try:
            return _open_all(address, found, backlog, reuse_port, share_port=True)
        except ListenError as error:
            if not isinstance(error.__cause__, OSError) or error.__cause__.errno != errno.EADDRINUSE:
                raise
    return _open_all(address, found, backlog, reuse_port, share_port=False)


def _open_all(
    address: Address,
    found: Sequence[tuple[socket.AddressFamily, Place]],
    backlog: int,
    reuse_port: bool,
    *,
    share_port: bool,
) -> list[socket.socket]:
    opened: list[socket.socket] = []
    absent: OSError | None = None
    port = address.port
    try:
        for family, place in found:
            try:
                listener = _bind_tcp(family, (place[0], port, *place[2:]), backlog, reuse_port)
            except OSError as error:
                # `localhost` and `*` often also mean an IPv6 that the machine (a container) does not have.
                if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT) and len(found) > 1:
                    absent = error
                    continue
                raise _explained(address, error) from error
            opened.append(listener)
            if share_port and port == 0:
                port = listener.getsockname()[1]
    except BaseException:
        close_listeners(opened)
        raise
    if not opened:
        raise _explained(address, absent or OSError(errno.EADDRNOTAVAIL, "not available"))
    return opened


def _instead(host: str) -> str:
    from ipaddress import IPv6Address

    before, _, port = host.rpartition(":")
    if port.isdecimal():
        with contextlib.suppress(ValueError):
            return f"write [{IPv6Address(before)}]:{port}"
    return "write an address of this machine, 127.0.0.1 for this machine alone or * for every interface"


def _resolve(address: Address, families: Sequence[socket.AddressFamily]) -> list[tuple[socket.AddressFamily, Place]]:
    if address.host == "*":
        every: list[tuple[socket.AddressFamily, Place]] = []
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
            _instead(address.host),
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


def _bind_tcp(family: socket.AddressFamily, place: tuple[object, ...], backlog: int, reuse_port: bool) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            # One socket per family: with both on one socket IPv4 peers would look like ::ffff:1.2.3.4.
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        _send_at_once(listener)
        listener.bind(place)
        listener.listen(backlog)
    except BaseException:
        listener.close()
        raise
    return listener


def _send_at_once(listener: socket.socket) -> None:
    """Let the last part of a reply leave without waiting for the client's word on the one before.

    Set on the listener, because Linux and the BSDs hand it on to what is accepted: that saves a call per connection.
    """
    if listener.family in _FAMILIES:
        with contextlib.suppress(OSError):
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


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
            "choose a port above 1023 behind a proxy, let systemd open it, or start as root with --user NAME",
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
