"""Clients that send a byte at a time, and clients that do not read: they cost a descriptor each, and no thread."""

from __future__ import annotations

import os
import resource
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from engine_in_thread import EngineInThread, wait_for
from paced_app import PacedApp, get
from raw_http import Wire
from tls_peers import Authority
from tls_wire import tls_wire

from wheatpaste.server.engine import watchdog
from wheatpaste.server.tls.contexts import make_tls

Start = Callable[..., EngineInThread]
Connect = Callable[..., Wire]
BLOB = os.urandom(1024) * (5 * 1024)


class Serving:
    """An engine and the way to reach it."""

    def __init__(self, server: EngineInThread, connect: Connect) -> None:
        self.server, self._connect = server, connect

    def connect(self, patience: float = 20) -> Wire:
        return self._connect(self.server.tcp, patience)

    def median(self, wire: Wire, number: int = 30) -> float:
        """Seconds that a small request takes, most of the time."""
        times = []
        for _ in range(number):
            begun = time.monotonic()
            wire.send(get("/fast"))
            reply = wire.read_reply()
            assert reply is not None
            assert reply.status == 200
            times.append(time.monotonic() - begun)
        return sorted(times)[number // 2]

    def states(self) -> dict[str, int]:
        found: dict[str, int] = self.server.engine.snapshot()["connections"]
        return found

    def busy(self) -> int:
        return sum(thread["state"] in ("busy", "hung") for thread in self.server.engine.snapshot()["threads"])

    def rests(self) -> None:
        """No thread runs anything."""
        wait_for(lambda: not self.busy(), "no thread runs anything", 2)


@pytest.fixture(params=["plain", pytest.param("TLS", marks=pytest.mark.slow)])
def serving(request: pytest.FixtureRequest, start: Start, tmp_path: Path) -> Callable[..., Serving]:
    """Starts an engine for plain connections, and in another run of the test for TLS."""

    def make(app: PacedApp, **settings: Any) -> Serving:
        if request.param == "plain":
            return Serving(start(app, **settings), Wire)
        tls = make_tls([Authority(tmp_path).issue("localhost")])
        return Serving(start(app, tls=tls, **settings), tls_wire)

    return make


def test_two_hundred_that_send_a_byte_at_a_time_cost_no_thread(serving: Callable[..., Serving]) -> None:
    served = serving(PacedApp(), threads=2)
    request = get("/slowly")
    with ExitStack() as stack:
        fast = stack.enter_context(served.connect())
        senders = [stack.enter_context(served.connect()) for _ in range(200)]
        for at in range(len(request)):
            for wire in senders:
                wire.send(request[at : at + 1])
            if at % 8 == 0:
                assert served.median(fast, 5) < 0.2
                served.rests()
        for wire in senders:
            reply = wire.read_reply()
            assert reply is not None
            assert reply.body.startswith(b"/slowly")
        assert len(served.server.engine.snapshot()["threads"]) <= 6


def blob(environ: dict[str, Any], start_response: Any) -> Any:
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(BLOB)))])
    return [BLOB]


def test_a_hundred_that_do_not_read_their_reply_cost_no_thread(serving: Callable[..., Serving]) -> None:
    served = serving(PacedApp(answers={"/blob": blob}), threads=2)
    with ExitStack() as stack:
        fast = stack.enter_context(served.connect())
        readers = [stack.enter_context(served.connect()) for _ in range(100)]
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for wire in readers:
            wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)  # or much is copied before one waits
            wire.send(get("/blob"))
        wait_for(lambda: served.states().get("writing") == 100, "all replies wait for their readers", 20)
        served.rests()
        assert served.median(fast) < 0.1
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert grown < 60 * 1024  # KiB; a copy for each of them would be 500 MiB
        for wire in readers[::10]:
            reply = wire.read_reply()
            assert reply is not None
            assert reply.body == BLOB
        assert served.median(fast) < 0.1
    wait_for(lambda: not served.states().get("writing"), "those that left are forgotten")


@pytest.mark.parametrize("reads", [True, False], ids=["reads late", "leaves"])
def test_a_file_for_one_who_does_not_read_costs_no_thread_and_is_closed_once(
    serving: Callable[..., Serving], tmp_path: Path, reads: bool
) -> None:
    path = tmp_path / "file"
    path.write_bytes(BLOB * 2)
    closed = []

    class Counted:
        """A file whose closing is counted."""

        def __init__(self) -> None:
            self.raw = self.file = open(path, "rb", buffering=0)  # noqa: SIM115 - closed by the server
            self.read, self.fileno, self.tell = self.file.read, self.file.fileno, self.file.tell

        def close(self) -> None:
            closed.append(self)
            self.file.close()

    def answer(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(BLOB) * 2))])
        return environ["wsgi.file_wrapper"](Counted())

    served = serving(PacedApp(answers={"/file": answer}), threads=2)
    with served.connect() as fast:
        readers = [served.connect() for _ in range(10)]
        for wire in readers:
            wire.send(get("/file"))
        wait_for(lambda: served.states().get("writing") == 10, "all files wait for their readers", 20)
        assert not closed
        served.rests()
        assert served.median(fast) < 0.1
        for wire in readers:
            if reads:
                reply = wire.read_reply()
                assert reply is not None
                assert reply.body == BLOB * 2
            wire.close()
        wait_for(lambda: len(closed) >= 10, "all files are closed")
        assert served.median(fast) < 0.1
    assert len(closed) == len(set(closed)) == 10


def test_an_iterator_waits_for_its_reader_and_others_for_nobody(serving: Callable[..., Serving]) -> None:
    """Its thread waits with it, so there have to be some; what it has made is bounded."""
    made = []

    def answer(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [("Content-Type", "text/plain")])
        for _ in range(300):
            made.append(65536)
            yield b"x" * 65536

    served = serving(PacedApp(answers={"/long": answer}), threads=4, limits={"output_memory": 200_000})
    with served.connect() as fast, served.connect() as one, served.connect() as two:
        for wire in (one, two):
            wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            wire.send(get("/long"))
        wait_for(lambda: served.busy() == 2, "both wait")
        assert served.median(fast) < 0.1
        assert sum(made) < 2 * 300 * 65536
        for wire in (one, two):
            reply = wire.read_reply()
            assert reply is not None
            assert reply.body == b"x" * 65536 * 300
        wait_for(lambda: not served.busy(), "both are done")


def test_slow_uploads_cost_no_thread_and_little_memory(serving: Callable[..., Serving]) -> None:
    def answer(environ: dict[str, Any], start_response: Any) -> Any:
        data = environ["wsgi.input"].read()
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
        return [b"ok" if data == BLOB[: 1 << 20] else b"no"]

    served = serving(PacedApp(answers={"/upload": answer}), threads=2, limits={"body_memory": 65536})
    with ExitStack() as stack:
        fast = stack.enter_context(served.connect())
        senders = [stack.enter_context(served.connect()) for _ in range(30)]
        for wire in senders:
            wire.send(b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 1048576\r\n\r\n")
        for at in range(0, 1 << 20, 1 << 18):
            for wire in senders:
                wire.send(BLOB[at : min(at + (1 << 18), (1 << 20) - 1)])
            assert served.median(fast, 10) < 0.2
            served.rests()
        assert "/upload" not in served.server.app.begun
        for wire in senders:
            wire.send(BLOB[(1 << 20) - 1 : 1 << 20])
            reply = wire.read_reply()
            assert reply is not None
            assert reply.body == b"ok"


def test_whoever_waits_for_a_client_lets_another_lead_at_once(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not only when the watchdog notices, which would cost everybody else some milliseconds each time."""
    monkeypatch.setattr(watchdog, "_TICK", 60.0)
    monkeypatch.setattr(watchdog, "_CALM_TICK", 60.0)

    def answer(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return (b"x" * 65536 for _ in range(300))

    server = start(PacedApp(answers={"/long": answer}), threads=4, limits={"output_memory": 200_000})
    with Wire(server.tcp, 10) as slow, Wire(server.tcp, 10) as fast:
        slow.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        slow.send(get("/long"))
        wait_for(lambda: "/long" in server.app.begun, "it runs")
        fast.send(get("/fast"))
        assert fast.read_reply() is not None
