"""The source of a frame on the page: its lines, cut around what failed, with the values of the parts of that line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from markupsafe import Markup

from ..record import Frame, Line, Shown, Span
from .outline import carets
from .templates import template

_MOST_VALUES = 8
_LONGEST = 120  # characters of a value beside the source; the whole stands among the variables

_Key = tuple[tuple[Line, ...], int, Span | None, tuple[Shown, ...]]


@dataclass(frozen=True, slots=True)
class Piece:
    """A line of source, cut around what failed in it."""

    number: int
    before: str
    marked: str = ""
    after: str = ""
    failing: bool = False
    values: tuple[Shown, ...] = ()


class Sources:
    """HTML of lines, made once for those that several frames share: rounds of a recursion, members of a group."""

    def __init__(self) -> None:
        self._made: dict[_Key, Markup] = {}

    def __call__(self, frame: Frame) -> Markup:
        """The lines of this frame."""
        key = (frame.lines, frame.line, frame.span, frame.expressions)
        made = self._made.get(key)
        if made is None:
            made = self._made[key] = Markup(template("page_source.html").render(lines=pieces(frame)))
        return made


def pieces(frame: Frame) -> Iterator[Piece]:
    """The lines of a frame. The values stand with the last line that failed."""
    first, last = (frame.line, frame.line) if frame.span is None else (frame.span.line, frame.span.end_line)
    last = max([line.number for line in frame.lines if line.number <= last], default=last)
    for line in frame.lines:
        if not first <= line.number <= last:
            yield Piece(line.number, line.text)
            continue
        marked = carets(frame, line.number, line.text)
        start, end = marked or (len(line.text), len(line.text))
        values = tuple(map(_beside, frame.expressions[:_MOST_VALUES])) if line.number == last else ()
        yield Piece(line.number, line.text[:start], line.text[start:end], line.text[end:], True, values)


def _beside(value: Shown) -> Shown:
    if len(value.text) <= _LONGEST:
        return value
    return Shown(name=value.name, text=value.text[:_LONGEST] + "…", type=value.type)
