"""A gentle stop: what runs is finished, what waits is told, what is idle ends, and the server is gone in time."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable

import pytest
from conformance_exchange import alive
from engine_in_thread import EngineInThread, wait_for
from raw_http import Wire

Start = Callable[..., EngineInThread]
WAIT = b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n"
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


def accepts(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address, 1).close()
    except ConnectionRefusedError:
        return False
    return True


def ends(server: EngineInThread, within: float) -> None:
    server.thread.join(within)
    assert not server.running
    assert server.failure is None


def test_a_running_request_is_finished_and_says_that_it_was_the_last(start: Start) -> None:
    server = start()
    with Wire(server.tcp) as wire:
        wire.send(WAIT + GET)
        wait_for(lambda: server.app.calls, "the app is called")
        server.engine.stop()
        assert wire.quiet(0.2)
        assert server.running
        server.app.gate.set()
        reply = wire.read_reply()
        assert reply is not None
        assert reply.status == 200
        rest = list(iter(wire.read_reply, None))
        assert len(rest) <= 1  # what was sent along may be answered, too
        assert not [reply, *rest][-1].stays
        assert wire.ended == "closed"
    ends(server, 10)


def test_the_listeners_are_closed_first(start: Start) -> None:
    server = start()
    with Wire(server.tcp) as wire:
        wire.send(WAIT)
        wait_for(lambda: server.app.calls, "the app is called")
        server.engine.stop()
        server.close_listeners()
        wait_for(lambda: not accepts(server.tcp), "nobody listens any more")
        assert server.running
        server.app.gate.set()
        assert wire.read_reply() is not None
    ends(server, 10)


def test_idle_connections_end_soon_and_in_silence(start: Start) -> None:
    server = start(deadlines={"keep_alive": 60, "head": 60})
    with Wire(server.tcp) as used, Wire(server.tcp) as fresh:
        used.send(GET)
        assert used.read_reply() is not None
        assert alive(server.tcp)
        begun = time.monotonic()
        server.engine.stop()
        assert used.read_rest() == b""
        assert fresh.read_rest() == b""
        assert time.monotonic() - begun < 15
    ends(server, 10)


def test_a_request_that_waits_for_a_thread_is_finished_too(start: Start) -> None:
    server = start(threads=1)
    with Wire(server.tcp) as first, Wire(server.tcp) as second:
        first.send(WAIT)
        wait_for(lambda: server.app.calls, "the app is called")
        second.send(GET)
        assert second.quiet(0.2)
        server.engine.stop()
        server.app.gate.set()
        for wire in (first, second):
            reply = wire.read_reply()
            assert reply is not None
            assert reply.status == 200
            assert not reply.stays
    ends(server, 10)


def test_a_request_that_is_on_its_way_is_finished_too(start: Start) -> None:
    server = start()
    with Wire(server.tcp) as wire:
        wire.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhe")
        assert alive(server.tcp)
        server.engine.stop()
        assert wire.quiet(0.2)
        wire.send(b"llo")
        reply = wire.read_reply()
        assert reply is not None
        assert reply.status == 200
        assert server.app.calls[0].body == b"hello"
    ends(server, 10)


def test_a_reply_that_is_being_taken_is_finished_too(start: Start) -> None:
    from conformance_app import ConformanceApp

    blob = b"x" * (30 << 20)

    def answer(environ: object, start_response: Callable[..., object], call: object) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(blob)))])
        return [blob]

    server = start(ConformanceApp(hooks={"/blob": answer}))
    with Wire(server.tcp) as wire:
        wire.send(b"GET /blob HTTP/1.1\r\nHost: x\r\n\r\n")
        assert wire.read_head() is not None
        server.engine.stop()
        assert wire.exactly(len(blob)) == (blob, True)
    ends(server, 10)


def test_the_drain_has_a_deadline(start: Start) -> None:
    server = start(deadlines={"drain": 0.5})
    with Wire(server.tcp) as wire, Wire(server.tcp) as slow:
        wire.send(WAIT)
        slow.send(b"GET / HT")
        wait_for(lambda: server.app.calls, "the app is called")
        server.engine.stop()
        ends(server, 15)  # and not the thirty seconds that it has otherwise
        assert wire.read_rest() == b""
    server.app.gate.set()


def test_a_forced_stop_waits_for_nobody(start: Start) -> None:
    server = start(deadlines={"drain": 30})
    with Wire(server.tcp) as wire:
        wire.send(WAIT)
        wait_for(lambda: server.app.calls, "the app is called")
        server.engine.stop()
        server.engine.stop(force=True)
        ends(server, 15)
    server.app.gate.set()


def test_an_endless_reply_is_closed_when_the_drain_is_over(start: Start) -> None:
    server = start(deadlines={"drain": 0.5}, limits={"output_memory": 65536})
    with Wire(server.tcp) as wire:
        wire.send(b"GET /g/endless HTTP/1.1\r\nHost: x\r\n\r\n")
        assert wire.read_head() is not None
        server.engine.stop()
        with contextlib.suppress(ConnectionError):
            while wire.socket.recv(1 << 20):
                pass
    ends(server, 10)
    wait_for(lambda: server.app.calls[0].closed, "close()")
    assert server.app.calls[0].closed == 1


def test_a_stop_leaves_no_threads_and_no_descriptors(start: Start) -> None:
    import os

    def stopped() -> None:
        server = start()
        for _ in range(5):
            assert alive(server.tcp)
            assert alive(server.unix)
        server.stop()

    stopped()
    descriptors, threads = len(os.listdir("/proc/self/fd")), threading.active_count()
    for _ in range(3):
        stopped()
    wait_for(lambda: threading.active_count() <= threads, "the threads have ended")
    assert len(os.listdir("/proc/self/fd")) <= descriptors


@pytest.mark.parametrize("threads", [1, 4])
def test_no_request_is_lost_when_the_server_stops_under_load(start: Start, threads: int) -> None:
    """Whoever is told that the connection is kept may send another request, and gets its reply."""
    server = start(threads=threads)
    lost: list[str] = []
    answered = 0
    begin = threading.Barrier(6)

    def client() -> None:
        nonlocal answered
        begin.wait()
        with contextlib.suppress(ConnectionRefusedError), Wire(server.tcp) as wire:
            last = time.monotonic()
            for _ in range(5000):
                begun = time.monotonic()
                if not wire.send(GET):
                    return
                try:
                    reply = wire.read_reply()
                except Exception as error:
                    lost.append(repr(error))
                    return
                if reply is None:
                    # Whoever paused for as long as a stopping server waits may find the connection closed.
                    if begun - last < 0.5:
                        lost.append(f"closed instead of a reply, {begun - last} s after the last")
                    return
                last = time.monotonic()
                answered += 1
                if not reply.stays:
                    return

    clients = [threading.Thread(target=client) for _ in range(5)]
    for thread in clients:
        thread.start()
    begin.wait()
    wait_for(lambda: answered > 50, "requests are answered")
    server.engine.stop()
    for thread in clients:
        thread.join(10)
    ends(server, 10)
    assert not lost
