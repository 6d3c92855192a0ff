"""Code at a prompt: what it sees, what it may change, and what it prints."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

import pytest

from wheatpaste.middleware.errors.console.completion import completions
from wheatpaste.middleware.errors.console.evaluation import MOST_OUTPUT, run
from wheatpaste.middleware.errors.console.inspection import inspected
from wheatpaste.middleware.errors.console.live import IDLE_SECONDS, MOST_ERRORS, LiveError, LiveErrors
from wheatpaste.testing import Clock

MODULE_NAME = "of the module"


class Basket:
    """What somebody wants to buy."""

    def __init__(self) -> None:
        self.apples = 3
        self.owner = {"name": "Ada"}
        self.password = "hunter2-hunter2"

    @property
    def price(self) -> int:
        raise RuntimeError("a property must not be run")

    def total(self) -> int:
        """How many there are."""
        return self.apples


def failing() -> FrameType:
    local, basket = 42, Basket()
    try:
        raise ValueError(local, basket)
    except ValueError as error:
        return error.__traceback__.tb_frame  # type: ignore[union-attr]


@pytest.fixture
def error() -> LiveError:
    return LiveError({"0.0": failing()}, {})


@pytest.mark.parametrize(
    ("code", "output"),
    [
        ("local", "42\n"),
        ("local + 1", "43\n"),
        ("None", ""),
        ("", ""),
        ("# nothing", ""),
        ("x = local * 2\nx", "84\n"),
        ("print('printed'); local", "printed\n42\n"),
        ("MODULE_NAME", "'of the module'\n"),
        ("[local for _ in range(2)]", "[42, 42]\n"),
        ("import sys\nprint('error', file=sys.stderr)", "error\n"),
        ("basket.total()", "3\n"),
        ("a, b = 1, 2; a + b", "3\n"),
        ("if local:\n    print('yes')\n", "yes\n"),
        ("def twice():\n    return local * 2\n\ntwice()", "84\n"),
        ("(lambda: local)()", "42\n"),
    ],
)
def test_code_sees_the_frame(error: LiveError, code: str, output: str) -> None:
    assert run(error, "0.0", code) == (output, False, False)


def test_what_is_assigned_stays_at_the_prompt(error: LiveError) -> None:
    run(error, "0.0", "local = 'changed'")
    assert run(error, "0.0", "local").output == "'changed'\n"
    run(error, "0.0", "_ + '!'")
    assert run(error, "0.0", "_").output == "'changed!'\n"
    assert error.frames["0.0"].f_locals["local"] == 42
    run(error, "0.0", "global MODULE_NAME; MODULE_NAME = 'changed'")
    assert MODULE_NAME == "of the module"


def test_a_function_sees_what_was_assigned_before(error: LiveError) -> None:
    run(error, "0.0", "y = 5")
    run(error, "0.0", "def f(): return y + local\n")
    assert run(error, "0.0", "f()").output == "47\n"


@pytest.mark.parametrize("code", ["if local:", "def f():", "x = (1,", "'''text"])
def test_what_is_incomplete_wants_more(error: LiveError, code: str) -> None:
    assert run(error, "0.0", code).incomplete


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("1/0", "ZeroDivisionError"),
        ("nosuch", "NameError"),
        ("1 +* 2", "SyntaxError"),
        ("import sys; sys.exit(3)", "SystemExit"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("raise GeneratorExit", "GeneratorExit"),
        ("def f(): f()\nf()", "RecursionError"),
        ("'\\ud800'.encode()", "UnicodeEncodeError"),
        ("class Bad:\n    def __repr__(self): raise RuntimeError('no repr')\n\nBad()", "no repr"),
        (
            "class Worse(Exception):\n    def __str__(self): raise RuntimeError('no text')\n\nraise Worse",
            "Worse",
        ),
        ("\0", "Error"),
    ],
)
def test_what_fails_is_told_and_ends_nothing(error: LiveError, code: str, said: str) -> None:
    outcome = run(error, "0.0", code)
    assert said in outcome.output
    assert outcome.failed
    assert "evaluation.py" not in outcome.output
    assert run(error, "0.0", "local").output == "42\n"


def test_output_is_bounded(error: LiveError) -> None:
    outcome = run(error, "0.0", "for _ in range(100000): print('x' * 100)\n")
    assert len(outcome.output) < MOST_OUTPUT + 200
    assert "cut off" in outcome.output


def test_others_print_where_they_did(error: LiveError, capsys: pytest.CaptureFixture[str]) -> None:
    """Only what the thread of the prompt prints is its output."""
    error.frames["0.0"].f_globals["_print_elsewhere"] = _print_elsewhere
    assert run(error, "0.0", "_print_elsewhere(); print('here')").output == "here\n"
    assert capsys.readouterr().out == "elsewhere\n"
    assert sys.stdout.isatty() in (True, False)


def _print_elsewhere() -> None:
    thread = threading.Thread(target=lambda: sys.stdout.write("elsewhere\n"))
    thread.start()
    thread.join(10)


def test_a_frame_that_is_not_there_is_none(error: LiveError) -> None:
    with pytest.raises(KeyError):
        run(error, "1.0", "1")


def test_the_request_is_current_meanwhile() -> None:
    current: list[str] = []

    @contextlib.contextmanager
    def once() -> Iterator[None]:
        current.append("request")
        yield
        current.pop()

    class Again(contextlib.AbstractContextManager[None]):
        def __enter__(self) -> None:
            self._context = once()
            self._context.__enter__()

        def __exit__(self, *raised: Any) -> None:
            self._context.__exit__(*raised)

    frame = failing()
    frame.f_globals["current"] = current
    error = LiveError({"0.0": frame}, {}, [Again()])
    for _ in range(2):
        assert run(error, "0.0", "list(current)").output == "['request']\n"
        assert current == []


# Completion -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "words"),
    [
        ("loc", ["local", "locals"]),
        ("basket.", ["basket.apples", "basket.owner", "basket.password", "basket.price", "basket.total"]),
        ("print(basket.ap", ["basket.apples"]),
        ("basket.owner.po", ["basket.owner.pop", "basket.owner.popitem"]),
        ("basket.price.", []),
        ("basket.nosuch.", []),
        ("nosuch.", []),
        ("", []),
        ("1 + ", []),
        ("whi", ["while"]),
        ("MODULE_N", ["MODULE_NAME"]),
    ],
)
def test_completion_looks_and_runs_nothing(error: LiveError, before: str, words: list[str]) -> None:
    assert completions(error, "0.0", before) == words


def test_private_names_are_offered_to_who_asks(error: LiveError) -> None:
    assert "basket.__class__" in completions(error, "0.0", "basket.__cl")


# Inspection -----------------------------------------------------------------------------------------------------------


def test_inspection_shows_what_a_value_holds_and_keeps_its_secrets(error: LiveError) -> None:
    found = inspected(error, "0.0", "basket")
    assert found["type"].endswith("Basket")
    assert found["doc"] == "What somebody wants to buy."
    assert "test_console_evaluation.py" in found["source"]
    rows = {row["name"]: row for row in found["attributes"]}
    assert rows["apples"]["text"] == "3"
    assert rows["price"]["type"] == "property"
    assert rows["total()"]["type"] == "method"
    assert "hunter2" not in str(found)


@pytest.mark.parametrize("expression", ["local", "Basket", "failing", "None", "[1] * 1000000", "__builtins__"])
def test_anything_can_be_inspected(error: LiveError, expression: str) -> None:
    found = inspected(error, "0.0", expression)
    assert found["type"]
    assert len(str(found)) < 100_000


# Frames that are kept -------------------------------------------------------------------------------------------------


def test_row_28_the_last_twenty_errors_are_kept(clock: Clock) -> None:
    errors = LiveErrors(clock=clock.monotonic)
    for number in range(1000):
        errors.keep(str(number), LiveError({}, {}))
    assert len(errors) == MOST_ERRORS
    assert errors.find("0") is None
    assert errors.find("999") is not None


def test_row_28_what_nobody_looks_at_goes(clock: Clock) -> None:
    errors = LiveErrors(clock=clock.monotonic)
    errors.keep("seen", LiveError({}, {}))
    errors.keep("unseen", LiveError({}, {}))
    clock.advance(IDLE_SECONDS - 1)
    assert errors.find("seen") is not None
    clock.advance(1)
    assert errors.find("unseen") is None
    assert errors.find("seen") is not None
