"""What a record amounts to for who is in a hurry: exceptions in order, and the frames that are worth their lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from ..record import ErrorRecord, Frame, Phase, Raised

_LAST = 3
"""How many frames are shown of a traceback that nobody owns."""
_MOST_OWN = 6
"""How many of the project's frames are shown at either end."""
_IN_FULL = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """One exception, and how it came to be told: ``title`` is empty for the one that arrived.

    ``depth`` counts the groups that it is within. ``in_full``: it is among the first ten, which are worth more lines
    of source than the one that failed.
    """

    raised: Raised
    index: int
    title: str
    depth: int
    in_full: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """One frame that is shown, or several (or frames nobody has) that are not; ``label`` says what those are."""

    frames: tuple[Frame, ...]
    label: str = ""
    focus: bool = False
    repeated: str = ""


def branches(record: ErrorRecord) -> Iterator[Branch]:
    """The exceptions: after each its cause, what it was raised in handling, and the members of its group."""
    children: dict[int, list[int]] = {}
    for index, each in enumerate(record.exceptions):
        if each.parent is not None and each.parent < index:  # anything else was made by hand, and might be a circle
            children.setdefault(each.parent, []).append(index)
    waiting = [(0, "", 0)] if record.exceptions else []
    left = _IN_FULL
    while waiting:
        index, title, depth = waiting.pop()
        raised = record.exceptions[index]
        yield Branch(raised=raised, index=index, title=title, depth=depth, in_full=left > 0)
        left -= 1
        members = [child for child in children.get(index, ()) if record.exceptions[child].relation == "member"]
        total = len(members) + raised.omitted_members
        following = []
        for child in children.get(index, ()):
            if child in members:
                following.append((child, f"member {members.index(child) + 1} of {total}", depth + 1))
            else:
                following.append((child, _relation(record.exceptions[child]), depth))
        waiting += reversed(following)


def _relation(raised: Raised) -> str:
    if raised.relation == "cause":
        return "caused by"
    return "while handling (hidden by from)" if raised.suppressed else "while handling"


def stretches(raised: Raised) -> list[Stretch]:
    """The frames from the first call to the last: own ones and the one that matters alone, the others in runs.

    Of a traceback without a frame of the project's the last few are shown.
    """
    frames = raised.frames
    own = [index for index, frame in enumerate(frames) if frame.own and not frame.hidden]
    at_the_ends = {*own[:_MOST_OWN], *own[-_MOST_OWN:]}
    folds = {fold.after: fold for fold in raised.folds}
    gaps = {gap.after: gap.frames for gap in raised.gaps}
    found: list[Stretch] = []
    run: list[Frame] = []

    def end_run() -> None:
        if run:
            found.append(Stretch(frames=tuple(run), label=_label(run)))
            run.clear()

    def gap(after: int) -> None:
        if after in gaps:
            end_run()
            found.append(Stretch(frames=(), label=f"{_frames(gaps[after])} left out"))

    gap(-1)
    for index, frame in enumerate(frames):
        focus = index == raised.focus
        near_the_end = index >= len(frames) - (1 if own else _LAST)
        shown = focus or index in at_the_ends or (near_the_end and not frame.hidden)
        fold = folds.get(index)
        repeated = ""
        if fold is not None:
            what = "the frame above" if fold.frames == 1 else f"the last {fold.frames} frames"
            repeated = f"{what} ran {fold.times} more time{'s' * (fold.times != 1)}"
        if shown or repeated:
            end_run()
            found.append(Stretch(frames=(frame,), focus=focus, repeated=repeated))
        else:
            run.append(frame)
        gap(index)
    end_run()
    return found


def _label(run: list[Frame]) -> str:
    owners = Counter(frame.package or ("your code" if frame.own else "others") for frame in run)
    parts = [f"{count} in {owner}" for owner, count in owners.items()]
    if len(parts) == 1:
        return f"{_frames(len(run))} in {next(iter(owners))}"
    return f"{_frames(len(run))}: {', '.join(parts)}"


def _frames(number: int) -> str:
    return "1 frame" if number == 1 else f"{number} frames"


def unseen(raised: Raised) -> int:
    """How many frames were left out that neither a fold nor a gap tells of."""
    told = sum(fold.frames * fold.times for fold in raised.folds) + sum(gap.frames for gap in raised.gaps)
    return max(0, raised.omitted_frames - told)


def where(record: ErrorRecord) -> str:
    """The place that matters most, as ``shop/views.py:42 in add``; empty if the record knows none."""
    for raised in (record.raised, record.root) if record.exceptions else ():
        if raised.focus is not None and raised.focus < len(raised.frames):
            frame = raised.frames[raised.focus]
            place = f"{frame.file or frame.path}:{frame.line}" if frame.line else frame.file or frame.path
            return f"{place} in {frame.function}" if frame.function else place
    return ""


def phase_of(phase: Phase, *, sent: bool) -> str:
    """When it happened, as a clause; empty for the usual moment, the call of the app."""
    said = {
        "body": "while the body was made",
        "close": "when the reply was closed",
        "reported": "handled by the app, which reported it",
        "slow": "while it was still running",
    }.get(phase, "")
    if sent:
        return f"{said}, after part of the reply was sent" if said else "after part of the reply was sent"
    return said


def moment(seconds: float) -> str:
    """A time since 1970 in UTC: ``2026-11-26 02:47:12 UTC``; empty for what no calendar has."""
    import time

    try:
        return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))
    except (OverflowError, ValueError, OSError):  # a record from a file may say anything
        return ""


def carets(frame: Frame, number: int, text: str) -> tuple[int, int] | None:
    """Which columns of the line ``number`` failed, as (first, end), if something smaller than the line did."""
    span = frame.span
    if span is None or not span.line <= number <= span.end_line:
        return None
    first = span.column if number == span.line else len(text) - len(text.lstrip())
    end = span.end_column if number == span.end_line else len(text.rstrip())
    first, end = max(0, min(first, len(text))), max(0, min(end, len(text)))
    return (first, end) if first < end else None
