"""Too many requests, too few descriptors, threads that hang, and clocks that jump."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import resource
import select
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from conformance_app import ConformanceApp
from conformance_exchange import alive
from engine_in_thread import EngineInThread, wait_for
from raw_http import Wire

Start = Callable[..., EngineInThread]
WAIT = b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n"


def waiting(server: EngineInThread, number: int) -> list[Wire]:
    """So many requests that the app holds back, or the server: all of them sent."""
    wires = []
    for _ in range(number):
        wires.append(Wire(server.unix, 20))
        wires[-1].send(WAIT)
        wires[-1].wait_until_taken()
    return wires


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_more_requests_than_may_wait_are_refused_with_503(start: Start, threads: int) -> None:
    server = start(threads=threads, limits={"waiting": 3})
    app: ConformanceApp = server.app
    held = waiting(server, threads)
    wait_for(lambda: len(app.calls) == threads, "the threads are busy")
    queued = waiting(server, 3)
    with Wire(server.unix) as wire:
        wire.send(WAIT)
        reply = wire.read_reply()
        assert reply is not None
        assert reply.status == 503
        assert int(reply.get("Retry-After") or "") > 0
        assert not reply.stays
    assert len(app.calls) == threads
    app.gate.set()
    for wire in held + queued:
        answered = wire.read_reply()
        assert answered is not None
        assert answered.status == 200
        wire.close()
    assert alive(server.unix)


def test_a_request_that_waits_too_long_is_refused_with_503(start: Start) -> None:
    server = start(threads=1, deadlines={"waiting": 0.5})
    held, queued = waiting(server, 2)
    reply = queued.read_reply()
    assert reply is not None
    assert reply.status == 503
    assert reply.get("Retry-After") is not None
    server.app.gate.set()
    answered = held.read_reply()
    assert answered is not None
    assert answered.status == 200
    assert len(server.app.calls) == 1
    held.close()
    queued.close()


@pytest.mark.parametrize("threads", [2, 3])
def test_health_is_answered_while_everything_waits(start: Start, threads: int) -> None:
    server = start(threads=threads, limits={"waiting": 2}, health_paths=("/-/probe",))
    wires = waiting(server, threads + 2)
    assert alive(server.unix)
    assert alive(server.tcp)
    server.app.gate.set()
    for wire in wires:
        wire.close()


def test_too_many_connections_are_refused_politely(start: Start) -> None:
    server = start(limits={"connections": 5})
    wires = [Wire(server.tcp) for _ in range(5)]
    for wire in wires:
        wire.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert wire.read_reply() is not None
    with Wire(server.tcp) as late:
        reply = late.read_reply()
        assert reply is not None
        assert reply.status == 503
        assert reply.get("Retry-After")
        assert not late.read_rest()
    wires.pop().close()
    wait_for(lambda: alive(server.tcp), "there is room again")
    for wire in wires:
        wire.close()


def test_an_address_may_have_a_limit_of_its_own(start: Start) -> None:
    server = start(limits={"connections_per_address": 2})
    with Wire(server.tcp) as first, Wire(server.tcp) as second:
        for wire in (first, second):
            wire.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert wire.read_reply() is not None
        with Wire(server.tcp) as third:
            reply = third.read_reply()
            assert reply is not None
            assert reply.status == 503
        assert alive(server.unix)
    wait_for(lambda: alive(server.tcp), "there is room again")


def test_no_descriptors_left_is_survived_without_a_busy_loop(start: Start) -> None:
    server = start()
    assert alive(server.tcp)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    clients = [socket.socket() for _ in range(6)]
    taken: list[int] = []
    refused: list[socket.socket] = []
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (clients[-1].fileno() + 1, hard))
        with contextlib.suppress(OSError):
            while True:
                taken.append(os.dup(0))
        for client in clients:
            client.connect(server.tcp)
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        spent = time.process_time()
        while time.process_time() - spent < 0.5 and (told := select.select(clients, [], [], 0.6)[0]):
            for (
                client
            ) in told:  # one gets the descriptor that the server keeps to say so, one that of the first request
                assert client.recv(100).startswith((b"HTTP/1.1 503 ", b"HTTP/1.1 200 "))
                clients.remove(client)
                refused.append(client)
        assert time.process_time() - spent < 0.3
        assert clients
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for descriptor in taken:
            os.close(descriptor)
    for client in clients:
        client.settimeout(10)
        assert client.recv(100).startswith(b"HTTP/1.1 200 ")
    for client in clients + refused:
        client.close()
    assert alive(server.tcp)


def test_a_hung_request_is_told_with_its_stack(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    server = start(threads=2, deadlines={"hung": 0.4})
    (wire,) = waiting(server, 1)
    wait_for(lambda: "gate.wait" in caplog.text, "the stack is in the log")
    snapshot = server.engine.snapshot()
    json.dumps(snapshot)
    assert [thread["state"] for thread in snapshot["threads"]].count("hung") == 1
    assert alive(server.tcp)
    server.app.gate.set()
    assert wire.read_reply() is not None
    wait_for(
        lambda: "hung" not in [thread["state"] for thread in server.engine.snapshot()["threads"]],
        "nothing hangs any more",
    )
    assert caplog.text.count("gate.wait") <= 2
    wire.close()


def test_too_many_hung_requests_ask_for_a_replacement(start: Start) -> None:
    server = start(threads=3, deadlines={"hung": 0.3}, max_hung=2)
    (first,) = waiting(server, 1)
    wait_for(lambda: "hung" in str(server.engine.snapshot()), "one request hangs")
    assert server.engine.wants_replacement is None
    (second,) = waiting(server, 1)
    assert wait_for(lambda: server.engine.wants_replacement, "the engine asks to be replaced")
    server.app.gate.set()
    first.close()
    second.close()


def test_a_request_may_have_a_hard_deadline(start: Start) -> None:
    server = start(threads=2, deadlines={"request": 1.0})
    (wire,) = waiting(server, 1)
    reply = wire.read_reply()
    assert reply is not None
    assert reply.status == 504
    assert not reply.stays
    assert alive(server.tcp)
    server.app.gate.set()
    assert alive(server.tcp)
    wire.close()


def test_a_number_of_requests_asks_for_a_replacement(start: Start) -> None:
    server = start(max_requests=3)
    for number in range(3):
        assert server.engine.wants_replacement is None, number
        assert alive(server.tcp)
    assert wait_for(lambda: server.engine.wants_replacement, "the engine asks to be replaced")
    assert alive(server.tcp)


@pytest.mark.parametrize("step", [-86_400, 86_400])
def test_a_clock_that_is_set_moves_the_date_alone(start: Start, monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    server = start(deadlines={"keep_alive": 30, "head": 30})
    true_time = time.time
    with Wire(server.tcp) as idle, Wire(server.tcp) as half:
        idle.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert idle.read_reply() is not None
        half.send(b"GET / HTTP/1.1\r\n")
        monkeypatch.setattr(time, "time", lambda: true_time() + step)
        assert idle.quiet(1.2)
        half.send(b"Host: x\r\n\r\n")
        idle.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        for wire in (idle, half):
            reply = wire.read_reply()
            assert reply is not None
            assert reply.status == 200


def test_threads_do_not_grow_without_end(start: Start) -> None:
    server = start(threads=3, limits={"waiting": 100})
    before = threading.active_count()
    wires = waiting(server, 30)
    assert threading.active_count() - before <= 6
    server.app.gate.set()
    for wire in wires:
        assert wire.read_reply() is not None
        wire.close()


def test_slow_apps_are_all_served(start: Start) -> None:
    """Each request waits for seven others; all threads take part."""
    eight = threading.Barrier(8)

    def answer(environ: dict[str, Any], start_response: Any, call: Any) -> Any:
        eight.wait(20)
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "0")])
        return []

    server = start(ConformanceApp(hooks={"/nap": answer}), threads=8)
    wires = [Wire(server.unix) for _ in range(40)]
    for _ in range(2):
        for wire in wires:
            wire.send(b"GET /nap HTTP/1.1\r\nHost: x\r\n\r\n")
        for wire in wires:
            reply = wire.read_reply()
            assert reply is not None
            assert reply.status == 200
    for wire in wires:
        wire.close()
