"""One space of a store, whose values are JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from .store import Store, StoreError, Tally

_MOST_TRIES = 100


class Space:
    """A view of one space of a store. None means absence, so the JSON value ``null`` is no value here.

    Two values that are equal have the same text, so that :meth:`swap` compares what they mean.
    """

    __slots__ = ("_name", "_store")

    def __init__(self, store: Store, name: str) -> None:
        self._store = store
        self._name = name

    def get(self, key: str) -> Any:
        """The value, or None."""
        return _read(self._store.get(self._name, key))

    def put(self, key: str, value: Any, seconds: float | None = None) -> None:
        """Set a value; see :meth:`Store.put`."""
        self._store.put(self._name, key, _written(value), seconds)

    def add(self, key: str, value: Any, seconds: float | None = None) -> bool:
        """Set a value if there is none; whether that was so."""
        return self._store.add(self._name, key, _written(value), seconds)

    def swap(self, key: str, before: Any, after: Any, seconds: float | None = None) -> bool:
        """Replace ``before`` by ``after`` if the value still is that; see :meth:`Store.swap`."""
        return self._store.swap(
            self._name,
            key,
            None if before is None else _written(before),
            None if after is None else _written(after),
            seconds,
        )

    def change(self, key: str, change: Callable[[Any], Any], seconds: float | None = None) -> Any:
        """Set the value to ``change(value)`` and return that; None comes in for absent and goes out to remove.

        ``change`` is called again with what another has made of the value meanwhile, so it may do nothing else.
        """
        for _ in range(_MOST_TRIES):
            raw = self._store.get(self._name, key)
            made = change(_read(raw))
            after = None if made is None else _written(made)
            if self._store.swap(self._name, key, raw, after, seconds):
                return made
        raise StoreError(f"{self._name}: {key} is being changed by others without end")

    def take(self, key: str) -> Any:
        """Remove a value and return it: of several who ask, one gets it."""
        return _read(self._store.take(self._name, key))

    def expire(self, key: str, seconds: float | None) -> bool:
        """Let a value live for ``seconds`` from now; whether there is one."""
        return self._store.expire(self._name, key, seconds)

    def delete(self, key: str) -> bool:
        """Remove the value and the count of this name; whether there was one."""
        return self._store.delete(self._name, key)

    def count(self, key: str, step: int = 1, seconds: float | None = None) -> Tally:
        """Add to a count; see :meth:`Store.count`."""
        return self._store.count(self._name, key, step, seconds)

    def keys(self, prefix: str = "", limit: int = 1000) -> list[str]:
        """The keys, in order."""
        return self._store.keys(self._name, prefix, limit)

    def clear(self) -> int:
        """Remove everything; how many there were."""
        return self._store.clear(self._name)


def _written(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def _read(value: bytes | None) -> Any:
    return None if value is None else json.loads(value)
