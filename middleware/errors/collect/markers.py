"""The marks that code leaves in its variables for whoever shows a traceback.

``__traceback_hide__`` hides frames: its own (any true value), or with a word those before or after it:

===================  ============================================
``before``           the frames before this one
``before_and_this``  those, and this one
``after``            the frames after this one, until a ``reset``
``after_and_this``   those, and this one
``reset``            ends what ``after`` began
``reset_and_this``   the same, and hides this one
===================  ============================================

The frame's variable counts, otherwise its module's. ``__tracebackhide__`` (pytest) and ``_rich_traceback_omit`` (Rich)
hide their own frame, ``_rich_traceback_guard`` hides itself and all before it. pytest may have a function there, which
decides for its own reports: here such frames are shown. Where the last frame would be hidden, none is.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import CodeType, FrameType
from typing import Any

from .steps import Step
from .wording import locals_of, of_globals

HIDE = "__traceback_hide__"
SUPPLEMENT = "__traceback_supplement__"
INFO = "__traceback_info__"
DECORATOR = "__traceback_decorator__"
STOP = "__exception_formatter__"

_PYTEST = "__tracebackhide__"
_OMIT = "_rich_traceback_omit"
_GUARD = "_rich_traceback_guard"

MARKS = frozenset({HIDE, SUPPLEMENT, INFO, DECORATOR, STOP, "__traceback_reporter__", "__traceback_log__"})
MARKS |= {_PYTEST, _OMIT, _GUARD}

_OPTIMIZED = 0x1  # inspect.CO_OPTIMIZED: all names of such code are known beforehand
_MISSING = object()


def mark_of(frame: FrameType, name: str, *, module: bool = True) -> Any:
    """The value of a mark in a frame, or with ``module`` in its module; None if there is none."""
    if _may_hold(frame.f_code, name):
        value = dict.get(locals_of(frame), name, _MISSING)
        if value is not _MISSING:
            return value
    return of_globals(frame, name) if module else None


def hidden_among(steps: Sequence[Step]) -> list[bool]:
    """For each frame whether it is hidden."""
    hidden: list[bool] = []
    following = False  # within what an ``after`` hides
    for index, step in enumerate(steps):
        word = _word(step.frame)
        if word in ("before", "before_and_this"):
            hidden = [True] * index
        if word in ("reset", "reset_and_this"):
            following = False
        itself = word in ("this", "before_and_this", "after_and_this", "reset_and_this")
        hidden.append(itself or following)
        if word in ("after", "after_and_this"):
            following = True
    return [False] * len(steps) if hidden and hidden[-1] else hidden


def until_stopped(steps: list[Step]) -> list[Step]:
    """The frames before the first that is formatting an exception itself, if there are any."""
    for index, step in enumerate(steps):
        if index and mark_of(step.frame, STOP, module=False):
            return steps[:index]
    return steps


def decorators_among(steps: Sequence[Step]) -> list[Any]:
    """What frames have as ``__traceback_decorator__``, each once, outermost first."""
    found = {id(value): value for step in steps if (value := mark_of(step.frame, DECORATOR)) is not None}
    return list(found.values())


_WORDS = frozenset({"before", "before_and_this", "after", "after_and_this", "reset", "reset_and_this"})


def _word(frame: FrameType) -> str:
    if _is_true(mark_of(frame, _GUARD, module=False)):
        return "before_and_this"
    value = mark_of(frame, HIDE)
    if type(value) is str and value in _WORDS:
        return value
    if _is_true(value) or _is_true(mark_of(frame, _OMIT, module=False)) or _is_true(mark_of(frame, _PYTEST)):
        return "this"
    return ""


def _is_true(value: object) -> bool:
    # Other objects would have to be asked, which is their code.
    return type(value) in (bool, int, str) and bool(value)


def _may_hold(code: CodeType, name: str) -> bool:
    return not code.co_flags & _OPTIMIZED or name in code.co_varnames or name in code.co_cellvars
