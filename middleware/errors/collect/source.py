"""The source that a frame ran, as it may be shown: a window of lines, bounded and redacted.

Read from the file, or from the module's loader (zip files), or as somebody left it in ``linecache``. What cannot be
read has no lines. A file is read again when it has changed.
"""

from __future__ import annotations

import io
import linecache
import os
import stat
import tokenize
from collections import OrderedDict
from typing import Any

from ....protocol.redact_source import redact_source
from ....protocol.secret_texts import redact_text
from ..record import Line
from .statements import Statements
from .texts import clean_text

_MOST_BYTES = 5_000_000
_MOST_FILES = 100
LONGEST_LINE = 1000  # characters; what is longer is cut
_OVERLAP = 1000  # so much more of a line is read, so that a secret across its end is recognised
_MARGIN = 15  # lines read around a window, for secrets that begin before it
_MOST_WINDOWS = 60
_CUT = "…"


class Source:
    """The lines of one file, and what is known of its statements."""

    __slots__ = ("_redact", "_windows", "lines", "statements")

    def __init__(self, lines: list[str], *, python: bool = True) -> None:
        self.lines = lines
        self._redact = redact_source if python else redact_text
        self.statements = Statements(lines)
        self._windows: dict[tuple[int, int], tuple[tuple[Line, ...], list[str]]] = {}

    def window(self, first: int, last: int, secrets: list[str] | None = None) -> tuple[Line, ...]:
        """The lines from ``first`` to ``last`` (from 1, both included) that there are, without secrets.

        What was hidden is appended to ``secrets``.
        """
        first, last = max(first, 1), min(last, len(self.lines))
        if first > last:
            return ()
        found = self._windows.get((first, last))
        if found is None:
            if len(self._windows) >= _MOST_WINDOWS:
                self._windows.clear()
            found = self._windows[first, last] = self._redacted(first, last)
        lines, hidden = found
        if secrets is not None:
            secrets += hidden
        return lines

    def text(self, number: int) -> str:
        """One line as it was read; empty if there is none."""
        return self.lines[number - 1] if 0 < number <= len(self.lines) else ""

    def _redacted(self, first: int, last: int) -> tuple[tuple[Line, ...], list[str]]:
        hidden: list[str] = []
        begin, end = max(first - 1 - _MARGIN, 0), min(last + _MARGIN, len(self.lines))
        original = [clean_text(line[: LONGEST_LINE + _OVERLAP]) for line in self.lines[begin:end]]
        shown = keep_lines(original, self._redact("\n".join(original), hidden))
        lines = tuple(
            Line(number=number, text=_cut(shown[number - 1 - begin], self.lines[number - 1]))
            for number in range(first, last + 1)
        )
        return lines, hidden


def keep_lines(original: list[str], redacted: str) -> list[str]:
    """The lines of a redacted text, as many as there were: what was hidden across lines leaves empty ones."""
    shown = redacted.split("\n")
    if len(shown) == len(original):
        return shown
    same = 0
    while same < min(len(shown), len(original)) and shown[-1 - same] == original[-1 - same]:
        same += 1
    tail = shown[len(shown) - same :]
    head = shown[: len(shown) - same][: len(original) - same]
    return head + [""] * (len(original) - same - len(head)) + tail


def _cut(text: str, original: str) -> str:
    if len(text) <= LONGEST_LINE and len(original) <= LONGEST_LINE + _OVERLAP:
        return text
    return text[:LONGEST_LINE] + _CUT


_files: OrderedDict[str, tuple[tuple[int, int], Source]] = OrderedDict()
_NOTHING = Source([])


def source_of(path: str, module: dict[str, Any]) -> Source:
    """The source with this path; ``module`` are the globals of its code, whose loader may know it."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return _source_from_loader(path, module)
    # A pipe or a device would never end.
    if not stat.S_ISREG(status.st_mode) or status.st_size > _MOST_BYTES:
        return _NOTHING
    mark = (status.st_mtime_ns, status.st_size)
    known = _files.get(path)
    if known is not None and known[0] == mark:
        return known[1]
    try:
        with open(path, "rb") as file:
            # Templates are asked for without a module.
            source = Source(lines_of(file.read(_MOST_BYTES)), python=bool(module) or path.endswith(".py"))
    except OSError:
        return _NOTHING
    _files[path] = (mark, source)
    while len(_files) > _MOST_FILES:
        try:
            _files.popitem(last=False)
        except KeyError:  # another thread was faster
            break
    return source


def source_of_text(text: str, *, python: bool = True) -> Source:
    """A source that is known as text, such as that of a template (then not ``python``)."""
    return Source(_split(text[:_MOST_BYTES]), python=python)


def lines_of(content: bytes) -> list[str]:
    """The lines of a Python file, decoded as it declares (PEP 263); where that is a lie, as well as possible."""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
        text = content.decode(encoding, "replace")
    except (SyntaxError, LookupError, ValueError):  # an unknown encoding, or two that contradict each other
        text = content.decode("latin-1")
    return _split(text)


def _split(text: str) -> list[str]:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if not lines[-1]:
        lines.pop()
    return lines


def _source_from_loader(path: str, module: dict[str, Any]) -> Source:
    try:
        lines = linecache.getlines(path, module)
    except Exception:  # noqa: BLE001 - loaders are anybody's code; without them there are just no lines
        return _NOTHING
    return source_of_text("".join(lines)) if lines else _NOTHING
