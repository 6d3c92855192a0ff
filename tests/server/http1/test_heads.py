"""A reader of heads remembers lines, and must never let one head change what another one means."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from wheatpaste.server.forecast import Forecast
from wheatpaste.server.http1.heads import Fields, HeadReader
from wheatpaste.server.http1.refusals import Refused
from wheatpaste.server.settings import Limits, Settings

FACTS = {"REMOTE_ADDR": "192.0.2.7", "REMOTE_PORT": "7"}
LINES = [
    b"Host: example.com",
    b"host: example.com",
    b"Host: example.org:81",
    b"Host:",
    b"Host: bad host",
    b"Host : example.com",
    b"Accept: text/html",
    b"Accept: */*",
    b"accept:text/html",
    b"Accept: \t text/html \t",
    b"X-Empty:",
    b"X-Empty: ",
    b"Cookie: a=b",
    b"cookie: c=d; e=f",
    b"Cookie:",
    b"Cookie : a=b",
    b"Cookie: \xe4\x01",
    b"Cookie: \xe4\x7f",
    b"Authorization: Basic eDp5",
    b"Authorization: \x00",
    b"X-Api-Key: secret\xff",
    b"Content-Length: 5",
    b"Content-Length: 0",
    b"content-length: 5",
    b"Content-Length: 05",
    b"Content-Length: +5",
    b"Content-Length: 5, 5",
    b"Content-Length: 18446744073709551616",
    b"Content-Length: 1099511627776",
    b"Content-Length:",
    b"Content_Length: 5",
    b"Transfer-Encoding: chunked",
    b"transfer-encoding: CHUNKED",
    b"Transfer-Encoding: gzip",
    b"Transfer-Encoding: gzip, chunked",
    b"Transfer-Encoding: chunked, chunked",
    b"Transfer-Encoding:",
    b"Transfer_Encoding: chunked",
    b"Connection: close",
    b"Connection: keep-alive",
    b"Connection: Keep-Alive, Upgrade",
    b"connection: upgrade",
    b"Connection: close, Transfer-Encoding",
    b"Upgrade: websocket",
    b"Upgrade: h2c",
    b"Expect: 100-continue",
    b"Expect: a miracle",
    b"Content-Type: text/plain",
    b"content-type: text/html",
    b"Forwarded: for=1.2.3.4",
    b"X-Forwarded-For: 1.2.3.4",
    b"X_Forwarded_For: 1.2.3.4",
    b"X-Real-IP: 1.2.3.4",
    b"Proxy: http://evil",
    b"Under_Score: 1",
    b"Under-Score: 2",
    b" folded: 1",
    b"\tfolded",
    b" ",
    b"no colon",
    b": no name",
    b"Bad Name: x",
    b"Bad\x00: x",
    b"X-Control: a\x01b",
    b"X-Lf: a\nHost: b",
    b"X-Lf: a\nX: b",
    b"X-Cr: a\rb",
    b"X-Cr: a\r",
    b"X-High: \xff\xfe",
    b"X-Long: " + b"y" * 600,
    b"GET / HTTP/1.1",
]
FIRST = [
    b"GET / HTTP/1.1",
    b"GET / HTTP/1.0",
    b"HEAD /a?b HTTP/1.1",
    b"POST /x HTTP/1.1",
    b"POST /x HTTP/1.0",
    b"PUT /x HTTP/1.1",
    b"OPTIONS * HTTP/1.1",
    b"CONNECT a:1 HTTP/1.1",
    b"GET http://example.net/x HTTP/1.1",
    b"GET http://bad host/ HTTP/1.1",
    b"get / HTTP/1.1",
    b"GET  / HTTP/1.1",
    b"GET / HTTP/2.0",
    b"\x16\x03\x01",
]
value = st.binary(max_size=6) | st.sampled_from([b"5", b"chunked", b"close", b"a, b", b"x" * 300])
name = st.sampled_from(
    [b"Host", b"Content-Length", b"Transfer-Encoding", b"Connection", b"Expect", b"Cookie", b"Accept", b"X-A", b"x_b"]
) | st.binary(min_size=1, max_size=4)
line = (
    st.sampled_from(LINES)
    | st.sampled_from(LINES[:3])
    | st.builds(lambda name, mark, value: name + mark + value, name, st.sampled_from([b": ", b":", b" :"]), value)
)
# An empty line would be the end of the head, which is somebody else's to find.
lines = st.lists(line.filter(lambda each: each and b"\r\n" not in each), max_size=6)
# Clients repeat themselves: the same fields below different request lines.
heads = st.lists(lines, min_size=1, max_size=3).flatmap(
    lambda pool: st.lists(st.tuples(st.sampled_from(FIRST), st.sampled_from(pool)), min_size=1, max_size=5)
)
how = st.builds(
    Settings,
    limits=st.sampled_from([Limits(), Limits(fields=4), Limits(request_line=12)]),
    header_map=st.sampled_from(["drop", "refuse", "keep"]),
    require_host=st.booleans(),
)


def outcome(
    reader: HeadReader, head: tuple[bytes, list[bytes]], last: Fields | None = None
) -> tuple[Any, Fields | None]:
    """What a head means, or how it is refused; and its fields, where there are some."""
    first, lines = head
    data = b"\r\n".join([first, *lines]) + b"\r\n\r\nrest\r\n\r\n"
    try:
        environ, kind, fields = reader.read(data, data.index(b"\r\n\r\n"), last, FACTS)
    except Refused as refused:
        return refused.status, None
    return (environ, kind.is_1_0, kind.is_head, fields.framing), fields


def fresh(how: Settings) -> HeadReader:
    return HeadReader({"SCRIPT_NAME": "", "wsgi.version": (1, 0)}, how, Forecast())


@settings(max_examples=100, deadline=None)
@given(how, heads, st.booleans())
@example(Settings(), [(b"GET / HTTP/1.0", [b"Host: x"]), (b"GET / HTTP/1.1", [b"Host: x"])], True)
@example(Settings(), [(b"GET / HTTP/1.1", [b"Host: x"]), (b"GET / HTTP/1.1", [b"Host: x", b"Host: x"])], False)
def test_what_was_read_before_changes_nothing(
    how: Settings, heads: list[tuple[bytes, list[bytes]]], on_one_connection: bool
) -> None:
    experienced = fresh(how)
    last: Fields | None = None
    for head in [*heads, *heads]:  # the second time all of them are known
        expected, _ = outcome(fresh(how), head)
        found, fields = outcome(experienced, head, last if on_one_connection else None)
        assert found == expected
        last = fields or last


@settings(max_examples=100, deadline=None)
@given(lines)
def test_what_is_served_has_a_field_for_each_line(lines: list[bytes]) -> None:
    """No line is lost, split in two, or taken for a part of another one."""
    found, _ = outcome(fresh(Settings(header_map="keep")), (b"GET / HTTP/1.1", lines))
    if isinstance(found, int):
        assert found >= 400
        return
    environ = found[0]
    for each in lines:
        name, colon, value = each.partition(b":")
        assert colon
        key = name.decode("ascii").upper().replace("-", "_")
        if key not in ("PROXY", "TRANSFER_ENCODING", "X_FORWARDED_FOR", "FORWARDED", "X_REAL_IP"):
            shown = environ.get(f"HTTP_{key}", environ.get(key))
            assert value.strip(b" \t").decode("latin-1") in shown
    assert all("\n" not in value and "\r" not in value for value in environ.values() if isinstance(value, str))


def test_an_environ_belongs_to_its_request() -> None:
    """Apps write into it."""
    reader = fresh(Settings())
    data = b"GET / HTTP/1.1\r\nHost: x\r\nX-A: b\r\n\r\n"
    environ, _, fields = reader.read(data, len(data) - 4, None, FACTS)
    environ.clear()
    again, _, _ = reader.read(data, len(data) - 4, fields, FACTS)
    assert again["HTTP_X_A"] == "b"
    assert again["PATH_INFO"] == "/"
    again.clear()
    assert reader.read(data, len(data) - 4, None, FACTS)[0]["HTTP_HOST"] == "x"
    assert FACTS == {"REMOTE_ADDR": "192.0.2.7", "REMOTE_PORT": "7"}


@pytest.mark.parametrize("what", ["lines", "requests"])
def test_a_client_cannot_make_it_remember_without_end(what: str) -> None:
    reader = fresh(Settings())
    for number in range(6000):
        path, token = (number, 0) if what == "requests" else (0, number)
        data = f"GET /{path} HTTP/1.1\r\nHost: x\r\nX-Token: {token}\r\nX-{token}: 1\r\n\r\n".encode()
        environ, _, _ = reader.read(data, len(data) - 4, None, FACTS)
        assert environ["HTTP_X_TOKEN"] == str(token)
        assert environ["PATH_INFO"] == f"/{path}"
    assert len(reader._lines) <= 2048
    assert len(reader._requests) <= 512


@pytest.mark.parametrize("name", ["Cookie", "Authorization", "Proxy-Authorization", "X-Api-Key", "cookie"])
def test_what_is_private_is_not_remembered(name: str) -> None:
    """Whether a secret was seen before must not be told by the time that it takes."""
    reader = fresh(Settings())
    data = f"GET / HTTP/1.1\r\nHost: x\r\n{name}: sesame\r\nX-New: 1\r\n\r\n".encode()
    for _ in range(2):
        environ, _, _ = reader.read(data, len(data) - 4, None, FACTS)
        assert environ[f"HTTP_{name.upper().replace('-', '_')}"] == "sesame"
    assert not [line for line in reader._lines if b"sesame" in line]
