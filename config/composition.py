"""``Composition.load(uri)`` → look at it, edit it → ``.build()`` → serve it → ``.close()``.

The one way in for everything that reads a configuration: check, show, explain, serve and the Python API.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from .built import PATIENCE, Built, recording, remember
from .collector import waiting
from .evaluate import Resolver
from .ini import IniFile
from .layers import Settings
from .mention import Mention
from .node import APP, FILTER, SERVER, Kind, Lost, Node, Value, Values
from .origin import How, Origin
from .problems import Problem, config_error
from .scope import Scope

if TYPE_CHECKING:
    from typing import Self

__all__ = ["APP", "FILTER", "SERVER", "Composition", "Lost", "Node", "Value", "Values"]


class Composition:
    """A configuration, evaluated: its ``root`` node and all that was read and found on the way.

    ``root``
        The node asked for; its ``shape`` is ``missing`` where that was not to be found.
    ``kind``, ``uri``, ``passed``
        What was asked for, and the variables that were given.
    ``resolver``
        What evaluated it.
    """

    def __init__(self, root: Node, kind: Kind, uri: str, resolver: Resolver) -> None:
        self.root = root
        self.kind: Kind = kind
        self.uri = uri
        self.resolver = resolver
        self._built = Built()

    @classmethod
    def load(
        cls,
        uri: str,
        *,
        kind: Kind = "app",
        name: str | None = None,
        relative_to: str | None = None,
        global_conf: Mapping[str, Any] | None = None,
        on_file: Callable[[str], object] | None = None,
        collect: bool = False,
        given_by: How = "command line",
        loaders: Mapping[str, Callable[..., Any]] | None = None,
    ) -> Composition:
        """Evaluate what ``uri`` names, without importing anything of it.

        ``uri`` is ``config:file.ini#name``, ``egg:Distribution#name`` or ``call:module:object``; ``name`` beats the
        name in it. ``global_conf`` are variables for interpolation and global values; ``given_by`` says who gave them.
        ``on_file(path)`` is called before each INI file is opened.

        Raises ``ConfigError`` with all errors at once; with ``collect`` they are in :attr:`problems` instead.
        """
        resolver = Resolver(on_file, loaders)
        passed = _variables(global_conf, given_by, resolver)
        with waiting():
            root = resolver.resolve(kind, uri, name, relative_to, passed)
        made = cls(root, kind, uri, resolver)
        made._relative_to, made.passed, made._name = relative_to, passed, name
        if made.settings.loader == "pastedeploy":
            made._report_foreign_features()
        if not collect:
            made.raise_errors()
        return made

    _relative_to: str | None = None
    passed: Values | None = None
    _name: str | None = None

    def also(self, kind: Kind, name: str = "main") -> Node | None:
        """Another root of the same file, such as its server, or None where it has none of that name.

        Problems join :attr:`problems`.
        """
        scope = self.scope
        if scope is None or not scope.matching(kind, name):
            return None
        return scope.resolve(kind, name, self.passed, Mention(Origin(scope.filename)))

    @property
    def scope(self) -> Scope | None:
        """The scope of the file asked for, or None where it was not a file or could not be read."""
        first = next(iter(self.resolver.files), None)
        return None if first is None else self.resolver.scope(first, self.passed)

    @property
    def file(self) -> IniFile | None:
        """The file asked for, with all that it extends laid below it."""
        scope = self.scope
        return None if scope is None else scope.file

    @property
    def files(self) -> dict[str, IniFile]:
        """Each INI file that was read, by absolute path, in the order of reading. Not merged with what it extends."""
        return self.resolver.files

    @property
    def used(self) -> set[tuple[str, str]]:
        """(path, header) of each section that something referred to; grows with :meth:`Node.child`."""
        return self.resolver.used

    @property
    def problems(self) -> list[Problem]:
        """Errors and warnings so far, sorted by file and line; grows with :meth:`Node.child`."""
        return sorted(self.resolver.problems, key=lambda problem: problem.order)

    @property
    def settings(self) -> Settings:
        """What ``[wheatpaste]`` of the file asked for says."""
        return self.resolver.settings or Settings()

    @property
    def python_path(self) -> tuple[str, ...]:
        """Directories for the front of ``sys.path``: ``[wheatpaste] python_path``, otherwise the working directory."""
        chosen = self.settings.python_path
        return (os.getcwd(),) if chosen is None else chosen

    def extend_sys_path(self) -> None:
        """Put :attr:`python_path` at the front of ``sys.path``, where it is not there already."""
        for folder in reversed(self.python_path):
            if folder not in sys.path:
                sys.path.insert(0, folder)

    def raise_errors(self) -> None:
        """Raise ``ConfigError`` if there are errors among the problems.

        With ``loader = pastedeploy`` only mistakes in the settings count: PasteDeploy judges the rest.
        """
        errors = [problem for problem in self.problems if problem.severity == "error"]
        if self.settings.loader == "pastedeploy":
            errors = [problem for problem in errors if problem.code == "bad-setting"]
        if errors:
            raise config_error(errors)

    def build(self) -> Any:
        """Import and call the factories; return the app, the ``filter(app)`` or the ``serve(app)``.

        Where the file says ``python_path``, those directories go to the front of ``sys.path`` first.

        Raises ``ConfigError`` for errors in the configuration, otherwise what imports and factories raise; what was
        built until then is closed.
        """
        self.raise_errors()
        if self.settings.python_path is not None:
            self.extend_sys_path()
        with recording(self._built):
            return self._build_with_pastedeploy() if self.settings.loader == "pastedeploy" else self.root.create()

    def close(self, patience: float = PATIENCE) -> None:
        """Call the ``close()`` of each app and filter that was built and has one, the last that was built first.

        For the process that has used them, when no request runs in them any more. Nothing is raised: what goes wrong
        is logged. It takes ``patience`` seconds at most; a second call does nothing. Each is closed in a thread of its
        own. With ``loader = pastedeploy`` only the app itself is known.
        """
        self._built.close(patience)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _build_with_pastedeploy(self) -> Any:
        from paste.deploy import loadwsgi

        kinds = {"app": loadwsgi.APP, "filter": loadwsgi.FILTER, "server": loadwsgi.SERVER}
        conf = None if self.passed is None else self.passed.plain
        made = loadwsgi.loadobj(
            kinds[self.kind], self.uri, name=self._name, relative_to=self._relative_to, global_conf=conf
        )
        if self.kind != "server":
            remember(made)
        return made

    def _report_foreign_features(self) -> None:
        file = self.file
        if file is None or not self.settings.extends:
            return
        option = file.sections["wheatpaste"].options["loader"]
        self.resolver.report(
            Problem(
                what="PasteDeploy does not know 'extends'",
                fix="remove one of the two",
                file=option.file,
                line=option.line,
                section="wheatpaste",
                key="loader",
                code="bad-setting",
            )
        )


def _variables(conf: Mapping[str, Any] | None, how: How, resolver: Resolver) -> Values | None:
    if conf is None:
        return None
    return Values.wrap(conf, how=how)
