"""Start a new program beside this one, which takes over the open sockets and the pid file once it serves.

The way to a new version of Python, of wheatpaste or of anything that a reload cannot take up. The two programs agree
in one variable of the environment, and over a pipe on which the new one says that it serves.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from ...config.records import record
from .loop import Loop

if TYPE_CHECKING:
    import subprocess

log = logging.getLogger(__name__)

VARIABLE = "WHEATPASTE_UPGRADE"
_SERVES = b"serves\n"


@record
class Belongings:
    """What one program hands to the next: sockets by their address as text, and descriptors."""

    sockets: Mapping[str, Sequence[socket.socket]]
    control: socket.socket | None = None
    pid_file: int | None = None


class Inheritance:
    """What this program has from the one before it. ``belongings`` are its own from now on."""

    def __init__(self, belongings: Belongings, report: int) -> None:
        self.belongings = belongings
        self._report: int | None = report

    @classmethod
    def from_environment(cls) -> Inheritance | None:
        """What the environment says that this program has inherited, or None. Whatever it starts inherits nothing."""
        text = os.environ.pop(VARIABLE, None)
        if text is None:
            return None
        import json  # only who is handed a running service needs it

        told = json.loads(text)
        descriptors = [number for numbers in told["sockets"].values() for number in numbers]
        for number in (*descriptors, told["control"], told["pid_file"], told["report"]):
            if number is not None:
                os.set_inheritable(number, False)
        sockets = {
            address: [socket.socket(fileno=number) for number in numbers]
            for address, numbers in told["sockets"].items()
        }
        control = None if told["control"] is None else socket.socket(fileno=told["control"])
        return cls(Belongings(sockets, control, told["pid_file"]), told["report"])

    def serves(self) -> None:
        """Tell the program before this one that it can go."""
        if self._report is not None:
            with contextlib.suppress(OSError):  # it is gone already
                os.write(self._report, _SERVES)
            self.abandon()

    def abandon(self) -> None:
        """Close the pipe without a word; what forked workers do with their copy of it."""
        if self._report is not None:
            os.close(self._report)
            self._report = None


class Upgrade:
    """Hands a service to a new program. ``command`` starts that, ``belongings`` is what it gets.

    ``done(pid)`` is called when it serves. When it ends before, the log says so and everything stays as it was.
    """

    def __init__(
        self,
        loop: Loop,
        command: Sequence[str],
        belongings: Callable[[], Belongings],
        done: Callable[[int], object],
    ) -> None:
        self._loop = loop
        self._command = list(command)
        self._belongings = belongings
        self._done = done
        self._process: subprocess.Popen[bytes] | None = None

    def begin(self) -> None:
        """Start the new program, unless that is being done."""
        if self._process is not None:
            log.warning("a new program is being started already")
            return
        import json
        import subprocess  # most services never do this

        hearing, report = os.pipe()
        given = self._belongings()
        sockets = {address: [each.fileno() for each in each_of] for address, each_of in given.sockets.items()}
        control = None if given.control is None else given.control.fileno()
        told = {"sockets": sockets, "control": control, "pid_file": given.pid_file, "report": report}
        descriptors = [number for numbers in sockets.values() for number in numbers]
        passed = [number for number in (*descriptors, control, given.pid_file, report) if number is not None]
        environ = {name: text for name, text in os.environ.items() if name != "WATCHDOG_PID"}
        try:
            self._process = subprocess.Popen(
                self._command, env={**environ, VARIABLE: json.dumps(told)}, pass_fds=passed
            )
        except OSError as error:
            os.close(hearing)
            log.error("the new program cannot be started (%s)", error.strerror)
            return
        finally:
            os.close(report)
        log.info("the new program is starting with pid %d", self._process.pid)
        self._loop.watch(hearing, lambda: self._hear(hearing))

    def _hear(self, hearing: int) -> None:
        said = os.read(hearing, 100)
        self._loop.forget(hearing)
        os.close(hearing)
        process, self._process = self._process, None
        if process is None:
            return
        if said == _SERVES:
            process.returncode = 0  # it outlives this process, which Popen would complain about
            self._done(process.pid)
            return
        self._loop.after(1.0, process.poll)  # or it would stay a zombie
        log.error("the new program ended before it served, and this one goes on; what it printed may say why")
