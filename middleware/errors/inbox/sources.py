"""More of the source around a frame than its record holds: of files that own a frame of that error, and no others."""

from __future__ import annotations

import os
import re
from typing import Literal

from ..collect.source import source_of
from ..record import ErrorRecord, Frame, Line

Much = Literal["function", "file"]

MOST_LINES = 5000
MOST_CHARACTERS = 1_000_000

_PLACE = re.compile(r"([0-9]{1,6})\.([0-9]{1,6})")
_HIDDEN = "[redacted"


class NoSource(LookupError):
    """There is no more source to show, for the reason that the message says."""


def source_lines(record: ErrorRecord, place: str, much: Much) -> tuple[Line, ...]:
    """The function around a frame, or the whole file, without secrets.

    ``place`` is ``0.3``: the index of the exception and that of its frame. Only the record says which file that is.
    Raises ``NoSource``, also when the file is no longer the one that failed: its lines would say what did not happen.
    """
    frame = _frame(record, place)
    if not frame.lines or not os.path.isabs(frame.path):
        raise NoSource("the source of this frame was not read")
    source = source_of(frame.path, {})
    if not source.lines:
        raise NoSource("the file cannot be read any more")
    if not _is_unchanged(frame, source.window(frame.lines[0].number, frame.lines[-1].number)):
        raise NoSource("the file has changed since")
    first, last = frame.block if much == "function" and frame.block is not None else (1, len(source.lines))
    if last - first >= MOST_LINES:
        first = max(first, frame.line - MOST_LINES // 2)
        last = min(last, first + MOST_LINES - 1)
    # What a record hides of these lines may be known to be secret from elsewhere in the request.
    known = {line.number: line for line in frame.lines}
    return _bounded(tuple(known.get(line.number, line) for line in source.window(first, last)), frame.line)


def _frame(record: ErrorRecord, place: str) -> Frame:
    found = _PLACE.fullmatch(place)
    if found is None:
        raise NoSource("a frame is written as 0.3: the exception and its frame")
    try:
        return record.exceptions[int(found[1])].frames[int(found[2])]
    except IndexError:
        raise NoSource("the error has no such frame") from None


def _is_unchanged(frame: Frame, present: tuple[Line, ...]) -> bool:
    now = {line.number: line.text for line in present}
    return all(
        now.get(line.number) == line.text or _HIDDEN in line.text or _HIDDEN in now.get(line.number, "")
        for line in frame.lines
    )


def _bounded(lines: tuple[Line, ...], middle: int) -> tuple[Line, ...]:
    """As many lines around the middle as there is room for."""
    if sum(len(line.text) for line in lines) <= MOST_CHARACTERS:
        return lines
    room, kept = MOST_CHARACTERS, []
    for line in sorted(lines, key=lambda line: abs(line.number - middle)):
        room -= len(line.text)
        if room < 0:
            break
        kept.append(line)
    return tuple(sorted(kept, key=lambda line: line.number))
