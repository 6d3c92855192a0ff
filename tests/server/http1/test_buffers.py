"""Buffers for request bodies."""

from __future__ import annotations

import io
import threading

import pytest

from wheatpaste.server.http1.budget import Budget
from wheatpaste.server.http1.buffers import BufferPool, HeldBytes
from wheatpaste.server.http1.received_body import ReceivedBody
from wheatpaste.server.settings import Limits

SIZE = 256 * 1024


def test_it_gives_a_buffer_again() -> None:
    budget = Budget(10 * SIZE)
    pool = BufferPool(SIZE, budget)
    first = pool.take()
    assert first is not None
    pool.give_back(first)
    assert pool.take() is first


def test_it_keeps_within_its_budget_and_keeps_few() -> None:
    budget = Budget(10 * SIZE)
    pool = BufferPool(SIZE, budget)
    taken = [pool.take() for _ in range(11)]
    assert taken[10] is None
    for buffer in taken[:10]:
        assert buffer is not None
        pool.give_back(buffer)
    assert budget.left == 2 * SIZE


def test_a_body_is_received_in_place_and_read_like_a_file() -> None:
    pool = BufferPool(SIZE, Budget(SIZE))
    content = bytes(range(256)) * 400
    body = ReceivedBody(Limits(), len(content), 0.0, Budget(SIZE), pool)
    assert body.feed(content[:1000]) == b""
    room = body.room()
    assert room is not None
    assert len(room) == len(content) - 1000, "what follows the body is not received into it"
    room[:] = content[1000:]
    body.filled(len(room))
    assert body.done
    file = body.file()
    assert file.read(10) == content[:10]
    assert file.read() == content[10:]
    assert file.read(10) == b""
    file.seek(256 * 3)
    assert next(iter(file)) == content[256 * 3 : 256 * 3 + 11]
    body.close()


def test_whoever_keeps_a_body_cannot_read_the_next_one() -> None:
    pool = BufferPool(SIZE, Budget(SIZE))
    body = ReceivedBody(Limits(), SIZE, 0.0, Budget(SIZE), pool)
    body.feed(b"a" * SIZE)
    kept = body.file()
    body.close()
    other = ReceivedBody(Limits(), SIZE, 0.0, Budget(SIZE), pool)
    other.feed(b"b" * SIZE)
    for read in (kept.read, kept.readline, lambda: kept.seek(0)):
        with pytest.raises(ValueError, match="closed"):
            read()
    other.close()


def test_a_body_that_nobody_read_gives_its_buffer_back() -> None:
    pool = BufferPool(SIZE, Budget(SIZE))
    body = ReceivedBody(Limits(), SIZE, 0.0, Budget(SIZE), pool)
    body.feed(b"a" * 1000)
    assert pool.take() is None
    body.close()
    assert pool.take() is not None


def test_it_seeks_like_a_file() -> None:
    file = HeldBytes(memoryview(b"0123456789"))
    assert file.seek(-3, io.SEEK_END) == 7
    assert file.read() == b"789"
    assert file.seek(2) == 2
    assert file.seek(1, io.SEEK_CUR) == 3
    assert file.read(2) == b"34"
    with pytest.raises(ValueError, match="before"):
        file.seek(-1)
    assert file.seek(100) == 100
    assert file.read() == b""


def test_an_app_that_takes_its_body_apart_cannot_keep_what_is_in_it() -> None:
    pool = BufferPool(SIZE, Budget(SIZE))
    body = ReceivedBody(Limits(), SIZE, 0.0, Budget(SIZE), pool)
    body.feed(b"a" * SIZE)
    file = body.file()
    assert isinstance(file, io.BufferedReader)
    raw = file.detach()
    assert raw.read(1) == b"a"
    body.close()
    assert pool.take() is not None
    with pytest.raises(ValueError, match="closed"):
        raw.read(1)


def test_a_body_that_is_closed_by_two_threads_gives_its_buffer_back_once() -> None:
    budget = Budget(SIZE)
    pool = BufferPool(SIZE, budget)
    for _ in range(200):
        body = ReceivedBody(Limits(), SIZE, 0.0, Budget(SIZE), pool)
        body.feed(b"a" * SIZE)
        body.file()
        closers = [threading.Thread(target=body.close) for _ in range(2)]
        for closer in closers:
            closer.start()
        for closer in closers:
            closer.join(20)
        assert pool.take() is not None
        assert pool.take() is None
        pool = BufferPool(SIZE, Budget(SIZE))
