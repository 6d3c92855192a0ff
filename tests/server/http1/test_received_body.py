"""Request bodies on their way in: kept in memory or in a file, bounded, and given back whole."""

from __future__ import annotations

import errno
import io
import tempfile
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wheatpaste.server.http1.budget import Budget
from wheatpaste.server.http1.buffers import BufferPool
from wheatpaste.server.http1.received_body import ReceivedBody
from wheatpaste.server.http1.refusals import Refused
from wheatpaste.server.settings import Limits


def received(limits: Limits, length: int | None) -> ReceivedBody:
    budget = Budget(1 << 30)
    return ReceivedBody(limits, length, 0.0, budget, BufferPool(limits.body_memory, budget))


@settings(deadline=None)
@given(st.binary(max_size=300), st.binary(max_size=10), st.lists(st.integers(0, 310), max_size=8), st.booleans())
def test_what_was_sent_comes_out_and_what_follows_is_left(
    data: bytes, rest: bytes, places: list[int], as_views: bool
) -> None:
    sent = data + rest
    body = received(Limits(body_memory=100), len(data))
    ends = [*sorted(place for place in places if place < len(data)), len(sent)]
    left, start = b"", 0
    for end in ends:
        piece = sent[start:end]
        room = bytearray(piece)
        if piece:
            left = body.feed(memoryview(room) if as_views else piece)
        room[:] = bytes(len(room))  # where it was received is used again
        start = end
    if not data:
        assert body.done
        left = rest
    assert body.done
    assert left == rest
    assert body.length == len(data)
    file = body.file()
    assert file.read(7) == data[:7]
    file.seek(0)
    assert file.read() == data
    body.close()


def chunked(*chunks: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in (*chunks, b""))


def test_chunked_bodies_come_out_decoded_with_their_trailers() -> None:
    body = received(Limits(body_memory=4), None)
    assert body.feed(chunked(b"hello ", b"world")[:-2] + b"X-Sum: 1\r\n\r\nNEXT") == b"NEXT"
    assert body.done
    assert body.file().read() == b"hello world"
    assert body.trailers == [("X-Sum", "1")]
    assert body.length == 11
    body.close()


@pytest.mark.parametrize("sent", [chunked(b"x" * 11), b"b\r\n", chunked(b"x" * 5, b"y" * 6)])
def test_a_chunked_body_may_not_become_too_large(sent: bytes) -> None:
    """Announced is enough: nobody should send a gigabyte before hearing that it was for nothing."""
    body = received(Limits(body=10), None)
    with pytest.raises(Refused) as refused:
        body.feed(sent)
    assert refused.value.status == 413
    body.close()


def test_lines_are_read_from_memory_and_from_a_file() -> None:
    for memory in (5, 500):
        body = received(Limits(body_memory=memory), 12)
        body.feed(b"one\ntwo\nfour")
        assert list(body.file()) == [b"one\n", b"two\n", b"four"]
        body.close()


@pytest.mark.parametrize("when", ["made", "written"])
def test_a_disk_without_room_is_the_servers_trouble(monkeypatch: pytest.MonkeyPatch, when: str) -> None:
    class Full:
        closed = 0

        def write(self, data: Any) -> int:
            raise OSError(errno.ENOSPC, "no room")

        def close(self) -> None:
            Full.closed += 1

    def make(**options: Any) -> Any:
        if when == "made":
            raise OSError(errno.EMFILE, "no descriptors")
        return Full()

    monkeypatch.setattr(tempfile, "TemporaryFile", make)
    body = received(Limits(body_memory=4), 10)
    with pytest.raises(Refused) as refused:
        body.feed(b"0123456789")
    assert refused.value.status == 507
    assert Full.closed == (when == "written")


def test_closing_frees_the_file_and_may_be_done_twice() -> None:
    for reads in (False, True):
        body = received(Limits(body_memory=4), 10)
        body.feed(b"0123456789")
        file = body.file() if reads else None
        body.close()
        body.close()
        assert file is None or file.closed


def test_a_body_in_a_file_that_was_taken_apart_is_closed_nevertheless() -> None:
    body = received(Limits(body_memory=4), 10)
    body.feed(b"0123456789")
    file = body.file()
    assert isinstance(file, io.BufferedReader)
    raw = file.detach()
    body.close()
    assert raw.closed


@pytest.mark.parametrize("size", [2, 50_000])
def test_a_body_takes_no_more_memory_in_small_pieces(size: int) -> None:
    data = b"ab" * 50_000
    pieces = [b"%x\r\n%b\r\n" % (size, data[at : at + size]) for at in range(0, len(data), size)]
    body = received(Limits(), None)
    tracemalloc.start()
    try:
        for piece in (*pieces, b"0\r\n\r\n"):
            body.feed(piece)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert body.done
    assert held < 1.5 * len(data)
    assert body.file().read() == data
