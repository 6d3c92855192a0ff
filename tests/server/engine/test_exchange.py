"""More requests than can be run: some wait, some are refused, and each client is told its own."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable

import pytest
from engine_in_thread import EngineInThread, wait_for
from paced_app import PacedApp, get
from raw_http import Wire

Start = Callable[..., EngineInThread]


def test_under_overload_each_request_is_answered_or_refused_and_none_is_run_that_was_refused(start: Start) -> None:
    """Waiting ones are given up at the same moment at which others are begun."""
    server = start(PacedApp(lambda path: 0.02), threads=2, limits={"waiting": 25}, deadlines={"waiting": 0.15})
    end = time.monotonic() + 2.2  # the engine looks once a second for what waits too long
    outcomes: Counter[int] = Counter()
    wrong: list[str] = []
    served: list[str] = []
    lock = threading.Lock()

    def keep_asking(seed: int) -> None:
        number = 0
        while time.monotonic() < end:
            with Wire(server.tcp, 20) as wire:
                stays = True
                while stays and time.monotonic() < end:
                    number += 1
                    path = f"/slow/{seed}-{number}"
                    wire.send(get(path))
                    reply = wire.read_reply()
                    with lock:
                        if reply is None:
                            wrong.append(f"{path}: nothing")
                            return
                        outcomes[reply.status] += 1
                        if reply.status == 200:
                            served.append(path)
                            if not reply.body.startswith(path.encode()):
                                wrong.append(f"{path}: {reply.body!r}")
                        elif reply.status != 503 or not reply.get("Retry-After") or reply.stays:
                            wrong.append(f"{path}: {reply}")
                    stays = reply.stays

    clients = [threading.Thread(target=keep_asking, args=(seed,)) for seed in range(30)]
    for client in clients:
        client.start()
    for client in clients:
        client.join(30)
    assert wrong == []
    assert sorted(served) == sorted(server.app.begun)
    assert outcomes[200] > 50
    assert outcomes[503] > 5
    assert server.app.most <= 2
    wait_for(lambda: server.engine.crew.idle, "nothing runs")
    assert server.engine.snapshot()["waiting"] == 0


@pytest.mark.parametrize("threads", [1, 3])
def test_pipelined_requests_wait_in_their_order(start: Start, threads: int) -> None:
    server = start(PacedApp(lambda path: 0.004), threads=threads)
    wires = [Wire(server.tcp, 20) for _ in range(8)]
    for number, wire in enumerate(wires):
        wire.send(b"".join(get(f"/slow/{number}/{each}") for each in range(10)))
    for number, wire in enumerate(wires):
        for each in range(10):
            reply = wire.read_reply()
            assert reply is not None
            assert reply.body.startswith(f"/slow/{number}/{each} ".encode())
        wire.close()
    assert server.app.most <= threads
    for number in range(8):
        mine = [path for path in server.app.begun if path.startswith(f"/slow/{number}/")]
        assert mine == [f"/slow/{number}/{each}" for each in range(10)]


def test_no_connection_gets_ahead_of_those_that_wait_by_asking_more(start: Start) -> None:
    """One that sends many requests without waiting has its turn when others had theirs."""
    server = start(PacedApp(lambda path: 0.01), threads=1)
    with Wire(server.tcp, 20) as greedy, Wire(server.tcp, 20) as modest:
        greedy.send(get("/slow/greedy") * 100)
        wait_for(lambda: len(server.app.begun) > 1, "some of them run")
        modest.send(get("/slow/modest"))
        reply = modest.read_reply()
        assert reply is not None
        assert server.app.begun.count("/slow/greedy") < 60


def test_a_client_that_leaves_while_it_waits_holds_nobody_up(start: Start) -> None:
    server = start(PacedApp(lambda path: 0.1 if "held" in path else 0.0), threads=1)
    with Wire(server.tcp, 20) as held, Wire(server.tcp, 20) as last:
        held.send(get("/held"))
        wait_for(lambda: server.app.running, "it runs")
        for leave in (Wire.close, Wire.reset, Wire.close):
            wire = Wire(server.tcp)
            wire.send(get("/waits"))
            wait_for(lambda: server.engine.crew.waiting or "/waits" in server.app.begun, "it waits")
            leave(wire)
        last.send(get("/last"))
        reply = last.read_reply()
        assert reply is not None
        assert reply.status == 200
        assert held.read_reply() is not None
    wait_for(lambda: not server.engine.snapshot()["connections"], "all connections are closed")


def test_the_snapshot_tells_who_waits_and_since_when(start: Start) -> None:
    gate = threading.Event()
    app = PacedApp()
    app.pace = lambda path: float(not gate.wait(20)) if path == "/held" else 0.0
    server = start(app, threads=1)
    with Wire(server.tcp, 20) as held, Wire(server.tcp, 20) as waits:
        held.send(get("/held"))
        wait_for(lambda: server.app.running, "it runs")
        waits.send(get("/waits"))
        wait_for(lambda: server.engine.snapshot()["waiting"] == 1, "it waits")
        wait_for(lambda: (server.engine.snapshot()["oldest_waiting"] or 0) > 0.05, "its age grows")
        busy = [thread for thread in server.engine.snapshot()["threads"] if thread["state"] == "busy"]
        assert [(thread["method"], thread["path"]) for thread in busy] == [("GET", "/held")]
        assert busy[0]["age"] > 0.05
        gate.set()
        for wire in (held, waits):
            assert wire.read_reply() is not None
        snapshot = wait_for(lambda: server.engine.crew.idle and server.engine.snapshot(), "nothing runs")
        assert (snapshot["waiting"], snapshot["oldest_waiting"]) == (0, None)
        assert snapshot["counters"]["requests"] == 2
