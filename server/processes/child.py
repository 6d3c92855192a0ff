"""A worker process as its parent sees it."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import Any, Literal

from .backoff import HEALTHY
from .generation import Generation
from .lines import Lines, Message
from .memory import resident
from .report import PROGRESS

State = Literal["starting", "ready", "draining"]


class Child:
    """One worker process: what the parent knows of it, and what it does to it.

    ``leaving``
        Why another one is to take its place, or None.
    ``report``
        Its last report: ``progress``, ``requests``, ``threads``, ``busy``, ``hung``, ``waiting``, ``connections``.
    ``failure``
        What it said about why it cannot serve: ``title``, ``text`` and exit ``code``.
    """

    def __init__(self, pid: int, generation: Generation, now: float) -> None:
        self.pid = pid
        self.generation = generation
        self.started = now
        self.state: State = "starting"
        self.lines: Lines | None = None
        self.heard = now
        self.progressed = now
        self.ready_since: float | None = None
        self.leaving: str | None = None
        self.report: Message = {}
        self.failure: Message | None = None
        self.deadline: float | None = None
        """When it is killed, in the parent's time."""

    def __repr__(self) -> str:
        return f"<worker {self.pid}, {self.state}>"

    def snapshot(self, now: float, engine: Message | None) -> Message:
        """What the snapshot of a site says of it; ``engine`` is what its engine said."""
        return {
            "pid": self.pid,
            "state": self.state,
            "generation": self.generation.number,
            "age": round(now - self.started, 3),
            "silent": round(now - self.heard, 3),
            "leaving": self.leaving,
            "memory": resident(self.pid),
            "engine": engine,
        }

    def say(self, **message: Any) -> None:
        """Send it a message."""
        if self.lines is not None:
            self.lines.send(message)

    def drain(self, now: float, grace: float) -> None:
        """Ask it to finish its requests and end, and say by when it is killed."""
        if self.state == "draining":
            return
        if self.state == "starting":
            # It has no requests, and may be in the middle of anything.
            self.signal(signal.SIGKILL)
        self.state = "draining"
        self.deadline = now + grace
        self.say(do="drain")

    def hurry(self, now: float, grace: float) -> None:
        """Ask it to leave its requests and end."""
        self.state = "draining"
        self.deadline = min(now + grace, self.deadline or now + grace)
        self.say(do="force")

    def signal(self, number: int) -> None:
        """Send it a signal. It is not reaped yet, so the number is nobody else's."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(self.pid, number)

    def take_report(self, report: Message, now: float) -> None:
        """Take in a report, and note whether its engine goes on."""
        if report.get("progress") != self.report.get("progress") or not self.report:
            self.progressed = now
        self.report = report

    @property
    def is_serving(self) -> bool:
        """Whether it answers, and is to go on doing so."""
        return self.state == "ready" and self.leaving is None

    def is_healthy(self, now: float) -> bool:
        """Whether it has served for long enough not to be one of those that end at once."""
        return self.state == "ready" and self.served(now) >= HEALTHY

    def is_progressing(self, now: float) -> bool:
        """Whether it answers, and its engine went on lately."""
        return self.state == "ready" and now - self.progressed < PROGRESS

    def served(self, now: float) -> float:
        """For how many seconds it has been ready."""
        return 0.0 if self.ready_since is None else now - self.ready_since


def how_it_ended(status: int) -> str:
    """The words for a wait status: ``ended with exit code 3``, ``was ended by SIGKILL``."""
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"was ended by {name}"
