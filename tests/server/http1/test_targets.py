"""Request lines, and what a host may be."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheatpaste.server.http1.refusals import Refused
from wheatpaste.server.http1.targets import is_authority, read_request_line


@pytest.mark.parametrize(
    ("target", "path", "query", "authority"),
    [
        ("/", "/", "", None),
        ("/a/b?c=d&e=/?#"[:-1], "/a/b", "c=d&e=/?", None),
        ("/?", "/", "", None),
        ("//evil/x", "//evil/x", "", None),
        ("/%41%2f%2e%2E", "/A/..", "", None),
        ("/%e4%ff", "/\xe4\xff", "", None),
        ("/%", "/%", "", None),
        ("/%zz?%41", "/%zz", "%41", None),
        ("/a;b=c", "/a;b=c", "", None),
        ("http://example.com/x?y", "/x", "y", "example.com"),
        ("HTTPS://example.com:81", "/", "", "example.com:81"),
        ("http://example.com?x", "/", "x", "example.com"),
        ("http://[::1]:80/", "/", "", "[::1]:80"),
    ],
)
def test_targets_that_are_served(target: str, path: str, query: str, authority: str | None) -> None:
    line = read_request_line(f"GET {target} HTTP/1.1".encode())
    assert (line.target, line.path, line.query, line.authority) == (target, path, query, authority)


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"GET * HTTP/1.1", 400),
        (b"GET x HTTP/1.1", 400),
        (b"GET ftp://x/ HTTP/1.1", 400),
        (b"GET http:///x HTTP/1.1", 400),
        (b"GET http://:80/x HTTP/1.1", 400),
        (b"GET http://user@host/ HTTP/1.1", 400),
        (b"GET http://host:99999/ HTTP/1.1", 400),
        (b"GET /a#b HTTP/1.1", 400),
        (b"GET /a\xff HTTP/1.1", 400),
        (b"GET /a\x7f HTTP/1.1", 400),
        (b"GET  / HTTP/1.1", 400),
        (b"GET / HTTP/1.1 ", 400),
        (b"GET\t/ HTTP/1.1", 400),
        (b"GET /", 400),
        (b"GET / http/1.1", 400),
        (b"GET / HTTP/11", 400),
        (b"GET / HTTP/1.10", 400),
        (b"G(T / HTTP/1.1", 400),
        (b"GET / HTTP/1.1\x00", 400),
        (b"\x16\x03\x01\x02\x00", 400),
        (b"", 400),
        (b"CONNECT a:443 HTTP/1.1", 501),
        (b"get / HTTP/1.1", 501),
        (b"GET / HTTP/2.0", 505),
        (b"GET / HTTP/0.9", 505),
        (b"PRI * HTTP/2.0", 505),
    ],
)
def test_lines_that_are_refused(line: bytes, status: int) -> None:
    with pytest.raises(Refused) as refused:
        read_request_line(line)
    assert refused.value.status == status


@given(st.binary(max_size=30), st.booleans())
def test_a_path_comes_out_as_it_was_quoted(path: bytes, all_of_it: bool) -> None:
    """PEP 3333: the bytes of the path, as latin-1."""
    shown = "".join(f"%{byte:02X}" for byte in path) if all_of_it else quote(path, safe="/")
    assert read_request_line(f"GET /{shown} HTTP/1.1".encode()).path.encode("latin-1") == b"/" + path


@given(st.binary(max_size=30))
def test_any_bytes_are_served_or_refused(line: bytes) -> None:
    try:
        read = read_request_line(line)
    except Refused:
        return
    assert f"{read.method} {read.target} {read.version}".encode() == line


@pytest.mark.parametrize(
    "host",
    [
        "",
        "a",
        "a:",
        "a:0",
        "a:65535",
        "EXAMPLE.com",
        "xn--a",
        "a_b",
        "1.2.3.4:80",
        "[::1]",
        "[::1]:8080",
        "[v1.a:b]",
        "a%20b",
    ],
)
def test_hosts(host: str) -> None:
    assert is_authority(host)


@pytest.mark.parametrize(
    "host",
    [
        "a b",
        "a\t",
        "a/b",
        "a?b",
        "a#b",
        "a@b",
        "a:b",
        "a:65536",
        "a:-1",
        "a:80:80",
        "::1",
        "[::1",
        "[::1]80",
        "[::1]:b",
        "[]",
        "[g::]",
        "a\x00",
        "ä",
        "a,b:x",
        "a\\b",
        "<a>",
        '"a"',
    ],
)
def test_what_no_host_is(host: str) -> None:
    assert not is_authority(host)
