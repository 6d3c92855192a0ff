"""Byte ranges."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wheatpaste.protocol.ranges import ByteRange, parse_range, unsatisfied_range

MANY = ",".join(f"{number * 2}-{number * 2}" for number in range(1000))


@pytest.mark.parametrize(
    ("value", "ranges"),
    [
        ("bytes=0-0", [(0, 1)]),
        ("bytes=-1", [(10, 11)]),
        ("bytes=-999", [(0, 11)]),
        ("bytes=0-999", [(0, 11)]),
        ("bytes=4-", [(4, 11)]),
        ("BYTES = 4-5", [(4, 6)]),
        ("bytes=0-0,2-3", [(0, 1), (2, 4)]),
        ("bytes=5-6, ,0-1", [(5, 7), (0, 2)]),
        ("bytes=0-1,2-3", [(0, 2), (2, 4)]),
        ("bytes=0-0,50-60", [(0, 1)]),
    ],
)
def test_it_finds_the_parts(value: str, ranges: list[tuple[int, int]]) -> None:
    assert parse_range(value, 11) == ranges


@pytest.mark.parametrize("value", ["bytes=-0", "bytes=11-", "bytes=11-12", "bytes=100-200,-0"])
def test_it_knows_what_lies_outside(value: str) -> None:
    assert parse_range(value, 11) == []
    assert unsatisfied_range(11) == "bytes */11"


@pytest.mark.parametrize(
    "value",
    [None, "", "bytes", "bytes=", "bytes=-", "bytes=,", "bytes=5-2", "bytes=a-b", "items=0-1", "bytes=0-1-2", "bytes=0"]
    + ["bytes=+1-2", "bytes=1.0-2", "bytes=0x1-2", "bytes=\u0661-2", "bytes=" + "9" * 30 + "-", "bytes=0-1,a", "0-1"]
    + ["bytes=0-5,3-8", "bytes=0-,-1", "bytes=0-0,0-0", f"bytes={MANY}", "bytes=0-0" + ",2-2" * 10],
)
def test_it_ignores_what_it_may(value: str | None) -> None:
    assert parse_range(value, 5000) is None


@pytest.mark.parametrize("value", ["bytes=0-", "bytes=0-0", "bytes=-1"])
def test_an_empty_file_has_no_parts(value: str) -> None:
    assert parse_range(value, 0) == []


def test_the_number_of_parts_is_a_choice() -> None:
    assert parse_range("bytes=0-0,2-2", 11, most=1) is None


def test_it_writes_content_range() -> None:
    assert ByteRange(0, 1).content_range(11) == "bytes 0-0/11"


@settings(deadline=None)
@given(st.text(alphabet="bytes=0123-, ", max_size=20), st.integers(0, 20))
def test_parts_always_lie_within_and_never_overlap(text: str, size: int) -> None:
    covered: set[int] = set()
    for start, stop in parse_range("bytes=" + text, size) or []:
        assert 0 <= start < stop <= size
        assert not covered & set(range(start, stop))
        covered |= set(range(start, stop))
