"""Words without options are read as argparse reads them, without it."""

from __future__ import annotations

import argparse
import importlib
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from wheatpaste.scripts.main import COMMANDS, Command
from wheatpaste.scripts.parser import Parser
from wheatpaste.scripts.plain_words import UNTOLD, plain_words

LINES = [[], ["site.ini"], ["site.ini", "port=80"], ["site.ini", "a", "b=c", "d"]]


@pytest.mark.parametrize("words", LINES, ids=lambda words: " ".join(words) or "nothing")
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_they_mean_what_argparse_makes_of_them(
    command: Command, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    module = importlib.import_module(f"wheatpaste.scripts.{command.module}")
    found = plain_words(module.arguments, words)
    if found is None:
        return  # it is read by argparse itself
    parser: Any = Parser(command.name, command.sentence)
    parser.has_options = False
    module.arguments(parser)
    assert vars(found) == vars(parser.parse(words))


@pytest.mark.parametrize("words", LINES[1:], ids=" ".join)
def test_those_of_serve_are_read_so(words: list[str]) -> None:
    from wheatpaste.scripts.serve import arguments

    assert plain_words(arguments, words) is not None
    assert plain_words(arguments, [*words, "--quiet"]) is None
    assert plain_words(arguments, []) is None, "argparse says what is missing"


NOT_PLAIN: dict[str, Callable[[Any], Any]] = {
    "an option that must be given": lambda parser: parser.add_argument("--to", required=True),
    "a word of a type": lambda parser: parser.add_argument("count", type=int),
    "a word of few": lambda parser: parser.add_argument("kind", choices=["a"]),
    "a word that may be missing": lambda parser: parser.add_argument("file", nargs="?"),
    "words with others behind": lambda parser: (parser.add_argument("a", nargs="*"), parser.add_argument("b")),
    "a default that is to be read": lambda parser: parser.add_argument("--size", type=int, default="3"),
    "an action of its own": lambda parser: parser.add_argument("--x", action=argparse.BooleanOptionalAction),
    "commands below it": lambda parser: parser.add_subparsers(),
    "one of several": lambda parser: parser.add_mutually_exclusive_group(required=True),
    "fewer words": lambda parser: None,
}


@pytest.mark.parametrize("arguments", NOT_PLAIN.values(), ids=NOT_PLAIN)
def test_what_is_not_plain_is_left_to_argparse(arguments: Callable[[Any], None]) -> None:
    assert plain_words(arguments, ["word"]) is None


def test_what_is_not_shown_is_called_as_by_argparse() -> None:
    assert UNTOLD == argparse.SUPPRESS


def test_a_plain_start_does_without_argparse() -> None:
    code = "import sys; from wheatpaste.scripts.main import main; main(['serve', 'nosuch.ini']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"argparse", "gettext", "locale"} & set(done.stdout.split())
