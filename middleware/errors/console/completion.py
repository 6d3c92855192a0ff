"""Names that can follow what was typed at a prompt. Nothing is run for it: no property, no ``__getattr__``."""

from __future__ import annotations

import builtins
import inspect
import keyword
import re
from typing import Any

from ..collect.classes import bases, instance_dict, members
from .evaluation import variables_of
from .live import LiveError

_MOST = 60
_DOTTED = re.compile(r"(?:[^\W\d]\w*\.)*(?:[^\W\d]\w*)?$")


def completions(error: LiveError, frame_id: str, before: str) -> list[str]:
    """Whole words for the dotted name that ends ``before``, best first. Raises ``KeyError`` for an unknown frame."""
    variables, names = variables_of(error, frame_id), error.frames[frame_id].f_globals
    found = _DOTTED.search(before)
    path = found[0] if found else ""
    *owners, start = path.split(".")
    if not owners:
        if not start:
            return []
        words = {**dict.fromkeys(variables), **dict.fromkeys(names), **dict.fromkeys(vars(builtins))}
        return _matching([*words, *keyword.kwlist], start)
    value = _value(owners, [variables, names, vars(builtins)])
    if value is None:
        return []
    prefix = ".".join(owners)
    return [f"{prefix}.{name}" for name in _matching(attribute_names(value[0]), start)]


def _matching(names: list[str], start: str) -> list[str]:
    private = start.startswith("_")
    fitting = {name for name in names if name.startswith(start) and (private or not name.startswith("_"))}
    return sorted(fitting, key=lambda name: (name.startswith("_"), name.lower()))[:_MOST]


def _value(path: list[str], scopes: list[Any]) -> tuple[Any] | None:
    scope = next((scope for scope in scopes if path[0] in scope), None)
    if scope is None:
        return None
    value = scope[path[0]]
    for name in path[1:]:
        try:
            value = inspect.getattr_static(value, name)
        except Exception:  # noqa: BLE001 - objects of others; what cannot be looked at is not completed
            return None
        if hasattr(type(value), "__get__") and not callable(value):
            return None  # a property, which only running it would tell
    return (value,)


def attribute_names(value: object) -> list[str]:
    """The names of a value's attributes, its own first, then those of its class, each once."""
    own = instance_dict(value) or {}
    kind = value if isinstance(value, type) else type(value)
    names = [name for name in own if isinstance(name, str)]
    for base in bases(kind):
        names += members(base)
    return list(dict.fromkeys(names))
