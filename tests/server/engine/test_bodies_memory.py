"""Request bodies altogether: some in memory, the rest on the disk."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from engine_in_thread import EngineInThread, wait_for
from paced_app import PacedApp, text
from raw_http import Wire

Start = Callable[..., EngineInThread]
SIZE = 40_000
UPLOADS = 5


def files_without_names() -> set[tuple[str, int]]:
    """The temporary files that this process has open."""
    found = set()
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # the listing's own
            if os.readlink(f"/proc/self/fd/{name}").endswith(" (deleted)"):
                found.add((name, os.stat(f"/proc/self/fd/{name}").st_ino))
    return found


@pytest.fixture
def read() -> Iterator[threading.Event]:
    """Set when the app may read what was sent."""
    event = threading.Event()
    yield event
    event.set()


@pytest.mark.parametrize(
    ("memory", "on_disk"),
    [
        pytest.param(0, 5, id="none"),
        pytest.param(2 * SIZE + 1, 3, id="for two"),
        pytest.param(1 << 20, 0, id="for all"),
    ],
)
def test_bodies_wait_in_files_when_the_memory_for_all_of_them_is_taken(
    memory: int, on_disk: int, start: Start, read: threading.Event
) -> None:
    def upload(environ: dict[str, Any], start_response: Any) -> Any:
        read.wait(20)
        body = environ["wsgi.input"].read()
        assert len(body) == SIZE
        return text(str(set(body)), start_response)

    app = PacedApp(answers={"/upload": upload})
    server = start(app, threads=UPLOADS, limits={"bodies_memory": memory, "body_memory": SIZE})
    before = files_without_names()
    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(Wire(server.tcp, 20)) for _ in range(UPLOADS)]
        for again in range(2):  # what the first round took, the second can have
            read.clear()
            for number, wire in enumerate(wires):
                head = f"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: {SIZE}\r\n\r\n"
                wire.send(head.encode() + bytes([number]) * SIZE)
            wait_for(lambda: app.running == UPLOADS, "all bodies have come")
            assert len(files_without_names() - before) == on_disk, again
            read.set()
            for number, wire in enumerate(wires):
                reply = wire.read_reply()
                assert reply is not None
                assert reply.body == str({number}).encode()
            wait_for(lambda: server.engine.snapshot()["connections"] == {"idle": UPLOADS}, "all requests are over")
            assert not files_without_names() - before
