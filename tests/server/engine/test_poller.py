"""Waiting for sockets: both pollers, with other threads at it at the same time."""

from __future__ import annotations

import contextlib
import random
import select
import selectors
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from wheatpaste.server.engine.poller import READ, WRITE, Poller, make_poller

SOON = 20.0
needs_epoll = pytest.mark.skipif(not hasattr(select, "epoll"), reason="only Linux has epoll")


@pytest.fixture(params=[pytest.param("epoll", marks=needs_epoll), "selectors", "PollSelector", "SelectSelector"])
def poller(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Poller]:
    """Each kind, and the portable one upon what other systems have, too."""
    kind = request.param
    if kind.endswith("Selector"):
        monkeypatch.setattr(selectors, "DefaultSelector", getattr(selectors, kind))
        kind = "selectors"
    poller = make_poller(kind)
    yield poller
    poller.close()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    one, other = socket.socketpair()
    one.setblocking(False)
    with one, other:
        yield one, other


Pair = tuple[socket.socket, socket.socket]


def test_what_can_be_read_is_told_as_long_as_it_can(poller: Poller, pair: Pair) -> None:
    one, other = pair
    poller.watch(one.fileno(), READ)
    assert poller.poll(0) == []
    other.send(b"x")
    assert poller.poll(SOON) == [(one.fileno(), READ)]
    assert poller.poll(SOON) == [(one.fileno(), READ)]
    one.recv(1)
    assert poller.poll(0) == []


def test_what_is_waited_for_may_change(poller: Poller, pair: Pair) -> None:
    one, other = pair
    other.send(b"x")
    poller.watch(one.fileno(), WRITE)
    assert poller.poll(SOON) == [(one.fileno(), WRITE)]
    poller.change(one.fileno(), READ)
    assert poller.poll(SOON) == [(one.fileno(), READ)]
    poller.change(one.fileno(), READ | WRITE)
    assert poller.poll(SOON) == [(one.fileno(), READ | WRITE)]


def test_what_is_forgotten_is_not_told_and_may_be_watched_again(poller: Poller, pair: Pair) -> None:
    one, other = pair
    other.send(b"x")
    poller.watch(one.fileno(), READ)
    poller.forget(one.fileno())
    poller.forget(one.fileno())
    assert poller.poll(0) == []
    poller.watch(one.fileno(), READ)
    assert poller.poll(SOON) == [(one.fileno(), READ)]


def test_the_other_side_leaving_is_told(poller: Poller, pair: Pair) -> None:
    one, other = pair
    poller.watch(one.fileno(), READ)
    other.close()
    ((fd, mask),) = poller.poll(SOON)
    assert fd == one.fileno()
    assert mask & READ


def test_a_number_that_is_used_again_is_another_socket(poller: Poller) -> None:
    for _ in range(50):
        one, other = socket.socketpair()
        with other:
            poller.watch(one.fileno(), READ)
            other.send(b"x")
            assert poller.poll(SOON) == [(one.fileno(), READ)]
            poller.forget(one.fileno())
            one.close()
    one, other = socket.socketpair()
    with one, other:
        poller.watch(one.fileno(), READ)
        assert poller.poll(0) == []
        other.send(b"x")
        assert poller.poll(SOON) == [(one.fileno(), READ)]


def test_a_call_wakes_it(poller: Poller) -> None:
    for _ in range(3):
        waker = threading.Timer(0.05, poller.wake)
        waker.start()
        begun = time.monotonic()
        assert poller.poll(SOON) == []
        assert time.monotonic() - begun < SOON / 2
        waker.join()
    for _ in range(3000):  # more than a pair of sockets holds
        poller.wake()
    assert poller.poll(SOON) == []


@pytest.mark.parametrize("what", ["watch", "change"])
def test_what_another_thread_asks_for_is_seen_at_once(poller: Poller, pair: Pair, what: str) -> None:
    one, other = pair
    other.send(b"x")
    if what == "change":
        full = one
        with contextlib.suppress(BlockingIOError):
            while True:
                full.send(b"x" * 65536)
        poller.watch(one.fileno(), WRITE)
    asker = threading.Timer(0.05, lambda: getattr(poller, what)(one.fileno(), READ))
    asker.start()
    begun = time.monotonic()
    while not (told := poller.poll(SOON)) and time.monotonic() - begun < SOON:
        pass
    assert told == [(one.fileno(), READ)]
    assert time.monotonic() - begun < SOON / 2
    asker.join()


def test_sockets_come_and_go_in_other_threads(poller: Poller) -> None:
    """Nothing is told that is not there, nothing that is there goes unnoticed, and nothing breaks."""
    over = threading.Event()
    seen: set[int] = set()
    failures: list[BaseException] = []

    def watch_and_forget(seed: int) -> None:
        chance = random.Random(seed)
        try:
            for _ in range(150):
                one, other = socket.socketpair()
                with one, other:
                    seen.discard(one.fileno())
                    poller.watch(one.fileno(), READ)
                    if chance.random() < 0.5:
                        poller.change(one.fileno(), WRITE)
                    else:
                        other.send(b"x")
                    end = time.monotonic() + SOON
                    while one.fileno() not in seen and time.monotonic() < end:
                        time.sleep(0)
                    assert one.fileno() in seen
                    poller.forget(one.fileno())
        except BaseException as failure:
            failures.append(failure)

    def lead() -> None:
        try:
            while not over.is_set():
                seen.update(fd for fd, _ in poller.poll(0.2))
        except BaseException as failure:
            failures.append(failure)

    leader = threading.Thread(target=lead)
    others = [threading.Thread(target=watch_and_forget, args=(seed,)) for seed in range(4)]
    for thread in (leader, *others):
        thread.start()
    for thread in others:
        thread.join(60)
    over.set()
    poller.wake()
    leader.join(10)
    assert failures == []


@pytest.mark.parametrize("kind", [pytest.param("epoll", marks=needs_epoll), "selectors"])
def test_who_polls_while_it_is_closed_is_told_nothing(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An end does not wait for a thread that has not had its turn for a second."""

    class ClosedMeanwhile:
        """Waits as the real one does, and finds the poller closed afterwards."""

        def __init__(self, real: Any) -> None:
            self._real = real

        def __getattr__(self, name: str) -> Any:
            return getattr(self._real, name)

        def poll(self, *limits: Any) -> Any:
            found = self._real.poll(*limits)
            poller.close()
            return found

        def select(self, timeout: float | None) -> Any:
            found = self._real.select(timeout)
            poller.close()
            return found

    real_epoll, real_selector = getattr(select, "epoll", None), selectors.DefaultSelector
    if kind == "epoll":
        monkeypatch.setattr(select, "epoll", lambda: ClosedMeanwhile(real_epoll()))
    else:
        monkeypatch.setattr(selectors, "DefaultSelector", lambda: ClosedMeanwhile(real_selector()))
    poller = make_poller(kind)
    poller.wake()
    assert poller.poll(SOON) == []
    one, other = socket.socketpair()
    with one, other:
        if kind == "selectors":
            poller.watch(one.fileno(), READ)  # as a thread does that has not heard of it
        assert poller.poll(0) == []


def test_only_a_kind_that_this_system_has_is_made() -> None:
    kinds = set()
    for kind in ("auto", "selectors"):
        poller = make_poller(kind)
        kinds.add(type(poller).__name__)
        poller.close()
    assert kinds == ({"EpollPoller", "SelectorPoller"} if hasattr(select, "epoll") else {"SelectorPoller"})
