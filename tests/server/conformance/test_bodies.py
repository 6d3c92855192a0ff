"""Request bodies: large ones, unread ones, cut ones, and those that wait for 100 Continue."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from conformance_app import Call, ConformanceApp
from conformance_exchange import alive, observe
from conformance_tables import Required
from engine_in_thread import EngineInThread, wait_for
from raw_http import Wire

Start = Callable[..., EngineInThread]
MIB = 1 << 20


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def with_length(path: str, body: bytes) -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def in_chunks(path: str, body: bytes, size: int = 10_000) -> bytes:
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    return head + b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


@pytest.mark.parametrize("made", [with_length, in_chunks])
def test_a_body_larger_than_memory_arrives_and_leaves_no_descriptor(
    start: Start, made: Callable[[str, bytes], bytes]
) -> None:
    server = start(limits={"body_memory": 10_000})
    body = os.urandom(3 * MIB)
    assert alive(server.tcp)
    before = descriptors()
    for size in (9_999, 10_000, 10_001, len(body)):
        server.app.calls.clear()
        assert str(observe(server.tcp, [made("/", body[:size])], Required.read("200 kept"))) == "200 kept"
        assert server.app.calls[0].body == body[:size]
    wait_for(lambda: descriptors() <= before, "the temporary files are closed")


def test_a_large_body_that_is_cut_leaves_no_descriptor(start: Start) -> None:
    server = start(limits={"body_memory": 10_000})
    assert alive(server.tcp)
    before = descriptors()
    for leave in (Wire.close, Wire.reset, Wire.finish):
        with Wire(server.tcp) as wire:
            wire.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 500_000)
            leave(wire)
            allowed = before + (leave is Wire.finish)  # the client's own
            wait_for(lambda allowed=allowed: descriptors() <= allowed, "the temporary file is closed")
    assert server.app.calls == []
    assert alive(server.tcp)


@pytest.mark.parametrize("stream", [False, True], ids=["received", "streamed"])
@pytest.mark.parametrize("made", [with_length, in_chunks])
def test_a_reply_without_reading_reaches_a_client_that_still_sends(
    start: Start, made: Callable[[str, bytes], bytes], stream: bool
) -> None:
    """Afterwards the connection is usable or closed; what was not read is never a request."""
    server = start(stream_uploads=stream)
    smuggled = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
    body = smuggled * (MIB // len(smuggled))
    for _ in range(3):
        seen = observe(server.tcp, [made("/noread", body)], Required.read("200"))
        assert seen.statuses == (200,)
        assert seen.end in ("kept", "closed")
    assert {call.path for call in server.app.calls} == {"/noread"}
    assert alive(server.tcp)


@pytest.mark.parametrize("stream", [False, True], ids=["received", "streamed"])
def test_a_cut_body_is_not_passed_off_as_whole(start: Start, stream: bool) -> None:
    """The app is not run, or its reading raises; nobody hears 200."""
    server = start(stream_uploads=stream)
    for cut in (
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\nhello",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
    ):
        with Wire(server.unix) as wire:
            wire.send(cut)
            wire.finish()
            statuses = [reply.status for reply in iter(wire.read_reply, None)]
        assert statuses in ([], [400], [500]), statuses
    for call in server.app.calls:
        assert call.trouble is not None
    assert alive(server.unix)


@pytest.mark.parametrize("stream", [False, True], ids=["received", "streamed"])
@pytest.mark.parametrize(
    "chunks", [b"5\r\nhello\r\nZ\r\n", b"5\r\nhelloXX", b"5\r\nhello\r\n0\r\nbad trailer\r\n\r\n", b"5\nhello"]
)
def test_malformed_chunks_are_never_a_body(start: Start, stream: bool, chunks: bytes) -> None:
    server = start(stream_uploads=stream)
    head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    for parts in ([head + chunks], [head, chunks], [head + chunks[:7], chunks[7:]]):
        seen = observe(server.unix, parts, Required.read("400 closed"))
        assert str(seen) in ("400 closed", "500 closed")
        assert stream or seen.statuses == (400,)
    assert stream or not server.app.calls
    assert all(call.trouble is not None for call in server.app.calls)


def test_a_streamed_body_reaches_the_app_while_it_is_sent(start: Start) -> None:
    got: list[bytes] = []

    def answer(environ: dict[str, Any], start_response: Any, call: Call) -> Any:
        stream = environ["wsgi.input"]
        for _ in range(3):
            got.append(stream.read(5))
        got.append(stream.read())
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "0")])
        return []

    server = start(ConformanceApp(hooks={"/stream": answer}), stream_uploads=True)
    with Wire(server.unix) as wire:
        wire.send(b"POST /stream HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n")
        for number in range(3):
            wire.send(b"%d----" % number)
            wait_for(lambda number=number: len(got) > number, "the app has read a piece")
        wire.send(b"last!")
        reply = wire.read_reply()
        assert reply is not None
        assert reply.status == 200
    assert got == [b"0----", b"1----", b"2----", b"last!"]


def test_a_streamed_body_that_nobody_reads_is_not_asked_for(start: Start) -> None:
    """Expect: 100-continue, and an app that answers without reading: the answer alone, and the end."""
    server = start(stream_uploads=True)
    request = b"POST /noread HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
    assert str(observe(server.unix, [request], Required.read("200 closed"))) == "200 closed"
    reading = request.replace(b"/noread", b"/")
    assert str(observe(server.unix, [reading, "100", b"hello"], Required.read("100 200"))) in ("100 200 kept",)
    assert server.app.calls[-1].body == b"hello"


def test_a_client_that_waits_for_100_is_given_up_like_any_other(start: Start) -> None:
    server = start(deadlines={"body_grace": 0.4})
    with Wire(server.unix) as wire:
        wire.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        assert [reply.status for reply in iter(wire.read_reply, None)] == [100, 408]
    assert all(call.trouble is not None for call in server.app.calls)
