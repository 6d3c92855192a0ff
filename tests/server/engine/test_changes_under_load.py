"""Stopping, and changing the app, in the middle of traffic: no request is answered by halves."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from engine_in_thread import EngineInThread, wait_for
from paced_app import PacedApp, get, text
from pipelined_load import SPEEDS, wait
from raw_http import BadReply, Wire

Start = Callable[..., EngineInThread]


class Asker(threading.Thread):
    """Asks until there is nobody to ask; ``outcomes`` tells what became of each request."""

    def __init__(self, server: EngineInThread, seed: int, *, at_once: int = 1, upload: int = 0) -> None:
        super().__init__(daemon=True)
        self._server = server
        self._chance = random.Random(seed)
        self._at_once = at_once
        self._upload = upload
        self._seed = seed
        self.outcomes: list[str] = []
        self.asked: list[str] = []

    def run(self) -> None:
        while True:
            try:
                wire = Wire(self._server.tcp, 15)
            except OSError:
                return
            with wire:
                try:
                    self._ask_on(wire)
                except (BadReply, TimeoutError) as error:
                    self.outcomes.append(repr(error))
                    return
                except OSError:
                    self.outcomes.append("reset")

    def _ask_on(self, wire: Wire) -> None:
        while True:
            paths = [self._path() for _ in range(self._at_once)]
            self.asked += paths
            wire.send(b"".join(self._request(path) for path in paths))
            for path in paths:
                reply = wire.read_reply()
                if reply is None:
                    self.outcomes.append(wire.ended or "?")
                    return
                right = reply.complete and reply.status == 200 and reply.body.startswith(path.encode())
                self.outcomes.append("answered" if right else str(reply))
                if not reply.stays:
                    return

    def _path(self) -> str:
        return f"/{self._chance.choice(SPEEDS)}/{self._seed}/{len(self.asked)}"

    def _request(self, path: str) -> bytes:
        if not self._upload:
            return get(path)
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {self._upload}\r\n\r\n".encode()
        return head + b"x" * self._upload


class MixedApp(PacedApp):
    """Takes as long as the first segment says; replies that are large now and then."""

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        path = environ["PATH_INFO"]
        self.begun.append(path)
        size = len(environ["wsgi.input"].read())
        wait(path[1:].split("/")[0])
        return text(f"{path} {size} {'x' * (300_000 if path.endswith('7') else 10)}", start_response)


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("poller", ["auto", "selectors"])
def test_a_stop_at_any_moment_cuts_no_reply(start: Start, poller: str, threads: int) -> None:
    for seed in range(3):
        server = start(MixedApp(), threads=threads, poller=poller, deadlines={"drain": 10})
        askers = [
            Asker(server, number, at_once=1 if number < 4 else 5, upload=0 if number % 3 else 700)
            for number in range(7)
        ]
        for asker in askers:
            asker.start()
        time.sleep(random.Random(seed).uniform(0.02, 0.3))  # the moment is what is tested
        server.stop(deadline=12)
        for asker in askers:
            asker.join(15)
        outcomes = [outcome for asker in askers for outcome in asker.outcomes]
        assert "answered" in outcomes
        # A client that asks again on a kept connection while the server closes it finds it closed, before any reply.
        assert set(outcomes) <= {"answered", "closed", "reset"}, set(outcomes)
        begun, answered = len(server.app.begun), outcomes.count("answered")
        assert begun == answered, f"{begun} requests were run, {answered} were answered"


def test_a_forced_stop_under_load_ends_soon_and_leaves_nothing(start: Start) -> None:
    before = set(threading.enumerate())
    server = start(MixedApp(), threads=4)
    askers = [Asker(server, number, at_once=3) for number in range(6)]
    for asker in askers:
        asker.start()
    time.sleep(0.2)
    server.stop(force=True, deadline=10)  # which is less than a stop may take that waits for requests
    for asker in askers:
        asker.join(15)
    left = [thread for thread in set(threading.enumerate()) - before if thread.name.startswith("wheatpaste")]
    for thread in left:
        thread.join(20)
    assert not [thread for thread in left if thread.is_alive()]


def test_the_app_may_be_replaced_under_load(start: Start) -> None:
    def app(name: str) -> Any:
        def answer(environ: dict[str, Any], start_response: Any) -> Any:
            wait(environ["PATH_INFO"][1:].split("/")[0])
            return text(f"{environ['PATH_INFO']} {name}", start_response)

        return answer

    server = start(app("0"), threads=4)
    askers = [Asker(server, number, at_once=1 + number % 2) for number in range(6)]
    for asker in askers:
        asker.start()
    old = server.app
    for number in range(1, 20):
        new = app(str(number))
        assert server.engine.replace_app(new) is old
        with Wire(server.tcp) as wire:
            wire.send(get("/fast/me"))
            reply = wire.read_reply()
            assert reply is not None
            assert reply.body == f"/fast/me {number}".encode()
        old = new
    wait_for(lambda: all(asker.outcomes.count("answered") > 5 for asker in askers), "all are answered meanwhile")
    server.stop()
    for asker in askers:
        asker.join(15)
        assert set(asker.outcomes) <= {"answered", "closed", "reset"}


def test_a_connection_that_becomes_idle_while_the_server_stops_does_not_hold_it_up(start: Start) -> None:
    """Its reply had promised that more may be asked, before anybody knew of the stop."""
    gate = threading.Event()

    def answer(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [("Content-Length", "5")])
        yield b"hello"
        gate.wait(20)

    server = start(PacedApp(answers={"/hello": answer}), threads=2)
    with Wire(server.tcp) as wire:
        wire.send(get("/hello"))
        reply = wire.read_reply()
        assert reply is not None
        assert reply.stays
        server.engine.stop()
        wait_for(lambda: refuses(server), "nobody is taken any more")
        gate.set()
        server.stop(deadline=15)  # half of what its patience with idle connections is


def refuses(server: EngineInThread) -> bool:
    try:
        Wire(server.tcp).close()
    except OSError:
        return True
    return False


@pytest.mark.parametrize("threads", [1, 3])
def test_after_a_forced_stop_no_connection_stays_open(start: Start, threads: int) -> None:
    """Neither those whose requests run to their end, nor those whose requests waited for a thread."""
    gate = threading.Event()
    app = PacedApp(lambda path: float(not gate.wait(20)))
    before = descriptors()
    server = start(app, threads=threads)
    wires = [Wire(server.tcp, 20) for _ in range(threads + 4)]
    for wire in wires:
        wire.send(get("/held"))
    wait_for(lambda: app.running + server.engine.snapshot()["waiting"] == len(wires), "some run, the others wait")
    server.stop(force=True)
    for wire in wires:
        assert wire.read_rest() == b""
        wire.close()
    gate.set()
    wait_for(lambda: descriptors() <= before, "all descriptors are closed")
    assert len(app.begun) == threads


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))
