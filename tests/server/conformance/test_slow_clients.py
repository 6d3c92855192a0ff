"""Clients that take their time: they cost a descriptor and not a thread, and not for ever."""

from __future__ import annotations

import contextlib
import logging
import resource
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from conformance_app import Call, ConformanceApp, Watched
from conformance_exchange import alive
from engine_in_thread import EngineInThread, wait_for
from raw_http import Wire

Start = Callable[..., EngineInThread]
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
SOON = 8.0
"""Less than any deadline that the tests do not set themselves; on a busy machine everything takes a while."""


def quickly(server: EngineInThread) -> bool:
    """Is a normal request answered before any slow one can be over?"""
    begun = time.monotonic()
    return alive(server.tcp) and time.monotonic() - begun < SOON


def spent(action: Callable[[], object]) -> float:
    """Seconds on the processor that this process needs meanwhile."""
    before = time.process_time()
    assert action()
    return time.process_time() - before


@contextlib.contextmanager
def many(server: EngineInThread, number: int) -> Iterator[list[Wire]]:
    wires = [Wire(server.tcp) for _ in range(number)]
    try:
        yield wires
    finally:
        for wire in wires:
            wire.close()


def test_a_head_that_does_not_end_is_answered_408(start: Start) -> None:
    server = start(deadlines={"head": 0.4})
    begun = time.monotonic()
    with Wire(server.tcp) as wire:
        wire.send(b"GET / HTTP/1.1\r\nHos")
        reply = wire.read_reply()
        assert reply is not None
        assert reply.status == 408
        assert not reply.stays
        assert not wire.read_rest()
        assert 0.3 < time.monotonic() - begun < SOON
    assert server.app.calls == []


def test_a_byte_now_and_then_does_not_put_the_deadline_off(start: Start) -> None:
    server = start(deadlines={"head": 0.4})
    with Wire(server.tcp) as wire:
        begun = time.monotonic()
        wire.send(b"GET / HTTP/1.1\r\nFoo: ")
        while wire.quiet(0.05) and time.monotonic() - begun < SOON:
            wire.send(b"a")
        reply = wire.read_reply()
        assert reply is not None
        assert reply.status == 408
        assert time.monotonic() - begun < SOON


def test_a_second_head_has_a_deadline_of_its_own(start: Start) -> None:
    server = start(deadlines={"head": 0.4, "keep_alive": 30})
    with Wire(server.tcp) as wire:
        wire.send(GET + b"GET / HTT")
        statuses = [reply.status for reply in iter(wire.read_reply, None)]
    assert statuses == [200, 408]


def test_a_connection_that_says_nothing_is_closed_in_silence(start: Start) -> None:
    server = start(deadlines={"head": 0.3})
    begun = time.monotonic()
    with Wire(server.tcp) as wire:
        assert wire.read_rest() == b""
        assert wire.ended == "closed"
        assert 0.2 < time.monotonic() - begun < SOON


def test_an_idle_connection_is_closed_in_silence(start: Start) -> None:
    server = start(deadlines={"keep_alive": 0.4, "head": 30})
    begun = time.monotonic()
    with Wire(server.tcp) as wire:
        wire.send(GET)
        assert wire.read_reply() is not None
        assert wire.read_rest() == b""
        assert wire.ended == "closed"
        assert 0.3 < time.monotonic() - begun < SOON


def test_a_busy_connection_is_not_closed_between_requests(start: Start) -> None:
    server = start(deadlines={"keep_alive": 2.0})
    with Wire(server.tcp) as wire:
        for _ in range(6):  # twice the deadline in all
            assert wire.quiet(0.7)
            wire.send(GET)
            reply = wire.read_reply()
            assert reply is not None
            assert reply.stays


def test_a_long_answer_does_not_count_as_idleness(start: Start) -> None:
    server = start(deadlines={"keep_alive": 1.5, "head": 1.5})
    with Wire(server.tcp) as wire:
        wire.send(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
        assert wire.quiet(3.1)
        server.app.gate.set()
        reply = wire.read_reply()
        assert reply is not None
        assert reply.status == 200
        wire.send(GET)
        assert wire.read_reply() is not None


def test_a_body_that_does_not_come_is_given_up(start: Start) -> None:
    server = start(deadlines={"body_grace": 0.4, "body_rate": 1000})
    with Wire(server.tcp) as wire:
        begun = time.monotonic()
        wire.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10000\r\n\r\n")
        while wire.quiet(0.05) and time.monotonic() - begun < SOON:
            wire.send(b"a")
        reply = wire.read_reply()
        assert reply is not None
        assert reply.status == 408
        assert time.monotonic() - begun < SOON
    assert server.app.calls == []


def test_a_half_closed_connection_gets_its_reply(start: Start) -> None:
    server = start()
    for path in ("/", "/wait"):
        with Wire(server.tcp) as wire:
            server.app.gate.clear()
            wire.send(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            wire.finish()
            if path == "/wait":
                wait_for(lambda: any(call.path == "/wait" for call in server.app.calls), "the app is called")
                assert wire.quiet(0.1)
                server.app.gate.set()
            reply = wire.read_reply()
            assert reply is not None
            assert reply.status == 200
            assert not wire.read_rest()


@pytest.mark.parametrize("leave", [Wire.close, Wire.reset], ids=["closes", "resets"])
def test_a_client_that_leaves_before_its_reply_troubles_nobody(
    start: Start, caplog: pytest.LogCaptureFixture, leave: Callable[[Wire], None]
) -> None:
    caplog.set_level(logging.INFO)

    def answer(environ: dict[str, Any], start_response: Any, call: Call) -> Any:
        app.gate.wait(10)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return Watched(call, iter([b"x" * 100_000] * 20))

    app = ConformanceApp(hooks={"/leaving": answer})
    server = start(app)
    wire = Wire(server.tcp)
    wire.send(b"GET /leaving HTTP/1.1\r\nHost: x\r\n\r\n")
    wait_for(lambda: app.calls, "the app is called")
    leave(wire)
    app.gate.set()
    wait_for(lambda: app.calls[0].closed, "close()")
    assert app.calls[0].closed == 1
    assert alive(server.tcp)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR or record.exc_info]


@pytest.mark.parametrize(
    "begun",
    [b"", b"G", b"GET / HTTP/1.1\r\nHost: x\r\n", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\na", b"\r\n"],
    ids=["nothing", "a byte of a head", "a head without its end", "a byte of a body", "an empty line"],
)
def test_two_hundred_slow_senders_hold_no_thread(start: Start, begun: bytes) -> None:
    server = start(threads=2)
    with many(server, 200) as wires:
        for wire in wires:
            wire.send(begun)
        assert quickly(server)
        for wire in wires:
            wire.send(begun[-1:] if b"POST" in begun else b"")
        assert quickly(server)


def test_slow_readers_of_finished_replies_hold_no_thread(start: Start) -> None:
    blob = b"x" * (50 << 20)

    def answer(environ: dict[str, Any], start_response: Any, call: Call) -> Any:
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(blob)))])
        return [blob]

    server = start(ConformanceApp(hooks={"/blob": answer}), threads=2)
    with many(server, 20) as wires:
        for wire in wires:
            wire.send(b"GET /blob HTTP/1.1\r\nHost: x\r\n\r\n")
            assert wire.read_head() is not None
        assert quickly(server)
        assert wires[3].socket.recv(1 << 20)
        assert quickly(server)


def test_a_reader_that_takes_nothing_is_given_up(start: Start) -> None:
    server = start(limits={"output_memory": 65536}, deadlines={"write": 0.5}, threads=4)
    begun = time.monotonic()
    with Wire(server.tcp) as wire:
        wire.send(b"GET /g/endless HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_for(lambda: server.app.calls, "the app is called")
        call = server.app.calls[0]
        wait_for(lambda: call.closed, "close() of the endless body")
        assert call.closed == 1
        assert 0.3 < time.monotonic() - begun < SOON
    assert quickly(server)


def test_a_reader_that_takes_little_by_little_is_served(start: Start) -> None:
    """The deadline is about taking nothing, not about being slow."""
    blob = bytes(range(256)) * (4 << 12)

    def answer(environ: dict[str, Any], start_response: Any, call: Call) -> Any:
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(blob)))])
        return [blob]

    server = start(ConformanceApp(hooks={"/blob": answer}), deadlines={"write": 0.5})
    with Wire(server.tcp) as wire:
        wire.send(b"GET /blob HTTP/1.1\r\nHost: x\r\n\r\n")
        head = wire.read_head()
        assert head is not None
        begun, taken = time.monotonic(), bytearray()
        while time.monotonic() - begun < 1.2:
            taken += wire.exactly(200_000)[0]
            time.sleep(0.1)  # the slowness itself is what is tested
        taken += wire.exactly(len(blob) - len(taken))[0]
        assert bytes(taken) == blob


def test_many_idle_connections_slow_nobody_down(start: Start) -> None:
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    server = start(threads=2)
    with many(server, min(1000, limit // 2 - 200)) as wires:
        for wire in wires:
            wire.send(GET)
        for wire in wires:
            assert wire.read_reply() is not None
        assert quickly(server)
        # Nobody looks at each of them again and again; what else this process has to do comes to an end.
        wait_for(lambda: spent(lambda: wires[0].quiet(1.0)) < 0.2, "the server rests")
