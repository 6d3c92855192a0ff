"""Where an operator, or an app, asks a parent about its workers and tells it what to do."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from .askers import Reply
from .gathering import Answers, Gathering
from .lines import Message
from .report import totals_of
from .snapshot import site_snapshot

if TYPE_CHECKING:
    from .parent import Parent

_PATIENCE = 1.0
"""Seconds that workers have to answer."""


class Desk:
    """Answers for a parent."""

    def __init__(self, parent: Parent) -> None:
        self._parent = parent
        self._gathering = Gathering(parent.loop)

    def perform(self, command: str, message: Message, reply: Reply) -> None:
        """Do what is asked, and reply with ``ok`` and ``result``, or ``error``."""
        parent = self._parent
        match command:
            case "status" | "stacks":
                self._gather(command, reply)
            case "reload":
                parent.reload(reply)
            case "drain":
                reply({"ok": True, "result": {"state": "draining"}})
                parent.loop.post(parent.stop)
            case "workers":
                number, change = message.get("number"), message.get("change")
                if isinstance(number, int):
                    parent.want(number)
                elif isinstance(change, int):
                    parent.want(parent.wanted + change)
                self._gather("status", reply)
            case _:
                reply({"ok": False, "error": f"no such command: {command!r}"})

    def answered(self, pid: int, message: Message) -> None:
        """Take in a worker's answer."""
        self._gathering.answered(pid, message.get("id"), message.get("is"))

    def gone(self, pid: int) -> None:
        """Wait for that worker no more."""
        self._gathering.gone(pid)

    def totals(self) -> Message:
        """The sums of the workers' figures, as of their last reports."""
        return totals_of(child.report for child in self._parent.children.values())

    def _gather(self, command: str, reply: Reply) -> None:
        def done(answers: Answers) -> None:
            if command == "status":
                reply({"ok": True, "result": self._snapshot(answers)})
            else:
                found = [{"pid": pid, "threads": threads} for pid, threads in sorted(answers.items())]
                reply({"ok": True, "result": {"processes": found}})

        self._gathering.ask(command, self._parent.children.values(), _PATIENCE, done)

    def _snapshot(self, answers: Answers) -> Message:
        parent = self._parent
        now = parent.loop.clock()
        return site_snapshot(
            state=parent.state,
            pid=os.getpid(),
            parent=True,
            generation=parent.current.number,
            started=parent.born,
            now=time.time(),
            listening=[] if parent.state == "draining" else parent.current.urls,
            wanted=parent.wanted,
            totals=self.totals(),
            processes=[child.snapshot(now, answers.get(child.pid)) for child in parent.children.values()],
        )
