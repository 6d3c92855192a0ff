"""``waitress.client_disconnected``: what an app is told of a client that stays, leaves or has finished sending."""

from __future__ import annotations

import gc
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from engine_in_thread import EngineInThread, engines, wait_for
from raw_http import Address, Wire
from tls_peers import Authority
from tls_wire import tls_wire

from wheatpaste.config.records import replace
from wheatpaste.server.http1.client_gone import CLIENT_DISCONNECTED, ClientWatch, has_left, is_at_end
from wheatpaste.server.settings import Settings
from wheatpaste.server.tls.contexts import make_tls

REQUEST = b"GET /%b HTTP/1.1\r\nHost: x\r\n\r\n"


class LongWork:
    """``/work`` goes on until its client has gone, ``/ask`` tells at once; ``told`` is what the last one was told."""

    def __init__(self) -> None:
        self.began, self.told = threading.Event(), threading.Event()
        self.first: bool | None = None
        self.watch: Callable[[], bool] | None = None

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        gone = self.watch = environ[CLIENT_DISCONNECTED]
        if environ["PATH_INFO"] == "/work":
            self.first = gone()
            self.began.set()
            wait_for(gone, "the client has gone")
            self.told.set()
        body = str(gone()).encode()
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
        return [body]


def _close_after_more(wire: Wire) -> None:
    wire.send(REQUEST % b"ask")
    wire.close()


@pytest.fixture(scope="module")
def settings_of(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Settings]:
    certificate = Authority(tmp_path_factory.mktemp("authority")).issue("localhost")
    plain = Settings()
    tls = replace(plain, tls=make_tls([certificate]), url_scheme="https")
    return {"tcp": plain, "unix": plain, "selectors": Settings(poller="selectors"), "tls": tls}


@pytest.fixture(params=["tcp", "unix", "selectors", "tls"])
def served(request: pytest.FixtureRequest, settings_of: dict[str, Settings]) -> Iterator[tuple[EngineInThread, Any]]:
    """A server, and what connects to it."""
    server = EngineInThread(LongWork(), settings_of[request.param])
    address: Address = server.unix if request.param == "unix" else server.tcp
    yield server, lambda: (tls_wire if request.param == "tls" else Wire)(address)
    server.stop(force=True)


@pytest.mark.parametrize(
    "leave",
    [
        pytest.param(Wire.close, id="closes"),
        pytest.param(_close_after_more, id="closes-after-more"),
        pytest.param(Wire.reset, id="resets"),
    ],
)
def test_an_app_learns_that_its_client_has_gone(served: tuple[EngineInThread, Any], leave: Any) -> None:
    server, connect = served
    with connect() as wire:
        wire.send(REQUEST % b"work")
        assert server.app.began.wait(10)
        assert server.app.first is False
        assert not server.app.told.is_set()
        leave(wire)
        assert server.app.told.wait(10)


def test_clients_that_stay_are_there_for_each_of_their_requests(served: tuple[EngineInThread, Any]) -> None:
    _, connect = served
    with connect() as wire:
        wire.send(REQUEST % b"ask" * 3)
        for _ in range(3):
            assert wire.read_reply().body == b"False"
        wire.send(REQUEST % b"ask")
        assert wire.read_reply().body == b"False"


def test_a_client_that_has_finished_sending_counts_as_gone_and_gets_its_reply() -> None:
    with engines(LongWork) as start:
        server = start()
        with Wire(server.tcp) as wire:
            wire.send(REQUEST % b"work")
            assert server.app.began.wait(10)
            wire.finish()
            reply = wire.read_reply()
            assert reply is not None
            assert reply.body == b"True"


def test_after_the_connection_the_client_has_gone(served: tuple[EngineInThread, Any]) -> None:
    server, connect = served
    with connect() as wire:
        wire.send(REQUEST.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n") % b"ask")
        wire.read_rest()
    wait_for(server.app.watch, "the client has gone")
    wait_for(lambda: not any(server.engine.snapshot()["connections"].values()), "nobody is connected")
    assert server.app.watch() is True


def test_connections_are_freed_at_once_with_their_watches() -> None:
    def left() -> int:
        return sum(type(each) is ClientWatch for each in gc.get_objects())

    with engines(LongWork) as start:
        server = start()
        gc.collect()
        before = left()
        gc.disable()  # or a circle would be found now and then
        try:
            for _ in range(5):
                with Wire(server.tcp) as wire:
                    wire.send(REQUEST % b"ask")
                    wire.read_reply()
            wait_for(lambda: left() <= before + 1, "all are free but the one that the app keeps")
        finally:
            gc.enable()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        yield ours, theirs


@pytest.mark.parametrize("look", [has_left, is_at_end], ids=["as-here", "anywhere"])
def test_each_way_to_look_sees_the_end_and_takes_no_byte(look: Any, pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    assert look(ours) is False
    theirs.sendall(b"next")
    assert look(ours) is False
    assert ours.recv(10) == b"next"
    theirs.shutdown(socket.SHUT_WR)
    assert look(ours) is True


@pytest.mark.parametrize("look", [has_left, is_at_end], ids=["as-here", "anywhere"])
def test_each_way_to_look_sees_a_reset(look: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, Wire(listener.getsockname()) as wire:
        ours, _ = listener.accept()
        with ours:
            ours.setblocking(False)
            wire.reset()
            wait_for(lambda: look(ours), "the reset is seen")


def test_a_closed_socket_has_nobody(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, _ = pair
    watch = ClientWatch(ours)
    assert watch() is False
    ours.close()
    assert watch() is True
