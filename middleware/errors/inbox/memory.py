"""An inbox in the memory of this process, as small as the file's: records are kept packed."""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from ..record import ErrorRecord
from .groups import HOURS_KEPT, KEPT_OF_A_GROUP, Group, Occurrence, State, hour_of, named, occurrence_of
from .keeper import MOST_BYTES
from .packing import pack, unpack


@dataclass(slots=True)
class _Kept:
    """What grows with each failure of a group."""

    last: Occurrence
    first: float
    until: float
    count: int = 0
    state: State = "open"
    changed: float | None = None
    resolved: float | None = None
    hours: Counter[int] = field(default_factory=Counter)
    ids: list[str] = field(default_factory=list)


class MemoryInbox:
    """The last errors of this process; see :class:`Inbox`.

    Keeps ``size`` records, and of groups, of which only counts remain, five times as many; ``most_bytes`` bounds all
    records together.
    """

    def __init__(
        self, size: int = 200, *, most_bytes: int = MOST_BYTES, clock: Callable[[], float] = time.time
    ) -> None:
        self._size = size
        self._most_groups = 5 * size
        self._most_bytes = most_bytes
        self._clock = clock
        self._lock = threading.Lock()
        self._bytes = 0
        self._records: OrderedDict[str, tuple[Occurrence, bytes]] = OrderedDict()
        self._groups: OrderedDict[str, _Kept] = OrderedDict()  # in the order of their last failures
        self.secret = secrets.token_bytes(32)

    @property
    def place(self) -> str:
        """Where the errors are kept, and until when."""
        return f"The last {self._size} errors, in the memory of process {os.getpid()}, until it ends."

    def add(self, record: ErrorRecord, /) -> None:
        """Keep a record; the oldest ones go for it, and what was resolved is open again."""
        occurrence = occurrence_of(record)
        packed = pack(record)
        with self._lock:
            self._forget(occurrence.id)  # the same record twice
            kept = self._groups.pop(occurrence.group, None) or _Kept(occurrence, occurrence.time, occurrence.time)
            self._groups[occurrence.group] = kept
            kept.last = occurrence
            kept.until = max(kept.until, occurrence.time)
            kept.count += 1
            if kept.state == "resolved":
                kept.state, kept.changed = "open", occurrence.time
            kept.hours[hour_of(occurrence.time)] += 1
            if len(kept.hours) > HOURS_KEPT:
                del kept.hours[min(kept.hours)]
            kept.ids.append(occurrence.id)
            self._records[occurrence.id] = (occurrence, packed)
            self._bytes += len(packed)
            self._make_room(kept)

    def _make_room(self, kept: _Kept) -> None:
        if len(kept.ids) > KEPT_OF_A_GROUP:
            self._forget(kept.ids[0])
        while len(self._records) > self._size or (self._bytes > self._most_bytes and len(self._records) > 1):
            self._forget(next(iter(self._records)))
        while len(self._groups) > self._most_groups:
            self._drop(next(iter(self._groups)))

    def groups(self) -> list[Group]:
        """All groups, the one that failed last first."""
        with self._lock:
            found = [self._told(name, kept) for name, kept in reversed(self._groups.items())]
        return sorted(found, key=lambda group: -group.last)  # a slow request's time is that of its beginning

    def group(self, name: str) -> Group | None:
        """The group of this id, or the one that the occurrence of this id belongs to."""
        with self._lock:
            found = self._group_of(name)
            return None if found is None else self._told(found, self._groups[found])

    def occurrences(self, group: str) -> list[Occurrence]:
        """The occurrences of a group whose records are kept, the last one first."""
        with self._lock:
            kept = self._groups.get(named(group))
            return [] if kept is None else [self._records[each][0] for each in reversed(kept.ids)]

    def find(self, name: str) -> ErrorRecord | None:
        """The record of an occurrence, or the last one kept of a group."""
        name = named(name)
        with self._lock:
            kept = self._groups.get(name)
            held = self._records.get(kept.ids[-1] if kept is not None and kept.ids else name)
        return None if held is None else unpack(held[1])

    def latest(self) -> ErrorRecord | None:
        """The last record."""
        with self._lock:
            held = next(reversed(self._records.values()), None)
        return None if held is None else unpack(held[1])

    def mark(self, name: str, state: State) -> bool:
        """Put a group into a state; whether there is one."""
        with self._lock:
            found = self._group_of(name)
            if found is None:
                return False
            kept = self._groups[found]
            if kept.state != state:
                kept.state, kept.changed = state, self._clock()
            kept.resolved = kept.changed if state == "resolved" else None
            return True

    def clear(self, name: str | None = None) -> int:
        """Forget one group, or all of them; how many there were."""
        with self._lock:
            gone = list(self._groups) if name is None else [each for each in (self._group_of(name),) if each]
            for each in gone:
                self._drop(each)
        return len(gone)

    def close(self) -> None:
        """Forget everything."""
        self.clear()

    def _group_of(self, name: str) -> str | None:
        name = named(name)
        if name in self._groups:
            return name
        held = self._records.get(name)
        return None if held is None else held[0].group

    def _drop(self, group: str) -> None:
        for each in list(self._groups[group].ids):
            self._forget(each)
        del self._groups[group]

    def _forget(self, name: str) -> None:
        held = self._records.pop(name, None)
        if held is not None:
            self._bytes -= len(held[1])
            self._groups[held[0].group].ids.remove(name)

    def _told(self, name: str, kept: _Kept) -> Group:
        return Group(
            id=name,
            headline=kept.last.headline,
            type=kept.last.type,
            place=kept.last.place,
            first=kept.first,
            last=kept.until,
            count=kept.count,
            state=kept.state,
            changed=kept.changed,
            resolved=kept.resolved,
            latest=kept.ids[-1] if kept.ids else None,
            kept=len(kept.ids),
            hours=tuple(sorted(kept.hours.items())),
        )
