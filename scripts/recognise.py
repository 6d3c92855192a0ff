"""Tell what kind of application somebody has, by looking at its files; none of its code runs.

Flask and its like are found by the call that makes the application, Django by ``manage.py`` and its settings, Pyramid
by its INI file or its ``main(global_config, **settings)``.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from pathlib import Path

from ..config.problems import did_you_mean
from ..config.sources import Found, Sources
from .applications import (
    FACTORY_NAMES,
    Application,
    Unrecognised,
    bindings,
    by_definition,
    framework_of,
    mount,
    objects,
    opaque,
    parsed,
    uses_pyramid,
)
from .projects import django_project, pyramid_project

_SKIPPED = frozenset(
    {"node_modules", "site-packages", "build", "dist", "tests", "test", "docs", "migrations", "venv", "env"}
)
_MOST_FILES = 400
_DEEPEST = 3


def recognise(text: str, folder: Path) -> Application:
    """The application that ``text`` names: ``module:object``, ``module:factory()``, a Python file or a folder.

    Relative paths, and modules, are looked for in ``folder``. Raises ``Unrecognised``.
    """
    path = (folder / text).expanduser()
    if path.is_dir():
        return _the_one_in(path)
    if path.is_file():
        return _in_file(path)
    if re.fullmatch(r"[\w.]+:[\w.]+(\(\))?", text):
        return _named(text, folder)
    if re.fullmatch(r"[\w.]+", text) and (found := _source(text, folder)) is not None:
        return _in_file(Path(found))
    if text.endswith((".py", "/")) or os.sep in text:
        raise Unrecognised(f"there is no file or folder {text}")
    raise Unrecognised(
        f"{text!r} is neither a file, nor a folder, nor a module here; write module:object, such as shop:app"
    )


def applications_in(folder: Path) -> list[Application]:
    """The applications that a folder holds, the likeliest first; empty where there is none."""
    found = [*pyramid_project(folder), *django_project(folder)]
    if found:
        return found
    for path in _modules(folder):
        tree = parsed(path)
        if tree is not None:
            root, module = module_name(path)
            found += objects(tree, module, path, root)
    found.sort(key=_unlikeliness)
    return found


def module_name(path: Path) -> tuple[Path, str]:
    """The folder that a Python file is imported from, and its dotted name: up through the packages around it."""
    path = path.resolve()
    parts = [] if path.stem == "__init__" else [path.stem]
    folder = path.parent
    while (folder / "__init__.py").is_file():
        parts.insert(0, folder.name)
        folder = folder.parent
    return folder, ".".join(parts)


def _the_one_in(folder: Path) -> Application:
    found = applications_in(folder)
    if not found:
        raise Unrecognised(f"no application was recognised in {folder}; name it as module:object, such as shop:app")
    return found[0]


def _in_file(path: Path) -> Application:
    if path.name == "manage.py":
        found = django_project(path.parent)
        if found:
            return found[0]
    if path.suffix == ".ini":
        raise Unrecognised(f"{path} is an INI file already; `wheatpaste serve` takes it as it is")
    tree = parsed(path)
    if path.suffix != ".py" or tree is None:
        raise Unrecognised(f"{path} is no Python file that can be read")
    root, module = module_name(path)
    found = sorted(objects(tree, module, path, root), key=_unlikeliness)
    if found:
        return found[0]
    names = [name for name in ("application", "app") if name in bindings(tree)]
    if names:
        return _named(f"{module}:{names[0]}", root)
    raise Unrecognised(f"no application was recognised in {path}; name it as {module}:object")


def _unlikeliness(found: Application) -> tuple[int, int, int, str]:
    """Objects before factories, the usual names and places before others."""
    module, _, name = found.name.partition(":")
    usual = ("application", "app", *FACTORY_NAMES)
    return (
        int(("factory", "true") in found.settings),
        usual.index(name) if name in usual else len(usual),
        module.count(".") + (len(found.root.parts) if found.root is not None else 0),
        module,
    )


def _source(module: str, folder: Path) -> str | None:
    return Sources([str(folder), str(folder / "src")]).file_of(module)


def _named(text: str, folder: Path) -> Application:
    called = text.endswith("()")
    module, _, name = text.removesuffix("()").partition(":")
    file = _source(module, folder)
    if file is None:
        raise Unrecognised(f"there is no module {module} in {folder}, and none is installed")
    path = Path(file)
    root, _ = module_name(path)
    inside = root if root.resolve().is_relative_to(folder.resolve()) else None
    tree = parsed(path)
    if tree is None:
        raise Unrecognised(f"{path} cannot be read as Python")
    bound = bindings(tree)
    first = name.partition(".")[0]
    if first not in bound and not opaque(tree):
        raise Unrecognised(f"{path.name} defines no {first!r}; {did_you_mean(first, bound)}".rstrip("; "))
    framework = framework_of(tree, bound.get(first)) or ("Pyramid" if uses_pyramid(tree) else "WSGI")
    if framework == "ASGI":
        raise Unrecognised(f"{text} is an asynchronous (ASGI) application; WSGI is served here")
    clue = str(path.resolve().relative_to(root)) if inside is not None else path.name
    if called:
        return mount(framework, module, name, inside, clue, factory=True)
    found = Sources([str(root)]).look_up(module, name)
    if not isinstance(found, Found) or isinstance(found.node, ast.Call):
        return mount(framework, module, name, inside, clue)
    return by_definition(found.node, framework, module, name, inside, clue)


def _modules(folder: Path) -> Iterator[Path]:
    """The Python files of a folder that may hold an application, those at the top first."""
    waiting = [(folder, 0)]
    count = 0
    while waiting:
        current, depth = waiting.pop(0)
        try:
            entries = sorted(os.scandir(current), key=lambda entry: entry.name)
        except OSError:
            continue
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                known = entry.name in _SKIPPED or os.path.exists(os.path.join(entry.path, "pyvenv.cfg"))
                if depth < _DEEPEST and not known:
                    waiting.append((Path(entry.path), depth + 1))
            elif entry.name.endswith(".py") and not entry.name.startswith("test_"):
                count += 1
                if count > _MOST_FILES:
                    return
                yield Path(entry.path)
