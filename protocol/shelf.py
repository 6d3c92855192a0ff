"""What is to outlive the app's process: bytes that the reloader holds, and that each process of the app finds again.

The shelf is a file without a name, in memory where the system has such files. So nobody else can open it, no folder
has to be guarded, and it is gone when the last process that holds it is. Whoever supervises the app makes the shelf
and gives its descriptor to each child; the child says ``inherit`` once, before the app is loaded.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from typing import Protocol


class Shelf(Protocol):
    """Bytes that stay. Threads may share it."""

    def read(self) -> bytes:
        """What lies there."""

    def change(self, change: Callable[[bytes], bytes], /) -> None:
        """Put there what ``change`` makes of what lies there; nobody comes between."""


class OwnShelf:
    """In the memory of this process, for as long as this object lives."""

    def __init__(self) -> None:
        self._data = b""
        self._lock = threading.Lock()

    def read(self) -> bytes:
        """What lies there."""
        return self._data

    def change(self, change: Callable[[bytes], bytes], /) -> None:
        """Put there what ``change`` makes of what lies there."""
        with self._lock:
            self._data = change(self._data)


class SharedShelf:
    """In a file that other processes have, too. Raises ``OSError`` where it is full or gone."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()

    def read(self) -> bytes:
        """What lies there."""
        with self._locked():
            return self._whole()

    def change(self, change: Callable[[bytes], bytes], /) -> None:
        """Put there what ``change`` makes of what lies there."""
        with self._locked():
            data = change(self._whole())
            # Whoever is ended in between leaves the beginning of something, never a mixture.
            os.ftruncate(self._descriptor, 0)
            written = 0
            while written < len(data):
                written += os.pwrite(self._descriptor, data[written:], written)

    def _whole(self) -> bytes:
        size = os.fstat(self._descriptor).st_size
        return os.pread(self._descriptor, size, 0) if size else b""

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        # Processes that were forked share the descriptor, and locks of ``flock`` with it; these are each one's own.
        from fcntl import LOCK_EX, LOCK_UN, lockf

        with self._lock:
            lockf(self._descriptor, LOCK_EX)
            try:
                yield
            finally:
                lockf(self._descriptor, LOCK_UN)


def new_shelf() -> int:
    """The descriptor of an empty shelf, which no program that is started inherits unless it is passed on."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("wheatpaste", os.MFD_CLOEXEC)
    from tempfile import TemporaryFile

    with TemporaryFile(buffering=0) as file:
        return os.dup(file.fileno())


_inherited: SharedShelf | None = None


def inherit(descriptor: int) -> None:
    """Take over the shelf that this process was given."""
    global _inherited
    os.set_inheritable(descriptor, False)
    _inherited = SharedShelf(descriptor)


def inherited() -> SharedShelf | None:
    """The shelf of the processes of this app, where somebody holds one; what comes after this process finds it."""
    return _inherited
