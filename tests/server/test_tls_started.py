"""`wheatpaste serve` over TLS: as a deployer starts it, and while certificates change under load."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from running_server import RunningServer, poll
from tls_peers import Authority, anybody, write_pem

pytestmark = pytest.mark.slow

Start = Callable[..., RunningServer]

SITE = """
    [server:main]
    use = egg:wheatpaste#main
    {options}

    [app:main]
    use = egg:wheatpaste#health
"""


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def _get(server: RunningServer, context: ssl.SSLContext, host: str = "127.0.0.1") -> tuple[int, bytes]:
    """A page, and the certificate that came with it."""
    with contextlib.closing(http.client.HTTPSConnection(host, server.port, context=context, timeout=10)) as client:
        client.request("GET", "/")
        der = client.sock.getpeercert(binary_form=True)
        return client.getresponse().status, der or b""


def test_a_development_certificate_is_made_and_says_how_to_trust_it(
    running_server: Start, write_ini: Callable[..., Path], tmp_path: Path
) -> None:
    site = write_ini(SITE.format(options="server_name = shop.localhost"))
    server = running_server(site, "--tls", "dev", env={"XDG_STATE_HOME": str(tmp_path / "state")})
    authority = tmp_path / "state" / "wheatpaste" / "tls" / "authority.pem"
    trusting = ssl.create_default_context(cafile=str(authority))

    assert _get(server, trusting)[0] == 200
    with (
        socket.create_connection(("127.0.0.1", server.port), 10) as plain,
        trusting.wrap_socket(plain, server_hostname="shop.localhost"),
    ):
        pass  # it is named in the certificate, or the handshake would have failed
    server.wait_for(r"https://127\.0\.0\.1:")
    server.wait_for(f"curl --cacert {authority}")


@pytest.mark.parametrize(
    ("options", "line", "message"),
    [
        pytest.param(
            "tls_certificate = {folder}/shop.pem\n    tls_key = {folder}/other.pem",
            4,
            "tls_key: the key in {folder}/other.pem is not the key of the certificate in {folder}/shop.pem;",
            id="another certificate's key",
        ),
        pytest.param(
            "tls_certificate = {folder}/none.pem",
            3,
            "tls_certificate: {folder}/none.pem does not exist; correct the path, or create the file",
            id="no file",
        ),
        pytest.param(
            "tls_certificate = {folder}/shop.pem\n    tls_ciphers = RC4",
            4,
            "tls_ciphers: 'RC4' names no cipher that OpenSSL has; remove it",
            id="a cipher that is gone",
        ),
    ],
)
def test_a_mistake_stops_the_start_with_the_line_and_the_way_out(
    authority: Authority, write_ini: Callable[..., Path], tmp_path: Path, options: str, line: int, message: str
) -> None:
    authority.issue("shop.example", file="shop")
    authority.issue("other.example", file="other")
    site = write_ini(SITE.format(options=options.format(folder=tmp_path)))

    done = subprocess.run(
        [sys.executable, "-m", "wheatpaste", "serve", site, "--listen", "127.0.0.1:0"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env={**os.environ, "NO_COLOR": "1"},
        cwd=tmp_path,
    )

    assert done.returncode == 2
    told = " ".join((done.stdout + done.stderr).split())
    assert f"site.ini:{line}: " in told
    assert message.format(folder=tmp_path) in told
    assert "Traceback" not in told


@contextlib.contextmanager
def _load(server: RunningServer) -> Iterator[list[BaseException]]:
    """Requests on kept and on new connections, as fast as they go; what failed is in the list."""
    failures: list[BaseException] = []
    ended = threading.Event()
    context = anybody()

    def keep() -> None:
        with contextlib.closing(
            http.client.HTTPSConnection("127.0.0.1", server.port, context=context, timeout=10)
        ) as one:
            while not ended.is_set():
                one.request("GET", "/")
                reply = one.getresponse()
                assert (reply.status, bool(reply.read())) == (200, True)

    def renew() -> None:
        while not ended.is_set():
            assert _get(server, context)[0] == 200

    def run(target: Callable[[], None]) -> None:
        try:
            target()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=[target]) for target in (keep, renew)]
    for thread in threads:
        thread.start()
    try:
        yield failures
    finally:
        ended.set()
        for thread in threads:
            thread.join(20)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_hangup_brings_the_new_certificate_and_costs_no_request(
    running_server: Start, write_ini: Callable[..., Path], authority: Authority, workers: int
) -> None:
    certificate = authority.issue("old.example", file="site")
    site = write_ini(SITE.format(options=f"tls_certificate = {certificate.chain}\n    workers = {workers}"))
    server = running_server(site)
    old = _get(server, anybody())[1]

    with _load(server) as failures:
        os.replace(authority.issue("new.example", file="next").chain, certificate.chain)
        os.kill(server.pid, signal.SIGHUP)
        poll(lambda: _get(server, anybody())[1] != old, 20, lambda: f"the old certificate stays: {server.log()}")
    assert failures == []
    trusting = authority.client()
    trusting.check_hostname = False
    assert _get(server, trusting)[0] == 200


def test_a_new_certificate_is_found_without_a_word_and_a_broken_one_is_not_taken(
    running_server: Start, write_ini: Callable[..., Path], authority: Authority
) -> None:
    certificate = authority.issue("old.example", file="site")
    server = running_server(write_ini(SITE.format(options=f"tls_certificate = {certificate.chain}")))
    old = _get(server, anybody())[1]

    with _load(server) as failures:
        whole = authority.issue("new.example", file="next").chain.read_bytes()
        write_pem(certificate.chain, whole[:300])
        server.wait_for(r"the TLS certificates stay as they were: .*site\.pem", 30)
        assert _get(server, anybody())[1] == old
        write_pem(certificate.chain, whole)
        poll(lambda: _get(server, anybody())[1] != old, 30, lambda: f"the old certificate stays: {server.log()}")
    assert failures == []


def test_a_server_that_is_told_to_end_finishes_what_runs(
    running_server: Start, write_ini: Callable[..., Path], authority: Authority
) -> None:
    certificate = authority.issue("shop.example", file="site")
    server = running_server(write_ini(SITE.format(options=f"tls_certificate = {certificate.chain}")))
    with contextlib.closing(
        http.client.HTTPSConnection("127.0.0.1", server.port, context=anybody(), timeout=10)
    ) as client:
        client.connect()
        client.send(b"GET / HTTP/1.1\r\nHost: x\r\n")
        os.kill(server.pid, signal.SIGTERM)
        client.send(b"\r\n")
        assert client.sock.recv(12) == b"HTTP/1.1 200"
    assert server.wait() == 0
