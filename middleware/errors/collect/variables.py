"""Which variables of a frame are shown, and in which order."""

from __future__ import annotations

import re
from types import BuiltinFunctionType, FrameType, FunctionType, MethodType, ModuleType
from typing import Any

from ..record import Shown
from .classes import bases
from .markers import MARKS
from .values import Budget, show
from .wording import locals_of

_NAME = re.compile(r"[^\W\d]\w*")
# What the program consists of, not what it works with.
_PROGRAM = (ModuleType, FunctionType, BuiltinFunctionType, MethodType)
_OPTIMIZED = 0x1  # inspect.CO_OPTIMIZED


def variables_of(
    frame: FrameType, statement: str, most: int, budget: Budget, *, names: dict[str, Any] | None = None
) -> tuple[tuple[Shown, ...], int]:
    """The variables, those named in the failing ``statement`` first, and how many more there are than ``most``.

    Globals are shown if the statement names them. Functions, classes and modules come last; in the body of a module
    or class, which is full of them, only if the statement names them. ``names`` stand in for the frame's locals.
    """
    held: Any = locals_of(frame) if names is None else names
    moment: dict[Any, Any] = dict(dict.items(held))  # a copy: its thread may be running
    mentioned = dict.fromkeys(_NAME.findall(statement[:5000]))
    first: list[tuple[str, Any]] = []
    for name in mentioned:
        if name in moment:
            first.append((name, moment[name]))
        elif names is None and name in frame.f_globals:
            value = dict.__getitem__(frame.f_globals, name)
            if not is_program(name, value):
                first.append((name, value))
    usual: list[tuple[str, Any]] = []
    last: list[tuple[str, Any]] = []
    for name, value in moment.items():
        if type(name) is not str or name in mentioned or name in MARKS or name.startswith("."):
            continue
        (last if is_program(name, value) else usual).append((name, value))
    shown = [*first, *usual]
    if names is None and frame.f_code.co_flags & _OPTIMIZED:
        shown += last
    shown = [(name, value) for name, value in shown if name not in MARKS]
    return tuple(show(name, value, budget) for name, value in shown[:most]), max(len(shown) - most, 0)


def is_program(name: str, value: object) -> bool:
    """Whether this is part of the program's text: a module, function or class, or a name with a meaning to Python."""
    kind = type(value)
    return (name.startswith("__") and name.endswith("__")) or kind in _PROGRAM or type in bases(kind)
