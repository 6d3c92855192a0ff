"""What a piece of Python source is to an INI file: an application, or a factory that makes one. None of it runs."""

from __future__ import annotations

import ast
import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..protocol.secret_names import is_secret_name

MAKERS = {
    ("flask", "Flask"): "Flask",
    ("bottle", "Bottle"): "Bottle",
    ("bottle", "default_app"): "Bottle",
    ("falcon", "App"): "Falcon",
    ("django.core.wsgi", "get_wsgi_application"): "Django",
}
"""The calls that make an application: module and name → the framework."""

ASYNCHRONOUS = {("fastapi", "FastAPI"), ("starlette.applications", "Starlette"), ("quart", "Quart")}
ASYNCHRONOUS |= {("django.core.asgi", "get_asgi_application"), ("falcon.asgi", "App")}

FACTORY_NAMES = ("create_app", "make_app", "build_app", "app_factory")
_GLOBAL_CONF = re.compile(r"_*global_?(conf|config|settings)?|_*globals?", re.IGNORECASE)
_MOST_BYTES = 512 * 1024


class Unrecognised(ValueError):
    """What was named is no application that could be mounted; the message says why, and what to name instead."""


@dataclass(frozen=True, slots=True)
class Application:
    """An application, and how an INI file mounts it.

    ``settings`` are the lines of its section, in order, ``notes`` comments above them. ``root`` is the folder that it
    is imported from, None where it is installed. ``clue`` says what gave it away.
    """

    framework: str
    name: str
    settings: tuple[tuple[str, str], ...]
    root: Path | None
    clue: str
    notes: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """What it is, in a few words: ``shop:app (Flask)``."""
        return f"{self.name} ({self.framework})"

    @property
    def holds_secret(self) -> bool:
        """Whether a secret was made up for it, so that the file is for its owner alone."""
        return any(is_secret_name(key) for key, _ in self.settings)


def by_definition(
    definition: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef,
    framework: str,
    module: str,
    name: str,
    root: Path | None,
    clue: str,
) -> Application:
    """Mount what a function or class is: a WSGI app, a factory of paste.deploy, or a factory without arguments."""
    if isinstance(definition, ast.ClassDef):
        constructor = next(
            (each for each in definition.body if isinstance(each, ast.FunctionDef) and each.name == "__init__"), None
        )
        if constructor is None:
            return mount(framework, module, name, root, clue, factory=True)
        definition, skip = constructor, 1
    else:
        skip = 0
    if isinstance(definition, ast.AsyncFunctionDef):
        raise Unrecognised(f"{module}:{name} is asynchronous; WSGI is served here")
    arguments = definition.args
    positional = [each.arg for each in (*arguments.posonlyargs, *arguments.args)][skip:]
    required = positional[: len(positional) - len(arguments.defaults)]
    if required and _GLOBAL_CONF.fullmatch(required[0]):
        return paste_factory(definition, framework, module, name, root, clue, required[1:])
    if len(required) == 2 and not arguments.kwarg:
        return mount(framework, module, name, root, clue)
    if len(required) == 1 and arguments.kwarg:
        return paste_factory(definition, framework, module, name, root, clue, [])
    if required:
        wanted = ", ".join(required)
        raise Unrecognised(
            f"{module}:{name} cannot be called without arguments ({wanted}); name an object, or a factory"
        )
    return mount(framework, module, name, root, clue, factory=True)


def mount(
    framework: str, module: str, name: str, root: Path | None, clue: str, *, factory: bool = False
) -> Application:
    """Mount an object that is an application, or one that makes it when it is called."""
    settings = [("use", "egg:wheatpaste#wsgi"), ("app", f"{module}:{name}")]
    if factory:
        settings.append(("factory", "true"))
    return Application(framework, f"{module}:{name}", tuple(settings), root, clue)


def paste_factory(
    function: ast.FunctionDef,
    framework: str,
    module: str,
    name: str,
    root: Path | None,
    clue: str,
    required: Sequence[str],
) -> Application:
    """Mount ``factory(global_conf, **settings)``: the section's keys are its settings."""
    wanted = dict.fromkeys(required)
    optional = function.args.kwonlyargs
    wanted |= {
        each.arg: None for each, default in zip(optional, function.args.kw_defaults, strict=True) if default is None
    }
    if function.args.kwarg is not None:
        wanted |= dict.fromkeys(key for key in _subscripts(function, function.args.kwarg.arg) if is_secret_name(key))
    settings = [("paste.app_factory", f"{module}:{name}")]
    for key in wanted:
        settings.append((key, secrets.token_hex(32) if is_secret_name(key) else "CHANGE-ME"))
    notes = ("Other keys of this section are handed to the factory.",)
    return Application(framework, f"{module}:{name}", tuple(settings), root, clue, notes)


def _subscripts(function: ast.AST, mapping: str) -> Iterator[str]:
    """The keys ``mapping["…"]`` that a function cannot do without."""
    for node in ast.walk(function):
        if (
            isinstance(node, ast.Subscript)
            and isinstance(node.value, ast.Name)
            and node.value.id == mapping
            and isinstance(node.ctx, ast.Load)
            and isinstance(node.slice, ast.Constant)
            and isinstance(node.slice.value, str)
        ):
            yield node.slice.value


def objects(tree: ast.Module, module: str, path: Path, root: Path) -> Iterator[Application]:
    """The applications that a module makes when it is imported, and the factories that make one."""
    for name, value in bindings(tree).items():
        if isinstance(value, ast.FunctionDef):
            arguments = value.args
            required = len(arguments.args) + len(arguments.posonlyargs) - len(arguments.defaults)
            if name not in FACTORY_NAMES or required:
                continue
            made = next((kind for call in calls(value) if (kind := framework_of(tree, call))), None)
            if made and made != "ASGI":
                yield mount(
                    made, module, name, root, f"{path.resolve().relative_to(root)}, line {value.lineno}", factory=True
                )
        elif isinstance(value, ast.Call):
            made = framework_of(tree, value)
            if made and made != "ASGI":
                yield mount(made, module, name, root, f"{path.resolve().relative_to(root)}, line {value.lineno}")


def framework_of(tree: ast.Module, value: ast.AST | None) -> str | None:
    """The framework whose application a call makes, ``ASGI`` for those that are served otherwise, None if unknown."""
    if not isinstance(value, ast.Call):
        return None
    if isinstance(value.func, ast.Attribute) and value.func.attr == "make_wsgi_app":
        return "Pyramid"
    called = _dotted(value.func)
    if called is None:
        return None
    first, _, rest = called.partition(".")
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and not node.level:
            for each in node.names:
                if (each.asname or each.name) == first:
                    called = ".".join(part for part in (node.module, each.name, rest) if part)
        elif isinstance(node, ast.Import):
            for each in node.names:
                if each.asname == first:
                    called = ".".join(part for part in (each.name, rest) if part)
    owner, _, attribute = called.rpartition(".")
    if (owner, attribute) in ASYNCHRONOUS:
        return "ASGI"
    return MAKERS.get((owner, attribute))


def _dotted(node: ast.AST) -> str | None:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (owner := _dotted(node.value)) is not None:
        return f"{owner}.{node.attr}"
    return None


def calls(node: ast.AST) -> Iterator[ast.Call]:
    """Every call in a tree."""
    return (each for each in ast.walk(node) if isinstance(each, ast.Call))


def uses_pyramid(tree: ast.Module) -> bool:
    """Whether a module imports Pyramid."""
    return any(name.partition(".")[0] == "pyramid" for name in _imports(tree))


def _imports(node: ast.AST) -> set[str]:
    """The modules that are imported anywhere in a tree."""
    names: set[str] = set()
    for each in ast.walk(node):
        if isinstance(each, ast.Import):
            names |= {alias.name for alias in each.names}
        elif isinstance(each, ast.ImportFrom) and each.module:
            names.add(each.module)
    return names


def _statements(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a module, with those that depend on a condition or may fail."""
    for statement in body:
        yield statement
        if isinstance(statement, ast.If | ast.Try | ast.With):
            for part in ("body", "orelse", "finalbody"):
                yield from _statements(getattr(statement, part, ()))
            for handler in getattr(statement, "handlers", ()):
                yield from _statements(handler.body)


def bindings(tree: ast.Module) -> dict[str, ast.AST]:
    """What each name of a module is bound to last."""
    bound: dict[str, ast.AST] = {}
    for statement in _statements(tree.body):
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            bound[statement.name] = statement
        elif isinstance(statement, ast.Assign):
            bound |= {each.id: statement.value for each in statement.targets if isinstance(each, ast.Name)}
        elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name) and statement.value:
            bound[statement.target.id] = statement.value
        elif isinstance(statement, ast.Import | ast.ImportFrom):
            bound |= {(each.asname or each.name).partition(".")[0]: statement for each in statement.names}
    return bound


def opaque(tree: ast.Module) -> bool:
    """Whether a module may hold names that its source does not show."""
    return "*" in bindings(tree) or "__getattr__" in bindings(tree)


def parsed(path: Path) -> ast.Module | None:
    """The syntax tree of a file, or None where it cannot be read or is no Python."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            return None
        return ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return None
