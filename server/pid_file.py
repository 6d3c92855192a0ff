"""A pid file that tells the truth: the process named in it holds a lock on it for as long as it lives.

A lock cannot be stale: the kernel drops it when the process dies, also when the machine does, and a process that got
the same number later does not have it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import time

# A link may lead to a file of somebody who cannot write it but would like to see it overwritten, and a FIFO to waiting.
_CAREFUL = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


def _text(descriptor: int) -> str | None:
    """The digits in a pid file, which may be none; None for a file that holds something else."""
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        return None
    data = os.pread(descriptor, 32, 0)
    text = data.decode("latin-1").strip()
    return text if len(data) < 32 and (not text or (text.isascii() and text.isdigit())) else None


def _is_pid_file(descriptor: int) -> bool:
    return _text(descriptor) is not None


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
                descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | _CAREFUL, 0o644)
            except OSError as error:
                if error.errno == errno.ELOOP:
                    raise PidFileError(f"the pid file {self.path} is a link; name a file of its own") from error
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
            if not _is_pid_file(descriptor):
                os.close(descriptor)
                raise PidFileError(f"{self.path} is no pid file, and is left as it is; name another one")
            if self._is_still(descriptor):
                self._descriptor = descriptor
                try:
                    self.write()
                except PidFileError:
                    self.release()
                    raise
                return
            os.close(descriptor)  # its last holder removed it between our open and our lock

    def adopt(self, descriptor: int) -> None:
        """Go on with the lock that another program took and whose descriptor this process has inherited.

        The file still names that program: :meth:`write` changes that.
        """
        self._descriptor = descriptor
        self._owner = 0

    @property
    def descriptor(self) -> int | None:
        """What the lock stands on, for a program that is to :meth:`adopt` it; None while it is not taken."""
        return self._descriptor

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

    def abandon(self) -> None:
        """Close a forked process's copy: the lock stays with the process that took it, for as long as that lives."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def read(self) -> int | None:
        """The number in the file, or None without a file or a number in it."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | _CAREFUL)
        except OSError:
            return None
        try:
            text = _text(descriptor)
        finally:
            os.close(descriptor)
        return int(text) if text and int(text) > 0 else None

    def exists(self) -> bool:
        """Whether there is a file, whatever it says."""
        return os.path.lexists(self.path)

    def discard(self) -> None:
        """Remove what a dead process left. Raises ``PidFileError`` where it is no pid file, and ``OSError``."""
        descriptor = os.open(self.path, os.O_RDONLY | _CAREFUL)
        try:
            if not _is_pid_file(descriptor):
                raise PidFileError(f"{self.path} is no pid file, and is left as it is")
        finally:
            os.close(descriptor)
        os.unlink(self.path)

    def is_open_in(self, pid: int) -> bool | None:
        """Whether that process has the file open, as its holder does; None where the system does not tell."""
        try:
            there = os.lstat(self.path)
            names = os.listdir(f"/proc/{pid}/fd")
        except OSError:
            return None
        for name in names:
            with contextlib.suppress(OSError):  # closed since
                if os.path.samestat(os.stat(f"/proc/{pid}/fd/{name}"), there):
                    return True
        return False

    def is_held(self) -> bool:
        """Whether the process that wrote it lives. Raises ``PidFileError`` when the file may not be read."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | _CAREFUL)
        except FileNotFoundError:
            return False
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise PidFileError(f"the pid file {self.path} is a link; name a file of its own") from error
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
            there = os.lstat(self.path)
        except OSError:
            return False
        ours = os.fstat(descriptor)
        return (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)
