"""A listening socket in the engine: connections are taken from it, up to the limits."""

from __future__ import annotations

import _socket
import contextlib
import errno
import logging
import os
import socket
import sys
from typing import TYPE_CHECKING, Any

from ..http1.base_environ import connection_environ
from ..http1.heads import HeadReader
from ..http1.refusals import Refused, refusal_bytes
from .poller import READ

if TYPE_CHECKING:
    from .engine import Engine

log = logging.getLogger("wheatpaste.server.listener")

_AT_ONCE = 64
_NO_DESCRIPTORS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_PAUSE = 0.2


class Listener:
    """Takes connections. Only the leader calls it."""

    def __init__(self, engine: Engine, sock: socket.socket, reader: HeadReader) -> None:
        self.sock = sock
        self.fd = sock.fileno()
        self.reader = reader
        self.paused_until: float | None = None
        self._engine = engine
        self._spare: int | None = None
        self._told = False
        self._is_tcp = sock.family != getattr(socket, "AF_UNIX", None)
        self._inherits = False
        self._shares = engine.settings.multiprocess and hasattr(os, "sched_yield")
        self._at_once = 1 if self._shares else _AT_ONCE
        self._took_one = False
        sock.setblocking(False)
        if self._is_tcp:
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._inherits = sys.platform == "linux"  # accepted sockets have it from the listening one
        # The plain type has all that is needed, and costs half; TLS wants the whole.
        self._kind = int(sock.family), int(sock.type), sock.proto
        self._make: Any = _socket.socket if engine.settings.tls is None else socket.socket
        self._is_plain = hasattr(sock, "_accept")

    def open(self) -> None:
        """Begin to take connections."""
        self._spare = os.open(os.devnull, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        self._engine.poller.watch(self.fd, READ)

    def accept(self, most: int | None = None) -> None:
        """Take some of the connections that wait. Where other processes take them too: one, and none the next time.

        ``most`` is for an end, where nobody is left a turn.
        """
        if self._took_one and most is None:
            # A process that is awake takes a burst faster than the others wake up, and would answer all of it alone: it
            # looks at its other sockets first. What is in the queue still then, the poller reports again.
            self._took_one = False
            os.sched_yield()
            return
        for _ in range(self._at_once if most is None else most):
            try:
                sock, address = self._take()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _NO_DESCRIPTORS:
                    self._out_of_descriptors(error)
                    return
                continue  # the client left before its turn
            refusal = self._engine.connections.room_for(address)
            if refusal is not None:
                self._turn_away(sock, refusal)
                continue
            sock.setblocking(False)
            self._took_one = self._shares
            if self._is_tcp and not self._inherits:
                with contextlib.suppress(OSError):
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._engine.welcome(sock, self.reader, connection_environ(sock, address), is_tcp=self._is_tcp)

    def _take(self) -> tuple[Any, Any]:
        listener: Any = self.sock
        if not self._is_plain:
            accepted: tuple[Any, Any] = listener.accept()
            return accepted
        fd, address = listener._accept()
        return self._make(*self._kind, fileno=fd), address

    def _turn_away(self, sock: Any, refusal: Refused) -> None:
        engine = self._engine
        engine.count_refusal(refusal)
        with contextlib.suppress(OSError):
            sock.setblocking(False)
            if engine.settings.tls is None:
                sock.send(refusal_bytes(refusal, engine.reply_lines().common, engine.settings.ident))
                sock.shutdown(socket.SHUT_WR)
                sock.recv(65536)  # what is unread would turn the close into a reset
        sock.close()

    def _out_of_descriptors(self, error: OSError) -> None:
        """Without a descriptor nothing can be accepted, and the poller would report the same socket for ever."""
        if not self._told:
            self._told = True
            log.error(
                "no connection can be taken: %s; raise the limit (ulimit -n) or lower `connections`", error.strerror
            )
        if self._close_spare():
            # Give the one who waits longest an end instead of silence.
            with contextlib.suppress(OSError):
                sock, _ = self.sock.accept()
                self._turn_away(sock, Refused(503, "descriptors", "The server has too many connections.", 1))
            with contextlib.suppress(OSError):
                self._spare = os.open(os.devnull, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        self.paused_until = self._engine.clock() + _PAUSE
        self._engine.poller.forget(self.fd)

    def resume(self) -> None:
        """Try again after a pause."""
        if self.paused_until is not None:
            self.paused_until = None
            self._engine.poller.watch(self.fd, READ)

    def close(self) -> None:
        """Stop: what waits in the queue is taken first, or those clients would be reset."""
        if self.fd < 0:
            return
        self._engine.poller.forget(self.fd)
        self.accept(_AT_ONCE)
        self._engine.poller.forget(self.fd)
        self.accept(_AT_ONCE)  # with nothing between it and the close for which other threads would get their turn
        self.sock.close()
        self._close_spare()
        self.fd = -1

    def _close_spare(self) -> bool:
        spare, self._spare = self._spare, None  # at an end that does not wait, the leader may be here, too
        if spare is None:
            return False
        os.close(spare)
        return True
