"""Sockets that were open before this process: numbered descriptors, and systemd's socket activation.

systemd passes descriptors from 3 on and says so in the environment: ``LISTEN_PID`` is whom they are for,
``LISTEN_FDS`` how many they are, ``LISTEN_FDNAMES`` how the units call them (sd_listen_fds(3)).
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Mapping

from ..config.records import record

_FIRST = 3
_UNNAMED = "unknown"  # as sd_listen_fds_with_names(3) calls what has no name
_MOST = 1024


@record
class Passed:
    """A descriptor that systemd has passed, and the name that its socket unit gave it."""

    descriptor: int
    name: str


class InheritedSocket(socket.socket):
    """A listening socket that somebody else opened. Whoever did also removes its file."""

    __slots__ = ()


def passed_descriptors(environ: Mapping[str, str] | None = None, pid: int | None = None) -> tuple[Passed, ...]:
    """What systemd has passed to this process, in the order of its units; nothing if it was for another process.

    The environment is left as it is: what is in it has no meaning for a child, whose number is another one.
    Raises ``ValueError`` with a sentence when the environment contradicts itself.
    """
    environ = os.environ if environ is None else environ
    if environ.get("LISTEN_PID") != str(os.getpid() if pid is None else pid):
        return ()
    text = environ.get("LISTEN_FDS", "")
    if not (text.isascii() and text.isdecimal()) or int(text) > _MOST:
        raise ValueError(f"LISTEN_FDS={text!r} is no number of sockets")
    count = int(text)
    names = environ["LISTEN_FDNAMES"].split(":") if environ.get("LISTEN_FDNAMES") else [_UNNAMED] * count
    if len(names) != count:
        raise ValueError(f"LISTEN_FDNAMES names {len(names)} sockets where LISTEN_FDS has {count}")
    return tuple(Passed(_FIRST + index, name) for index, name in enumerate(names))


def is_activated(environ: Mapping[str, str] | None = None, pid: int | None = None) -> bool:
    """Whether systemd has passed sockets to this process, right or wrong."""
    environ = os.environ if environ is None else environ
    return environ.get("LISTEN_PID") == str(os.getpid() if pid is None else pid) and environ.get("LISTEN_FDS") != "0"


def adopt(descriptor: int) -> InheritedSocket:
    """Make a socket of a descriptor on which somebody listens already; it is this process's to close.

    Raises ``ValueError`` with a phrase that completes "fd:3: …" when it is nothing to accept connections from.
    """
    try:
        mode = os.fstat(descriptor).st_mode
    except OSError as error:
        raise ValueError(f"is not open in this process ({error.strerror})") from error
    if not stat.S_ISSOCK(mode):
        raise ValueError("is open, but is no socket")
    listener = InheritedSocket(fileno=descriptor)
    complaint = _complaint(listener)
    if complaint is not None:
        listener.detach()  # it stays as it was found
        raise ValueError(complaint)
    listener.set_inheritable(False)
    return listener


def _complaint(listener: socket.socket) -> str | None:
    if listener.family not in (socket.AF_INET, socket.AF_INET6, getattr(socket, "AF_UNIX", None)):
        return "is a socket of a family that carries no HTTP"
    if listener.type != socket.SOCK_STREAM:
        return "is no stream socket"
    if not listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        return "does not listen"
    return None
