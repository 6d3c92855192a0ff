"""Entity tags and preconditions."""

from __future__ import annotations

import pytest

from wheatpaste.protocol.conditional import (
    evaluate,
    is_etag,
    matches_strongly,
    matches_weakly,
    parse_etags,
    range_applies,
)

ETAG, CHANGED = '"e"', 784111777
AT, BEFORE, AFTER = (f"Sun, 06 Nov 1994 08:49:{second} GMT" for second in ("37", "36", "38"))


@pytest.mark.parametrize(
    ("value", "tags"),
    [
        ('"a"', ('"a"',)),
        ('W/"a", "b"', ('W/"a"', '"b"')),
        ('"a","b" ,, "c",', ('"a"', '"b"', '"c"')),
        ('"a,b"', ('"a,b"',)),
        ('""', ('""',)),
        (" * ", ("*",)),
        ("", ()),
        ("a", ()),
        ('"a', ()),
        ('"a" "b"', ()),
        ('w/"a"', ()),
        ('"a b"', ()),
        ('*, "a"', ()),
    ],
)
def test_it_reads_lists_of_tags(value: str, tags: tuple[str, ...]) -> None:
    assert parse_etags(value) == tags


def test_a_long_broken_list_takes_no_long_time() -> None:
    assert parse_etags('"a",' * 50_000 + "x") == ()


def test_it_compares_weakly_and_strongly() -> None:
    table = [('W/"1"', 'W/"1"'), ('W/"1"', 'W/"2"'), ('W/"1"', '"1"'), ('"1"', '"1"')]
    assert [matches_strongly(*row) for row in table] == [False, False, False, True]
    assert [matches_weakly(*row) for row in table] == [True, False, True, True]
    assert is_etag('W/"x"')
    assert not is_etag("x")


@pytest.mark.parametrize(
    ("headers", "outcome"),
    [
        pytest.param({}, "send", id="no condition"),
        pytest.param({"IF_NONE_MATCH": "*"}, "not modified", id="any"),
        pytest.param({"IF_NONE_MATCH": 'W/"e"'}, "not modified", id="a weak tag"),
        pytest.param({"IF_NONE_MATCH": '"x", "e"'}, "not modified", id="one of a list"),
        pytest.param({"IF_NONE_MATCH": '"x"'}, "send", id="another tag"),
        pytest.param({"IF_NONE_MATCH": "garbage"}, "send", id="no tag"),
        pytest.param({"IF_NONE_MATCH": '"x"', "IF_MODIFIED_SINCE": AT}, "send", id="tags decide over dates"),
        pytest.param({"IF_NONE_MATCH": '"e"', "IF_MODIFIED_SINCE": BEFORE}, "not modified", id="also the other way"),
        pytest.param({"IF_MODIFIED_SINCE": AT}, "not modified", id="the same second"),
        pytest.param({"IF_MODIFIED_SINCE": AFTER}, "not modified", id="unchanged since"),
        pytest.param({"IF_MODIFIED_SINCE": BEFORE}, "send", id="changed since"),
        pytest.param({"IF_MODIFIED_SINCE": "yesterday"}, "send", id="a garbage date"),
        pytest.param({"IF_MATCH": '"e"'}, "send", id="the expected tag"),
        pytest.param({"IF_MATCH": "*"}, "send", id="any expected"),
        pytest.param({"IF_MATCH": 'W/"e"'}, "precondition failed", id="a weak tag where a strong one is needed"),
        pytest.param({"IF_MATCH": '"x"'}, "precondition failed", id="another expected tag"),
        pytest.param({"IF_MATCH": '"e"', "IF_UNMODIFIED_SINCE": BEFORE}, "send", id="tags decide here too"),
        pytest.param({"IF_UNMODIFIED_SINCE": BEFORE}, "precondition failed", id="changed meanwhile"),
        pytest.param({"IF_UNMODIFIED_SINCE": AT}, "send", id="not changed meanwhile"),
        pytest.param({"IF_UNMODIFIED_SINCE": "x"}, "send", id="another garbage date"),
        pytest.param({"IF_MATCH": '"e"', "IF_NONE_MATCH": '"e"'}, "not modified", id="both conditions"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_it_evaluates(headers: dict[str, str], outcome: str, method: str) -> None:
    environ = {"REQUEST_METHOD": method} | {f"HTTP_{name}": value for name, value in headers.items()}
    assert evaluate(environ, etag=ETAG, last_modified=CHANGED) == outcome


def test_other_methods_fail_where_reading_is_not_modified() -> None:
    assert evaluate({"REQUEST_METHOD": "PUT", "HTTP_IF_NONE_MATCH": "*"}, etag=ETAG) == "precondition failed"
    assert evaluate({"REQUEST_METHOD": "PUT", "HTTP_IF_MODIFIED_SINCE": AFTER}, last_modified=CHANGED) == "send"


def test_a_representation_without_validators_fails_only_strict_conditions() -> None:
    assert evaluate({"REQUEST_METHOD": "GET", "HTTP_IF_MATCH": '"e"'}) == "precondition failed"
    assert evaluate({"REQUEST_METHOD": "GET", "HTTP_IF_NONE_MATCH": '"e"', "HTTP_IF_MODIFIED_SINCE": AT}) == "send"


@pytest.mark.parametrize(
    ("value", "applies"),
    [
        (None, True),
        ('"e"', True),
        ('"old"', False),
        ('W/"e"', False),
        (AT, True),
        (BEFORE, False),
        (AFTER, False),
        ("garbage", False),
        ("", False),
    ],
)
def test_a_range_applies_only_to_the_very_same_thing(value: str | None, applies: bool) -> None:
    environ = {} if value is None else {"HTTP_IF_RANGE": value}
    assert range_applies(environ, etag=ETAG, last_modified=CHANGED) is applies


def test_a_weak_tag_of_ours_never_lets_a_range_apply() -> None:
    assert not range_applies({"HTTP_IF_RANGE": 'W/"e"'}, etag='W/"e"')
    assert not range_applies({"HTTP_IF_RANGE": AT})
