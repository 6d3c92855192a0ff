"""What code tells of its own frames: ``__traceback_supplement__`` and ``__traceback_info__``.

A supplement is ``(factory, argument, …)`` in a local or global ``__traceback_supplement__``: the factory is called when
an error is collected, and what it returns may have ``object``, ``source_url``, ``line``, ``column``, ``expression``,
``warnings`` (texts), ``getInfo()`` (a text) and ``extraData()`` (a mapping of title, or (importance, title), to value).
The name may also hold a ``record.Supplement``, and the class of the frame's ``self`` may have a method
``__traceback_supplement__(self)`` that returns one or such an object.

All of this is code of others and runs under the same guard as a repr: in time, and its exceptions become texts.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from types import FrameType, FunctionType
from typing import Any

from ..record import Raised, Supplement
from .classes import find
from .markers import INFO, SUPPLEMENT, mark_of
from .readers import Unanswered
from .values import Budget, show
from .wording import locals_of, readable

_IMPORTANCE = ("important", "normal", "supplemental", "extra")
_MOST_ROWS = 50
_MOST_TEXT = 4000
_MOST_TITLE = 200


def info_of(frame: FrameType, budget: Budget) -> str:
    """The ``__traceback_info__`` of a frame as text; empty if it has none."""
    value = mark_of(frame, INFO, module=False)
    if value is None:
        return ""
    if type(value) is str:
        return text_of(value, budget)
    return show(INFO.strip("_"), value, budget).text


def supplement_of(frame: FrameType, budget: Budget) -> Supplement | None:
    """The supplement of a frame. One that fails says so in its ``info``."""
    value = mark_of(frame, SUPPLEMENT)
    method = _method_of(frame) if value is None else None
    if value is None and method is None:
        return None
    read: dict[str, Any] = {}

    def ask() -> str:
        if method is not None:
            supplement = method()
        elif type(value) is tuple and value:
            supplement = value[0](*value[1:])
        else:
            supplement = value
        read.update(_read(supplement))
        return ""

    try:
        budget.reader.ask(ask)
    except Unanswered as reason:
        # Reads "its supplement raises ValueError" where a value's reads "its repr raises ValueError".
        return Supplement(info=str(reason).replace("its repr", "its supplement"))
    return _shown(read, budget)


def text_of(text: str, budget: Budget) -> str:
    """A text of somebody's, without its secrets."""
    found: list[str] = []
    shown = readable(text, _MOST_TEXT, found)
    budget.known.add_all(found)
    return shown


def decorated(raised: Raised, decorator: Any, budget: Budget) -> Raised:
    """An exception after a ``__traceback_decorator__`` has seen it.

    Paste's could edit everything. Here one gets the :class:`Raised`, which nobody can change, and may return another:
    taken over are its message, its notes and suggestions, and which frames are hidden. One that fails changes nothing.
    """
    made = [raised]

    def ask() -> str:
        changed = decorator(raised)
        if type(changed) is Raised:
            made[0] = _taken_over(raised, changed, budget)
        return ""

    try:
        budget.reader.ask(ask)
    except Unanswered as reason:
        note = str(reason).replace("its repr", "a __traceback_decorator__")
        return replace(raised, notes=(*raised.notes, note))
    return made[0]


def _taken_over(raised: Raised, changed: Raised, budget: Budget) -> Raised:
    frames = raised.frames
    if len(changed.frames) == len(frames):
        pairs = zip(frames, changed.frames, strict=True)
        frames = tuple(replace(frame, hidden=bool(other.hidden)) for frame, other in pairs)
    return replace(
        raised,
        message=text_of(str(changed.message), budget),
        notes=tuple(text_of(str(each), budget) for each in changed.notes[:_MOST_ROWS]),
        suggestions=tuple(text_of(str(each), budget) for each in changed.suggestions[:_MOST_ROWS]),
        frames=frames,
    )


def _method_of(frame: FrameType) -> Any:
    code = frame.f_code
    if not code.co_argcount or code.co_varnames[0] != "self":
        return None
    itself = locals_of(frame).get("self")
    function = find(type(itself), SUPPLEMENT)
    return function.__get__(itself) if type(function) is FunctionType else None


def _read(supplement: Any) -> dict[str, Any]:
    """The parts of a supplement. Runs where foreign code may run."""
    read = {name: getattr(supplement, name, None) for name in ("object", "source_url", "line", "column", "expression")}
    if type(supplement) is Supplement:
        extra = [((importance, title), text) for importance, title, text in supplement.extra]
        return {**read, "warnings": supplement.warnings, "info": supplement.info, "extra": extra}
    warnings = getattr(supplement, "warnings", None)
    read["warnings"] = list(islice(warnings, _MOST_ROWS)) if warnings else []
    for name, method in (("info", "getInfo"), ("extra", "extraData")):
        ask = getattr(supplement, method, None)
        read[name] = ask() if ask is not None else None
    if read["extra"] is not None:
        read["extra"] = list(islice(read["extra"].items(), _MOST_ROWS))
    return read


def _shown(read: dict[str, Any], budget: Budget) -> Supplement:
    def text(value: Any, name: str) -> str:
        if value is None:
            return ""
        return text_of(value, budget) if type(value) is str else show(name, value, budget).text

    extra = []
    for key, value in read["extra"] or ():
        importance, title = key if type(key) is tuple and len(key) == 2 else ("normal", key)
        title = title[:_MOST_TITLE] if type(title) is str else show("title", title, budget).text
        if type(importance) is not str or importance not in _IMPORTANCE:
            importance = "normal"
        # Its title is the value's name, by which a secret is known.
        shown = show(title, value, budget)
        whole = type(value) is str and "[redacted:" not in shown.text
        extra.append((importance, text_of(title, budget), text_of(value, budget) if whole else shown.text))
    extra.sort(key=lambda row: _IMPORTANCE.index(row[0]))
    warnings = tuple(text(each, "warning") for each in read["warnings"])
    return Supplement(
        object=text(read["object"], "object"),
        source_url=text(read["source_url"], "source_url"),
        line=read["line"] if type(read["line"]) is int else None,
        column=read["column"] if type(read["column"]) is int else None,
        expression=text(read["expression"], "expression"),
        warnings=warnings,
        info=text(read["info"], "info"),
        extra=tuple(extra),
    )
