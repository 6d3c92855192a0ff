"""Memory that request bodies share."""

from __future__ import annotations

import pytest

from wheatpaste.server.http1.budget import Budget
from wheatpaste.server.http1.buffers import BufferPool
from wheatpaste.server.http1.received_body import ReceivedBody
from wheatpaste.server.settings import Limits


def test_it_gives_only_what_is_left() -> None:
    budget = Budget(10)
    assert budget.take(7)
    assert not budget.take(4)
    assert budget.take(3)
    budget.give_back(7)
    assert budget.left == 7


@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_body_goes_to_a_file_when_others_have_the_memory(is_chunked: bool) -> None:
    budget = Budget(10)
    bodies = []
    for _ in range(3):
        body = ReceivedBody(Limits(), None if is_chunked else 6, 0.0, budget, BufferPool(100, budget))
        body.feed(b"6\r\nabcdef\r\n0\r\n\r\n" if is_chunked else b"abcdef")
        assert body.done
        bodies.append(body)
    assert budget.left == 4, "one is in memory, the others are in files"
    assert [body.file().read() for body in bodies] == [b"abcdef"] * 3
    for body in bodies:
        body.close()
    assert budget.left == 10


def test_what_a_body_held_is_free_once_it_is_in_a_file() -> None:
    budget = Budget(100)
    body = ReceivedBody(Limits(body_memory=8), 12, 0.0, budget, BufferPool(100, budget))
    body.feed(b"abcdef")
    assert budget.left == 94
    body.feed(b"ghijkl")
    assert budget.left == 100
    assert body.file().read() == b"abcdefghijkl"
    body.close()
    assert budget.left == 100
