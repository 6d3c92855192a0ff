"""How users, groups, tokens and the like are printed: in columns for people, as JSON for programs."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .places import dump
from .terminal import Terminal, one_line


def print_rows(
    rows: Iterable[Mapping[str, Any]], columns: Sequence[str], options: argparse.Namespace, *, none: str
) -> None:
    """Print those values of rows that ``columns`` name, or with ``--json`` all; ``none`` where there are no rows.

    On a terminal the columns have names above them; programs are not to take those for a row.
    """
    rows = list(rows)
    if options.json:
        dump(rows)
        return
    terminal = Terminal(sys.stdout)
    if not rows:
        terminal.line(none)
        return
    cells = [[_cell(row[column]) for column in columns] for row in rows]
    # A column in which nobody has anything says nothing.
    shown = [number for number in range(len(columns)) if number == 0 or any(line[number] for line in cells)]
    headed = sys.stdout.isatty()
    widths = {
        number: max(len(line[number]) for line in (*cells, *([list(columns)] if headed else []))) for number in shown
    }
    if headed:
        terminal.line(
            terminal.paint("  ".join(f"{columns[number]:<{widths[number]}}" for number in shown).rstrip(), "dim")
        )
    for line in cells:
        texts = [f"{line[number]:<{widths[number]}}" for number in shown]
        terminal.line("  ".join([terminal.paint(texts[0], "bold"), *texts[1:]]).rstrip())


def print_one(values: Mapping[str, Any], options: argparse.Namespace) -> None:
    """Print what is known of one thing: a line for each value that there is."""
    if options.json:
        dump(values)
        return
    terminal = Terminal(sys.stdout)
    cells = {name.replace("_", " "): _cell(value) for name, value in values.items()}
    width = max(map(len, cells))
    for name, text in cells.items():
        if text:
            terminal.line(f"{terminal.paint(f'{name:<{width}}', 'dim')}  {text}")


def are(names: Sequence[str]) -> str:
    """``bob is``, or ``bob, kim are``."""
    return f"{', '.join(names)} {'is' if len(names) == 1 else 'are'}"


def have(names: Sequence[str]) -> str:
    """``bob has``, or ``bob, kim have``."""
    return f"{', '.join(names)} {'has' if len(names) == 1 else 'have'}"


def say(sentence: str, options: argparse.Namespace, **data: Any) -> None:
    """Print that something was done; with ``--json``, what it has come to."""
    if options.json:
        dump(data)
    else:
        Terminal(sys.stdout).line(one_line(sentence))


class Moment(float):
    """A time in seconds since 1970, which people read as date and time."""


def moment(seconds: float | None) -> Moment | None:
    """A time for :func:`print_rows`."""
    return None if seconds is None else Moment(seconds)


def _cell(value: Any) -> str:
    if value is None or value is False:
        return ""
    if value is True:
        return "yes"
    if isinstance(value, Moment):
        return time.strftime("%Y-%m-%d %H:%M", time.localtime(value))
    if isinstance(value, list | tuple | set | frozenset):
        return one_line(", ".join(map(str, value)))
    return one_line(str(value))
