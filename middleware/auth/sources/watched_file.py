"""A text file that others write, read anew when it has changed."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from ....protocol.file_stamps import Stamp, stamp_of
from ...storage.store import StoreError

T = TypeVar("T")
log = logging.getLogger(__name__)

# A file that was written a moment ago may be written once more in the same tick of its clock, with the same size.
_TICK = 50_000_000
_COARSE_TICK = 2_000_000_000  # file systems that count whole seconds, or two

Mistake = tuple[int, str]
"""A line of the file, counted from 1, and what is wrong with it, as a phrase."""


class WatchedFile(Generic[T]):
    """What ``read`` makes of the text of a file, for as long as the file stays what it is.

    ``read`` returns that and the mistakes it met, which are written to the log; it may raise nothing. All readers see
    either what was there or what is there now. Raises ``StoreError`` where the file cannot be read.
    """

    def __init__(self, path: str | os.PathLike[str], read: Callable[[str], tuple[T, list[Mistake]]]) -> None:
        self.path = os.path.abspath(path)
        self._read = read
        self._lock = threading.Lock()
        self._process = os.getpid()
        self._held: tuple[Stamp, T] | None = None

    def content(self) -> T:
        """What the file says now."""
        held = self._held
        if held is not None and held[0] is not None and held[0] == stamp_of(self.path):
            return held[1]
        if self._process != os.getpid():
            self._process, self._lock = os.getpid(), threading.Lock()
        with self._lock:
            held = self._held
            if held is not None and held[0] is not None and held[0] == stamp_of(self.path):
                return held[1]
            content, mistakes, stamp = self._now()
            if held is None or content != held[1]:
                for line, what in mistakes:
                    log.warning("%s:%d: %s", self.path, line, what)
            self._held = (stamp, content)
            return content

    def mistakes(self) -> list[Mistake]:
        """What is wrong with the file now. Raises ``StoreError``."""
        return self._now()[1]

    def _now(self) -> tuple[T, list[Mistake], Stamp]:
        # The stamp is taken before: what is written while we read has another one.
        stamp = stamp_of(self.path)
        try:
            with open(self.path, encoding="utf-8-sig", errors="surrogateescape", newline="\n") as file:
                text = file.read()
        except OSError as error:
            raise StoreError(f"{self.path} cannot be read ({error.strerror})") from error
        content, mistakes = self._read(text)
        return content, mistakes, None if stamp is None or _may_change_unseen(stamp[0]) else stamp


class FixedText(Generic[T]):
    """The same of a text that stands in a configuration, and so never changes while it is served."""

    def __init__(self, name: str, text: str, read: Callable[[str], tuple[T, list[Mistake]]]) -> None:
        self.path = name
        self._content, self._mistakes = read(text)
        for line, what in self._mistakes:
            log.warning("%s, line %d: %s", name, line, what)

    def content(self) -> T:
        """What the text says."""
        return self._content

    def mistakes(self) -> list[Mistake]:
        """What is wrong with it."""
        return self._mistakes


def _may_change_unseen(modified: int) -> bool:
    tick = _COARSE_TICK if modified % 1_000_000_000 == 0 else _TICK
    return abs(time.time_ns() - modified) < tick
