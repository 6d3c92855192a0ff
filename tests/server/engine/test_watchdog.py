"""Requests that hang: they are told once, answered where that is wanted, and counted."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from engine_in_thread import EngineInThread, wait_for
from paced_app import PacedApp, get, text
from raw_http import Wire

Start = Callable[..., EngineInThread]


class Gated(PacedApp):
    """Answers ``/gated/…`` when the test opens the gate."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.pace = self.wait

    def wait(self, path: str) -> float:
        if path.startswith("/gated"):
            self.gate.wait(20)
        return 0.02 if path.startswith("/slow") else 0.0


@pytest.fixture
def app() -> Iterator[Gated]:
    app = Gated()
    yield app
    app.gate.set()


def status_of(wire: Wire) -> int:
    reply = wire.read_reply()
    assert reply is not None
    return reply.status


def hung(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if "is still running" in record.getMessage()]


def watchdog_sleeps(server: EngineInThread) -> None:
    wait_for(lambda: server.engine.watchdog.off_duty, "nothing happens, so the watchdog sleeps")


def test_a_request_of_a_slow_kind_is_watched_though_nothing_else_runs(
    start: Start, app: Gated, caplog: pytest.LogCaptureFixture
) -> None:
    """No leader runs it, and leaders are who wakes the watchdog else."""
    server = start(app, threads=2, deadlines={"hung": 0.3})
    with Wire(server.tcp) as wire:
        for _ in range(5):
            wire.send(get("/slow/a"))
            assert status_of(wire) == 200
        app.answers["/slow/b"] = lambda environ, start_response: text(str(app.gate.wait(20)), start_response)
        watchdog_sleeps(server)
        wire.send(get("/slow/b"))
        wait_for(lambda: hung(caplog), "the log says that it hangs")
        assert "gate.wait" in hung(caplog)[0]
        app.gate.set()
        assert status_of(wire) == 200


def test_each_request_that_hangs_is_told_once(start: Start, app: Gated, caplog: pytest.LogCaptureFixture) -> None:
    """Also when its thread had no moment of rest since the last one that hung."""
    server = start(app, threads=1, deadlines={"hung": 0.2})
    second = threading.Event()
    app.answers["/then"] = lambda environ, start_response: text(str(second.wait(20)), start_response)
    with Wire(server.tcp) as one, Wire(server.tcp) as two:
        one.send(get("/gated"))
        wait_for(lambda: "/gated" in app.begun, "it runs")
        two.send(get("/then"))
        wait_for(lambda: server.engine.snapshot()["waiting"] == 1, "the other one waits")
        wait_for(lambda: len(hung(caplog)) == 1, "the first one is told")
        app.gate.set()
        assert status_of(one) == 200
        wait_for(lambda: len(hung(caplog)) == 2, "the second one is told")
        looks = server.engine.clock() + 0.5
        wait_for(lambda: server.engine.clock() > looks, "it was looked at again")
        assert len(hung(caplog)) == 2
        second.set()
        assert status_of(two) == 200


def test_a_late_answer_reaches_nobody(start: Start, app: Gated) -> None:
    server = start(app, threads=2, deadlines={"request": 1.0})
    with Wire(server.tcp) as wire:
        wire.send(get("/gated") + get("/after"))
        assert status_of(wire) == 504
        assert wire.read_rest() == b""
        app.gate.set()
    wait_for(lambda: not app.running, "the app is done")
    with Wire(server.tcp) as wire:
        wire.send(get("/fast"))
        assert status_of(wire) == 200
    assert "/after" not in app.begun


def test_an_answer_that_has_begun_is_not_cut_by_the_deadline(start: Start, app: Gated) -> None:
    def answer(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        yield b"begun "
        app.gate.wait(20)
        yield b"and ended"

    app.answers["/long"] = answer
    server = start(app, threads=2, deadlines={"request": 1.0})
    with Wire(server.tcp) as wire:
        wire.send(get("/long"))
        head = wire.read_head()
        assert head is not None
        assert head.status == 200
        wait_for(lambda: any(thread.timed_out for thread in server.engine.crew.threads), "the deadline has passed")
        app.gate.set()
        assert wire._body(head)[0] == b"begun and ended"
        wire.send(get("/fast"))
        assert status_of(wire) == 200


@pytest.mark.parametrize("threads", [1, 3])
def test_every_request_that_takes_too_long_gets_its_504(start: Start, threads: int) -> None:
    """More of them than threads: each one's time begins when it runs."""

    def answer(environ: dict[str, Any], start_response: Any) -> Any:
        wait_for(environ["waitress.client_disconnected"], "its client has an answer, and has left")
        return text("too late", start_response)

    server = start(PacedApp(answers={"/slow": answer}), threads=threads, deadlines={"request": 0.1, "waiting": 30})
    wires = [Wire(server.tcp) for _ in range(2 * threads)]
    for number, wire in enumerate(wires):
        wire.send(get("/slow"))
        wait_for(lambda sent=number: len(server.app.begun) + len(server.engine.crew.waiting) > sent, "it is taken")
    for wire in wires:
        assert status_of(wire) == 504
        wire.close()


def test_a_request_within_its_deadline_is_not_answered_for_another(start: Start) -> None:
    """The deadline is that of one request, not of its thread."""
    server = start(PacedApp(lambda path: 0.05), threads=1, deadlines={"request": 2.0})
    with Wire(server.tcp) as wire:
        end = time.monotonic() + 3.0
        while time.monotonic() < end:
            wire.send(get("/slow"))
            assert status_of(wire) == 200


def test_a_thread_that_stays_stuck_asks_for_another_process(start: Start, app: Gated) -> None:
    server = start(app, threads=2, deadlines={"request": 0.2})
    with Wire(server.tcp) as wire:
        wire.send(get("/gated"))
        assert status_of(wire) == 504
        assert "running" in wait_for(lambda: server.engine.wants_replacement, "the engine asks to be replaced")


def test_the_watchdog_sleeps_while_nothing_runs(start: Start) -> None:
    server = start()
    with Wire(server.tcp) as wire:
        wire.send(get("/fast"))
        assert status_of(wire) == 200
        watchdog_sleeps(server)

        def rests() -> bool:
            used = time.process_time()
            assert wire.quiet(0.5)
            return time.process_time() - used < 0.1

        wait_for(rests, "nothing that this process still had to do goes on")


def test_an_exception_in_the_log_does_not_blind_the_watchdog(
    start: Start, app: Gated, caplog: pytest.LogCaptureFixture
) -> None:
    class Odd:
        def __str__(self) -> str:
            raise RuntimeError("not to be shown")

    def answer(environ: dict[str, Any], start_response: Any) -> Any:
        environ["SCRIPT_NAME"] = Odd()  # apps may do as they like with their environ
        return text(str(app.gate.wait(20)), start_response)

    caplog.set_level(logging.INFO)
    app.answers["/odd"] = answer
    server = start(app, threads=3, deadlines={"hung": 0.2})
    with Wire(server.tcp) as odd, Wire(server.tcp) as other, Wire(server.tcp) as fast:
        odd.send(get("/odd"))
        wait_for(lambda: "/odd" in app.begun, "it runs")
        looks = server.engine.clock() + 0.5
        wait_for(lambda: server.engine.clock() > looks, "it was looked at")
        other.send(get("/gated"))
        wait_for(lambda: any("/gated" in line for line in hung(caplog)), "the other one is told")
        fast.send(get("/fast"))
        assert status_of(fast) == 200
        app.gate.set()
        assert status_of(odd) == 200
        assert status_of(other) == 200
