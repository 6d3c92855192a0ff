"""Large replies that are made and wait for slow clients: in memory as long as there is some, then in temporary files.

A client that reads slowly, or not at all, must not cost more than a descriptor and room on the disk. Clients that read
at the usual pace are done before anybody looks here.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from functools import partial

from .output import Output

log = logging.getLogger("wheatpaste.server.unsent")


class Unsent:
    """The replies of an engine that wait for their clients and are larger than one may be in memory for long."""

    def __init__(self, limit: int, run_elsewhere: Callable[[Callable[[], object]], object]) -> None:
        """``limit``: bytes of memory for all of them together."""
        self._limit = limit
        self._run_elsewhere = run_elsewhere
        self._outputs: deque[Output] = deque()
        self._told = False

    def add(self, output: Output) -> None:
        """Keep an eye on a reply. From any thread."""
        self._outputs.append(output)

    def look(self) -> None:
        """Forget those that were sent, and move the eldest to files when all of them take too much memory.

        The leader calls this now and then; it does not wait for the disk.
        """
        total = 0
        for _ in range(len(self._outputs)):
            output = self._outputs.popleft()
            if output.memory:
                total += output.memory
                self._outputs.append(output)
        while total > self._limit and self._outputs:
            output = self._outputs.popleft()
            total -= output.memory
            self._run_elsewhere(partial(self._move, output))

    def _move(self, output: Output) -> None:
        try:
            output.move_to_file()
        except OSError as error:
            if not self._told:
                self._told = True
                log.warning("replies that wait for slow clients stay in memory: %s (said once)", error.strerror)
