"""Who runs a request: the leader what is fast, workers what waits, and nobody twice."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from engine_in_thread import EngineInThread, wait_for
from paced_app import PacedApp, get, text
from raw_http import Reply, Wire

from wheatpaste.server.engine import engine
from wheatpaste.server.engine.connection import Connection

Start = Callable[..., EngineInThread]
SLOW = 0.05


@contextmanager
def wires(server: EngineInThread, number: int, patience: float = 20) -> Iterator[list[Wire]]:
    with ExitStack() as stack:
        yield [stack.enter_context(Wire(server.tcp, patience)) for _ in range(number)]


def ask(wire: Wire, path: str) -> Reply:
    wire.send(get(path))
    return answered(wire)


def answered(wire: Wire) -> Reply:
    reply = wire.read_reply()
    assert reply is not None
    assert reply.status == 200, reply
    return reply


def thread_of(reply: Reply) -> str:
    return reply.body.decode().split()[-1]


def leader_of(server: EngineInThread) -> str:
    return next(thread["name"] for thread in server.engine.snapshot()["threads"] if thread["state"] == "leading")


def settled(server: EngineInThread) -> dict[str, Any]:
    """The snapshot once nothing runs: exactly one thread leads, and all others are idle."""

    def quiet() -> Any:
        snapshot = server.engine.snapshot()
        states = [thread["state"] for thread in snapshot["threads"]]
        is_quiet = states.count("leading") == 1 and states.count("idle") == len(states) - 1
        return snapshot if is_quiet and server.engine.crew.idle else None

    found: dict[str, Any] = wait_for(quiet, "one leads, all others are idle")
    assert found["waiting"] == 0
    return found


def all_threads_live(server: EngineInThread) -> bool:
    living = {thread.name for thread in threading.enumerate()}
    return {thread["name"] for thread in server.engine.snapshot()["threads"]} <= living


def by_prefix(**seconds: float) -> Callable[[str], float]:
    return lambda path: next((value for name, value in seconds.items() if path.startswith(f"/{name}")), 0.0)


@pytest.fixture(params=["auto", "selectors"])
def poller(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_fast_requests_stay_with_one_thread(start: Start, poller: str) -> None:
    server = start(threads=8, poller=poller)
    with wires(server, 3) as clients:
        for number in range(20):  # the first ones, which nothing is known of, may take longer than the watchdog waits
            ask(clients[number % 3], "/fast")
        turns = server.engine.crew.turn
        names = [thread_of(ask(clients[number % 3], "/fast")) for number in range(200)]
    # On a busy machine now and then one is slower than the watchdog waits, and its like are handed over for a while.
    assert server.engine.crew.turn - turns > 120
    assert sum(one != other for one, other in zip(names, names[1:], strict=False)) < 80
    assert len(server.engine.snapshot()["threads"]) <= 4


def test_a_request_that_is_known_to_wait_is_handed_over(start: Start, poller: str) -> None:
    server = start(PacedApp(by_prefix(slow=SLOW)), threads=4, poller=poller)
    with wires(server, 2) as (first, second):
        ask(first, "/slow/a")
        settled(server)
        turns = server.engine.crew.turn
        assert thread_of(ask(first, "/slow/a")) != leader_of(server)
        assert thread_of(ask(second, "/slow/b")) != leader_of(server)
        # No leader has begun them, so no watchdog had to notice.
        assert server.engine.crew.turn == turns


def held_by(gate: threading.Event) -> Callable[[str], float]:
    """A pace: ``/slow…`` ends when the gate opens, which is after the patience of everybody who waits for it."""
    return lambda path: 0.0 if not path.startswith("/slow") or gate.wait(60) else 1.0


def test_others_are_answered_while_an_unknown_request_turns_out_slow(start: Start, poller: str) -> None:
    gate = threading.Event()
    server = start(PacedApp(held_by(gate)), threads=4, poller=poller)
    with wires(server, 2) as (slow, fast):
        ask(fast, "/fast")
        slow.send(get("/slow"))
        wait_for(lambda: "/slow" in server.app.begun, "it runs")
        ask(fast, "/fast")
        assert server.app.running == 1
        gate.set()
        answered(slow)
    settled(server)


def test_a_burst_of_unknown_slow_requests_holds_nobody_up(start: Start, poller: str) -> None:
    """They are found out one after the other, none of them by being waited for."""
    gate = threading.Event()
    server = start(PacedApp(held_by(gate)), threads=40, poller=poller)
    with wires(server, 31) as (fast, *slow):
        ask(fast, "/fast")
        for number, wire in enumerate(slow):
            wire.send(get(f"/slow{number}/x"))
        ask(fast, "/fast")
        wait_for(lambda: server.app.running == 30, "all of them run", deadline=20)
        ask(fast, "/fast")
        gate.set()
        for wire in slow:
            answered(wire)
    settled(server)
    assert all_threads_live(server)


def test_a_kind_of_requests_may_change_its_speed(start: Start) -> None:
    server = start(threads=4)
    seconds = 0.0
    server.app.pace = lambda path: seconds if path == "/changing" else 0.0

    def is_the_leaders() -> bool:
        settled(server)
        turns = server.engine.crew.turn
        ask(changing, "/changing")
        return bool(server.engine.crew.turn > turns)

    with wires(server, 1) as (changing,):
        for seconds in (0.05, 0.0, 0.05):
            is_fast = not seconds
            wait_for(lambda wanted=is_fast: is_the_leaders() is wanted, "it is noticed", deadline=20)
            # On a busy machine now and then a fast one is not.
            assert [is_the_leaders() for _ in range(9)].count(is_fast) > 4
        settled(server)


@pytest.mark.parametrize("is_known", [False, True], ids=["unknown before", "known to be slow"])
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_never_more_requests_run_than_threads_were_asked_for(start: Start, threads: int, is_known: bool) -> None:
    gate = threading.Event()
    gate.set()
    server = start(PacedApp(lambda path: 0.01 if gate.wait(20) else 1.0), threads=threads)
    with wires(server, 40) as clients:
        if is_known:
            ask(clients[0], "/slow/known")
            settled(server)
        gate.clear()
        for number, wire in enumerate(clients):
            wire.send(get(f"/slow/{number}"))
        wait_for(lambda: server.app.running == threads, "as many run as may")
        gate.set()
        for wire in clients:
            answered(wire)
        assert server.app.most == threads
    settled(server)
    assert all_threads_live(server)


@pytest.mark.parametrize(("threads", "most"), [(1, 1), (2, 6), (3, 8)])
def test_fast_kinds_that_become_slow_all_at_once_run_beside_the_others_up_to_a_bound(
    start: Start, threads: int, most: int
) -> None:
    """Each was let in beside as many as may run because it was known to be fast."""
    server = start(threads=threads)
    kinds = [f"/slow{number}" for number in range(12)]
    gate = threading.Event()
    with wires(server, 13) as (first, *clients):
        for path in kinds * 3:
            ask(first, path)
        settled(server)
        server.app.pace = held_by(gate)
        server.app.begun.clear()
        for wire, path in zip(clients, kinds, strict=True):
            wire.send(get(path))
        wait_for(lambda: server.engine.crew.leader is None or count_taken(server) == 12, "no other one can begin")
        wait_for(lambda: server.app.running >= most, "they run")
        gate.set()
        for wire in clients:
            answered(wire)
    assert server.app.most == most
    settled(server)
    assert all_threads_live(server)


@pytest.mark.parametrize("threads", [1, 3])
def test_waiting_requests_are_served_in_the_order_of_their_arrival(start: Start, threads: int) -> None:
    server = start(PacedApp(by_prefix(slow=0.02)), threads=threads)
    with wires(server, 40) as clients:
        for number, wire in enumerate(clients):
            wire.send(get(f"/slow/{number}"))
            wait_for(lambda done=number: count_taken(server) > done, "the request is taken")
        for wire in clients:
            answered(wire)
    order = [int(path.rpartition("/")[2]) for path in server.app.begun]
    # Those that begin together may tell it in any order.
    assert all(abs(place - number) < threads for place, number in enumerate(order)), order


def count_taken(server: EngineInThread) -> int:
    return len(server.app.begun) + int(server.engine.snapshot()["waiting"])


def test_with_one_thread_the_app_is_never_entered_twice(start: Start, poller: str) -> None:
    server = start(PacedApp(by_prefix(slow=0.004, fast=0.0, mid=0.0005)), threads=1, poller=poller)
    with wires(server, 12) as clients:
        for turn in range(8):
            for number, wire in enumerate(clients):
                wire.send(get(f"/{('slow', 'fast', 'mid')[(turn + number) % 3]}"))
            for wire in clients:
                answered(wire)
    assert server.app.most == 1


def test_fast_requests_are_answered_beside_as_many_slow_ones_as_may_run(start: Start, poller: str) -> None:
    """Sixteen threads, sixteen slow requests, none of which ends, and a client that asks for something small."""
    gate = threading.Event()
    server = start(PacedApp(held_by(gate)), threads=16, poller=poller)

    def fifty_are_answered(fast: Wire, slow: list[Wire]) -> bool:
        gate.clear()
        for number, wire in enumerate(slow):
            wire.send(get(f"/slow/{number}"))
        wait_for(lambda: server.app.running == 16, "the slow ones run")
        is_late = False
        for _ in range(50):
            fast.send(get("/fast"))
            is_late = fast.quiet(2)
            if is_late:
                break
            answered(fast)
        gate.set()
        for wire in (*slow, fast) if is_late else slow:
            answered(wire)
        return not is_late

    with wires(server, 17) as (fast, *slow):
        for _ in range(10):
            ask(fast, "/fast")
        # On a busy machine now and then one is slower than the watchdog waits, and its like have to wait for a while.
        assert any(fifty_are_answered(fast, slow) for _ in range(5))
    settled(server)


def test_requests_that_compute_leave_others_their_turn(start: Start) -> None:
    def compute(environ: dict[str, Any], start_response: Any) -> Any:
        end = time.thread_time() + 0.01
        while time.thread_time() < end:
            pass
        return text("computed", start_response)

    server = start(PacedApp(answers={"/compute": compute}), threads=4)
    with wires(server, 6) as (fast, *busy):
        ask(fast, "/fast")
        for wire in busy:
            wire.send(get("/compute") * 12)
        ask(fast, "/fast")
        done = server.app.begun.count("/compute")
        for wire in busy:
            for _ in range(12):
                answered(wire)
        assert done < 50
    settled(server)


class EndOfTheApp(BaseException):
    """What no framework catches."""


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize(
    "error", [SystemExit, KeyboardInterrupt, GeneratorExit, EndOfTheApp, MemoryError, StopIteration]
)
def test_nothing_that_an_app_raises_ends_a_thread(start: Start, error: type[BaseException], threads: int) -> None:
    def raising(environ: dict[str, Any], start_response: Any) -> Any:
        raise error("from the app")

    def raising_later(environ: dict[str, Any], start_response: Any) -> Any:
        time.sleep(0.02)
        raise error("from the app")

    def raising_in_close(environ: dict[str, Any], start_response: Any) -> Any:
        class Body(list[bytes]):
            def close(self) -> None:
                raise error("from close()")

        text("never sent", start_response)
        return Body([b"never sent"])

    app = PacedApp(answers={"/raise": raising, "/raise/later": raising_later, "/raise/close": raising_in_close})
    server = start(app, threads=threads)
    for _ in range(4):
        for path, status in (("/raise", 500), ("/raise/later", 500), ("/raise/close", 200)):
            with wires(server, 1, 5) as (wire,):
                wire.send(get(path))
                reply = wire.read_reply()
                assert reply is not None
                assert reply.status == status
    assert server.running
    settled(server)
    assert all_threads_live(server)
    with wires(server, 1) as (wire,):
        ask(wire, "/fast")


def file_that_does_not_like_to_be_closed(folder: Path) -> Callable[[dict[str, Any], Any], Any]:
    path = folder / "large"
    path.write_bytes(b"x" * (8 << 20))

    class Closing(io.FileIO):
        def close(self) -> None:
            super().close()
            raise ValueError("the file does not like to be closed")

    def answer(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(8 << 20))])
        return environ["wsgi.file_wrapper"](Closing(path))

    return answer


def test_a_file_whose_closing_fails_costs_no_thread(start: Start, tmp_path: Path) -> None:
    """A reply that waits for its client is closed by whichever thread is free."""
    server = start(PacedApp(answers={"/file": file_that_does_not_like_to_be_closed(tmp_path)}), threads=2)
    for _ in range(8):
        with wires(server, 1) as (wire,):
            assert len(ask(wire, "/file").body) == 8 << 20
            assert ask(wire, "/fast")
    settled(server)
    assert all_threads_live(server)


def test_files_whose_closing_fails_keep_nothing_open_at_the_end(
    start: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Their clients take nothing, and a forced stop does not wait: there is no other thread that could close them."""
    server = start(PacedApp(answers={"/file": file_that_does_not_like_to_be_closed(tmp_path)}), threads=2)
    with wires(server, 3) as clients:
        for wire in clients:
            wire.send(get("/file"))
        wait_for(lambda: sum(each.on_sent is not None for each in open_connections(server)) == 3, "all files wait")
        server.stop(force=True)
        for wire in clients:
            assert len(wire.read_rest()) < 8 << 20
    assert caplog.text.count("\nValueError: the file does not like to be closed") == 3
    assert not open_connections(server)


def open_connections(server: EngineInThread) -> list[Connection]:
    return list(server.engine.connections.open.values())


def test_a_slow_request_that_finds_a_free_thread_is_not_the_leaders(start: Start) -> None:
    server = start(PacedApp(by_prefix(slow=0.003)), threads=2)
    with wires(server, 6) as clients:
        for _ in range(3):  # the first may escape the watchdog, the second is measured
            ask(clients[0], "/slow")
        settled(server)
        turns = server.engine.crew.turn
        for _ in range(15):
            for wire in clients:
                wire.send(get("/slow"))
            for wire in clients:
                answered(wire)
        assert server.engine.crew.turn == turns


def test_requests_that_come_together_do_not_wait_for_one_that_turns_out_slow(
    start: Start, monkeypatch: pytest.MonkeyPatch, poller: str
) -> None:
    """Their replies leave together, as long as nobody has to wait for that: not until a leader looks again."""
    monkeypatch.setattr(engine, "_LOOK_EVERY", 60.0)
    naps: list[float] = []
    server = start(PacedApp(lambda path: naps.pop() if naps else 0.0), threads=4, poller=poller)
    with wires(server, 8, patience=10) as clients:
        for number in range(325):
            if number % 13 == 12:
                naps.append(0.03)
            for wire in clients:
                wire.send(get("/quick"))
            for wire in clients:
                answered(wire)
