"""The method ``certificate``: whose a certificate is, and who may hand one on."""

from __future__ import annotations

import base64
import datetime
import ssl
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import trustme
from auth_named_users import NamedUsers
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from wheatpaste.config.options import OptionError
from wheatpaste.config.surroundings import Surroundings
from wheatpaste.middleware.auth.audit import Audit
from wheatpaste.middleware.auth.authority import Authority
from wheatpaste.middleware.auth.identity import Identity
from wheatpaste.middleware.auth.method import Failed
from wheatpaste.middleware.auth.methods.certificate import (
    CERTIFICATE_READER,
    CertificateMethod,
    CertificateOptions,
)
from wheatpaste.middleware.auth.methods.client_certificate import read_certificate, read_header
from wheatpaste.middleware.auth.site import Site
from wheatpaste.middleware.auth.visit import Visit
from wheatpaste.middleware.storage.memory import MemoryStore

AUTHORITY = Authority(site=Site(), store=MemoryStore(), vault=None, audit=Audit("none"))
PROXY = "10.0.0.1"


@cache
def certificate(*names: tuple[Any, str], emails: tuple[str, ...] = (), uris: tuple[str, ...] = ()) -> x509.Certificate:
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

    key = generate_private_key(SECP256R1())
    subject = x509.Name([x509.NameAttribute(kind, value) for kind, value in names])
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(x509.Name([]))
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=365))
    )
    others: list[x509.GeneralName] = [x509.RFC822Name(each) for each in emails]
    others += [x509.UniformResourceIdentifier(each) for each in uris]
    if others:
        builder = builder.add_extension(x509.SubjectAlternativeName(others), critical=False)
    return builder.sign(key, SHA256())


CN, ORG, UID = NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME, NameOID.USER_ID
NOW = datetime.datetime(2026, 6, 1, tzinfo=datetime.UTC).timestamp()


def pem(shown: x509.Certificate) -> str:
    return shown.public_bytes(Encoding.PEM).decode()


def der64(shown: x509.Certificate) -> str:
    return base64.b64encode(shown.public_bytes(Encoding.DER)).decode()


def fingerprint(shown: x509.Certificate) -> str:
    return shown.fingerprint(SHA256()).hex()


def visit(environ: dict[str, str], peer: str = PROXY) -> Visit:
    known = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "REMOTE_ADDR": peer, "SERVER_SOFTWARE": "waitress"}
    return Visit(AUTHORITY, {**known, **environ})


def identify(environ: dict[str, str], *, peer: str = PROXY, now: float = NOW, **options: Any) -> Any:
    request = visit(environ, peer)
    method = CertificateMethod(CertificateOptions(**options), ("10.0.0.0/8",), NamedUsers(), clock=lambda: now)
    method.strip(request)
    return method.identify(request)


def served(shown: x509.Certificate) -> dict[str, str]:
    return {"SSL_CLIENT_VERIFY": "SUCCESS", "SSL_CLIENT_CERT": pem(shown)}


def handed(source: str, shown: x509.Certificate) -> dict[str, str]:
    if source == "server":
        return served(shown)
    if source == "rfc9440":
        return {"HTTP_CLIENT_CERT": f":{der64(shown)}:"}
    if source == "nginx":
        return {"HTTP_X_SSL_CLIENT_CERT": quote(pem(shown)), "HTTP_X_SSL_CLIENT_VERIFY": "SUCCESS"}
    return {"HTTP_X_FORWARDED_TLS_CLIENT_CERT": f"{quote(der64(shown))},{quote(der64(shown))}"}


SOURCES = ["server", "rfc9440", "nginx", "traefik"]
every_source = pytest.mark.parametrize("source", SOURCES)


@every_source
def test_a_listed_certificate_is_its_users(source: str) -> None:
    shown = certificate((CN, "anything"))
    found = identify(handed(source, shown), source=source, fingerprints={fingerprint(shown).upper(): "ada"})
    assert isinstance(found, Identity)
    assert (found.id, found.method, found.amr, found.roles) == ("local:1", "certificate", ("swk",), {"admin"})


@every_source
def test_another_certificate_is_nobodys(source: str) -> None:
    listed = {fingerprint(certificate((CN, "anything"))): "ada"}
    found = identify(handed(source, certificate((CN, "ada"))), source=source, fingerprints=listed)
    assert found == Failed("certificate of nobody")


PARTS: list[tuple[str, x509.Certificate, str | None]] = [
    ("cn", certificate((CN, "ada")), "ada"),
    ("cn", certificate((ORG, "Mill")), None),
    ("cn", certificate((CN, "ada"), (CN, "eve")), None),
    ("uid", certificate((UID, "ada"), (CN, "eve")), "ada"),
    ("email", certificate((CN, "x"), emails=("ada@example.org",)), "ada@example.org"),
    ("email", certificate((CN, "x"), emails=("ada@example.org", "eve@example.org")), None),
    ("uri", certificate((CN, "x"), uris=("spiffe://mill/ada",)), "spiffe://mill/ada"),
    ("uri", certificate((CN, "ada")), None),
]


@pytest.mark.parametrize(("user", "shown", "name"), PARTS, ids=[f"{user}-{name}" for user, _, name in PARTS])
def test_a_part_of_the_certificate_names_the_user_where_there_is_one_such_part(
    user: str, shown: x509.Certificate, name: str | None
) -> None:
    found = identify(served(shown), user=user, accounts="none")
    assert found == Failed("certificate of nobody") if name is None else found.id == f"certificate:{name}"


@pytest.mark.parametrize(
    ("shown", "name"),
    [
        (certificate((ORG, "Mill"), (CN, "ada")), "ada"),
        (certificate((ORG, "Mill"), (CN, "a,d=a")), None),
        (certificate((ORG, "Mills"), (CN, "ada")), None),
        (certificate((ORG, "Mill"), (CN, "ada"), (UID, "x")), None),
        (certificate((CN, "ada,O=Mill")), None),
        (certificate((ORG, "Mill"), (CN, "Ad\u00e9 L.")), "Ad\u00e9 L."),
    ],
    ids=["that", "a comma in the name", "another", "more", "escaped", "other letters"],
)
def test_a_subject_counts_as_a_whole(shown: x509.Certificate, name: str | None) -> None:
    found = identify(served(shown), user="subject", subject="CN={name},O=Mill", accounts="none")
    assert (found.name if isinstance(found, Identity) else None) == name


@pytest.mark.parametrize(
    ("accounts", "name", "expected"),
    [
        ("required", "ada", "local:1"),
        ("required", "bob", "unknown user"),
        ("required", "eve", "disabled user"),
        ("known", "bob", "certificate:bob"),
        ("known", "eve", "disabled user"),
        ("none", "ada", "certificate:ada"),
    ],
)
def test_a_name_may_have_to_be_one_of_our_users(accounts: str, name: str, expected: str) -> None:
    found = identify(served(certificate((CN, name))), user="cn", accounts=accounts)
    assert (found.reason if isinstance(found, Failed) else found.id) == expected


@pytest.mark.parametrize("verify", ["NONE", "FAILED:self signed certificate", "", "GENEROUS"])
def test_a_certificate_that_was_not_verified_counts_for_nothing(verify: str) -> None:
    shown = certificate((CN, "ada"))
    assert identify({**served(shown), "SSL_CLIENT_VERIFY": verify}, user="cn") is None
    by_nginx = {**handed("nginx", shown), "HTTP_X_SSL_CLIENT_VERIFY": verify}
    assert identify(by_nginx, source="nginx", user="cn") == Failed("certificate not verified")


@pytest.mark.parametrize("day", [-1, 366])
def test_a_certificate_counts_while_it_is_valid(day: int) -> None:
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC).timestamp()
    found = identify(served(certificate((CN, "ada"))), now=start + day * 86400, user="cn")
    assert found == Failed("certificate not valid now")


@pytest.mark.parametrize("source", SOURCES[1:])
@pytest.mark.parametrize("peer", ["192.0.2.1", "", "unknown"])
def test_what_no_trusted_proxy_hands_on_is_neither_believed_nor_left(source: str, peer: str) -> None:
    request = visit(handed(source, certificate((CN, "ada"))), peer)
    method = CertificateMethod(CertificateOptions(source=source, user="cn"), ("10.0.0.0/8",), NamedUsers())
    assert method.identify(request) is None
    method.strip(request)
    assert not [key for key in request.environ if key.startswith("HTTP_")]


@pytest.mark.parametrize("source", SOURCES[1:])
def test_headers_of_another_kind_of_proxy_go_even_where_this_one_is_believed(source: str) -> None:
    shown = certificate((CN, "ada"))
    request = visit({key: value for each in SOURCES[1:] for key, value in handed(each, shown).items()})
    CertificateMethod(CertificateOptions(source=source, user="cn"), ("10.0.0.0/8",), NamedUsers()).strip(request)
    assert {key for key in request.environ if key.startswith("HTTP_")} == handed(source, shown).keys()


def test_where_our_server_asks_no_header_counts_whoever_sends_it() -> None:
    for source in SOURCES[1:]:
        request = visit(handed(source, certificate((CN, "ada"))))
        method = CertificateMethod(CertificateOptions(user="cn"), ("10.0.0.0/8",), NamedUsers())
        method.strip(request)
        assert not [key for key in request.environ if key.startswith("HTTP_")]
        assert method.identify(request) is None


def test_a_server_that_keeps_underscores_gets_no_header_believed() -> None:
    request = visit({**handed("rfc9440", certificate((CN, "ada"))), "SERVER_SOFTWARE": "Cheroot/11"})
    method = CertificateMethod(CertificateOptions(source="rfc9440", user="cn"), ("10.0.0.0/8",), NamedUsers())
    assert isinstance(method.identify(request), Failed)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "x",
        "::",
        ":!:",
        f":{der64(certificate((CN, 'ada')))}",
        f":{der64(certificate((CN, 'ada')))}:, :{der64(certificate((CN, 'eve')))}:",
        ":AAAA:",
        ":" + "A" * 20_000 + ":",
    ],
    ids=["nothing", "text", "empty", "no base64", "half", "two", "no certificate", "long"],
)
def test_a_header_that_holds_no_certificate_is_nobody(value: str) -> None:
    found = identify({"HTTP_CLIENT_CERT": value}, source="rfc9440", user="cn")
    assert found is None or isinstance(found, Failed)


@given(st.sampled_from(SOURCES[1:]), st.text(max_size=120))
def test_no_header_raises(source: str, value: str) -> None:
    found = read_header(source, value)
    if found is not None:
        read_certificate(found)


@given(st.binary(max_size=200))
def test_no_bytes_raise(data: bytes) -> None:
    assert read_certificate(data) is None


@pytest.mark.parametrize("place", [4, 30, 100, -1])
def test_a_certificate_that_was_changed_has_another_fingerprint(place: int) -> None:
    shown = certificate((CN, "ada"))
    data = bytearray(shown.public_bytes(Encoding.DER))
    data[place] ^= 1
    found = read_certificate(bytes(data))
    assert found is None or found.fingerprint != fingerprint(shown)


@pytest.mark.parametrize(
    ("options", "trusted", "message"),
    [
        ({}, (), "no fingerprint is"),
        ({"user": "subject"}, (), "must be said together"),
        ({"user": "cn", "subject": "CN={name}"}, (), "must be said together"),
        ({"user": "subject", "subject": "CN=ada"}, (), "must hold {name} once"),
        ({"user": "cn", "header": "X-Cert"}, (), "has no meaning"),
        ({"user": "cn", "source": "nginx"}, (), "must name the proxy"),
        ({"user": "cn", "source": "nginx"}, ("*",), "must name the proxy"),
        ({"user": "cn", "source": "nginx", "header": "X_Cert"}, (PROXY,), "name of a header"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any], trusted: tuple[str, ...], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        CertificateMethod(CertificateOptions(**options), trusted, NamedUsers())


def test_a_section_lists_fingerprints() -> None:
    shown = fingerprint(certificate((CN, "ada")))
    reading = CERTIFICATE_READER.read({shown: "ada"}, {})
    assert not reading.problems
    assert reading.values["fingerprints"] == {shown: "ada"}
    (problem,) = CERTIFICATE_READER.read({shown[:-1]: "ada"}, {}).problems
    assert "SHA-256 of 64" in problem.what
    (problem,) = CERTIFICATE_READER.read({"souce": "nginx"}, {}).problems
    assert "did you mean 'source'" in problem.fix


def test_a_check_names_a_server_that_asks_for_no_certificate() -> None:
    options = CertificateOptions(user="cn")
    assert "asks nobody" in next(iter(options.problems(Surroundings(server={"port": "1"})))).what
    assert not list(options.problems(Surroundings(server={"tls_client": "optional"})))
    by_proxy = CertificateOptions(user="cn", source="nginx")
    assert "underscore" in next(iter(by_proxy.problems(Surroundings(server={"underscore_headers": "keep"})))).what


SITE = """
[server:main]
use = egg:wheatpaste#main
tls_certificate = server.pem
tls_key = server.key
tls_client = optional
tls_client_ca = ca.pem

[pipeline:main]
pipeline = auth app

[filter:auth]
use = egg:wheatpaste#auth

[app:app]
use = egg:wheatpaste#echo

[auth:main]
secret = 4b1f0be93a7d42e8916b0f3ad5e7c284c51f0be9
methods = certificate

[auth:main:store]
url = memory:

[auth:main:certificate]
user = email
accounts = none

[auth:main:rules]
/* = authenticated
"""


@pytest.mark.slow
def test_a_client_with_a_certificate_gets_in_over_real_tls(
    running_server: Callable[..., Any], write_ini: Callable[..., Path], tmp_path: Path
) -> None:
    import http.client

    authority, stranger = trustme.CA(), trustme.CA()
    server = authority.issue_cert("localhost", "127.0.0.1")
    server.cert_chain_pems[0].write_to_path(tmp_path / "server.pem")
    server.private_key_pem.write_to_path(tmp_path / "server.key")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    running = running_server(write_ini(SITE))

    def status(client: trustme.LeafCert | None) -> int:
        context = ssl.create_default_context()
        authority.configure_trust(context)
        if client is not None:
            client.configure_cert(context)
        connection = http.client.HTTPSConnection("localhost", running.port, context=context, timeout=10)
        try:
            connection.request("GET", "/", headers={"Client-Cert": ":AAAA:"})
            return connection.getresponse().status
        finally:
            connection.close()

    assert status(None) == 401
    assert status(authority.issue_cert("ada@example.org")) == 200
    with pytest.raises(OSError, match=r"(?i)alert|reset|eof|closed"):
        status(stranger.issue_cert("ada@example.org"))
