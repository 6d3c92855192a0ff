"""Everything that clients do, for minutes, after which the server holds what it held before."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from engine_in_thread import EngineInThread, wait_for
from mixed_clients import MixedClient
from pipelined_load import PipelinedApp, PipeliningClient
from tls_peers import Authority

from wheatpaste.server.settings import Settings

pytestmark = pytest.mark.slow
KIT = Path(__file__).parents[1] / "_kit"
WARM_UP = 15.0
"""Seconds that fill what is kept on purpose, such as memories of header lines."""
SOAK = float(os.environ.get("WHEATPASTE_SOAK", "45"))
"""Seconds that count; ``make test`` takes three minutes."""


class Census:
    """A server in a process of its own, and what it holds."""

    def __init__(self, certificate: Path, poller: str, log: Path) -> None:
        self._log = log.open("wb")
        self.process = subprocess.Popen(
            [sys.executable, KIT / "census_server.py", certificate, poller],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={**os.environ, "PYTHONPATH": str(KIT), "MALLOC_ARENA_MAX": "2"},
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self.end()
            raise RuntimeError(log.read_text())
        addresses = json.loads(line)
        self.plain, self.tls = tuple(addresses["plain"]), tuple(addresses["tls"])

    def take(self) -> dict[str, Any]:
        with contextlib.closing(http.client.HTTPConnection(*self.plain, timeout=30)) as client:
            client.request("GET", "/census")
            found: dict[str, Any] = json.loads(client.getresponse().read())
            return found

    def at_rest(self) -> dict[str, Any]:
        """The census once nobody is connected but who asks for it."""
        return dict(wait_for(self._rests, "nobody is connected", 30))

    def _rests(self) -> dict[str, Any] | None:
        found = self.take()
        connections = sum(sum(engine["connections"].values()) for engine in found["engines"])
        return found if connections == 1 else None

    def end(self) -> int:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        try:
            return self.process.wait(20)
        finally:
            self.process.kill()
            self.process.stdout.close()
            self._log.close()


@pytest.fixture
def census(tmp_path: Path) -> Iterator[Census]:
    certificate = Authority(tmp_path).issue("localhost").chain
    served = Census(Path(certificate), "auto", tmp_path / "log")
    yield served
    if served.process.returncode is None:
        served.end()


def load(served: Census, seconds: float, seed: int) -> Counter[str]:
    """So many seconds of mixed clients; none of them may have got anything wrong."""
    over = threading.Event()
    clients = [MixedClient(served.plain, served.tls, over, seed + number) for number in range(12)]
    for client in clients:
        client.start()
    over.wait(seconds)  # nobody sets it: this is the time that the load takes
    over.set()
    for client in clients:
        client.join(40)
    assert [wrong for client in clients for wrong in client.wrong] == []
    return sum((client.done for client in clients), Counter())


@pytest.mark.early
@pytest.mark.timeout(WARM_UP + SOAK + 120)
def test_mixed_clients_leave_nothing_behind(census: Census, tmp_path: Path) -> None:
    load(census, WARM_UP, 1)
    before = census.at_rest()
    done = load(census, SOAK, 1000)
    after = census.at_rest()
    assert min(done.values()) > 5, done
    assert after["descriptors"] == before["descriptors"]
    # A leader and some who lead while all others wait, of each engine; two watchdogs, two that wait, and the main one.
    assert after["threads"] <= 2 * (2 * 4 + 2) + 5
    assert after["resident"] - before["resident"] < 20 << 20
    assert after["objects"] - before["objects"] < 0.05 * before["objects"]
    for engine in after["engines"]:
        assert {thread["state"] for thread in engine["threads"]} <= {"leading", "idle", "busy"}
        assert sum(thread["state"] == "busy" for thread in engine["threads"]) <= 1  # who asks
        assert engine["waiting"] == 0
    assert census.end() == 0
    log = (tmp_path / "log").read_text(errors="replace")
    assert "made a mistake" not in log
    assert "after a task that failed" not in log
    errors = {line for line in log.splitlines() if "Error" in line and not line.startswith(" ")}
    assert errors <= {"ValueError: on purpose"}


@pytest.mark.parametrize("poller", ["auto", "selectors"])
@pytest.mark.parametrize("threads", [1, 2, 16])
def test_thousands_of_requests_in_pipelines_are_answered_in_order(poller: str, threads: int) -> None:
    server = EngineInThread(PipelinedApp(), Settings(threads=threads, poller=poller))
    try:
        addresses = [server.tcp, server.unix] * 4
        clients = [PipeliningClient(address, str(at), 400, seed=100 + at) for at, address in enumerate(addresses)]
        for client in clients:
            client.start()
        for client in clients:
            client.join(90)
        assert [client.wrong for client in clients] == [None] * len(clients)
        assert sum(client.right for client in clients) == 400 * len(clients)
        assert not server.app.overlapped
    finally:
        server.stop(force=True)
