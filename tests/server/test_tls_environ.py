"""What an app may know of its TLS connection."""

from __future__ import annotations

import datetime
import hashlib
import shutil
import ssl
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from prerequisites import lacking
from tls_peers import Authority, anybody, connection, days, write_pem

from wheatpaste.protocol.wsgi import Environ
from wheatpaste.server.tls.certificates import Certificate
from wheatpaste.server.tls.contexts import make_tls
from wheatpaste.server.tls.environ import tls_environ


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def _environ(
    authority: Authority, certificate: Certificate | None = None, name: str | None = "shop.example"
) -> Environ:
    tls = make_tls([authority.issue("shop.example")], client="optional", client_ca=authority.file)
    client = authority.client(certificate, check_hostname=name is not None)
    with connection(tls, client, name) as (server, _):
        return tls_environ(server)


def test_it_says_how_the_connection_is_protected(authority: Authority) -> None:
    assert _environ(authority) == {
        "HTTPS": "on",
        "SSL_PROTOCOL": "TLSv1.3",
        "SSL_CIPHER": "TLS_AES_256_GCM_SHA384",
        "SSL_CIPHER_USEKEYSIZE": "256",
        "SSL_SESSION_RESUMED": "Initial",
        "SSL_TLS_SNI": "shop.example",
        "SSL_CLIENT_VERIFY": "NONE",
    }


def test_a_client_that_asked_for_no_name_has_none(authority: Authority) -> None:
    assert "SSL_TLS_SNI" not in _environ(authority, name=None)


def test_the_name_is_told_as_it_was_compared(authority: Authority) -> None:
    assert _environ(authority, name="Shop.Example")["SSL_TLS_SNI"] == "shop.example"


def test_it_works_on_a_context_of_the_deployers_own(authority: Authority) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.issue("shop.example").chain)

    with connection(context, anybody()) as (server, _):
        assert tls_environ(server)["SSL_PROTOCOL"] == "TLSv1.3"


def _certificate(
    authority: Authority, subject: list[x509.RelativeDistinguishedName], *names: x509.GeneralName
) -> Certificate:
    """A client's certificate with any name, which trustme would not issue."""
    now = datetime.datetime.now(datetime.UTC)
    key = ec.generate_private_key(ec.SECP256R1())
    issuer_key = serialization.load_pem_private_key(authority.ca.private_key_pem.bytes(), None)
    issuer = x509.load_pem_x509_certificate(authority.ca.cert_pem.bytes())
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name(subject))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(0xBEEF)
        .not_valid_before(now - days(1))
        .not_valid_after(now + days(1))
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
    )
    if names:
        made = made.add_extension(x509.SubjectAlternativeName(names), critical=False)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ) + made.sign(issuer_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)  # type: ignore[arg-type]
    return Certificate(write_pem(authority.folder / "client.pem", pem))


def _part(oid: x509.ObjectIdentifier, value: str) -> x509.RelativeDistinguishedName:
    return x509.RelativeDistinguishedName([x509.NameAttribute(oid, value)])


CLERK = [
    _part(NameOID.COUNTRY_NAME, "DE"),
    _part(NameOID.ORGANIZATION_NAME, "Mill, Ltd"),
    _part(NameOID.ORGANIZATIONAL_UNIT_NAME, "Paste"),
    _part(NameOID.ORGANIZATIONAL_UNIT_NAME, "Wheat"),
    _part(NameOID.COMMON_NAME, "Ada Müller"),
]


def test_it_says_whose_certificate_was_shown(authority: Authority) -> None:
    certificate = _certificate(
        authority,
        CLERK,
        x509.RFC822Name("ada@mill.example"),
        x509.DNSName("ada.mill.example"),
        x509.DNSName("desk.mill.example"),
        x509.UniformResourceIdentifier("spiffe://mill.example/ada"),
    )
    pem = certificate.chain.read_text()[certificate.chain.read_text().index("-----BEGIN CERT") :]
    told = x509.load_pem_x509_certificate(pem.encode())

    environ = _environ(authority, certificate)

    assert environ["SSL_CLIENT_VERIFY"] == "SUCCESS"
    assert environ["SSL_CLIENT_M_SERIAL"] == "BEEF"
    assert environ["SSL_CLIENT_M_VERSION"] == "3"
    assert environ["SSL_CLIENT_CERT"] == pem
    assert environ["wheatpaste.client_fingerprint"] == told.fingerprint(hashes.SHA256()).hex()
    assert environ["SSL_CLIENT_I_DN_O"] == "Paper Mill"
    assert environ["SSL_CLIENT_V_END"] == f"{told.not_valid_after_utc:%b %e %H:%M:%S %Y} GMT"
    assert {key: value for key, value in environ.items() if key.startswith(("SSL_CLIENT_S", "SSL_CLIENT_SAN"))} == {
        # Müller: each byte of its UTF-8 is a character, as PEP 3333 wants it.
        "SSL_CLIENT_S_DN": r"CN=Ada MÃ¼ller,OU=Wheat,OU=Paste,O=Mill\, Ltd,C=DE",
        "SSL_CLIENT_S_DN_C": "DE",
        "SSL_CLIENT_S_DN_O": "Mill, Ltd",
        "SSL_CLIENT_S_DN_OU": "Paste",
        "SSL_CLIENT_S_DN_OU_1": "Wheat",
        "SSL_CLIENT_S_DN_CN": "Ada MÃ¼ller",
        "SSL_CLIENT_SAN_Email_0": "ada@mill.example",
        "SSL_CLIENT_SAN_DNS_0": "ada.mill.example",
        "SSL_CLIENT_SAN_DNS_1": "desk.mill.example",
        "SSL_CLIENT_SAN_URI_0": "spiffe://mill.example/ada",
    }


@pytest.mark.parametrize(
    ("value", "written"),
    [
        pytest.param('a,b+c"d\\e<f>g;h', r"CN=a\,b\+c\"d\\e\<f\>g\;h", id="what separates"),
        pytest.param(" a ", r"CN=\ a\ ", id="blanks at the ends"),
        pytest.param("#a#", r"CN=\#a#", id="a number sign at the beginning"),
        pytest.param("a\r\nb", r"CN=a\0D\0Ab", id="a line end"),
        pytest.param("a=b", "CN=a=b", id="an equals sign"),
    ],
)
def test_a_name_cannot_pretend_to_be_several(authority: Authority, value: str, written: str) -> None:
    environ = _environ(authority, _certificate(authority, [_part(NameOID.COMMON_NAME, value)]))

    assert environ["SSL_CLIENT_S_DN"] == written
    assert environ["SSL_CLIENT_S_DN_CN"] == value


def test_names_are_written_as_openssl_writes_them(authority: Authority) -> None:
    if shutil.which("openssl") is None:
        lacking("openssl")
    subject = [
        *CLERK[:2],
        _part(NameOID.DOMAIN_COMPONENT, "example"),
        _part(NameOID.USER_ID, "ada"),
        _part(NameOID.EMAIL_ADDRESS, "ada@mill.example"),
        _part(NameOID.GIVEN_NAME, " #Ada"),
        _part(NameOID.SURNAME, "x;y"),
        _part(NameOID.SERIAL_NUMBER, "7"),
        _part(NameOID.TITLE, "Dr"),
        _part(NameOID.STATE_OR_PROVINCE_NAME, "Hessen"),
        _part(NameOID.LOCALITY_NAME, "Kassel"),
        _part(NameOID.STREET_ADDRESS, "Mühlgasse"),
        x509.RelativeDistinguishedName(
            [x509.NameAttribute(NameOID.COMMON_NAME, "Ada"), x509.NameAttribute(NameOID.PSEUDONYM, "a")]
        ),
    ]
    certificate = _certificate(authority, subject)
    shown = subprocess.run(
        ["openssl", "x509", "-in", certificate.chain, "-noout", "-subject", "-nameopt", "RFC2253,-esc_msb"],
        capture_output=True,
        check=True,
    ).stdout.decode("latin-1")

    assert _environ(authority, certificate)["SSL_CLIENT_S_DN"] == shown.strip().removeprefix("subject=")


def test_a_certificate_without_names_is_no_obstacle(authority: Authority) -> None:
    environ = _environ(authority, _certificate(authority, [], x509.RFC822Name("ada@mill.example")))

    assert environ["SSL_CLIENT_VERIFY"] == "SUCCESS"
    assert environ["SSL_CLIENT_S_DN"] == ""


def test_the_fingerprint_is_of_the_certificate_as_it_was_sent(authority: Authority) -> None:
    certificate = authority.issue("ada@mill.example")
    text = certificate.chain.read_text()

    environ = _environ(authority, certificate)

    der = ssl.PEM_cert_to_DER_cert(text[text.index("-----BEGIN CERT") :])
    assert environ["wheatpaste.client_fingerprint"] == hashlib.sha256(der).hexdigest()


def test_a_resumed_session_still_knows_its_client(authority: Authority) -> None:
    tls = make_tls([authority.issue("shop.example")], client="required", client_ca=authority.file)
    client = authority.client(authority.issue("ada@mill.example"))
    with connection(tls, client, "shop.example") as (server, peer):
        first = tls_environ(server)
        server.send(b"x")
        peer.recv(1)
        session = peer.session

    with connection(tls, client, "shop.example", session) as (server, _):
        second = tls_environ(server)

    assert second == {**first, "SSL_SESSION_RESUMED": "Resumed"}


def test_every_value_is_text_that_wsgi_allows(authority: Authority) -> None:
    environ = _environ(authority, _certificate(authority, [_part(NameOID.COMMON_NAME, "漢字")]))

    for value in environ.values():
        value.encode("latin-1")
    assert environ["SSL_CLIENT_S_DN_CN"].encode("latin-1").decode() == "漢字"
