"""TLS contexts: what is spoken, with which certificate, and how it is renewed."""

from __future__ import annotations

import datetime
import logging
import os
import ssl
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from tls_peers import Authority, anybody, connection, days, pair, read, shake_hands, write_pem

from wheatpaste.server.tls.certificates import Certificate, TLSSetupError
from wheatpaste.server.tls.contexts import TLSContexts, make_tls
from wheatpaste.server.tls.encrypted_socket import TLSSocket
from wheatpaste.server.tls.handshake import Handshake, HandshakeFailed
from wheatpaste.testing import Clock

NOW = datetime.datetime.now(datetime.UTC)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def _name_shown(peer: ssl.SSLSocket) -> str:
    """The first host name in the certificate that the server showed."""
    der = peer.getpeercert(binary_form=True)
    assert der is not None
    names = x509.load_der_x509_certificate(der).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return names.get_values_for_type(x509.DNSName)[0]


# What is spoken


def test_a_client_that_trusts_the_authority_is_served(authority: Authority) -> None:
    tls = make_tls([authority.issue("shop.example")])

    with connection(tls, authority.client(), "shop.example") as (server, client):
        client.send(b"ping")
        assert read(server) == b"ping"
        server.send(b"pong")
        assert read(client) == b"pong"
        assert client.version() == "TLSv1.3"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1], ids=["TLS 1.0", "TLS 1.1"])
def test_old_versions_are_refused(authority: Authority, version: ssl.TLSVersion) -> None:
    client = anybody()
    client.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        client.minimum_version = client.maximum_version = version

    with (
        pytest.raises(HandshakeFailed, match="speaks only versions of TLS that are not allowed here"),
        connection(make_tls([authority.issue("shop.example")]), client),
    ):
        pass


def test_tls_1_2_is_refused_where_1_3_is_the_minimum(authority: Authority) -> None:
    tls = make_tls([authority.issue("shop.example")], minimum="1.3")
    old = anybody()
    old.maximum_version = ssl.TLSVersion.TLSv1_2

    with pytest.raises(HandshakeFailed, match="not allowed here"), connection(tls, old):
        pass
    with connection(tls, anybody()) as (server, _):
        assert server.version() == "TLSv1.3"


def _accepted(tls: TLSContexts) -> set[str]:
    """Every cipher of TLS 1.2 that OpenSSL knows and the server takes."""
    every = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    every.set_ciphers("ALL:COMPLEMENTOFALL:@SECLEVEL=0")
    found = set()
    for cipher in every.get_ciphers():
        if cipher["protocol"] == "TLSv1.3":
            continue
        client = anybody()
        client.maximum_version = ssl.TLSVersion.TLSv1_2
        client.set_ciphers(f"{cipher['name']}:@SECLEVEL=0")
        try:
            with connection(tls, client) as (server, _):
                found.add(server.cipher()[0])  # type: ignore[index]
        except HandshakeFailed:
            pass
    return found


@pytest.mark.parametrize(
    ("kind", "sort"), [(trustme.KeyType.ECDSA, "ECDSA"), (trustme.KeyType.RSA, "RSA")], ids=["ECDSA key", "RSA key"]
)
def test_no_cipher_without_forward_secrecy_and_authentication_is_taken(
    authority: Authority, kind: trustme.KeyType, sort: str
) -> None:
    tls = make_tls([authority.issue("shop.example", key_type=kind)])

    assert _accepted(tls) == {
        f"ECDHE-{sort}-AES128-GCM-SHA256",
        f"ECDHE-{sort}-AES256-GCM-SHA384",
        f"ECDHE-{sort}-CHACHA20-POLY1305",
    }


def test_the_clients_order_of_ciphers_counts(authority: Authority) -> None:
    tls = make_tls([authority.issue("shop.example")])
    phone = anybody()
    phone.maximum_version = ssl.TLSVersion.TLSv1_2
    phone.set_ciphers("ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-GCM-SHA384")

    with connection(tls, phone) as (server, _):
        assert server.cipher()[0] == "ECDHE-ECDSA-CHACHA20-POLY1305"  # type: ignore[index]


def test_the_deployers_own_ciphers_count_in_the_deployers_order(authority: Authority) -> None:
    wanted = "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305"
    tls = make_tls([authority.issue("shop.example")], ciphers=wanted)
    phone = anybody()
    phone.maximum_version = ssl.TLSVersion.TLSv1_2
    phone.set_ciphers("ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-GCM-SHA384")

    with connection(tls, phone) as (server, _):
        assert server.cipher()[0] == "ECDHE-ECDSA-AES256-GCM-SHA384"  # type: ignore[index]
    assert _accepted(tls) == set(wanted.split(":"))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["TLS 1.2", "TLS 1.3"])
def test_nothing_is_compressed_and_http_1_1_is_agreed_on(authority: Authority, version: ssl.TLSVersion) -> None:
    client = anybody()
    client.maximum_version = version
    client.options &= ~ssl.OP_NO_COMPRESSION
    client.set_alpn_protocols(["h2", "http/1.1"])

    with connection(make_tls([authority.issue("shop.example")]), client) as (server, peer):
        assert server.compression() is None
        assert peer.selected_alpn_protocol() == "http/1.1"


def test_a_session_is_resumed_without_a_new_handshake(authority: Authority) -> None:
    tls, client = make_tls([authority.issue("shop.example")]), authority.client()
    with connection(tls, client, "shop.example") as (server, peer):
        server.send(b"x")
        read(peer)  # the tickets come before it
        session = peer.session
        assert not server.session_reused

    with connection(tls, client, "shop.example", session) as (server, _):
        assert server.session_reused


@pytest.mark.parametrize(
    ("options", "about", "message"),
    [
        pytest.param({"ciphers": "nonsense"}, "ciphers", "'nonsense' names no cipher that OpenSSL has", id="unknown"),
        pytest.param({"ciphers": "ALL:@SECLEVEL=0"}, "ciphers", "which can be broken; remove it, or write", id="all"),
        pytest.param({"ciphers": "aNULL:@SECLEVEL=0"}, "ciphers", "which can be broken", id="without a certificate"),
        pytest.param({"client": "required"}, "client_ca", "name the PEM file of the authority", id="no authority"),
        pytest.param({"client_ca": Path("x")}, "client", "is none, so no client is asked", id="nobody is asked"),
        pytest.param(
            {"client": "required", "client_ca": Path("/nowhere.pem")},
            "client_ca",
            "/nowhere.pem does not exist",
            id="file",
        ),
    ],
)
def test_settings_that_contradict_are_refused(
    authority: Authority, options: dict[str, Any], about: str, message: str
) -> None:
    with pytest.raises(TLSSetupError, match=message) as caught:
        make_tls([authority.issue("shop.example")], **options)

    assert caught.value.about == about


def test_no_certificate_is_refused() -> None:
    with pytest.raises(TLSSetupError, match="no certificate is named; name a PEM file"):
        make_tls([])


# Several certificates


@pytest.fixture
def several(authority: Authority) -> TLSContexts:
    return make_tls(
        [
            authority.issue("first.example", "www.first.example"),
            authority.issue("*.shop.example", "shop.example", file="star"),
            authority.issue("eu.shop.example"),
            authority.issue("xn--bcher-kva.example"),
        ]
    )


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        pytest.param("first.example", "first.example", id="the first"),
        pytest.param("www.first.example", "first.example", id="another name of the first"),
        pytest.param("a.shop.example", "*.shop.example", id="below a star"),
        pytest.param("shop.example", "*.shop.example", id="a second name beside the star"),
        pytest.param("eu.shop.example", "eu.shop.example", id="the name itself before the star"),
        pytest.param("a.b.shop.example", "first.example", id="two labels for one star"),
        pytest.param("EU.Shop.EXAMPLE", "eu.shop.example", id="in capitals"),
        pytest.param("bücher.example", "xn--bcher-kva.example", id="with an umlaut"),
        pytest.param("elsewhere.example", "first.example", id="of nobody"),
        pytest.param(None, "first.example", id="no name"),
    ],
)
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["TLS 1.2", "TLS 1.3"])
def test_the_name_that_a_client_asks_for_chooses_the_certificate(
    several: TLSContexts, asked: str | None, shown: str, version: ssl.TLSVersion
) -> None:
    client = anybody()
    client.maximum_version = version

    with connection(several, client, asked) as (_, peer):
        assert _name_shown(peer) == shown


def _hello(name: bytes) -> bytes:
    """A ClientHello for a name that no decent client would ask for."""
    stand_in = ("x" * 40 + ".") * 7
    stand_in = stand_in[: len(name) - 1] + "x"
    decent = anybody()
    decent.maximum_version = ssl.TLSVersion.TLSv1_2  # what answers it is not encrypted
    outgoing = ssl.MemoryBIO()
    client = decent.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=stand_in)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    hello = outgoing.read()
    assert hello.count(stand_in.encode()) == 1
    return hello.replace(stand_in.encode(), name)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(b"evil\nname.example", id="with a line end"),
        pytest.param(b"evil name; rm.example", id="with blanks"),
        pytest.param(b"." * 40, id="of dots"),
        pytest.param(b"a." * 127 + b"b", id="that is too long"),
        pytest.param(b"*.shop.example", id="with the star itself"),
        pytest.param(b"[2001:db8::1]...", id="that is an address"),
    ],
)
def test_a_name_that_is_none_gets_the_first_certificate_and_stays_unknown(several: TLSContexts, name: bytes) -> None:
    with pair() as (server, client):
        handshake = Handshake(server, several)
        client.send(_hello(name))
        assert handshake.step() == "read"
        assert b"first.example" in client.recv(65536)
        assert isinstance(handshake.socket, TLSSocket)
        assert handshake.socket.server_name is None
        handshake.socket.close()


def test_a_name_that_is_not_ascii_is_refused_without_a_word_on_stderr(
    several: TLSContexts, capfd: pytest.CaptureFixture[str]
) -> None:
    with pair() as (server, client):
        handshake = Handshake(server, several)
        client.send(_hello(b"\xff\xfe\xfd evil " * 4))
        with pytest.raises(HandshakeFailed, match="asked for a name that is none"):
            handshake.step()
        handshake.socket.close()

    assert capfd.readouterr().err == ""


def test_other_exceptions_that_cannot_be_raised_are_still_told(
    several: TLSContexts, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: told.append(unraisable.exc_value))
    make_tls([Certificate(several._rules.certificates[0].chain)])

    class Broken:
        def __del__(self) -> None:
            raise RuntimeError("still told")

    Broken()

    assert [str(error) for error in told] == ["still told"]


def test_a_name_in_two_certificates_is_the_first_ones(authority: Authority) -> None:
    tls = make_tls([authority.issue("a.example", file="one"), authority.issue("b.example", "a.example", file="two")])

    with connection(tls, anybody(), "a.example") as (_, peer):
        assert _name_shown(peer) == "a.example"
    assert f"{authority.folder}/two.pem is not used for a.example: an earlier one has that name" in tls.warnings


# Renewal


class Renewal:
    """A server's certificate that is replaced while a clock is moved by hand."""

    def __init__(self, authority: Authority) -> None:
        self.authority, self.clock = authority, Clock()
        self.certificate = authority.issue("old.example", file="site")
        self.later = days(0)
        self.tls = make_tls(
            [self.certificate],
            clock=self.clock.monotonic,
            now=lambda: datetime.datetime.now(datetime.UTC) + self.later,
            look_every=5,
        )

    def replace(self, name: str = "new.example", **options: Any) -> None:
        made = self.authority.issue(name, file="next", **options)
        os.replace(made.chain, self.certificate.chain)

    def look(self, times: int = 1) -> bool:
        found = False
        for _ in range(times):
            self.clock.advance(5)
            found = self.tls.changed()
        return found

    def shown(self) -> str:
        with connection(self.tls, anybody()) as (_, peer):
            return _name_shown(peer)


@pytest.fixture
def renewal(authority: Authority) -> Renewal:
    return Renewal(authority)


def test_new_connections_get_the_new_certificate_and_running_ones_go_on(renewal: Renewal) -> None:
    with connection(renewal.tls, anybody()) as (server, client):
        renewal.replace()

        assert renewal.shown() == "old.example"
        assert renewal.tls.reload()
        assert renewal.shown() == "new.example"
        assert renewal.tls.names == ("new.example",)

        client.send(b"still here")
        assert read(server) == b"still here"


def test_a_context_that_was_fetched_before_gives_the_new_certificate_too(renewal: Renewal) -> None:
    fetched = renewal.tls.context
    renewal.replace()
    renewal.tls.reload()

    with connection(fetched, anybody()) as (_, peer):
        assert _name_shown(peer) == "new.example"


def test_a_handshake_that_has_begun_ends_with_what_it_began_with(renewal: Renewal) -> None:
    with pair() as (server, raw):
        handshake = Handshake(server, renewal.tls)
        with anybody().wrap_socket(raw, do_handshake_on_connect=False) as peer:
            with pytest.raises(ssl.SSLWantReadError):
                peer.do_handshake()
            assert handshake.step() == "read"
            renewal.replace()
            renewal.tls.reload()
            shake_hands(handshake, peer)
            assert _name_shown(peer) == "old.example"
        handshake.socket.close()


def test_a_change_is_noticed_when_the_files_are_quiet(renewal: Renewal) -> None:
    assert not renewal.look(times=3)

    renewal.replace()
    assert not renewal.look()  # perhaps only one of two files is written yet
    assert renewal.look()
    renewal.tls.reload()
    assert not renewal.look(times=3)


def test_a_file_that_is_still_being_written_is_left_alone(renewal: Renewal) -> None:
    for number in range(3):
        renewal.replace(f"n{number}.example")
        assert not renewal.look()
    assert renewal.look()


def test_the_files_are_looked_at_every_few_seconds_however_often_it_is_asked(renewal: Renewal) -> None:
    renewal.replace()
    renewal.look()
    renewal.clock.advance(4.9)
    assert not any(renewal.tls.changed() for _ in range(1000))
    renewal.clock.advance(0.1)
    assert renewal.tls.changed()


@pytest.mark.parametrize(
    "destroy",
    [
        pytest.param(lambda file: file.write_bytes(b"half a certif"), id="damaged"),
        pytest.param(lambda file: file.unlink(), id="removed"),
        pytest.param(lambda file: file.write_bytes(file.read_bytes().partition(b"-----END")[0]), id="cut off"),
    ],
)
def test_a_broken_file_keeps_the_old_certificate_and_says_so_once(
    renewal: Renewal, destroy: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    destroy(renewal.certificate.chain)

    assert renewal.look(times=2)
    assert not renewal.tls.reload()
    assert renewal.shown() == "old.example"
    assert not renewal.look(times=5)
    (record,) = caplog.records
    assert record.getMessage().startswith(f"the TLS certificates stay as they were: {renewal.certificate.chain} ")

    renewal.replace()
    assert renewal.look(times=2)
    assert renewal.tls.reload()
    assert renewal.shown() == "new.example"


def test_a_key_that_comes_before_its_certificate_waits_for_it(authority: Authority, tmp_path: Path) -> None:
    old, new = authority.ca.issue_cert("old.example"), authority.ca.issue_cert("new.example")
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    write_pem(chain, old.cert_chain_pems[0])
    write_pem(key, old.private_key_pem)
    tls = make_tls([Certificate(chain, key)])

    write_pem(key, new.private_key_pem)
    assert not tls.reload()
    assert tls.names == ("old.example",)
    write_pem(chain, new.cert_chain_pems[0])
    assert tls.reload()
    assert tls.names == ("new.example",)


def test_what_comes_back_as_it_was_is_no_news(renewal: Renewal, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    kept = renewal.certificate.chain.with_suffix(".kept")
    os.link(renewal.certificate.chain, kept)
    renewal.certificate.chain.unlink()
    renewal.look(times=2)
    assert not renewal.tls.reload()
    caplog.clear()

    os.rename(kept, renewal.certificate.chain)
    assert renewal.look(times=2)
    assert renewal.tls.reload()
    assert caplog.records == []


def test_permissions_that_were_mended_are_noticed(renewal: Renewal) -> None:
    renewal.replace()
    renewal.look(times=2)
    renewal.tls.reload()
    assert not renewal.look(times=3)

    renewal.certificate.chain.chmod(0o640)
    assert renewal.look(times=2)


def test_a_server_that_was_idle_does_not_greet_with_an_old_certificate(renewal: Renewal) -> None:
    renewal.replace()
    renewal.clock.advance(14 * 86400)
    renewal.later = days(14)

    assert renewal.shown() == "new.example"


def test_a_renewal_is_told_with_its_end_and_what_is_suspicious(
    renewal: Renewal, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    end = NOW - days(1)
    renewal.replace(not_before=NOW - days(9), not_after=end)

    renewal.tls.reload()

    messages = [record.getMessage() for record in caplog.records]
    assert messages[0] == f"new connections get the renewed TLS certificates, valid until {end:%Y-%m-%d}"
    assert any("expired on" in message for message in messages[1:])
    assert renewal.tls.expires == end.replace(microsecond=0)


def _session(renewal: Renewal, client: ssl.SSLContext) -> ssl.SSLSession | None:
    with connection(renewal.tls, client) as (server, peer):
        server.send(b"x")
        read(peer)
        return peer.session


def _is_resumed(renewal: Renewal, client: ssl.SSLContext, session: ssl.SSLSession | None) -> bool:
    with connection(renewal.tls, client, session=session) as (server, _):
        return bool(server.session_reused)


def test_ticket_keys_do_not_live_as_long_as_the_process(renewal: Renewal, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    client = anybody()
    session = _session(renewal, client)

    renewal.clock.advance(11.9 * 3600)
    assert not renewal.look()
    assert _is_resumed(renewal, client, session)
    renewal.clock.advance(0.1 * 3600)
    assert renewal.look()
    assert renewal.tls.reload()
    assert not _is_resumed(renewal, client, session)
    assert caplog.records == []  # nothing that a deployer has to know


def test_reloads_by_many_threads_leave_it_whole(renewal: Renewal) -> None:
    def replace() -> None:
        for _ in range(5):
            results.append(renewal.tls.reload())

    results: list[bool] = []
    threads = [threading.Thread(target=replace) for _ in range(4)]
    for thread in threads:
        thread.start()
    shown = {renewal.shown() for _ in range(20)}
    for thread in threads:
        thread.join()

    assert shown == {"old.example"}
    assert results == [True] * 20


# Clients with certificates


@pytest.fixture
def clients(tmp_path: Path) -> Authority:
    folder = tmp_path / "clients"
    folder.mkdir()
    return Authority(folder)


def test_a_client_that_shows_no_certificate_is_refused_where_one_is_required(
    authority: Authority, clients: Authority
) -> None:
    tls = make_tls([authority.issue("shop.example")], client="required", client_ca=clients.file)

    with (
        pytest.raises(HandshakeFailed, match="showed no certificate"),
        connection(tls, authority.client(), "shop.example"),
    ):
        pass


@pytest.mark.parametrize("mode", ["optional", "required"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["TLS 1.2", "TLS 1.3"])
def test_a_client_with_a_certificate_of_the_authority_is_served(
    authority: Authority, clients: Authority, mode: Any, version: ssl.TLSVersion
) -> None:
    tls = make_tls([authority.issue("shop.example")], client=mode, client_ca=clients.file)
    client = authority.client(clients.issue("clerk@shop.example"), maximum_version=version)

    with connection(tls, client, "shop.example") as (server, _):
        assert server.getpeercert()["subjectAltName"] == (("email", "clerk@shop.example"),)  # type: ignore[index]


def test_a_client_without_a_certificate_is_served_where_it_is_optional(
    authority: Authority, clients: Authority
) -> None:
    tls = make_tls([authority.issue("shop.example")], client="optional", client_ca=clients.file)

    with connection(tls, authority.client(), "shop.example") as (server, _):
        assert server.getpeercert() is None


def test_nobody_is_asked_for_a_certificate_by_default(authority: Authority, clients: Authority) -> None:
    tls = make_tls([authority.issue("shop.example")])
    client = authority.client(clients.issue("clerk@shop.example"))

    with connection(tls, client, "shop.example") as (server, _):
        assert server.getpeercert() is None


@pytest.mark.parametrize("mode", ["optional", "required"])
@pytest.mark.parametrize(
    ("options", "reason"),
    [
        pytest.param({}, "self-signed certificate in certificate chain", id="of a stranger"),
        pytest.param(
            {"not_before": NOW - days(9), "not_after": NOW - days(1)}, "certificate has expired", id="expired"
        ),
        pytest.param({"not_before": NOW + days(1), "not_after": NOW + days(9)}, "is not yet valid", id="not valid yet"),
    ],
)
def test_a_bad_certificate_is_refused_even_where_none_would_do(
    authority: Authority, clients: Authority, mode: Any, options: dict[str, Any], reason: str
) -> None:
    tls = make_tls([authority.issue("shop.example")], client=mode, client_ca=clients.file)
    issuer = clients if options else authority
    client = authority.client(issuer.issue("clerk@shop.example", **options))

    with (
        pytest.raises(HandshakeFailed, match=f"its certificate is not accepted.*{reason}"),
        connection(tls, client, "shop.example"),
    ):
        pass


def test_the_certificate_is_demanded_under_every_name(authority: Authority, clients: Authority) -> None:
    tls = make_tls(
        [authority.issue("a.example"), authority.issue("b.example")], client="required", client_ca=clients.file
    )

    for name in ("a.example", "b.example"):
        with pytest.raises(HandshakeFailed, match="showed no certificate"), connection(tls, authority.client(), name):
            pass
        with connection(tls, authority.client(clients.issue("clerk@shop.example")), name) as (server, _):
            assert server.getpeercert()


def test_a_new_authority_of_clients_counts_after_a_reload_also_for_sessions(
    authority: Authority, clients: Authority, tmp_path: Path
) -> None:
    accepted = write_pem(tmp_path / "accepted.pem", clients.ca.cert_pem)
    tls = make_tls([authority.issue("shop.example")], client="required", client_ca=accepted)
    client = authority.client(clients.issue("clerk@shop.example"))
    with connection(tls, client, "shop.example") as (server, peer):
        server.send(b"x")
        read(peer)
        session = peer.session
    with connection(tls, client, "shop.example", session) as (server, _):
        assert server.session_reused
        assert server.getpeercert()

    write_pem(accepted, authority.ca.cert_pem)
    tls.reload()

    with pytest.raises(HandshakeFailed, match="is not accepted"), connection(tls, client, "shop.example", session):
        pass


def _revoked(authority: Authority, *certificates: Certificate) -> bytes:
    key = serialization.load_pem_private_key(authority.ca.private_key_pem.bytes(), None)
    issuer = x509.load_pem_x509_certificate(authority.ca.cert_pem.bytes())
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.subject)
        .last_update(NOW - days(1))
        .next_update(NOW + days(1))
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key()),  # type: ignore[arg-type]
            critical=False,
        )
    )
    for each in certificates:
        pem = each.chain.read_bytes()
        serial = x509.load_pem_x509_certificate(pem[pem.index(b"-----BEGIN CERT") :]).serial_number
        builder = builder.add_revoked_certificate(
            x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(NOW).build()
        )
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)  # type: ignore[arg-type]


def test_a_revoked_certificate_is_refused_and_others_are_not(
    authority: Authority, clients: Authority, tmp_path: Path
) -> None:
    good, lost = clients.issue("good@shop.example"), clients.issue("lost@shop.example")
    crl = write_pem(tmp_path / "revoked.pem", _revoked(clients, lost))
    tls = make_tls([authority.issue("shop.example")], client="required", client_ca=clients.file, client_crl=crl)

    with connection(tls, authority.client(good), "shop.example"):
        pass
    with (
        pytest.raises(HandshakeFailed, match="certificate revoked"),
        connection(tls, authority.client(lost), "shop.example"),
    ):
        pass


def test_a_list_of_revoked_certificates_that_is_none_is_refused(authority: Authority, clients: Authority) -> None:
    with pytest.raises(TLSSetupError, match="holds no list of revoked certificates in PEM format; convert it with"):
        make_tls([authority.issue("shop.example")], client="required", client_ca=clients.file, client_crl=clients.file)


def test_an_authority_of_clients_that_expired_is_warned_about(authority: Authority, clients: Authority) -> None:
    tls = make_tls(
        [authority.issue("shop.example")], client="required", client_ca=clients.file, now=lambda: NOW.replace(year=4000)
    )

    assert any("'Paper Mill' expired: its clients are refused; renew it" in text for text in tls.warnings)
