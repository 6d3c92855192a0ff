"""Reports in a file: one JSON object to a line, readable to its owner alone, rotated by size.

Several processes may write to one file. A line is one write to a descriptor in append mode, so lines do not mix; only
who rotates holds a lock, and who finds it taken does not wait.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import stat
import threading
from collections import deque
from pathlib import Path

from ...delivery.queue import said
from ..record import ErrorRecord
from ..render.log_line import as_line

logger = logging.getLogger(__name__)

_MOST_KEPT = 50


class FileReporter:
    """Appends records to the file ``path``; beyond ``size`` bytes it becomes ``path.1``, of which ``files`` are kept.

    What cannot be written is kept, up to a bound, and tried again with the next report; both ends are logged once. A
    file that was there keeps its permissions. What is no ordinary file (``/dev/stderr``) is never rotated.
    """

    def __init__(self, path: str | Path, *, size: int = 10_000_000, files: int = 5) -> None:
        self._path = os.fspath(path)
        self._size = size
        self._files = files
        self._lock = threading.Lock()
        self._kept: deque[bytes] = deque()
        self._lost = 0
        self._broken = False
        self._torn = False

    def report(self, record: ErrorRecord) -> None:
        """Append one record."""
        line = as_json_line(record)
        with self._lock:
            self._kept.append(line)
            try:
                while self._kept:
                    self._append(self._kept[0])
                    self._kept.popleft()
            except OSError as fault:
                self._failed(fault)
            else:
                self._worked()

    def _failed(self, fault: OSError) -> None:
        if len(self._kept) > _MOST_KEPT:
            self._kept.popleft()
            self._lost += 1
        if not self._broken:
            self._broken = True
            logger.error("the file of errors %s cannot be written, and is tried again (%s)", self._path, said(fault))

    def _worked(self) -> None:
        if self._broken:
            lost = f"; {self._lost} reports were lost meanwhile" if self._lost else ""
            logger.warning("the file of errors %s is written again%s", self._path, lost)
            self._broken, self._lost = False, 0

    def _append(self, line: bytes) -> None:
        descriptor = self._open_with_room(len(line))
        try:
            if self._torn:
                line = b"\n" + line  # what was cut short must not spoil this one
            written = os.write(descriptor, line)
            if written != len(line):
                self._torn = True
                raise OSError("only a part was written; the disk may be full")
            self._torn = False
        finally:
            os.close(descriptor)

    def _open_with_room(self, size: int) -> int:
        """Open the file, or a new one in its place where it has no room for so many bytes more."""
        descriptor = self._open()
        try:
            status = os.fstat(descriptor)
            if not (stat.S_ISREG(status.st_mode) and status.st_size and status.st_size + size > self._size):
                return descriptor
            self._rotate(descriptor, status)
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
        return self._open(stat.S_IMODE(status.st_mode))

    def _open(self, mode: int | None = None) -> int:
        # Not blocking: a pipe that nobody reads would stop the request.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
        descriptor = os.open(self._path, flags, 0o600)
        if mode is not None and mode != 0o600 and not os.fstat(descriptor).st_size:
            with contextlib.suppress(OSError):  # somebody else's file keeps what it has
                os.fchmod(descriptor, mode)
        return descriptor

    def _rotate(self, descriptor: int, status: os.stat_result) -> None:
        """Move the file and its forerunners one number on, unless another process is at it or was."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # let go when the descriptor is closed
            now = os.stat(self._path)
        except (BlockingIOError, FileNotFoundError):
            return
        if (now.st_dev, now.st_ino) != (status.st_dev, status.st_ino):
            return
        if not self._files:
            os.unlink(self._path)
            return
        for number in range(self._files - 1, 0, -1):
            with contextlib.suppress(FileNotFoundError):
                os.replace(f"{self._path}.{number}", f"{self._path}.{number + 1}")
        os.replace(self._path, f"{self._path}.1")


def as_json_line(record: ErrorRecord) -> bytes:
    """The record as one line of JSON; ``line`` is what a log would say, and the rest is the record's own data."""
    return json.dumps({"line": as_line(record), **record.to_data()}).encode("ascii") + b"\n"
