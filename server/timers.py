"""Deadlines of many connections, by the second.

A connection stands in the bucket of the second in which it is to be looked at. While it is busy its deadline moves on
without a word here: whoever finds it in its bucket asks it anew. So a request costs nothing, and a second costs as
much as what falls due in it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)


class Timers(Generic[T]):
    """Things to be looked at when their second has come. Only the leader touches it."""

    def __init__(self) -> None:
        self._buckets: dict[int, dict[T, None]] = {}
        self._second: dict[T, int] = {}
        self._next = 0

    def set(self, thing: T, deadline: float) -> None:
        """Look at ``thing`` when ``deadline`` (seconds on the monotonic clock) is over, and no more before."""
        second = int(deadline) + 1
        before = self._second.get(thing)
        if before == second:
            return
        if before is not None:
            self._buckets[before].pop(thing, None)
        self._second[thing] = second
        bucket = self._buckets.get(second)
        if bucket is None:
            bucket = self._buckets[second] = {}
            self._next = min(self._next, second) if len(self._buckets) > 1 else second
        bucket[thing] = None

    def forget(self, thing: T) -> None:
        """Do not look at it any more."""
        second = self._second.pop(thing, None)
        if second is not None:
            self._buckets[second].pop(thing, None)

    def pause(self, now: float) -> float | None:
        """Seconds until something may be due, None when nothing is."""
        return max(self._next - now, 0.0) if self._buckets else None

    def due(self, now: float) -> Iterator[T]:
        """Take out everything whose second has come."""
        if not self._buckets or now < self._next:
            return
        for second in sorted(second for second in self._buckets if second <= now):
            for thing in self._buckets.pop(second):
                del self._second[thing]
                yield thing
        self._next = min(self._buckets, default=0)
