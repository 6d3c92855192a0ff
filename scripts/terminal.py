"""What the commands print: colour for people, none for files, and every problem in the same form."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from ..config.problems import Problem
    from ..server.failures import Failure

_CODES = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "magenta": "35",
    "cyan": "36",
}


def wants_color(stream: TextIO) -> bool:
    """Whether to colour what goes there: a terminal, unless ``NO_COLOR`` or ``TERM=dumb``; ``FORCE_COLOR`` insists."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and os.environ.get("TERM") != "dumb"


class Terminal:
    """Writes lines to a stream (stderr unless told), coloured where that helps."""

    def __init__(self, stream: TextIO | None = None, *, color: bool | None = None) -> None:
        self.stream = sys.stderr if stream is None else stream
        self.kept: list[str] | None = None
        self.color = wants_color(self.stream) if color is None else color

    def paint(self, text: str, *styles: str) -> str:
        """The text in these styles (``bold``, ``dim``, ``red``, …), or as it is."""
        if not self.color or not styles or not text:
            return text
        return f"\x1b[{';'.join(_CODES[style] for style in styles)}m{text}\x1b[0m"

    def line(self, text: str = "") -> None:
        """Write a line and flush it. What the encoding does not know is written as an escape."""
        if self.kept is not None:
            self.kept.append(text + "\n")
        encoding = self.stream.encoding or "utf-8"
        self.stream.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
        self.stream.flush()

    def keep(self) -> None:
        """Keep what is written from now on, until :meth:`take`."""
        self.kept = []

    def take(self) -> str:
        """What was kept; nothing is kept any more."""
        kept, self.kept = self.kept, None
        return "".join(kept or ())

    def error(self, text: str) -> None:
        """Write ``wheatpaste: text`` as an error."""
        self.line(f"{self.paint('wheatpaste:', 'red', 'bold')} {printable(text)}")

    def problem(self, problem: Problem) -> None:
        """Write ``site.ini:14: [section] key: what; fix``, warnings said to be warnings."""
        parts = []
        if problem.file is not None:
            place = printable(short_path(problem.file))
            parts.append(self.paint(f"{place}:{problem.line}:" if problem.line else f"{place}:", "bold"))
        if problem.severity == "warning":
            parts.append(self.paint("warning:", "yellow"))
            parts.append(self.paint(printable(problem.message), "dim"))
        else:
            parts.append(
                printable(problem.message) if problem.file else f"{self.paint('error:', 'red')} {problem.message}"
            )
        self.line(" ".join(parts))

    def problems(self, problems: Iterable[Problem]) -> None:
        """Write problems in the order of their lines."""
        for each in sorted(problems, key=lambda problem: problem.order):
            self.problem(each)

    def failure(self, failure: Failure) -> None:
        """Write why an app does not run."""
        if failure.cause is not None:
            self.failure(failure.cause)
            self.line()
        if failure.problems:
            self.problems(failure.problems)
            return
        for frame in failure.frames:
            inside = f" in {frame.function}" if frame.function and frame.function != "<module>" else ""
            self.line(f"{self.paint(f'{short_path(frame.file)}:{frame.line}', 'bold')}{self.paint(inside, 'dim')}")
            if frame.source:
                self.line(f"    {printable(frame.source)}")
        self.line(self.paint(printable(failure.title), "red"))
        for note in failure.notes:
            self.line(self.paint(f"  {printable(note)}", "dim"))


def short_path(path: str) -> str:
    """The path as seen from the working directory, where that is shorter."""
    if not os.path.isabs(path):
        return path
    try:
        relative = os.path.relpath(path)
    except (OSError, ValueError):  # the working directory is gone
        return path
    return relative if len(relative) < len(path) else path


def printable(text: str) -> str:
    """The text with control characters written out: a terminal obeys them, whoever wrote them."""
    return "".join(letter if letter.isprintable() or letter in "\n\t" else repr(letter)[1:-1] for letter in text)


def one_line(text: str) -> str:
    """The same for what is shown in one line, so that nobody's name or answer passes for another line of ours."""
    return printable(text).replace("\n", "\\n").replace("\t", "\\t")
