"""Files of certificates and keys: each mistake named, with the way out."""

from __future__ import annotations

import datetime
import os
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import load_pem_private_key, pkcs12
from tls_peers import Authority, days, write_pem

from wheatpaste.server.tls.certificates import Certificate, TLSSetupError, load, warnings_about

CA = trustme.CA(organization_name="Paper Mill")
LEAF, OTHER = CA.issue_cert("shop.example", common_name="shop"), CA.issue_cert("other.example")
CHAIN, KEY = LEAF.cert_chain_pems[0], LEAF.private_key_pem
NOW = datetime.datetime.now(datetime.UTC)


def context() -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.set_ciphers("DEFAULT:@SECLEVEL=2")
    return made


def encrypted(password: bytes, form: serialization.PrivateFormat = serialization.PrivateFormat.PKCS8) -> bytes:
    key = load_pem_private_key(KEY.bytes(), None)
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.BestAvailableEncryption(password))


def test_it_takes_key_and_chain_from_one_file(tmp_path: Path) -> None:
    certificate = Certificate(write_pem(tmp_path / "a.pem", LEAF.private_key_and_cert_chain_pem))

    assert load(context(), certificate)[0].names == ("shop.example",)
    assert certificate.files == (tmp_path / "a.pem",)


def test_it_takes_the_key_from_a_file_of_its_own(tmp_path: Path) -> None:
    certificate = Certificate(write_pem(tmp_path / "a.pem", CHAIN), write_pem(tmp_path / "a.key", KEY))

    assert load(context(), certificate)[0].names == ("shop.example",)
    assert certificate.files == (tmp_path / "a.pem", tmp_path / "a.key")


@pytest.mark.parametrize(
    "form",
    [
        pytest.param(serialization.PrivateFormat.PKCS8, id="as PKCS#8"),
        pytest.param(serialization.PrivateFormat.TraditionalOpenSSL, id="as OpenSSL wrote it once"),
    ],
)
def test_it_opens_an_encrypted_key(tmp_path: Path, form: serialization.PrivateFormat) -> None:
    key = write_pem(tmp_path / "a.key", encrypted("schlüssel ".encode(), form))

    load(context(), Certificate(write_pem(tmp_path / "a.pem", CHAIN), key, "schlüssel "))


def test_it_does_not_show_its_password(tmp_path: Path) -> None:
    assert "tulip" not in repr(Certificate(tmp_path / "a.pem", password="tulip"))


def _files(chain: bytes, key: bytes | None = None, password: str | None = None) -> Callable[[Path], Certificate]:
    def make(folder: Path) -> Certificate:
        key_file = None if key is None else write_pem(folder / "site.key", key)
        return Certificate(write_pem(folder / "site.pem", chain), key_file, password)

    return make


def _p12(folder: Path) -> Certificate:
    key = load_pem_private_key(KEY.bytes(), None)
    data = pkcs12.serialize_key_and_certificates(b"x", key, None, None, serialization.NoEncryption())  # type: ignore[arg-type]
    return Certificate(write_pem(folder / "site.p12", data))


def _folder(folder: Path) -> Certificate:
    (folder / "site.pem").mkdir()
    return Certificate(folder / "site.pem")


def _fifo(folder: Path) -> Certificate:
    os.mkfifo(folder / "site.pem")
    return Certificate(folder / "site.pem")


@pytest.mark.parametrize(
    ("make", "about", "what", "fix"),
    [
        pytest.param(
            lambda folder: Certificate(folder / "site.pem"),
            "certificate",
            "{folder}/site.pem does not exist",
            "correct the path, or create the file",
            id="no such file",
        ),
        pytest.param(
            _folder, "certificate", "{folder}/site.pem is a folder", "name a file in PEM format", id="a folder"
        ),
        pytest.param(_fifo, "certificate", "{folder}/site.pem is no file", "name a file in PEM format", id="a pipe"),
        pytest.param(
            lambda folder: Certificate(write_pem(folder / "site.pem", CHAIN), folder / "site.key"),
            "key",
            "{folder}/site.key does not exist",
            "correct the path, or create the file",
            id="no such key file",
        ),
        pytest.param(
            _files(b""),
            "certificate",
            "{folder}/site.pem holds no certificate",
            "it must hold -----BEGIN CERTIFICATE-----",
            id="an empty file",
        ),
        pytest.param(
            _files(b"x" * (1024 * 1024 + 1)),
            "certificate",
            "{folder}/site.pem is larger than any certificate",
            "name a file in PEM format",
            id="a large file",
        ),
        pytest.param(
            _files(KEY.bytes()),
            "certificate",
            "{folder}/site.pem holds no certificate",
            "it must hold -----BEGIN CERTIFICATE-----",
            id="a key alone",
        ),
        pytest.param(
            _p12,
            "certificate",
            "{folder}/site.p12 is not in PEM format",
            "convert it with: openssl x509 -inform DER -in {folder}/site.p12 -out site.pem"
            " (or, for .p12 and .pfx: openssl pkcs12 -in {folder}/site.p12 -out site.pem -noenc)",
            id="a file of Windows",
        ),
        pytest.param(
            _files(b"-----BEGIN CERTIFICATE-----\nMIIBAAAA\n-----END CERTIFICATE-----\n", KEY.bytes()),
            "certificate",
            "{folder}/site.pem is damaged: it holds no certificate",
            "get the file anew from whoever issued it",
            id="a damaged certificate",
        ),
        pytest.param(
            _files(CHAIN.bytes()),
            "certificate",
            "{folder}/site.pem holds no private key in PEM format",
            "append the key to it, or name the key's own file",
            id="a certificate without its key",
        ),
        pytest.param(
            _files(CHAIN.bytes(), CHAIN.bytes()),
            "key",
            "{folder}/site.key holds no private key in PEM format",
            "it must hold -----BEGIN PRIVATE KEY-----, or name another file",
            id="a certificate in place of the key",
        ),
        pytest.param(
            _files(CHAIN.bytes(), OTHER.private_key_pem.bytes()),
            "key",
            "the key in {folder}/site.key is not the key of the certificate in {folder}/site.pem",
            "the certificate is for 'shop': name its key, or renew both together",
            id="another certificate's key",
        ),
        pytest.param(
            _files(CA.cert_pem.bytes() + CHAIN.bytes(), KEY.bytes()),
            "certificate",
            "{folder}/site.pem begins with the certificate of an issuer, 'Paper Mill'",
            "put the server's own certificate first, then that of its issuer",
            id="the issuer first",
        ),
        pytest.param(
            _files(CHAIN.bytes(), encrypted(b"tulip")),
            "password",
            "the key in {folder}/site.key is encrypted",
            "give its password, best in a file of its own",
            id="no password",
        ),
        pytest.param(
            _files(CHAIN.bytes(), encrypted(b"tulip"), "rose"),
            "password",
            "the password does not open the key in {folder}/site.key",
            "correct it; blanks and line ends count",
            id="a wrong password",
        ),
        pytest.param(
            _files(CHAIN.bytes(), encrypted(b"tulip", serialization.PrivateFormat.TraditionalOpenSSL), "rose"),
            "password",
            "the password does not open the key in {folder}/site.key",
            "correct it; blanks and line ends count",
            id="a wrong password for an old key",
        ),
        pytest.param(
            _files(CHAIN.bytes(), encrypted(b"tulip"), "x" * 2000),
            "password",
            "the password of the key in {folder}/site.key is unusable (password cannot be longer than 1024 bytes)",
            "",
            id="a password without end",
        ),
    ],
)
def test_it_says_what_is_wrong_and_what_to_do(
    tmp_path: Path, make: Callable[[Path], Certificate], about: str, what: str, fix: str
) -> None:
    certificate = make(tmp_path)

    with pytest.raises(TLSSetupError) as caught:
        load(context(), certificate)

    assert (caught.value.about, caught.value.what) == (about, what.format(folder=tmp_path))
    assert caught.value.fix == fix.format(folder=tmp_path)
    assert "tulip" not in str(caught.value)


def test_a_damaged_key_is_told_from_a_wrong_password(tmp_path: Path) -> None:
    lines = KEY.bytes().splitlines(keepends=True)
    key = write_pem(tmp_path / "site.key", lines[0], b"AAAA\n", *lines[2:])

    with pytest.raises(TLSSetupError, match=r"site.key holds a private key that cannot be read.*openssl pkey -in"):
        load(context(), Certificate(write_pem(tmp_path / "site.pem", CHAIN), key))


def test_a_key_that_is_too_short_is_refused(tmp_path: Path) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(65537, 1024)
    name = x509.Name([])
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, NOW, NOW + days(1)).sign(key, hashes.SHA256())
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ) + made.public_bytes(serialization.Encoding.PEM)

    with pytest.raises(TLSSetupError, match="cannot be used: its key is too short; have it issued for a key of P-256"):
        load(context(), Certificate(write_pem(tmp_path / "site.pem", pem)))


@pytest.fixture
def nobody() -> Iterator[None]:
    """The test is run by a user who is not root, whoever runs the suite."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    yield
    os.seteuid(before)


def test_a_file_that_may_not_be_read_is_named(tmp_path: Path, nobody: None) -> None:
    file = tmp_path / "site.pem"
    if os.geteuid() != 65534:
        write_pem(file, LEAF.private_key_and_cert_chain_pem).chmod(0)

    with pytest.raises(TLSSetupError, match=r"may not be read by this user; let the group .* \(chgrp, chmod 640\)"):
        load(context(), Certificate(file))


def _warnings(certificate: Certificate, now: datetime.datetime = NOW) -> list[str]:
    return list(warnings_about(certificate, load(context(), certificate), now))


def _with_root(authority: Authority, certificate: Certificate) -> Certificate:
    write_pem(certificate.chain, certificate.chain.read_bytes(), authority.ca.cert_pem)
    return certificate


def test_it_is_silent_about_a_chain_that_is_whole(tmp_path: Path) -> None:
    authority = Authority(tmp_path)

    assert _warnings(_with_root(authority, authority.issue("shop.example"))) == []


@pytest.mark.parametrize(
    ("options", "warning"),
    [
        pytest.param({"not_before": NOW - days(90), "not_after": NOW - days(1)}, "expired on {end}", id="expired"),
        pytest.param(
            {"not_before": NOW - days(90), "not_after": NOW + days(3)}, "expires on {end}; renew it", id="soon"
        ),
        pytest.param({"not_before": NOW + days(3), "not_after": NOW + days(90)}, "is not valid before", id="not yet"),
        pytest.param({"not_before": NOW - days(5), "not_after": NOW + days(1)}, None, id="of a week, as some are"),
    ],
)
def test_it_warns_about_the_time(tmp_path: Path, options: dict[str, datetime.datetime], warning: str | None) -> None:
    authority = Authority(tmp_path)
    certificate = _with_root(authority, authority.issue("shop.example", **options))

    found = _warnings(certificate)

    if warning is None:
        assert found == []
    else:
        end = options["not_after"].strftime("%Y-%m-%d")
        assert len(found) == 1
        assert found[0].startswith(f"{certificate.chain} {warning.format(end=end)}")


def test_it_warns_about_a_certificate_without_its_chain(tmp_path: Path) -> None:
    certificate = Authority(tmp_path).issue("shop.example")

    assert _warnings(certificate) == [
        f"{certificate.chain} holds no chain: clients that do not know 'Paper Mill' refuse it;"
        " append the certificate of that issuer (often called fullchain.pem)"
    ]


def test_it_warns_about_a_chain_that_does_not_join(tmp_path: Path) -> None:
    authority, stranger = Authority(tmp_path), trustme.CA(organization_name="Stranger")
    certificate = authority.issue("shop.example", common_name="shop")
    write_pem(certificate.chain, certificate.chain.read_bytes(), stranger.cert_pem)

    assert _warnings(certificate) == [
        f"{certificate.chain} holds a chain that does not join: 'shop' was issued by 'Paper Mill',"
        " but 'Stranger' follows; put each certificate before that of its issuer"
    ]


def test_it_warns_about_a_key_that_everybody_can_read(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate = _with_root(authority, authority.issue("shop.example"))
    certificate.chain.chmod(0o644)

    assert _warnings(certificate) == [
        f"{certificate.chain} holds the private key and everybody on this machine can read it; chmod 640, or 600"
    ]


def test_it_warns_about_a_certificate_without_host_names(tmp_path: Path) -> None:
    authority = Authority(tmp_path)

    found = _warnings(_with_root(authority, authority.issue("clerk@shop.example")))

    assert [text.partition(": ")[0] for text in found] == [
        f"{tmp_path}/clerk@shop.example.pem names no host (subjectAltName)"
    ]
