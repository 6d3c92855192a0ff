"""The queue of reports: in order, tried again, bounded, isolated, said once, and flushed at the end."""

from __future__ import annotations

import gc
import logging
import multiprocessing
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from wheatpaste.middleware.delivery.queue import DeliveryQueue, Refused
from wheatpaste.testing import Clock


class Carrier:
    """Carries parcels, or raises what stands in ``faults`` first."""

    def __init__(self, *faults: BaseException) -> None:
        self.faults = list(faults)
        self.carried: list[str] = []
        self.tries = 0

    def __call__(self, parcel: str) -> None:
        self.tries += 1
        if self.faults:
            fault = self.faults.pop(0)
            raise fault
        self.carried.append(parcel)


def still(carrier: Callable[[str], Any], clock: Clock, **more: Any) -> DeliveryQueue[str]:
    """A queue whose thread never starts: the test is its thread."""
    return DeliveryQueue(carrier, "errors by test", clock=clock.monotonic, start=lambda thread: None, **more)


def eventually(true: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)


# Decisions, on a clock of the test's ----------------------------------------------------------------------------------


def test_parcels_arrive_in_their_order(clock: Clock) -> None:
    queue = still(carrier := Carrier(), clock)
    for parcel in "abc":
        queue.put(parcel)
    assert queue.step() is None
    assert carrier.carried == ["a", "b", "c"]


def test_what_fails_is_tried_again_after_ever_longer_pauses(clock: Clock) -> None:
    queue = still(carrier := Carrier(*[OSError("down")] * 10), clock)
    queue.put("a")
    pauses = []
    while (pause := queue.step()) is not None:
        pauses.append(pause)
        assert queue.step() == pause, "nothing is tried before its time"
        clock.advance(pause)
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300]
    assert carrier.carried == ["a"]


def test_row_18_a_fault_is_said_once_and_so_is_its_end(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    queue = still(Carrier(*[OSError(111, "Connection refused")] * 5), clock)
    for parcel in "ab":
        queue.put(parcel)
    while (pause := queue.step()) is not None:
        clock.advance(pause)
    assert [record.getMessage() for record in caplog.records] == [
        "errors by test: they cannot be sent, and are tried again "
        "(ConnectionRefusedError: [Errno 111] Connection refused)",
        "errors by test: they are sent again",
    ]


def test_what_is_refused_keeps_nobody_else_waiting(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    queue = still(carrier := Carrier(Refused("550 no such user")), clock)
    for parcel in "ab":
        queue.put(parcel)
    assert queue.step() is None
    assert carrier.carried == ["b"]
    assert [record.getMessage() for record in caplog.records] == [
        "errors by test: one was refused (550 no such user)",
        "errors by test: they are sent again; 1 lost meanwhile",
    ]


def test_it_gives_up_on_one_that_never_arrives(clock: Clock) -> None:
    queue = still(carrier := Carrier(*[ValueError("not that one")] * 20), clock)
    for parcel in "ab":
        queue.put(parcel)
    while (pause := queue.step()) is not None:
        clock.advance(pause)
    assert (carrier.tries, carrier.carried) == (21, ["b"])


def test_what_does_not_fit_is_counted_and_told(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    queue = still(carrier := Carrier(), clock, most=3)
    for parcel in "abcdef":
        queue.put(parcel)
    queue.step()
    assert carrier.carried == ["a", "b", "c"]
    assert [record.getMessage() for record in caplog.records] == [
        "errors by test: 3 wait already, so others are lost",
        "errors by test: they are sent again; 3 lost meanwhile",
    ]


def test_a_secret_in_a_fault_is_not_logged(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    queue = still(Carrier(OSError("login with password=hunter2-hunter2\r\nfailed")), clock)
    queue.put("a")
    queue.step()
    assert "hunter2" not in caplog.text
    assert "\\nfailed" in caplog.text
    queue.close()


class Timer:
    """One parcel that is due at a time."""

    def __init__(self, at: float) -> None:
        self.at: float | None = at

    def due_at(self) -> float | None:
        return self.at

    def take(self, now: float, *, all_of_it: bool = False) -> str | None:
        if self.at is None or (now < self.at and not all_of_it):
            return None
        self.at = None
        return "late"


def test_parcels_come_by_themselves_when_they_are_due(clock: Clock) -> None:
    carrier = Carrier()
    queue = still(carrier, clock, later=Timer(clock.monotonic() + 60))
    queue.put("a")
    assert queue.step() == pytest.approx(60)
    assert carrier.carried == ["a"]
    clock.advance(60)
    assert queue.step() is None
    assert carrier.carried == ["a", "late"]


# With its thread ------------------------------------------------------------------------------------------------------


def test_nothing_is_started_before_the_first_parcel() -> None:
    before = set(threading.enumerate())
    queue = DeliveryQueue(carrier := Carrier(), "errors by test")
    assert not set(threading.enumerate()) - before
    queue.put("a")
    eventually(lambda: carrier.carried == ["a"])
    queue.close()
    assert not set(threading.enumerate()) - before


def test_a_carrier_that_hangs_keeps_nobody_waiting() -> None:
    """Whoever reports returns at once, and closing ends at its deadline."""
    free = threading.Event()
    queue: DeliveryQueue[str] = DeliveryQueue(lambda parcel: free.wait(30), "errors by test", most=10)
    began = time.monotonic()
    for _ in range(1000):
        queue.put("a")
    queue.close(0.1)
    assert time.monotonic() - began < 15  # and not thirty
    free.set()


def test_closing_sends_what_waits_and_what_is_not_due_yet() -> None:
    carrier = Carrier()
    queue: DeliveryQueue[str] = DeliveryQueue(carrier, "errors by test", later=Timer(time.monotonic() + 3600))
    for parcel in "abc":
        queue.put(parcel)
    queue.close()
    assert carrier.carried == ["a", "b", "c", "late"] or carrier.carried == ["late", "a", "b", "c"]


def test_closing_tries_once_and_counts_what_is_lost(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    # On a clock that stands still, nobody tries again before.
    queue = DeliveryQueue(carrier := Carrier(*[OSError("down")] * 9), "errors by test", clock=clock.monotonic)
    for parcel in "abc":
        queue.put(parcel)
    eventually(lambda: carrier.tries == 1)
    queue.close()
    assert carrier.tries == 2
    assert "3 not sent before the end" in caplog.text


def test_it_can_be_used_after_it_was_closed() -> None:
    queue = DeliveryQueue(carrier := Carrier(), "errors by test")
    for parcel in "ab":
        queue.put(parcel)
        queue.close()
    assert carrier.carried == ["a", "b"]


def test_many_threads_may_report_at_a_time() -> None:
    queue = DeliveryQueue(carrier := Carrier(), "errors by test", most=10_000)
    threads = [threading.Thread(target=lambda: [queue.put("a") for _ in range(250)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    queue.close(10)
    assert len(carrier.carried) == 2000


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked on POSIX")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_process_has_a_thread_of_its_own_and_not_its_parent_s_parcels() -> None:
    context = multiprocessing.get_context("fork")
    arrived = context.SimpleQueue()
    free = threading.Event()

    def carry(parcel: str) -> None:
        if os.getpid() == parent:
            free.wait(30)
        arrived.put((os.getpid() == parent, parcel))

    parent = os.getpid()
    queue: DeliveryQueue[str] = DeliveryQueue(carry, "errors by test")
    for _ in range(3):
        queue.put("parent's")  # the first hangs, with the lock in any state

    def child() -> None:
        queue.put("child's")
        queue.close()

    process = context.Process(target=child)
    process.start()
    process.join(20)
    assert process.exitcode == 0
    assert arrived.get() == (False, "child's")
    free.set()
    queue.close()
    assert [arrived.get() for _ in range(3)] == [(True, "parent's")] * 3
    assert arrived.empty()


END = """
import time
from wheatpaste.middleware.delivery.queue import DeliveryQueue

def carry(parcel):
    time.sleep({seconds})
    print(parcel, flush=True)

DeliveryQueue(carry, "errors by test").put("arrived")
"""


@pytest.mark.slow
@pytest.mark.parametrize(("seconds", "out"), [(0.2, "arrived\n"), (60, "")], ids=["is waited for", "but not for ever"])
def test_a_report_just_before_the_end_of_the_program(seconds: float, out: str) -> None:
    began = time.monotonic()
    ended = subprocess.run(
        [sys.executable, "-c", END.format(seconds=seconds)], capture_output=True, text=True, timeout=30
    )
    assert (ended.returncode, ended.stdout) == (0, out)
    assert time.monotonic() - began < 15


def test_a_closed_queue_is_let_go() -> None:
    """Nothing registered at the end of the program keeps the queues of apps that a reload has replaced."""
    import weakref

    queue = DeliveryQueue(Carrier(), "errors by test")
    queue.put("a")
    queue.close()
    gone = weakref.ref(queue)
    del queue
    gc.collect()
    assert gone() is None
