"""How a factory will be called, held against how it is defined: what must fail, said before it does."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from .problems import did_you_mean
from .records import record

POSITIONAL = {
    "paste.app_factory": ("global_conf",),
    "paste.composite_factory": ("loader", "global_conf"),
    "paste.composit_factory": ("loader", "global_conf"),
    "paste.filter_factory": ("global_conf",),
    "paste.filter_app_factory": ("app", "global_conf"),
    "paste.server_factory": ("global_conf",),
    "paste.server_runner": ("app", "global_conf"),
}
"""What each protocol passes by position, before the keys of the section."""

_APPS = frozenset({"Flask", "Quart", "Bottle", "get_wsgi_application", "make_wsgi_app", "FastAPI", "Starlette"})
_ASYNCHRONOUS = frozenset({"Quart", "FastAPI", "Starlette", "get_asgi_application"})
_WSGI = ("environ", "start_response")


@record
class Mismatch:
    """Why a call must fail. ``key`` is the section's key that is to blame, None where it is the reference."""

    what: str
    fix: str
    code: str
    key: str | None = None


def mismatches(definition: ast.AST, reference: str, protocol: str, keys: Iterable[str]) -> Iterator[Mismatch]:
    """What surely is wrong with calling this definition with these keys. Silent wherever the source leaves a doubt."""
    positional = POSITIONAL.get(protocol)
    if positional is None:
        return
    if isinstance(definition, ast.Call):
        yield from _application(definition, reference, protocol)
        return
    function = _callee(definition)
    if function is None:
        return
    name = getattr(definition, "name", reference)
    arguments = function.args
    parameters = [each.arg for each in (*arguments.posonlyargs, *arguments.args)]
    if isinstance(definition, ast.ClassDef):
        parameters = parameters[1:]
    call = f"{name}({', '.join(positional)}, **keys)"
    if tuple(parameters[:2]) == _WSGI and protocol == "paste.app_factory":
        yield Mismatch(f"{name} is a WSGI application, not a factory", _mount(reference), "not-a-factory")
        return
    if isinstance(definition, ast.AsyncFunctionDef):
        yield Mismatch(
            f"{name} is async, and what it returns cannot serve", "name an ordinary function", "not-a-factory"
        )
        return
    if len(parameters) < len(positional) and arguments.vararg is None:
        taken = f"takes only {', '.join(parameters)}" if parameters else "takes nothing by position"
        yield Mismatch(f"it is called as {call}, and {taken}", f"define it as {call}", "wrong-signature")
        return
    yield from _keys(function, parameters, len(positional), name, set(keys))


def _keys(
    function: ast.FunctionDef | ast.AsyncFunctionDef, parameters: list[str], given: int, name: str, keys: set[str]
) -> Iterator[Mismatch]:
    """What is wrong with the keys, where the first ``given`` parameters are passed by position."""
    arguments = function.args
    rest = parameters[given:]
    only_positional = {each.arg for each in arguments.posonlyargs}
    known = [each for each in rest if each not in only_positional] + [each.arg for each in arguments.kwonlyargs]
    taken = keys & set(parameters[:given]) - only_positional
    for key in sorted(taken):
        yield Mismatch(f"{name} is given {key!r} already, by position", "rename the key", "unknown-option", key)
    if arguments.kwarg is None:
        for key in sorted(keys - taken - set(known)):
            hint = did_you_mean(key, known) or "remove it: this takes no keys"
            yield Mismatch(f"{name} takes no {key!r}", hint, "unknown-option", key)
    optional = parameters[len(parameters) - len(arguments.defaults) :]
    required = [each for each in rest if each not in optional]
    required += [
        each.arg for each, value in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if value is None
    ]
    for each in required:
        if each in only_positional:
            yield Mismatch(
                f"{name} needs {each!r} by position, where no key can give it", "remove the '/'", "missing-option"
            )
        elif each not in keys:
            yield Mismatch(
                f"{name} needs {each!r}, which the section does not give", f"add `{each} = …`", "missing-option"
            )


def _callee(definition: ast.AST) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    """The function whose parameters count, or None where something else may have a say: a decorator, a base class."""
    if isinstance(definition, ast.FunctionDef | ast.AsyncFunctionDef):
        return None if definition.decorator_list else definition
    if not isinstance(definition, ast.ClassDef) or definition.decorator_list or definition.keywords:
        return None
    if any(not (isinstance(each, ast.Name) and each.id == "object") for each in definition.bases):
        return None
    functions = {each.name: each for each in definition.body if isinstance(each, ast.FunctionDef)}
    found = functions.get("__init__")
    return None if found is None or found.decorator_list or "__new__" in functions else found


def _application(call: ast.Call, reference: str, protocol: str) -> Iterator[Mismatch]:
    function = call.func
    made_by = (
        function.attr if isinstance(function, ast.Attribute) else function.id if isinstance(function, ast.Name) else ""
    )
    if protocol != "paste.app_factory":
        return
    if made_by in _ASYNCHRONOUS:
        fix = "name a WSGI application"
        yield Mismatch(f"{reference} is an asynchronous (ASGI) application; WSGI is served here", fix, "not-a-factory")
    elif made_by in _APPS:
        yield Mismatch(f"{reference} is a WSGI application, not a factory", _mount(reference), "not-a-factory")


def _mount(reference: str) -> str:
    return f"write `use = egg:wheatpaste#wsgi` and `app = {reference}`"
