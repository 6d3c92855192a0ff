"""How often people are told of the same thing: the first failure of a group at once, then digests with counts.

Decisions only: the time comes in, what to do comes out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from ..record import ErrorRecord
from ..tally import Tally

_MOST_GROUPS = 1000
_MOST_AT_ONCE = 20
_IDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """What was held back: tallies by group, and the failures of groups too many to be told apart."""

    tallies: tuple[Tally, ...]
    others: int = 0


class _Held:
    """A group of which somebody was told at ``since``, and what came after that."""

    __slots__ = ("count", "first", "ids", "last", "record", "since")

    def __init__(self, since: float) -> None:
        self.since = since
        self.count = 0
        self.first = self.last = 0.0
        self.record: ErrorRecord | None = None
        self.ids: deque[str] = deque(maxlen=_IDS)


class Throttle:
    """Holds back what was told before, within ``interval`` seconds. Not for several threads at a time.

    Of different groups no more than a few are told at once in an interval, either: a fault in a common place makes
    many. ``line`` says a record in one line.
    """

    def __init__(self, interval: float, line: Callable[[ErrorRecord], str]) -> None:
        self._interval = interval
        self._line = line
        self._groups: dict[str, _Held] = {}
        self._told: deque[float] = deque(maxlen=_MOST_AT_ONCE)
        self._others = 0
        self._others_since = 0.0

    def admits(self, record: ErrorRecord, now: float) -> bool:
        """Whether to tell of this failure at once; otherwise it is counted for the next digest."""
        if self._interval <= 0:
            return True
        held = self._groups.get(record.group)
        if held is None or (not held.count and now - held.since >= self._interval):
            if held is None and len(self._groups) >= _MOST_GROUPS:
                self._forget(now)
            if held is None and len(self._groups) >= _MOST_GROUPS:
                if not self._others:
                    self._others_since = now
                self._others += 1
                return False
            held = self._groups[record.group] = _Held(now)
            if len(self._told) < _MOST_AT_ONCE or now - self._told[0] >= self._interval:
                self._told.append(now)
                return True
        held.first = record.time if not held.count else held.first
        held.last = record.time
        held.count += 1
        held.record = record
        held.ids.append(record.id)
        return False

    def due_at(self) -> float | None:
        """When the next digest is due; None while nothing is held back."""
        times = [held.since + self._interval for held in self._groups.values() if held.count]
        if self._others:
            times.append(self._others_since + self._interval)
        return min(times, default=None)

    def take(self, now: float, *, all_of_it: bool = False) -> Digest | None:
        """The digest that is due, or with ``all_of_it`` of everything held back; None if there is none.

        Once a part is due the rest goes along, so that there is one digest in an interval however many groups fail.
        """
        due = self.due_at()
        if due is None or (now < due and not all_of_it):
            return None
        tallies = []
        for group, held in self._groups.items():
            if held.record is not None:
                tallies.append(
                    Tally(
                        group=group,
                        count=held.count,
                        first=held.first,
                        last=held.last,
                        line=self._line(held.record),
                        ids=tuple(held.ids),
                    )
                )
                self._groups[group] = _Held(now)
        digest = Digest(tallies=tuple(tallies), others=self._others)
        self._others = 0
        self._forget(now)
        return digest

    def _forget(self, now: float) -> None:
        """Let go of groups that are quiet."""
        for group in [each for each, held in self._groups.items() if not held.count]:
            if now - self._groups[group].since >= self._interval:
                del self._groups[group]
