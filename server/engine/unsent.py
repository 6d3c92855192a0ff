"""Replies that are made and wait for slow clients: in memory as long as there is some, then in temporary files.

A client that reads slowly, or not at all, must not cost more than a descriptor and room on the disk. Clients that read
at the usual pace are done before anybody looks here.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter, deque
from collections.abc import Callable

from .output import Output

log = logging.getLogger("wheatpaste.server.unsent")

WORTH_A_FILE = 64 * 1024
"""Smaller replies stay in memory."""


class Unsent:
    """The replies of an engine that are made and wait for their clients, as far as they are worth a file."""

    def __init__(self, limit: int, run: Callable[[Callable[[], object]], object] | None = None) -> None:
        """``limit``: bytes of memory for all of them together. ``run`` is given what waits for the disk.

        It is no business of the threads that run requests, all of which would soon be at it.
        """
        self._limit = limit
        self._run = run or _run_in_a_thread
        self._outputs: deque[Output] = deque()
        self._to_move: deque[Output] = deque()
        self._is_moving = False
        self._told = False

    def add(self, output: Output) -> None:
        """Keep an eye on a reply, unless it is small. From any thread."""
        if output.memory > WORTH_A_FILE:
            self._outputs.append(output)

    def look(self) -> None:
        """Forget those that were sent, and move the eldest to files when all of them take too much memory.

        An object that is sent to many counts once, and is not free before all of them have it. The leader calls this
        now and then; it does not wait for the disk.
        """
        found = (self._outputs.popleft() for _ in range(len(self._outputs)))
        outputs = [output for output in found if output.memory]
        if sum(output.footprint() for output in outputs) > self._limit:
            outputs = self._choose(outputs)
        self._outputs.extend(outputs)
        if self._to_move and not self._is_moving:
            self._is_moving = True
            self._run(self._move_all)

    def _choose(self, outputs: list[Output]) -> list[Output]:
        """Choose the eldest to be moved; returns those that may stay."""
        holders: Counter[int] = Counter()
        waiting: deque[tuple[Output, dict[int, int]]] = deque()
        total = 0
        for output in outputs:
            held = output.held()
            total += sum(size for key, size in held.items() if key not in holders)
            holders.update(held.keys())
            waiting.append((output, held))
        while total > self._limit and waiting:
            output, held = waiting.popleft()
            holders.subtract(held.keys())
            total -= sum(size for key, size in held.items() if not holders[key])
            self._to_move.append(output)
        return [output for output, _ in waiting]

    def _move_all(self) -> None:
        try:
            while self._to_move:
                self._move(self._to_move.popleft())
        finally:
            self._is_moving = False

    def _move(self, output: Output) -> None:
        try:
            output.move_to_file()
        except OSError as error:
            if not self._told:
                self._told = True
                log.warning("replies that wait for slow clients stay in memory: %s (said once)", error.strerror)


def _run_in_a_thread(job: Callable[[], object]) -> None:
    threading.Thread(target=job, name="wheatpaste-files", daemon=True).start()
