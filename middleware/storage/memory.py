"""A store in the memory of this process: for one process, for development, and for tests."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from .store import Tally

_Name = tuple[str, str]
_LEAST_ROOM = 100


class _Held(NamedTuple):
    value: Any
    until: float | None


class MemoryStore:
    """A :class:`Store` of which each process has its own; it ends with the process."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._values: dict[_Name, _Held] = {}
        self._counts: dict[_Name, _Held] = {}
        self._room = _LEAST_ROOM

    def get(self, space: str, key: str) -> bytes | None:
        """The value, or None."""
        held = self._values.get((space, key))  # one look, which needs no lock
        return None if held is None or self._is_over(held) else held.value

    def put(self, space: str, key: str, value: bytes, seconds: float | None = None) -> None:
        """Set a value, whatever was there."""
        with self._lock:
            self._set((space, key), value, self._end(seconds))

    def add(self, space: str, key: str, value: bytes, seconds: float | None = None) -> bool:
        """Set a value if there is none; whether that was so."""
        return self.swap(space, key, None, value, seconds)

    def swap(
        self, space: str, key: str, before: bytes | None, after: bytes | None, seconds: float | None = None
    ) -> bool:
        """Replace the value ``before`` by ``after`` if it still is that; whether it was."""
        name = (space, key)
        with self._lock:
            held = self._living(name)
            if (None if held is None else held.value) != before:
                return False
            if after is None:
                self._values.pop(name, None)
            else:
                until = held.until if held is not None and seconds is None else self._end(seconds)
                self._set(name, after, until)
            return True

    def take(self, space: str, key: str) -> bytes | None:
        """Remove a value and return it: of several who ask, one gets it."""
        with self._lock:
            held = self._living((space, key))
            if held is not None:
                del self._values[space, key]
        return None if held is None else held.value

    def expire(self, space: str, key: str, seconds: float | None) -> bool:
        """Let a value live for ``seconds`` from now; whether there is one."""
        with self._lock:
            held = self._living((space, key))
            if held is not None:
                self._set((space, key), held.value, self._end(seconds))
        return held is not None

    def delete(self, space: str, key: str) -> bool:
        """Remove the value and the count of this name; whether there was one."""
        with self._lock:
            held = (self._values.pop((space, key), None), self._counts.pop((space, key), None))
        return any(each is not None and not self._is_over(each) for each in held)

    def count(self, space: str, key: str, step: int = 1, seconds: float | None = None) -> Tally:
        """Add ``step`` to a count and return what it is then."""
        name = (space, key)
        with self._lock:
            held = self._counts.get(name)
            if held is None or self._is_over(held):
                if not step:
                    return Tally(0, None)
                held = _Held(0, self._end(seconds))
            if step:
                held = self._counts[name] = _Held(held.value + step, held.until)
                self._wrote()
        return Tally(*held)

    def keys(self, space: str, prefix: str = "", limit: int = 1000) -> list[str]:
        """The keys of the values in a space, in order."""
        with self._lock:
            found = [
                key
                for (where, key), held in self._values.items()
                if where == space and key.startswith(prefix) and not self._is_over(held)
            ]
        return sorted(found)[:limit]

    def clear(self, space: str) -> int:
        """Remove all values and counts of a space; how many there were."""
        return self._remove(lambda name, held: name[0] == space)

    def sweep(self) -> int:
        """Remove what has expired; how many there were."""
        return self._remove(lambda name, held: self._is_over(held))

    def close(self) -> None:
        """Forget everything."""
        with self._lock:
            self._values.clear()
            self._counts.clear()

    def _remove(self, is_meant: Callable[[_Name, _Held], bool]) -> int:
        with self._lock:
            return self._drop(is_meant)

    def _drop(self, is_meant: Callable[[_Name, _Held], bool]) -> int:
        dropped = 0
        for held in (self._values, self._counts):
            gone = [name for name, each in held.items() if is_meant(name, each)]
            for name in gone:
                del held[name]
            dropped += len(gone)
        return dropped

    def _set(self, name: _Name, value: bytes, until: float | None) -> None:
        self._values[name] = _Held(value, until)
        self._wrote()

    def _wrote(self) -> None:
        # A sweep looks at all there is, so it comes when that has doubled: a constant share of each write.
        if len(self._values) + len(self._counts) > self._room:
            self._drop(lambda name, held: self._is_over(held))
            self._room = _LEAST_ROOM + 2 * (len(self._values) + len(self._counts))

    def _living(self, name: _Name) -> _Held | None:
        held = self._values.get(name)
        return None if held is None or self._is_over(held) else held

    def _end(self, seconds: float | None) -> float | None:
        return None if seconds is None else self._clock() + seconds

    def _is_over(self, held: _Held) -> bool:
        return held.until is not None and held.until <= self._clock()
