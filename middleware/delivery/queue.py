"""Parcels that wait, such as mails: carried on a thread of their own, tried again when that fails, in nobody's way.

What goes wrong with the carrier is logged once, and once more when it works again, with what was lost meanwhile.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from ...protocol.printable import one_line
from ...protocol.secret_texts import redact_text

logger = logging.getLogger(__name__)

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 300.0
_MOST_TRIES = 20
_AT_EXIT = 2.0
_forking = threading.Lock()


class Refused(Exception):
    """Raised by a carrier: this parcel will not be taken, however often it is tried."""


class Later(Protocol[T_co]):
    """Parcels that come by themselves when their time has come. Called under the lock of the queue."""

    def due_at(self) -> float | None:
        """When the next one is due, by the queue's clock; None while there is none."""

    def take(self, now: float, *, all_of_it: bool = False) -> T_co | None:
        """The one that is due, or with ``all_of_it`` what there is."""


class DeliveryQueue(Generic[T]):
    """Carries parcels one after the other, in the order in which they came.

    ``carry`` raises when it could not; ``name`` says in the log what these are. At most ``most`` wait, those
    that come then are dropped and counted. The thread starts with the first parcel, anew in each process, and is not
    waited for when the program ends without :meth:`close`, but for two seconds. ``clock`` never goes back; ``start``
    starts the thread.
    """

    def __init__(
        self,
        carry: Callable[[T], object],
        name: str,
        *,
        later: Later[T] | None = None,
        most: int = 200,
        clock: Callable[[], float] = time.monotonic,
        start: Callable[[threading.Thread], object] = threading.Thread.start,
    ) -> None:
        self._start = start
        self._carry = carry
        self._name = name
        self._later = later
        self._most = most
        self._clock = clock
        self._pid = 0
        self._begin()

    def _begin(self) -> None:
        """Begin anew: after a fork the parcels are the parent's to carry, and its locks may be held for ever."""
        self._changed = threading.Condition()
        self._waiting: deque[T] = deque()
        self._thread: threading.Thread | None = None
        self._closing = False
        self._tries = 0
        self._not_before = 0.0
        self._broken = False
        self._dropped = 0
        self._pid = os.getpid()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, parcel: T) -> bool:
        """Let a parcel wait to be carried; whether there was room. Never waits or raises for what the carrier does."""
        return self.decide(lambda: parcel)

    def decide(self, choose: Callable[[], T | None]) -> bool:
        """Let what ``choose`` returns wait, if anything; it is called under the lock, as the ``later`` ones are.

        Whether there was room for it.
        """
        if os.getpid() != self._pid:
            with _forking:
                if os.getpid() != self._pid:
                    self._begin()
        with self._changed:
            parcel = choose()
            has_room = True
            if parcel is not None:
                has_room = len(self._waiting) < self._most
                if has_room:
                    self._waiting.append(parcel)
                else:
                    self._drop()
            if self._thread is None or not self._thread.is_alive():
                self._begin_to_carry()
            self._changed.notify()
            return has_room

    def _begin_to_carry(self) -> None:
        if not self._waiting and self._next_due() is None:
            return
        self._closing = False
        self._thread = threading.Thread(target=self._run, name=f"delivery: {self._name}", daemon=True)
        try:
            self._start(self._thread)
            atexit.register(self.close, _AT_EXIT)
        except RuntimeError as fault:  # the interpreter is ending, or there are too many threads
            self._thread = None
            self._waiting.clear()
            logger.error("%s: one is lost (%s)", self._name, said(fault))

    def close(self, seconds: float = 5.0) -> None:
        """Carry what waits, digests too, within so many seconds; what is left then is counted in the log."""
        if os.getpid() != self._pid:
            return
        with self._changed:
            thread = self._thread
            self._closing = True
            self._changed.notify()
        if thread is not None:
            if thread.is_alive():
                thread.join(seconds)
            atexit.unregister(self.close)
        with self._changed:
            left = len(self._waiting)
            self._waiting.clear()
            self._thread = None
        if left:
            logger.error("%s: %d not sent before the end", self._name, left)

    def step(self) -> float | None:
        """Carry what can be carried now; how many seconds until there may be more, or None if nothing waits.

        The thread of the queue calls this, and tests do.
        """
        mine = self._thread
        while True:
            with self._changed:
                if self._thread is not mine:
                    return None  # closed without waiting to the end, and perhaps begun anew
                self._collect(all_of_it=self._closing)
                now = self._clock()
                if not self._waiting:
                    due = self._next_due()
                    return None if due is None else max(0.0, due - now)
                if now < self._not_before and not self._closing:
                    return self._not_before - now
                parcel = self._waiting[0]
            fault = self._try(parcel)
            with self._changed:
                if fault is None:
                    self._arrived(parcel)
                    continue
                self._failed(parcel, fault)
                if self._closing and not isinstance(fault, Refused):
                    return None  # no time is left for patience

    def _run(self) -> None:
        changed = self._changed
        me = threading.current_thread()
        while True:
            pause = self.step()
            with changed:
                if self._closing or self._thread is not me:
                    return
                if pause is None and (self._waiting or self._next_due() is not None):
                    continue  # it came in between
                changed.wait(pause)

    def _try(self, parcel: T) -> BaseException | None:
        try:
            self._carry(parcel)
        except (Exception, SystemExit) as fault:  # noqa: BLE001 - objects of others fail in every way there is
            # An exit would end this thread alone.
            return fault
        return None

    def _collect(self, *, all_of_it: bool) -> None:
        if self._later is not None:
            parcel = self._later.take(self._clock(), all_of_it=all_of_it)
            if parcel is not None:
                self._waiting.append(parcel)

    def _next_due(self) -> float | None:
        return None if self._later is None else self._later.due_at()

    def _arrived(self, parcel: T) -> None:
        self._remove(parcel)
        self._tries, self._not_before = 0, 0.0
        if self._broken and not self._waiting:
            lost = f"; {self._dropped} lost meanwhile" if self._dropped else ""
            logger.warning("%s: they are sent again%s", self._name, lost)
            self._broken, self._dropped = False, 0

    def _failed(self, parcel: T, fault: BaseException) -> None:
        self._tries += 1
        final = isinstance(fault, Refused) or self._tries >= _MOST_TRIES
        if not self._broken:
            what = "one was refused" if isinstance(fault, Refused) else "they cannot be sent, and are tried again"
            logger.error("%s: %s (%s)", self._name, what, said(fault))
            self._broken = True
        if final:
            self._remove(parcel)
            self._dropped += 1
            self._tries, self._not_before = 0, 0.0
        else:
            self._not_before = self._clock() + min(_FIRST_PAUSE * 2 ** (self._tries - 1), _LONGEST_PAUSE)

    def _remove(self, parcel: T) -> None:
        # Closing may have given up on it already.
        if self._waiting and self._waiting[0] is parcel:
            self._waiting.popleft()

    def _drop(self) -> None:
        self._dropped += 1
        if not self._broken:
            logger.error("%s: %d wait already, so others are lost", self._name, self._most)
            self._broken = True


def said(fault: BaseException) -> str:
    """What went wrong, in a line that may stand in a log."""
    text = one_line(redact_text(str(fault)[:1000]), 300)
    name = type(fault).__name__
    return f"{name}: {text}" if text and not isinstance(fault, Refused) else text or name
