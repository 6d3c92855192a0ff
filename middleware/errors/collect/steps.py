"""The way that an exception took, or that a running thread has come: frames, outermost first, and where each stands."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from types import FrameType, TracebackType

from .wording import of_globals

_PACKAGE = __name__.rpartition(".collect.")[0]


@dataclass(frozen=True, slots=True)
class Step:
    """A frame, the line in it, and the instruction (-1 if nobody knows)."""

    frame: FrameType
    line: int
    instruction: int


def steps_of(error: BaseException) -> list[Step]:
    """The steps of a traceback, without those of this package, and as many as ``sys.tracebacklimit`` wants."""
    steps = []
    # A subclass may have a property of this name.
    traceback: TracebackType | None = BaseException.__dict__["__traceback__"].__get__(error)
    while traceback is not None:
        frame = traceback.tb_frame
        # Code that was generated may know no lines.
        steps.append(Step(frame, traceback.tb_lineno or frame.f_code.co_firstlineno, traceback.tb_lasti))
        traceback = traceback.tb_next
    limit = getattr(sys, "tracebacklimit", None)
    if isinstance(limit, int):
        steps = steps[-limit:] if limit > 0 else []
    return [step for step in steps if not _is_ours(step.frame)] or steps


def steps_to(frame: FrameType) -> list[Step]:
    """The steps that led a running thread here, from where it passed this package the first time."""
    steps: list[Step] = []
    following: FrameType | None = frame
    while following is not None:
        steps.append(Step(following, following.f_lineno or following.f_code.co_firstlineno, following.f_lasti))
        following = following.f_back
    steps.reverse()
    first = next((index for index, step in enumerate(steps) if _is_ours(step.frame)), -1)
    return [step for step in steps[first + 1 :] if not _is_ours(step.frame)] or steps[-1:]


def _is_ours(frame: FrameType) -> bool:
    name = of_globals(frame, "__name__")
    return type(name) is str and (name == _PACKAGE or name.startswith(f"{_PACKAGE}."))
