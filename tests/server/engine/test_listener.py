"""How connections are taken from a listening socket."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from engine_in_thread import EngineInThread, wait_for
from paced_app import PacedApp

from wheatpaste.server.engine import Engine
from wheatpaste.server.engine.listener import Listener
from wheatpaste.server.forecast import Forecast
from wheatpaste.server.http1.base_environ import listener_environ
from wheatpaste.server.http1.heads import HeadReader
from wheatpaste.server.settings import Settings

CLIENTS = 4


@pytest.fixture
def waiting() -> Iterator[socket.socket]:
    """A listening socket in whose queue some connections wait."""
    with ExitStack() as stack:
        listening = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        for _ in range(CLIENTS):
            stack.enter_context(socket.create_connection(listening.getsockname(), 10))
        yield listening


def opened(sock: socket.socket, *, multiprocess: bool) -> tuple[Engine, Listener]:
    """A listener of an engine that does not run, so that nobody else takes anything."""
    settings = Settings(multiprocess=multiprocess)
    engine = Engine(PacedApp(), [], settings)
    listener = Listener(engine, sock, HeadReader(listener_environ(sock, settings), settings, Forecast()))
    listener.open()
    return engine, listener


def end(engine: Engine, listener: Listener) -> None:
    listener.close()
    engine.connections.close()
    engine.poller.close()


def test_a_process_alone_takes_all_that_wait_at_once(waiting: socket.socket) -> None:
    engine, listener = opened(waiting, multiprocess=False)
    listener.accept()
    assert len(engine.connections.open) == CLIENTS
    end(engine, listener)


def test_a_process_among_others_takes_one_and_leaves_the_next_turn_to_them(waiting: socket.socket) -> None:
    engine, listener = opened(waiting, multiprocess=True)
    taken = []
    for _ in range(5):
        listener.accept()
        taken.append(len(engine.connections.open))
        assert any(fd == listener.fd for fd, _ in engine.poller.poll(0)), "the poller reports what is left"
    assert taken == [1, 1, 2, 2, 3]
    end(engine, listener)


def test_at_its_end_it_takes_all_that_wait_whoevers_turn_it_is(waiting: socket.socket) -> None:
    engine, listener = opened(waiting, multiprocess=True)
    listener.accept()
    listener.close()
    assert len(engine.connections.open) == CLIENTS
    end(engine, listener)


def test_who_comes_while_it_is_being_closed_is_taken_too(
    waiting: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread that tells the poller of it may have to wait for its turn afterwards, and clients come meanwhile."""
    engine, listener = opened(waiting, multiprocess=True)
    address, forget = waiting.getsockname(), engine.poller.forget
    with ExitStack() as late:

        def forget_and_wait(fd: int) -> None:
            forget(fd)
            if fd == listener.fd:
                late.enter_context(socket.create_connection(address, 10))

        monkeypatch.setattr(engine.poller, "forget", forget_and_wait)
        listener.close()
        monkeypatch.undo()
        assert len(engine.connections.open) == CLIENTS + 2
        end(engine, listener)


def test_what_a_leader_takes_for_whose_end_nobody_has_waited_is_closed(waiting: socket.socket) -> None:
    engine, listener = opened(waiting, multiprocess=False)
    engine.connections.close()
    listener.accept()
    assert engine.connections.accepted == CLIENTS
    assert not engine.connections.open
    end(engine, listener)


def test_an_end_that_does_not_wait_for_the_leader_closes_each_listener_once(
    start: Callable[..., EngineInThread], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    closing: list[int] = []
    is_over = threading.Event()
    close = Listener.close

    def slow(self: Listener) -> None:
        closing.append(self.fd)
        if threading.current_thread().name != "engine":
            assert is_over.wait(20)
        close(self)

    monkeypatch.setattr(Listener, "close", slow)
    server = start()
    leader = server.engine.crew.leader
    assert leader is not None
    assert leader.thread is not None
    server.engine.stop()
    wait_for(lambda: closing, "the leader closes one")
    server.engine.stop(force=True)
    server.thread.join(10)
    assert not server.running
    is_over.set()
    leader.thread.join(10)
    assert not leader.thread.is_alive()
    assert server.failure is None
    assert len(closing) == len(set(closing)) == 2
    assert not caplog.records
