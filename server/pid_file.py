"""A pid file that tells the truth: the process named in it holds a lock on it for as long as it lives.

A lock cannot be stale: the kernel drops it when the process dies, also when the machine does, and a process that got
the same number later does not have it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time


class PidFileError(OSError):
    """A pid file that cannot be used, as a sentence."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(what)


class AlreadyRunning(PidFileError):
    """Another process holds the pid file; ``pid`` is its number, or None while it is only starting."""

    def __init__(self, path: str, pid: int | None) -> None:
        self.pid = pid
        number = "" if pid is None else f" with pid {pid}"
        super().__init__(f"it is running already{number} (pid file {path})")


class PidFile:
    """The pid file at ``path``."""

    def __init__(self, path: str) -> None:
        self.path = os.path.abspath(path)
        self._descriptor: int | None = None
        self._owner = 0

    def acquire(self) -> None:
        """Take the file for this process and those that it forks. Raises ``PidFileError``, ``AlreadyRunning``."""
        tries = 5  # whoever asks `is_held` holds it for a moment
        while True:
            try:
                descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            except OSError as error:
                raise PidFileError(f"the pid file {self.path} cannot be written ({error.strerror})") from error
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                os.close(descriptor)
                if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                    tries -= 1
                    if tries > 0:
                        time.sleep(0.02)
                        continue
                    raise AlreadyRunning(self.path, self.read()) from error
                raise PidFileError(f"the pid file {self.path} cannot be locked ({error.strerror})") from error
            if self._is_still(descriptor):
                self._descriptor = descriptor
                try:
                    self.write()
                except PidFileError:
                    self.release()
                    raise
                return
            os.close(descriptor)  # its last holder removed it between our open and our lock

    def write(self) -> None:
        """Write the number of this process; the one that was forked writes it again. Raises ``PidFileError``."""
        if self._descriptor is None:
            return
        self._owner = os.getpid()
        try:
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
        except OSError as error:
            raise PidFileError(f"the pid file {self.path} cannot be written ({error.strerror})") from error

    def release(self) -> None:
        """Remove the file and let it go, if this process wrote it and it is still the one that was taken."""
        if self._descriptor is None or self._owner != os.getpid():
            return  # a worker that a server forked has the descriptor too
        if self._is_still(self._descriptor):
            with contextlib.suppress(OSError):
                os.unlink(self.path)
        with contextlib.suppress(OSError):
            os.ftruncate(self._descriptor, 0)  # where privileges were dropped it may not be removed
        os.close(self._descriptor)
        self._descriptor = None

    def read(self) -> int | None:
        """The number in the file, or None without a file or a number in it."""
        try:
            with open(self.path, encoding="ascii") as file:
                text = file.read(32).strip()
        except (OSError, UnicodeDecodeError):
            return None
        return int(text) if text.isdecimal() and int(text) > 0 else None

    def exists(self) -> bool:
        """Whether there is a file, whatever it says."""
        return os.path.lexists(self.path)

    def is_held(self) -> bool:
        """Whether the process that wrote it lives. Raises ``PidFileError`` when the file may not be read."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise PidFileError(f"the pid file {self.path} cannot be read ({error.strerror})") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(descriptor)
        return False

    def _is_still(self, descriptor: int) -> bool:
        try:
            there = os.stat(self.path)
        except OSError:
            return False
        ours = os.fstat(descriptor)
        return (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)
