"""Finds the workers that do not go on, and those that have grown too large."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable, Iterable

from .child import Child
from .memory import resident

log = logging.getLogger(__name__)

START = 300.0
"""Seconds in which a worker must have become ready."""
ABORT = 2.0
"""Seconds that a worker has to write down where it is stuck."""
LATE = 10.0
"""A look that comes so late says that this process was stopped, and its workers probably with it."""


class Health:
    """What a parent looks at each second. ``rss`` tells the memory of a process."""

    def __init__(self, clock: Callable[[], float], rss: Callable[[int], int | None] = resident) -> None:
        self._clock = clock
        self._rss = rss
        self._looked = clock()

    def look(self, children: Iterable[Child]) -> list[tuple[Child, str]]:
        """End what is past its time; return which workers should be replaced, and why."""
        now = self._clock()
        late, self._looked = now - self._looked > LATE, now
        found = []
        for child in children:
            if late:
                child.heard = child.progressed = now
            if child.deadline is not None:
                if now >= child.deadline:
                    log.warning("worker %d has not ended in time, and is killed", child.pid)
                    child.signal(signal.SIGKILL)
                    child.deadline = now + LATE
                continue
            silence = child.generation.habits.silence
            if now - child.heard > silence:
                self._abort(child, now, f"has not been heard of for {silence:g} seconds")
            elif child.state == "starting" and now - child.started > START:
                self._abort(child, now, f"has not become ready in {START:g} seconds")
            elif child.state == "ready" and now - child.progressed > silence:
                found.append((child, f"its engine has not gone on for {silence:g} seconds"))
            else:
                most = child.generation.habits.max_memory
                if most is not None and (self._rss(child.pid) or 0) > most:
                    found.append((child, f"it holds more memory than {most} bytes"))
        return found

    def _abort(self, child: Child, now: float, why: str) -> None:
        log.error("worker %d %s, and is killed", child.pid, why)
        child.deadline = now + ABORT
        if child.state == "ready":
            child.leaving, child.state = why, "draining"
        child.signal(signal.SIGABRT)
