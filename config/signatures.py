"""What a factory takes, read from its source.

Importing another package to describe it would run its code, and half of what old packages register cannot be imported
any more. Their source can be read all the same.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from .sources import Found, Sources


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: ``default`` is its source text, None where it is required."""

    name: str
    default: str | None = None


@dataclass(frozen=True, slots=True)
class Signature:
    """What a function, or the constructor of a class, takes. ``rest`` is the name of its ``**`` parameter, or empty."""

    parameters: tuple[Parameter, ...]
    rest: str
    doc: str


def read_signature(sources: Sources, module: str, attribute: str) -> Signature | None:
    """The signature of ``module:attribute`` as its source tells it, or None where it does not."""
    found = sources.look_up(module, attribute)
    if not isinstance(found, Found) or isinstance(found.node, ast.Call):
        return None
    return signature_of(found.node)


def signature_of(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> Signature:
    """The signature of a definition; that of a class is its constructor's, without ``self``."""
    doc = ast.get_docstring(node) or ""
    if not isinstance(node, ast.ClassDef):
        return _signature(node.args, doc, 0)
    for member in node.body:
        if isinstance(member, ast.FunctionDef) and member.name == "__init__":
            return _signature(member.args, doc or ast.get_docstring(member) or "", 1)
    return Signature((), "", doc)


def _signature(arguments: ast.arguments, doc: str, skip: int) -> Signature:
    rest = arguments.kwarg.arg if arguments.kwarg else ""
    return Signature(tuple(_parameters(arguments))[skip:], rest, doc)


def _parameters(arguments: ast.arguments) -> Iterator[Parameter]:
    positional = [*arguments.posonlyargs, *arguments.args]
    without = len(positional) - len(arguments.defaults)
    for index, each in enumerate(positional):
        default = arguments.defaults[index - without] if index >= without else None
        yield Parameter(each.arg, None if default is None else ast.unparse(default))
    for each, value in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        yield Parameter(each.arg, None if value is None else ast.unparse(value))
