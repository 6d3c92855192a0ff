"""One load of a configuration, by PasteDeploy's rules: from a URI to the node that it means.

A :class:`Resolver` reads each file once, knows the sections being evaluated (so that a loop is named as one) and
collects the problems. What a name means within a file is known to ``scope``, how a section becomes a node to
``sections``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from . import layers
from .ini import IniFile, read_path
from .mention import Mention, at, missing, place
from .node import TYPES, Kind, Node, Values
from .origin import Origin
from .problems import Problem
from .references import Distribution, find_distribution, installed, is_uri
from .scope import Scope, adopt

MAX_DEPTH = 100
"""How many sections may be nested in each other; more is a mistake, and would exhaust Python's own stack."""

MAX_SECTIONS = 10_000
"""How many sections one name may lead to. Filters that use the next and are filtered with it, too, double each time."""

Step = tuple[str, str, Kind, Origin]
"""A section that is being evaluated: its file and header, as what, and where it is mentioned."""


class Resolver:
    """One load of a configuration.

    ``files`` holds each file read, by absolute path; ``used`` the (path, header) of each section that something
    referred to; ``problems`` what was found wrong, once per place. ``on_file(path)`` is called before a file is opened.
    ``loaders`` are URI schemes of third parties, called as PasteDeploy's are.
    """

    def __init__(
        self,
        on_file: Callable[[str], object] | None = None,
        loaders: Mapping[str, Callable[..., Any]] | None = None,
    ) -> None:
        self.on_file = on_file
        self.loaders = loaders or {}
        self.files: dict[str, IniFile] = {}
        self.problems: list[Problem] = []
        self.used: set[tuple[str, str]] = set()
        self.settings: layers.Settings | None = None
        self.stack: tuple[Step, ...] = ()
        self._evaluating = 0
        self._evaluated = 0
        self._too_deep: set[tuple[str, str]] = set()
        self._merged: dict[str, IniFile] = {}
        self._seen: set[tuple[str | None, int | None, str | None, str]] = set()
        self._distributions: dict[str, Distribution | None] = {}
        self._extending: list[str] = []

    def report(self, problem: Problem) -> None:
        """Note a problem, unless its place was already reported for the same reason."""
        seen = (problem.file, problem.line, problem.key, problem.what)
        if problem.line is None or seen not in self._seen:
            self._seen.add(seen)
            self.problems.append(problem)

    def mark(self) -> int:
        """How many problems there are. What is reported from here on is noted even if it was before."""
        self._seen.clear()
        return len(self.problems)

    def may_enter(self, step: Step, mention: Mention) -> bool:
        """Whether a section can be evaluated within those that are; otherwise there is a problem that says why not."""
        path, header, kind, _ = step
        before = self.stack
        for depth, (other, which, other_kind, _) in enumerate(before):
            if other == path and which == header and other_kind == kind:
                chain = "".join(f" → [{each[1]}] ({place(each[3])})" for each in before[depth + 1 :])
                what = f"this leads back to itself: [{header}]{chain} → [{header}] ({place(mention.origin)})"
                self.report(at(mention, what, "refer to something else", "loop"))
                return False
        if (path, header) in self._too_deep:
            return False
        if len(before) >= MAX_DEPTH:
            # Each of them was on the way; evaluated one by one they would be looked at a hundred times.
            self._too_deep.update((each[0], each[1]) for each in before)
            self.report(at(mention, f"sections are nested more than {MAX_DEPTH} deep", "simplify", "too-deep"))
            return False
        if self._evaluating and self._evaluated >= MAX_SECTIONS:
            what = f"the name leads to more than {MAX_SECTIONS} sections in the end"
            self.report(at(mention, what, "simplify", "too-deep"))
            return False
        return True

    def enter(self, step: Step) -> None:
        """A section is being evaluated now, until :meth:`leave`."""
        if not self._evaluating:
            self._evaluated = 0
        self._evaluated += 1
        self._evaluating += 1
        self.stack = (*self.stack, step)

    def leave(self) -> None:
        """The section entered last has been evaluated."""
        self.stack = self.stack[:-1]
        self._evaluating -= 1

    def file(self, path: str, mention: Mention | None = None) -> IniFile | None:
        """The file with all that it extends, or None (with a problem) where it cannot be read."""
        path = os.path.abspath(path)
        merged = self._merged.get(path)
        if merged is not None:
            return merged
        file = self.files.get(path)
        if file is None:
            file = self.files[path] = read_path(path, self.on_file)
            for problem in file.problems:
                if problem.line is None and mention is not None and mention.origin.line is not None:
                    problem = at(mention, f"{path}: {problem.what}", problem.fix, problem.code)
                self.report(problem)
        if not file.text and file.problems:
            return None
        settings, problems = layers.settings_of(file)
        for problem in problems:
            self.report(problem)
        if self.settings is None:
            self.settings = settings
        merged = file
        if settings.extends:
            merged = self._extended(file, settings)
        self._merged[path] = merged
        if not self._extending and merged is not file and self.settings is settings:
            self.settings = layers.settings_of(merged)[0]
        return merged

    def _extended(self, file: IniFile, settings: layers.Settings) -> IniFile:
        below: list[IniFile] = []
        self._extending.append(file.path)
        option = file.sections[layers.SECTION].options["extends"]
        for path, line in settings.extends:
            mention = Mention(Origin(file.path, line, layers.SECTION), option.key)
            if path in self._extending:
                chain = " → ".join([*self._extending[self._extending.index(path) :], path])
                fix = "let one of the files extend the other, not both"
                self.report(at(mention, f"the files extend each other in a circle: {chain}", fix, "loop"))
                continue
            if len(self._extending) >= MAX_DEPTH:
                what = f"files extend each other more than {MAX_DEPTH} deep"
                self.report(at(mention, what, "join some of them", "too-deep"))
                continue
            base = self.file(path, mention)
            if base is not None:
                below.append(base)
        self._extending.pop()
        return layers.merge([*below, file])

    def open(self, path: str, mention: Mention | None = None) -> tuple[IniFile | None, list[Problem]]:
        """A file as :meth:`file` has it, and what is wrong with it. For who asks while the composition is built."""
        count = self.mark()
        file = self.file(path, mention)
        return file, self.problems[count:]

    def scope(self, path: str, variables: Values | None = None, mention: Mention | None = None) -> Scope | None:
        """The scope of a file, or None (with a problem) where it cannot be read. ``variables`` are injected into it."""
        file = self.file(path, mention)
        if file is None:
            return None
        scope = Scope(self, file, path)
        if variables:
            for key, value in variables.items():
                if type(value.text) is not str:
                    what = f"the variable {key!r} is {type(value.text).__name__}, not text"
                    self.report(Problem(what=what, fix="give text", file=path, code="not-text"))
                    return None
            scope.variables.inject(variables, overwrite=False)
        return scope

    def distribution(self, name: str) -> Distribution | None:
        """The installed distribution of that name, looked for in ``python_path`` and ``sys.path``."""
        if name not in self._distributions:
            extra = (self.settings.python_path if self.settings else None) or ()
            self._distributions[name] = find_distribution(name, [*extra, *sys.path])
        return self._distributions[name]

    def wired_distributions(self) -> list[str]:
        """The names of the installed distributions that an ``egg:`` reference may mean."""
        extra = (self.settings.python_path if self.settings else None) or ()
        protocols = [protocol for each in TYPES.values() for protocol in each.protocols]
        return [each.name for each in installed([*extra, *sys.path]) if each.entry_points(protocols)]

    def resolve(self, kind: Kind, uri: str, name: str | None, relative_to: str | None, passed: Values | None) -> Node:
        """The node of a URI, as ``loadapp`` and its like understand it."""
        bare, fragment, entry = uri.partition("#")
        if name is None:
            name = entry if fragment else "main"
        mention = Mention(Origin(how="command line"))
        if not is_uri(bare):
            scheme, colon, rest = bare.partition(":")
            if colon and scheme.lower() in self.loaders:
                node = self.foreign(kind, scheme.lower(), bare, rest, name, relative_to, passed)
            else:
                what = f"{bare!r} has no scheme"
                fix = "write config:file.ini, egg:Distribution#name or call:module:object"
                self.report(Problem(what=what, fix=fix, code="no-scheme"))
                node = missing(kind, name, mention)
            return node
        node = Scope(self, None, relative_to=relative_to).uri(kind, bare, name, passed, mention)
        if node.shape == "factory" and node.protocol is None:
            node.protocol = f"paste.{kind}_factory"
        return node

    def foreign(
        self, kind: Kind, scheme: str, uri: str, path: str, name: str, relative_to: str | None, passed: Values | None
    ) -> Node:
        """The node of a URI whose scheme is a third party's."""
        context = self.loaders[scheme](
            TYPES[kind],
            uri,
            path,
            name=name,
            relative_to=relative_to,
            global_conf=None if passed is None else passed.plain,
        )
        return adopt(kind, name, context, Scope(self, None))
