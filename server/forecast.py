"""What a request is expected to take, from what its like took before.

The like of a request are those of the same method whose path begins with the same two segments: the engine has to
decide before any dispatch, so it cannot know mounts. A request that waits (for a database, another server, a lock) had
better leave the leader free; one that only computes gains nothing from another thread, as long as it is short.
"""

from __future__ import annotations

_SEGMENTS = 2
_REMEMBERED = 1024
_WEIGHT = 0.2

WORTH_A_LOOK = 0.000_15
"""Seconds of wall time from which it is measured how much of them was waiting."""
WAITING = 0.000_2
"""Seconds of waiting, on average, from which requests are handed over: handing over costs about a quarter of that."""
LONG = 0.005
"""Seconds from which it does not matter what they are spent on."""


class Pace:
    """The moving averages of one kind of requests."""

    __slots__ = ("known", "parent", "quick", "slow", "waited", "wall", "watched")

    def __init__(self, parent: Pace | None = None) -> None:
        self.parent = parent
        self.known = False
        """Whether anything is known at all."""
        self.slow = False
        """Whether the leader should not run the next one itself."""
        self.watched = False
        """Whether the time on the processor should be measured, too."""
        self.quick = False
        """Whether they are known and so fast that nothing needs to be measured."""
        self.wall = 0.0
        self.waited = 0.0
        if parent is not None and parent.known:
            # Most paths that were never seen are those of an /orders/ID like many others.
            self.known, self.slow, self.watched = True, parent.slow, parent.watched
            self.quick, self.wall, self.waited = parent.quick, parent.wall, parent.waited

    def learn(self, wall: float, cpu: float, *, waited: bool) -> None:
        """Take in one request: seconds it took, seconds it was on the processor, and whether it waited at all.

        What was neither is the time of other processes, which says nothing of the request.
        """
        self.known = True
        self.wall += _WEIGHT * ((wall if waited else cpu) - self.wall)
        self.waited += _WEIGHT * ((max(wall - cpu, 0.0) if waited else 0.0) - self.waited)
        self.slow = self.waited > WAITING or self.wall > LONG
        self.watched = self.slow or self.wall > WORTH_A_LOOK
        self.quick = not self.watched
        if self.parent is not None:
            self.parent.learn(wall, cpu, waited=waited)

    def look_at(self, wall: float) -> None:
        """Take in that one was over after ``wall`` seconds, where nothing else was measured."""
        self.known = True
        self.watched = self.watched or wall > WORTH_A_LOOK
        self.quick = not self.watched

    def overrun(self) -> None:
        """One is taking so long that the leader was replaced: the next shall not have to be noticed first."""
        self.known = self.watched = self.slow = True
        self.quick = False
        self.waited = max(self.waited, 2 * WAITING)
        if self.parent is not None and not self.parent.known:
            self.parent.overrun()


class Forecast:
    """A bounded table of paces."""

    def __init__(self) -> None:
        self._paces: dict[tuple[str, ...], Pace] = {}

    def pace_of(self, method: str, path: str) -> Pace:
        """The pace of requests like this one."""
        segments = path.split("/", _SEGMENTS + 1)[1 : _SEGMENTS + 1]
        pace = None
        for count in range(1, len(segments) + 1):
            pace = self._of((method, *segments[:count]), pace)
        return pace or self._of((method,), None)

    def _of(self, key: tuple[str, ...], parent: Pace | None) -> Pace:
        pace = self._paces.get(key)
        if pace is None:
            if len(self._paces) >= _REMEMBERED:
                self._paces.clear()
            pace = self._paces[key] = Pace(parent)
        return pace
