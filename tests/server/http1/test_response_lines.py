"""Status lines and header lines of apps: what may be sent, and what is remembered of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheatpaste.server.http1 import response_lines
from wheatpaste.server.http1.response_lines import HOP_BY_HOP, LENGTH, PLAIN, line_of, status_of


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("200 OK", b"HTTP/1.1 200 OK\r\n"),
        ("299 ", b"HTTP/1.1 299 \r\n"),
        ("404", b"HTTP/1.1 404 \r\n"),
        ("500 Gr\xfcn", b"HTTP/1.1 500 Gr\xfcn\r\n"),
        ("999 Beyond", b"HTTP/1.1 999 Beyond\r\n"),
    ],
)
def test_statuses_that_are_sent(text: str, line: bytes) -> None:
    assert status_of(text).line_1_1 == line
    assert status_of(text).line_1_0 == line.replace(b"1.1", b"1.0", 1)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "OK",
        "20 OK",
        "2000 OK",
        "099 No",
        "100 Continue",
        "101 Switching",
        "200OK",
        "200 OK\r\nX: y",
        "200 \n",
        "200 \u20ac",
        " 200 OK",
        "200\tOK",
        "２００ OK",
    ],
)
def test_statuses_that_are_not_sent(text: str) -> None:
    with pytest.raises(ValueError, match="status"):
        status_of(text)


@pytest.mark.parametrize("status", [None, 200, b"200 OK", ["200 OK"]])
def test_a_status_is_text(status: Any) -> None:
    with pytest.raises(TypeError):
        status_of(status)


@pytest.mark.parametrize("code", [200, 204, 205, 304, 404])
def test_it_is_known_which_have_a_body(code: int) -> None:
    assert status_of(f"{code} x").has_body == (code not in (204, 205, 304))


@pytest.mark.parametrize(
    ("header", "kind", "number"),
    [
        (("X-A", "b"), PLAIN, 0),
        (["X-A", "b"], PLAIN, 0),
        (("content-LENGTH", "007"), LENGTH, 7),
        (("Transfer-Encoding", "chunked"), HOP_BY_HOP, 0),
        (("keep-alive", "1"), HOP_BY_HOP, 0),
        (("Upgrade", "x"), HOP_BY_HOP, 0),
    ],
)
def test_headers_that_are_known(header: Any, kind: int, number: int) -> None:
    data, found, length = line_of(header)
    assert (found, length) == (kind, number)
    assert data == f"{header[0]}: {header[1]}\r\n".encode()


@pytest.mark.parametrize(
    ("header", "error"),
    [
        (("X-A", "b\r\nSet-Cookie: c"), ValueError),
        (("X-A", "b\n"), ValueError),
        (("X-A", "\x00"), ValueError),
        (("X-A", "\u20ac"), ValueError),
        (("X A", "b"), ValueError),
        (("X-A:", "b"), ValueError),
        (("", "b"), ValueError),
        (("X-\xc4", "b"), ValueError),
        (("X-A\r\n", "b"), ValueError),
        (("Content-Length", "-1"), ValueError),
        (("Content-Length", "1e3"), ValueError),
        (("Content-Length", " 1"), ValueError),
        (("Content-Length", "\u0661"), ValueError),
        (("Content-Length", ""), ValueError),
        (("Content-Length", "9" * 19), ValueError),
        (("X-A", 1), TypeError),
        (("X-A", b"b"), TypeError),
        ((b"X-A", "b"), TypeError),
        (("X-A",), TypeError),
        (("X-A", "b", "c"), TypeError),
        ("X-A: b", TypeError),
        (None, TypeError),
    ],
)
def test_headers_that_are_not_sent(header: Any, error: type[Exception]) -> None:
    for _ in range(2):  # not the second time, either
        with pytest.raises(error):
            line_of(header)


@given(st.text(max_size=8), st.text(max_size=12))
def test_no_header_makes_two_lines(name: str, value: str) -> None:
    try:
        data, _, _ = line_of((name, value))
    except ValueError:
        return
    assert data.count(b"\n") == 1
    assert data.endswith(b"\r\n")
    assert b"\r" not in data[:-2]
    assert data.split(b": ", 1) == [name.encode("latin-1"), value.encode("latin-1") + b"\r\n"]


@pytest.mark.parametrize("name", ["Set-Cookie", "set-cookie", "WWW-Authenticate", "Location"])
def test_what_is_somebodys_own_is_not_remembered(name: str) -> None:
    line_of((name, "sesame"))
    assert response_lines.known_lines((name, "sesame")) is None


def test_what_repeats_itself_is_remembered_and_no_more_than_some_of_it() -> None:
    assert line_of(("X-Often", "yes")) is response_lines.known_lines(("X-Often", "yes"))
    for number in range(6000):
        line_of(("X-Never-Again", str(number)))
        status_of(f"200 {number}")
    line_of(("X-Long", "x" * 5000))
    assert len(response_lines._lines) <= 2048
    assert len(response_lines._statuses) <= 2048
    assert response_lines.known_lines(("X-Long", "x" * 5000)) is None
