"""Five hundred connections of slowhttptest, in each of its ways: whoever is in good faith is served as before."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from client_app import BLOB, serve_client_app, status
from prerequisites import lacking
from running_server import RunningServer, poll
from steady_load import SteadyLoad

pytestmark = pytest.mark.slow

KIT = Path(__file__).parents[1] / "_kit"
CONNECTIONS = 500
SECONDS = 4.0
"""How long an attack goes on with all of its connections."""
SOON = 2.0
"""Seconds within which everybody else is answered, on a machine where all of this runs beside other things."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """The server, with a file of two megabytes in ``/files``."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "public").mkdir()
    (folder / "public" / "large.bin").write_bytes(BLOB)
    server = serve_client_app(
        folder, before=[sys.executable, KIT / "small_segments.py"], listen="fd:3", head_timeout=60
    )
    try:
        yield server
        assert "Traceback" not in server.log()
        assert server.stop() == 0
    finally:
        server.kill()


class Attack:
    """slowhttptest on its way."""

    def __init__(self, *words: str) -> None:
        program = shutil.which("slowhttptest")
        if program is None:
            lacking("slowhttptest")
        counts = [f"-c{CONNECTIONS}", f"-r{CONNECTIONS}", "-l60", "-p5"]
        self._process = subprocess.Popen(
            [program, *counts, *words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def end(self) -> None:
        self._process.kill()
        self._process.wait(10)


def descriptors(server: RunningServer) -> int:
    return len(list(Path(f"/proc/{server.pid}/fd").iterdir()))


def resident(server: RunningServer) -> int:
    """Bytes of its memory."""
    found = re.search(r"^VmRSS:\s+([0-9]+) kB$", Path(f"/proc/{server.pid}/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


def held(server: RunningServer) -> list[str]:
    """What threads have been at for longer than any request of this test should take."""
    return [str(thread) for thread in status(server)["threads"] if (thread["age"] or 0) > SOON]


WAYS = [
    pytest.param(["-H", "-i1"], "/hello", "head", id="heads that do not end"),
    pytest.param(["-B", "-i1"], "/mirror", "body", id="bodies that do not end"),
    pytest.param(["-X", "-n1", "-w256", "-y512", "-z5"], "/files/large.bin", "writing", id="a file that is not read"),
    pytest.param(["-X", "-n1", "-w256", "-y512", "-z5"], "/blob", "writing", id="a reply that is not read"),
    pytest.param(["-R", "-a1", "-b3000"], "/files/large.bin", None, id="thousands of ranges"),
]


@pytest.mark.parametrize(("words", "path", "state"), WAYS)
def test_everybody_else_is_served(site: RunningServer, words: list[str], path: str, state: str | None) -> None:
    first = slowest_answer(site, words, path, state)
    if first > SOON:  # the machine may be busy with something else for a moment, but hardly twice
        assert slowest_answer(site, words, path, state) < SOON


def slowest_answer(site: RunningServer, words: list[str], path: str, state: str | None) -> float:
    """Attack, and see that nothing is held or lost; returns how long somebody else waited for an answer, in seconds."""
    open_before, memory_before = descriptors(site), resident(site)
    connections_before = status(site)["counters"]["connections"]
    attack = Attack(*words, "-u", f"{site.url}{path}")
    try:
        with SteadyLoad(site.port, path="/hello", fresh=1, kept=2) as load:

            def is_on() -> bool:
                now = status(site)
                if state is None:
                    return bool(now["counters"]["connections"] - connections_before > CONNECTIONS)
                return bool(now["connections"].get(state, 0) >= CONNECTIONS * 0.95)

            poll(is_on, 30, lambda: f"the attack is not under way: {status(site)}")
            grown = resident(site) - memory_before
            end = time.monotonic() + SECONDS
            while time.monotonic() < end:
                assert not held(site)
                grown = max(grown, resident(site) - memory_before)
    finally:
        attack.end()
    assert not load.failures
    assert load.seen("hello") > 50
    assert grown < 100 * 1024 * 1024
    poll(lambda: descriptors(site) <= open_before, 30, lambda: f"{descriptors(site)} descriptors are open")
    return load.slowest
