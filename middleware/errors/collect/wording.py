"""How the parts of a traceback are called, whatever its classes and modules do."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

from ....protocol.secret_texts import redact_text
from .texts import MORE, clean_text

_QUALIFIED = type.__dict__["__qualname__"].__get__
_MODULE = type.__dict__["__module__"].__get__
# What is read beyond a bound, so that a secret that lies across it is recognised before the text is cut.
_OVERLAP = 2000


def type_name(kind: type) -> str:
    """The name of a class as Python's own tracebacks say it: without the module for built-in ones."""
    name, module = _QUALIFIED(kind), _MODULE(kind)
    if type(module) is not str or module in ("builtins", "__main__"):
        return clean_text(name, 200)
    return clean_text(f"{module}.{name}", 200)


def readable(text: str, most: int, secrets: list[str] | None = None) -> str:
    """At most ``most`` characters of a text, without its secrets; those are appended to ``secrets``."""
    whole = len(text) <= most + _OVERLAP
    shown = redact_text(clean_text(text if whole else text[: most + _OVERLAP]), secrets)
    if len(shown) <= most and whole:
        return shown
    return f"{shown[:most]}{MORE} ({len(text) - most:,} more characters)" if len(text) > most else shown[:most] + MORE


def of_globals(frame: FrameType, name: str) -> Any:
    """A global of a frame, which is looked up as in any dict: a subclass's own ``get`` may do anything."""
    return dict.get(frame.f_globals, name)


def module_of(frame: FrameType) -> str:
    """The name of the module whose code this is; empty if it has none."""
    name = of_globals(frame, "__name__")
    return clean_text(name, 200) if type(name) is str else ""


def _type_of_locals() -> type:
    return type(sys._getframe().f_locals)


# Since Python 3.13 a view of a function's variables (PEP 667), before that a dict.
_LOCALS = _type_of_locals()


def locals_of(frame: FrameType) -> dict[str, Any]:
    """The variables of a frame; none in the body of a class with a namespace of its own, which is somebody's code."""
    held: Any = frame.f_locals
    kind = type(held)
    if issubclass(kind, dict):
        return held  # type: ignore[no-any-return]
    return dict(held) if kind is _LOCALS else {}
