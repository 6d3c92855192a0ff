"""Threads that lead in turn, run tasks, and follow."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator

import pytest
from engine_in_thread import wait_for

from wheatpaste.server.engine.crew import Crew
from wheatpaste.server.engine.worker_thread import WorkerThread


class Scripted:
    """A crew whose leaders do what the test says, one thing after the other."""

    def __init__(self, size: int) -> None:
        self.crew = Crew(size, self._lead)
        self.leaders: list[str] = []
        self._todo: list[Callable[[WorkerThread], object]] = []
        self._bell = threading.Semaphore(0)
        self.crew.start()

    def _lead(self, me: WorkerThread) -> None:
        self.leaders.append(me.name)
        while me.leading and not self.crew.finished:
            self._bell.acquire()
            if self._todo:
                self._todo.pop(0)(me)

    def do(self, what: Callable[[WorkerThread], object]) -> None:
        self._todo.append(what)
        self._bell.release()

    def end(self) -> None:
        self.crew.finished = True
        for _ in range(10):
            self._bell.release()
        self.crew.end()


@pytest.fixture
def make() -> Iterator[Callable[[int], Scripted]]:
    made: list[Scripted] = []

    def make(size: int) -> Scripted:
        made.append(Scripted(size))
        return made[-1]

    yield make
    for each in made:
        each.end()


def test_a_leader_that_hands_over_goes_on_with_its_own(make: Callable[[int], Scripted]) -> None:
    scripted = make(2)
    gate, ran = threading.Event(), []

    def slow(me: WorkerThread) -> None:
        scripted.crew.hand_over(me)
        gate.wait(10)
        ran.append(me.name)

    scripted.do(slow)
    wait_for(lambda: len(scripted.leaders) == 2, "another one leads")
    assert scripted.crew.busy == 1
    assert scripted.crew.leader is not None
    assert scripted.crew.leader.name == scripted.leaders[1] != scripted.leaders[0]
    gate.set()
    wait_for(lambda: scripted.crew.idle, "the first one follows")
    assert ran == [scripted.leaders[0]]
    # The one that follows leads when the lead is handed over again.
    scripted.do(slow)
    wait_for(lambda: len(scripted.leaders) == 3, "it leads again")
    assert scripted.leaders[2] == scripted.leaders[0]


def test_when_all_threads_are_busy_the_first_that_is_done_leads(make: Callable[[int], Scripted]) -> None:
    scripted = make(1)
    gates = [threading.Event() for _ in range(4)]

    def slow(number: int) -> Callable[[WorkerThread], None]:
        def run(me: WorkerThread) -> None:
            scripted.crew.hand_over(me)
            gates[number].wait(10)

        return run

    for number in range(4):
        scripted.do(slow(number))
    wait_for(lambda: scripted.crew.leader is None, "nobody leads")
    gates[2].set()
    wait_for(lambda: scripted.crew.leader is not None, "somebody leads")
    assert scripted.leaders[-1] == scripted.leaders[2]
    for gate in gates:
        gate.set()
    wait_for(lambda: scripted.crew.idle, "all are done")
    assert len(scripted.crew.threads) == 4


def test_a_leader_may_be_overtaken_in_the_turn_that_was_seen_only(make: Callable[[int], Scripted]) -> None:
    scripted = make(2)
    crew, gate = scripted.crew, threading.Event()
    kept = []

    def serve(me: WorkerThread) -> None:
        crew.turn += 1
        me.slot.append(True)
        gate.wait(10)
        kept.append(me.leave_slot())

    scripted.do(serve)
    leader = wait_for(lambda: crew.leader, "one leads")
    wait_for(lambda: leader.slot, "it serves")
    assert not crew.overtake(leader, crew.turn - 1)
    assert crew.overtake(leader, crew.turn)
    assert not crew.overtake(leader, crew.turn)
    assert crew.leader is not leader
    gate.set()
    wait_for(lambda: kept, "the old one is done")
    assert kept == [False]
    wait_for(lambda: crew.idle, "it follows")


def test_jobs_are_done_by_others_and_all_of_them(make: Callable[[int], Scripted]) -> None:
    scripted = make(3)
    done: list[str] = []
    for _ in range(50):
        assert scripted.crew.run_elsewhere(lambda: done.append(threading.current_thread().name))
    wait_for(lambda: len(done) == 50, "all are done")
    assert scripted.leaders[0] not in done
    assert len(scripted.crew.threads) <= 4


def test_a_job_waits_for_a_thread_when_all_are_busy(make: Callable[[int], Scripted]) -> None:
    scripted = make(1)
    gate = threading.Event()
    assert scripted.crew.run_elsewhere(lambda: gate.wait(10))
    later: list[int] = []
    assert scripted.crew.run_elsewhere(lambda: later.append(1))
    gate.set()
    wait_for(lambda: later, "it was done when there was a thread")


@pytest.mark.parametrize("error", [ValueError, SystemExit, KeyboardInterrupt])
def test_nothing_that_a_task_raises_costs_a_thread(
    make: Callable[[int], Scripted], caplog: pytest.LogCaptureFixture, error: type[BaseException]
) -> None:
    def fail(me: WorkerThread | None = None) -> None:
        raise error("a mistake")

    scripted = make(2)
    with caplog.at_level(logging.ERROR):
        for _ in range(5):
            scripted.crew.run_elsewhere(fail)
            scripted.do(fail)
        wait_for(lambda: caplog.text.count("a mistake") >= 10, "all are told")
    wait_for(lambda: scripted.crew.idle, "nothing runs")
    assert all(thread.thread is not None and thread.thread.is_alive() for thread in scripted.crew.threads)
    done: list[int] = []
    scripted.do(lambda me: done.append(1))
    scripted.crew.run_elsewhere(lambda: done.append(2))
    wait_for(lambda: sorted(done) == [1, 2], "the leader leads, and the others work")


def test_it_ends_all_of_its_threads(make: Callable[[int], Scripted]) -> None:
    scripted = make(3)
    for _ in range(10):
        scripted.crew.run_elsewhere(lambda: None)
    wait_for(lambda: scripted.crew.idle, "nothing runs")
    scripted.end()
    for thread in scripted.crew.threads:
        assert thread.thread is not None
        thread.thread.join(20)
        assert not thread.thread.is_alive()
    assert not scripted.crew.run_elsewhere(lambda: None)


def test_there_are_never_two_leaders() -> None:
    """One is done with its request in the very moment in which it is overtaken."""
    began, gate, bell = threading.Event(), threading.Event(), threading.Semaphore(0)
    waiting: list[str] = []

    def lead(me: WorkerThread) -> None:
        while not crew.finished:
            waiting.append(me.name)
            bell.acquire()
            waiting.remove(me.name)
            crew.turn += 1
            me.slot.append(True)
            began.set()
            gate.wait(10)
            if not me.leave_slot():
                return

    crew = Crew(2, lead)
    crew.start()
    bell.release()
    assert began.wait(20)
    leader = crew.leader
    assert leader is not None
    with crew.lock:
        watchdog = threading.Thread(target=crew.overtake, args=(leader, crew.turn))
        watchdog.start()
        watchdog.join(0.1)  # it waits for the lock
        gate.set()
        wait_for(lambda: waiting, "the leader is done, and leads on")
    watchdog.join(20)
    assert len({thread.name for thread in crew.threads if thread.leading}) == 1
    began.clear()
    bell.release()
    assert began.wait(20)
    wait_for(lambda: waiting, "the one leader waits again")
    assert len(waiting) == 1
    crew.finished = True
    for _ in range(4):
        bell.release()
    crew.end()
