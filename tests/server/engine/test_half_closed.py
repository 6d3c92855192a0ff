"""Clients that say at once that they will send no more: they are answered nevertheless."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from engine_in_thread import EngineInThread
from paced_app import PacedApp, get
from raw_http import Wire

from wheatpaste.server.engine.worker_thread import WorkerThread

Start = Callable[..., EngineInThread]


@pytest.mark.usefixtures("restless")
@pytest.mark.parametrize("poller", ["auto", "selectors"])
@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("speed", ["fast", "slow"])
def test_each_is_answered_whoever_runs_its_request(start: Start, speed: str, threads: int, poller: str) -> None:
    server = start(PacedApp(lambda path: 0.001 if path == "/slow" else 0.0), threads=threads, poller=poller)
    for _ in range(25):
        wires = [Wire(address) for address in (server.tcp, server.unix) * 4]
        for wire in wires:
            wire.send(get(f"/{speed}"))
            wire.finish()
        for wire in wires:
            reply = wire.read_reply()
            assert reply is not None
            assert reply.status == 200
            assert wire.read_rest() == b""
            wire.close()


@pytest.mark.parametrize("poller", ["auto", "selectors"])
def test_a_new_leader_does_not_touch_what_the_old_one_is_about_to_run(
    start: Start, monkeypatch: pytest.MonkeyPatch, poller: str
) -> None:
    """It may be at it before the old one does anything more; here it always is."""
    server = start(PacedApp(lambda path: 0.002), threads=4, poller=poller)
    crew = server.engine.crew
    hand_over = crew.hand_over

    def hand_over_and_pause(me: WorkerThread) -> None:
        hand_over(me)
        time.sleep(0.01)

    monkeypatch.setattr(crew, "hand_over", hand_over_and_pause)
    for _ in range(10):
        with Wire(server.tcp) as ended, Wire(server.tcp) as goes_on:
            ended.send(get("/slow"))
            ended.finish()
            goes_on.send(get("/slow/1"))
            goes_on.send(get("/slow/2"))
            for wire, path in ((ended, "/slow"), (goes_on, "/slow/1"), (goes_on, "/slow/2")):
                reply = wire.read_reply()
                assert reply is not None
                assert reply.body.startswith(f"{path} ".encode())
