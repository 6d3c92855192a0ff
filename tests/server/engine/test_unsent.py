"""Large replies for slow clients: some in memory, the rest on the disk."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest
from engine_in_thread import EngineInThread, wait_for
from paced_app import PacedApp, get
from raw_http import Wire

from wheatpaste.server.engine.output import Output
from wheatpaste.server.engine.unsent import Unsent

Start = Callable[..., EngineInThread]
SIZE = 6 << 20


def fresh(environ: dict[str, Any], start_response: Any) -> Any:
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(SIZE))])
    return [environ["QUERY_STRING"].encode() * SIZE]


def in_memory(server: EngineInThread) -> int:
    outputs = [connection.output for connection in list(server.engine.connections.open.values())]
    return sum(output.memory for output in outputs if output is not None)


@pytest.mark.parametrize("poller", ["auto", "selectors"])
def test_those_who_do_not_read_cost_a_bounded_part_of_the_memory(start: Start, poller: str) -> None:
    server = start(PacedApp(answers={"/fresh": fresh}), threads=2, limits={"outputs_memory": 8 << 20}, poller=poller)
    wires = [Wire(server.tcp, 20) for _ in range(12)]
    for wire in wires:
        wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    for number, wire in enumerate(wires):
        wire.send(get(f"/fresh?{'abcdefghijkl'[number]}") + get("/after"))
    wait_for(lambda: server.app.begun.count("/fresh") == len(wires), "all are answered")
    wait_for(lambda: in_memory(server) <= 8 << 20, "the eldest are on the disk", 10)
    for number, wire in enumerate(wires):
        reply = wire.read_reply()
        assert reply is not None
        assert reply.body == b"abcdefghijkl"[number : number + 1] * SIZE
        after = wire.read_reply()
        assert after is not None
        assert after.body.startswith(b"/after")
        wire.close()


def test_those_who_leave_take_their_files_with_them(start: Start) -> None:
    server = start(PacedApp(answers={"/fresh": fresh}), threads=2, limits={"outputs_memory": 0})
    with Wire(server.tcp) as first:
        first.send(get("/first"))
        assert first.read_reply() is not None
        before = len(os.listdir("/proc/self/fd"))
        wires = [Wire(server.tcp, 20) for _ in range(5)]
        for wire in wires:
            wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            wire.send(get("/fresh?x"))
            assert wire.read_head() is not None
        wait_for(lambda: not in_memory(server), "all are on the disk", 10)
        for wire in wires[:3]:
            wire.close()
        for wire in wires[3:]:
            wire.reset()
        # Less where something that an earlier test has left is closed meanwhile.
        wait_for(lambda: len(os.listdir("/proc/self/fd")) <= before, "all is closed")


def test_a_disk_without_room_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    class Stubborn(Output):
        """A reply whose disk is full."""

        def move_to_file(self) -> None:
            raise OSError(28, "No space left on device")

    unsent = Unsent(0, lambda job: job())
    for _ in range(3):
        output = Stubborn(_Deaf(), (), 0.0)
        output.add(bytes(100_000))
        unsent.add(output)
    with caplog.at_level(logging.WARNING):
        unsent.look()
    assert caplog.text.count("No space left") == 1


class Moved(Output):
    """A reply that is moved in no time."""

    def move_to_file(self) -> None:
        self.memory = 0


def waiting(unsent: Unsent, data: bytes) -> Moved:
    output = Moved(_Deaf(), (), 0.0)
    output.add(data)
    unsent.add(output)
    return output


def test_what_is_sent_to_many_counts_once() -> None:
    unsent = Unsent(1_000_000, lambda job: job())
    shared = bytes(600_000)
    many = [waiting(unsent, shared) for _ in range(50)]
    unsent.look()
    assert all(output.memory for output in many)
    own = waiting(unsent, bytes(500_000))  # together that is too much, and all that are older go
    unsent.look()
    assert not any(output.memory for output in many)
    assert own.memory


def test_what_was_sent_of_a_piece_counts_until_all_of_it_is() -> None:
    class Hungry:
        """A socket that takes most of what it is given, and then no more."""

        def send(self, data: memoryview) -> int:
            if len(data) == 70_000:
                raise BlockingIOError
            return len(data) - 70_000

    unsent = Unsent(1_000_000, lambda job: job())
    output = Moved(Hungry(), (BlockingIOError,), 0.0)
    output.add(bytes(2_000_000))
    assert not output.flush(lambda: 1.0)
    assert output.memory == 70_000
    unsent.add(output)
    unsent.look()
    assert not output.memory


def test_small_replies_stay_in_memory() -> None:
    unsent = Unsent(0, lambda job: job())
    small, large = waiting(unsent, bytes(60_000)), waiting(unsent, bytes(70_000))
    unsent.look()
    assert (bool(small.memory), bool(large.memory)) == (True, False)


def test_one_at_a_time_is_moved() -> None:
    jobs: list[Callable[[], object]] = []
    unsent = Unsent(0, jobs.append)
    first = [waiting(unsent, bytes(100_000)) for _ in range(3)]
    unsent.look()
    second = waiting(unsent, bytes(100_000))
    unsent.look()
    assert len(jobs) == 1
    jobs.pop()()
    assert not any(output.memory for output in (*first, second))
    third = waiting(unsent, bytes(100_000))
    unsent.look()
    jobs.pop()()
    assert not third.memory


def test_requests_are_served_while_replies_are_moved(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    server = start(PacedApp(answers={"/fresh": fresh}), threads=1, limits={"outputs_memory": 0})
    disk_is_slow, moving = threading.Event(), threading.Event()
    move_to_file = Output.move_to_file

    def move(output: Output) -> None:
        moving.set()
        disk_is_slow.wait(10)
        move_to_file(output)

    monkeypatch.setattr(Output, "move_to_file", move)
    wires = [Wire(server.tcp, 20) for _ in range(5)]
    try:
        for wire in wires:
            wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            wire.send(get("/fresh?x"))
        assert moving.wait(10)
        with Wire(server.tcp) as other:
            other.send(get("/other"))
            reply = other.read_reply()
            assert reply is not None
            assert reply.status == 200
    finally:
        disk_is_slow.set()
        for wire in wires:
            wire.close()


class _Deaf:
    """A socket that is never asked."""

    send = None
