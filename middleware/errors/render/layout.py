"""What of a record stands where on the page for developers, and how much of it there is room for.

The last call comes first, because it is where one looks first: the frame that matters is then near the top, and what
it called into a library is one line above it. The page is bounded, whatever the record holds: what matters most gets
room first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from ..record import ErrorRecord, Frame, Raised, Shown
from .editor import is_on_disk
from .outline import branches, unseen
from .room import Room, size

MOST_EXCEPTIONS = 60
"""More are not shown: each level of nested groups takes nine frames of the stack, and a page is read by people."""

ROOM_FOR_ROWS = 120_000
"""Bytes of HTML for the rows that name a frame each."""
ROOM_FOR_FRAMES = 420_000
"""Bytes of HTML for source and variables, over all frames."""
ROOM_FOR_TEXTS = 100_000
"""Bytes for messages, notes, suggestions and attributes, over all exceptions."""
_MESSAGE = 8_000  # characters
_NOTE = 2_000
_NOTES = 20
_ROW = 700  # bytes of markup around the names of a frame
_LINE = 60  # around a line of source
_VARIABLE = 75  # around a variable
_OWN_IN_A_ROW = 12  # more own frames than these, one after the other, are folded, too
_FIRST_OF_OWN = 8
_NAME = 120  # characters of the name of an attribute


@dataclass(frozen=True, slots=True)
class Call:
    """A frame: its id (``0.3``, exception and frame), whether there is room for its source, and what is said of it.

    Between it and the one that it called ``gap`` frames were left out. ``in_file``: there may be more source.
    """

    id: str
    frame: Frame
    focus: bool = False
    text: str = ""
    room: bool = True
    repeated: str = ""
    gap: int = 0
    column: int = 1
    in_file: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """Frames that are folded into one line."""

    label: str
    calls: tuple[Call, ...]
    concealed: bool = False


@dataclass(slots=True)
class Part:
    """An exception with its texts and frames, as far as there is room for them, and the exceptions below it: members
    of a group, and the chain of those that led to it.
    """

    index: int
    raised: Raised
    title: str = ""
    root: bool = False
    message: str = ""
    notes: list[str] = field(default_factory=list)
    suggestions: list[str] = field(default_factory=list)
    attributes: list[Shown] = field(default_factory=list)
    rows: list[Call | Run] = field(default_factory=list)
    left_out: int = 0
    members: list[Part] = field(default_factory=list)
    chain: list[Part] = field(default_factory=list)

    @property
    def place(self) -> str:
        """``shop/views.py:12`` of the frame that matters, or nothing."""
        if self.raised.focus is None or self.raised.focus >= len(self.raised.frames):
            return ""
        frame = self.raised.frames[self.raised.focus]
        return f"{frame.file}:{frame.line}" if frame.line else frame.file

    @property
    def hidden(self) -> int:
        """How many frames hide themselves."""
        return sum(frame.hidden for frame in self.raised.frames)

    def walk(self) -> Iterator[Part]:
        """This exception and all below it, in the order of the page."""
        yield self
        for each in (*self.members, *self.chain):
            yield from each.walk()


def parts(record: ErrorRecord) -> Part:
    """The tree of exceptions, from the one that arrived. Only groups nest: a chain of causes is a flat list."""
    rows, whole = _room(record)
    root = record.root
    made: dict[int, Part] = {}
    heads: dict[int, Part] = {}  # by exception: the one at the beginning of its chain
    texts = Room(ROOM_FOR_TEXTS)
    before = -1
    for branch in islice(branches(record), MOST_EXCEPTIONS):
        index, raised = branch.index, branch.raised
        part = made[index] = Part(index, raised, root=raised is root and index > 0)
        _say(part, texts)
        part.rows, left_out = _rows(index, raised, rows, whole)
        part.left_out = left_out + unseen(raised)
        parent = raised.parent
        if parent is None or parent not in made:
            heads[index] = part
        elif raised.relation == "member":
            heads[index] = part
            made[parent].members.append(part)
        else:
            part.title = _title(raised, "" if parent == before else made[parent].raised.name)
            heads[index] = heads[parent]
            heads[parent].chain.append(part)
        before = index
    return made[0]


def _say(part: Part, texts: Room) -> None:
    raised = part.raised
    part.message = texts.cut(raised.message, _MESSAGE)
    part.suggestions = [texts.cut(text, _NOTE) for text in raised.suggestions[:_NOTES]]
    part.notes = [texts.cut(text, _NOTE) for text in raised.notes[:_NOTES]]
    for each in raised.attributes[:_NOTES]:
        part.attributes.append(Shown(name=each.name[:_NAME], text=texts.cut(each.text, _NOTE), type=each.type[:_NAME]))


def _title(raised: Raised, of: str) -> str:
    if raised.relation == "cause":
        return f"{of} was caused by" if of else "Caused by"
    return f"{of} was raised while handling" if of else "Raised while handling"


# --- rows ------------------------------------------------------------------------------------------------------------


def _rows(
    index: int, raised: Raised, rows: set[tuple[int, int]], whole: set[tuple[int, int]]
) -> tuple[list[Call | Run], int]:
    repeated = {fold.after: _repeated(fold.frames, fold.times) for fold in raised.folds}
    gaps = {gap.after: gap.frames for gap in raised.gaps}
    found: list[Call | Run] = []
    run: list[Call] = []
    left_out = 0
    for place in range(len(raised.frames) - 1, -1, -1):
        frame = raised.frames[place]
        if (index, place) not in rows:
            left_out += 1
            continue
        call = _call(index, place, raised, (index, place) in whole, repeated.get(place, ""), gaps.get(place, 0))
        alone = call.focus or bool(call.repeated or call.gap)
        if run and (alone or frame.own != run[-1].frame.own):
            found += _folded(run)
            run = []
        if alone:
            found.append(call)
        else:
            run.append(call)
    found += _folded(run)
    return found, left_out


def _repeated(frames: int, times: int) -> str:
    what = "The frame below" if frames == 1 else f"The {frames} frames below"
    return f"{what} ran {times} more time{'s' if times != 1 else ''}"


def _folded(run: list[Call]) -> list[Call | Run]:
    if not run:
        return []
    if run[0].frame.own:
        if len(run) <= _OWN_IN_A_ROW:
            return [*run]
        rest = run[_FIRST_OF_OWN:]
        return [*run[:_FIRST_OF_OWN], Run(f"{len(rest)} more frames of your own", tuple(rest))]
    visible = [call for call in run if not call.frame.hidden]
    if len(run) == 1:
        return [*run]
    shown = visible or run
    owners = list(dict.fromkeys(call.frame.package or "other code" for call in shown))
    if len(owners) > 3:
        owners[2:] = [f"{len(owners) - 2} more packages"]
    names = owners[0] if len(owners) == 1 else f"{', '.join(owners[:-1])} and {owners[-1]}"
    plural = "s" if len(shown) != 1 else ""
    return [Run(f"{len(shown)} frame{plural} in {names}", tuple(run), concealed=not visible)]


def _call(index: int, place: int, raised: Raised, room: bool, repeated: str, gap: int) -> Call:
    frame = raised.frames[place]
    failing = next((line.text.strip() for line in frame.lines if line.number == frame.line), "")
    if frame.span is not None and frame.span.end_line > frame.span.line:
        failing += " …"
    return Call(
        id=f"{index}.{place}",
        frame=frame,
        focus=place == raised.focus,
        text=failing,
        room=room,
        repeated=repeated,
        gap=gap,
        in_file=frame.language != "syntax" and is_on_disk(frame.path),
        column=frame.span.column + 1 if frame.span is not None else 1,
    )


# --- room ------------------------------------------------------------------------------------------------------------


def _room(record: ErrorRecord) -> tuple[set[tuple[int, int]], set[tuple[int, int]]]:
    """Which frames get a row, and which of them their source and variables."""
    rows: set[tuple[int, int]] = set()
    whole: set[tuple[int, int]] = set()
    for_rows, for_frames = Room(ROOM_FOR_ROWS), Room(ROOM_FOR_FRAMES)
    for index, place in _by_importance(record):
        frame = record.exceptions[index].frames[place]
        if not for_rows.takes(_ROW + 2 * size(frame.path, frame.file, frame.function, frame.package)):
            break
        rows.add((index, place))
        if for_frames.left:
            if for_frames.takes(_cost(frame)):
                whole.add((index, place))
            else:
                for_frames.left //= 2  # what comes later matters less, and each look costs time
    return rows, whole


def _by_importance(record: ErrorRecord) -> Iterator[tuple[int, int]]:
    """The frames that matter of all exceptions, then the project's own, then the others; the last calls first."""
    exceptions = record.exceptions
    focus = {(index, each.focus) for index, each in enumerate(exceptions) if each.focus is not None}
    focus = {(index, place) for index, place in focus if place < len(exceptions[index].frames)}
    yield from sorted(focus)
    for own in (True, False):
        for index, raised in enumerate(exceptions):
            for place in range(len(raised.frames) - 1, -1, -1):
                if raised.frames[place].own is own and (index, place) not in focus:
                    yield index, place


def _cost(frame: Frame) -> int:
    texts = [line.text for line in frame.lines]
    for each in (*frame.variables, *frame.expressions):
        texts += (each.name, each.text, each.type)
    texts += frame.info
    if frame.supplement is not None:
        says = frame.supplement
        texts += (says.object, says.source_url, says.expression, says.info, *says.warnings)
        texts += (each for row in says.extra for each in row)
    around = len(frame.lines) * _LINE + (len(frame.variables) + len(frame.expressions)) * _VARIABLE
    return around + size(*texts)
