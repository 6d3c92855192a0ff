"""What many share, such as memory: each takes what it needs while there is enough, and finds another way when not."""

from __future__ import annotations

import threading


class Budget:
    """So much of something: bytes, or threads. From any thread."""

    def __init__(self, size: int) -> None:
        self._left = size
        self._lock = threading.Lock()

    @property
    def left(self) -> int:
        """What can still be taken."""
        return self._left

    def take(self, size: int) -> bool:
        """Take some, if there is as much."""
        with self._lock:
            if size > self._left:
                return False
            self._left -= size
            return True

    def give_back(self, size: int) -> None:
        """Give back what was taken."""
        with self._lock:
            self._left += size
