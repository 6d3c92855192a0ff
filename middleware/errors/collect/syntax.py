"""The place that a ``SyntaxError`` tells of, as a frame of its own behind those that led to it."""

from __future__ import annotations

import ast
from typing import Any

from ..record import Span
from .source import Source, source_of, source_of_text
from .statements import without_warnings

_MOST_TEXT = 2000
_MOST_LINES = 100_000
_MOST_PARSED = 3000  # lines


def place_of_syntax(error: BaseException) -> tuple[str, int, Source, Span | None] | None:
    """File, line, source and span of a syntax error; None for other exceptions, or if it tells nothing.

    Its slots hold whatever somebody put there. Without the file, the source is the line that the exception quotes.
    """
    if not issubclass(type(error), SyntaxError):
        return None
    told = {name: SyntaxError.__dict__[name].__get__(error) for name in _SLOTS}
    line, quoted = told["lineno"], told["text"]
    if type(line) is not int or line < 1:
        return None
    path = told["filename"] if type(told["filename"]) is str else "<string>"
    source = source_of(path, {})
    if type(quoted) is str and source.text(line).strip() != quoted.split("\n")[0].strip():
        # It was not read from this file, or not from what is there now.
        source = source_of_text("\n" * (line - 1) + quoted[:_MOST_TEXT] if line < _MOST_LINES else "")
    if not source.text(line).isascii():
        told |= _precise(told, source)
    return path, line, source, _span(told, line, source)


_SLOTS = ("msg", "filename", "lineno", "offset", "text", "end_lineno", "end_offset")


def _precise(told: dict[str, Any], source: Source) -> dict[str, Any]:
    """The columns in characters: Python counts bytes if it was given bytes, and does not say so."""
    if len(source.lines) > _MOST_PARSED:
        return {}
    try:
        ast.parse(without_warnings("\n".join(source.lines)) + "\n")
    except SyntaxError as again:
        if (again.msg, again.lineno) == (told["msg"], told["lineno"]):
            return {name: getattr(again, name) for name in ("offset", "end_offset")}
    except (ValueError, RecursionError, MemoryError):
        pass
    return {}


def _span(told: dict[str, Any], line: int, source: Source) -> Span | None:
    """Columns count from 1 there, and may be 0, negative, beyond the line or missing."""
    offset, end_line, end = told["offset"], told["end_lineno"], told["end_offset"]
    text = source.text(line)
    if type(offset) is not int or offset < 1 or not text:
        return None
    begin = min(offset - 1, len(text))
    if type(end_line) is not int or end_line < line or end_line > line + 50:
        end_line = line
    finish = min(end - 1, len(source.text(end_line))) if type(end) is int and end > 0 else 0
    if end_line == line and finish <= begin:
        # Where something is missing the mark stands behind the line.
        begin = min(begin, max(len(text) - 1, 0))
        finish = begin + 1
    return Span(line=line, column=begin, end_line=end_line, end_column=finish)
