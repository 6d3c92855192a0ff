"""Look up ``module:object`` in the source, without running it.

Importing a module, or only the package around it, runs a deployer's code. What can be said for sure is said from the
import system's own search and the syntax tree; where a module makes names at run time nothing is said at all.
"""

from __future__ import annotations

import ast
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.machinery import ModuleSpec, PathFinder

from .records import frozen, record

_MOST_HOPS = 6
_MOST_BYTES = 1 << 20
_MOST_STEPS = 100  # each is a step of recursion

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Call

# A module that does any of this may have names that its text does not show.
_DYNAMIC = (
    rb"\b(?:globals|locals|vars|exec|setattr|__getattr__|__class__|__dict__)\b"
    rb"|\bsys\s*\.\s*modules\b|\bimport\s*\(?\s*\*"
)
_ANY_PATH = rb"\b(?:__path__|meta_path|path_hooks)\b|\bsys\s*\.\s*(?:modules|path)\b"


@record
class Flaw:
    """Why ``module:object`` surely cannot be imported: ``what`` is a sentence, ``near`` the names that there are.

    ``is_top``: the module that is missing is in no package.
    """

    what: str
    code: str
    word: str = ""
    near: tuple[str, ...] = ()
    is_top: bool = False


@frozen
class Found:
    """A definition, and that it is the only one of its name. Each is one of its own, also as a key."""

    node: Definition
    file: str


class _Module:
    """The names that a module's text gives itself."""

    def __init__(self, text: bytes = b"", *, error: str = "") -> None:
        self.names: dict[str, list[ast.stmt | None]] = {}
        self.error = error
        self._text = text

    @property
    def dynamic(self) -> bool:
        """Whether there may be more names."""
        return re.search(_DYNAMIC, self._text) is not None


class Sources:
    """Looks modules up in ``folders`` first, then where Python does. Each file is parsed once.

    ``on_file(path)`` is called before a file is read: what it says decides whether a site starts.
    """

    def __init__(self, folders: Sequence[str] = (), on_file: Callable[[str], object] | None = None) -> None:
        self.folders = list(folders)
        self._on_file = on_file
        self._modules: dict[str, _Module | None] = {}
        self._specs: dict[str, ModuleSpec | Flaw | None] = {}
        # They may have changed since the interpreter last listed them. (PathFinder's own method imports too much.)
        for folder in self.folders:
            finder = sys.path_importer_cache.get(folder)
            if finder is not None and hasattr(finder, "invalidate_caches"):
                finder.invalidate_caches()

    def file_of(self, module: str) -> str | None:
        """The ``.py`` file of a module, or None where it has none or is not found."""
        spec = self._find(module)
        origin = spec.origin if isinstance(spec, ModuleSpec) else None
        return origin if origin is not None and origin.endswith(".py") else None

    def look_up(self, module: str, attributes: str) -> Found | Flaw | None:
        """The definition of ``module:attributes``, why there is none, or None where the source does not tell."""
        for hop in range(_MOST_HOPS):
            spec = self._find(module)
            if isinstance(spec, Flaw):
                # What fails further inside is somebody's package's mistake, or not the whole truth about it.
                return None if hop else spec
            file = None if spec is None else spec.origin
            if spec is None or file is None or not file.endswith(".py") or not attributes:
                return None
            source = self._read(file)
            if source is None or (hop and source.error):
                return None
            if source.error:
                return Flaw(source.error, "broken-module")
            name, _, member = attributes.partition(".")
            bindings = source.names.get(name)
            if bindings is None:
                return None if hop else self._lacks(source, spec, module, name)
            bound = bindings[0] if len(bindings) == 1 else None
            step = None if bound is None or member else _step(bound, name)
            if isinstance(step, Definition):
                return Found(step, file)
            if isinstance(step, ast.ImportFrom):
                module = _target(step, module, is_package=spec.submodule_search_locations is not None)
                attributes = next(each.name for each in step.names if (each.asname or each.name) == name)
            elif isinstance(step, ast.Name):
                attributes = step.id
            else:
                return None
        return None

    def _lacks(self, source: _Module, spec: ModuleSpec, module: str, name: str) -> Flaw | None:
        if source.dynamic or name.startswith("__"):
            return None
        if spec.submodule_search_locations is not None and self._below(spec, name) is not None:
            return None
        near = tuple(each for each, bound in source.names.items() if not (each.startswith("_") or _only_modules(bound)))
        return Flaw(f"{module} has no {name!r}", "missing-name", name, near)

    # -- modules --

    def _find(self, module: str) -> ModuleSpec | Flaw | None:
        if module not in self._specs:
            self._specs[module] = self._search(module)
        return self._specs[module]

    def _search(self, module: str) -> ModuleSpec | Flaw | None:
        package, dot, last = module.rpartition(".")
        if not dot:
            return self._top(module)
        if package.count(".") >= _MOST_STEPS:
            return Flaw(f"no module is nested more than {_MOST_STEPS} deep", "missing-module")
        above = self._find(package)
        if above is None or isinstance(above, Flaw):
            return above
        if above.submodule_search_locations is None:
            return None if package in sys.modules else Flaw(f"{package} is a module, not a package", "missing-module")
        found = self._below(above, last)
        if found is not None:
            return found
        if module in sys.modules or self._moves(above):
            return None
        return Flaw(f"there is no module {module!r}", "missing-module", last, tuple(_siblings(above)))

    def _top(self, name: str) -> ModuleSpec | Flaw | None:
        found = PathFinder.find_spec(name, self.folders) if self.folders else None
        if found is not None:
            return found
        if name in sys.modules and getattr(sys.modules[name], "__spec__", None) is None:
            return None
        for finder in sys.meta_path:
            try:
                found = finder.find_spec(name, None)
            except (ImportError, AttributeError, ValueError, OSError):
                return None
            if found is not None:
                return found
        near = [each for folder in self.folders for each in _modules_in(folder)]
        return Flaw(f"there is no module {name!r}", "missing-module", name, tuple(near), is_top=True)

    def _below(self, spec: ModuleSpec, name: str) -> ModuleSpec | None:
        # By its last name: for a folder without an __init__.py in another, Python would look for the other one in
        # sys.modules, where it is not, as nothing was imported.
        return PathFinder.find_spec(name, _locations(spec))

    def _moves(self, spec: ModuleSpec) -> bool:
        """Whether a package may find its modules elsewhere than where it lies."""
        if spec.origin is None or not spec.origin.endswith(".py"):
            return spec.origin is not None
        try:
            with open(spec.origin, "rb") as stream:
                return re.search(_ANY_PATH, stream.read(_MOST_BYTES)) is not None
        except OSError:
            return True

    # -- names --

    def _read(self, file: str) -> _Module | None:
        if file not in self._modules:
            if self._on_file is not None:
                self._on_file(file)
            self._modules[file] = _parse(file)
        return self._modules[file]


def _locations(spec: ModuleSpec) -> list[str]:
    # The path of a namespace package computes itself anew when iterated, for which its parent would be imported.
    locations = spec.submodule_search_locations
    return list(getattr(locations, "_path", locations) or ())


def _siblings(spec: ModuleSpec) -> Iterator[str]:
    for folder in _locations(spec):
        yield from _modules_in(folder)


def _modules_in(folder: str) -> Iterator[str]:
    try:
        names = sorted(os.listdir(folder or "."))
    except OSError:
        return
    for name in names[:500]:
        stem, ending = os.path.splitext(name)
        if stem.isidentifier() and (ending == ".py" or (not ending and "__" not in stem)):
            yield stem


def _parse(file: str) -> _Module | None:
    try:
        with open(file, "rb") as stream:
            text = stream.read(_MOST_BYTES + 1)
    except OSError:
        return None
    if len(text) > _MOST_BYTES:
        return None
    try:
        tree = ast.parse(text, file)
    except SyntaxError as error:
        return _Module(error=f"{_short(file)}:{error.lineno} is no valid Python ({error.msg})")
    except (ValueError, RecursionError, MemoryError):
        return None
    module = _Module(text)
    _collect(tree.body, module, sure=True)
    if b"global" in text:
        for node in ast.walk(tree):
            if isinstance(node, ast.Global):
                for name in node.names:
                    module.names.setdefault(name, []).append(None)
    return module


def _collect(body: Iterable[ast.stmt], module: _Module, *, sure: bool) -> None:
    """Note what each statement of a module binds; a binding that depends on a condition is noted as None."""
    for statement in body:
        for name in _bound(statement):
            module.names.setdefault(name, []).append(statement if sure else None)
        for part in ("body", "orelse", "finalbody"):
            if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                _collect(getattr(statement, part, ()), module, sure=False)
        for handler in getattr(statement, "handlers", ()):
            _collect(handler.body, module, sure=False)
        for case in getattr(statement, "cases", ()):
            _collect(case.body, module, sure=False)


def _only_modules(bindings: Iterable[ast.stmt | None]) -> bool:
    """Whether a name is that of an imported module, which nobody would mount."""
    return all(isinstance(each, ast.Import) for each in bindings)


def _bound(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield statement.name
    elif isinstance(statement, ast.Import):
        for each in statement.names:
            yield each.asname or each.name.partition(".")[0]
    elif isinstance(statement, ast.ImportFrom):
        for each in statement.names:
            yield each.asname or each.name
    else:
        for node in ast.walk(statement) if not isinstance(statement, ast.If | ast.Try) else ():
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del):
                yield node.id
            elif isinstance(node, ast.MatchAs | ast.MatchStar) and node.name:
                yield node.name


def _step(bound: ast.stmt, name: str) -> ast.AST | None:
    """What the only binding of a name leads to: a definition, an import, another name, a call; otherwise None."""
    if isinstance(bound, ast.ImportFrom | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return bound
    if isinstance(bound, ast.Assign) and len(bound.targets) == 1:
        target, value = bound.targets[0], bound.value
        if isinstance(target, ast.Name) and target.id == name and isinstance(value, ast.Name | ast.Call):
            return value
    return None


def _target(statement: ast.ImportFrom, module: str, *, is_package: bool) -> str:
    if not statement.level:
        return statement.module or ""
    package = module.split(".")
    up = statement.level - (1 if is_package else 0)
    kept = package[: len(package) - up] if up else package
    return ".".join((*kept, *((statement.module or "").split(".") if statement.module else ())))


def _short(file: str) -> str:
    relative = os.path.relpath(file)
    return relative if len(relative) < len(file) else file
