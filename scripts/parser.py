"""The parser of a command's words and options, and the width of its help."""

from __future__ import annotations

import argparse
import functools
import os
import sys
from typing import NoReturn


class Parser(argparse.ArgumentParser):
    """An argument parser that takes options before, between and after the words."""

    def __init__(self, prog: str, sentence: str) -> None:
        super().__init__(prog=prog, description=sentence, formatter_class=_formatter, allow_abbrev=False)

    def parse(self, words: list[str]) -> argparse.Namespace:
        """Read the words. Ends by ``SystemExit`` after ``--help`` and on mistakes, which it prints."""
        for action in self._actions:
            if action.nargs == argparse.ZERO_OR_MORE:
                action.required = False  # or messages call words required that may be left out
        rest = any(action.nargs in (argparse.PARSER, argparse.REMAINDER) for action in self._actions)
        if rest or not any(word.startswith("-") for word in words):
            options, unknown = self.parse_known_args(words)
        else:
            options, unknown = self.parse_known_intermixed_args(words)
        if unknown:
            self._refuse(unknown)
        return options

    def _refuse(self, unknown: list[str]) -> NoReturn:
        from ..config.problems import nearest

        hints = [
            f"; did you mean {meant}?"
            for word in unknown
            if word.startswith("--") and (meant := nearest(word.partition("=")[0], self._option_string_actions))
        ]
        self.error(f"unrecognized arguments: {' '.join(unknown)}{''.join(hints[:1])}")

    def error(self, message: str) -> NoReturn:
        """Print what is wrong, and end with 2."""
        print(f"{self.prog}: {message} (see {self.prog} --help)", file=sys.stderr)
        raise SystemExit(2)


def _formatter(prog: str) -> argparse.HelpFormatter:
    return argparse.RawDescriptionHelpFormatter(prog, width=_width())


@functools.cache
def _width() -> int:
    """How wide a text may be; argparse would import shutil for it, and ask anew for each option."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal():
        return max(20, int(columns) - 2)
    try:
        return max(20, (os.get_terminal_size(1).columns or 80) - 2)
    except OSError:  # it goes to a file
        return 78
