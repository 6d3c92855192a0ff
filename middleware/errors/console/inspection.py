"""What an expression at a prompt is: its type, value, attributes and documentation, and where its class is written."""

from __future__ import annotations

import inspect
from typing import Any

from ..collect.values import Budget, show
from .completion import attribute_names
from .evaluation import evaluate
from .live import LiveError

_MOST_ATTRIBUTES = 100
_MOST_DOC = 1000


def inspected(error: LiveError, frame_id: str, expression: str) -> dict[str, Any]:
    """What can be said of the value of an expression, as data.

    The expression is run, its attributes are only looked at. Raises ``KeyError`` for an unknown frame, and whatever
    the expression raises.
    """
    value = evaluate(error, frame_id, expression)
    budget = Budget()
    try:
        shown = show(expression, value, budget)
        rows: list[dict[str, str]] = []
        for name in sorted(attribute_names(value), key=lambda name: (name.startswith("_"), name)):
            if name.startswith("__") or len(rows) >= _MOST_ATTRIBUTES:
                continue
            row = _attribute(value, name, budget)
            if row is not None:
                rows.append(row)
    finally:
        budget.close()
    return {
        "type": shown.type,
        "text": shown.text,
        "doc": _doc(value),
        "source": _source(value),
        "attributes": rows,
    }


def _attribute(value: object, name: str, budget: Budget) -> dict[str, str] | None:
    try:
        found = inspect.getattr_static(value, name)
    except Exception:  # noqa: BLE001 - objects of others
        return None
    if callable(found) or isinstance(found, staticmethod | classmethod):
        return {"name": f"{name}()", "type": "method", "text": ""}
    if isinstance(found, property):
        return {"name": name, "type": "property", "text": ""}
    shown = show(name, found, budget)
    return {"name": shown.name, "type": shown.type, "text": shown.text}


def _doc(value: object) -> str:
    try:
        text = inspect.getdoc(value) or ""
    except Exception:  # noqa: BLE001 - objects of others
        return ""
    return text if len(text) <= _MOST_DOC else text[:_MOST_DOC] + " …"


def _source(value: object) -> str:
    for about in (value, type(value)):
        try:
            file = inspect.getsourcefile(about)  # type: ignore[arg-type]  # it raises TypeError for all else
            return f"{file}:{inspect.getsourcelines(about)[1]}" if file else ""  # type: ignore[arg-type]
        except (TypeError, OSError):
            continue
    return ""
