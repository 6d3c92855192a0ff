"""Messages between processes: a JSON object on each line of a stream socket, never waited for."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from .loop import READ, WRITE, Loop

Message = dict[str, Any]

MOST = 8 * 1024 * 1024


class Lines:
    """One end of a stream socket, on a loop.

    A line may have ``most`` bytes, and ``most_sent`` may wait to be sent.
    ``heard(message)`` is called for each object that comes. ``ended()`` is called once, when the other side has closed,
    sends what is no such line or too long a one, or takes nothing of what is sent to it.
    """

    def __init__(
        self,
        stream: socket.socket,
        loop: Loop,
        heard: Callable[[Message], object],
        ended: Callable[[], object],
        *,
        most: int = MOST,
        most_sent: int = MOST,
    ) -> None:
        self._stream = stream
        self._loop = loop
        self._heard = heard
        self._ended = ended
        self._most = most
        self._most_sent = most_sent
        self._coming = b""
        self._going = b""
        self._open = True
        stream.setblocking(False)
        loop.watch(stream.fileno(), self._ready)

    def send(self, message: Message) -> None:
        """Send an object, now or when the other side takes it. Nothing happens once this is closed."""
        if not self._open:
            return
        import json  # three milliseconds of a start in which nobody asks

        self._going += json.dumps(message, separators=(",", ":"), default=str).encode() + b"\n"
        self._write()
        if len(self._going) > self._most_sent:
            self._end()

    def close(self) -> None:
        """Close the socket; ``ended`` is not called."""
        if self._open:
            self._open = False
            self._loop.forget(self._stream.fileno())
            self._stream.close()

    def abandon(self) -> None:
        """Close a forked child's copy, without a word to the loop that goes on in the other process."""
        self._open = False
        self._stream.close()

    def hear_all(self) -> None:
        """Take in what has come so far, for when the other side is known to have ended."""
        while self._open and self._receive():
            pass

    @property
    def idle(self) -> bool:
        """Whether everything was sent."""
        return not self._going

    def _end(self) -> None:
        if self._open:
            self.close()
            self._ended()

    def _ready(self) -> None:
        if self._going:
            self._write()
        self._receive()

    def _receive(self) -> bool:
        """Read once, and say whether there may be more."""
        try:
            data = self._stream.recv(65536)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            data = b""
        if not data:
            self._end()
            return False
        *lines, self._coming = (self._coming + data).split(b"\n")
        for line in lines:
            if not self._open:
                return False
            message = self._understand(line)
            if message is None:
                self._end()
                return False
            self._heard(message)
        if len(self._coming) > self._most:
            self._end()
        return self._open

    def _understand(self, line: bytes) -> Message | None:
        import json

        try:
            message = json.loads(line) if len(line) <= self._most else None
        except (ValueError, RecursionError):
            return None
        return message if isinstance(message, dict) else None

    def _write(self) -> None:
        try:
            sent = self._stream.send(self._going) if self._going else 0
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError:
            # Reading tells the end, after what the other side said before it.
            self._going = b""
            sent = 0
        self._going = self._going[sent:]
        if self._open:
            self._loop.watch(self._stream.fileno(), self._ready, READ | WRITE if self._going else READ)
