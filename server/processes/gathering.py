"""One question to all workers, and their answers as far as they come in time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from .child import Child
from .loop import Loop

Answers = dict[int, Any]
"""What each worker said, by its process number."""


class Gathering:
    """Questions that are under way. The workers are asked with ``do`` and answer with the same ``id``."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._number = 0
        self._open: dict[int, _Round] = {}

    def ask(self, what: str, children: Iterable[Child], patience: float, done: Callable[[Answers], object]) -> None:
        """Ask each worker, and call ``done`` when all have answered or ``patience`` seconds are over."""
        self._number += 1
        number = self._number
        asked = list(children)
        this = self._open[number] = _Round({child.pid for child in asked}, done)
        for child in asked:
            child.say(do=what, id=number)
        if this.missing:
            self._loop.after(patience, lambda: self._finish(number))
        else:
            self._finish(number)

    def answered(self, pid: int, number: Any, answer: Any) -> None:
        """Take in an answer. One that nobody waits for any more is dropped."""
        this = self._open.get(number)
        if this is None or pid not in this.missing:
            return
        this.answers[pid] = answer
        self._leave(number, this, pid)

    def gone(self, pid: int) -> None:
        """Wait for this worker no more."""
        for number, this in list(self._open.items()):
            self._leave(number, this, pid)

    def _leave(self, number: int, this: _Round, pid: int) -> None:
        this.missing.discard(pid)
        if not this.missing:
            self._finish(number)

    def _finish(self, number: int) -> None:
        this = self._open.pop(number, None)
        if this is not None:
            this.done(this.answers)


class _Round:
    def __init__(self, missing: set[int], done: Callable[[Answers], object]) -> None:
        self.missing = missing
        self.done = done
        self.answers: Answers = {}
