"""Request bodies that the app reads while they arrive: ``wsgi.input`` that waits for the client.

The reading thread waits, so only some of the threads may be in here at the same time: see ``Engine.streams``. It never
leads, for requests with such a body are handed over before they run.
"""

from __future__ import annotations

import io
import select
from collections import deque
from typing import TYPE_CHECKING, Any

from ..http1.chunks import ChunkDecoder
from ..http1.client_gone import ClientGone
from ..http1.refusals import Refused

if TYPE_CHECKING:
    from .connection import Connection

_AT_ONCE = 64 * 1024


class BodyBroken(Refused, OSError):
    """The body cannot be read to its end. An ``OSError``, because that is what apps expect of a broken upload."""


class StreamedBody(io.RawIOBase):
    """The raw stream; apps get it with a buffer around it (``file``). Closing it gives back what ``streams`` lent."""

    def __init__(self, connection: Connection, length: int | None, *, expects: bool) -> None:
        super().__init__()
        engine = connection.engine
        self._connection = connection
        self._engine = engine
        self._limits = engine.settings.limits
        self._deadlines = engine.settings.deadlines
        self._decoder = (
            ChunkDecoder(max_trailers=self._limits.head, max_fields=self._limits.fields) if length is None else None
        )
        self._left = length or 0
        self._expects = expects
        self._pieces: deque[bytes] = deque()
        self._length = 0
        self.received = 0
        """Bytes on the wire."""
        self.started = engine.clock()
        self._failure: Refused | ClientGone | None = None
        self.file = io.BufferedReader(self, _AT_ONCE)

    @property
    def done(self) -> bool:
        """Whether all of it has come."""
        return self._decoder.done if self._decoder is not None else not self._left

    def readable(self) -> bool:
        """It can be read."""
        return True

    def close(self) -> None:
        """Let others wait for their clients."""
        if not self.closed:
            super().close()
            self._engine.streams.give_back(1)

    def readinto(self, target: Any) -> int:
        """Read what is there, or wait for more. Raises ``BodyBroken`` or ``ClientGone``, both ``OSError``."""
        while not self._pieces:
            if self.done:
                return 0
            self._receive()
        piece = self._pieces.popleft()
        room = len(target)
        if len(piece) > room:
            self._pieces.appendleft(piece[room:])
            piece = piece[:room]
        target[: len(piece)] = piece
        return len(piece)

    def _receive(self) -> None:
        if self._failure is not None:
            raise self._failure
        connection = self._connection
        data, connection.buffer = connection.buffer, b""
        try:
            if not data:
                if self._expects:
                    self._expects = False
                    connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
                data = self._wait()
            self.received += len(data)
            self._take(data)
        except Refused as refusal:
            self._failure = BodyBroken(refusal.status, refusal.rule, refusal.what)
            raise self._failure from None
        except ClientGone as gone:
            self._failure = gone
            raise

    def _take(self, data: bytes) -> None:
        if self._decoder is None:
            piece, rest = data[: self._left], data[self._left :]
            self._left -= len(piece)
            pieces = [piece]
        else:
            pieces, rest = self._decoder.feed(data)
        self._connection.buffer = rest
        for piece in pieces:
            if piece:
                self._pieces.append(piece)
                self._length += len(piece)
        if self._length > self._limits.body:
            raise Refused(413, "body", f"exceeds max_body of {self._limits.body}")

    def _wait(self) -> bytes:
        connection, engine = self._connection, self._engine
        while True:
            try:
                data = connection.recv(_AT_ONCE)
            except engine.would_block:
                pass
            except OSError as error:
                raise ClientGone(str(error)) from None
            else:
                if not data:
                    raise ClientGone("the client left before the end of its request's body")
                return data
            allowed = self._deadlines.body_grace + self.received / max(self._deadlines.body_rate, 1)
            left = self.started + allowed - engine.clock()
            if left <= 0 or not _wait_readable(connection.fd, left):
                raise Refused(408, "body-timeout", "The request body came too slowly.")


def _wait_readable(fd: int, timeout: float) -> bool:
    if hasattr(select, "poll"):
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        return bool(poll.poll(int(timeout * 1000) + 1))
    return bool(select.select([fd], [], [], timeout)[0])
