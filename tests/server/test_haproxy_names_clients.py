"""What a real haproxy says in the PROXY protocol, read by the engine."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conformance_app import ConformanceApp
from engine_in_thread import EngineInThread, wait_for
from proxy_in_front import Proxy, haproxy
from raw_http import Wire
from tls_peers import Authority

from wheatpaste.protocol.peers import is_direct
from wheatpaste.server.proxy_protocol import required_from
from wheatpaste.server.settings import Deadlines, Settings

pytestmark = pytest.mark.slow

VERSIONS = ["send-proxy", "send-proxy-v2", "send-proxy-v2 proxy-v2-options crc32c,unique-id"]
CLAIMED = "http-request set-src hdr(X-Client)"
"""haproxy takes the client from a header: so that clients of this machine can come from elsewhere."""


@pytest.fixture
def server() -> Iterator[EngineInThread]:
    running = EngineInThread(
        ConformanceApp(), Settings(proxy_protocol=required_from(["127.0.0.1", "unix"]), deadlines=Deadlines(drain=1))
    )
    yield running
    running.stop()


@pytest.fixture
def behind(server: EngineInThread, tmp_path: Path) -> Iterator[Callable[..., Proxy]]:
    """Starts haproxy in front of the server, which wants to be told the client."""
    started: list[Proxy] = []

    def start(options: str, *, unix: bool = False, **more: str) -> Proxy:
        place = server.unix if unix else f"127.0.0.1:{server.tcp[1]}"
        started.append(haproxy(tmp_path / f"proxy{len(started)}", place, options=options, **more))
        return started[-1]

    yield start
    for proxy in started:
        proxy.stop()


def get(connection: Wire | ssl.SSLSocket, client: str = "") -> dict[str, Any]:
    """The environ of a request."""
    line = f"X-Client: {client}\r\n" if client else ""
    data = f"GET /a HTTP/1.1\r\nHost: a.example\r\n{line}\r\n".encode()
    if isinstance(connection, Wire):
        connection.send(data)
        reply = connection.read_reply()
        assert reply is not None
        assert reply.status == 200, reply
        body = reply.body
    else:
        connection.sendall(data.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        body = b"".join(iter(lambda: connection.recv(65536), b"")).partition(b"\r\n\r\n")[2]
    told: dict[str, Any] = json.loads(body)["environ"]
    return told


@pytest.mark.parametrize("unix", [False, True], ids=["over TCP", "over a UNIX socket"])
@pytest.mark.parametrize("version", VERSIONS)
def test_each_request_has_its_own_client(behind: Callable[..., Proxy], version: str, unix: bool) -> None:
    proxy = behind(version, unix=unix, frontend=CLAIMED)
    with Wire(proxy.address) as one, Wire(proxy.address) as two:
        for number in range(3):
            for wire, client in ((one, "203.0.113.1"), (two, "203.0.113.2"), (one, f"198.51.100.{number + 1}")):
                told = get(wire, client)
                assert told["REMOTE_ADDR"] == told["wheatpaste.peer"] == client
                assert told["wheatpaste.proxied_by"] == ("" if unix else "127.0.0.1")


@pytest.mark.parametrize("version", VERSIONS)
def test_bytes_that_are_handed_on_unread_have_their_client(behind: Callable[..., Proxy], version: str) -> None:
    tcp = "mode tcp\n    tcp-request connection set-src str(2001:db8::7)"
    proxy = behind(version, frontend=tcp, backend="mode tcp")
    with Wire(proxy.address) as wire:
        for _ in range(2):
            assert get(wire)["REMOTE_ADDR"] == "2001:db8::7"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_client_of_this_machine_is_not_near(
    behind: Callable[..., Proxy], server: EngineInThread, version: str
) -> None:
    proxy = behind(version)
    with Wire(proxy.address) as wire:
        told = get(wire)
    assert (told["REMOTE_ADDR"], told["wheatpaste.peer"]) == ("127.0.0.1", "unknown")
    assert told["SERVER_PORT"] == str(proxy.address[1])
    assert not is_direct(server.app.calls[-1].environ)


def test_the_proxys_own_checks_are_served(behind: Callable[..., Proxy], server: EngineInThread) -> None:
    for version in VERSIONS:
        behind(f"{version} check inter 50ms", backend="option httpchk GET /check")
    wait_for(lambda: len(server.app.calls) > 8, "haproxy has looked whether the server is well")
    seen = {(call.path, call.environ["wheatpaste.peer"]) for call in server.app.calls}
    assert seen == {("/check", "unknown")}


def test_a_proxy_that_names_nobody_is_turned_away(behind: Callable[..., Proxy], server: EngineInThread) -> None:
    proxy = behind("")
    with Wire(proxy.address) as wire:
        wire.send(b"GET /a HTTP/1.1\r\nHost: a.example\r\n\r\n")
        reply = wire.read_reply()
    assert reply is not None
    assert reply.status == 502
    assert server.app.calls == []


class TestTLSThatTheProxyTakesOff:
    @pytest.fixture
    def authority(self, tmp_path: Path) -> Authority:
        return Authority(tmp_path)

    @pytest.fixture
    def proxy(self, behind: Callable[..., Proxy], authority: Authority) -> Proxy:
        own = authority.issue("shop.example").chain
        return behind(
            "send-proxy-v2 proxy-v2-options ssl,cert-cn,ssl-cipher,authority,crc32c",
            bind=f"ssl crt {own} ca-file {authority.file} verify optional",
        )

    def request(self, proxy: Proxy, context: ssl.SSLContext) -> dict[str, Any]:
        with (
            socket.create_connection(proxy.address, 5) as plain,
            context.wrap_socket(plain, server_hostname="shop.example") as connection,
        ):
            return get(connection)

    def test_it_is_told(self, proxy: Proxy, authority: Authority) -> None:
        told = self.request(proxy, authority.client())
        assert told["wsgi.url_scheme"] == "https"
        assert told["HTTPS"] == "on"
        assert told["SSL_TLS_SNI"] == "shop.example"
        assert told["SSL_PROTOCOL"] == "TLSv1.3"
        assert "AES" in told["SSL_CIPHER"] or "CHACHA" in told["SSL_CIPHER"]
        assert told["SSL_CLIENT_VERIFY"] == "NONE"

    def test_so_is_who_the_client_is(self, proxy: Proxy, authority: Authority) -> None:
        context = authority.client(authority.issue("ann.example", common_name="Ann"))
        told = self.request(proxy, context)
        assert (told["SSL_CLIENT_VERIFY"], told["SSL_CLIENT_S_DN_CN"]) == ("SUCCESS", "Ann")
