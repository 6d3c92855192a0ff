"""Handshakes have threads of their own: they hold up neither the leader nor requests."""

from __future__ import annotations

import contextlib
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from engine_in_thread import EngineInThread, wait_for
from paced_app import get
from raw_http import Wire
from tls_peers import Authority, anybody

from wheatpaste.server.engine.handshakers import Handshakers
from wheatpaste.server.tls.contexts import make_tls

Start = Callable[..., EngineInThread]


class Stuck:
    """TLS that comes to no end before ``gate`` is open."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.gate = threading.Event()

    def wrap_socket(self, sock: Any, **keywords: Any) -> Any:
        self.begun.release()
        self.gate.wait(10)
        raise OSError("it comes to nothing")


@pytest.fixture
def make() -> Iterator[Callable[[int], Handshakers]]:
    made: list[Handshakers] = []

    def make(most: int) -> Handshakers:
        made.append(Handshakers(most))
        return made[-1]

    yield make
    for each in made:
        each.end()


def test_all_steps_are_taken_in_their_order_and_by_others(make: Callable[[int], Handshakers]) -> None:
    handshakers = make(1)
    taken: list[tuple[int, int]] = []
    for number in range(100):
        handshakers.take(lambda number=number: taken.append((number, threading.get_ident())))  # type: ignore[misc]
    handshakers.end()
    assert [number for number, _ in taken] == list(range(100))
    (ident,) = {ident for _, ident in taken}
    assert ident != threading.get_ident()


def test_there_are_no_more_threads_than_it_was_told(make: Callable[[int], Handshakers]) -> None:
    handshakers = make(2)
    gate = threading.Event()
    running: list[int] = []

    def step() -> None:
        running.append(threading.get_ident())
        gate.wait(10)

    for _ in range(10):
        handshakers.take(step)
    wait_for(lambda: running, "they begin")
    gate.set()
    handshakers.end()
    assert len(running) == 10
    assert len(set(running)) <= 2


def test_a_step_that_fails_costs_no_thread(
    make: Callable[[int], Handshakers], caplog: pytest.LogCaptureFixture
) -> None:
    handshakers = make(1)
    taken: list[int] = []
    handshakers.take(lambda: 1 // 0)
    handshakers.take(lambda: taken.append(1))
    wait_for(lambda: taken, "the next one is taken")
    assert "ZeroDivisionError" in caplog.text


def test_handshakes_that_last_take_no_thread_from_requests(start: Start) -> None:
    tls = Stuck()
    server = start(threads=1, tls=tls)
    wires = [Wire(server.tcp) for _ in range(8)]
    for wire in wires:
        wire.send(b"\x16")
    assert tls.begun.acquire(timeout=20)
    with Wire(server.unix) as other:
        for _ in range(10):
            other.send(get("/other"))
            reply = other.read_reply()
            assert reply is not None
            assert reply.status == 200
    assert not server.engine.snapshot()["waiting"]
    tls.gate.set()
    for wire in wires:
        assert wire.read_rest() == b""
        wire.close()


def test_a_client_that_is_silent_wakes_nobody(start: Start) -> None:
    tls = Stuck()
    server = start(tls=tls, deadlines={"handshake": 1.0})
    with Wire(server.tcp) as mute:
        assert (mute.read_rest(), mute.ended) == (b"", "closed")
    assert not tls.begun.acquire(blocking=False)


def test_a_handshake_that_stops_before_its_end_holds_nobody_up(start: Start, tmp_path: Path) -> None:
    server = start(tls=make_tls([Authority(tmp_path).issue("shop.example")]))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = anybody().wrap_bio(incoming, outgoing)
    with Wire(server.tcp) as halting, Wire(server.unix) as other:
        while True:
            with contextlib.suppress(ssl.SSLWantReadError):
                client.do_handshake()
                break
            halting.send(outgoing.read())
            incoming.write(halting.socket.recv(65536))
        client.write(get("/halting"))
        last = outgoing.read()
        for piece in (last[:10], last[10:-20], last[-20:]):
            halting.send(piece)
            for _ in range(3):
                other.send(get("/other"))
                reply = other.read_reply()
                assert reply is not None
                assert reply.status == 200
        said = b""
        while b"/halting " not in said:
            incoming.write(halting.socket.recv(65536))
            with contextlib.suppress(ssl.SSLWantReadError):
                said += client.read()


def test_stopping_does_not_wait_for_a_handshake_that_comes_to_no_end(start: Start) -> None:
    tls = Stuck()
    server = start(tls=tls)
    with Wire(server.tcp) as wire:
        wire.send(b"\x16")
        assert tls.begun.acquire(timeout=20)
        server.stop(force=True, deadline=9)
        tls.gate.set()
        assert wire.read_rest() == b""
