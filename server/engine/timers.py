"""Deadlines of many connections, by the second.

A connection stands in the bucket of the second in which it is to be looked at. While it is busy its deadline moves on
without a word here: whoever finds it in its bucket asks it anew. So a request costs nothing, and a second costs as
much as what falls due in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar


class HasDue(Protocol):
    """What can be looked at in time; ``due`` is the second of its bucket, 0 for none."""

    due: int


T = TypeVar("T", bound=HasDue)


class Timers(Generic[T]):
    """Things to be looked at when their second has come. Workers may forget things while the leader looks."""

    def __init__(self) -> None:
        self._buckets: dict[int, dict[T, None]] = {}

    def set(self, thing: T, deadline: float) -> None:
        """Look at ``thing`` when ``deadline`` (seconds on the monotonic clock) is over, and no more before."""
        second = int(deadline) + 1
        if thing.due == second:
            return
        self.forget(thing)
        thing.due = second
        bucket = self._buckets.setdefault(second, {})
        bucket[thing] = None
        if self._buckets.get(second) is not bucket and thing.due == second:
            # The leader has taken the bucket out in between, and looks at it no more.
            self._buckets.setdefault(second, {})[thing] = None

    def forget(self, thing: T) -> None:
        """Do not look at it any more."""
        bucket = self._buckets.get(thing.due)
        thing.due = 0
        if bucket is not None:
            bucket.pop(thing, None)

    def take_due(self, now: float) -> Iterator[T]:
        """Take out everything whose second has come."""
        for second in sorted(second for second in list(self._buckets) if second <= now):
            for thing in list(self._buckets.pop(second, ())):
                if thing.due == second:
                    thing.due = 0
                    yield thing
