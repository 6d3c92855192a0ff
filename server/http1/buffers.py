"""Buffers that request bodies are received into, used again and again.

Memory that is asked for and given back for each body of some hundred kilobytes costs more than the body: the system
takes it away each time, and hands it out page by page the next time.
"""

from __future__ import annotations

import io
import threading
from typing import TYPE_CHECKING

from .budget import Budget

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_KEPT = 8


class BufferPool:
    """Buffers of one size, within a budget. From any thread."""

    def __init__(self, size: int, budget: Budget) -> None:
        self.size = size
        self._budget = budget
        self._kept: list[bytearray] = []
        self._lock = threading.Lock()

    def take(self) -> bytearray | None:
        """A buffer, whatever is in it, or None when there is no memory left."""
        with self._lock:
            if self._kept:
                return self._kept.pop()
        return bytearray(self.size) if self._budget.take(self.size) else None

    def give_back(self, buffer: bytearray) -> None:
        """Nobody uses the buffer any more."""
        with self._lock:
            if len(self._kept) < _KEPT:
                self._kept.append(buffer)
                return
        self._budget.give_back(self.size)


class HeldBytes(io.RawIOBase):
    """A file of what stands in somebody's buffer. Closing it is the end: the buffer will hold something else then."""

    def __init__(self, data: memoryview) -> None:
        super().__init__()
        self._data = data
        self._position = 0
        self._lock = threading.Lock()
        """Whoever still reads must have what it reads before the buffer is somebody else's."""

    def readable(self) -> bool:
        """It can be read."""
        return True

    def seekable(self) -> bool:
        """It can be read again."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go on reading elsewhere. Raises ``ValueError`` for a place before the beginning, and when closed."""
        if self.closed:
            raise ValueError("the body is closed")
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: len(self._data)}[whence]
        if start + offset < 0:
            raise ValueError("a place before the beginning")
        self._position = start + offset
        return self._position

    def readinto(self, target: WriteableBuffer) -> int:
        """Read what fits. Raises ``ValueError`` when closed."""
        with self._lock:
            if self.closed:
                raise ValueError("the body is closed")
            room = memoryview(target)
            piece = self._data[self._position : self._position + len(room)]
            room[: len(piece)] = piece
            self._position += len(piece)
            return len(piece)

    def close(self) -> None:
        """Let go of the buffer."""
        with self._lock:
            if not self.closed:
                self._data.release()
            super().close()
