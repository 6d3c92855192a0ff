"""Mutated requests, read by the server and by four other projects in this process.

What the server answers the others must read alike: the same messages with the same bodies, or a proxy of their kind in
front of it could be made to see other requests than it does. Where they refuse what it answers, the table says why.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator

import pytest
from conformance_app import ConformanceApp
from conformance_exchange import alive
from engine_in_thread import EngineInThread
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from other_parsers import Message, Reading, by_cheroot, by_gunicorn, by_h11, by_waitress
from raw_http import Wire

from wheatpaste.server.settings import Settings

pytestmark = pytest.mark.timeout(300)  # thousands of requests, beside whatever else this machine does

LINES = [
    b"GET / HTTP/1.1",
    b"GET /a?b=c HTTP/1.1",
    b"POST /a HTTP/1.1",
    b"POST /a HTTP/1.0",
    b"OPTIONS * HTTP/1.1",
    b"HEAD /a HTTP/1.1",
    b"PUT http://example.com/a HTTP/1.1",
    b"M-SEARCH //a HTTP/1.1",
]
FIELDS = [
    b"Host: x",
    b"Host: example.com:80",
    b"Content-Length: 5",
    b"Content-Length: 0",
    b"Content-Length: 005",
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: Chunked",
    b"Transfer-Encoding: gzip, chunked",
    b"Connection: close",
    b"Connection: keep-alive",
    b"Connection: Upgrade",
    b"Upgrade: h2c",
    b"Expect: 100-continue",
    b"Foo: bar",
    b"Foo:",
    b"Foo: a\tb",
    b"Foo: caf\xe9",
    b"Cookie: a=1",
    b"Content-Type: text/plain",
    b"Content_Length: 5",
    b"X_Y: 1",
    b"X-Forwarded-For: 1.2.3.4",
    b"TE: trailers",
]
BODIES = [
    b"",
    b"hello",
    b"5\r\nhello\r\n0\r\n\r\n",
    b"5;a=b\r\nhello\r\n0\r\n\r\n",
    b'3;a="b"\r\nhel\r\n2\r\nlo\r\n0\r\nX-T: y\r\n\r\n',
    b"05\r\nhello\r\n00\r\n\r\n",
    b"hello, and more",
]
BYTES = [bytes([number]) for number in b"\r\n\0\t\v\f :;,\"'_+-=/.?#%0159afxAF\x7f\x80\x85\xa0\xff"] + [
    b"\r\n",
    b"\n\n",
    b"\r\n\r\n",
    b" \r\n",
    b"\r\n ",
    b"0\r\n\r\n",
]

message = st.builds(
    lambda line, fields, body: b"\r\n".join([line, *fields]) + b"\r\n\r\n" + body,
    st.sampled_from(LINES),
    st.one_of(
        st.lists(st.sampled_from(FIELDS), max_size=5).map(lambda fields: [b"Host: x", *fields]),
        st.just([b"Host: x", b"Content-Length: 5"]),
        st.just([b"Host: x", b"Transfer-Encoding: chunked"]),
        st.lists(st.sampled_from(FIELDS), max_size=6),
    ),
    st.sampled_from(BODIES),
)
change = st.tuples(
    st.sampled_from(["insert", "replace", "delete", "double"]),
    st.floats(0, 1, exclude_max=True),
    st.sampled_from(BYTES),
)
Change = tuple[str, float, bytes]


def changed(data: bytes, changes: list[Change]) -> bytes:
    for kind, place, what in changes:
        at = int(place * (len(data) + 1))
        if kind == "insert":
            data = data[:at] + what + data[at:]
        elif kind == "replace":
            data = data[:at] + what + data[at + len(what) :]
        elif kind == "delete":
            data = data[:at] + data[at + len(what) :]
        else:
            end = data.find(b"\n", at) + 1 or len(data)
            data = data[:end] + data[at:end] + data[end:]
    return data


mutated = st.builds(changed, st.lists(message, min_size=1, max_size=2).map(b"".join), st.lists(change, max_size=3))


@pytest.fixture(scope="module")
def server() -> Iterator[EngineInThread]:
    running = EngineInThread(ConformanceApp(), Settings())
    yield running
    running.stop()


@pytest.fixture(scope="module")
def streaming_server() -> Iterator[EngineInThread]:
    running = EngineInThread(ConformanceApp(), Settings(stream_uploads=True))
    yield running
    running.stop()


def by_us(server: EngineInThread, *pieces: bytes) -> Reading:
    server.app.calls.clear()
    with Wire(server.unix) as wire:
        wire.send_pieces(pieces)
        wire.finish()
        statuses = [int(status) for status in re.findall(rb"HTTP/1\.[01] ([0-9]{3}) ", wire.read_rest())]
    return Reading(
        [
            Message(call.environ["REQUEST_METHOD"], call.environ["REQUEST_URI"], call.body or b"")
            for call in server.app.calls
            if call.trouble is None  # reading its body has failed, and the app has said so
        ],
        next((str(status) for status in statuses if status >= 400), "end"),
    )


OTHERS: dict[str, Callable[[bytes], Reading]] = {
    "h11": by_h11,
    "Waitress": by_waitress,
    "gunicorn": by_gunicorn,
    "cheroot": by_cheroot,
}
EXPLAINED = {
    "h11": {
        "no request line received": "it overlooks no empty line before a request, which RFC 9112 2.2 allows",
        "close": "it keeps no connection of HTTP/1.0, not even one that asks for it",
    },
    "Waitress": {
        "close": "this way of asking it reads no second request of HTTP/1.0",
    },
    "gunicorn": {
        "InvalidRequestMethod": "it wants methods of three to twenty letters without #",
        "InvalidRequestLine: Invalid HTTP request line: ''": "it overlooks no empty line before a request",
        "close": "it keeps no connection of HTTP/1.0 in some cases",
    },
    "cheroot": {
        "400 Bad Request: Absolute URI not allowed": "it takes the absolute form where it is a proxy, and //a for that",
        "400 Bad Request: Malformed Request-Line": "it overlooks one empty line before a request, not several",
        "close": "it keeps no connection of HTTP/1.0 whose Connection has other words than that",
    },
}
"""Why each of them refuses what the server answers, by the beginning of what it says."""


def disagreement(ours: Reading, others: Reading, explained: dict[str, str]) -> str | None:
    """What of ``ours`` the others read otherwise."""
    for number, message in enumerate(ours.messages):
        if number == len(others.messages):
            if any(others.stop.startswith(reason) for reason in explained):
                return None
            return f"refused: {others.stop}, but answered: {message}"
        if others.messages[number] != message:
            return f"read: {others.messages[number]}, but answered: {message}"
    return None


@settings(
    max_examples=4000,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(data=mutated)
def test_what_is_answered_others_read_alike(server: EngineInThread, data: bytes) -> None:
    ours = by_us(server, data)
    assert "500" not in ours.stop
    for name, read in OTHERS.items() if ours.messages else ():
        assert disagreement(ours, read(data), EXPLAINED[name]) is None, (name, data)


@settings(
    max_examples=400,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(data=mutated, cuts=st.lists(st.floats(0, 1), min_size=1, max_size=4))
def test_pieces_make_no_difference(server: EngineInThread, data: bytes, cuts: list[float]) -> None:
    whole = by_us(server, data)
    places = sorted({0, len(data), *(int(cut * len(data)) for cut in cuts)})
    for pieces in (
        [data[start:end] for start, end in itertools.pairwise(places)],
        [data[at : at + 1] for at in range(len(data))],
    ):
        read = by_us(server, *pieces)
        assert read.messages == whole.messages
        # Of several mistakes another one may be seen first. And an app begins before a body that waits for
        # 100 Continue, so what is wrong with that is for the app to answer.
        assert (read.stop == "end") == (whole.stop == "end") or b"100-continue" in data


@settings(
    max_examples=400,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(data=mutated, cut=st.floats(0, 1))
def test_streaming_makes_no_difference(
    server: EngineInThread, streaming_server: EngineInThread, data: bytes, cut: float
) -> None:
    received = by_us(server, data).messages
    at = int(cut * len(data))
    assert by_us(streaming_server, data).messages == received
    assert by_us(streaming_server, data[:at], data[at:]).messages == received


def test_the_servers_still_answer(server: EngineInThread, streaming_server: EngineInThread) -> None:
    for each in (server, streaming_server):
        assert alive(each.unix)
        assert each.running


def test_the_changes_are_such_that_parsers_disagree() -> None:
    """Without this, agreement would mean little."""
    found = set()

    @settings(max_examples=400, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(data=mutated)
    def compare(data: bytes) -> None:
        for one, reads in OTHERS.items():
            for other, also_reads in OTHERS.items():
                if one != other and disagreement(reads(data), also_reads(data), EXPLAINED[other]):
                    found.add((one, other))

    compare()
    assert {("h11", "gunicorn"), ("h11", "Waitress"), ("Waitress", "gunicorn"), ("cheroot", "h11")} <= found
