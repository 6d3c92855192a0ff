"""Header fields, and lists with qualities."""

from __future__ import annotations

import pytest

from wheatpaste.protocol.headers import (
    check_header,
    choose_encoding,
    is_header_name,
    is_header_value,
    media_quality,
    parse_qualities,
    split_list,
)


@pytest.mark.parametrize("name", ["X-A", "content-type", "a!#$%&'*+-.^_`|~1"])
def test_it_accepts_a_name(name: str) -> None:
    assert is_header_name(name)


@pytest.mark.parametrize("name", ["", "a b", "a:", "a\r\nb", "é", "a\n", "(a)", '"a"', "a\x00"])
def test_it_refuses_a_name(name: str) -> None:
    assert not is_header_name(name)


@pytest.mark.parametrize("value", ["", "a b", "caf\xe9", "caf\xc3\x85 as UTF-8", "a\tb", '"x"', "\xe4\x85\xad"])
def test_it_accepts_a_value(value: str) -> None:
    assert is_header_value(value)


BAD_VALUES = ["a\r\nX: y", "a\n", "\ra", "a\x00", "a\x0b", "a\x7f", "a\x1b[2J", "\u4e2d", " a", "a ", "\udcff"]


@pytest.mark.parametrize("value", BAD_VALUES)
def test_it_refuses_a_value(value: str) -> None:
    assert not is_header_value(value)
    with pytest.raises(ValueError, match="the value of the header X-A"):
        check_header("X-A", value)


def test_it_quotes_no_value_in_its_error() -> None:
    with pytest.raises(ValueError, match="header") as raised:
        check_header("X-Token", "hunter2\n")
    assert "hunter2" not in str(raised.value)


def test_it_refuses_a_field_with_a_bad_name() -> None:
    with pytest.raises(ValueError, match="not a header name"):
        check_header("X:A", "b")
    check_header("X-A", "b")


@pytest.mark.parametrize(
    ("value", "items"),
    [
        ("", []),
        (" a , b,,c ,", ["a", "b", "c"]),
        ('"a,b", c', ['"a,b"', "c"]),
        (r'"a\",b",c', [r'"a\",b"', "c"]),
        ('"open, end', ['"open, end']),
    ],
)
def test_it_splits_a_list(value: str, items: list[str]) -> None:
    assert split_list(value) == items


@pytest.mark.parametrize(
    ("value", "qualities"),
    [
        ("", {}),
        ("gzip", {"gzip": 1.0}),
        ("br;q=0, gzip", {"br": 0.0, "gzip": 1.0}),
        ("GZIP ; Q=0.5", {"gzip": 0.5}),
        ("a;q=0.001,b;q=1.000,c;q=0.", {"a": 0.001, "b": 1.0, "c": 0.0}),
        ("a;q=1.5,b;q=x,c;q=-1,d;q=0.1234,e;q=,f;q=nan,g", {"g": 1.0}),
        ("text/html;level=1;q=0.3", {"text/html": 0.3}),
        ("a;q=0.2,a;q=0.8,a;q=0.1", {"a": 0.8}),
        (";q=1", {}),
    ],
)
def test_it_reads_qualities(value: str, qualities: dict[str, float]) -> None:
    assert parse_qualities(value) == qualities


def test_the_most_specific_range_decides() -> None:
    accepted = parse_qualities("text/*;q=0.5, text/html;q=0, */*;q=0.1")
    assert [media_quality(accepted, kind) for kind in ("text/html", "text/plain", "image/png")] == [0.0, 0.5, 0.1]
    assert media_quality({}, "text/html") == 0.0


@pytest.mark.parametrize(
    ("accept", "coding"),
    [
        (None, "identity"),
        ("", "identity"),
        ("gzip", "gzip"),
        ("br;q=0, gzip", "gzip"),
        ("gzip;q=0", "identity"),
        ("*", "zstd"),
        ("zstd;q=0, *", "br"),
        ("gzip, br", "br"),
        ("gzip;q=1.0, br;q=0.5", "gzip"),
        ("x-gzip", "gzip"),
        ("identity, gzip;q=0.5", "identity"),
        ("identity;q=0.5, gzip;q=0.5", "gzip"),
        ("identity;q=0", None),
        ("identity;q=0, *;q=0", None),
        ("*;q=0", None),
        ("identity;q=0, gzip", "gzip"),
        ("deflate", "identity"),
    ],
)
def test_it_chooses_an_encoding(accept: str | None, coding: str | None) -> None:
    assert choose_encoding(accept, ("zstd", "br", "gzip")) == coding


def test_it_chooses_identity_where_nothing_else_is_offered() -> None:
    assert choose_encoding("gzip, br", ()) == "identity"
