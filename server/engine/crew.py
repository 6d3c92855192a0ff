"""The threads: one leads, some run requests, the others follow.

Whoever is about to run a request that will wait hands the lead over first; whoever is done takes what waits for a
thread, leads where nobody does, or joins the followers.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from .worker_thread import WorkerThread

if TYPE_CHECKING:
    from .exchange import WaitingRequest

log = logging.getLogger("wheatpaste.server.crew")

Task: TypeAlias = Callable[[WorkerThread], object]


class Crew:
    """The threads of an engine. ``lead`` polls and serves until the thread that it is given leads no more."""

    def __init__(self, size: int, lead: Task) -> None:
        self.size = size
        """Requests that run at the same time."""
        self.lock = threading.Lock()
        """Held for the few lines that change who leads, who is free, and whose a connection is."""
        self.threads: list[WorkerThread] = []
        self.leader: WorkerThread | None = None
        self.busy = 0
        """Threads that run something while another one leads."""
        self.turn = 0
        """Requests that leaders have begun."""
        self.finished = False
        self.waiting: deque[WaitingRequest] = deque()
        """Requests that wait for a thread; the engine limits them."""
        self._lead = lead
        self._followers: list[WorkerThread] = []
        self._jobs: deque[Callable[[], object]] = deque()
        self._leader_wanted = False
        self._by_ident: dict[int, WorkerThread] = {}

    @property
    def idle(self) -> bool:
        """Whether nobody runs anything, and nothing waits for a thread."""
        return not (self.busy or self.waiting or self._jobs)

    def start(self) -> None:
        """Let the first thread lead."""
        with self.lock:
            first = self._new_thread()
            first.leading = True
            self.leader = first
        first.wake.release()

    def end(self) -> None:
        """Let every thread end that is not in the middle of something, and wait a moment for it."""
        self.finished = True
        for thread in self.threads:
            with contextlib.suppress(RuntimeError):
                thread.wake.release()
        for thread in self.threads:
            if not thread.started and thread.thread is not None:
                thread.thread.join(1)
        while self._jobs:
            self._do_here(self._jobs.popleft())

    def current(self) -> WorkerThread | None:
        """The calling thread, if it is one of the crew."""
        return self._by_ident.get(threading.get_ident())

    def hand_over(self, me: WorkerThread) -> None:
        """Let another thread lead; ``me``, who led, is a worker from now on."""
        with self.lock:
            follower = self._give_lead(me)
        if follower is not None:
            follower.wake.release()

    def _give_lead(self, me: WorkerThread) -> WorkerThread | None:
        """Make another thread leader, with the lock held; it has to be woken. None when there is none left."""
        me.leading = False
        self.busy += 1
        if self._followers:
            follower = self._followers.pop()
        elif len(self.threads) < 2 * self.size + 2:
            # More than may run requests: somebody has to look at the sockets even when all of those are slow.
            follower = self._new_thread()
        else:
            self._leader_wanted = True
            self.leader = None
            return None
        follower.leading = True
        self.leader = follower
        return follower

    def step_down(self) -> None:
        """To be called by a thread that is about to wait: if it leads, another one leads on."""
        me = self.current()
        if me is not None and me.leave_slot():
            self.hand_over(me)

    def overtake(self, leader: WorkerThread, turn: int) -> bool:
        """Let another thread lead over the head of one that is still in the same turn; whether that was so."""
        # All of it with the lock, or the old leader might be done, and lead on, before there is a new one.
        with self.lock:
            if self.turn != turn or not leader.leave_slot():
                return False
            follower = self._give_lead(leader)
        if follower is not None:
            follower.wake.release()
        return True

    def run_elsewhere(self, job: Callable[[], object]) -> bool:
        """Have a worker do something that the leader should not wait for; False when there is none any more.

        When all are busy, whoever is done next does it.
        """
        with self.lock:
            if self.finished:
                return False
            self._jobs.append(job)
            if self._followers:
                follower = self._followers.pop()
            elif len(self.threads) <= self.size:
                follower = self._new_thread()
            else:
                return True
            self.busy += 1
        follower.wake.release()
        return True

    def see_to(self, job: Callable[[], object]) -> None:
        """Have something done by a worker, or here at the very end, when there is none any more. Raises nothing."""
        if not self.run_elsewhere(job):
            self._do_here(job)

    def _do_here(self, job: Callable[[], object]) -> None:
        try:
            job()
        except Exception:  # a file that does not like to be closed; what else has to be ended must be, all the same
            log.exception("the end goes on after a task that failed")

    def _new_thread(self) -> WorkerThread:
        thread = WorkerThread(f"wheatpaste-{len(self.threads) + 1}")
        self.threads.append(thread)
        thread.thread = threading.Thread(target=self._work, args=(thread,), name=thread.name, daemon=True)
        thread.thread.start()
        return thread

    def _work(self, me: WorkerThread) -> None:
        me.ident = threading.get_ident()
        self._by_ident[me.ident] = me
        while True:
            me.wake.acquire()
            if self.finished:
                return
            task: Task | None = self._lead if me.leading else self._next_task(me)
            while task is not None:
                try:
                    task(me)
                except BaseException:
                    # A mistake, or a file that does not like to be closed. Without this thread nobody might lead.
                    log.exception("%s goes on after a task that failed", me.name)
                    me.forget_request()
                task = self._next_task(me)

    def _next_task(self, me: WorkerThread) -> Task | None:
        """What a worker does next; None when it becomes a follower, or has to end."""
        with self.lock:
            if self.finished:
                return None
            if me.leading:
                return self._lead  # after a mistake: nobody else does
            if self._leader_wanted:
                self._leader_wanted = False
                self.busy -= 1
                me.leading = True
                self.leader = me
                return self._lead
            if self._jobs:
                job = self._jobs.popleft()
                return lambda _: job()
            if self.waiting:
                return self.waiting.popleft().run
            self.busy -= 1
            self._followers.append(me)
            return None
