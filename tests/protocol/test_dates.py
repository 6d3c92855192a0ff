"""Dates in headers."""

from __future__ import annotations

from email.utils import formatdate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wheatpaste.protocol.dates import format_http_date, parse_http_date

WHEN = 784111777  # the example of RFC 9110


@pytest.mark.parametrize(
    "value", ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]
)
def test_it_reads_the_three_forms(value: str) -> None:
    assert parse_http_date(value) == WHEN


@pytest.mark.parametrize(
    "value",
    [
        "",
        "garbage",
        "0",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 +0000",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:00 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Sun, 29 Feb 1995 08:49:37 GMT",
        "Sun, 06 Foo 1994 08:49:37 GMT",
        "Sun, 06 Nov 0000 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT; length=5",
        "Sun, \u0660\u0666 Nov 1994 08:49:37 GMT",
        "Sun Nov    08:49:37 1994",
        "x" * 100_000,
    ],
)
def test_it_takes_garbage_for_no_date(value: str) -> None:
    assert parse_http_date(value) is None


def test_it_knows_leap_days_and_leap_seconds() -> None:
    assert parse_http_date("Thu, 29 Feb 1996 00:00:00 GMT") == 825552000
    assert parse_http_date("Sat, 31 Dec 2016 23:59:60 GMT") == 1483228799


@pytest.mark.parametrize(("year", "century"), [("94", 1994), ("70", 2070), ("77", 1977), ("76", 2076), ("00", 2000)])
def test_a_year_of_two_digits_is_at_most_fifty_years_ahead(year: str, century: int) -> None:
    in_2026 = 1_790_000_000
    expected = parse_http_date(f"Sun, 06 Nov {century} 08:49:37 GMT")
    assert parse_http_date(f"Sunday, 06-Nov-{year} 08:49:37 GMT", now=in_2026) == expected


@settings(deadline=None)
@given(st.integers(0, 253402300799))
def test_it_writes_what_it_reads(seconds: int) -> None:
    assert format_http_date(seconds) == formatdate(seconds, usegmt=True)
    assert parse_http_date(format_http_date(seconds)) == seconds
