"""The part of the source that failed, as PEP 657 keeps it with the code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from types import CodeType

from ..record import ErrorRecord, Frame, Line, Span
from .source import LONGEST_LINE, Source

Position = tuple[int, int, int, int]
_UNKNOWN = (None, None, None, None)


def position_of(code: CodeType, instruction: int) -> Position | None:
    """Where an instruction (``tb_lasti``) stands: line, column, last line, column there, in bytes; if it is known."""
    if instruction < 0:
        return None
    line, end_line, column, end_column = next(islice(code.co_positions(), instruction // 2, None), _UNKNOWN)
    if line is None or end_line is None or column is None or end_column is None:
        return None
    return line, column, end_line, end_column


def span_of(position: Position | None, source: Source) -> Span | None:
    """The span at a position; None where that says no more than its lines do."""
    if position is None:
        return None
    line, column, end_line, end_column = position
    first, last = source.text(line), source.text(end_line)
    begin, end = _characters(first, column), _characters(last, end_column)
    if end_line < line or (end_line == line and end <= begin) or not first.strip() or end > len(last):
        return None
    if not first[:begin].strip() and not last[end:].strip():
        return None
    return Span(line=line, column=begin, end_line=end_line, end_column=end)


def shown_span(span: Span | None, source: Source, lines: Sequence[Line]) -> Span | None:
    """The span in the lines as they are shown, in which secrets may have moved columns. None if it is not there."""
    if span is None or not lines:
        return None
    first = lines[0].number
    if span.line < first or span.end_line > lines[-1].number or span.column >= LONGEST_LINE:
        return None
    return _in_lines(
        span,
        (source.text(span.line), source.text(span.end_line)),
        (lines[span.line - first].text, lines[span.end_line - first].text),
    )


def _in_lines(span: Span, original: tuple[str, str], shown: tuple[str, str]) -> Span | None:
    begin = _moved(span.column, original[0], shown[0], end=False)
    end = _moved(span.end_column, original[1], shown[1], end=True)
    if begin >= len(shown[0]) or (span.line == span.end_line and end <= begin):
        return None
    return Span(line=span.line, column=begin, end_line=span.end_line, end_column=end)


def moved_spans(before: ErrorRecord, after: ErrorRecord) -> ErrorRecord:
    """The record ``after`` further secrets were hidden in its lines, with the spans that they have now."""
    exceptions = tuple(
        each if each is old else replace(each, frames=tuple(map(_with_moved_span, old.frames, each.frames)))
        for old, each in zip(before.exceptions, after.exceptions, strict=True)
    )
    return replace(after, exceptions=exceptions)


def _with_moved_span(before: Frame, after: Frame) -> Frame:
    if after.span is None or after.lines is before.lines:
        return after
    first = after.lines[0].number
    span = _in_lines(
        after.span,
        (before.lines[after.span.line - first].text, before.lines[after.span.end_line - first].text),
        (after.lines[after.span.line - first].text, after.lines[after.span.end_line - first].text),
    )
    return replace(after, span=span)


def _characters(text: str, count: int) -> int:
    """The compiler counts bytes of UTF-8."""
    if text.isascii():
        return count
    return len(text.encode("utf-8", "replace")[:count].decode("utf-8", "ignore"))


def _moved(column: int, original: str, shown: str, *, end: bool) -> int:
    if original == shown:
        return column
    same = 0
    while same < min(len(original), len(shown)) and original[same] == shown[same]:
        same += 1
    if column <= same:
        return column
    room = min(len(original), len(shown)) - same
    tail = 0
    while tail < room and original[-1 - tail] == shown[-1 - tail]:
        tail += 1
    if column >= len(original) - tail:
        return column - len(original) + len(shown)
    return len(shown) - tail if end else same
