"""TARGET, the first word of most commands: an INI file, a URI of paste.deploy, or an object of Python.

An existing file comes first, then ``config:``, ``egg:`` and ``call:``, then ``package.module:object`` and
``./app.py:object``. ``make_app()`` calls a factory.
"""

from __future__ import annotations

import importlib
import os
import re
import sys
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ..config.problems import ConfigError, Problem, did_you_mean, nearest
from ..config.records import record

if TYPE_CHECKING:
    from ..config.composition import Composition

_USUAL_NAMES = ("app", "application")
_SCHEMES = ("config:", "egg:", "call:")
_PYTHON = r"(?P<module>[^\W\d]\w*(?:\.[^\W\d]\w*)*)(?::(?P<object>[^:]+))?"
_OBJECT = r"[^\W\d]\w*(\.[^\W\d]\w*)*(\(\))?"


@record
class Target:
    """What a TARGET names.

    ``uri`` is what the loader takes and ``path`` the INI file, if it is one; otherwise ``module`` or ``script`` (the
    path of a .py file) and ``attribute`` name something in Python.
    """

    text: str
    uri: str | None = None
    path: str | None = None
    name: str | None = None
    module: str | None = None
    script: str | None = None
    attribute: str | None = None

    @property
    def is_python(self) -> bool:
        """Whether it names an object of Python rather than a configuration."""
        return self.uri is None

    def compose(
        self,
        *,
        name: str | None = None,
        variables: Mapping[str, str] | None = None,
        on_file: Callable[[str], object] | None = None,
        collect: bool = False,
    ) -> Composition:
        """Evaluate the configuration; ``name`` beats the name in the target. Raises as ``Composition.load`` does."""
        from ..config.composition import Composition

        if self.uri is None:
            raise ValueError(f"{self.text} names no configuration")
        return Composition.load(
            self.uri,
            name=name or self.name,
            relative_to=os.getcwd(),
            global_conf=variables,
            on_file=on_file,
            collect=collect,
        )

    def load_object(self) -> Any:
        """Import the object of Python that the target names, and call it where it says ``()``."""
        module = self._import()
        wanted = self.attribute or self._usual(module)
        found: Any = module
        for step in wanted.removesuffix("()").split("."):
            if not hasattr(found, step):
                names = [each for each in vars(found) if not each.startswith("_")] if hasattr(found, "__dict__") else []
                raise self._problem(f"{self._place} has no {step!r}", did_you_mean(step, names))
            found = getattr(found, step)
        if not wanted.endswith("()"):
            return self._checked(found, wanted)
        from ..config.built import remember

        made = self._checked(self._made(found, wanted), wanted)
        remember(made)
        return made

    def _made(self, factory: Any, wanted: str) -> Any:
        try:
            return factory()
        except TypeError as error:
            if error.__traceback__ is None or error.__traceback__.tb_next is not None:
                raise  # it came from inside
            bare = wanted.removesuffix("()")
            fix = f"name one that takes no arguments, or write {bare!r} if that is the app"
            raise self._problem(f"{wanted} cannot be called ({error})", fix) from error

    @property
    def _place(self) -> str:
        return self.script or self.module or self.text

    def _import(self) -> ModuleType:
        name, folder = self.module, os.getcwd()
        if self.script is not None:
            name, folder = _module_of(self.script)
        for each in (folder, os.getcwd()):
            if each not in sys.path:
                sys.path.insert(0, each)
        try:
            if self.script is not None and (name is None or "." not in name):
                return _import_file(self.script)
            return importlib.import_module(name or "")
        except ModuleNotFoundError as error:
            if error.name is None or not f"{name}.".startswith(f"{error.name}."):
                raise  # it is a module of the app that lacks one
            raise self._missing(error.name, folder) from error
        except SystemExit as stop:
            raise self._problem(
                f"importing {self._place} called sys.exit", "name a module that only defines an app"
            ) from stop

    def _missing(self, module: str, folder: str) -> ConfigError:
        from ..config.sources import Flaw, Sources

        flaw = Sources([folder]).look_up(module, "")
        meant = nearest(flaw.word, flaw.near) if isinstance(flaw, Flaw) else None
        fix = f"did you mean {meant!r}?" if meant else "install what has it, or start in the folder that it lies in"
        return self._problem(f"there is no module {module!r}", fix)

    def _usual(self, module: ModuleType) -> str:
        for each in _USUAL_NAMES:
            if hasattr(module, each):
                return each
        own = [
            name
            for name, value in vars(module).items()
            if callable(value) and getattr(value, "__module__", None) == module.__name__ and not name.startswith("_")
        ]
        factories = [name for name in own if name.startswith(("make_", "create_", "get_"))]
        hint = f"write {self.text}:{factories[0]}()" if factories else f"name one: {self.text}:NAME"
        raise self._problem(f"{self._place} has neither 'app' nor 'application'", hint)

    def _checked(self, found: Any, wanted: str) -> Any:
        if hasattr(found, "cr_frame"):
            found.close()  # or Python warns that it was never awaited
            raise self._problem(f"{wanted} returned a coroutine", "name a function that is not async")
        if found is None:
            raise self._problem(f"{wanted} is None", "it must be a WSGI app, or with () a function that returns one")
        if not callable(found):
            raise self._problem(f"{wanted} is of type {type(found).__name__} and cannot be called", "name a WSGI app")
        if _is_async(found) or _is_async(getattr(type(found), "__call__", None)):  # noqa: B004 - the method itself
            raise self._problem(f"{wanted} is an ASGI app", "wheatpaste serves WSGI apps")
        return found

    def _problem(self, what: str, fix: str) -> ConfigError:
        return ConfigError(Problem(what=what, fix=fix, code="target"))


def _is_async(function: Any) -> bool:
    flags: int = getattr(getattr(function, "__code__", None), "co_flags", 0)
    return bool(flags & 0x80)  # inspect.CO_COROUTINE, without the cost of importing inspect


def find_target(text: str) -> Target:
    """Find out what a TARGET names, without importing it. Raises ``ConfigError`` where it names nothing."""
    path, _, fragment = text.partition("#")
    if os.path.isfile(text):
        path, fragment = text, ""
    if os.path.isfile(path):
        if path.endswith(".py"):
            return Target(text=text, script=os.path.abspath(path), attribute=fragment or None)
        if "#" in path:
            raise _no_target(
                f"{path} cannot be named by a URI: # begins the name of a section", "rename it, or start in its folder"
            )
        absolute = os.path.abspath(path)
        # A folder further out may have one in its name, as long as nobody has to write it.
        uri = f"config:{path if '#' in absolute else absolute}"
        return Target(text=text, uri=uri, path=absolute, name=fragment or None)
    if os.path.isdir(path):
        inside = sorted(each for each in os.listdir(path) if each.endswith((".ini", ".cfg", ".conf")))
        raise _no_target(
            f"{text} is a directory", f"name the file, such as {os.path.join(path, inside[0])}" if inside else ""
        )
    if os.path.exists(path):
        raise _no_target(f"{text} is no regular file", "name an INI file")
    if text.startswith(_SCHEMES):
        return _uri_target(text)
    script, colon, wanted = text.rpartition(":")
    if colon and script.endswith(".py"):
        if not os.path.isfile(script):
            raise _no_target(f"the file {script} does not exist", _near_file(script))
        return Target(text=text, script=os.path.abspath(script), attribute=_object(text, wanted))
    found = re.fullmatch(_PYTHON, text)
    if found and not _looks_like_file(text):
        wanted = found["object"]
        if wanted is not None or _exists(found["module"]):
            return Target(
                text=text, module=found["module"], attribute=None if wanted is None else _object(text, wanted)
            )
    if os.path.islink(path):
        raise _no_target(f"the symbolic link {path} leads nowhere", "correct it, or name an INI file")
    raise _no_target(f"the file {path} does not exist", _near_file(path))


def _uri_target(text: str) -> Target:
    if not text.startswith("config:"):
        return Target(text=text, uri=text)
    path, _, name = text.removeprefix("config:").partition("#")
    return Target(text=text, uri=f"config:{os.path.abspath(path)}", path=os.path.abspath(path), name=name or None)


def _object(text: str, wanted: str) -> str:
    if not re.fullmatch(_OBJECT, wanted):
        raise _no_target(
            f"{wanted!r} in {text} is no name of an object", "write module:name, or module:name() to call it"
        )
    return wanted


def _looks_like_file(text: str) -> bool:
    return os.sep in text or text.endswith((".ini", ".cfg", ".conf", ".py", ".toml"))


def _exists(module: str) -> bool:
    """Whether a module of this name could be imported; looks for files only, which imports nothing."""
    from importlib.machinery import PathFinder

    places: list[str] | None = [os.getcwd(), *sys.path]
    for part in module.split("."):
        spec = PathFinder.find_spec(part, places)
        if spec is None:
            return False
        places = list(spec.submodule_search_locations or ())
    return True


def _near_file(path: str) -> str:
    folder = os.path.dirname(path) or "."
    try:
        names = os.listdir(folder)
    except OSError:
        return f"there is no folder {folder}"
    near = nearest(os.path.basename(path), names)
    return f"did you mean {os.path.join(os.path.dirname(path), near)}?" if near else ""


def _no_target(what: str, fix: str) -> ConfigError:
    return ConfigError(Problem(what=what, fix=fix, code="target"))


def _module_of(script: str) -> tuple[str, str]:
    """The dotted name of a .py file, and the folder from which that name can be imported."""
    folder, file = os.path.split(script)
    parts = [file.removesuffix(".py")]
    while os.path.isfile(os.path.join(folder, "__init__.py")):
        folder, part = os.path.split(folder)
        parts.insert(0, part)
    if parts[-1] == "__init__":
        parts.pop()
    return ".".join(parts), folder


def _import_file(path: str) -> ModuleType:
    """Import a file that stands in no package. Its name gives way to a module that already has it (``site.py``)."""
    from importlib.util import module_from_spec, spec_from_file_location

    name = os.path.basename(path).removesuffix(".py")
    if not name.isidentifier() or name in sys.stdlib_module_names or name in sys.modules:
        name = "wheatpaste_target_" + re.sub(r"\W", "_", name)
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise _no_target(f"{path} is no Python file", "")
    module = module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
