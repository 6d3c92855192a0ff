"""What is written of the figures: docs/benchmarks.md, and the table in the README."""

from __future__ import annotations

import datetime
import os
import platform
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from findings import Findings, table

HOW_TO_READ = """\
# Figures

`make bench` measures this and writes this page and the table of the README: the wheel in a fresh environment, with its
peers beside it.

How to read it: peers are measured in the same run, in turns, so that whatever else the machine does falls on all of
them; what counts is the median. Times depend on the machine, and grow when it is busy; what carries over to another
one is how one figure relates to its neighbour. µs are millionths of a second, ms thousandths.
"""


class Measured(NamedTuple):
    """One benchmark: its name, its heading, how it measures, and what it found."""

    name: str
    title: str
    method: str
    findings: Findings


def page(measured: Sequence[Measured], versions: Mapping[str, str]) -> str:
    """The whole of docs/benchmarks.md."""
    aims = [
        (aim.aim, aim.found, "reached" if aim.met else "**missed**") for each in measured for aim in each.findings.aims
    ]
    parts = [
        HOW_TO_READ,
        f"{machine()} {versions_sentence(versions)}\n",
        "## Aims\n",
        f"{table(['aim', 'found', ''], aims)}\n",
    ]
    for each in measured:
        parts += [f"## {each.title}\n", f"{each.method.replace('``', '`')}\n", f"{each.findings.text}\n"]
    return "\n".join(parts)


def short_table(measured: Sequence[Measured]) -> str:
    """The table of the README."""
    rows = [row for each in measured for row in each.findings.rows]
    lines = ["| | wheatpaste | beside it |", "|---|--:|---|", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines)


def place_between(text: str, name: str, measured: Sequence[Measured]) -> str:
    """The text with the table between ``<!-- name -->`` and ``<!-- /name -->``. Raises ``ValueError`` without them."""
    before, opening, rest = text.partition(f"<!-- {name} -->")
    _, closing, after = rest.partition(f"<!-- /{name} -->")
    if not opening or not closing:
        raise ValueError(f"there are no <!-- {name} --> and <!-- /{name} --> to write between")
    return f"{before}{opening}\n\n{short_table(measured)}\n\n{closing}{after}"


def machine() -> str:
    """A sentence about the machine and its Python."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        found = re.search(r"^model name\s*:\s*(.+)$", cpuinfo.read_text(), re.MULTILINE)
        model = found[1] if found else model
    busy = f", load average {os.getloadavg()[0]:.1f} at the end" if hasattr(os, "getloadavg") else ""
    day = datetime.datetime.now(datetime.UTC).date().isoformat()
    return (
        f"Measured on {day} by {platform.python_implementation()} {platform.python_version()} on "
        f"{platform.system()} {platform.release().split('-')[0]}, {os.cpu_count()} cores of {model}{busy}."
    )


def versions_sentence(versions: Mapping[str, str]) -> str:
    return f"Versions: {', '.join(f'{name} {version}' for name, version in versions.items())}."
