"""A certificate for development: made once, kept safe, renewed in time, and good for nothing else."""

from __future__ import annotations

import datetime
import os
import re
import shutil
import ssl
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.verification import PolicyBuilder, Store
from prerequisites import lacking
from tls_peers import connection, days, write_pem

from wheatpaste.server.tls.certificates import Certificate, TLSSetupError
from wheatpaste.server.tls.contexts import make_tls
from wheatpaste.server.tls.dev_certificate import dev_certificate, how_to_trust
from wheatpaste.server.tls.handshake import HandshakeFailed

NOW = datetime.datetime.now(datetime.UTC)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state" / "tls"


def _trusting(certificate: Certificate) -> ssl.SSLContext:
    assert certificate.ca is not None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(certificate.ca)
    if hasattr(ssl, "VERIFY_X509_STRICT"):
        context.verify_flags |= ssl.VERIFY_X509_STRICT
    return context


def _leaf(certificate: Certificate) -> x509.Certificate:
    text = certificate.chain.read_bytes()
    return x509.load_pem_x509_certificate(text[text.index(b"-----BEGIN CERT") :])


def _authority(certificate: Certificate) -> x509.Certificate:
    assert certificate.ca is not None
    return x509.load_pem_x509_certificate(certificate.ca.read_bytes())


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1", "shop.test", "192.0.2.7", "bücher.test"])
def test_a_client_that_trusts_the_authority_accepts_it_for(folder: Path, name: str) -> None:
    certificate = dev_certificate(["shop.test", "192.0.2.7", "bücher.test"], folder=folder)

    with connection(make_tls([certificate]), _trusting(certificate), name) as (_, peer):
        assert peer.getpeercert()


def test_a_client_that_does_not_trust_it_refuses_it(folder: Path) -> None:
    certificate = dev_certificate(folder=folder)
    stranger = ssl.create_default_context()

    with (
        pytest.raises(HandshakeFailed, match="does not know the issuer"),
        connection(make_tls([certificate]), stranger, "localhost"),
    ):
        pass


def test_there_is_nothing_to_warn_about(folder: Path) -> None:
    assert make_tls([dev_certificate(folder=folder)]).warnings == ()


def test_a_strict_reader_of_the_rules_accepts_it_too(folder: Path) -> None:
    certificate = dev_certificate(["shop.test"], folder=folder)
    verifier = (
        PolicyBuilder()
        .store(Store([_authority(certificate)]))
        .time(NOW)
        .build_server_verifier(x509.DNSName("shop.test"))
    )

    verifier.verify(_leaf(certificate), [])


def test_listening_everywhere_adds_no_name(folder: Path) -> None:
    certificate = dev_certificate(["*", "0.0.0.0", "::", "", "[::]"], folder=folder)

    names = _leaf(certificate).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(name.value) for name in names] == ["localhost", "*.localhost", "127.0.0.1", "::1"]


def test_a_name_that_is_none_is_refused(folder: Path) -> None:
    with pytest.raises(TLSSetupError, match="is no host name; listen on a name or an address"):
        dev_certificate(["a..b"], folder=folder)


def test_browsers_accept_how_long_it_is_valid(folder: Path) -> None:
    leaf = _leaf(dev_certificate(folder=folder))

    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc <= days(398)
    assert leaf.not_valid_before_utc < NOW < leaf.not_valid_after_utc


# What an attacker gains


def test_no_key_that_signs_is_ever_written(folder: Path) -> None:
    certificate = dev_certificate(folder=folder)
    signer = _authority(certificate).public_key()

    keys = []
    for file in folder.rglob("*"):
        text = file.read_bytes()
        keys += [
            serialization.load_pem_private_key(block, None).public_key()
            for block in re.findall(
                rb"-----BEGIN[A-Z ]*PRIVATE KEY-----.*?-----END[A-Z ]*PRIVATE KEY-----\n", text, re.S
            )
        ]

    assert keys == [_leaf(certificate).public_key()]
    assert signer not in keys


def test_the_leaf_cannot_issue(folder: Path) -> None:
    certificate = dev_certificate(folder=folder)
    leaf = _leaf(certificate)

    assert leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
    assert not leaf.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign


@pytest.mark.parametrize(
    ("name", "accepted"),
    [
        pytest.param("localhost", True, id="this machine"),
        pytest.param("app.localhost", True, id="a name of this machine"),
        pytest.param("shop.test", True, id="a name that is listened on"),
        pytest.param("bank.example", False, id="somebody else's name"),
        pytest.param("localhost.bank.example", False, id="a name that begins alike"),
        pytest.param("notlocalhost", False, id="a name that ends alike"),
    ],
)
def test_the_authority_is_limited_to_these_names_even_if_its_key_were_known(
    tmp_path: Path, folder: Path, name: str, accepted: bool
) -> None:
    """Sign with a stand-in that has the real authority's limits, since the real one's key is nowhere."""
    real = _authority(dev_certificate(["shop.test"], folder=folder))
    key, leaf_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    stand_in = x509.CertificateBuilder(
        real.subject, real.subject, key.public_key(), 1, real.not_valid_before_utc, real.not_valid_after_utc
    )
    for extension in real.extensions:
        if not isinstance(extension.value, x509.SubjectKeyIdentifier):
            stand_in = stand_in.add_extension(extension.value, extension.critical)
    leaf = x509.CertificateBuilder(
        real.subject, x509.Name([]), leaf_key.public_key(), 2, real.not_valid_before_utc, real.not_valid_after_utc
    ).add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=True)
    pem = serialization.Encoding.PEM
    key_text = leaf_key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    forged = Certificate(
        write_pem(tmp_path / "forged.pem", key_text, leaf.sign(key, hashes.SHA256()).public_bytes(pem)),
        ca=write_pem(tmp_path / "stand_in.pem", stand_in.sign(key, hashes.SHA256()).public_bytes(pem)),
    )
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(forged.ca)

    if accepted:
        with connection(make_tls([forged]), client, name):
            pass
    else:
        with (
            pytest.raises(HandshakeFailed, match="does not accept this server"),
            connection(make_tls([forged]), client, name),
        ):
            pass


def test_its_files_are_for_their_owner_alone_whatever_the_umask(folder: Path) -> None:
    before = os.umask(0)
    try:
        certificate = dev_certificate(folder=folder)
    finally:
        os.umask(before)

    assert certificate.ca is not None
    assert [stat.S_IMODE(path.stat().st_mode) for path in (folder, certificate.chain, certificate.ca)] == [
        0o700,
        0o600,
        0o600,
    ]
    assert sorted(os.listdir(folder)) == ["authority.pem", "localhost.pem"]


def test_a_folder_that_others_may_enter_is_closed_to_them(folder: Path) -> None:
    folder.mkdir(parents=True, mode=0o755)

    dev_certificate(folder=folder)

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_somebody_else_is_refused(folder: Path) -> None:
    folder.mkdir(parents=True)
    os.chown(folder, 65534, 65534)

    with pytest.raises(TLSSetupError, match=r"belongs to another user, .*; set XDG_STATE_HOME to a folder of your own"):
        dev_certificate(folder=folder)


def test_a_link_in_place_of_the_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    folder.parent.mkdir(parents=True)
    folder.symlink_to(tmp_path)

    with pytest.raises(TLSSetupError, match="cannot be used"):
        dev_certificate(folder=folder)


def _readable(folder: Path) -> None:
    (folder / "localhost.pem").chmod(0o644)


def _linked(folder: Path) -> None:
    shutil.copy(folder / "localhost.pem", folder.parent / "planted.pem")
    (folder / "localhost.pem").unlink()
    (folder / "localhost.pem").symlink_to(folder.parent / "planted.pem")


def _foreign_authority(folder: Path) -> None:
    other = dev_certificate(folder=folder.parent / "other")
    assert other.ca is not None
    shutil.copy(other.ca, folder / "authority.pem")


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(_readable, id="the key could be read"),
        pytest.param(_linked, id="the key is a link"),
        pytest.param(_foreign_authority, id="the authority is another"),
        pytest.param(lambda folder: (folder / "authority.pem").unlink(), id="the authority is missing"),
        pytest.param(lambda folder: (folder / "localhost.pem").write_bytes(b""), id="the file is empty"),
        pytest.param(
            lambda folder: (folder / "localhost.pem").write_bytes((folder / "authority.pem").read_bytes()),
            id="the key is missing",
        ),
    ],
)
def test_what_is_not_whole_and_private_is_made_anew(folder: Path, spoil: Callable[[Path], object]) -> None:
    before = _leaf(dev_certificate(folder=folder))
    spoil(folder)

    after = dev_certificate(folder=folder)

    assert _leaf(after) != before
    assert not after.chain.is_symlink()
    assert stat.S_IMODE(after.chain.stat().st_mode) == 0o600
    with connection(make_tls([after]), _trusting(after), "localhost"):
        pass


# How long it stays


def test_it_stays_the_same_until_a_week_before_its_end(folder: Path) -> None:
    first = _leaf(dev_certificate(folder=folder))
    end = first.not_valid_after_utc

    assert _leaf(dev_certificate(folder=folder, now=lambda: end - days(7))) == first
    renewed = _leaf(dev_certificate(folder=folder, now=lambda: end - days(6.9)))
    assert renewed.not_valid_after_utc > end


def test_a_clock_that_was_wrong_is_survived(folder: Path) -> None:
    dev_certificate(folder=folder, now=lambda: NOW + days(4000))

    assert _leaf(dev_certificate(folder=folder)).not_valid_before_utc <= NOW


def test_fewer_names_make_no_new_one_and_more_keep_those_of_before(folder: Path) -> None:
    shop = dev_certificate(["shop.test"], folder=folder)
    first = _leaf(shop)
    assert _leaf(dev_certificate(folder=folder)) == first

    _ = dev_certificate(["desk.test"], folder=folder)
    both = _leaf(shop)
    assert _leaf(dev_certificate(["shop.test"], folder=folder)) == both
    assert both != first


def test_servers_that_start_together_use_one(folder: Path) -> None:
    made: list[x509.Certificate] = []
    threads = [threading.Thread(target=lambda: made.append(_leaf(dev_certificate(folder=folder)))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len({each.serial_number for each in made}) == 1
    assert len(made) == 8


# Where it is, and how it is trusted


@pytest.mark.parametrize(
    ("variables", "place"),
    [
        pytest.param({"XDG_STATE_HOME": "{tmp}/elsewhere"}, "elsewhere/wheatpaste/tls", id="XDG_STATE_HOME"),
        pytest.param({"HOME": "{tmp}/home"}, "home/.local/state/wheatpaste/tls", id="the home folder"),
        pytest.param(
            {"XDG_STATE_HOME": "relative", "HOME": "{tmp}/home"},
            "home/.local/state/wheatpaste/tls",
            id="a relative XDG_STATE_HOME, which does not count",
        ),
    ],
)
def test_it_lies_where_the_desktop_keeps_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], place: str
) -> None:
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value.format(tmp=tmp_path))

    assert dev_certificate().chain == tmp_path / place / "localhost.pem"


def test_without_a_place_it_says_which_variable_helps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(blocked))

    with pytest.raises(TLSSetupError, match=r"cannot be used \(Not a directory\); set XDG_STATE_HOME") as caught:
        dev_certificate()
    assert caught.value.about == "state"


def test_without_cryptography_it_says_what_to_install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography", None)

    with pytest.raises(TLSSetupError, match=re.escape("run: pip install 'wheatpaste[tls]'")):
        dev_certificate(folder=folder)


def test_an_existing_one_needs_no_cryptography(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = dev_certificate(folder=folder)
    monkeypatch.setitem(sys.modules, "cryptography", None)

    assert dev_certificate(folder=folder) == first


def test_it_says_how_each_system_learns_to_trust_it(folder: Path) -> None:
    text = "\n".join(how_to_trust(Path("/srv/our site/authority.pem")))

    for word in ("curl --cacert", "Debian", "macOS", "Firefox", "SSL_CERT_FILE"):
        assert word in text
    assert text.count("'/srv/our site/authority.pem'") == 6  # to be copied into a shell


def test_whoever_was_told_before_is_told_briefly(folder: Path) -> None:
    first, second = dev_certificate(folder=folder), dev_certificate(folder=folder)

    assert (first.is_new, second.is_new) == (True, False)
    told = how_to_trust(folder / "authority.pem", briefly=True)
    assert len(told) == 2
    assert told[0].endswith(f" {folder}/authority.pem")


@pytest.mark.slow
def test_openssl_verifies_it(folder: Path) -> None:
    if shutil.which("openssl") is None:
        lacking("openssl")
    certificate = dev_certificate(folder=folder)

    done = subprocess.run(
        ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-verify_hostname", "localhost", "-CAfile"]
        + [str(certificate.ca), str(certificate.chain)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout == f"{certificate.chain}: OK\n", done.stderr
