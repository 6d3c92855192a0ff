"""Frames of template languages: the line of the template in place of the Python that was generated from it.

Mako keeps a map of lines, Chameleon a token for each expression, Jinja rewrites tracebacks by itself; Django says
where a template failed in an attribute of the exception, and all of them describe syntax errors in their own way.
``finders`` and ``readers`` can be added to, for other languages: a finder looks at a frame, a reader at an exception.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from typing import Any

from .classes import instance_dict
from .steps import Step
from .wording import locals_of, module_of, of_globals

_UNNAMED = "<template>"
_MOST_QUOTED = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A place in a template.

    ``text`` is the template's source, where it is not in the file ``path``. ``column`` and ``length`` count characters
    from 0 and are those of the failing part, if it is known. ``variables`` are shown in place of the frame's. A frame
    of code that was generated for a place which has another frame is ``hidden``.
    """

    language: str
    path: str
    line: int
    function: str = ""
    column: int | None = None
    length: int = 0
    text: str | None = None
    variables: dict[str, Any] | None = None
    hidden: bool = False


Finder = Callable[[Sequence[Step], int], Place | None]
"""Gets all frames and the index of one; the place in a template that this one runs, or None."""

Reader = Callable[[BaseException], Place | None]
"""Gets an exception; the place in a template that it tells of, or None."""


def place_of(steps: Sequence[Step], index: int) -> Place | None:
    """The place in a template that a frame runs, or None if it is no template's."""
    for finder in finders:
        try:
            place = finder(steps, index)
        except Exception:  # noqa: BLE001 - other versions of a language may keep it elsewhere; then it is Python
            continue
        if place is not None:
            return place
    return None


def place_told_by(error: BaseException) -> Place | None:
    """The place in a template that an exception itself tells of, or None."""
    for reader in readers:
        try:
            place = reader(error)
        except Exception:  # noqa: BLE001 - as above; the attributes may also be somebody else's
            continue
        if place is not None:
            return place
    return None


# --- Mako ------------------------------------------------------------------------------------------------------------


def _mako(steps: Sequence[Step], index: int) -> Place | None:
    step = steps[index]
    if of_globals(step.frame, "_magic_number") is None or "mako.template" not in sys.modules:
        return None
    information = sys.modules["mako.template"].ModuleInfo
    info = information._modules.get(step.frame.f_code.co_filename)
    if info is None:
        return None
    lines = _mako_lines(info.code)
    name = step.frame.f_code.co_name
    function = "" if name == "render_body" else name.removeprefix("render_")
    # Before a function that was defined in a template another one is called, that only hands over.
    hidden = not name.startswith("render_") and index < len(steps) - 1
    held = locals_of(step.frame)
    internal = ("context", "pageargs")
    return Place(
        language="mako",
        path=info.template_filename or info.template_uri or _UNNAMED,
        line=lines[min(step.line, len(lines)) - 1],
        function=function,
        text=_text(info.source),
        hidden=hidden,
        variables={
            name: value
            for name, value in held.items()
            if not name.startswith("__M_") and name not in internal and not _is_undefined(value)
        },
    )


@lru_cache(maxsize=50)
def _mako_lines(code: str) -> list[int]:
    information = sys.modules["mako.template"].ModuleInfo
    lines: list[int] = information.get_module_source_metadata(code, full_line_map=True)["full_line_map"]
    return lines


def _is_undefined(value: object) -> bool:
    return type(value).__name__ == "Undefined"


def _mako_error(error: BaseException) -> Place | None:
    if not _is(error, "mako.exceptions", ("SyntaxException", "CompileException")):
        return None
    told: Any = error
    return Place(
        language="mako",
        path=told.filename or _UNNAMED,
        line=told.lineno,
        column=max(told.pos - 1, 0) if type(told.pos) is int else None,
        text=_text(told.source),
    )


# --- Jinja -----------------------------------------------------------------------------------------------------------


def _jinja(steps: Sequence[Step], index: int) -> Place | None:
    frame, line = steps[index].frame, steps[index].line
    error = of_globals(frame, "__jinja_exception__")
    if error is not None:  # rewritten by Jinja
        path, text = frame.f_code.co_filename, None
        if type(error).__name__ == "TemplateSyntaxError":
            path, text = _jinja_name(error), _text(getattr(error, "source", None))
        function = frame.f_code.co_name.removeprefix("block ").strip("'")
        return Place(
            language="jinja2",
            path=path,
            line=line,
            function="" if function in ("top-level template code", "template") else function,
            text=text,
            variables=locals_of(frame),
        )
    template = of_globals(frame, "__jinja_template__")
    if template is None or "jinja2" not in sys.modules:
        return None
    # Jinja imports it itself at the first error of a template; code that still runs may come before that.
    debug = import_module("jinja2.debug")
    return Place(
        language="jinja2",
        path=template.filename or template.name or _UNNAMED,
        line=template.get_corresponding_lineno(line),
        function=frame.f_code.co_name.removeprefix("block_").replace("root", ""),
        variables=debug.get_template_locals(locals_of(frame)),
    )


def _jinja_error(error: BaseException) -> Place | None:
    if not _is(error, "jinja2.exceptions", ("TemplateSyntaxError", "TemplateAssertionError")):
        return None
    traceback = error.__traceback__
    while traceback is not None:
        if of_globals(traceback.tb_frame, "__jinja_exception__") is not None:
            return None  # its frame is there already
        traceback = traceback.tb_next
    told: Any = error
    return Place(language="jinja2", path=_jinja_name(told), line=told.lineno, text=_text(told.source))


def _jinja_name(error: Any) -> str:
    return error.filename or error.name or _UNNAMED


# --- Chameleon -------------------------------------------------------------------------------------------------------


def _chameleon(steps: Sequence[Step], index: int) -> Place | None:
    frame = steps[index].frame
    tokens = of_globals(frame, "__tokens")
    if type(tokens) is not dict or "__token" not in frame.f_code.co_varnames:
        return None
    token = tokens.get(locals_of(frame).get("__token"))
    path = of_globals(frame, "__filename") or _UNNAMED
    if token is None:
        # It failed before the first expression: somewhere in the template.
        return Place(language="chameleon", path=path, line=1)
    expression, line, column = token[:3]
    scope = locals_of(frame).get("econtext")
    name = frame.f_code.co_name
    return Place(
        language="chameleon",
        path=path,
        line=line,
        function=name.removeprefix("render").strip("_"),
        column=column,
        length=len(expression),
        text=_body_before(steps, index) or _quoted(expression, line, column) if path.startswith("<") else None,
        variables=_without_internal(scope) if isinstance(scope, dict) else None,
    )


def _without_internal(scope: dict[Any, Any]) -> dict[Any, Any]:
    internal = ("target_language", "repeat", "translate")
    return {
        name: value for name, value in scope.items() if not str(name).startswith("__") and str(name) not in internal
    }


def _body_before(steps: Sequence[Step], index: int) -> str | None:
    """The source of a template that was made from a text, from the template object that is rendering it."""
    for step in reversed(steps[:index]):
        if module_of(step.frame).startswith("chameleon."):
            held = instance_dict(locals_of(step.frame).get("self")) or {}
            if type(held.get("body")) is str:
                return _text(held["body"])
    return None


def _quoted(expression: str, line: int, column: int) -> str:
    """As much of the source as is known of a template that was made from a text: the expression in its place."""
    return "\n" * (min(line, _MOST_QUOTED) - 1) + " " * min(column, _MOST_QUOTED) + expression


def _chameleon_error(error: BaseException) -> Place | None:
    if not _is(error, "chameleon.exc", ("TemplateError",)):
        return None
    token: Any = error.args[1]
    line, column = token.location
    return Place(
        language="chameleon",
        path=token.filename or _UNNAMED,
        line=line,
        column=column,
        length=len(token),
        text=_text(token.source),
    )


# --- Django ----------------------------------------------------------------------------------------------------------


def _django(error: BaseException) -> Place | None:
    told = (instance_dict(error) or {}).get("template_debug")
    if type(told) is not dict:
        return None
    # ``before`` and ``during`` are the line up to the failing tag, and the tag.
    first, rows = told["top"], told["source_lines"]
    text = "\n" * (first - 1) + "".join(str(row[1]) for row in rows)
    return Place(
        language="django",
        path=str(told["name"]),
        line=told["line"],
        column=len(told["before"].rpartition("\n")[2]),
        length=len(told["during"]),
        text=None if _is_file(told["name"]) else text,
    )


def _is_file(name: object) -> bool:
    return not str(name).startswith("<")


# --- all -------------------------------------------------------------------------------------------------------------


def _is(error: BaseException, module: str, names: tuple[str, ...]) -> bool:
    known = vars(sys.modules[module]) if module in sys.modules else {}
    return any(issubclass(type(error), known[name]) for name in names if name in known)


def _text(text: object) -> str | None:
    return text if type(text) is str else None


finders: list[Finder] = [_mako, _jinja, _chameleon]
readers: list[Reader] = [_django, _mako_error, _jinja_error, _chameleon_error]
