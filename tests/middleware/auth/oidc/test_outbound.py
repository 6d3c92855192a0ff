"""What we send to providers, and what of their answers is taken."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hostile_provider import HostileProvider, send_json

from wheatpaste.middleware.auth.oidc.addresses import address_complaint
from wheatpaste.middleware.auth.oidc.failures import Unreachable
from wheatpaste.middleware.auth.oidc.outbound import MOST_BYTES, Outbound
from wheatpaste.middleware.auth.oidc.renewed import Fresh, Renewed
from wheatpaste.testing import Clock


@pytest.fixture
def dripping() -> Iterator[Callable[[bytes], str]]:
    """A server that sends some bytes, and then one byte every tenth of a second for as long as anybody listens."""
    made: list[socket.socket] = []
    over = threading.Event()

    def serve(head: bytes) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        made.append(listener)

        def drip() -> None:
            try:
                peer, _ = listener.accept()
                with peer:
                    peer.recv(65536)
                    peer.sendall(head)
                    while not over.wait(0.1):
                        peer.sendall(b"x")
            except OSError:
                return

        threading.Thread(target=drip, daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}/"

    yield serve
    over.set()
    for each in made:
        each.close()


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"", id="it does not wait for a head that drops in"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX: ", id="it does not wait for a header that drops in"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", id="it does not wait for a body that drops in"
        ),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n", id="it does not wait for a body without end"),
    ],
)
def test_an_answer_has_to_come_in_time_as_a_whole(dripping: Callable[[bytes], str], head: bytes) -> None:
    began = time.monotonic()
    client, url = Outbound(read=0.5), dripping(head)
    with pytest.raises(Unreachable):
        client.get(url)
    assert time.monotonic() - began < 5
    with pytest.raises(Unreachable, match="did not answer a moment ago"):
        client.get(url)


def test_an_answer_that_is_too_large_is_not_read(provider: HostileProvider) -> None:
    sent: list[int] = []

    def flood(handler: Any) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(1 << 40))
        handler.end_headers()
        try:
            for _ in range(1000):
                handler.wfile.write(b"x" * 65536)
                sent.append(65536)
        except OSError:
            return

    provider.instead["/jwks"] = flood
    with pytest.raises(Unreachable, match="too large"):
        Outbound().get(f"{provider.url}/jwks")
    assert sum(sent) < 16 * MOST_BYTES


def test_a_small_answer_does_not_become_a_large_one(provider: HostileProvider) -> None:
    import gzip

    def bomb(handler: Any) -> None:
        body = gzip.compress(b"[" * 50_000_000)
        handler.send_response(200)
        handler.send_header("Content-Encoding", "gzip")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    provider.instead["/jwks"] = bomb
    reply = Outbound().get(f"{provider.url}/jwks")
    assert len(reply.body) < MOST_BYTES
    with pytest.raises(Unreachable, match="JSON"):
        reply.document()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(provider: HostileProvider, status: int) -> None:
    provider.instead["/jwks"] = lambda handler: send_json(handler, status, {}, Location=f"{provider.url}/elsewhere")
    with pytest.raises(Unreachable, match="redirects"):
        Outbound().get(f"{provider.url}/jwks")
    assert provider.paths("/elsewhere") == 0


@pytest.mark.parametrize("body", [b"", b"x", b"[]", b"[" * 100_000, b"\xff", b'{"a":' * 50_000, b"1" * 100_000, b"NaN"])
def test_what_is_no_object_is_no_document(provider: HostileProvider, body: bytes) -> None:
    def answer(handler: Any) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    provider.instead["/jwks"] = answer
    with pytest.raises(Unreachable):
        Outbound().get(f"{provider.url}/jwks").document()


def test_nobody_there_is_said_so(provider: HostileProvider) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(Unreachable):
        Outbound().get(f"http://127.0.0.1:{port}/")


def test_a_certificate_that_nobody_vouches_for_is_refused() -> None:
    import ssl

    import trustme

    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        for _ in range(2):
            try:
                peer, _ = listener.accept()
                with context.wrap_socket(peer, server_side=True) as secured:
                    secured.recv(65536)
                    secured.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
            except OSError:
                continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    url = f"https://localhost:{listener.getsockname()[1]}/"
    with listener:
        with pytest.raises(Unreachable, match="SSLError"):
            Outbound().get(url)
        with authority.cert_pem.tempfile() as file:
            assert Outbound(file).get(url).document() == {}
        thread.join(10)


@pytest.mark.parametrize(
    "url",
    [
        "http://id.example.org/",
        "http://127.0.0.1.example.org/",
        "http://localhost.example.org/",
        "http://0.0.0.0/",
        "http://127.0.0.1@evil.example/",
        "https://user:pass@id.example.org/",
        "https://id.example.org/#x",
        "https://id.example.org\\@evil.example/",
        "https://id.example.org/ x",
        "https://id.example.org/\r\nHost: evil",
        "https://idé.example.org/",
        "https://",
        "https:///path",
        "//id.example.org/",
        "ftp://id.example.org/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "https://[::1",
        "https://id.example.org:99999/",
        "",
    ],
)
def test_addresses_to_which_nothing_is_sent(url: str) -> None:
    assert address_complaint(url) is not None
    with pytest.raises(Unreachable):
        Outbound().get(url)


@pytest.mark.parametrize(
    "url", ["https://id.example.org/realms/x", "http://127.0.0.1:8/", "http://[::1]:8/", "http://localhost/"]
)
def test_addresses_that_can_be_asked(url: str) -> None:
    assert address_complaint(url) is None


# ---- documents that are kept


class Source:
    def __init__(self, clock: Clock, seconds: float | None = None) -> None:
        self.asked = 0
        self.fails = False
        self.seconds = seconds
        self.kept: Renewed[int] = Renewed(self.fetch, clock.time)

    def fetch(self) -> Fresh[int]:
        self.asked += 1
        if self.fails:
            raise Unreachable("down")
        return Fresh(self.asked, self.seconds)


def test_a_document_is_kept_for_as_long_as_it_says_within_bounds(clock: Clock) -> None:
    for seconds, held in ((None, 3600), (600.0, 600), (0.0, 300), (1e9, 86400)):
        source = Source(clock, seconds)
        assert source.kept.get() == 1
        clock.advance(held - 1)
        assert source.kept.get() == 1
        clock.advance(1)
        assert source.kept.get() == 2, seconds


def test_what_has_expired_serves_while_the_provider_is_down_for_a_day(clock: Clock) -> None:
    source = Source(clock)
    source.kept.get()
    source.fails = True
    clock.advance(3601)
    for _ in range(5):
        assert source.kept.get() == 1
    assert source.asked == 2, "once a minute"
    clock.advance(86400)
    with pytest.raises(Unreachable):
        source.kept.get()
    source.fails = False
    clock.advance(61)
    assert source.kept.get() == source.asked


def test_where_there_is_nothing_yet_it_is_tried_again_after_ten_seconds(clock: Clock) -> None:
    source = Source(clock)
    source.fails = True
    for _ in range(3):
        with pytest.raises(Unreachable):
            source.kept.get()
    assert source.asked == 1
    source.fails = False
    clock.advance(10)
    assert source.kept.get() == 2


def test_a_clock_that_was_set_back_makes_no_pause_of_years() -> None:
    now = [2e9]
    asked: list[float] = []

    def fetch() -> Fresh[str]:
        asked.append(now[0])
        raise Unreachable("down")

    kept: Renewed[str] = Renewed(fetch, lambda: now[0])
    for moment in (2e9, 1e9):
        now[0] = moment
        with pytest.raises(Unreachable):
            kept.get()
    assert asked == [2e9, 1e9]


def test_one_thread_waits_for_a_slow_provider_and_the_others_go_on(clock: Clock) -> None:
    entered, leave = threading.Event(), threading.Event()

    def fetch() -> Fresh[str]:
        if is_slow:
            entered.set()
            leave.wait(10)
        return Fresh("new" if is_slow else "old", None)

    is_slow = False
    kept: Renewed[str] = Renewed(fetch, clock.time)
    kept.get()
    is_slow = True
    clock.advance(3601)
    found: list[str] = []
    slow = threading.Thread(target=lambda: found.append(kept.get()))
    slow.start()
    assert entered.wait(10)
    assert [kept.get() for _ in range(3)] == ["old"] * 3  # though the other one has not come back yet
    assert kept.renewed() is None
    leave.set()
    slow.join(10)
    assert found == ["new"]
    assert kept.get() == "new"


def test_those_who_come_first_of_all_get_what_one_fetches(clock: Clock) -> None:
    source = Source(clock)
    start, found = threading.Barrier(5), []

    def come() -> None:
        start.wait(10)
        found.append(source.kept.get())

    threads = [threading.Thread(target=come) for _ in range(5)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(10)
    assert found == [1] * 5
    assert source.asked == 1
