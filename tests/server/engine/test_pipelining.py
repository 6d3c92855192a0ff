"""Requests sent without waiting, while leaders and workers come and go."""

from __future__ import annotations

import selectors
from collections.abc import Callable
from typing import Any

import pytest
from engine_in_thread import EngineInThread, wait_for
from paced_app import Environ, PacedApp, get, text
from pipelined_load import PipelinedApp, PipeliningClient
from raw_http import Wire

Start = Callable[..., EngineInThread]


@pytest.mark.parametrize(
    ("poller", "threads"),
    [("auto", 1), ("auto", 4), ("selectors", 1), ("selectors", 4), ("PollSelector", 4), ("SelectSelector", 4)],
)
def test_every_reply_is_right_and_in_order(
    start: Start, monkeypatch: pytest.MonkeyPatch, poller: str, threads: int
) -> None:
    if poller.endswith("Selector"):  # what other systems have
        monkeypatch.setattr(selectors, "DefaultSelector", getattr(selectors, poller))
        poller = "selectors"
    server = start(PipelinedApp(), threads=threads, poller=poller)
    addresses = [server.tcp, server.unix] * 3
    clients = [PipeliningClient(address, str(at), 250, seed=at) for at, address in enumerate(addresses)]
    for client in clients:
        client.start()
    for client in clients:
        client.join(60)
    assert [client.wrong for client in clients] == [None] * len(clients)
    assert [client.right for client in clients] == [250] * len(clients)
    assert not server.app.overlapped
    wait_for(lambda: server.engine.crew.idle, "nothing runs")


@pytest.mark.parametrize("poller", ["auto", "selectors"])
def test_what_comes_behind_requests_that_wait_for_their_turn_is_not_taken_for_their_end(
    start: Start, poller: str
) -> None:
    """Sixteen in a row are served before others have their turn; here more arrives just then, from a worker's hands."""
    server = start(PacedApp(lambda path: 0.000_3 if path == "/mid" else 0.0), threads=4, poller=poller)
    for _ in range(20):
        with Wire(server.unix) as wire:
            for _ in range(5):
                wire.send(get("/mid") + get("/fast") * 40)
            statuses = []
            for _ in range(205):
                reply = wire.read_reply()
                assert reply is not None
                statuses.append(reply.status)
            assert statuses == [200] * 205


@pytest.mark.parametrize("poller", ["auto", "selectors"])
def test_others_have_their_turn_between_pipelined_requests(start: Start, poller: str) -> None:
    """All of the pipeline is read at once, and somebody else asks while its first request is served."""
    server = start(threads=2, poller=poller)
    with Wire(server.tcp) as pipeline, Wire(server.tcp) as other:

        def ask_meanwhile(environ: Environ, start_response: Any) -> list[bytes]:
            other.send(get("/other"))
            return text("first", start_response)

        server.app.answers["/first"] = ask_meanwhile
        pipeline.send(get("/first") + get("/fast") * 400)
        for _ in range(401):
            assert pipeline.read_reply() is not None
        assert other.read_reply() is not None
    assert server.app.begun.index("/other") < 100, "it comes behind sixteen, and a few times that many at the worst"
