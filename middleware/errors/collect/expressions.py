"""The values of the parts of a failing statement: in ``order.customer.name`` it was ``order.customer`` that is None.

Nothing is run for it: attributes are read where they are stored, subscripts of Python's own containers only. Without
``pure_eval`` there are none. What a span says of the failing part comes with the code (PEP 657), so the statement is
all that has to be found.
"""

from __future__ import annotations

import ast
from collections import OrderedDict, deque
from functools import cache, lru_cache
from types import FrameType
from typing import TYPE_CHECKING, Any

from ....protocol.secret_names import is_secret_name
from ..record import Shown
from .classes import short_name
from .statements import expressions_in
from .values import Budget, show
from .variables import is_program
from .wording import locals_of, readable

if TYPE_CHECKING:
    from pure_eval import Evaluator

_MOST = 12
_MOST_NODES = 300
_LONGEST = 80  # characters of an expression
# Comparing and looking up walk through containers; those that are larger are left alone.
_MOST_ITEMS = 2000
_CONTAINERS = (list, tuple, dict, set, frozenset, deque, OrderedDict)
_SCOPES = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_EVALUATED = (ast.Attribute, ast.Subscript, ast.Compare, ast.BoolOp, ast.UnaryOp)


@cache
def evaluator_class() -> type[Evaluator] | None:
    """``pure_eval``'s, which takes a moment to load; None where it is not installed."""
    try:
        from pure_eval import Evaluator
    except ImportError:
        return None
    return Evaluator


def expressions_of(frame: FrameType, statement: ast.stmt | None, budget: Budget) -> tuple[Shown, ...]:
    """The parts of the statement that can be known without running anything, in the order of the source."""
    if statement is None or type(locals_of(frame)) is not dict:
        return ()
    evaluator = evaluator_class()
    if evaluator is None:
        return ()
    reading = _Reading(evaluator.from_frame(frame))
    shown: dict[str, Shown] = {}
    for text, node in _parts(statement):
        try:
            value = reading.of(node)
        except Exception:  # noqa: BLE001 - not to be known, or an object that resists even being looked at
            continue
        if is_program("", value):
            continue
        shown[text] = _shown(text, node, value, reading, budget)
        if len(shown) >= _MOST:
            break
    return tuple(shown.values())


def _shown(text: str, node: ast.expr, value: Any, reading: _Reading, budget: Budget) -> Shown:
    name = readable(text, _LONGEST)
    if isinstance(node, ast.Subscript):
        key = reading.of(node.slice) if not isinstance(node.slice, ast.Slice) else None
        # ``settings[name]`` holds a secret if it is the name of one that ``name`` holds.
        if type(key) is str and is_secret_name(key):
            hidden = show(key, value, budget)
            return Shown(name=name, text=hidden.text, type=hidden.type)
    shown = show(text, value, budget)
    return Shown(name=name, text=shown.text, type=shown.type)


class _Reading:
    """Evaluates nodes whose parts are small enough to be walked through."""

    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator = evaluator

    def of(self, node: ast.expr) -> Any:
        """The value of a node. Raises what ``pure_eval`` raises, and ``ValueError`` for what costs too much."""
        if not isinstance(node, (*_EVALUATED, ast.Name, ast.Constant, ast.Slice)):
            raise ValueError(f"{type(node).__name__} is not evaluated")
        for part in ast.iter_child_nodes(node):
            if isinstance(part, ast.expr):
                value = self.of(part)
                if _walks(node, value) and not _is_small(value):
                    raise ValueError(f"{short_name(type(value))} is too large")
        if isinstance(node, ast.Slice):
            return None
        return self._evaluator[node]


def _walks(node: ast.expr, value: object) -> bool:
    """Whether evaluating the node would visit each item of this part of it."""
    return isinstance(node, ast.Compare) or (isinstance(node, ast.Subscript) and type(value) not in (list, tuple))


def _is_small(value: object) -> bool:
    if type(value) in (str, bytes):
        return len(value) <= 100_000  # type: ignore[arg-type]
    left = _MOST_ITEMS
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if type(each) not in _CONTAINERS:
            continue
        left -= len(each)  # type: ignore[arg-type]
        if left < 0:
            return False
        if isinstance(each, dict):
            waiting += each.keys()
            waiting += each.values()
        else:
            waiting += each  # type: ignore[arg-type]
    return True


@lru_cache(maxsize=200)
def _parts(statement: ast.stmt) -> list[tuple[str, ast.expr]]:
    """The parts worth evaluating and how they are written, each once, in the order of the source."""
    found: list[ast.expr] = []
    waiting = expressions_in(statement)
    for _ in range(_MOST_NODES):
        if not waiting:
            break
        node = waiting.pop()
        if isinstance(node, _SCOPES):
            continue  # its names are not this frame's
        if isinstance(node, _EVALUATED) and isinstance(getattr(node, "ctx", ast.Load()), ast.Load):
            found.append(node)
        waiting += [each for each in ast.iter_child_nodes(node) if isinstance(each, (ast.expr))]
        waiting += [each.value for each in ast.iter_child_nodes(node) if isinstance(each, ast.keyword)]
    found.sort(key=lambda node: (node.lineno, node.col_offset, node.end_lineno or 0, node.end_col_offset or 0))
    written = {ast.unparse(node): node for node in reversed(found)}
    return [(text, node) for text, node in reversed(written.items()) if len(text) <= _LONGEST]
