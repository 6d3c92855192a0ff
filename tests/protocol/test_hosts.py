"""Hosts: one canonical form for what is valid, nothing for the rest."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wheatpaste.protocol.hosts import HostPort, parse_host, read_host


@pytest.mark.parametrize(
    ("value", "host", "port"),
    [
        ("example.com", "example.com", None),
        ("EXAMPLE.com", "example.com", None),
        ("example.com.", "example.com", None),
        ("example.com.:8080", "example.com", 8080),
        ("example.com:", "example.com", None),
        ("localhost:1", "localhost", 1),
        ("a:65535", "a", 65535),
        ("127.0.0.1.nip.io", "127.0.0.1.nip.io", None),
        ("127.0.0.1:80", "127.0.0.1", 80),
        ("[::1]", "[::1]", None),
        ("[::1]:80", "[::1]", 80),
        ("[0:0:0:0:0:0:0:1]", "[::1]", None),
        ("[2001:DB8::A]", "[2001:db8::a]", None),
        ("xn--bcher-kva.example", "xn--bcher-kva.example", None),
        ("my_service:8080", "my_service", 8080),
        ("a" * 63 + ".example", "a" * 63 + ".example", None),
    ],
)
def test_it_reads_in_canonical_form(value: str, host: str, port: int | None) -> None:
    assert read_host(value) == HostPort(host, port)
    assert read_host(str(HostPort(host, port))) == HostPort(host, port)


INVALID = ["", ".", "..", "a b", " a", "a ", 'evil"<x>', "a@b", "u:p@b", "a:port", "a:0", "a:99999", "a:65536", "a:-1"]
INVALID += [
    "a:+1",
    "a:000080",
    "[::1",
    "::1",
    "[::1]x",
    "[::1]:x",
    "[fe80::1%25eth0]",
    "[fe80::1%eth0]",
    "[v1.x]",
    "[]",
]
INVALID += ["example.com:80:80", ".example.com", "a..b", "a,b", "a/b", "a\\b", "a?b", "a#b", "a%62", "a\nb", "a\x00b"]
INVALID += ["example.com..", "*.example.com", '"><img src=x onerror=alert(1)>', "a" * 64, "a." * 126 + "ab", "a:\u0665"]
INVALID += ["x" * 10_000, "b\xc3\xbccher.example"]


@pytest.mark.parametrize("value", INVALID)
def test_it_refuses_on_the_wire(value: str) -> None:
    assert read_host(value) is None


@pytest.mark.parametrize("value", [value for value in INVALID if value.isascii()])
def test_it_says_why_to_the_deployer(value: str) -> None:
    with pytest.raises(ValueError, match=r"\w+ \w+"):
        parse_host(value)


@pytest.mark.parametrize(
    ("value", "host"), [("bücher.example", "xn--bcher-kva.example"), ("BÜCHER.example.", "xn--bcher-kva.example")]
)
def test_it_converts_what_a_person_wrote(value: str, host: str) -> None:
    assert parse_host(value) == HostPort(host)


@pytest.mark.parametrize("value", ["ü" * 70, "a。。b", "\u200b"])
def test_it_refuses_what_idna_cannot_say(value: str) -> None:
    with pytest.raises(ValueError, match="host name"):
        parse_host(value)


@pytest.mark.parametrize(
    ("host", "scheme", "short", "port"),
    [
        (HostPort("a", 80), "http", "a", 80),
        (HostPort("a", 443), "https", "a", 443),
        (HostPort("a", 443), "http", "a:443", 443),
        (HostPort("a"), "https", "a", 443),
        (HostPort("[::1]", 8080), "http", "[::1]:8080", 8080),
        (HostPort("a"), "gopher", "a", None),
    ],
)
def test_it_knows_the_default_ports(host: HostPort, scheme: str, short: str, port: int | None) -> None:
    assert str(host.without_default_port(scheme)) == short
    assert host.port_for(scheme) == port


@settings(deadline=None)
@given(st.text(max_size=30))
def test_it_reads_its_own_form_again_or_refuses(value: str) -> None:
    host = read_host(value)
    if host is not None:
        assert read_host(str(host)) == host
        assert str(host).isascii()
        assert not set(str(host)) & set(" @/\\?#<>\"'%,")
