"""What is known about a mistake beyond its message. Facts: what there is, never what might help.

``providers`` can be added to. A provider gets the exception, the steps of its traceback and the statement that failed
(its source), and gives sentences; nothing in them is ever run. Names that look like secrets are not mentioned.
"""

from __future__ import annotations

import builtins
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from types import ModuleType
from typing import Any

from ..record import Frame
from .classes import bases, instance_dict, members, short_name
from .distribution_names import INSTALLED_AS, REMOVED, RENAMED
from .messages import arguments_of, slot_of
from .nearness import near
from .ownership import python_folders
from .steps import Step
from .values import Budget
from .wording import locals_of, module_of, readable

Provider = Callable[[BaseException, Sequence[Step], str], Iterable[str]]

_MOST = 5
_MOST_NONE = 3
_MOST_TEXT = 500
_MOST_KEYS = 2000
_NAME = re.compile(r"[^\W\d]\w*")
_UNBOUND = re.compile(r"cannot access local variable '([^']{1,200})'")
_CIRCULAR = re.compile(r".{0,300}\bpartially initialized module '([^']{1,200})'")
_IMPORTED = re.compile(r"cannot import name '([^']{1,200})'")


def suggestions_of(error: BaseException, steps: Sequence[Step], statement: str, budget: Budget) -> tuple[str, ...]:
    """At most five sentences, without secrets."""
    found: dict[str, None] = {}
    for provider in providers:
        try:
            for sentence in islice(provider(error, steps, statement), _MOST):
                secrets: list[str] = []
                found[readable(sentence, _MOST_TEXT, secrets)] = None
                budget.known.add_all(secrets)
        except Exception:  # noqa: BLE001 - looked at are objects that have just failed, by providers of others too
            continue
    return tuple(islice(found, _MOST))


def none_among(message: str, frame: Frame, statement: str) -> tuple[str, ...]:
    """Which parts of the failing statement are None, where the message complains of one that is."""
    if "NoneType" not in message:
        return ()
    mentioned = set(_NAME.findall(statement[:5000]))
    parts = (*frame.expressions, *(each for each in frame.variables if each.name in mentioned))
    return tuple(f"{each.name} is None." for each in parts if each.text == "None")[:_MOST_NONE]


def _names(error: BaseException, steps: Sequence[Step], statement: str) -> Iterator[str]:
    if not issubclass(type(error), NameError) or not steps:
        return
    name, frame = slot_of(error, NameError, "name"), steps[-1].frame
    code = frame.f_code
    if issubclass(type(error), UnboundLocalError):
        # Python fills in no name here before 3.12.
        if found := _UNBOUND.match(_first_argument(error)):
            yield f"{found[1]} belongs to {code.co_name} alone, because it is assigned there; nothing was assigned yet."
        return
    if type(name) is not str:
        return
    itself = locals_of(frame).get("self") if code.co_varnames[:1] == ("self",) else None
    if itself is not None and (name in (instance_dict(itself) or {}) or any(name in members(k) for k in _mro(itself))):
        yield f"self.{name} exists."
    if name in sys.stdlib_module_names:
        yield f"{name} is a module of Python's own; it is not imported here."
    elif name in RENAMED:
        yield f"{name} is a name of Python 2; the module is called {RENAMED[name]} now."
    yield from _there_is(near(name, [*locals_of(frame), *frame.f_globals, *vars(builtins)]))


def _attributes(error: BaseException, steps: Sequence[Step], statement: str) -> Iterator[str]:
    if not issubclass(type(error), AttributeError):
        return
    name, owner = slot_of(error, AttributeError, "name"), slot_of(error, AttributeError, "obj")
    if type(name) is not str:
        return
    if owner is None:
        return
    if type(owner) is ModuleType:
        yield from _circle(error)
        yield from _module_facts(owner)
        yield from _there_is(near(name, vars(owner)))
        return
    kind: type = owner if type in bases(type(owner)) else type(owner)
    known = [*(instance_dict(owner) or {}), *(each for above in bases(kind) for each in members(above))]
    for each in near(name, (each for each in known if type(each) is str)):
        yield f"{short_name(kind)} has {each}."


def _keys(error: BaseException, steps: Sequence[Step], statement: str) -> Iterator[str]:
    arguments = arguments_of(error)
    if not issubclass(type(error), KeyError) or len(arguments) != 1 or not steps:
        return
    key, frame = arguments[0], steps[-1].frame
    if type(key) not in (str, int):
        return
    if module_of(frame) == "os":
        if type(key) is str and key not in os.environ:
            yield f"The environment has no variable {key}."
            yield from _there_is(near(key, os.environ))
        return
    held = {**frame.f_globals, **locals_of(frame)}
    for name in dict.fromkeys(_NAME.findall(statement[:2000])):
        mapping: Any = held.get(name)
        if not issubclass(type(mapping), dict):
            continue
        keys = dict.fromkeys(islice(dict.keys(mapping), _MOST_KEYS))
        if key in keys:
            continue
        if type(key) is str and key.isdecimal() and len(key) < 20 and int(key) in keys:
            yield f"{name} has the number {int(key)}; asked for was the text {key!r}."
        elif type(key) is int and str(key) in keys:
            yield f"{name} has the text {str(key)!r}; asked for was the number."
        elif not keys:
            yield f"{name} is empty."
        elif type(key) is str:
            for each in near(key, (each for each in keys if type(each) is str)):
                yield f"{name} has {each!r}."


def _imports(error: BaseException, steps: Sequence[Step], statement: str) -> Iterator[str]:
    kind = type(error)
    name = slot_of(error, ImportError, "name") if issubclass(kind, ImportError) else None
    if type(name) is not str:
        return
    if issubclass(kind, ModuleNotFoundError):
        yield from _missing_module(name)
        return
    yield from _circle(error)
    module = sys.modules.get(name)
    found = _IMPORTED.match(_first_argument(error))
    if type(module) is ModuleType and found:
        yield from _module_facts(module)
        for each in near(found[1], vars(module)):
            yield f"{name} has {each}."


def _missing_module(name: str) -> Iterator[str]:
    parent, _, last = name.rpartition(".")
    if parent in sys.modules:
        folders = getattr(sys.modules[parent], "__path__", None)
        if folders is None:
            yield f"{parent} is a module, not a package; it has no modules below it."
            return
        for each in near(last, _modules_in(list(folders))):
            yield f"{parent} has the module {each}."
        return
    top = name.partition(".")[0]
    if top in REMOVED:
        yield f"{top} was part of Python until it was removed in {REMOVED[top]}; this is {_version()}."
    elif top in RENAMED:
        yield f"{top} is a name of Python 2; the module is called {RENAMED[top]} now."
    elif top in INSTALLED_AS:
        yield f"{top} is part of the distribution {INSTALLED_AS[top]}, which is not installed."
    else:
        tops = {each.partition(".")[0] for each in list(sys.modules)}
        yield from _there_is(near(top, sorted(tops | sys.stdlib_module_names)))


def _files(error: BaseException, steps: Sequence[Step], statement: str) -> Iterator[str]:
    if not issubclass(type(error), FileNotFoundError):
        return
    path = slot_of(error, OSError, "filename")
    if type(path) is not str or not path:
        return
    if not os.path.isabs(path):
        yield f"The path is relative; the working directory is {os.getcwd()}."
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder):
        yield f"The folder {folder} does not exist."


def _recursion(error: BaseException, steps: Sequence[Step], statement: str) -> Iterator[str]:
    if issubclass(type(error), RecursionError):
        yield f"Calls may be nested {sys.getrecursionlimit():,} deep (sys.getrecursionlimit())."


def _decoding(error: BaseException, steps: Sequence[Step], statement: str) -> Iterator[str]:
    if type(error) is not UnicodeDecodeError:
        return
    try:
        character = error.object[error.start : error.start + 1].decode("cp1252")
    except (UnicodeDecodeError, IndexError):
        return
    yield f"In Windows-1252, which Latin-1 texts usually are, that byte is {character!r}."


def _circle(error: BaseException) -> Iterator[str]:
    if found := _CIRCULAR.match(_first_argument(error)):
        yield f"{found[1]} was still being imported: modules import each other in a circle."


def _module_facts(module: ModuleType) -> Iterator[str]:
    names = vars(module)
    name, path = names.get("__name__"), names.get("__file__")
    if name in sys.stdlib_module_names and type(path) is str and not path.startswith(python_folders()):
        yield f"{name} is {path} here, which hides Python's own module of that name."


def _modules_in(folders: list[Any]) -> list[str]:
    found = []
    for folder in folders[:5]:
        try:
            names = os.listdir(folder)
        except (OSError, TypeError):
            continue
        found += [each.partition(".")[0] for each in names if each.endswith((".py", ".so")) or "." not in each]
    return found


def _there_is(names: list[str]) -> Iterator[str]:
    for name in names:
        yield f"There is {name}."


def _mro(value: object) -> tuple[type, ...]:
    return bases(type(value))


def _first_argument(error: BaseException) -> str:
    arguments = arguments_of(error)
    return arguments[0] if arguments and type(arguments[0]) is str else ""


def _version() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


providers: list[Provider] = [_names, _attributes, _keys, _imports, _files, _recursion, _decoding]
