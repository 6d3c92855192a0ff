"""A document of somebody else's that we keep for a while: fetched by one thread at a time, and not too often."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

from .failures import Unreachable

T = TypeVar("T")

PAUSE = 60.0
"""Seconds between two fetches that somebody's question has caused."""
_PAUSE_WITHOUT = 10.0
_SHORTEST, _USUAL, _LONGEST = 300.0, 3600.0, 86400.0
_PATIENCE = 1.0


class Fresh(NamedTuple, Generic[T]):
    """What was fetched, and for how many seconds it says it is good."""

    value: T
    seconds: float | None


class Renewed(Generic[T]):
    """One such document. ``fetch`` raises ``Unreachable``.

    What has expired goes on to be used while one thread renews it, or while it cannot be had, for a day at most. Where
    there is nothing yet, a thread waits a second for the one that fetches, and then gives up.
    """

    def __init__(self, fetch: Callable[[], Fresh[T]], clock: Callable[[], float] = time.time) -> None:
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._value: T | None = None
        self._until = 0.0
        self._tried: float | None = None
        self._is_asking = False

    def get(self) -> T:
        """The document. Raises ``Unreachable`` where there is none."""
        value, now = self._value, self._clock()
        if value is not None:
            if now < self._until or self._has_tried(now, PAUSE):
                return self._not_too_old(value, now)
            try:
                return self._renew(wait=0) or value
            except Unreachable:
                return self._not_too_old(value, now)
        if not self._has_tried(now, _PAUSE_WITHOUT) or self._is_asking:
            self._renew(wait=_PATIENCE)
        if self._value is None:  # read anew: another may have got it meanwhile
            raise Unreachable("it is being asked" if self._is_asking else "it could not be reached a moment ago")
        return self._value

    def renewed(self) -> T | None:
        """A newer one, since the one that there is does not do; None where it is too early, or another is at it."""
        if self._has_tried(self._clock(), PAUSE):
            return None
        try:
            return self._renew(wait=0)
        except Unreachable:
            return None

    def _renew(self, wait: float) -> T | None:
        if not (self._lock.acquire(timeout=wait) if wait else self._lock.acquire(blocking=False)):
            return None
        try:
            now = self._clock()
            if self._tried is not None and self._has_tried(now, _PAUSE_WITHOUT):
                return self._value  # while this one waited, another has asked
            self._is_asking, self._tried = True, now  # in this order: who sees the one sees the other
            found = self._fetch()
            seconds = _USUAL if found.seconds is None else found.seconds
            self._until = now + min(max(seconds, _SHORTEST), _LONGEST)
            self._value = found.value
            return found.value
        finally:
            self._is_asking = False
            self._lock.release()

    def _has_tried(self, now: float, pause: float) -> bool:
        # A clock that was set back makes no pause of years.
        return self._tried is not None and 0 <= now - self._tried < pause

    def _not_too_old(self, value: T, now: float) -> T:
        if now - self._until > _LONGEST:
            raise Unreachable("what is known of it is too old")
        return value
