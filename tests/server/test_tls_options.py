"""The options about TLS: which certificates they mean, whom mistakes are blamed on, and what is read anew."""

from __future__ import annotations

import http.client
import ssl
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tls_peers import Authority, write_pem

from wheatpaste.config.options import OptionError
from wheatpaste.server.http_server import HTTPServer
from wheatpaste.server.serving import BoundServer, serve
from wheatpaste.server.tls.contexts import TLSContexts


def hello(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    body = f"{environ['wsgi.url_scheme']} {environ['SERVER_PORT']} {environ.get('SSL_CLIENT_S_DN_CN', '')}".encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def running() -> Iterator[Callable[..., BoundServer]]:
    """Makes servers whose loop runs in a thread."""
    started: list[tuple[BoundServer, threading.Thread]] = []

    def run(**keywords: Any) -> BoundServer:
        server = serve(hello, port=0, start_loop=False, **keywords)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        started.append((server, thread))
        return server

    yield run
    for server, thread in started:
        server.server_close()
        thread.join(10)


def get(server: BoundServer, context: ssl.SSLContext, name: str = "localhost") -> str:
    port = server.server_port
    with closing(http.client.HTTPSConnection(name, port, timeout=10, context=context)) as connection:
        connection.request("GET", "/")
        return connection.getresponse().read().decode()


def test_a_certificate_switches_tls_on(running: Callable[..., BoundServer], authority: Authority) -> None:
    server = running(tls_certificate=authority.issue("localhost").chain)
    assert server.urls == (f"https://127.0.0.1:{server.server_port}/",)
    assert get(server, authority.client()).startswith(f"https {server.server_port}")


def test_the_key_may_stand_in_a_file_of_its_own(
    running: Callable[..., BoundServer], authority: Authority, tmp_path: Path
) -> None:
    leaf = authority.ca.issue_cert("localhost")
    chain = write_pem(tmp_path / "chain", *leaf.cert_chain_pems)
    key = write_pem(tmp_path / "key", leaf.private_key_pem)
    assert get(running(tls_certificate=chain, tls_key=key), authority.client()).startswith("https")


def test_paste_s_pem_file_is_a_certificate(running: Callable[..., BoundServer], authority: Authority) -> None:
    assert get(running(ssl_pem=str(authority.issue("localhost").chain)), authority.client()).startswith("https")


def test_a_context_of_the_deployer_s_own_is_taken(running: Callable[..., BoundServer], authority: Authority) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.issue("localhost").chain)
    assert get(running(ssl_context=context), authority.client()).startswith("https")


def test_clients_show_certificates_that_apps_see(running: Callable[..., BoundServer], authority: Authority) -> None:
    server = running(
        tls_certificate=authority.issue("localhost").chain, tls_client="required", tls_client_ca=authority.file
    )
    client = authority.issue("ann@example.com", file="ann", common_name="Ann")
    assert get(server, authority.client(client)).endswith(" Ann")
    with pytest.raises((ssl.SSLError, OSError)):
        get(server, authority.client())


def test_the_oldest_version_can_be_raised(running: Callable[..., BoundServer], authority: Authority) -> None:
    server = running(tls_certificate=authority.issue("localhost").chain, tls_minimum="1.3")
    assert get(server, authority.client(minimum_version=ssl.TLSVersion.TLSv1_3)).startswith("https")
    with pytest.raises(ssl.SSLError, match="(?i)protocol.version"):
        get(server, authority.client(maximum_version=ssl.TLSVersion.TLSv1_2))


def test_a_certificate_for_development_is_made_and_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    notes = HTTPServer(tls="dev").prepare()
    made = tmp_path / "wheatpaste" / "tls"
    assert any(str(made) in note for note in notes)
    assert stat.S_IMODE(made.stat().st_mode) == 0o700


def test_paste_s_star_makes_one_too(
    running: Callable[..., BoundServer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    server = running(ssl_pem="*")
    context = ssl.create_default_context(cafile=tmp_path / "wheatpaste" / "tls" / "authority.pem")
    assert get(server, context).startswith("https")


@pytest.mark.parametrize(
    ("options", "option"),
    [
        pytest.param({"tls_certificate": "missing.pem"}, "tls_certificate", id="a certificate that is not there"),
        pytest.param({"tls_certificate": "chain.pem"}, "tls_certificate", id="a file without a key, and no other"),
        pytest.param(
            {"tls_certificate": "chain.pem", "tls_key": "missing.pem"}, "tls_key", id="a key that is not there"
        ),
        pytest.param({"tls_certificate": "chain.pem", "tls_key": "other.pem"}, "tls_key", id="the key of another"),
        pytest.param(
            {"tls_certificate": "whole.pem", "tls_client": "required", "tls_client_ca": "missing.pem"},
            "tls_client_ca",
            id="an authority that is not there",
        ),
        pytest.param(
            {
                "tls_certificate": "whole.pem",
                "tls_client": "required",
                "tls_client_ca": "authority.pem",
                "tls_client_crl": "missing.pem",
            },
            "tls_client_crl",
            id="a revocation list that is not there",
        ),
        pytest.param({"tls_certificate": "whole.pem", "tls_ciphers": "NONSENSE"}, "tls_ciphers", id="no such cipher"),
    ],
)
def test_a_mistake_is_blamed_on_its_option(options: dict[str, str], option: str, authority: Authority) -> None:
    leaf, other = authority.ca.issue_cert("localhost"), authority.ca.issue_cert("other.example")
    write_pem(authority.folder / "chain.pem", *leaf.cert_chain_pems)
    write_pem(authority.folder / "whole.pem", leaf.private_key_and_cert_chain_pem)
    write_pem(authority.folder / "other.pem", other.private_key_pem)
    given: dict[str, Any] = {}
    for name, text in options.items():
        path = authority.folder / text
        given[name] = text if not text.endswith(".pem") else path if name.startswith("tls_client") else (path,)
    with pytest.raises(OptionError) as caught:
        HTTPServer(**given).prepare()
    assert caught.value.option == option


def test_the_engine_is_given_what_can_renew_itself(authority: Authority) -> None:
    chain = authority.issue("localhost").chain
    server = HTTPServer(tls_certificate=(chain,))
    told = server.settings()
    assert isinstance(told.tls, TLSContexts)
    assert told.tls.names == ("localhost",)
    authority.issue("localhost", "other.example")
    server.renew()
    assert set(told.tls.names) == {"localhost", "other.example"}


def test_certificates_are_read_once_for_all_that_asks(authority: Authority) -> None:
    chain = authority.issue("localhost").chain
    server = HTTPServer(tls_certificate=(chain,))
    server.prepare()
    chain.unlink()  # as good as: the server has given up the right to read it
    assert server.settings().tls is server.settings().tls
