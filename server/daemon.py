"""Run in the background, and control what runs there through its pid file.

The command that starts a daemon ends only when the daemon serves or has failed, with the daemon's own message.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import stat
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from .pid_file import PidFile, PidFileError

Clock = Callable[[], float]
Sleep = Callable[[float], None]

STOP_TIMEOUT = 45.0
"""Seconds that a daemon may take to finish its requests (30 unless told) and to end, before it is killed."""


class Background:
    """The end of the pipe on which a daemon tells the command that started it how it went."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    def abandon(self) -> None:
        """Close this process's copy, for another one that was forked and has it, too."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def finish(self, code: int, message: str) -> None:
        """Say with which exit code and message the starting command is to end. Only the first time counts."""
        if self._descriptor is None:
            return
        with contextlib.suppress(OSError):  # the starting command was interrupted
            os.write(self._descriptor, json.dumps([code, message[-50000:]]).encode())
        os.close(self._descriptor)
        self._descriptor = None


def open_log(path: str) -> int:
    """Open a log file to append to, and return its descriptor. Raises ``OSError``.

    A link counts only where root or this user made it: in a folder such as ``/tmp`` anybody could aim one.
    """
    with contextlib.suppress(FileNotFoundError):
        link = os.lstat(path)
        if stat.S_ISLNK(link.st_mode) and link.st_uid not in (0, os.geteuid()):
            raise PermissionError(errno.EPERM, "it is a link that another user made", path)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)


def redirect_output(descriptor: int, path: str) -> Callable[[], None]:
    """Send stdout and stderr to a log file. Returns what opens it anew, which SIGHUP does, as log rotation expects."""
    _point_output_at(descriptor)
    os.close(descriptor)

    def reopen() -> None:
        with contextlib.suppress(OSError):  # the old file stays better than nothing
            fresh = open_log(path)
            _point_output_at(fresh)
            os.close(fresh)

    signal.signal(signal.SIGHUP, lambda *_: reopen())
    return reopen


def _point_output_at(descriptor: int) -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)


@dataclass(frozen=True, slots=True)
class Started:
    """How the start of a daemon went, as seen by the command that started it."""

    code: int
    message: str


def detach() -> Background | Started:
    """Fork into the background. Returns ``Background`` there, and ``Started`` here once that one said how it went."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    reading, writing = os.pipe()
    if os.fork() > 0:
        os.close(writing)
        return _await(reading)
    os.close(reading)
    os.setsid()
    # A session leader could get a controlling terminal again; its child cannot.
    if os.fork() > 0:
        os._exit(0)
    os.set_inheritable(writing, False)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return Background(writing)


def _await(descriptor: int) -> Started:
    with os.fdopen(descriptor, "rb") as pipe:
        data = pipe.read()
    with contextlib.suppress(ChildProcessError):
        os.wait()  # the process between, which ended at once
    try:
        code, message = json.loads(data)
    except ValueError:
        return Started(1, "the process ended before it could say why; its log may")
    return Started(int(code), str(message))


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer to stop and status: an exit code as ``paster`` had it, and a sentence."""

    code: int
    message: str


def status(pid_file: PidFile) -> Outcome:
    """Whether the daemon runs. Codes: 0 yes, 1 no. Raises ``PidFileError``."""
    if not pid_file.exists():
        return Outcome(1, f"not running: no pid file {pid_file.path}")
    pid = pid_file.read()
    if pid_file.is_held():
        return Outcome(0, f"running with pid {pid}")
    if pid is None:
        return Outcome(1, f"not running: no pid in {pid_file.path}")
    return Outcome(1, f"not running: pid {pid} in {pid_file.path} is of a process that ended")


def stop(
    pid_file: PidFile, *, timeout: float = STOP_TIMEOUT, clock: Clock = time.monotonic, sleep: Sleep = time.sleep
) -> Outcome:
    """End the daemon: SIGTERM, and SIGKILL when that did not help in time.

    Codes: 0 it ended; 1 nothing was running; 2 a stale pid file could not be removed; 3 it cannot be ended. Raises
    ``PidFileError``.
    """
    if not pid_file.exists():
        return Outcome(1, f"nothing to stop: no pid file {pid_file.path}")
    if not pid_file.is_held():
        try:
            pid_file.discard()
        except FileNotFoundError:
            pass
        except PidFileError:  # which is an OSError, too
            raise
        except OSError as error:
            return Outcome(2, f"the stale pid file {pid_file.path} cannot be removed ({error.strerror})")
        return Outcome(1, f"nothing to stop: removed the stale pid file {pid_file.path}")
    pid = pid_file.read()
    if pid is None:
        return Outcome(3, f"no pid in {pid_file.path}, but a process holds it")
    if pid_file.is_open_in(pid) is False:
        return Outcome(3, f"pid {pid} in {pid_file.path} is of another process than the one that holds it")
    for number, patience in ((signal.SIGTERM, timeout), (signal.SIGKILL, 5.0)):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass
        except PermissionError:
            return Outcome(3, f"this user may not end the process with pid {pid}")
        if _is_gone(pid_file, patience, clock, sleep):
            if number == signal.SIGTERM:
                return Outcome(0, f"stopped pid {pid}")
            with contextlib.suppress(OSError):
                os.unlink(pid_file.path)
            return Outcome(0, f"killed pid {pid}, which had not ended within {timeout:g} seconds")
    return Outcome(3, f"pid {pid} cannot be ended")


def _is_gone(pid_file: PidFile, patience: float, clock: Clock, sleep: Sleep) -> bool:
    deadline = clock() + patience
    while pid_file.is_held():
        if clock() > deadline:
            return False
        sleep(0.05)
    return True
