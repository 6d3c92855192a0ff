from __future__ import annotations

import configparser
import os
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from ordinary_rights import ordinary_rights

from wheatpaste.config.ini import MAX_BYTES, IniFile, read, read_path


def plain(file: IniFile) -> dict[str, dict[str, str]]:
    return {
        "DEFAULT": {key: option.text for key, option in file.defaults.options.items()},
        **{
            header: {key: option.text for key, option in section.options.items()}
            for header, section in file.sections.items()
        },
    }


def by_configparser(text: str) -> dict[str, dict[str, str]] | None:
    parser = configparser.RawConfigParser()
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    try:
        parser.read_string(text)
    except configparser.Error:
        return None
    raw: Any = parser
    return {"DEFAULT": dict(raw._defaults), **{name: dict(raw._sections[name]) for name in parser.sections()}}


PIECES = [
    *(
        "[app:main]",
        "[app: x ]",
        "[DEFAULT]",
        "[]",
        "[a] b]",
        "[",
        "]",
        "key",
        "Key",
        "=",
        ":",
        " = ",
        "value",
        "set x",
    ),
    *(" ", "  ", "\t", "\n", "\n", "\n", "\n  ", "#", ";", "# note", "; note", "%(x)s", "/v2.1/+"),
    *("é", "\x0b", "\x1f", "\u2028", "\r\n", "\r"),
]


@settings(max_examples=1500, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
@example("[a]\nk = 1\n\n  2\n\n\n  3\n\n[b]\nk =\n  1\n# c\n  2")
@example("[a]\n  k = 1\n   2\n  l = 3\n m = 4")
@example("[a]\nk = 1\n  [b]\n")
def test_it_agrees_with_configparser(text: str) -> None:
    # Line ends become \n before configparser sees them, as a file opened as text has them.
    expected = by_configparser(text.replace("\r\n", "\n").replace("\r", "\n"))
    file = read(text, "/x.ini")
    if expected is None:
        assert file.problems
    else:
        assert not file.problems
        assert plain(file) == expected
        assert list(file.sections) == [name for name in expected if name != "DEFAULT"]


@settings(max_examples=500, deadline=None)
@given(st.text())
def test_no_text_makes_it_raise(text: str) -> None:
    read(text, "/x.ini")


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        pytest.param("[a]\nk = v", "k", "v", id="an equals sign delimits"),
        pytest.param("[a]\n/v2.1/+: app", "/v2.1/+", "app", id="a colon delimits"),
        pytest.param("[a]\nMixedCase = v", "MixedCase", "v", id="keys keep their case"),
        pytest.param("[a]\nk = 1 ; c", "k", "1 ; c", id="a comment after a value is part of it"),
        pytest.param("[a]\nk =", "k", "", id="a value may be empty"),
        pytest.param("[a]\nk =\n  one\n# comment\n  two", "k", "\none\ntwo", id="comments inside a list are dropped"),
        pytest.param("[a]\nk = one\n\n  two", "k", "one\n\ntwo", id="blank lines inside a value are kept"),
        pytest.param(
            "[a]\nhttp://host/path = app", "http://host/path", "app", id="a URL key is cut at its equals sign"
        ),
        pytest.param("[a]\nHTTPS://[::1]:8443/x = app", "HTTPS://[::1]:8443/x", "app", id="a URL key may hold IPv6"),
        pytest.param("[a]\ndomain [::1] port 80 /x = app", "domain [::1] port 80 /x", "app", id="so may a domain key"),
        pytest.param("[a]\nhttp: x = y", "http", "x = y", id="a key called http is still cut at its colon"),
        pytest.param("\ufeff[a]\nk = v", "k", "v", id="a byte order mark is ignored"),
    ],
)
def test_a_line_is_read_as(text: str, key: str, value: str) -> None:
    file = read(text, "/x.ini")
    assert not file.problems
    assert {key: option.text for key, option in file.sections["a"].options.items()} == {key: value}


def test_each_word_of_a_list_knows_its_line() -> None:
    file = read("[pipeline:main]\npipeline = one\n\n   two three\n# not this\n   four\n", "/x.ini")
    option = file.sections["pipeline:main"].options["pipeline"]
    assert list(option.words()) == [("one", 2), ("two", 4), ("three", 4), ("four", 6)]


def test_a_section_knows_its_parts() -> None:
    section = read("\n[app: main ]", "/x.ini").sections["app: main "]
    assert (section.prefix, section.name, section.line) == ("app", "main", 2)


def test_a_bare_header_has_no_name() -> None:
    file = read("[app]\n[app:]", "/x.ini")
    assert [each.header for each in file.find("app", None)] == ["app"]
    assert [each.header for each in file.find("app", "")] == ["app:"]


def test_all_mistakes_are_reported_at_once_with_their_lines() -> None:
    text = "stray = 1\n[a]\nk = 1\nk = 2\nno delimiter\n= nothing\n[a]\nother one\n"
    found = [(problem.line, problem.code) for problem in read(text, "/x.ini").problems]
    assert found == [
        (1, "no-section"),
        (4, "duplicate-key"),
        (5, "no-delimiter"),
        (6, "no-key"),
        (7, "duplicate-section"),
        (8, "no-delimiter"),
    ]


def test_a_duplicate_names_the_line_of_the_first() -> None:
    problems = read("[a]\nk = 1\n\nk = 2\n[a]\n", "/x.ini").problems
    assert ["line 2" in problems[0].what, "line 1" in problems[1].what] == [True, True]


def test_DEFAULT_may_stand_twice() -> None:
    file = read("[DEFAULT]\na = 1\n[x]\n[DEFAULT]\nb = 2\n", "/x.ini")
    assert not file.problems
    assert list(file.defaults.options) == ["a", "b"]


@pytest.mark.parametrize(
    ("data", "code", "line"),
    [
        pytest.param(b"\x7fELF\0\0\0\xff", "not-text", None, id="a program"),
        pytest.param(b"[a]\nk = \0\n", "not-text", 2, id="a zero byte"),
        pytest.param("[a]\nk = 1\n".encode("utf-16"), "not-utf-8", None, id="UTF-16"),
        pytest.param("[a]\nk = é\n".encode("latin-1"), "not-utf-8", 2, id="Latin-1"),
    ],
)
def test_what_is_no_utf8_text_is_one_clear_problem(tmp_path: Path, data: bytes, code: str, line: int | None) -> None:
    path = tmp_path / "x.ini"
    path.write_bytes(data)
    (problem,) = read_path(str(path)).problems
    assert (problem.code, problem.line) == (code, line)


def test_a_byte_order_mark_in_a_file_is_ignored(tmp_path: Path) -> None:
    path = tmp_path / "x.ini"
    path.write_bytes(b"\xef\xbb\xbf[a]\r\nk = 1\r\n")
    assert plain(read_path(str(path)))["a"] == {"k": "1"}


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "x.ini"
    with path.open("wb") as stream:
        stream.truncate(100 * 1024 * 1024)
    started = time.process_time()
    (problem,) = read_path(str(path)).problems
    assert problem.code == "too-large"
    assert f"{MAX_BYTES >> 20} MB" in problem.what
    assert time.process_time() - started < 1


def test_a_missing_file_names_the_one_that_was_meant(tmp_path: Path) -> None:
    (tmp_path / "production.ini").touch()
    (problem,) = read_path(str(tmp_path / "producton.ini")).problems
    assert problem.code == "missing-file"
    assert "production.ini" in problem.fix


def test_a_directory_is_called_one(tmp_path: Path) -> None:
    (problem,) = read_path(str(tmp_path)).problems
    assert problem.code == "not-a-file"


@pytest.mark.skipif(os.name != "posix", reason="on Windows a mode does not keep a file from being read")
def test_a_file_that_may_not_be_read_says_so(tmp_path: Path) -> None:
    path = tmp_path / "x.ini"
    path.touch(mode=0)
    with ordinary_rights():
        (problem,) = read_path(str(path)).problems
    assert problem.code == "unreadable-file"


def test_a_path_with_a_zero_byte_is_a_problem() -> None:
    (problem,) = read_path("/tmp/a\0b.ini").problems
    assert problem.code == "unreadable-file"


def test_the_file_is_announced_before_it_is_opened(tmp_path: Path) -> None:
    announced: list[str] = []
    read_path(str(tmp_path / "none.ini"), announced.append)
    assert announced == [str(tmp_path / "none.ini")]


def test_ten_thousand_sections_take_no_longer_each_than_a_thousand() -> None:
    def took(count: int) -> float:
        text = "".join(f"[app:a{number}]\nuse = egg:X\nkey = {number}\n\n" for number in range(count))
        started = time.process_time()
        file = read(text, "/x.ini")
        assert file.find("app", f"a{count - 1}")
        return time.process_time() - started

    small = min(took(1000) for _ in range(3))
    large = min(took(10000) for _ in range(3))
    # Ten times as long; a quadratic search would take a hundred times as long.
    assert large < 40 * small


def test_a_value_of_a_hundred_thousand_lines_is_read_in_a_moment() -> None:
    started = time.process_time()
    file = read("[a]\nk =\n" + "  word\n" * 100_000, "/x.ini")
    assert len(list(file.sections["a"].options["k"].words())) == 100_000
    assert time.process_time() - started < 5
