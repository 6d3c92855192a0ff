"""Threads that take the long steps of handshakes, beside the crew: as many as there are processors for them.

A step is arithmetic, most of it without the interpreter's lock. The leader must not be held up by it; and with a
thread for each of those that come together, going from one to the other would cost half as much again as the steps.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from queue import SimpleQueue

log = logging.getLogger("wheatpaste.server.handshakers")

_PATIENCE = 1.0


class Handshakers:
    """``most`` threads at most, made when they are wanted. Only the leader calls ``take``."""

    def __init__(self, most: int) -> None:
        self._most = min(most, _processors())
        self._threads: list[threading.Thread] = []
        self._steps: SimpleQueue[Callable[[], object] | None] = SimpleQueue()

    def take(self, step: Callable[[], object]) -> None:
        """Have it called soon, in the order in which they come."""
        if not self._threads or (len(self._threads) < self._most and not self._steps.empty()):
            name = f"wheatpaste-handshakes-{len(self._threads) + 1}"
            self._threads.append(threading.Thread(target=self._work, name=name, daemon=True))
            self._threads[-1].start()
        self._steps.put(step)

    def end(self) -> None:
        """Let the threads end when they are done with what there is, and wait a moment for them."""
        for _ in self._threads:
            self._steps.put(None)
        for thread in self._threads:
            thread.join(_PATIENCE)

    def _work(self) -> None:
        while (step := self._steps.get()) is not None:
            try:
                step()
            except Exception:  # a mistake of ours, which must not end the thread that others count on
                log.exception("a handshake has failed, for the server made a mistake")


def _processors() -> int:
    """How many of them this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
