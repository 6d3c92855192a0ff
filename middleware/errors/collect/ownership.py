"""Whose code a frame runs: the project's own, a package's, or Python's; and what people call its file.

Decided in this order: modules named as own, modules named as foreign, what is installed (``site-packages``) or belongs
to Python, what lies below a folder of the project. A project's folder that is itself installed counts as the project.
"""

from __future__ import annotations

import os
import sysconfig
from dataclasses import dataclass
from functools import cache, lru_cache

from .distributions import below_packages, installed
from .settings import Collecting
from .texts import clean_line

_OURS = __name__.partition(".")[0]


@dataclass(frozen=True, slots=True)
class Owner:
    """``file`` as people name it, below the project or its package; ``package`` is empty where nobody knows."""

    own: bool
    file: str
    package: str = ""


class Ownership:
    """The rules of one configuration."""

    __slots__ = ("_folders", "_foreign", "_known", "_own", "_told")

    def __init__(self, settings: Collecting) -> None:
        self._own = settings.own
        self._foreign = settings.foreign
        # The working directory counts as it is now, and only if nobody was told what the project is.
        self._told = bool(settings.project)
        folders = settings.project or (_working_directory(),)
        self._folders = tuple(sorted((_below(each) for each in folders if each), key=len, reverse=True))
        self._known: dict[tuple[str, str], Owner] = {}

    def of(self, path: str, module: str) -> Owner:
        """Whose code this is: ``path`` as Python knows the file, ``module`` the name of the code's module."""
        key = (path, module)
        owner = self._known.get(key)
        if owner is None:
            if len(self._known) > 2000:
                self._known.clear()
            owner = self._known[key] = self._decide(path, module)
        return owner

    def _decide(self, path: str, module: str) -> Owner:
        folder = next((each for each in self._folders if path.startswith(each)), "")
        file, package, foreign = self._place(path, module, folder)
        own = not foreign and (bool(folder) or path in ("<stdin>", "<string>") and module == "__main__")
        if _is_named(module, self._foreign):
            own = False
        if _is_named(module, self._own):
            own = True
        if own and folder:
            file = path[len(folder) :]
        return Owner(own, clean_line(file.replace(os.sep, "/"), 500), "" if own else package)

    def _place(self, path: str, module: str, folder: str) -> tuple[str, str, bool]:
        """The name of a file as part of its package, that package, and whether it cannot be the project's."""
        if module.partition(".")[0] == _OURS:
            return _as_module(path, module), _OURS, True
        if path.startswith("<frozen "):
            return path, "Python", True
        below = below_packages(path)
        if below is not None:
            # Told to be the project, although it is installed: a deployment by pip.
            if self._told and len(folder) > len(below[0]) + 1:
                return path[len(folder) :], "", False
            distribution = installed(path)
            return below[1], distribution.name if distribution else "", True
        for root in python_folders():
            if path.startswith(root) and not (self._told and len(folder) > len(root)):
                return path[len(root) :], "Python", True
        if folder or path.startswith("<"):
            return path, "", False
        package = "" if module == "__main__" else module.partition(".")[0]
        return _as_module(path, module), package, False


def _is_named(module: str, prefixes: tuple[str, ...]) -> bool:
    return any(module == each or module.startswith(f"{each}.") for each in prefixes)


def _as_module(path: str, module: str) -> str:
    """The end of the path that says the same as the module's name: ``shop/views.py`` for ``shop.views``."""
    depth = module.count(".") + (2 if os.path.basename(path) == "__init__.py" else 1)
    parts = path.split(os.sep)
    return os.sep.join(parts[-depth:]) if module and module != "__main__" and len(parts) > depth else path


def _working_directory() -> str:
    try:
        return os.getcwd()
    except OSError:  # it was deleted
        return ""


@lru_cache(maxsize=64)
def _below(folder: str) -> str:
    folder = os.path.abspath(folder)
    return folder if folder.endswith(os.sep) else folder + os.sep


@cache
def python_folders() -> tuple[str, ...]:
    """The folders of the standard library, each with a separator at its end."""
    names = ("stdlib", "platstdlib")
    paths = {sysconfig.get_path(name) for name in names} | {os.path.dirname(os.__file__)}
    paths |= {os.path.realpath(path) for path in paths if path}
    return tuple(sorted((_below(path) for path in paths if path), key=len, reverse=True))
