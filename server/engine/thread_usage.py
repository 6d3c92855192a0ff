"""What the calling thread has used: time on the processor, and how often it waited of its own accord."""

from __future__ import annotations

import time
from typing import NamedTuple


class Usage(NamedTuple):
    """Seconds on the processor, and the number of times the thread gave it away, because it had to wait."""

    cpu: float
    waits: int | None
    """None where the system does not count them for a thread."""

    def waited_until(self, later: Usage) -> bool:
        """Whether the thread waited for anything between the two; yes where that is not known."""
        return self.waits is None or self.waits != later.waits


try:
    from resource import RUSAGE_THREAD, getrusage
except ImportError:

    def usage() -> Usage:
        """Of the calling thread, since it began."""
        return Usage(time.thread_time(), None)

else:

    def usage() -> Usage:
        """Of the calling thread, since it began."""
        found = getrusage(RUSAGE_THREAD)
        return Usage(found.ru_utime + found.ru_stime, found.ru_nvcsw)
