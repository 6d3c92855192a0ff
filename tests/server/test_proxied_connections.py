"""Connections through TCP proxies, in the engine: who must name the client, and what the app then sees of it."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from conformance_app import ConformanceApp
from engine_in_thread import EngineInThread
from raw_http import Reply, Wire

from wheatpaste.protocol.peers import Networks, is_direct
from wheatpaste.server.forwarded import make_forwarding
from wheatpaste.server.proxy_protocol import required_from
from wheatpaste.server.settings import Deadlines, Settings

V1 = b"PROXY TCP4 203.0.113.9 198.51.100.2 4711 443\r\n"
V2 = b"\r\n\r\n\x00\r\nQUIT\n"
V2_SAME = V2 + b"\x21\x11" + struct.pack("!H4s4sHH", 12, bytes([203, 0, 113, 9]), bytes([198, 51, 100, 2]), 4711, 443)
V2_LOCAL = V2 + b"\x20\x00\x00\x00"
GET = b"GET /a HTTP/1.1\r\nHost: a.example\r\n\r\n"


@pytest.fixture
def start() -> Iterator[Callable[..., EngineInThread]]:
    """Starts an engine that wants to be told the client by the peers in ``words``."""
    started: list[EngineInThread] = []

    def make(words: str = "127.0.0.1 unix", *, head: float = 10, **settings: Any) -> EngineInThread:
        told = Settings(
            proxy_protocol=required_from(words.split()), deadlines=Deadlines(head=head, drain=1), **settings
        )
        started.append(EngineInThread(ConformanceApp(), told))
        return started[-1]

    yield make
    for server in started:
        server.stop()


def environ_of(reply: Reply | None) -> dict[str, Any]:
    assert reply is not None
    assert reply.status == 200, reply
    told: dict[str, Any] = json.loads(reply.body)["environ"]
    return told


@pytest.mark.parametrize("header", [V1, V2_SAME], ids=["version 1", "version 2"])
@pytest.mark.parametrize("where", ["tcp", "unix"])
def test_the_client_of_all_requests_is_whom_the_header_names(
    start: Callable[..., EngineInThread], header: bytes, where: str
) -> None:
    server = start()
    with Wire(getattr(server, where)) as wire:
        wire.send(header + GET + GET)
        for _ in range(2):
            told = environ_of(wire.read_reply())
            assert (told["REMOTE_ADDR"], told["REMOTE_PORT"], told["SERVER_PORT"]) == ("203.0.113.9", "4711", "443")
            assert told["wheatpaste.peer"] == "203.0.113.9"
            assert told["wheatpaste.proxied_by"] == ("127.0.0.1" if where == "tcp" else "")
        wire.send(GET)
        assert environ_of(wire.read_reply())["REMOTE_ADDR"] == "203.0.113.9"


@pytest.mark.parametrize("header", [V1, V2_SAME], ids=["version 1", "version 2"])
def test_the_header_may_come_in_pieces(start: Callable[..., EngineInThread], header: bytes) -> None:
    server = start()
    with Wire(server.unix) as wire:
        wire.send_pieces([bytes([each]) for each in header + GET])
        assert environ_of(wire.read_reply())["REMOTE_ADDR"] == "203.0.113.9"
    for cut in (1, 6, 13, len(header) - 1):
        with Wire(server.unix) as wire:
            wire.send_pieces([header[:cut], header[cut:] + GET])
            assert environ_of(wire.read_reply())["REMOTE_ADDR"] == "203.0.113.9"


def test_a_header_belongs_to_its_connection_alone(start: Callable[..., EngineInThread]) -> None:
    server = start()
    with Wire(server.tcp) as one, Wire(server.tcp) as two:
        one.send(V1 + GET)
        assert environ_of(one.read_reply())["REMOTE_ADDR"] == "203.0.113.9"
        two.send(V2_LOCAL + GET)
        assert environ_of(two.read_reply())["REMOTE_ADDR"] == "127.0.0.1"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(GET, id="none"),
        pytest.param(V1.replace(b"TCP4", b"TCP5") + GET, id="a malformed one"),
        pytest.param(V1.replace(b"\r\n", b"\n") + GET, id="one that ends with a line feed"),
        pytest.param(b"PROXY " + b"x" * 200 + b"\r\n" + GET, id="one too long"),
        pytest.param(V2 + b"\x21\x11\xff\xff" + bytes(2000), id="one too long, of version 2"),
        pytest.param(V2 + b"\x2f\x11\x00\x00" + GET, id="an unknown command"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00", id="TLS"),
    ],
)
def test_who_must_name_the_client_and_does_not_is_closed(start: Callable[..., EngineInThread], data: bytes) -> None:
    server = start()
    with Wire(server.tcp) as wire:
        wire.send(data)
        assert wire.read_rest() == b""
    assert server.app.calls == []


@pytest.mark.parametrize("cut", [0, 5, len(V1) - 1])
def test_a_header_that_ends_too_early_is_closed(start: Callable[..., EngineInThread], cut: int) -> None:
    server = start()
    with Wire(server.tcp) as wire:
        wire.send(V1[:cut])
        wire.finish()
        assert wire.read_rest() == b""


@pytest.mark.parametrize("cut", [0, 5, len(V1) - 1])
def test_a_header_that_does_not_come_is_not_waited_for(start: Callable[..., EngineInThread], cut: int) -> None:
    server = start(head=0.3)
    with Wire(server.tcp) as wire:
        wire.send(V1[:cut])
        assert b"200" not in wire.read_rest()
    assert server.app.calls == []


@pytest.mark.parametrize("header", [V1, V2_SAME], ids=["version 1", "version 2"])
def test_nobody_else_may_name_a_client(start: Callable[..., EngineInThread], header: bytes) -> None:
    server = start("192.0.2.1")
    with Wire(server.tcp) as wire:
        wire.send(header + GET)
        assert b" 400 " in wire.read_rest()
    assert server.app.calls == []
    with Wire(server.tcp) as wire:
        wire.send(GET)
        told = environ_of(wire.read_reply())
        assert (told["REMOTE_ADDR"], "wheatpaste.proxied_by" in told) == ("127.0.0.1", False)


def test_a_second_header_is_no_request(start: Callable[..., EngineInThread]) -> None:
    server = start()
    with Wire(server.tcp) as wire:
        wire.send(V1 + V1 + GET)
        assert b" 400 " in wire.read_rest()
    assert server.app.calls == []


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n", id="this machine"),
        pytest.param(b"PROXY TCP6 ::1 ::1 1 2\r\n", id="this machine by IPv6"),
        pytest.param(b"PROXY UNKNOWN\r\n", id="the unknown"),
        pytest.param(V2_LOCAL, id="the proxy itself"),
    ],
)
@pytest.mark.parametrize("where", ["tcp", "unix"])
def test_nobody_behind_a_proxy_is_near(start: Callable[..., EngineInThread], header: bytes, where: str) -> None:
    server = start()
    with Wire(getattr(server, where)) as wire:
        wire.send(header + GET)
        environ_of(wire.read_reply())
    (call,) = server.app.calls
    assert not is_direct(call.environ)
    assert not Networks(["127.0.0.0/8", "::1", "unix"]).holds_peer(call.environ)


def test_forwarding_headers_count_by_the_address_in_the_header(start: Callable[..., EngineInThread]) -> None:
    trusted = Networks(["203.0.113.0/24"])
    server = start(forwarding=make_forwarding(trusted, headers={"x-forwarded-for"}))
    said = GET[:-2] + b"X-Forwarded-For: 192.0.2.77\r\n\r\n"
    for header, client in ((V1, "192.0.2.77"), (V1.replace(b"203.0.113.9", b"127.0.0.1"), "127.0.0.1")):
        with Wire(server.tcp) as wire:
            wire.send(header + said)
            assert environ_of(wire.read_reply())["REMOTE_ADDR"] == client


class TestForwardingHeaders:
    """In the engine; what they mean has tests of its own."""

    @pytest.fixture
    def server(self) -> Iterator[EngineInThread]:
        forwarding = make_forwarding(Networks(["unix"]), headers={"x-forwarded-for", "x-forwarded-proto"})
        server = EngineInThread(ConformanceApp(), Settings(forwarding=forwarding, deadlines=Deadlines(drain=1)))
        yield server
        server.stop()

    SAID = GET[:-2] + b"X-Forwarded-For: 192.0.2.77\r\nX-Forwarded-Proto: https\r\nX-Real-IP: 192.0.2.78\r\n\r\n"

    def test_they_count_of_those_who_are_trusted(self, server: EngineInThread) -> None:
        with Wire(server.unix) as wire:
            for _ in range(2):
                wire.send(self.SAID)
                told = environ_of(wire.read_reply())
                assert (told["REMOTE_ADDR"], told["wsgi.url_scheme"]) == ("192.0.2.77", "https")
                assert "HTTP_X_REAL_IP" not in told
            wire.send(GET)
            told = environ_of(wire.read_reply())
            assert (told["REMOTE_ADDR"], told["wsgi.url_scheme"]) == ("", "http")

    def test_they_go_away_of_everybody_else(self, server: EngineInThread) -> None:
        with Wire(server.tcp) as wire:
            wire.send(self.SAID)
            told = environ_of(wire.read_reply())
        assert (told["REMOTE_ADDR"], told["wsgi.url_scheme"]) == ("127.0.0.1", "http")
        assert not [key for key in told if "FORWARDED" in key or "REAL_IP" in key]

    def test_several_lines_are_one_list(self, server: EngineInThread) -> None:
        lines = b"X-Forwarded-For: 6.6.6.6\r\nX-Other: a\r\nx-forwarded-for: 192.0.2.77\r\n"
        with Wire(server.unix) as wire:
            wire.send(GET[:-2] + lines + b"\r\n")
            assert environ_of(wire.read_reply())["REMOTE_ADDR"] == "192.0.2.77"

    def test_malformed_ones_of_those_who_are_trusted_are_refused(self, server: EngineInThread) -> None:
        with Wire(server.unix) as wire:
            wire.send(GET[:-2] + b"X-Forwarded-Proto: gopher\r\n\r\n")
            reply = wire.read_reply()
        assert reply is not None
        assert reply.status == 400
        assert b'Header "X-Forwarded-Proto" malformed.' in reply.body

    @pytest.mark.parametrize("trusted", [None, ["192.0.2.1"]], ids=["nobody is", "others are"])
    def test_an_underscore_is_no_way_around(self, trusted: list[str] | None) -> None:
        """With ``keep`` apps cannot tell X_Forwarded_For from X-Forwarded-For."""
        forwarding = None if trusted is None else make_forwarding(Networks(trusted), headers={"x-forwarded-for"})
        server = EngineInThread(ConformanceApp(), Settings(forwarding=forwarding, header_map="keep"))
        try:
            with Wire(server.tcp) as wire:
                wire.send(GET[:-2] + b"X_Forwarded_For: 6.6.6.6\r\nX_Real_IP: 6.6.6.6\r\nX_Other: a\r\n\r\n")
                told = environ_of(wire.read_reply())
        finally:
            server.stop()
        assert told["HTTP_X_OTHER"] == "a"
        assert not [key for key in told if "FORWARDED" in key or "REAL_IP" in key]
