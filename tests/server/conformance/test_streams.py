"""Replies that come piece by piece."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from conformance_app import Call, ConformanceApp, Watched
from conformance_exchange import alive
from engine_in_thread import EngineInThread, wait_for
from raw_http import Wire

Start = Callable[..., EngineInThread]


def in_steps(step: threading.Semaphore, pieces: int, length: int | None = None) -> Callable[..., Any]:
    """Yields a piece whenever the test allows another step."""

    def answer(environ: dict[str, Any], start_response: Any, call: Call) -> Any:
        def body() -> Iterator[bytes]:
            for number in range(pieces):
                yield b"data: %d\n\n" % number
                step.acquire(timeout=10)

        fields = [("Content-Type", "text/event-stream")]
        start_response("200 OK", fields if length is None else [*fields, ("Content-Length", str(length))])
        return Watched(call, body())

    return answer


@pytest.mark.parametrize("length", [None, 27], ids=["in chunks", "with a length"])
@pytest.mark.parametrize("threads", [1, 2])
def test_each_piece_is_sent_when_it_is_made(start: Start, threads: int, length: int | None) -> None:
    step = threading.Semaphore(0)
    server = start(ConformanceApp(hooks={"/events": in_steps(step, 3, length)}), threads=threads)
    with Wire(server.tcp) as wire:
        wire.send(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
        assert wire.read_head() is not None
        for number in range(3):
            wanted = b"data: %d\n\n" % number
            piece, _ = wire.exactly(len(wanted) if length else len(wanted) + 5)
            assert wanted in piece
            assert wire.quiet(0.05)
            assert threads == 1 or alive(server.tcp)
            step.release()
        if length is None:
            assert wire.exactly(5) == (b"0\r\n\r\n", True)
    wait_for(lambda: server.app.calls[0].closed, "close()")


def test_many_streams_do_not_stop_others(start: Start) -> None:
    step = threading.Semaphore(0)
    server = start(ConformanceApp(hooks={"/events": in_steps(step, 2)}), threads=8)
    wires = [Wire(server.tcp) for _ in range(7)]
    for wire in wires:
        wire.send(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
        assert wire.read_head() is not None
    assert alive(server.tcp)
    step.release(20)
    for wire in wires:
        assert wire.chunks() == (b"data: 0\n\ndata: 1\n\n", True)
        wire.close()


def test_a_stream_that_nobody_follows_is_closed_at_its_next_piece(start: Start) -> None:
    step = threading.Semaphore(0)
    server = start(ConformanceApp(hooks={"/events": in_steps(step, 1000)}))
    for leave in (Wire.close, Wire.reset):
        server.app.calls.clear()
        wire = Wire(server.tcp)
        wire.send(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
        assert wire.read_head() is not None
        leave(wire)
        call = server.app.calls[0]

        def closed(call: Call = call) -> bool:
            step.release()
            return bool(call.closed)

        wait_for(closed, "close()")
        assert call.closed == 1
        assert call.taken < 100 * 1000


@pytest.mark.parametrize("leave", [Wire.close, Wire.reset])
def test_a_large_file_is_closed_when_its_client_leaves(start: Start, leave: Callable[[Wire], None]) -> None:
    import tempfile

    from conformance_app import CountingFile

    def answer(environ: dict[str, Any], start_response: Any, call: Call) -> Any:
        handle = tempfile.TemporaryFile()  # noqa: SIM115 the server closes it
        handle.truncate(64 << 20)
        handle.seek(0)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return environ["wsgi.file_wrapper"](CountingFile(handle, call))

    server = start(ConformanceApp(hooks={"/big": answer}))
    wire = Wire(server.tcp)
    wire.send(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
    assert wire.read_head() is not None
    assert server.app.calls[0].closed == 0
    leave(wire)
    wait_for(lambda: server.app.calls[0].closed, "the file is closed")
    assert server.app.calls[0].closed == 1
    assert alive(server.tcp)
