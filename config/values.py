"""Text a deployer wrote becomes a value, once, at the door.

A type says what is allowed: ``bool``, ``int``, ``float``, ``str``, ``Path``, ``Literal[…]``, ``T | None`` (empty text
is None), ``Literal[…] | T`` (one of the words, or else a T), ``tuple[T, …]`` (separated by blanks or lines), and the
units and references below. :func:`parse` raises
``ValueError`` with a phrase that completes "level: …"; it never guesses.
"""

from __future__ import annotations

import math
import os
import re
import types
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from .records import record


@record
class Unit:
    """How a number with a unit is written: each suffix and what it multiplies by."""

    name: str
    example: str
    suffixes: tuple[tuple[str, float], ...]
    whole: bool


_SECONDS = Unit(
    "duration",
    "30s, 5m, 2h",
    (("ms", 0.001), ("s", 1), ("sec", 1), ("m", 60), ("min", 60), ("h", 3600), ("d", 86400), ("w", 604800)),
    whole=False,
)
# Every spelling is a power of 1024, as in the configuration of the common web servers.
_BYTES = Unit(
    "size",
    "512KB, 16MB",
    (
        ("b", 1),
        *(
            (unit, 1024**power)
            for power, letter in enumerate("kmgt", 1)
            for unit in (letter, f"{letter}b", f"{letter}ib")
        ),
    ),
    whole=True,
)

Seconds = Annotated[float, _SECONDS]
"""A duration in seconds; in an INI ``500ms``, ``30s``, ``5m``, ``2h``, ``7d`` or a bare number of seconds."""

Size = Annotated[int, _BYTES]
"""A number of bytes; in an INI ``512``, ``64KB``, ``16MB``, ``1GiB`` (powers of 1024)."""


class FileText(str):
    """A text that was read from ``file``, for who has to know who may read it, or whether it was replaced."""

    file: Path

    @classmethod
    def read(cls, text: str, file: Path) -> FileText:
        """The text of a file."""
        made = cls(text)
        made.file = file
        return made


class Importable:
    """Marks an option whose text is ``module:object``; the value is the object."""


class AppName:
    """Marks an option whose text names another app of the same configuration; the value stays text."""


Imported = Annotated[Any, Importable()]
"""Any object of Python, written ``module:object`` (dots allowed after the colon) in an INI."""

AppReference = Annotated[str, AppName()]
"""The name or URI of an app in the same configuration."""

# PasteDeploy's converters, exactly: a closed list, so that `ture` is a mistake and not False.
TRUE_WORDS = frozenset({"true", "yes", "on", "y", "t", "1"})
FALSE_WORDS = frozenset({"false", "no", "off", "n", "f", "0"})

_NUMBER = r"(?ai:([+-]?\d+(?:\.\d+)?)\s*([a-z]*))"
_DOTTED = r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*"


def parse(text: str, kind: Any, *, folder: str | None = None, importing: bool = True) -> Any:
    """Return the value that ``text`` means for the type ``kind``.

    ``folder`` is what relative paths are relative to (the INI's directory). With ``importing`` false an
    :data:`Imported` stays text that is only checked for its form. Raises ``ValueError``.
    """
    text = text.strip()
    kind, marks = _unwrap(kind)
    for mark in marks:
        if isinstance(mark, Unit):
            return _parse_unit(text, mark)
        if isinstance(mark, Importable):
            return _parse_import(text, importing)
        if isinstance(mark, AppName):
            return _required(text)
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        words, inner = _worded(kind)
        if words is None:
            return None if not text else parse(text, _optional(kind), folder=folder, importing=importing)
        for word in get_args(words):
            if str(word).lower() == text.lower():
                return word
        return parse(text, inner, folder=folder, importing=importing)
    if origin is Literal:
        return _parse_choice(text, get_args(kind))
    if origin is tuple:
        (item, _) = get_args(kind)
        # Paths may hold blanks, so they stand one to a line.
        words = [line for line in text.splitlines() if line.strip()] if item is Path else text.split()
        return tuple(parse(word, item, folder=folder, importing=importing) for word in words)
    if kind is bool:
        return parse_bool(text)
    if kind is int:
        return _parse_int(text)
    if kind is float:
        return _parse_float(text)
    if kind is Path:
        return Path(os.path.join(folder or "", os.path.expanduser(_required(text))))
    if kind is str:
        return text
    raise TypeError(f"an option cannot be of type {kind!r}")


def parse_bool(text: str) -> bool:
    """True or False from PasteDeploy's closed list of words. Raises ``ValueError``."""
    word = text.strip().lower()
    if word in TRUE_WORDS:
        return True
    if word in FALSE_WORDS:
        return False
    raise ValueError("must be true or false (also yes/no, on/off, 1/0)")


def name_of(kind: Any) -> str:
    """What a deployer calls the type: ``true or false``, ``duration``, ``one of a, b``."""
    kind, marks = _unwrap(kind)
    for mark in marks:
        if isinstance(mark, Unit):
            return f"{mark.name} ({mark.example})"
        if isinstance(mark, Importable):
            return "module:object"
        if isinstance(mark, AppName):
            return "name of an app"
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        words, inner = _worded(kind)
        return (
            f"{name_of(words)}, or {name_of(inner)}" if words is not None else f"{name_of(_optional(kind))}, or empty"
        )
    if origin is Literal:
        return "one of " + ", ".join(str(choice) for choice in get_args(kind))
    if origin is tuple:
        item = get_args(kind)[0]
        if item is Path:
            return "paths, one to a line"
        return "words" if item is str else f"list of: {name_of(item)}"
    return {bool: "true or false", int: "whole number", float: "number", str: "text", Path: "path"}.get(kind, str(kind))


def to_text(value: Any, kind: Any) -> str:
    """The text that :func:`parse` would turn back into ``value``: for samples and reference pages."""
    kind, marks = _unwrap(kind)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    for mark in marks:
        if isinstance(mark, Unit):
            return _unit_text(value, mark)
    if isinstance(value, tuple | list | frozenset):
        item = get_args(kind)[0] if get_args(kind) else str
        return ("\n    " if item is Path else " ").join(to_text(each, item) for each in value)
    if get_origin(kind) in (Union, types.UnionType):
        words, inner = _worded(kind)
        return to_text(value, _optional(kind) if words is None else inner)
    if callable(value) and hasattr(value, "__qualname__"):
        return f"{value.__module__}:{value.__qualname__}"
    return str(value)


def is_reference(kind: Any) -> bool:
    """Whether the type is :data:`AppReference`, perhaps optional."""
    kind, marks = _unwrap(kind)
    if any(isinstance(mark, AppName) for mark in marks):
        return True
    if get_origin(kind) not in (Union, types.UnionType):
        return False
    words, inner = _worded(kind)
    return is_reference(_optional(kind) if words is None else inner)


def is_import(kind: Any) -> bool:
    """Whether the type holds :data:`Imported` objects, perhaps optional or several."""
    kind, marks = _unwrap(kind)
    if any(isinstance(mark, Importable) for mark in marks):
        return True
    if get_origin(kind) in (Union, types.UnionType, tuple):
        return is_import(get_args(kind)[0])
    return False


def module_object(text: str) -> str:
    """The name of an object as ``module:object``; old files write ``module.object``. Raises ``ValueError``."""
    name = text if ":" in text else ":".join(text.rpartition(".")[::2])
    _require_dotted(name)
    return name


def import_object(text: str) -> Any:
    """Import ``module:object``. Raises ``ValueError`` for the form, and what the import raises."""
    from importlib import import_module

    _require_dotted(text)
    module_name, _, path = text.partition(":")
    found: Any = import_module(module_name)
    for name in path.split("."):
        found = getattr(found, name)
    return found


def _unwrap(kind: Any) -> tuple[Any, tuple[Any, ...]]:
    if get_origin(kind) is Annotated:
        inner, *marks = get_args(kind)
        return inner, tuple(marks)
    return kind, ()


def _worded(kind: Any) -> tuple[Any, Any]:
    """The ``Literal`` of a union with one other type, and that type; twice None where it is no such union."""
    members = get_args(kind)
    words = [member for member in members if get_origin(member) is Literal]
    if len(members) != 2 or len(words) != 1 or type(None) in members:
        return None, None
    return words[0], members[1] if words[0] is members[0] else members[0]


def _optional(kind: Any) -> Any:
    members = [member for member in get_args(kind) if member is not type(None)]
    if len(members) != 1:
        raise TypeError(f"an option cannot be of type {kind!r}: only one type, or that type or None")
    return members[0]


def _required(text: str) -> str:
    if not text:
        raise ValueError("must not be empty")
    return text


def _parse_int(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError("must be a whole number") from None


def _parse_float(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise ValueError("must be a number") from None
    if not math.isfinite(number):
        raise ValueError("must be a finite number")
    return number


def _parse_unit(text: str, unit: Unit) -> float | int:
    match = re.fullmatch(_NUMBER, text)
    if match is None:
        raise ValueError(f"must be a {unit.name}, such as {unit.example}")
    number, suffix = float(match[1]), match[2].lower()
    if suffix:
        factors = dict(unit.suffixes)
        if suffix not in factors:
            raise ValueError(f"has no unit {match[2]!r}; use {', '.join(factors)}")
        number *= factors[suffix]
    if not math.isfinite(number):
        raise ValueError("is larger than any that can be counted")
    if unit.whole:
        if number != int(number):
            raise ValueError("must be a whole number of bytes")
        return int(number)
    return number


def _unit_text(value: float, unit: Unit) -> str:
    """The largest unit that leaves a whole number: 300 seconds are ``5m``, 65536 bytes ``64KB``."""
    if value == 0:
        return "0"
    best = ""
    for suffix, factor in sorted(unit.suffixes, key=lambda pair: pair[1]):
        if len(suffix) > 1 and suffix not in ("ms", "kb", "mb", "gb", "tb"):
            continue
        if unit.whole and suffix in ("k", "m", "g", "t", "b"):
            continue
        if value >= factor and (value / factor) == int(value / factor):
            best = f"{int(value / factor)}{suffix.upper() if unit.whole else suffix}"
    return best or (str(int(value)) if value == int(value) else str(value))


def _parse_choice(text: str, choices: tuple[Any, ...]) -> Any:
    for choice in choices:
        if str(choice).lower() == text.lower():
            return choice
    raise ValueError("must be " + " or ".join(str(choice) for choice in choices))


def _require_dotted(text: str) -> None:
    if not re.fullmatch(_DOTTED, text):
        raise ValueError("must have the form module:object")


def _parse_import(text: str, importing: bool) -> Any:
    _require_dotted(text)
    if not importing:
        return text
    try:
        return import_object(text)
    except (ImportError, AttributeError) as error:
        what = f"cannot be imported ({type(error).__name__}: {error})"
        if isinstance(error, ModuleNotFoundError) and error.name == text.partition(":")[0].partition(".")[0]:
            what += f" from {os.getcwd()}; start in its folder, or name that in python_path of [wheatpaste]"
        raise ValueError(what) from error
