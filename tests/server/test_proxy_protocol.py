"""The header of the PROXY protocol: read strictly, however it arrives, and never a way to look like this machine."""

from __future__ import annotations

import struct
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from wheatpaste.protocol.peers import Networks, is_direct, peer_of
from wheatpaste.server.proxy_protocol import (
    LONGEST_V1,
    LONGEST_V2,
    ProxyHeader,
    ProxyProtocolError,
    ProxyTLS,
    crc32c,
    proxied_environ,
    read_proxy_header,
    required_from,
)

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
V4 = bytes([192, 0, 2, 1]) + bytes([198, 51, 100, 2]) + struct.pack("!HH", 5858, 443)
V6 = ip_address("2001:db8::1").packed + ip_address("2001:db8::2").packed + struct.pack("!HH", 1, 65535)


def v2(body: bytes = V4, *, command: int = 0x21, family: int = 0x11) -> bytes:
    return SIGNATURE + bytes([command, family]) + struct.pack("!H", len(body)) + body


def tlv(kind: int, value: bytes) -> bytes:
    return bytes([kind]) + struct.pack("!H", len(value)) + value


def ssl(client: int, verify: int, *more: bytes) -> bytes:
    return tlv(0x20, struct.pack("!BI", client, verify) + b"".join(more))


def with_checksum(body: bytes) -> bytes:
    """The block with a right checksum behind the body."""
    block = v2(body + tlv(0x03, bytes(4)))
    return block[:-4] + struct.pack("!I", crc32c(block))


SOURCE, DESTINATION = ("192.0.2.1", 5858), ("198.51.100.2", 443)

ACCEPTED = [
    pytest.param(b"PROXY TCP4 192.0.2.1 198.51.100.2 5858 443\r\n", {}, id="version 1 of IPv4"),
    pytest.param(
        b"PROXY TCP6 2001:DB8::1 ::2 0 65535\r\n",
        {"source": ("2001:db8::1", 0), "destination": ("::2", 65535)},
        id="version 1 of IPv6",
    ),
    pytest.param(
        b"PROXY TCP6 " + b" ".join([b"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"] * 2) + b" 65535 65535\r\n",
        {"source": ("ffff:" * 7 + "ffff", 65535), "destination": ("ffff:" * 7 + "ffff", 65535)},
        id="the longest line of version 1 that means something",
    ),
    pytest.param(
        b"PROXY TCP6 ::ffff:192.0.2.1 ::ffff:198.51.100.2 5858 443\r\n", {}, id="version 1 of IPv4 inside IPv6"
    ),
    pytest.param(b"PROXY UNKNOWN\r\n", {"source": None, "destination": None}, id="version 1 of the unknown"),
    pytest.param(
        b"PROXY UNKNOWN ffff:: what ever 99999\x00\r\n",
        {"source": None, "destination": None},
        id="version 1 of the unknown, with words that do not count",
    ),
    pytest.param(
        b"PROXY UNKNOWN " + b"x" * (LONGEST_V1 - 16) + b"\r\n",
        {"source": None, "destination": None},
        id="the longest line of version 1",
    ),
    pytest.param(v2(), {}, id="version 2 of IPv4"),
    pytest.param(
        v2(V6, family=0x21),
        {"source": ("2001:db8::1", 1), "destination": ("2001:db8::2", 65535)},
        id="version 2 of IPv6",
    ),
    pytest.param(v2(bytes(216), family=0x31), {"source": None, "destination": None}, id="version 2 of a UNIX socket"),
    pytest.param(v2(b"", family=0x00), {"source": None, "destination": None}, id="version 2 of the unspecified"),
    pytest.param(
        v2(b"", command=0x20, family=0x00),
        {"source": None, "destination": None, "local": True},
        id="version 2 of the proxy itself",
    ),
    pytest.param(
        v2(V4 + b"\x20\xff\xff", command=0x20),
        {"source": None, "destination": None, "local": True},
        id="version 2 of the proxy itself, where nothing else counts",
    ),
    pytest.param(v2(V4 + tlv(0x04, b"padding") + tlv(0xE0, b"\x00")), {}, id="values of other types are skipped"),
    pytest.param(v2(V4 + tlv(0x04, bytes(LONGEST_V2 - 31))), {}, id="the longest block of version 2"),
    pytest.param(v2(V4 + tlv(0x02, b"Example.com")), {"authority": "example.com"}, id="the name asked for"),
    pytest.param(with_checksum(V4 + tlv(0x02, b"a")), {"authority": "a"}, id="a checksum"),
    pytest.param(
        v2(V4 + ssl(0x01, 0, tlv(0x21, b"TLSv1.3"), tlv(0x23, b"AES"))),
        {"tls": ProxyTLS(False, False, "TLSv1.3", "AES")},
        id="TLS without a certificate of the client, which says zero too",
    ),
    pytest.param(
        v2(V4 + ssl(0x07, 0, tlv(0x22, "Zoé".encode()))),
        {"tls": ProxyTLS(True, True, common_name="Zo\xc3\xa9")},
        id="TLS with a certificate that was accepted",
    ),
    pytest.param(v2(V4 + ssl(0x04, 0)), {"tls": None}, id="a certificate in a session without TLS"),
    pytest.param(
        v2(V4 + ssl(0x03, 18, tlv(0x22, b"root"))),
        {"tls": ProxyTLS(False, True, common_name="root")},
        id="TLS with a certificate that was not accepted",
    ),
    pytest.param(v2(V4 + ssl(0x00, 0)), {"tls": None}, id="no TLS"),
]


@pytest.mark.parametrize(("data", "said"), ACCEPTED)
@pytest.mark.parametrize("tail", [b"", b"GET / HTTP/1.1\r\n\r\n", SIGNATURE, b"\r\n"], ids=repr)
def test_a_header_is_read_up_to_its_end(data: bytes, said: dict[str, Any], tail: bytes) -> None:
    expected = ProxyHeader(**{"consumed": len(data), "source": SOURCE, "destination": DESTINATION, **said})
    assert read_proxy_header(data + tail) == expected


@pytest.mark.parametrize(("data", "said"), ACCEPTED)
def test_a_header_may_come_in_pieces(data: bytes, said: dict[str, Any]) -> None:
    for end in range(len(data)):
        assert read_proxy_header(data[:end]) is None


REFUSED = [
    pytest.param(b"GET / HTTP/1.1\r\n\r\n", "begins with something else", id="a request"),
    pytest.param(b"\x16\x03\x01", "begins with something else", id="TLS"),
    pytest.param(b"proxy ", "begins with something else", id="small letters"),
    pytest.param(b"PROXYv", "begins with something else", id="another word"),
    pytest.param(b"\r\nG", "begins with something else", id="an empty line before a request"),
    pytest.param(SIGNATURE[:-1] + b"X", "begins with something else", id="another signature"),
    pytest.param(b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n", "does not end with CR LF", id="a line feed alone"),
    pytest.param(b"PROXY UNKNOWN\n", "does not end with CR LF", id="a line feed alone after the unknown"),
    pytest.param(b"PROXY UNKNOWN \r x\r\n", "malformed", id="a carriage return inside"),
    pytest.param(b"PROXY UNKNOWNX\r\n", "malformed", id="another unknown"),
    pytest.param(b"PROXY UNKNOWN " + b"x" * (LONGEST_V1 - 15) + b"\r\n", "too long", id="a line too long"),
    pytest.param(b"PROXY " + b"x" * 200, "too long", id="a line without an end"),
    pytest.param(b"PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n", "malformed", id="a port missing"),
    pytest.param(b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2 3\r\n", "malformed", id="a word too many"),
    pytest.param(b"PROXY TCP4  1.2.3.4 5.6.7.8 1 2\r\n", "malformed", id="two spaces"),
    pytest.param(b"PROXY TCP4\t1.2.3.4 5.6.7.8 1 2\r\n", "malformed", id="a tab"),
    pytest.param(b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2 \r\n", "malformed", id="a space at the end"),
    pytest.param(b"PROXY UDP4 1.2.3.4 5.6.7.8 1 2\r\n", "malformed", id="datagrams"),
    pytest.param(b"PROXY TCP4 1.2.3.4 5.6.7.8 -1 2\r\n", "malformed", id="a negative port"),
    pytest.param(b"PROXY TCP4 1.2.3.4 5.6.7.8 65536 2\r\n", "a port that is none", id="a port too large"),
    pytest.param(b"PROXY TCP4 1.2.3.4 5.6.7.8 1 02\r\n", "a port that is none", id="a port with a zero before"),
    pytest.param(b"PROXY TCP4 1.2.3.4 5.6.7.8 1 00\r\n", "a port that is none", id="a port of two zeros"),
    pytest.param(b"PROXY TCP4 1.2.3 5.6.7.8 1 2\r\n", "no IPv4 address", id="an address of three numbers"),
    pytest.param(b"PROXY TCP4 1.2.3.04 5.6.7.8 1 2\r\n", "no IPv4 address", id="an octal address"),
    pytest.param(b"PROXY TCP4 256.2.3.4 5.6.7.8 1 2\r\n", "no IPv4 address", id="a number too large"),
    pytest.param(b"PROXY TCP4 ::1 ::2 1 2\r\n", "no IPv4 address", id="IPv6 as IPv4"),
    pytest.param(b"PROXY TCP6 1.2.3.4 5.6.7.8 1 2\r\n", "no IPv6 address", id="IPv4 as IPv6"),
    pytest.param(b"PROXY TCP6 fe80::1%eth0 ::2 1 2\r\n", "malformed", id="an address with a zone"),
    pytest.param(v2(command=0x22), "no version and command that exist", id="another command"),
    pytest.param(v2(command=0x11), "no version and command that exist", id="version 1 in binary"),
    pytest.param(v2(command=0x31), "no version and command that exist", id="version 3"),
    pytest.param(v2(V4[:-1]), "too short for its addresses", id="an address cut off"),
    pytest.param(v2(b""), "too short for its addresses", id="no address"),
    pytest.param(v2(V4, family=0x21), "too short for its addresses", id="IPv4 as IPv6 in binary"),
    pytest.param(v2(family=0x12), "carries no streams", id="datagrams in binary"),
    pytest.param(v2(family=0x01), "carries no streams", id="a stream of no family"),
    pytest.param(v2(family=0x41), "carries no streams", id="a family that does not exist"),
    pytest.param(v2(V4 + b"\x04"), "cut off", id="a value without a length"),
    pytest.param(v2(V4 + b"\x04\x00"), "cut off", id="a value with half a length"),
    pytest.param(v2(V4 + b"\x04\x00\x02x"), "cut off", id="a value that is longer than its block"),
    pytest.param(v2(V4 + tlv(0x04, bytes(LONGEST_V2 - 30))), "longer than 4096 bytes", id="a block too long"),
    pytest.param(
        SIGNATURE + b"\x21\x11\xff\xff", "longer than 4096 bytes", id="a length too long, before what it is of"
    ),
    pytest.param(v2(V4 + tlv(0x02, b"a") + tlv(0x02, b"b")), "two values of type 0x02", id="two names asked for"),
    pytest.param(v2(V4 + tlv(0x02, b"a b")), "a host name that is none", id="no name"),
    pytest.param(v2(V4 + tlv(0x02, b"")), "a host name that is none", id="an empty name"),
    pytest.param(v2(V4 + tlv(0x02, b"a:80")), "a host name that is none", id="a name with a port"),
    pytest.param(v2(V4 + tlv(0x02, b"\xff")), "a host name that is none", id="a name that is no ASCII"),
    pytest.param(v2(V4 + tlv(0x20, bytes(4))), "TLS is too short", id="half of what must be said of TLS"),
    pytest.param(v2(V4 + ssl(1, 0, b"\x21\x00\x05TLS")), "cut off", id="a version of TLS cut off"),
    pytest.param(v2(V4 + ssl(1, 0, tlv(0x22, b"a\r\nb"))), "TLS is malformed", id="a line break in a name"),
    pytest.param(v2(V4 + ssl(1, 0, tlv(0x22, b"a"), tlv(0x22, b"b"))), "TLS is malformed", id="two names"),
    pytest.param(v2(V4 + tlv(0x03, bytes(4))), "checksum is wrong", id="a wrong checksum"),
    pytest.param(v2(V4 + tlv(0x03, b"")), "another length than 4", id="no checksum"),
]


@pytest.mark.parametrize(("data", "complaint"), REFUSED)
def test_what_is_no_header_is_refused(data: bytes, complaint: str) -> None:
    with pytest.raises(ProxyProtocolError, match=complaint):
        read_proxy_header(data)


def test_the_checksum_is_castagnolis() -> None:
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(bytes(32)) == 0x8A9136AA


addresses = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6))
ports = st.integers(0, 65535)
vectors = st.lists(st.tuples(st.integers(0x30, 0xFF), st.binary(max_size=50)), max_size=5)


@settings(max_examples=300, deadline=None)
@given(st.data(), ports, ports, vectors, st.binary(max_size=50))
def test_what_a_proxy_writes_is_what_is_read(data: Any, one: int, two: int, more: Any, tail: bytes) -> None:
    version = data.draw(st.sampled_from([4, 6]))
    source, destination = (data.draw(st.ip_addresses(v=version)) for _ in range(2))
    text = f"PROXY TCP{version} {source} {destination} {one} {two}\r\n".encode()
    body = source.packed + destination.packed + struct.pack("!HH", one, two)
    block = v2(body + b"".join(tlv(*each) for each in more), family=0x11 if version == 4 else 0x21)
    for written in (text, block):
        header = read_proxy_header(written + tail)
        assert header is not None
        assert header.consumed == len(written)
        assert header.source is not None
        assert header.destination is not None
        for said, meant, port in ((header.source, source, one), (header.destination, destination, two)):
            mapped = getattr(meant, "ipv4_mapped", None)
            assert said == (str(mapped or meant), port)


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=300),
        st.binary(max_size=120).map(lambda rest: b"PROXY " + rest),
        st.binary(max_size=300).map(lambda rest: SIGNATURE + rest),
        st.tuples(st.sampled_from([0x20, 0x21]), st.sampled_from([0, 0x11, 0x21, 0x31]), st.binary(max_size=300)).map(
            lambda each: v2(each[2], command=each[0], family=each[1])
        ),
        st.sampled_from([each.values[0] for each in ACCEPTED]).flatmap(
            lambda whole: st.tuples(st.integers(0, len(whole) - 1), st.integers(0, 255)).map(
                lambda change: whole[: change[0]] + bytes([change[1]]) + whole[change[0] + 1 :]
            )
        ),
    ),
    st.binary(max_size=20),
)
@example(b"", b"")
def test_garbage_is_read_refused_or_waited_for_alike_in_pieces_and_at_once(data: bytes, tail: bytes) -> None:
    def outcome(of: bytes) -> object:
        try:
            return read_proxy_header(of)
        except ProxyProtocolError:
            return "refused"

    whole = outcome(data)
    if isinstance(whole, ProxyHeader):
        assert 0 < whole.consumed <= len(data)
        assert outcome(data + tail) == whole
        assert outcome(data[: whole.consumed]) == whole
        for end in range(whole.consumed):
            assert outcome(data[:end]) is None
    elif whole == "refused":
        assert outcome(data + tail) == "refused"
        assert outcome(b"") is None
    else:
        assert len(data) < LONGEST_V2
        for end in range(len(data)):
            assert outcome(data[:end]) is None


class TestWhatARequestLearns:
    BASE = {"REMOTE_ADDR": "127.0.0.1", "REMOTE_HOST": "127.0.0.1", "REMOTE_PORT": "40000", "SERVER_PORT": "8080"}

    def environ(self, data: bytes, proxy: str = "127.0.0.1") -> dict[str, Any]:
        header = read_proxy_header(data)
        assert header is not None
        return {**self.BASE, "wheatpaste.peer": proxy, "wsgi.url_scheme": "http", **proxied_environ(header, proxy)}

    def test_the_client_is_whom_the_header_names(self) -> None:
        environ = self.environ(v2())
        assert environ == {
            "REMOTE_ADDR": "192.0.2.1",
            "REMOTE_HOST": "192.0.2.1",
            "REMOTE_PORT": "5858",
            "SERVER_PORT": "443",
            "wsgi.url_scheme": "http",
            "wheatpaste.peer": "192.0.2.1",
            "wheatpaste.proxied_by": "127.0.0.1",
        }

    def test_a_proxy_behind_a_balancer_is_trusted_by_its_own_address(self) -> None:
        environ = self.environ(v2())
        assert Networks(["192.0.2.0/24"]).holds_peer(environ)
        assert not Networks(["127.0.0.1"]).holds_peer(environ)

    @pytest.mark.parametrize(
        "data",
        [
            pytest.param(b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n", id="this machine"),
            pytest.param(b"PROXY TCP6 ::1 ::1 1 2\r\n", id="this machine by IPv6"),
            pytest.param(b"PROXY TCP6 ::ffff:127.9.9.9 ::1 1 2\r\n", id="this machine, IPv4 inside IPv6"),
            pytest.param(b"PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n", id="no address"),
            pytest.param(b"PROXY UNKNOWN\r\n", id="the unknown"),
            pytest.param(v2(bytes(216), family=0x31), id="a UNIX socket"),
            pytest.param(v2(b"", family=0), id="the unspecified"),
            pytest.param(v2(b"", command=0x20), id="the proxy itself"),
        ],
    )
    @pytest.mark.parametrize("proxy", ["127.0.0.1", "", "10.0.0.1"], ids=["near", "UNIX socket", "elsewhere"])
    def test_nobody_behind_a_proxy_counts_as_near(self, data: bytes, proxy: str) -> None:
        environ = self.environ(data, proxy)
        assert not Networks(["127.0.0.0/8", "::1", "10.0.0.0/8", "unix"]).holds_peer(environ)
        assert not is_direct(environ)
        with pytest.raises(ValueError, match="does not appear to be"):
            ip_address(peer_of(environ))

    def test_a_client_that_the_proxy_does_not_know_has_no_address(self) -> None:
        environ = self.environ(b"PROXY UNKNOWN\r\n")
        assert (environ["REMOTE_ADDR"], environ["REMOTE_HOST"], environ["REMOTE_PORT"]) == ("", "", "")

    def test_the_proxy_itself_has_its_own_address(self) -> None:
        environ = self.environ(v2(b"", command=0x20))
        assert (environ["REMOTE_ADDR"], environ["REMOTE_PORT"]) == ("127.0.0.1", "40000")

    def test_tls_that_the_proxy_took_off_is_told(self) -> None:
        names = (tlv(0x21, b"TLSv1.3"), tlv(0x22, b"Ann"), tlv(0x23, b"AES"))
        environ = self.environ(v2(V4 + ssl(7, 0, *names) + tlv(0x02, b"shop.example")))
        assert {key: value for key, value in environ.items() if "SSL" in key or "HTTPS" in key} == {
            "HTTPS": "on",
            "SSL_PROTOCOL": "TLSv1.3",
            "SSL_CIPHER": "AES",
            "SSL_CLIENT_VERIFY": "SUCCESS",
            "SSL_CLIENT_S_DN_CN": "Ann",
            "SSL_TLS_SNI": "shop.example",
        }
        assert environ["wsgi.url_scheme"] == "https"

    @pytest.mark.parametrize(
        ("client", "verify", "said"),
        [
            pytest.param(1, 0, "NONE", id="no certificate"),
            pytest.param(1, 1, "NONE", id="no certificate, and an error"),
            pytest.param(3, 18, "FAILED:unknown", id="a certificate that was not accepted"),
            pytest.param(5, 18, "FAILED:unknown", id="such a certificate in the session"),
        ],
    )
    def test_a_name_counts_only_from_a_certificate_that_was_accepted(self, client: int, verify: int, said: str) -> None:
        environ = self.environ(v2(V4 + ssl(client, verify, tlv(0x22, b"root"))))
        assert environ["SSL_CLIENT_VERIFY"] == said
        assert "SSL_CLIENT_S_DN_CN" not in environ


@pytest.mark.parametrize(
    ("words", "peer", "required"),
    [
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "192.0.2.1", False),
        ("10.0.0.0/8", "", False),
        ("unix", "", True),
        ("unix", "127.0.0.1", False),
        ("*", "", True),
        ("*", "192.0.2.1", True),
        ("", "192.0.2.1", False),
        ("::1", "::1", True),
    ],
)
def test_a_header_is_required_from_those_who_are_named(words: str, peer: str, required: bool) -> None:
    assert required_from(words.split())(peer) is required
