"""The control socket: a UNIX socket on which an operator asks what a service is doing, and tells it what to do.

One JSON object on a line is a request, ``{"command": "status"}``; one on a line is the answer, ``{"ok": true,
"result": …}`` or ``{"ok": false, "error": …}``. Only root and the user that the service runs as are answered, whatever
the permissions of the socket's file.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import socket
import stat
import struct
import zlib
from collections.abc import Callable, Mapping

from ..addresses import Address
from ..listeners import close_listeners, open_listeners
from .askers import Reply
from .lines import Lines, Message
from .loop import Loop

log = logging.getLogger(__name__)

Perform = Callable[[str, Message, Reply], object]
"""Does a command and, sooner or later, calls with the answer."""

_LONGEST = 4096
_MOST = 16
_REFUSAL = b'{"ok":false,"error":"only root and the service\'s own user are answered, and only a few at a time"}\n'
_PATH = 100  # sockaddr_un has room for 107 bytes on Linux, 103 elsewhere


def usual_path(site: str, environ: Mapping[str, str] | None = None) -> str | None:
    """Where the control socket of a site is, unless its server says otherwise; None where there is no private place.

    That is a folder of this user's in ``$XDG_RUNTIME_DIR``, or ``/run/user/UID``; root's may be in ``/run``. ``site``
    is what is served: the absolute path of a file, or the name of an object.
    """
    environ = os.environ if environ is None else environ
    uid = os.geteuid()
    candidates = [environ.get("XDG_RUNTIME_DIR", ""), f"/run/user/{uid}", *(["/run"] if uid == 0 else [])]
    runtime = next((each for each in candidates if os.path.isabs(each) and _is_private(each)), None)
    if runtime is None:
        return None
    stem = os.path.splitext(os.path.basename(site))[0][:24]
    number = zlib.crc32(site.encode("utf-8", "surrogateescape"))
    path = os.path.join(runtime, "wheatpaste", f"{stem}-{number:08x}.sock")
    return path if len(os.fsencode(path)) <= _PATH else None


def open_control(path: str, *, create_folder: bool = False) -> socket.socket:
    """Listen on a path, for this user alone.

    With ``create_folder`` a missing folder is made, with this user's permissions alone. Raises ``OSError``
    (``ListenError``) where that cannot be, and when another process listens there.
    """
    folder = os.path.dirname(path)
    if create_folder:
        with contextlib.suppress(FileExistsError):
            os.mkdir(folder, 0o700)
        if not _is_private(folder):
            raise PermissionError(errno.EPERM, "others may write to it", folder)
    (listener,) = open_listeners([Address(path=path)], backlog=_MOST, unix_permissions=0o600)
    listener.setblocking(False)
    return listener


def _is_private(folder: str) -> bool:
    try:
        found = os.lstat(folder)
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o022


class Control:
    """Answers on a control socket, on a loop: a few connections at a time.

    One on which nothing is asked is closed after ``patience`` seconds.
    """

    def __init__(self, listener: socket.socket, loop: Loop, perform: Perform, patience: float = 5.0) -> None:
        self._patience = patience
        self.listener = listener
        self._loop = loop
        self._perform = perform
        self._visitors: set[_Visitor] = set()
        loop.watch(listener.fileno(), self._accept)

    def close(self) -> None:
        """Stop listening, remove the socket's file and leave all connections."""
        if self.listener.fileno() < 0:
            return
        self._loop.forget(self.listener.fileno())
        close_listeners([self.listener])
        for each in list(self._visitors):
            each.leave()

    def abandon(self) -> None:
        """Close a forked child's copies; the file and the loop are those of the other process."""
        self.listener.close()
        for each in self._visitors:
            each.abandon()

    def _accept(self) -> None:
        try:
            stream, _ = self.listener.accept()
        except OSError:  # it went away, or there are no descriptors left for it
            return
        if len(self._visitors) >= _MOST or not is_allowed(stream):
            with contextlib.suppress(OSError):
                stream.send(_REFUSAL)
            stream.close()
            return
        visitor = _Visitor(stream, self._loop, self._perform, self._visitors.discard)
        self._visitors.add(visitor)
        self._loop.after(self._patience, visitor.hurry)


def is_allowed(stream: socket.socket) -> bool:
    """Whether the other side is root or the user of this process, as the kernel says (SO_PEERCRED, unix(7))."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True  # elsewhere the permissions of the file decide
    _, uid, _ = struct.unpack("3i", stream.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
    return uid in (0, os.geteuid())


class _Visitor:
    def __init__(self, stream: socket.socket, loop: Loop, perform: Perform, left: Callable[[_Visitor], object]) -> None:
        self._perform = perform
        self._left = left
        self._asked = False
        self._lines = Lines(stream, loop, self._heard, lambda: left(self), most=_LONGEST)

    def leave(self) -> None:
        self._lines.close()
        self._left(self)

    def abandon(self) -> None:
        self._lines.abandon()

    def _heard(self, message: Message) -> None:
        command = message.get("command")
        if not isinstance(command, str) or self._asked:
            self._lines.send({"ok": False, "error": "one request with a command is taken on a connection"})
            return
        self._asked = True
        log.info("asked over the control socket: %s", command)
        self._perform(command, message, self._answer)

    def _answer(self, message: Message) -> None:
        self._lines.send(message)

    def hurry(self) -> None:
        """Who has asked nothing yet takes somebody's place."""
        if not self._asked:
            self.leave()
