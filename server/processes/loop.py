"""What the parent, a worker's link and the control socket wait on: descriptors, signals, timers, other threads."""

from __future__ import annotations

import contextlib
import heapq
import itertools
import os
import selectors
import signal
import time
from collections import deque
from collections.abc import Callable
from types import FrameType
from typing import Any

Callback = Callable[[], object]
Handler = Callable[[int, FrameType | None], Any] | int | None

READ = selectors.EVENT_READ
WRITE = selectors.EVENT_WRITE


class Loop:
    """Calls back, one thing at a time, in the thread that calls :meth:`turn`.

    Only :meth:`post` may be called by other threads and by signal handlers.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._selector = selectors.DefaultSelector()
        self._posted: deque[Callback] = deque()
        self._timers: list[tuple[float, int, Callback]] = []
        self._numbers = itertools.count()
        self._before: dict[int, Handler] = {}
        self._waking, self._wake = os.pipe()
        for descriptor in (self._waking, self._wake):
            os.set_blocking(descriptor, False)
        self._selector.register(self._waking, READ, self._awake)
        self._closed = False

    def post(self, callback: Callback) -> None:
        """Call back soon, in the loop's own thread. Any thread and any signal handler may post."""
        self._posted.append(callback)
        with contextlib.suppress(OSError):  # full: it is awake already; closed: nobody is left to call back
            os.write(self._wake, b".")

    def on_signal(self, number: int, callback: Callback) -> None:
        """Call back in the loop when that signal comes. Only the main thread may ask for this."""
        before = signal.signal(number, lambda *_: self.post(callback))
        self._before.setdefault(number, before)

    def after(self, seconds: float, callback: Callback) -> None:
        """Call back once, after so many seconds."""
        heapq.heappush(self._timers, (self.clock() + seconds, next(self._numbers), callback))

    def every(self, seconds: float, callback: Callback) -> None:
        """Call back again and again, with so many seconds from the end of one call to the next."""

        def again() -> None:
            try:
                callback()
            finally:
                self.after(seconds, again)

        self.after(seconds, again)

    def watch(self, descriptor: int, callback: Callback, events: int = READ) -> None:
        """Call back whenever the descriptor can be read (or written). Asking again replaces what was asked before."""
        try:
            self._selector.modify(descriptor, events, callback)
        except KeyError:
            self._selector.register(descriptor, events, callback)

    def forget(self, descriptor: int) -> None:
        """Watch a descriptor no more. It must still be open."""
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(descriptor)

    def turn(self, most: float | None = None) -> None:
        """Wait until something is due, at most so many seconds, and call back for all that is."""
        wait = most
        if self._timers:
            due = max(0.0, self._timers[0][0] - self.clock())
            wait = due if wait is None else min(wait, due)
        # Descriptors before timers: what was said in time is heard before somebody is found to be silent.
        for key, _ in self._selector.select(0 if self._posted else wait):
            if key.fd in self._selector.get_map():  # a callback before this one may have closed it
                key.data()
        while self._posted:
            self._posted.popleft()()
        now = self.clock()
        while self._timers and self._timers[0][0] <= now:
            heapq.heappop(self._timers)[2]()

    def close(self) -> None:
        """Let go of everything, and handle signals as before."""
        if self._closed:
            return
        self._closed = True
        for number, before in self._before.items():
            signal.signal(number, signal.SIG_DFL if before is None else before)
        self.abandon()

    def abandon(self) -> None:
        """Close what a forked child has inherited of it. The signals' handlers are the child's own affair."""
        self._closed = True
        # Descriptors are not unregistered: an epoll set is shared with the process that goes on using it.
        self._selector.close()
        # Whoever posts later must not write to what has got the number meanwhile.
        waking, wake = self._waking, self._wake
        self._waking = self._wake = -1
        os.close(waking)
        os.close(wake)

    def _awake(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._waking, 4096)
