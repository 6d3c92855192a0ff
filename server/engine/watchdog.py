"""The watchdog: it sees that a leader is stuck in a request, and that a request hangs.

It looks every few milliseconds while leaders run requests, every millisecond while they get on slowly, and sleeps while
there are none: each look takes the interpreter from whoever is working.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .engine import Engine
    from .worker_thread import Claim, WorkerThread

log = logging.getLogger("wheatpaste.server.watchdog")

_TICK = 0.001
_CALM_TICK = 0.005
"""Seconds between two looks while leaders get through several requests from one to the next."""
_CALM_TICKS = 20
"""Looks without a running request after which it sleeps."""
_WATCH = 1.0
"""Seconds between two looks at requests that workers run, where no deadline is shorter than some of them."""
_SHORTEST_WATCH = 0.05


class Watchdog:
    """One thread of the engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        deadlines = engine.settings.deadlines
        shortest = min(deadlines.hung, deadlines.hung if deadlines.request is None else deadlines.request)
        self._every = max(min(_WATCH, shortest / 4), _SHORTEST_WATCH)
        self._bell = threading.Lock()
        self._bell.acquire()
        self._thread: threading.Thread | None = None
        self._ended = False
        self.asleep = False
        """Whether it has to be woken before it sees a leader's request. Leaders look at it before each one."""
        self.off_duty = False
        """Whether it has to be woken before it sees any request at all: nobody was running one."""

    def start(self) -> None:
        """Begin to watch."""
        self._thread = threading.Thread(target=self._watch, name="wheatpaste-watchdog", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End, soon."""
        self._ended = True
        self.wake()
        if self._thread is not None:
            self._thread.join(1)

    def wake(self) -> None:
        """Let it look now."""
        self.asleep = self.off_duty = False
        with contextlib.suppress(RuntimeError):  # it was rung already
            self._bell.release()

    def _watch(self) -> None:
        engine, bell = self._engine, self._bell
        calm = 0
        tick = _TICK
        last_turn = -1
        next_watch = 0.0
        while not self._ended:
            if calm > _CALM_TICKS:
                self.asleep = True
                # A request that began just now has not seen it.
                leader = engine.crew.leader
                if leader is None or not leader.slot:
                    self.off_duty = True
                    if engine.crew.busy:
                        self.off_duty = False
                        bell.acquire(timeout=self._every)
                    else:
                        bell.acquire()
                self.asleep = self.off_duty = False
                calm = 0
            else:
                bell.acquire(timeout=tick)
            leader, turn = engine.crew.leader, engine.crew.turn
            if leader is not None and leader.slot:
                if turn == last_turn:
                    self._overtake(leader, turn)
                calm = 0
            elif turn == last_turn:
                calm += 1
            tick = _CALM_TICK if turn > last_turn + 1 else _TICK
            last_turn = turn
            now = engine.clock()
            if now >= next_watch:
                next_watch = now + self._every
                try:
                    self._look_for_hung(now)
                except Exception:  # what apps leave in their environ may raise, and leaders have to be watched on
                    log.exception("could not look for requests that hang")

    def _overtake(self, leader: WorkerThread, turn: int) -> None:
        request = leader.request
        if self._engine.crew.overtake(leader, turn) and request is not None:
            request[2].pace.overrun()

    def _look_for_hung(self, now: float) -> None:
        engine = self._engine
        deadlines = engine.settings.deadlines
        hung = 0
        for thread in list(engine.crew.threads):
            claim = thread.claim  # first: that of a later request must not be taken for this one's
            started = thread.started
            if not started:
                continue
            age = now - started
            if age > deadlines.hung:
                hung += 1
                if thread.hung_told != started:
                    thread.hung_told = started
                    self._tell_hung(thread, age)
            if deadlines.request is not None and age > deadlines.request:
                self._time_out(thread, started, claim, deadlines.request)
        most = engine.settings.max_hung
        if most is not None and hung >= most and engine.wants_replacement is None:
            engine.wants_replacement = f"{hung} of its threads hang"

    def _time_out(self, thread: WorkerThread, started: float, claim: Claim | None, limit: float) -> None:
        engine = self._engine
        age = engine.clock() - started
        if thread.timed_out != started:
            thread.timed_out = started
            if engine.exchange.give_up(claim):
                self._tell_hung(thread, age, "was answered with 504")
        elif age > 2 * limit and engine.wants_replacement is None:
            # A thread cannot be ended from outside, a process can.
            engine.wants_replacement = f"a request has been running for {age:.0f} s"

    def _tell_hung(self, thread: WorkerThread, age: float, what: str = "is still running") -> None:
        request = thread.request
        if request is None:
            return
        environ = request[0]
        import traceback

        from ...protocol.frames import current_frames

        frame = current_frames().get(thread.ident or 0)
        stack = "".join(traceback.format_stack(frame)) if frame is not None else "  (gone)\n"
        log.warning(
            "%s %s %s after %.1f s, in %s:\n%s",
            environ.get("REQUEST_METHOD"),
            f"{environ.get('SCRIPT_NAME', '')}{environ.get('PATH_INFO', '')}",
            what,
            age,
            thread.name,
            stack.rstrip(),
        )
