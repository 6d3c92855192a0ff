"""Text to value, type by type."""

import re
from pathlib import Path
from typing import Any, Literal

import pytest

from wheatpaste.config.values import AppReference, Imported, Seconds, Size, is_reference, name_of, parse, to_text

GOOD: list[tuple[str, Any, Any]] = [
    ("yes", bool, True),
    (" OFF ", bool, False),
    ("12", int, 12),
    ("-3", int, -3),
    ("1.5", float, 1.5),
    ("a  b", str, "a  b"),
    ("", str, ""),
    ("Lax", Literal["lax", "strict"], "lax"),
    ("a b\n c", tuple[str, ...], ("a", "b", "c")),
    ("", tuple[str, ...], ()),
    ("404 405", tuple[int, ...], (404, 405)),
    ("", int | None, None),
    ("7", int | None, 7),
    ("Memory", Literal["memory", "none"] | Path, "memory"),
    ("/srv/x.sqlite", Literal["memory", "none"] | Path, Path("/srv/x.sqlite")),
    ("off", int | Literal["off"], "off"),
    ("7", int | Literal["off"], 7),
    ("30", Seconds, 30.0),
    ("30s", Seconds, 30.0),
    ("500ms", Seconds, 0.5),
    ("5 m", Seconds, 300.0),
    ("2H", Seconds, 7200.0),
    ("1w", Seconds, 604800.0),
    ("512", Size, 512),
    ("64KB", Size, 65536),
    ("1.5k", Size, 1536),
    ("1GiB", Size, 2**30),
    ("os.path:join", Imported, __import__("os").path.join),
    ("wiki", AppReference, "wiki"),
]


@pytest.mark.parametrize(
    ("text", "kind", "value"), GOOD, ids=[f"{text!r} as {name_of(kind)}" for text, kind, _ in GOOD]
)
def test_text_becomes_the_value(text: str, kind: Any, value: Any) -> None:
    assert parse(text, kind) == value


BAD: list[tuple[str, Any, str]] = [
    ("ture", bool, "must be true or false"),
    ("", bool, "must be true or false"),
    ("1.5", int, "must be a whole number"),
    ("nan", float, "must be a finite number"),
    ("inf", float, "must be a finite number"),
    ("x", float, "must be a number"),
    ("none", Literal["lax", "strict"], "must be lax or strict"),
    ("404 x", tuple[int, ...], "must be a whole number"),
    ("soon", Seconds, "must be a duration, such as 30s"),
    ("5 parsecs", Seconds, "has no unit 'parsecs'"),
    ("1e3", Size, "must be a size"),
    ("0.5b", Size, "whole number of bytes"),
    ("", Path, "must not be empty"),
    ("", Literal["memory", "none"] | Path, "must not be empty"),
    ("os.path", Imported, "module:object"),
    ("os.path:nope", Imported, "cannot be imported (AttributeError"),
    ("no_such_module_here:x", Imported, "cannot be imported (ModuleNotFoundError"),
    ("no_such_module_here.at:x", Imported, "start in its folder, or name that in python_path of [wheatpaste]"),
    ("os;evil:x", Imported, "module:object"),
    ("", AppReference, "must not be empty"),
]


@pytest.mark.parametrize(("text", "kind", "phrase"), BAD, ids=[f"{text!r} as {name_of(kind)}" for text, kind, _ in BAD])
def test_a_wrong_text_is_refused_with_a_phrase(text: str, kind: Any, phrase: str) -> None:
    with pytest.raises(ValueError, match=re.escape(phrase)):
        parse(text, kind)


def test_a_path_is_relative_to_the_folder_of_the_file() -> None:
    assert parse("pics/a b", Path, folder="/srv/site") == Path("/srv/site/pics/a b")
    assert parse("/pics", Path, folder="/srv/site") == Path("/pics")


def test_an_import_is_left_alone_when_no_code_may_run() -> None:
    assert parse("no_such_module_here:x", Imported, importing=False) == "no_such_module_here:x"


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (True, bool, "true"),
        (300.0, Seconds, "5m"),
        (90.0, Seconds, "90s"),
        (0.25, Seconds, "250ms"),
        (0.0001, Seconds, "0.0001"),
        (86400.0, Seconds, "1d"),
        (65536, Size, "64KB"),
        (1000, Size, "1000"),
        (2**20, Size, "1MB"),
        (0, Size, "0"),
        (None, int | None, ""),
        (30.0, Seconds | None, "30s"),
        (("a", "b"), tuple[str, ...], "a b"),
        ("lax", Literal["lax", "strict"] | None, "lax"),
        ("memory", Literal["memory", "none"] | Path, "memory"),
        (Path("/srv/x"), Literal["memory", "none"] | Path, "/srv/x"),
        (90.0, Literal["off"] | Seconds, "90s"),
    ],
)
def test_a_value_turns_back_into_the_text_that_means_it(value: Any, kind: Any, text: str) -> None:
    assert to_text(value, kind) == text
    assert parse(text, kind) == value


def test_it_tells_references_from_other_types() -> None:
    assert is_reference(AppReference)
    assert is_reference(AppReference | None)
    assert not is_reference(str)
    assert is_reference(Literal["none"] | AppReference)
    assert not is_reference(Literal["none"] | Path)


def test_it_names_words_and_what_else_may_stand() -> None:
    assert name_of(Literal["memory", "none"] | Path) == "one of memory, none, or path"
