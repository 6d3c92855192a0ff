"""What a benchmark hands over: text for a page, rows for a short table, and the aims with what became of them."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from operator import truediv
from typing import Any


@dataclass
class Aim:
    """What was to be reached, what was found, and whether that reaches it."""

    aim: str
    found: str
    met: bool


@dataclass
class Findings:
    """``text`` is Markdown; a row is the thing measured, ours, and the peers'; ``figures`` are the bare numbers."""

    text: str
    rows: list[tuple[str, str, str]] = field(default_factory=list)
    aims: list[Aim] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)

    def print(self, *, as_json: bool) -> None:
        print(json.dumps(asdict(self)) if as_json else self.text)


def arguments(doc: str | None, rounds: int) -> argparse.ArgumentParser:
    """The options that every benchmark takes."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON instead of Markdown")
    parser.add_argument("--rounds", type=int, default=rounds, help=f"how often each is measured (default: {rounds})")
    return parser


def progress(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table: words on the left, numbers on the right."""
    lines = [f"| {' | '.join(head)} |", "|---|" + "--:|" * (len(head) - 1)]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines)


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Ours to theirs: the median of the rounds' own ratios, since both of a round had the same neighbours."""
    return statistics.median(map(truediv, ours, theirs))
