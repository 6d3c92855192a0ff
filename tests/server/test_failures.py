"""What stopped an app is told with the app's lines, without ours and without secrets."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from wheatpaste.config.loadwsgi import loadapp
from wheatpaste.config.problems import ConfigError, Problem
from wheatpaste.server.failures import Failure, ending_of, failure_of

Fails = Callable[[str], Failure]


@pytest.fixture
def fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fails]:
    """Writes a module ``broken_app``, loads it through an INI file, and returns how that failed."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def load(source: str) -> Failure:
        (tmp_path / "broken_app.py").write_text(source)
        (tmp_path / "site.ini").write_text("[app:main]\npaste.app_factory = broken_app:make\n")
        importlib.invalidate_caches()
        with pytest.raises(BaseException) as caught:  # noqa: PT011 - each test says what it was
            loadapp(f"config:{tmp_path / 'site.ini'}")
        return failure_of(caught.value)

    yield load
    sys.modules.pop("broken_app", None)


def app_frames(failure: Failure) -> list[tuple[str, int]]:
    here = Path(__file__).name
    return [(Path(frame.file).name, frame.line) for frame in failure.frames if Path(frame.file).name != here]


def test_only_the_app_s_frames_are_shown(fails: Fails) -> None:
    failure = fails("def make(global_conf):\n    return inner()\n\ndef inner():\n    return 1 / 0\n")
    assert failure.title == "ZeroDivisionError: division by zero"
    assert app_frames(failure) == [("broken_app.py", 2), ("broken_app.py", 5)]
    assert failure.frames[-1].source == "return 1 / 0"


def test_it_says_what_was_being_built(fails: Fails) -> None:
    failure = fails("def make(global_conf):\n    raise ValueError('no')\n")
    assert "while building [app:main]" in failure.notes[0]
    assert "site.ini:1" in failure.notes[0]


def test_a_syntax_error_names_its_line(fails: Fails) -> None:
    failure = fails("\n\ndef make(:\n")
    assert app_frames(failure)[-1] == ("broken_app.py", 3)
    assert failure.title.startswith("SyntaxError: ")


def test_the_error_before_it_is_told_too(fails: Fails) -> None:
    failure = fails(
        "def make(g):\n    try:\n        {}['a']\n    except KeyError as e:\n        raise ValueError('b') from e\n"
    )
    assert failure.cause is not None
    assert failure.cause.title == "KeyError: 'a'"
    assert app_frames(failure.cause) == [("broken_app.py", 3)]


def test_an_import_that_exits_shows_where(fails: Fails) -> None:
    failure = fails("import sys\nsys.exit(3)\n")
    assert failure.is_configuration
    assert "called sys.exit" in failure.problems[0].what
    assert failure.cause is not None
    assert app_frames(failure.cause)[-1] == ("broken_app.py", 2)


def test_secrets_are_hidden(fails: Fails) -> None:
    failure = fails(
        "def make(g):\n    password = 'hunter2hunter2'; raise ValueError('postgres://me:hunter2hunter2@db/x')\n"
    )
    assert "hunter2hunter2" not in repr(failure)


def test_an_exception_that_cannot_say_what_it_is_is_named(fails: Fails) -> None:
    failure = fails(
        "class Odd(Exception):\n    def __str__(self):\n        raise RuntimeError\n\ndef make(g):\n    raise Odd\n"
    )
    assert failure.title == "broken_app.Odd"


def test_a_mistake_of_ours_shows_our_frames() -> None:
    error = KeyError("x")
    failure = failure_of(error)
    assert "report it" in failure.notes[0]


def test_problems_are_kept_as_they_are() -> None:
    problem = Problem(what="is wrong", file="/x/site.ini", line=3)
    failure = failure_of(ConfigError(problem))
    assert failure.problems == (problem,)
    assert failure.title == "The configuration has a problem"
    assert failure.files == ("/x/site.ini",)


def test_an_ending_names_the_code_or_the_signal() -> None:
    assert ending_of(3).title == "The app's process ended with exit code 3"
    assert ending_of(-9).title == "The app's process was ended by signal 9"
