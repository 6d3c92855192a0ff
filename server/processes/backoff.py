"""How soon to start again what keeps ending: at once, then ever more slowly, never in a busy loop."""

from __future__ import annotations

FIRST = 0.5
LONGEST = 30.0
HEALTHY = 10.0
"""Seconds after which a worker that serves is no failure of its start."""


class Backoff:
    """Counts lives that ended too soon. One alone costs nothing; then the waits double to ``LONGEST`` seconds."""

    def __init__(self) -> None:
        self.failures = 0
        self._not_before = 0.0

    def ended(self, now: float, lived: float) -> float:
        """Note the end of a worker that served for ``lived`` seconds; returns how long to wait for the next start."""
        self.failures = 0 if lived >= HEALTHY else self.failures + 1
        wait = 0.0 if self.failures < 2 else min(LONGEST, FIRST * 2.0 ** min(self.failures - 2, 10))
        self._not_before = now + wait
        return wait

    def healthy(self) -> bool:
        """Note that a worker has served for long enough; returns whether that is news."""
        news = self.failures > 1
        self.failures = 0
        self._not_before = 0.0
        return news

    def left(self, now: float) -> float:
        """Seconds until a worker may be started."""
        return max(0.0, self._not_before - now)
