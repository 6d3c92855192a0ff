"""Import what a composition names, and say in a sentence why that fails.

The only part of checking that runs a deployer's code, and only when asked to. Nothing is called.
"""

from __future__ import annotations

import importlib
import inspect
import os
import traceback
from collections.abc import Iterator
from typing import Any

from .calls import POSITIONAL, Mismatch
from .node import Node
from .problems import did_you_mean
from .references import Reference

# Frames that are nobody's: ours, and those of the import system.
_OURS = (os.path.dirname(os.path.abspath(__file__)), os.path.dirname(os.path.abspath(importlib.__file__)), "<")


def imported(target: Reference) -> Any:
    """The object that a reference names, or the ``Mismatch`` that says why there is none."""
    try:
        return target.load()
    except SystemExit as stop:
        code = "" if stop.code is None else repr(stop.code)
        fix = "a program cannot be mounted: name a module that only defines an app"
        return Mismatch(f"importing {target.module} called sys.exit({code})", fix, "import")
    except AttributeError as error:
        near = _near_attribute(target)
        if near is not None:
            return Mismatch(f"{target.module} has no {target.object!r}", near, "missing-name")
        return Mismatch(failure(target.module, error), "", "import")
    except Exception as error:  # noqa: BLE001  the import of somebody's module may fail in any way: that is the finding
        return Mismatch(failure(target.module, error), "", "import")


def import_flaws(node: Node, target: Reference, keys: list[str]) -> Iterator[Mismatch]:
    """Import the factory of ``node`` and hold it against the way in which it will be called."""
    found = imported(target)
    if isinstance(found, Mismatch):
        yield found
        return
    if not callable(found):
        yield Mismatch(f"{target} is {type(found).__name__}, which cannot be called", "name a factory", "not-a-factory")
        return
    positional = POSITIONAL.get(node.protocol or "")
    if positional is None:
        return
    if inspect.iscoroutinefunction(found):
        yield Mismatch(
            f"{target} is async, and what it returns cannot serve", "name an ordinary function", "not-a-factory"
        )
        return
    try:
        signature = inspect.signature(found)
    except (TypeError, ValueError):
        return
    try:
        signature.bind(*positional, **dict.fromkeys(keys, ""))
    except TypeError as error:
        call = f"factory({', '.join(positional)}, **keys)"
        yield Mismatch(f"it is called as {call}, and takes {signature}: {error}", "", "wrong-signature")


def failure(module: str, error: BaseException) -> str:
    """``importing shop failed: ModuleNotFoundError: No module named 'stripe' (shop.py:3)``: and who imported it."""
    text = " ".join(str(error).split())
    frames = [
        f"{_short(frame.filename)}:{frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(_OURS)
    ]
    if isinstance(error, SyntaxError) and error.filename:
        text, frames = error.msg, [*frames, f"{_short(error.filename)}:{error.lineno}"]
    places = f" ({' → '.join(frames[-3:])})" if frames else ""
    return f"importing {module} failed: {type(error).__name__}: {text}{places}"


def _near_attribute(target: Reference) -> str | None:
    """What the module has instead, or None if it is the import itself that failed with an AttributeError."""
    import sys

    loaded = sys.modules.get(target.module)
    if loaded is None:
        return None
    first = target.object.partition(".")[0]
    return did_you_mean(first, [name for name in vars(loaded) if not name.startswith("_")]) or "it defines nothing"


def _short(file: str) -> str:
    relative = os.path.relpath(file)
    return relative if len(relative) < len(file) else file
