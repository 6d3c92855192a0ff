"""What commands print, on a terminal and elsewhere."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from wheatpaste.config.problems import Problem
from wheatpaste.scripts.terminal import Terminal, one_line, printable, short_path, wants_color
from wheatpaste.server.failures import Failure, Frame


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "variables", "wanted"),
    [
        pytest.param(Screen(), {}, True, id="a terminal is coloured"),
        pytest.param(io.StringIO(), {}, False, id="a file is not"),
        pytest.param(Screen(), {"NO_COLOR": "1"}, False, id="NO_COLOR"),
        pytest.param(Screen(), {"NO_COLOR": ""}, True, id="NO_COLOR that is empty means nothing"),
        pytest.param(Screen(), {"TERM": "dumb"}, False, id="a dumb terminal"),
        pytest.param(io.StringIO(), {"FORCE_COLOR": "1"}, True, id="FORCE_COLOR"),
    ],
)
def test_colour_is_for_terminals(
    stream: io.StringIO, variables: dict[str, str], wanted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert wants_color(stream) is wanted


def written(failure: Failure | None = None, *problems: Problem, color: bool = False) -> str:
    stream = io.StringIO()
    terminal = Terminal(stream, color=color)
    terminal.problems(problems)
    if failure is not None:
        terminal.failure(failure)
    return stream.getvalue()


def test_problems_come_in_the_order_of_their_lines() -> None:
    later = Problem(what="is bad", fix="write y", file="site.ini", line=9, section="app:main", key="x")
    earlier = Problem(what="is odd", file="site.ini", line=2, severity="warning")
    assert written(None, later, earlier) == ("site.ini:2: warning: is odd\nsite.ini:9: [app:main] x: is bad; write y\n")


def test_a_problem_without_a_place_says_that_it_is_one() -> None:
    assert written(None, Problem(what="is bad")) == "error: is bad\n"


def test_an_exception_is_shown_after_what_led_to_it() -> None:
    failure = Failure(
        "ValueError: b",
        frames=(Frame("app.py", 2, "make", "return int('b')"),),
        notes=("while building [app:main], site.ini:1",),
        cause=Failure("KeyError: 'a'"),
    )
    assert written(failure) == (
        "KeyError: 'a'\n\napp.py:2 in make\n    return int('b')\nValueError: b\n"
        "  while building [app:main], site.ini:1\n"
    )


def test_paint_adds_nothing_without_colour() -> None:
    assert Terminal(io.StringIO(), color=False).paint("a", "red") == "a"
    assert Terminal(io.StringIO(), color=True).paint("a", "red", "bold") == "\x1b[31;1ma\x1b[0m"


def test_control_characters_are_written_out() -> None:
    assert printable("a\x1b[2J\r\n") == "a\\x1b[2J\\r\n"
    assert one_line("a\x1b[2J\r\n\tb") == "a\\x1b[2J\\r\\n\\tb"
    assert "\x1b" not in written(None, Problem(what="says \x1b[2J", file="a\x1b.ini"))


def test_what_the_encoding_lacks_is_escaped() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    Terminal(stream, color=False).line("é → x")
    assert raw.getvalue() == b"\\xe9 \\u2192 x\n"


def test_lines_can_be_kept_as_well() -> None:
    terminal = Terminal(io.StringIO(), color=False)
    terminal.keep()
    terminal.line("a")
    assert terminal.take() == "a\n"
    terminal.line("b")
    assert terminal.take() == ""


def test_paths_are_short_where_that_helps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert short_path(str(tmp_path / "site.ini")) == "site.ini"
    assert short_path("/etc/x.ini") == "/etc/x.ini"
    assert short_path("x.ini") == "x.ini"
