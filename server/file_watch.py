"""Which files changed, by their stamps; ``watchfiles`` only makes the looking start sooner.

A stamp is taken before a file is read, so that a change between reading and watching is never missed.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import threading
from collections.abc import Iterable
from typing import Any

from ..protocol.file_stamps import Stamp, stamp_of


class FileWatch:
    """A set of files, and the stamps under which each was last seen."""

    def __init__(self) -> None:
        self._stamps: dict[str, Stamp] = {}

    def add(self, path: str, stamp: Stamp) -> None:
        """Watch a file, which somebody has read as of ``stamp``."""
        self._stamps[path] = stamp

    def forget(self, paths: Iterable[str]) -> None:
        """Watch these no more."""
        for path in paths:
            self._stamps.pop(path, None)

    def changed(self) -> list[str]:
        """The files that are no longer as they were seen; from now on they are seen as they are."""
        found = []
        for path, seen in self._stamps.items():
            now = stamp_of(path)
            if now != seen:
                self._stamps[path] = now
                found.append(path)
        return found

    @property
    def folders(self) -> frozenset[str]:
        """The folders of the files."""
        return frozenset(os.path.dirname(path) or "." for path in self._stamps)


class Nudge:
    """Writes to a pipe when something in the folders changes, if the system can tell (``watchfiles``).

    Without it, or for folders that it cannot watch, whoever waits looks at intervals instead.
    """

    def __init__(self) -> None:
        self.reading, self._writing = os.pipe()
        os.set_blocking(self._writing, False)
        os.set_blocking(self.reading, False)
        self._folders: frozenset[str] = frozenset()
        self._stop = threading.Event()
        self._is_available = importlib.util.find_spec("watchfiles") is not None

    def watch(self, folders: Iterable[str]) -> None:
        """Watch these folders, without what is below them."""
        wanted = frozenset(folder for folder in folders if os.path.isdir(folder))
        if not self._is_available or wanted == self._folders:
            return
        self._stop.set()
        self._stop = threading.Event()
        self._folders = wanted
        if wanted:
            threading.Thread(target=self._follow, args=(wanted, self._stop), daemon=True, name="file-watch").start()

    def _follow(self, folders: frozenset[str], stop: threading.Event) -> None:
        try:
            from watchfiles import watch
        except ImportError:
            return  # installed, but not for this Python: the intervals remain
        kinds: Any = watch(*folders, recursive=False, stop_event=stop, debounce=50, step=20, rust_timeout=1000)
        with contextlib.suppress(OSError, RuntimeError):  # no more watches left: the intervals remain
            for _ in kinds:
                with contextlib.suppress(BlockingIOError):
                    os.write(self._writing, b"x")

    def clear(self) -> None:
        """Take what was written out of the pipe."""
        with contextlib.suppress(BlockingIOError):
            while os.read(self.reading, 4096):
                pass

    def close(self) -> None:
        """Stop watching."""
        self._stop.set()
        os.close(self.reading)
