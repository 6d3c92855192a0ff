"""Uploads that apps read while they come: some threads may wait for them, and others stay for everybody else."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest
from engine_in_thread import EngineInThread, wait_for
from paced_app import Environ, PacedApp, get, text
from raw_http import Wire

Start = Callable[..., EngineInThread]
HALF = b"PUT /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345"


def reading(environ: Environ, start_response: Any) -> list[bytes]:
    return text(environ["wsgi.input"].read().decode(), start_response)


def closing(environ: Environ, start_response: Any) -> list[bytes]:
    environ["wsgi.input"].close()
    return text("closed", start_response)


def leaving(environ: Environ, start_response: Any) -> list[bytes]:
    return text("not read", start_response)


def failing(environ: Environ, start_response: Any) -> list[bytes]:
    raise ValueError("the app failed")


def begun_before_their_end(server: EngineInThread, uploads: int) -> int:
    """How many of so many uploads begin while the bodies are on their way; all of them are answered in the end."""
    most = max(server.engine.settings.threads // 4, 1)
    with ExitStack() as stack:
        wires = [stack.enter_context(Wire(server.tcp, 20)) for _ in range(uploads)]
        for wire in wires:
            wire.send(HALF)
        wait_for(lambda: server.app.running >= most, "some begin")
        wait_for(lambda: server.engine.snapshot()["connections"].get("body", 0) >= uploads - most, "the others wait")
        with Wire(server.tcp, 20) as fast:
            fast.send(get("/fast"))
            assert fast.read_reply() is not None
        begun = int(server.app.running)
        for wire in wires:
            wire.send(b"67890")
            reply = wire.read_reply()
            assert reply is not None
            assert reply.body == b"1234567890"
    return begun


@pytest.mark.parametrize(("threads", "most"), [(2, 1), (8, 2)])
def test_a_quarter_of_the_threads_waits_for_uploads_at_most(start: Start, threads: int, most: int) -> None:
    server = start(PacedApp(answers={"/upload": reading}), threads=threads, stream_uploads=True)
    assert begun_before_their_end(server, 6) == most
    assert begun_before_their_end(server, 6) == most


def test_one_thread_waits_for_no_upload(start: Start) -> None:
    server = start(PacedApp(answers={"/upload": reading}), threads=1, stream_uploads=True)
    with Wire(server.tcp, 20) as slow, Wire(server.tcp, 20) as fast:
        slow.send(HALF)
        wait_for(lambda: server.engine.snapshot()["connections"].get("body"), "the body is waited for")
        fast.send(get("/fast"))
        assert fast.read_reply() is not None
        assert server.app.begun == ["/fast"]


@pytest.mark.parametrize("answer", [reading, closing, leaving, failing])
def test_however_an_upload_ends_another_one_may_begin(start: Start, answer: Callable[..., list[bytes]]) -> None:
    app = PacedApp(answers={"/upload": answer})
    server = start(app, threads=8, stream_uploads=True)
    for number in range(6):
        with Wire(server.tcp, 20) as wire:
            wire.send(HALF)
            wait_for(lambda done=number: len(app.begun) > done, "it begins")
            if answer is not reading:
                assert wire.read_reply() is not None
        wait_for(lambda: not server.engine.connections.open, "the connection is closed")
    app.answers["/upload"] = reading
    assert begun_before_their_end(server, 6) == 2
