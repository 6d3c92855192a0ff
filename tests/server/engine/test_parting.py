"""Connections for one request: read before they are watched, and mostly over before the poller hears of them."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from engine_in_thread import EngineInThread, wait_for
from paced_app import Environ, PacedApp, get
from raw_http import Wire

Start = Callable[..., EngineInThread]

LAST = b"GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
OLD = b"GET /last HTTP/1.0\r\n\r\n"


@pytest.mark.usefixtures("restless")
@pytest.mark.parametrize("poller", ["auto", "selectors"])
@pytest.mark.parametrize("request_", [LAST, OLD, LAST.replace(b"GET", b"POST")], ids=["close", "1.0", "POST"])
@pytest.mark.parametrize("seconds", [0.0, 0.001], ids=["fast", "slow"])
def test_each_client_gets_its_reply_and_the_end(start: Start, poller: str, request_: bytes, seconds: float) -> None:
    server = start(PacedApp(lambda path: seconds), threads=4, poller=poller)
    for _ in range(20):
        wires = [Wire(address) for address in (server.tcp, server.unix) * 4]
        for wire in wires:
            wire.send(request_)
        for wire in wires:
            reply = wire.read_reply()
            assert reply is not None
            assert (reply.status, reply.stays, reply.body[:6]) == (200, False, b"/last ")
            assert (wire.read_rest(), wire.ended) == (b"", "closed")
            wire.close()
    wait_for(lambda: not server.engine.connections.open, "no connection is left")


@pytest.mark.parametrize("request_", [LAST, OLD], ids=["close", "1.0"])
@pytest.mark.parametrize("more", [b"\r\n", get("/more"), b"x" * 100_000], ids=["line", "request", "much"])
def test_who_sends_more_at_once_than_it_has_said_gets_its_reply_and_no_reset(
    start: Start, request_: bytes, more: bytes
) -> None:
    app = PacedApp()
    server = start(app)
    for _ in range(20):
        with Wire(server.tcp) as wire:
            wire.send(request_ + more)
            reply = wire.read_reply()
            assert reply is not None
            assert reply.body.startswith(b"/last ")
            assert (wire.read_rest(), wire.ended) == (b"", "closed")
    assert "/more" not in app.begun


@pytest.mark.parametrize("request_", [LAST, OLD], ids=["close", "1.0"])
def test_who_sends_more_while_its_request_runs_gets_its_reply_and_no_reset(start: Start, request_: bytes) -> None:
    may_end = threading.Event()
    server = start(PacedApp(lambda path: 0.0 if may_end.wait(20) else 1.0))
    with Wire(server.tcp) as wire:
        wire.send(request_)
        wait_for(lambda: server.app.begun, "it runs")
        wire.send(get("/more"))
        may_end.set()
        reply = wire.read_reply()
        assert reply is not None
        assert reply.body.startswith(b"/last ")
        assert (wire.read_rest(), wire.ended) == (b"", "closed")


def test_what_comes_after_the_reply_does_not_take_it_back(start: Start) -> None:
    server = start()
    for _ in range(20):
        with Wire(server.tcp) as wire:
            wire.send(LAST)
            assert wire.socket.recv(1, socket.MSG_PEEK)
            for _ in range(50):
                assert wire.send(get("/more"))
            reply = wire.read_reply()
            assert reply is not None
            assert reply.body.startswith(b"/last ")
            assert (wire.read_rest(), wire.ended) == (b"", "closed")


def test_a_body_that_was_not_announced_may_come_after_the_reply(start: Start) -> None:
    """Some clients of HTTP/1.0 forget the length of what they post, and read only when all is sent."""
    server = start()
    with Wire(server.tcp) as wire:
        wire.send(OLD.replace(b"GET", b"POST"))
        assert wire.socket.recv(1, socket.MSG_PEEK)
        for _ in range(50):
            assert wire.send(b"x" * 1000)
        reply = wire.read_reply()
        assert reply is not None
        assert (reply.status, wire.read_rest(), wire.ended) == (200, b"", "closed")


@pytest.mark.parametrize("poller", ["auto", "selectors"])
def test_who_hesitates_is_waited_for_and_who_says_nothing_is_not_for_long(start: Start, poller: str) -> None:
    server = start(deadlines={"head": 1.0}, poller=poller)
    with Wire(server.tcp) as hesitant, Wire(server.tcp) as halting, Wire(server.tcp) as blank, Wire(server.tcp) as mute:
        wait_for(lambda: len(server.engine.connections.open) == 4, "they are accepted")
        halting.send(LAST[:20])
        blank.send(b"\r\n")
        wait_for(lambda: all(each.mask for each in server.engine.connections.open.values()), "they are waited for")
        halting.send(LAST[20:])
        for wire in (hesitant, blank):
            wire.send(LAST)
        for wire in (hesitant, halting, blank):
            reply = wire.read_reply()
            assert reply is not None
            assert reply.status == 200
        assert (mute.read_rest(), mute.ended) == (b"", "closed")


def test_one_after_another_they_count_as_one(start: Start) -> None:
    server = start(limits={"connections": 2, "connections_per_address": 1})
    for _ in range(50):
        with Wire(server.tcp) as wire:
            wire.send(LAST)
            reply = wire.read_reply()
            assert reply is not None
            assert reply.status == 200
            assert wire.read_rest() == b""
        wait_for(lambda: not server.engine.connections.open, "it is over for the server, too")


def test_a_storm_of_them_leaves_others_their_turn(start: Start) -> None:
    server = start()
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            with Wire(server.tcp) as wire:
                wire.send(LAST)
                wire.read_rest()

    clients = [threading.Thread(target=ask) for _ in range(8)]
    with Wire(server.tcp) as stays:
        for client in clients:
            client.start()
        try:
            begun = time.monotonic()
            for _ in range(200):
                stays.send(get("/stays"))
                reply = stays.read_reply()
                assert reply is not None
                assert reply.status == 200
            assert time.monotonic() - begun < 5
        finally:
            over.set()
            for client in clients:
                client.join()


def test_a_client_that_takes_nothing_of_its_first_reply_is_given_up_in_time(start: Start) -> None:
    """Its connection was never watched before the reply, and the app never makes so much that it has to wait itself."""
    ended = threading.Event()

    def drip(environ: Environ, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        try:
            yield b"x" * 32_000_000
            while True:
                yield b"y"
                time.sleep(0.01)
        finally:
            ended.set()

    server = start(
        PacedApp(answers={"/last": drip}),
        limits={"output_memory": 64_000_000},
        deadlines={"write": 0.5, "head": 1.0, "keep_alive": 1.0},
    )
    with Wire(server.tcp) as wire:
        wire.send(LAST)
        assert ended.wait(10)
        assert b"y" not in wire.read_rest().rpartition(b"x")[2], "what was made later is no continuation"


def test_a_reply_that_was_given_up_after_all_of_it_was_made_is_not_followed_by_another(start: Start) -> None:
    """Its app has nothing more to send, so it does not hear of it; the client would take the next one for the rest."""
    gate = threading.Event()

    def answer(environ: Environ, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "32000000")])
        yield b"x" * 32_000_000
        assert gate.wait(20)

    server = start(
        PacedApp(answers={"/large": answer}),
        limits={"output_memory": 64_000_000},
        deadlines={"write": 0.5, "head": 1.0, "keep_alive": 1.0},
    )
    with Wire(server.tcp, 20) as wire:
        wire.send(get("/large") + get("/next"))
        (connection,) = wait_for(lambda: list(server.engine.connections.open.values()), "it is accepted")
        wait_for(lambda: connection.output, "the reply waits")
        wait_for(lambda: not connection.output, "it is given up", deadline=20)
        gate.set()
        assert b"HTTP/1.1" not in wire.read_rest()[1:]
    assert server.app.begun == ["/large"]


def test_a_reply_without_a_length_that_is_given_up_does_not_look_whole(start: Start) -> None:
    """Where the end of the connection is the end of the reply, only a reset tells the client that there was more."""

    def answer(environ: Environ, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        yield b"x" * 32_000_000

    server = start(PacedApp(answers={"/large": answer}), limits={"output_memory": 64_000_000}, deadlines={"write": 0.5})
    with Wire(server.tcp, 20) as wire:
        wire.send(b"GET /large HTTP/1.0\r\n\r\n")
        wait_for(lambda: server.app.begun, "it has begun")
        wait_for(lambda: not server.engine.connections.open, "it is given up", deadline=20)
        with pytest.raises(ConnectionResetError):
            _read_all(wire.socket)


def _read_all(sock: socket.socket) -> None:
    while sock.recv(1 << 20):
        pass
