"""The engine serving over TLS, with real clients."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from engine_in_thread import EngineInThread, wait_for
from prerequisites import lacking
from tls_peers import Authority, anybody

from wheatpaste.protocol.wsgi import Environ, StartResponse
from wheatpaste.server.settings import Deadlines, Limits, Settings
from wheatpaste.server.tls.contexts import TLSContexts, make_tls
from wheatpaste.server.tls.environ import tls_environ
from wheatpaste.server.tls.handshake import Wraps, close_notify

BIG = os.urandom(1024) * 6 * 1024


class App:
    """Shows its environ, takes and gives large bodies, and waits where it is told."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.file.write_bytes(BIG)
        self.go_on = threading.Event()
        self.waiting = 0

    def __call__(self, environ: Environ, start_response: StartResponse) -> Any:
        path = environ["PATH_INFO"]
        headers = [("Content-Type", "application/octet-stream")]
        if path == "/environ":
            body = json.dumps({key: value for key, value in environ.items() if isinstance(value, str)}).encode()
        elif path == "/big":
            body = BIG
        elif path == "/digest":
            body = hashlib.sha256(environ["wsgi.input"].read()).hexdigest().encode()
        elif path == "/wait":
            self.waiting += 1
            self.go_on.wait(20)
            body = b"waited"
        elif path == "/pieces":
            start_response("200 OK", headers)
            return (BIG[at : at + 100_000] for at in range(0, len(BIG), 100_000))
        elif path == "/crumbs":
            start_response("200 OK", headers)
            return (BIG[at : at + 250] for at in range(0, len(BIG), 250))
        elif path == "/file":
            start_response("200 OK", [*headers, ("Content-Length", str(len(BIG)))])
            return environ["wsgi.file_wrapper"](self.file.open("rb"))
        elif path == "/echo":
            start_response("200 OK", headers)
            return iter(lambda: environ["wsgi.input"].read(50_000), b"")
        else:
            body = b"hello"
        start_response("200 OK", [*headers, ("Content-Length", str(len(body)))])
        return [body]


class Served:
    """An engine behind TLS and what a client needs to reach it."""

    def __init__(self, tls: Wraps, authority: Authority, **settings: Any) -> None:
        self.app, self.tls, self.authority = App(authority.folder / "big"), tls, authority
        self.running = EngineInThread(
            self.app, Settings(tls=tls, tls_environ=tls_environ, url_scheme="https", **{"threads": 4, **settings})
        )

    def client(self, context: ssl.SSLContext | None = None) -> http.client.HTTPSConnection:
        host, port = self.running.tcp
        return http.client.HTTPSConnection(host, port, context=context or anybody(), timeout=10)

    def get(self, path: str = "/", context: ssl.SSLContext | None = None) -> bytes:
        with contextlib.closing(self.client(context)) as client:
            client.request("GET", path)
            return client.getresponse().read()

    def connect(self, context: ssl.SSLContext | None = None, name: str | None = None) -> ssl.SSLSocket:
        """A TLS connection."""
        return (context or anybody()).wrap_socket(self.connect_plain(), server_hostname=name)

    def connect_plain(self) -> socket.socket:
        """A TCP connection on which no TLS is spoken yet."""
        return socket.create_connection(self.running.tcp, timeout=10)

    def connections(self) -> int:
        """How many connections the engine has."""
        return len(self.running.engine.connections)


Serve = Callable[..., Served]


@pytest.fixture(params=["epoll", "selectors"])
def serve(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Serve]:
    """Starts an engine behind TLS; options of ``make_tls`` in ``tls``, other keywords are settings.

    ``wraps`` makes something else of the contexts.
    """
    started: list[Served] = []
    authority = Authority(tmp_path)

    def start(
        tls: dict[str, Any] | None = None,
        wraps: Callable[[TLSContexts], Wraps] = lambda contexts: contexts,
        **settings: Any,
    ) -> Served:
        contexts = make_tls([authority.issue("shop.example", file="site")], **(tls or {}))
        served = Served(wraps(contexts), authority, poller=request.param, **settings)
        started.append(served)
        return served

    yield start
    for served in started:
        served.app.go_on.set()
        served.running.stop()


def _all(sock: ssl.SSLSocket) -> bytes:
    return b"".join(iter(lambda: sock.recv(65536), b""))


# Requests and replies


def test_a_client_that_trusts_the_authority_gets_its_page(serve: Serve) -> None:
    served = serve()
    with contextlib.closing(served.connect(served.authority.client(), "shop.example")) as sock:
        sock.sendall(b"GET /environ HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n")
        head, _, body = _all(sock).partition(b"\r\n\r\n")

    environ = json.loads(body)
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert environ["wsgi.url_scheme"] == "https"
    assert (environ["HTTPS"], environ["SSL_TLS_SNI"], environ["SSL_CLIENT_VERIFY"]) == ("on", "shop.example", "NONE")


def test_a_connection_serves_request_after_request(serve: Serve) -> None:
    served = serve()
    with contextlib.closing(served.client()) as client:
        for _ in range(50):
            client.request("GET", "/")
            assert client.getresponse().read() == b"hello"
        sock = client.sock
        client.request("GET", "/environ")
        assert json.loads(client.getresponse().read())["HTTPS"] == "on"
        assert client.sock is sock


@pytest.mark.parametrize("path", ["/big", "/pieces", "/crumbs", "/file"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["TLS 1.2", "TLS 1.3"])
def test_large_replies_arrive_whole_at_a_client_that_takes_its_time(
    serve: Serve, path: str, version: ssl.TLSVersion
) -> None:
    context = anybody()
    context.maximum_version = version
    served = serve(limits=Limits(output_memory=100_000))
    sock = served.connect_plain()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32_768)
    with contextlib.closing(http.client.HTTPSConnection("x", context=context)) as client:
        client.sock = context.wrap_socket(sock)
        client.request("GET", path)
        reply = client.getresponse()
        got = bytearray()
        while piece := reply.read(70_001):
            got += piece

    assert bytes(got) == BIG


def test_large_uploads_arrive_whole(serve: Serve) -> None:
    served = serve()
    with contextlib.closing(served.client()) as client:
        for body in (BIG, iter([BIG[:7], BIG[7:100_000], BIG[100_000:]])):  # with a length, and in chunks
            client.request("POST", "/digest", body)
            assert client.getresponse().read().decode() == hashlib.sha256(BIG).hexdigest()


def test_an_app_may_answer_while_it_still_reads(serve: Serve) -> None:
    served = serve(stream_uploads=True)
    with contextlib.closing(served.connect()) as sock:
        head = f"POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(BIG)}\r\n\r\n"

        def upload() -> None:
            sock.sendall(head.encode() + BIG)

        # Two threads on one client socket are the client's problem: its upload is done before it reads.
        peer = threading.Thread(target=upload)
        sock.settimeout(20)
        received = bytearray()
        peer.start()
        peer.join(20)
        received += _all(sock)

    assert received.startswith(b"HTTP/1.1 200 OK")


def test_pipelined_requests_in_one_record_are_answered_in_order(serve: Serve) -> None:
    served = serve()
    with contextlib.closing(served.connect()) as sock:
        sock.sendall(
            b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 30 + b"GET /big HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )
        replies = _all(sock)

    assert replies.count(b"HTTP/1.1 200 OK") == 31
    assert replies.endswith(b"\r\n\r\n" + BIG)


def test_a_request_may_come_in_as_many_records_as_it_has_bytes(serve: Serve) -> None:
    served = serve()
    with contextlib.closing(served.connect()) as sock:
        for byte in b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n":
            sock.send(bytes([byte]))
        assert _all(sock).endswith(b"hello")


def test_a_request_larger_than_a_record_is_read_to_its_end(serve: Serve) -> None:
    served = serve()
    with contextlib.closing(served.connect()) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX: " + b"y" * 50_000 + b"\r\n\r\n")
        assert _all(sock).endswith(b"hello")


@pytest.mark.parametrize("path", ["/", "/pieces"])
def test_the_end_of_a_connection_is_told_so_that_nobody_can_cut_a_reply_short(serve: Serve, path: str) -> None:
    strict = anybody()
    strict.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0x80)
    served = serve()
    with contextlib.closing(served.connect(strict)) as sock:
        sock.suppress_ragged_eofs = False
        sock.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        assert _all(sock).endswith(b"hello" if path == "/" else BIG)  # an end without a farewell would raise


def test_a_client_that_says_farewell_is_forgotten(serve: Serve) -> None:
    served = serve()
    with contextlib.closing(served.connect()) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert sock.recv(1000)
        close_notify(sock)
        wait_for(lambda: not served.connections(), "the connection is closed")


def test_expected_uploads_are_asked_for(serve: Serve) -> None:
    served = serve()
    with contextlib.closing(served.connect()) as sock:
        sock.sendall(
            b"POST /digest HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n"
            b"Connection: close\r\n\r\n"
        )
        assert sock.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"abc")
        assert _all(sock).endswith(hashlib.sha256(b"abc").hexdigest().encode())


# Clients with certificates


def test_an_app_learns_whose_certificate_was_shown(serve: Serve, tmp_path: Path) -> None:
    served = serve(tls={"client": "optional", "client_ca": tmp_path / "authority.pem"})
    clerk = anybody()
    clerk.load_cert_chain(served.authority.issue("clerk@shop.example", organization_name="Shop").chain)

    for context, verified, organisation in ((clerk, "SUCCESS", "Shop"), (None, "NONE", None)):
        environ = json.loads(served.get("/environ", context))
        assert environ["SSL_CLIENT_VERIFY"] == verified
        assert environ.get("SSL_CLIENT_S_DN_O") == organisation


def test_a_header_cannot_pretend_to_be_a_certificate(serve: Serve) -> None:
    served = serve()
    with contextlib.closing(served.client()) as client:
        client.request("GET", "/environ", headers={"SSL-Client-Verify": "SUCCESS", "SSL_CLIENT_VERIFY": "SUCCESS"})
        assert json.loads(client.getresponse().read())["SSL_CLIENT_VERIFY"] == "NONE"


def test_no_request_is_served_without_the_certificate_that_is_required(serve: Serve, tmp_path: Path) -> None:
    served = serve(tls={"client": "required", "client_ca": tmp_path / "authority.pem"})

    with pytest.raises(OSError, match="certificate required"):
        served.get()
    clerk = anybody()
    clerk.load_cert_chain(served.authority.issue("clerk@shop.example").chain)
    assert served.get("/", clerk) == b"hello"


# Handshakes that go wrong


@pytest.mark.parametrize("words", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"POST /a HTTP/1.0\r\n\r\n", b"\r\n"])
def test_plain_http_is_told_that_the_port_speaks_https(serve: Serve, words: bytes) -> None:
    served = serve()
    with contextlib.closing(served.connect_plain()) as sock:
        sock.sendall(words)
        reply = b"".join(iter(lambda: sock.recv(65536), b""))

    assert reply.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"https" in reply.partition(b"\r\n\r\n")[2]
    wait_for(lambda: not served.connections(), "the connection is closed")


@contextlib.contextmanager
def unfinished(served: Served, number: int) -> Iterator[list[socket.socket]]:
    """So many connections, on which a handshake has begun: some with nothing, the others with more of a hello."""
    hello = ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        anybody().wrap_bio(ssl.MemoryBIO(), hello).do_handshake()
    beginning = hello.read()
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(contextlib.closing(served.connect_plain())) for _ in range(number)]
        for each, sock in enumerate(slow):
            sock.sendall(beginning[: (0, 1, 100, len(beginning))[each % 4]])
        wait_for(lambda: served.connections() == number, "all are connected")
        yield slow


def test_clients_that_do_not_finish_their_handshake_hold_nobody_up(serve: Serve) -> None:
    served = serve(deadlines=Deadlines(handshake=30), threads=2)
    with unfinished(served, 30):
        assert [served.get() for _ in range(5)] == [b"hello"] * 5
        assert served.connections() >= 30


def test_clients_that_do_not_finish_their_handshake_are_closed_in_time(serve: Serve) -> None:
    served = serve(deadlines=Deadlines(handshake=1.0), threads=2)
    with unfinished(served, 8) as slow:
        wait_for(lambda: not served.connections(), "they are closed", deadline=20)
        for sock in slow:
            with contextlib.suppress(ConnectionResetError):
                while sock.recv(65536):  # what was said before the end
                    pass


class GatedTLS:
    """Begins with TLS when the test lets it, and as the test wants."""

    def __init__(self, contexts: TLSContexts) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.begun: list[str] = []
        self.failures: list[Exception] = []
        self._contexts = contexts

    def wrap_socket(
        self, sock: socket.socket, server_side: bool = True, do_handshake_on_connect: bool = False
    ) -> ssl.SSLSocket:
        self.begun.append(threading.current_thread().name)
        self.gate.wait(20)
        if self.failures:
            raise self.failures.pop()
        return self._contexts.wrap_socket(
            sock, server_side=server_side, do_handshake_on_connect=do_handshake_on_connect
        )


def test_others_are_answered_while_a_handshake_is_computed(serve: Serve) -> None:
    """Nobody overtakes a leader that runs no request, so it must not do such a thing itself."""
    served = serve(wraps=GatedTLS)
    tls = served.tls
    assert isinstance(tls, GatedTLS)
    with contextlib.closing(served.client()) as client:
        client.request("GET", "/")
        assert client.getresponse().read() == b"hello"
        tls.gate.clear()
        with contextlib.closing(served.connect_plain()) as other:
            other.sendall(b"\x16")
            wait_for(lambda: len(tls.begun) == 2, "the other handshake is under way")
            for _ in range(3):
                client.request("GET", "/")
                assert client.getresponse().read() == b"hello"
            tls.gate.set()


def test_a_mistake_in_a_handshake_costs_one_client_its_connection(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    served = serve(wraps=GatedTLS)
    tls = served.tls
    assert isinstance(tls, GatedTLS)
    tls.failures.append(ValueError("nobody has thought of this"))
    with contextlib.closing(served.connect_plain()) as sock:
        sock.sendall(b"\x16")
        wait_for(lambda: "nobody has thought of this" in caplog.text, "the log tells it")
        wait_for(lambda: not served.connections(), "the connection is closed")
        with contextlib.suppress(ConnectionResetError):
            assert sock.recv(65536) == b""
    assert served.get() == b"hello"


def test_a_client_that_drips_does_not_move_its_deadline(serve: Serve) -> None:
    served = serve(deadlines=Deadlines(handshake=0.5))
    hello = ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        anybody().wrap_bio(ssl.MemoryBIO(), hello).do_handshake()
    with contextlib.closing(served.connect_plain()) as sock:
        sock.settimeout(0.05)
        begun = time.monotonic()
        closed = False
        for byte in hello.read()[:-1]:
            try:
                sock.send(bytes([byte]))
                closed = sock.recv(1) == b""
            except TimeoutError:
                continue
            except OSError:
                closed = True
            if closed:
                break
        assert closed
        assert time.monotonic() - begun < 5


def test_handshakes_go_on_while_all_threads_are_busy(serve: Serve) -> None:
    served = serve(threads=2)
    busy = [served.client() for _ in range(2)]
    for client in busy:
        client.request("GET", "/wait")
    wait_for(lambda: served.app.waiting == 2, "both threads are busy")

    with contextlib.closing(served.connect()) as sock:
        assert sock.version() == "TLSv1.3"
        sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        served.app.go_on.set()
        assert _all(sock).endswith(b"hello")
    for client in busy:
        assert client.getresponse().read() == b"waited"
        client.close()


def test_clients_that_leave_in_the_middle_leave_nothing_behind(serve: Serve) -> None:
    served = serve()
    hello = ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        anybody().wrap_bio(ssl.MemoryBIO(), hello).do_handshake()
    whole = hello.read()
    served.get()
    wait_for(lambda: not served.connections(), "the first one is gone")
    descriptors = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    for number in range(60):
        with contextlib.closing(served.connect_plain()) as sock:
            sock.sendall((b"", b"\x16", whole[:50], whole, b"\x80nonsense")[number % 5])

    wait_for(lambda: not served.connections(), "all are forgotten")
    if descriptors:
        wait_for(lambda: len(os.listdir("/proc/self/fd")) <= descriptors, "all descriptors are closed")
    assert served.get() == b"hello"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["TLS 1.2", "TLS 1.3"])
def test_a_stop_finishes_running_requests_and_ends(serve: Serve, version: ssl.TLSVersion) -> None:
    context = anybody()
    context.maximum_version = version
    served = serve()
    with contextlib.closing(served.client(context)) as client, contextlib.closing(served.connect(context)):
        client.request("GET", "/wait")
        wait_for(lambda: served.app.waiting, "the request runs")
        served.running.engine.stop()
        served.app.go_on.set()
        assert client.getresponse().read() == b"waited"
        wait_for(lambda: not served.running.running, "the engine has ended")


# Certificates that change


def test_certificates_change_under_load_without_a_failed_request(serve: Serve) -> None:
    served = serve()
    ended = threading.Event()
    failures: list[BaseException] = []
    counts = {"kept": 0, "new": 0}

    def keep() -> None:
        try:
            with contextlib.closing(served.client()) as client:
                while not ended.is_set():
                    client.request("GET", "/")
                    assert client.getresponse().read() == b"hello"
                    counts["kept"] += 1
        except BaseException as error:
            failures.append(error)

    def renew() -> None:
        context = anybody()
        try:
            while not ended.is_set():
                assert served.get("/", context) == b"hello"
                counts["new"] += 1
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=target) for target in (keep, keep, renew, renew)]
    for thread in threads:
        thread.start()
    shown = set()
    for number in range(10):
        made = served.authority.issue(f"n{number}.example", file="next")
        os.replace(made.chain, served.authority.folder / "site.pem")
        assert isinstance(served.tls, TLSContexts)
        assert served.tls.reload()
        with contextlib.closing(served.connect()) as sock:
            der = sock.getpeercert(binary_form=True)
            assert der is not None
            shown.add(der)
    ended.set()
    for thread in threads:
        thread.join(10)

    assert failures == []
    assert len(shown) == 10
    assert min(counts.values()) > 0


# What scanners look for


def _openssl(served: Served, *words: str, typed: str = "") -> str:
    if shutil.which("openssl") is None:
        lacking("openssl")
    host, port = served.running.tcp
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"{host}:{port}", *words],
        input=typed,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=20,
        check=False,
    )
    return done.stdout + done.stderr


@pytest.mark.slow
def test_a_client_cannot_renegotiate(serve: Serve) -> None:
    shown = _openssl(serve(), "-tls1_2", "-legacy_renegotiation", typed="R\n")

    assert "RENEGOTIATING" in shown
    assert "no renegotiation" in shown


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "refused"),
    [
        pytest.param(["-tls1", "-cipher", "ALL:@SECLEVEL=0"], True, id="TLS 1.0"),
        pytest.param(["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], True, id="TLS 1.1"),
        pytest.param(["-tls1_2", "-cipher", "AES128-SHA:AES256-GCM-SHA384"], True, id="no forward secrecy"),
        pytest.param(["-tls1_2", "-cipher", "ECDHE+AES+SHA:ECDHE+SHA256:!AESGCM"], True, id="CBC"),
        pytest.param(["-tls1_2", "-cipher", "aNULL:@SECLEVEL=0"], True, id="without a certificate"),
        pytest.param(["-tls1_2"], False, id="TLS 1.2"),
        pytest.param(["-tls1_3"], False, id="TLS 1.3"),
    ],
)
def test_only_strong_connections_come_about(serve: Serve, words: list[str], refused: bool) -> None:
    shown = _openssl(serve(), *words, "-comp")

    assert ("alert" in shown) == refused
    assert ("Cipher is (NONE)" in shown) == refused
    assert "Compression: NONE" in shown
    assert "Early data was not sent" in shown or "TLSv1.3" not in shown


@pytest.mark.slow
def test_curl_is_content(serve: Serve) -> None:
    if shutil.which("curl") is None:
        lacking("curl")
    served = serve()
    host, port = served.running.tcp
    done = subprocess.run(
        ["curl", "-sS", "--http1.1", "--cacert", served.authority.file, "--resolve", f"shop.example:{port}:{host}"]
        + [f"https://shop.example:{port}/", f"https://shop.example:{port}/big"],
        capture_output=True,
        timeout=20,
        check=False,
    )

    assert done.stdout == b"hello" + BIG, done.stderr
