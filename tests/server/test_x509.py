"""What a certificate says of itself."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Callable

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from wheatpaste.server.tls.x509 import Facts, read_der, read_pem

CA = trustme.CA(organization_name="Paper Mill")
PEM = (
    CA.issue_cert("Shop.Example", "*.shop.example", "192.0.2.7", "2001:db8::7", common_name="shop")
    .cert_chain_pems[0]
    .bytes()
)
DER = x509.load_pem_x509_certificate(PEM).public_bytes(serialization.Encoding.DER)


def made(**changes: object) -> Facts:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, str(changes.get("common_name", "x")))])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(changes.get("start", datetime.datetime(2020, 1, 1)))  # type: ignore[arg-type]
        .not_valid_after(changes.get("end", datetime.datetime(2030, 1, 1)))  # type: ignore[arg-type]
    )
    if "names" in changes:
        builder = builder.add_extension(x509.SubjectAlternativeName(changes["names"]), critical=False)  # type: ignore[arg-type]
    return read_der(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER))


def test_it_names_hosts_in_lower_case_and_addresses() -> None:
    facts = read_der(DER)

    assert facts.names == ("shop.example", "*.shop.example")
    assert facts.addresses == ("192.0.2.7", "2001:db8::7")


def test_it_says_who_issued_it_and_to_whom() -> None:
    facts, (authority,) = read_der(DER), read_pem(CA.cert_pem.bytes())

    assert facts.subject == "shop"
    assert facts.issuer_der == authority.subject_der
    assert (facts.is_ca, facts.is_self_issued) == (False, False)
    assert (authority.is_ca, authority.is_self_issued) == (True, True)
    assert authority.subject == "Paper Mill"


def test_it_agrees_with_another_reader_about_when_it_is_valid() -> None:
    facts, other = read_der(DER), x509.load_der_x509_certificate(DER)

    assert facts.not_before == other.not_valid_before_utc
    assert facts.not_after == other.not_valid_after_utc


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(datetime.datetime(2049, 12, 31, 23, 59, 59), id="the last year that has two digits"),
        pytest.param(datetime.datetime(2050, 1, 1), id="the first year that has four"),
        pytest.param(datetime.datetime(9999, 12, 31, 23, 59, 59), id="the year that stands for no end"),
    ],
)
def test_it_reads_both_ways_to_write_a_time(end: datetime.datetime) -> None:
    assert made(end=end).not_after == end.replace(tzinfo=datetime.UTC)


def test_it_passes_over_names_that_are_no_hosts() -> None:
    names = [
        x509.RFC822Name("a@b.example"),
        x509.UniformResourceIdentifier("spiffe://b/x"),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
        x509.DNSName("b.example"),
    ]
    facts = made(names=names)

    assert facts.names == ("b.example",)
    assert facts.addresses == ("127.0.0.1",)


def test_it_has_no_names_where_there_are_none() -> None:
    facts = made(common_name="only.common")

    assert (facts.names, facts.addresses, facts.is_ca) == ((), (), False)


def test_its_names_cannot_write_to_a_terminal() -> None:
    assert made(common_name="a\x1b[31m\nb").subject == "a?[31m?b"


def test_a_pem_file_may_hold_several_and_other_things() -> None:
    text = (
        b"a comment\n" + PEM + b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n" + CA.cert_pem.bytes()
    )

    assert [facts.subject for facts in read_pem(text)] == ["shop", "Paper Mill"]


def test_a_pem_file_may_have_the_line_ends_of_windows() -> None:
    assert read_pem(PEM.replace(b"\n", b"\r\n"))[0].subject == "shop"


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda der: b"", id="nothing"),
        pytest.param(lambda der: der[:-1], id="the last byte is missing"),
        pytest.param(lambda der: der[:100], id="most of it is missing"),
        pytest.param(lambda der: b"\x30\x00", id="an empty sequence"),
        pytest.param(lambda der: b"\x30\x84\xff\xff\xff\xff", id="a length of four gigabytes"),
        pytest.param(lambda der: b"\x31" + der[1:], id="a set instead of a sequence"),
    ],
)
def test_what_is_damaged_is_refused(damage: Callable[[bytes], bytes]) -> None:
    with pytest.raises(ValueError, match="is damaged"):
        read_der(damage(DER))


def test_pem_that_is_no_base64_is_refused() -> None:
    with pytest.raises(ValueError, match="is damaged"):
        read_pem(PEM.replace(b"MII", b"M=I", 1))


@given(st.binary(max_size=300), st.integers(0, len(DER) - 1))
def test_no_bytes_make_it_raise_anything_else(noise: bytes, at: int) -> None:
    for data in (noise, DER[:at] + noise + DER[at + len(noise) :]):
        try:
            read_der(data)
        except ValueError as error:
            assert "is damaged" in str(error)  # noqa: PT017 - that it may also pass is the point
