"""Everything that can be known of a configuration without running anybody's code, all of it at once."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any

from .collector import waiting
from .evaluate import Resolver
from .ini import IniFile, Section
from .inspector import Inspector
from .listeners import Listens, hides_proxies, public_address
from .mention import Mention, at
from .node import Kind, Node, Values
from .origin import Origin
from .problems import Problem
from .records import replace
from .scope import Scope
from .spelling import misspelt
from .unused import HIDING, complaint, entries, idle_chapters, is_used, kind_of, unused
from .weak_secrets import may_hold_secret, without_passwords

if TYPE_CHECKING:
    from .composition import Composition

UNREADABLE = frozenset({"missing-file", "not-a-file", "unreadable-file", "too-large", "not-text", "not-utf-8"})
"""Codes of the problems of a file that cannot be read at all; they have no section."""

_NO_FACTORY = frozenset({"missing-distribution", "missing-entry-point"})


def check_file(
    target: str,
    *,
    app_name: str | None = None,
    server_name: str | None = None,
    global_conf: Mapping[str, Any] | None = None,
    importing: bool = False,
    serving: bool = False,
    on_file: Callable[[str], object] | None = None,
) -> list[Problem]:
    """Check an INI file (``site.ini``, ``site.ini#name``, ``config:site.ini``) and all that it refers to.

    Returns the problems sorted by file and line, at most one for each key. ``app_name`` and ``server_name`` say what of
    the file is meant, ``main`` unless told; ``global_conf`` are variables. With ``importing`` the modules that it names
    are imported (nothing is called). With ``serving``, mistakes that the chosen app and server never meet are warnings.
    ``on_file(path)`` is called before each file is opened, INI or Python. Never raises for what a file may hold.
    """
    path, name = _split(target)
    resolver = Resolver(on_file)
    passed = None if global_conf is None else Values.wrap(global_conf, how="command line")
    with waiting():
        scope = resolver.scope(path, passed)
    if scope is None or scope.file is None:
        return _finished(resolver.problems)
    run = _Check(resolver, scope, scope.file, passed, importing, serving, on_file)
    if importing:
        return run.run(app_name or name, server_name)
    with waiting():
        return run.run(app_name or name, server_name)


def check_composition(
    composition: Composition,
    *,
    server_name: str | None = None,
    serving: bool = True,
    on_file: Callable[[str], object] | None = None,
    served_as: Callable[[Mapping[str, str]], Mapping[str, str]] | None = None,
    stand_in: bool = False,
) -> list[Problem]:
    """Check the file of a composition of an app that was loaded with ``collect``; building it then goes on from there.

    ``served_as`` makes of the keys of the server's section those that it is served with, where the command line has a
    say. With ``stand_in`` another server serves in place of the section's, which need not be installed then.
    Otherwise as :func:`check_file`.
    """
    scope = composition.scope
    if scope is None or scope.file is None:
        return _finished(composition.problems)
    run = _Check(composition.resolver, scope, scope.file, composition.passed, False, serving, on_file, served_as)
    run.stand_in = stand_in
    with waiting():
        return run.run(None, server_name, composition.root)


def _split(target: str) -> tuple[str, str | None]:
    path = target[len("config:") :] if target.startswith("config:") else target
    if os.path.exists(path):
        return path, None
    bare, fragment, name = path.partition("#")
    return bare, name if fragment and name else None


class _Check:
    """One run over one file."""

    def __init__(
        self,
        resolver: Resolver,
        scope: Scope,
        file: IniFile,
        passed: Values | None,
        importing: bool,
        serving: bool,
        on_file: Callable[[str], object] | None,
        served_as: Callable[[Mapping[str, str]], Mapping[str, str]] | None = None,
    ) -> None:
        self.served_as = served_as
        self.stand_in = False
        self.resolver = resolver
        self.scope = scope
        self.file = file
        self.passed = passed
        self.serving = serving
        settings = resolver.settings
        chosen = None if settings is None else settings.python_path
        self.folders = (os.getcwd(),) if chosen is None else chosen
        self.inspector = Inspector(resolver, self.folders, importing=importing, on_file=on_file)
        if importing:
            sys.path[:0] = [folder for folder in self.folders if folder not in sys.path]

    def run(self, app_name: str | None, server_name: str | None, root: Node | None = None) -> list[Problem]:
        """Go from what is served to what merely stands in the file. ``root``: the app, if it was evaluated before."""
        resolver, inspector = self.resolver, self.inspector
        if root is None:
            self._serve("app", app_name, required=self.serving)
        else:
            inspector.visit(root)
        before = len(resolver.problems)
        inspector.optional = self.stand_in
        server = self._serve("server", server_name, required=False)
        inspector.optional = False
        if self.stand_in:
            resolver.problems[before:] = [
                replace(each, severity="warning") if each.code in _NO_FACTORY else each
                for each in resolver.problems[before:]
            ]
        listeners = list(inspector.exposure.listeners)
        served = len(resolver.problems)
        inspector.optional = self.serving
        for kind, section in entries(self.file):
            if not is_used(section, resolver.used):
                self._enter(kind, section)
        if server is None:
            listeners = inspector.exposure.listeners
        slips = [problem for each in resolver.files.values() for problem in misspelt(each)]
        idle = unused(self.file, resolver.used, inspector.mentioned)
        certain = HIDING.isdisjoint(problem.code for problem in (*resolver.problems, *slips))
        started = len(resolver.problems)
        inspector.optional = self.serving or certain
        if certain:
            for section in idle:
                resolver.report(complaint(section))
        for section in idle:
            self._enter(kind_of(section) or "app", section)
        if certain:
            for problem in idle_chapters(self.file, resolver.used):
                resolver.report(problem)
        problems = resolver.problems
        if self.serving or certain:
            # A mistake in what is never started stops nobody.
            start = served if self.serving else started
            problems[start:] = [
                each if each.severity == "warning" else replace(each, severity="warning") for each in problems[start:]
            ]
        exposed = inspector.exposure.problems(self.file.path, listeners)
        told = inspector.rules(*self._reached(listeners[0][1] if listeners else None, server))
        rules = (exposed, told, self._shadowed(), self._idle_file(), self._beaten())
        return _finished([*_joined(problems, slips), *chain.from_iterable(rules)])

    def _reached(
        self, listens: Listens | None, server: Node | None
    ) -> tuple[str | None, Mapping[str, str], str | None]:
        """Where others reach the server; its keys, with what the command line says; which tells of a hidden proxy."""
        texts: Mapping[str, str] = {} if server is None else {key: value.text for key, value in server.values.items()}
        if self.served_as is not None:
            # Some servers listen everywhere if they are not told otherwise.
            unsaid = {"host": "0.0.0.0"} if listens is not None and listens[1] is None else {}
            served = self.served_as({**unsaid, **texts})
            if served != {**unsaid, **texts}:
                listens, texts = public_address(served), served
        hidden = None
        # What we start in place of the server that the section names lets its app see that there is a proxy.
        if server is not None and server.entry_point is not None and self.served_as is None:
            hidden = hides_proxies(texts, server.entry_point.distribution, server.entry_point.name)
        return (None if listens is None else listens[0]), texts, hidden

    def _serve(self, kind: Kind, name: str | None, *, required: bool) -> Node | None:
        """Look at what is served, and return it, if there is any."""
        if name is None and not required and not self.scope.matching(kind, "main"):
            return None
        mention = Mention(Origin(self.scope.filename))
        root = self.scope.resolve(kind, name or "main", self.passed, mention)
        self.inspector.visit(root)
        return root

    def _enter(self, kind: Kind, section: Section) -> None:
        """Look at a section for itself."""
        mention = Mention(Origin(section.file, section.line, section.header))
        root = self.scope.section(kind, section, section.name or "main", self.passed, mention)
        if root.shape == "factory" and root.protocol is None:
            root.protocol = f"paste.{kind}_factory"
        self.inspector.visit(root)

    def _shadowed(self) -> Iterator[Problem]:
        for found in self.inspector.shadowed():
            origin, by = found.branch.origin, found.by.origin
            place = f"{os.path.basename(by.file)}:{by.line}" if by.file else str(by)
            outer = f"[{found.by_section}] mounts {found.by.mount.place} further out ({place})"
            mention = Mention(Origin(origin.file, origin.line, found.section), found.branch.mount.key)
            what, fix = f"no request reaches this mount: {outer}", "remove one of the two, or give it another path"
            yield at(mention, what, fix, "unreachable-mount", "warning")

    def _beaten(self) -> Iterator[Problem]:
        """Variables that were given, and that [DEFAULT] says otherwise: PasteDeploy's rule, and a surprise."""
        for key, value in (self.passed or {}).items():
            option = self.file.defaults.options.get(key)
            if option is not None and option.text != value.text:
                mention = Mention(Origin(option.file, option.line, "DEFAULT"), key)
                what = f"the variable {key!r} that was given does not count: this line does"
                fix = "take the line out of [DEFAULT] to let the command line decide"
                yield at(mention, what, fix, "hidden-variable", "warning")

    def _idle_file(self) -> Iterator[Problem]:
        if not self.resolver.problems and all(kind_of(each) is None for each in self.file.sections.values()):
            yield Problem(
                what="nothing in this file can be served",
                fix="write a section [app:main]; `wheatpaste init` makes a file to begin with",
                file=self.file.path,
                code="nothing-to-serve",
            )


def _joined(problems: Iterable[Problem], slips: Iterable[Problem]) -> Iterator[Problem]:
    """The problems and the slips of the pen; a slip that is the cause of an error takes its place."""
    causes = {(each.file, each.section): each for each in slips if each.code == "misspelt-key"}
    headers = {(each.file, each.line): each for each in slips if each.key is not None and each.key.startswith("[")}
    explained = set()
    for problem in problems:
        header = headers.get((problem.file, problem.line))
        if header is not None and problem.code == "unknown-option":
            explained.add(header)
            yield replace(problem, fix=header.fix)
            continue
        slip = causes.get((problem.file, problem.section))
        if slip is None or problem.key is not None or problem.code not in ("no-factory", "missing-key"):
            yield problem
        else:
            explained.add(slip)
            yield replace(slip, what=problem.what, severity=problem.severity)
    yield from (slip for slip in slips if slip not in explained)


def _finished(problems: Iterable[Problem]) -> list[Problem]:
    """Sorted by place; of several about one key the gravest, and of those the first. No secret is in them.

    The words of a pipeline are a thing each, though they may stand on one line.
    """
    kept: dict[tuple[object, ...], Problem] = {}
    for problem in problems:
        apart = problem.line is None or problem.key == "pipeline"
        place = (problem.file, problem.line, problem.key, problem.what if apart else "")
        known = kept.get(place)
        if known is None or (known.severity, problem.severity) == ("warning", "error"):
            kept[place] = problem
    return sorted(map(_discreet, kept.values()), key=lambda problem: problem.order)


# What these quote is a piece of the value.
_VAGUE = {
    "interpolation-syntax": ("a percent sign in it begins no variable", "write %% for a percent sign"),
    "interpolation-missing": ("it refers to a variable that is not there", "write %% for a percent sign"),
}


def _discreet(problem: Problem) -> Problem:
    """The problem without what may be a secret, values of secret names and passwords in URLs, and with short paths."""
    what = problem.what
    if os.sep in what:
        what = what.replace(os.getcwd() + os.sep, "")
    what, fix, value = without_passwords(what), problem.fix, problem.value
    if problem.key is not None and may_hold_secret(problem.key):
        what, fix = _VAGUE.get(problem.code, (what, fix))
    elif value is not None:
        value = without_passwords(value)
    return (
        problem if (what, value) == (problem.what, problem.value) else replace(problem, what=what, fix=fix, value=value)
    )
