"""Read what a factory takes from its source, without running any of it.

Importing another package to describe it would run its code, and half of what old packages register cannot be imported
any more. Their source can be read all the same.
"""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_MOST_HOPS = 6

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: ``default`` is its source text, None where it is required."""

    name: str
    default: str | None = None


@dataclass(frozen=True, slots=True)
class Signature:
    """What a function, or the constructor of a class, takes.

    ``rest`` is the name of its ``**`` parameter, or empty. ``file`` and ``line`` say where it is defined.
    """

    parameters: tuple[Parameter, ...]
    rest: str
    doc: str
    file: str
    line: int


def read_signature(module: str, attribute: str, path: Sequence[str] | None = None) -> Signature | None:
    """The signature of ``module:attribute`` as its source tells it, or None where it does not.

    Imports are followed from module to module. ``path`` are the folders to look in, ``sys.path`` unless told.
    """
    found = find_definition(module, attribute, path)
    if found is None:
        return None
    node, file = found
    doc = "" if isinstance(node, ast.Lambda) else ast.get_docstring(node) or ""
    function: Definition | None = node
    skip = 0
    if isinstance(node, ast.ClassDef):
        function = _member(node.body, "__init__")
        skip = 1  # self
        if isinstance(function, ast.FunctionDef):
            doc = doc or ast.get_docstring(function) or ""
    if function is None or isinstance(function, ast.ClassDef):
        return Signature((), "", doc, file, node.lineno)
    arguments = function.args
    rest = arguments.kwarg.arg if arguments.kwarg else ""
    return Signature(tuple(_parameters(arguments))[skip:], rest, doc, file, node.lineno)


def find_definition(module: str, attribute: str, path: Sequence[str] | None = None) -> tuple[Definition, str] | None:
    """The syntax tree of the definition of ``module:attribute``, and its file; None where the source does not say."""
    for _ in range(_MOST_HOPS):
        file = source_file(module, path)
        if file is None:
            return None
        try:
            with open(file, "rb") as stream:
                tree = ast.parse(stream.read())
        except (OSError, SyntaxError, ValueError):
            return None
        name, _, member = attribute.partition(".")
        found = _look_up(tree, name)
        if isinstance(found, ast.ImportFrom):
            target = _target(found, module, file)
            original = next((each.name for each in found.names if (each.asname or each.name) == name), name)
            module, attribute = target, f"{original}.{member}" if member else original
            continue
        if found is not None and member:
            found = _member(found.body, member) if isinstance(found, ast.ClassDef) else None
        return None if found is None else (found, file)
    return None


def source_file(module: str, path: Sequence[str] | None = None) -> str | None:
    """The ``.py`` file of a module, found without importing it or its packages; None where there is none."""
    top, *steps = module.split(".")
    folders = list(path) if path is not None else sys.path
    for folder in [os.path.join(folder or os.getcwd(), top) for folder in folders] + _searched(top, path):
        for candidate in (os.path.join(folder, *steps) + ".py", os.path.join(folder, *steps, "__init__.py")):
            if os.path.isfile(candidate):
                return candidate
    return None


def _searched(top: str, path: Sequence[str] | None) -> list[str]:
    """The folders of a package that only its finder knows: an editable installation."""
    if path is not None:
        return []
    from importlib.util import find_spec

    try:
        spec = find_spec(top)
    except (ImportError, ValueError):
        return []
    if spec is None:
        return []
    return list(spec.submodule_search_locations or [(spec.origin or "").removesuffix(".py")])


def _look_up(tree: ast.Module, name: str) -> Definition | ast.ImportFrom | None:
    """What a name means at the end of the module: the last definition, through plain assignments."""
    for _ in range(_MOST_HOPS):
        found: ast.AST | None = None
        for statement in statements(tree.body):
            if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                if statement.name == name:
                    found = statement
            elif isinstance(statement, ast.ImportFrom):
                if any((each.asname or each.name) == name for each in statement.names):
                    found = statement
            elif isinstance(statement, ast.Assign) and any(
                isinstance(target, ast.Name) and target.id == name for target in statement.targets
            ):
                found = statement.value
        if isinstance(found, ast.Name) and found.id != name:
            name = found.id
            continue
        known = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda | ast.ImportFrom
        return found if isinstance(found, known) else None
    return None


def statements(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a module, with those under ``if`` and ``try``."""
    for statement in body:
        yield statement
        for block in ("body", "orelse", "finalbody"):
            if isinstance(statement, ast.If | ast.Try | ast.With):
                yield from statements(getattr(statement, block, []))
        if isinstance(statement, ast.Try):
            for handler in statement.handlers:
                yield from statements(handler.body)


def _member(body: Sequence[ast.stmt], name: str) -> Definition | None:
    for statement in body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and statement.name == name:
            return statement
    return None


def _target(statement: ast.ImportFrom, module: str, file: str) -> str:
    if not statement.level:
        return statement.module or ""
    package = module.split(".")
    up = statement.level - (1 if os.path.basename(file) == "__init__.py" else 0)
    return ".".join((*package[: len(package) - up], *((statement.module or "").split(".") if statement.module else ())))


def _parameters(arguments: ast.arguments) -> Iterator[Parameter]:
    positional = [*arguments.posonlyargs, *arguments.args]
    without = len(positional) - len(arguments.defaults)
    for index, each in enumerate(positional):
        default = arguments.defaults[index - without] if index >= without else None
        yield Parameter(each.arg, None if default is None else ast.unparse(default))
    for each, value in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        yield Parameter(each.arg, None if value is None else ast.unparse(value))
