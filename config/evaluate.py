"""Evaluate sections into nodes, by PasteDeploy's rules.

A :class:`Resolver` is one load: it reads each file once, knows the sections being evaluated (so that a loop is named as
one) and collects the problems. A :class:`Scope` is one file with the variables injected into it; composite factories get
one as their ``loader``.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from . import aliases, layers
from .build import build as build_node
from .ini import DEFAULT, IniFile, Option, Section, read_path
from .node import APP, FILTER, SERVER, TYPES, Kind, Lost, Node, ObjectType, Value, Values
from .origin import How, Origin
from .problems import Problem, Severity, config_error, did_you_mean
from .references import BadReference, Distribution, EntryPoint, Reference, find_distribution, is_uri, normalise

MAX_DEPTH = 100
"""How many sections may be nested in each other; more is a mistake, and would exhaust Python's own stack."""

_MAX_EXPANSIONS = 10  # configparser's MAX_INTERPOLATION_DEPTH
_VARIABLE = re.compile(r"%\(([^)]+)\)s")
_ENVIRONMENT = "ENV_"
_STRUCTURE = ("use", "next", "pipeline", "filter-with", "require")

Trail = tuple[tuple[str, str, Kind, Origin], ...]


class Mention(NamedTuple):
    """The place that names something: the key for messages, and the file from which a relative path starts."""

    origin: Origin
    key: str | None = None


class _Broken(Exception):
    """An interpolation that failed; carries its problem."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem


class Resolver:
    """One load of a configuration.

    ``files`` holds each file read, by absolute path; ``used`` the (path, header) of each section that something referred to;
    ``problems`` what was found wrong, once per place. ``on_file(path)`` is called before a file is opened.
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
        self.stack: Trail = ()
        self._merged: dict[str, IniFile] = {}
        self._seen: set[tuple[str | None, int | None, str | None, str]] = set()
        self._distributions: dict[str, Distribution | None] = {}
        self._extending: list[str] = []

    def report(self, problem: Problem) -> None:
        """Note a problem, unless its place was already reported for the same reason."""
        place = (problem.file, problem.line, problem.key, problem.code)
        if problem.line is None or place not in self._seen:
            self._seen.add(place)
            self.problems.append(problem)

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
                    problem = _at(mention, f"{path}: {problem.what}", problem.fix, problem.code)
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
                self.report(_at(mention, f"the files extend each other in a circle: {chain}", fix, "loop"))
                continue
            base = self.file(path, mention)
            if base is not None:
                below.append(base)
        self._extending.pop()
        return layers.merge([*below, file])

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
            scope.inject(variables, overwrite=False)
        return scope

    def distribution(self, name: str) -> Distribution | None:
        """The installed distribution of that name, looked for in ``python_path`` and ``sys.path``."""
        if name not in self._distributions:
            extra = (self.settings.python_path if self.settings else None) or ()
            self._distributions[name] = find_distribution(name, [*extra, *sys.path])
        return self._distributions[name]

    def resolve(self, kind: Kind, uri: str, name: str | None, relative_to: str | None, passed: Values | None) -> Node:
        """The node of a URI, as ``loadapp`` and its like understand it."""
        bare, fragment, entry = uri.partition("#")
        if name is None:
            name = entry if fragment else "main"
        mention = Mention(Origin(how="command line"))
        if not is_uri(bare):
            scheme, colon, rest = bare.partition(":")
            if colon and scheme.lower() in self.loaders:
                node = self._foreign(kind, scheme.lower(), uri, rest, name, relative_to, passed)
            else:
                what = f"{bare!r} has no scheme"
                fix = "write config:file.ini, egg:Distribution#name or call:module:object"
                self.report(Problem(what=what, fix=fix, code="no-scheme"))
                node = missing(kind, name, mention)
            return node
        return Scope(self, None, relative_to=relative_to).uri(kind, bare, name, passed, mention)

    def _foreign(
        self, kind: Kind, scheme: str, uri: str, path: str, name: str, relative_to: str | None, passed: Values | None
    ) -> Node:
        context = self.loaders[scheme](
            TYPES[kind],
            uri,
            path,
            name=name,
            relative_to=relative_to,
            global_conf=None if passed is None else passed.plain,
        )
        return adopt(kind, name, context)


def adopt(kind: Kind, name: str, context: Any) -> Node:
    """The node of a context that third-party code made."""
    if isinstance(context, Node):
        return context
    node = Node(kind=kind, shape="foreign", name=name, where=Origin(how="code"), foreign=context)
    node.values = Values.wrap(getattr(context, "local_conf", None))
    node.globals = Values.wrap(getattr(context, "global_conf", None))
    node.protocol = getattr(context, "protocol", None)
    node.home = Scope(Resolver(), None)
    return node


def missing(kind: Kind, name: str, mention: Mention) -> Node:
    """What stands in the tree where something could not be found."""
    return Node(kind=kind, shape="missing", name=name, where=mention.origin, mentioned=mention.origin)


def _at(mention: Mention, what: str, fix: str, code: str, severity: Severity = "error") -> Problem:
    origin = mention.origin
    return Problem(
        what=what,
        fix=fix,
        file=origin.file,
        line=origin.line,
        section=origin.section,
        key=mention.key,
        code=code,
        severity=severity,
    )


class Scope:
    """One file and the variables injected into it; the ``loader`` of composite factories.

    Without a file (``loadapp("egg:…")``) names are those of ``distribution``'s entry points.
    """

    _absolute_re = re.compile(r"^[a-zA-Z]+:")

    def __init__(
        self,
        resolver: Resolver,
        file: IniFile | None,
        filename: str | None = None,
        *,
        relative_to: str | None = None,
        distribution: str | None = None,
    ) -> None:
        self.resolver = resolver
        self.file = file
        self.filename = filename if filename is not None else (file.path if file else None)
        self.relative_to = relative_to
        self.egg = distribution
        self.hook: Callable[[ObjectType, str, dict[str, Any] | None], Any] | None = None
        self._node: Node | None = None
        self._parser: Any = None
        self._cached: Values | None = None
        self._raw: dict[str, Option] = {}
        self._injected: dict[str, Value] = {}
        self._literal: set[str] = set()
        if file is not None:
            path = file.path
            self._raw = {
                "here": Option("here", os.path.dirname(path), 0, path),
                "__file__": Option("__file__", path, 0, path),
                **file.defaults.options,
            }

    # -- variables and interpolation --

    def inject(self, values: Mapping[str, Value], overwrite: bool = True) -> None:
        """Add variables as if they stood in ``[DEFAULT]``; existing keys stay unless ``overwrite``."""
        self._cached = None
        for key, value in values.items():
            if not overwrite and key in self._raw:
                continue
            text = value.text
            option = value.option
            self._raw[key] = Option(key, text, option.line if option else 0, option.file if option else "")
            self._injected[key] = value
            # Values of the environment, and text that is no valid template, mean what they say.
            if value.environment or "%" in _VARIABLE.sub("", text.replace("%%", "")):
                self._literal.add(key)

    def defaults(self) -> Values:
        """``[DEFAULT]``, the injected variables, ``here`` and ``__file__``, interpolated."""
        if self._cached is None:
            made = Values()
            for key, option in self._raw.items():
                made[key] = self._default(key, option)
            self._cached = made
        return self._cached

    def _default(self, key: str, option: Option) -> Value:
        given = self._injected.get(key)
        if given is None:
            builtin = option.line == 0
            return self._value(option, DEFAULT, "built in" if builtin else "default", {}, keep_empty=False)
        if "%" not in option.text or key in self._literal:
            return given
        made = self._value(option, given.section, given.how, {}, keep_empty=False)
        return Value(made.text, given.option, given.section, given.how, given.lost, made.environment)

    def _value(
        self, option: Option, header: str | None, how: How, local: Mapping[str, Option], keep_empty: bool = True
    ) -> Value:
        text = option.text
        environment: tuple[str, ...] = ()
        if "%" in text:
            out: list[str] = []
            names: list[str] = []
            try:
                self._expand(text, option, option, header, local, out, names, 1)
                text = "".join(out)
                if not text and not keep_empty:
                    text = option.text
            except _Broken as broken:
                self.resolver.report(broken.problem)
            if names:
                environment = tuple(names)
                if how == "section":
                    how = "environment"
        lost: tuple[Lost, ...] = ()
        if option.over is not None:
            over = option.over
            lost = (Lost(over.text, Origin(over.file, over.line, header), f"{option.file} extends that file"),)
        return Value(text, option, header, how, lost, environment)

    def _expand(
        self,
        text: str,
        spot: Option,
        asked: Option,
        header: str | None,
        local: Mapping[str, Option],
        out: list[str],
        names: list[str],
        depth: int,
    ) -> None:
        """Interpolate ``text``, which stands at ``spot``, as configparser does; environment variables are taken literally."""
        if depth > _MAX_EXPANSIONS:
            raise self._broken(
                asked, header, "its variables refer to each other without end", "", "interpolation-depth"
            )
        start = 0
        while True:
            found = text.find("%", start)
            if found < 0:
                out.append(text[start:])
                return
            out.append(text[start:found])
            if text.startswith("%%", found):
                out.append("%")
                start = found + 2
                continue
            match = _VARIABLE.match(text, found)
            if match is None:
                shown = text[found : found + 2]
                what = f"{shown!r} does not begin a variable such as %(here)s"
                raise self._broken(spot, header, what, "write %% for a percent sign", "interpolation-syntax")
            start = match.end()
            name = match[1]
            option = local.get(name) or self._raw.get(name)
            if option is None:
                if not name.startswith(_ENVIRONMENT):
                    known = [key for key in (*local, *self._raw) if " " not in key]
                    fix = f"give it in [DEFAULT] or on the command line ({name}=…)"
                    near = did_you_mean(name, known) if len(known) > 2 else ""
                    fix = f"{near} or {fix}" if near.startswith("did you mean") else fix
                    raise self._broken(spot, header, f"there is no variable {name!r}", fix, "interpolation-missing")
                out.append(self._environment(name, spot, header, names))
                continue
            replacement = option.text
            if option.line == 0 and spot.file and name not in self._injected and spot.file != option.file:
                # Written in a file that this one extends: here is where it was written.
                replacement = os.path.dirname(spot.file) if name == "here" else replacement
            if "%" in replacement and not (name in self._literal and name not in local):
                self._expand(replacement, option, asked, header, local, out, names, depth + 1)
            else:
                out.append(replacement)
                if name in self._injected and name not in local:
                    names += self._injected[name].environment

    def _environment(self, name: str, spot: Option, header: str | None, names: list[str]) -> str:
        variable, has_default, default = name.removeprefix(_ENVIRONMENT).partition(":-")
        text = os.environ.get(variable)
        if has_default and not text:
            return default
        if text is None:
            what = f"the environment variable {variable} is not set"
            fix = f"set it, or give a default: %(ENV_{variable}:-default)s"
            raise self._broken(spot, header, what, fix, "environment-missing")
        names.append(variable)
        return text

    def _broken(self, spot: Option, header: str | None, what: str, fix: str, code: str) -> _Broken:
        if self._raw.get(spot.key) is spot:
            header = DEFAULT
        where = (spot.file, spot.line) if spot.line else (self.file.path if self.file else None, None)
        return _Broken(
            Problem(what=what, fix=fix, file=where[0], line=where[1], section=header, key=spot.key, code=code)
        )

    # -- names and URIs --

    def resolve(self, kind: Kind, name: str, passed: Values | None, mention: Mention, *, settle: bool = True) -> Node:
        """The node that ``name``, a section or a URI, means here. ``settle``: a ``call:`` takes the protocol of its kind."""
        if self.hook is not None:
            node = adopt(kind, name, self.hook(TYPES[kind], name, None if passed is None else passed.plain))
        else:
            node = self._resolve(kind, name, passed, mention, settle)
        if settle and node.shape == "factory" and node.protocol is None:
            node.protocol = f"paste.{kind}_factory"
        if node.mentioned is None:
            node.mentioned = mention.origin
        return node

    def _resolve(self, kind: Kind, name: str, passed: Values | None, mention: Mention, settle: bool) -> Node:
        if is_uri(name):
            bare, fragment, entry = name.partition("#")
            return self.uri(kind, bare, entry if fragment else "main", passed, mention, settle=settle)
        if self.file is None:
            egg = Reference(scheme="egg", text=f"egg:{self.egg}#{name}", distribution=self.egg or "", entry=name)
            return self._egg(kind, egg, passed, mention)
        return self._named(kind, name, passed, mention)

    def uri(
        self, kind: Kind, uri: str, name: str, passed: Values | None, mention: Mention, *, settle: bool = True
    ) -> Node:
        """The node of a URI without its fragment, which is ``name``."""
        relative_to = self.relative_to
        if self.file is not None:
            relative_to = os.path.dirname(mention.origin.file or self.file.path)
        scheme, _, rest = uri.partition(":")
        custom = self.resolver.loaders.get(scheme.lower())
        if custom is not None:
            return self.resolver._foreign(kind, scheme.lower(), uri, rest, name, relative_to, passed)
        try:
            reference = Reference.parse(uri, relative_to)
        except BadReference as error:
            self.resolver.report(_at(mention, f"{uri}: {error.what}", error.fix, error.code))
            return missing(kind, name, mention)
        if reference.scheme == "config":
            scope = self.resolver.scope(reference.path, passed, mention)
            if scope is None:
                return missing(kind, name, mention)
            return scope.resolve(kind, name, passed, mention, settle=settle)
        if reference.scheme == "egg":
            if is_uri(name):
                return self.resolve(kind, name, passed, mention, settle=settle)
            text = uri if name == "main" else f"{uri}#{name}"
            egg = Reference(scheme="egg", text=text, distribution=reference.distribution, entry=name)
            return self._egg(kind, egg, passed, mention)
        return self._node_for(kind, reference, reference.object, passed, mention)

    def _node_for(self, kind: Kind, reference: Reference, name: str, passed: Values | None, mention: Mention) -> Node:
        return Node(
            kind=kind,
            shape="factory",
            name=name,
            section=mention.origin.section,
            where=mention.origin,
            reference=reference,
            reference_origin=mention.origin,
            globals=passed if passed else Values(),
            mentioned=mention.origin,
            home=self,
            trail=self.resolver.stack,
        )

    def _egg(self, kind: Kind, reference: Reference, passed: Values | None, mention: Mention) -> Node:
        entry = self._entry_point(kind, reference, mention)
        if entry is None:
            return missing(kind, reference.entry or "main", mention)
        node = self._node_for(kind, reference, entry.name, passed, mention)
        node.entry_point = entry
        node.protocol = entry.group
        if self.egg is None:
            # A composite named outside any `use` looks names up among the entry points of its own distribution.
            node.home = Scope(self.resolver, None, relative_to=self.relative_to, distribution=reference.distribution)
        return node

    def _entry_point(self, kind: Kind, reference: Reference, mention: Mention) -> EntryPoint | None:
        name = reference.entry or "main"
        title = reference.distribution
        groups = TYPES[kind].egg_protocols
        settings = self.resolver.settings
        if settings is None or settings.aliases:
            old = aliases.alias(normalise(title), name)
            if old is not None and any(old[0] in group for group in groups):
                return EntryPoint(title, old[0], name, old[1], alias=True)
        distribution = self.resolver.distribution(title)
        if distribution is None:
            fix = aliases.advice(normalise(title), name) or f"install it (pip install {title})"
            what = f"{reference.text}: there is no distribution {title!r} installed"
            if any(sign in title for sign in "=<>~!"):
                fix = "write the name alone: versions are not understood here"
            self.resolver.report(_at(mention, what, fix, "missing-distribution"))
            return None
        found: list[EntryPoint] = []
        for group in groups:
            for protocol in group:
                entry = distribution.entry_point(protocol, name)
                if entry is not None:
                    found.append(entry)
                    break
        if len(found) == 1:
            return found[0]
        if found:
            what = f"{reference.text}: {title} has several of this name: {', '.join(each.group for each in found)}"
            self.resolver.report(_at(mention, what, "name another one", "ambiguous-entry-point"))
            return None
        self.resolver.report(self._no_entry_point(kind, reference, distribution, name, mention))
        return None

    def _no_entry_point(
        self, kind: Kind, reference: Reference, distribution: Distribution, name: str, mention: Mention
    ) -> Problem:
        fix = aliases.advice(normalise(reference.distribution), name)
        if fix is None:
            for other, each in TYPES.items():
                if other != kind and any(distribution.entry_point(group, name) for group in each.protocols):
                    fix = f"there is {_a(other)} of this name, and this must be {_a(kind)}"
        if fix is None:
            names = [entry.name for entry in distribution.entry_points(TYPES[kind].protocols)]
            fix = did_you_mean(name, names) or f"it has no {kind} at all"
        what = f"{reference.text}: {reference.distribution} has no {kind} named {name!r}"
        return _at(mention, what, fix, "missing-entry-point")

    # -- sections --

    def _matching(self, kind: Kind, name: str | None) -> list[Section]:
        """The sections that ``name`` may mean: of each group of synonyms, the first that is there."""
        if self.file is None:
            return []
        wanted = "main" if name is None else name
        found: list[Section] = []
        for group in TYPES[kind].config_prefixes:
            for prefix in group:
                here = list(self.file.find(prefix, wanted))
                if name is None:
                    here = [*self.file.find(prefix, None), *here]
                if here:
                    found += here
                    break
        if not found and wanted == "main":
            found = [each for prefix in TYPES[kind].prefixes for each in self.file.find(prefix, None)]
        return found

    def _one(self, kind: Kind, name: str | None, mention: Mention) -> Section | None:
        found = self._matching(kind, name)
        if len(found) == 1:
            self._shadowed(kind, found[0])
            return found[0]
        shown = "main" if name is None else name
        path = self.file.path if self.file else None
        if mention.origin.file is None:
            mention = Mention(Origin(path))
        if found:
            places = ", ".join(f"[{each.header}] at line {each.line}" for each in found)
            self.resolver.report(
                _at(mention, f"{shown!r} may mean several sections: {places}", "rename one", "ambiguous-section")
            )
            return None
        elsewhere = f" in {path}" if path is not None and path != mention.origin.file else ""
        what = f"there is no {kind} named {shown!r}{elsewhere}"
        self.resolver.report(_at(mention, what, self._instead(kind, shown), "missing-section"))
        return None

    def _shadowed(self, kind: Kind, section: Section) -> None:
        file = self.file
        for group in TYPES[kind].config_prefixes:
            if file is None or section.prefix not in group:
                continue
            for prefix in group[group.index(section.prefix) + 1 :]:
                for other in file.find(prefix, section.name):
                    what = f"[{section.header}] at line {section.line} hides this section"
                    mention = Mention(Origin(other.file, other.line, other.header))
                    self.resolver.report(_at(mention, what, "rename one of them", "shadowed-section", "warning"))

    def _instead(self, kind: Kind, name: str) -> str:
        file = self.file
        if file is None:
            return ""
        for other, each in TYPES.items():
            for prefix in each.prefixes:
                if other != kind and file.find(prefix, name):
                    return f"[{prefix}:{name}] is {_a(other)}, and this must be {_a(kind)}"
        names = file.names(TYPES[kind].prefixes)
        return did_you_mean(name, names) or f"there is no {kind} in the file at all"

    def _named(self, kind: Kind, name: str | None, passed: Values | None, mention: Mention) -> Node:
        for scope in (self, *self._fallbacks()):
            if scope._matching(kind, name):
                section = scope._one(kind, name, mention)
                break
        else:
            scope, section = self, self._one(kind, name, mention)
        if section is None:
            return missing(kind, name or "main", mention)
        return scope._section(kind, section, name or "main", passed, mention)

    def _fallbacks(self) -> list[Scope]:
        return [] if self._node is None else [each for each in self._node.fallbacks if isinstance(each, Scope)]

    def _section(self, kind: Kind, section: Section, name: str, passed: Values | None, mention: Mention) -> Node:
        resolver = self.resolver
        file = self.file
        path = file.path if file else ""
        before = resolver.stack
        for depth, (other, header, what, _) in enumerate(before):
            if other == path and header == section.header and what == kind:
                steps = before[depth + 1 :]
                chain = "".join(f" → [{step[1]}] ({_place(step[3])})" for step in steps)
                text = f"this leads back to itself: [{header}]{chain} → [{header}] ({_place(mention.origin)})"
                resolver.report(_at(mention, text, "refer to something else", "loop"))
                return missing(kind, name, mention)
        if len(before) >= MAX_DEPTH:
            resolver.report(_at(mention, f"sections are nested more than {MAX_DEPTH} deep", "simplify", "too-deep"))
            return missing(kind, name, mention)
        resolver.stack = (*before, (path, section.header, kind, mention.origin))
        try:
            for part, _ in section.parts:
                resolver.used.add((part, section.header))
            return _Section(self, kind, section, name, passed).node()
        finally:
            resolver.stack = before

    # -- what nodes need of their home --

    def build(self, node: Node) -> Any:
        """Make the object that ``node`` describes."""
        return build_node(node)

    def loader_for(self, node: Node) -> Scope:
        """This scope as the composite ``node`` sees it: names that are not here are looked up where it was inherited from."""
        view = type(self).__new__(type(self))
        view.__dict__.update(self.__dict__)
        view._node = node
        return view

    def child(self, node: Node, name: str, origin: Origin | None, kind: Kind, passed: Values | None) -> Node:
        """The node that ``node``'s factory would get for ``name``."""
        return self.loader_for(node)._child(kind, name, origin, node.globals if passed is None else passed)

    def _child(self, kind: Kind, name: str | None, origin: Origin | None, passed: Values | None) -> Node:
        node = self._node
        mention = self._mention(name) if origin is None else Mention(origin, self._key_at(origin))
        before = self.resolver.stack
        if node is not None:
            self.resolver.stack = node.trail
        try:
            if name is None and self.file is not None:
                return self._named(kind, None, passed, mention)
            made = self._resolve(kind, "main" if name is None else name, passed, mention, self.hook is None)
        finally:
            self.resolver.stack = before
        if made.shape == "factory" and made.protocol is None:
            made.protocol = f"paste.{kind}_factory"
        return made

    def _key_at(self, origin: Origin) -> str | None:
        node = self._node
        for key, value in node.values.items() if node is not None else ():
            if value.option is not None and value.option.file == origin.file and origin.line in value.option.lines:
                return key
        return None

    def _mention(self, name: str | None) -> Mention:
        """The key of the composite's section that mentions ``name``, or failing that, the section."""
        node = self._node
        if node is None:
            return Mention(Origin(self.file.path if self.file else None))
        for key, value in node.values.items():
            option = value.option
            if option is None or name is None:
                continue
            if value.text == name or name in value.text.split():
                line = next((line for word, line in option.words() if word == name), option.line)
                return Mention(Origin(option.file, line, value.section), key)
        return Mention(node.where)

    # -- the loader of composite factories, as PasteDeploy has it --

    def get_context(
        self, object_type: ObjectType, name: str | None = None, global_conf: Mapping[str, Any] | None = None
    ) -> Node:
        """The node that ``name`` means. Raises ``ConfigError`` with all that is wrong with it."""
        resolver = self.resolver
        count = len(resolver.problems)
        resolver._seen.clear()
        known = self._node.globals if self._node is not None else None
        passed = None if global_conf is None else Values.wrap(global_conf, known)
        node = self._child(object_type.kind, name, None, passed)
        errors = [problem for problem in resolver.problems[count:] if problem.severity == "error"]
        if errors:
            raise config_error(errors)
        if self._node is not None:
            self._node.asked.append(node)
        return node

    def app_context(self, name: str | None = None, global_conf: Mapping[str, Any] | None = None) -> Node:
        """The node of an app."""
        return self.get_context(APP, name, global_conf)

    def filter_context(self, name: str | None = None, global_conf: Mapping[str, Any] | None = None) -> Node:
        """The node of a filter."""
        return self.get_context(FILTER, name, global_conf)

    def server_context(self, name: str | None = None, global_conf: Mapping[str, Any] | None = None) -> Node:
        """The node of a server."""
        return self.get_context(SERVER, name, global_conf)

    def get_app(self, name: str | None = None, global_conf: Mapping[str, Any] | None = None) -> Any:
        """The app that ``name``, a section or a URI, means, built."""
        return self.app_context(name, global_conf).create()

    def get_filter(self, name: str | None = None, global_conf: Mapping[str, Any] | None = None) -> Any:
        """The filter, built."""
        return self.filter_context(name, global_conf).create()

    def get_server(self, name: str | None = None, global_conf: Mapping[str, Any] | None = None) -> Any:
        """The server, built."""
        return self.server_context(name, global_conf).create()

    def absolute_name(self, name: str | None) -> bool:
        """Whether ``name`` is a URI."""
        return is_uri(name)

    def find_config_section(self, object_type: ObjectType, name: str | None = None) -> str:
        """The header of the section that ``name`` means. Raises ``ConfigError``."""
        count = len(self.resolver.problems)
        self.resolver._seen.clear()
        section = self._one(object_type.kind, name, Mention(Origin(self.file.path if self.file else None)))
        if section is None:
            raise config_error(self.resolver.problems[count:])
        return section.header

    def update_defaults(self, new_defaults: Mapping[str, Any], overwrite: bool = True) -> None:
        """Add variables as if they stood in ``[DEFAULT]``."""
        self.inject(Values.wrap(new_defaults), overwrite)
        if self._parser is not None:
            for key, value in new_defaults.items():
                if overwrite or key not in self._parser._defaults:
                    self._parser._defaults[key] = value

    @property
    def parser(self) -> Any:
        """The file as a ``ConfigParser``, made when asked for."""
        if self._parser is None:
            from .parser import NicerConfigParser

            self._parser = NicerConfigParser.of(self.filename or "", self.file, self._raw)
        return self._parser


def _a(kind: str) -> str:
    return f"an {kind}" if kind == "app" else f"a {kind}"


def _place(origin: Origin) -> str:
    if origin.file is None:
        return str(origin)
    name = os.path.basename(origin.file)
    return f"{name}:{origin.line}" if origin.line else name


class _Section:
    """The evaluation of one section."""

    def __init__(self, scope: Scope, kind: Kind, section: Section, name: str, passed: Values | None) -> None:
        self.scope = scope
        self.kind: Kind = kind
        self.section = section
        self.header = section.header
        self.name = name
        self.where = Origin(section.file, section.line, section.header)
        self.local = Values()
        self.additions: dict[str, Value] = {}
        self.hidden: dict[str, Value] = {}
        self.globals = Values(scope.defaults())
        if passed is not None:
            self._take(passed)

    def report(self, what: str, fix: str, code: str, value: Value | None = None, severity: Severity = "error") -> None:
        """Note a problem with a key of this section, or with the section."""
        option = None if value is None else value.option
        if option is None:
            mention = Mention(self.where)
        else:
            mention = Mention(Origin(option.file, option.line, self.header), option.key)
        self.scope.resolver.report(_at(mention, what, fix, code, severity))

    def _take(self, passed: Values) -> None:
        mine = self.globals
        for key, value in passed.items():
            before = mine.get(key)
            if before is value:
                continue
            if before is not None and before.how != "built in" and before.text != value.text:
                value = value.beating(before.defeated("the value passed in wins"))
            mine[key] = value

    def node(self) -> Node:
        """Evaluate it."""
        self._values()
        filtered = self.local.pop("filter-with", None) if self.kind in ("app", "filter") else None
        self._require()
        if self.section.prefix == "filter-app" and self.section.name is not None:
            node = self._filter_app()
        elif self.section.prefix == "pipeline" and self.section.name is not None:
            node = self._pipeline()
        elif self.section.prefix == "filter-app":
            node = self._filter_app()
        elif self.section.prefix == "pipeline":
            node = self._pipeline()
        elif "use" in self.local:
            node = self._use(self.kind)
        else:
            node = self._explicit(self.kind)
        return node if filtered is None else self._filtered(node, filtered)

    def _values(self) -> None:
        scope = self.scope
        options = self.section.options
        defaults = scope.defaults()
        raw = scope._raw
        wanted: dict[str, Value] = {}
        for key, option in options.items():
            if key.startswith("set "):
                self._set(key[4:].strip(), scope._value(option, self.header, "set", options))
            elif key.startswith("get "):
                wanted[key[4:].strip()] = scope._value(option, self.header, "get", options)
            elif key in defaults:
                self._hide(key, option, defaults[key])
            else:
                self.local[key] = scope._value(option, self.header, "section", options)
        for key, option in raw.items():
            if key in options:
                continue
            if key.startswith("set "):
                self._set(key[4:].strip(), scope._value(option, DEFAULT, "set", options))
            elif key.startswith("get "):
                wanted[key[4:].strip()] = scope._value(option, DEFAULT, "get", options)
        for name, value in wanted.items():
            found = self.globals.get(value.text)
            if found is None:
                fix = did_you_mean(value.text, self.globals)
                self.report(f"there is no global value {value.text!r} to get", fix, "get-missing", value)
                continue
            self.local[name] = Value(found.text, value.option, value.section, "get", found.lost, found.environment)

    def _set(self, name: str, value: Value) -> None:
        before = self.globals.get(name)
        if before is not None and before.how != "built in":
            value = value.beating(before.defeated(f"[{self.header}] sets it"))
        self.additions[name] = self.globals[name] = value

    def _hide(self, key: str, option: Option, winner: Value) -> None:
        """A key of the section that also is a global one never reaches the factory: PasteDeploy's rule, often a surprise."""
        mine = Value(option.text, option, self.header)
        self.hidden[key] = mine
        given = key in self.scope._injected
        if given and winner.how in ("command line", "code"):
            why = f"the variable {key!r} given on the command line hides it"
            fix = f"write 'set {key} = …', or give the variable another name"
        elif given:
            why = f"the global value {key!r} ({_place(winner.origin)}) hides it"
            fix = f"write 'set {key} = …', or rename the other"
        else:
            why = f"[DEFAULT] has this key ({_place(winner.origin)}) and hides it"
            fix = f"remove it from [DEFAULT], or write 'set {key} = …' here"
        self.globals[key] = self.globals[key].beating(mine.defeated(why))
        what = f"the value never arrives: {why}"
        self.report(what, fix, "hidden-key", mine, "warning")

    def _require(self) -> None:
        value = self.local.pop("require", None)
        for name in value.text.split() if value is not None else ():
            if self.scope.resolver.distribution(name) is None:
                self.report(
                    f"there is no distribution {name!r} installed", f"pip install {name}", "missing-distribution", value
                )

    def _refer(self, kind: Kind, value: Value, key: str, line: int | None = None, name: str | None = None) -> Node:
        """The node that a key of this section names."""
        option = value.option
        origin = Origin(option.file, line or option.line, self.header) if option is not None else self.where
        return self.scope.resolve(kind, value.text if name is None else name, self.globals, Mention(origin, key))

    def _node(self, shape: Any) -> Node:
        return Node(
            kind=self.kind,
            shape=shape,
            name=self.name,
            section=self.header,
            where=self.where,
            values=self.local,
            globals=self.globals,
            home=self.scope,
            trail=self.scope.resolver.stack,
        )

    def _nothing(self) -> Node:
        node = self._node("missing")
        return node

    def _lacks(self, key: str, fix: str) -> Node:
        hidden = self.hidden.get(key)
        if hidden is not None:
            what = f"its {key!r} is hidden by the one in [DEFAULT] or among the variables"
            fix = f"take {key!r} out of there"
        else:
            what = f"there is no {key!r}"
        self.report(what, fix, "missing-key", hidden)
        return self._nothing()

    def _filter_app(self) -> Node:
        following = self.local.pop("next", None)
        if following is None:
            return self._lacks("next", "write next = NAME, the app that it filters")
        node = self._node("filter-app")
        node.app = self._refer("app", following, "next")
        node.filters = [self._use("filter") if "use" in self.local else self._explicit("filter")]
        return node

    def _pipeline(self) -> Node:
        value = self.local.pop("pipeline", None)
        if value is None:
            return self._lacks("pipeline", "write pipeline = FILTER … APP")
        for extra in self.local.values():
            fix = "give it to one of the members, or write 'set NAME = …' for all"
            self.report("a pipeline has extra (disallowed) settings", fix, "pipeline-key", extra)
        words = self._words(value)
        if not words:
            self.report("the pipeline is empty", "write at least the name of an app", "empty-pipeline", value)
            return self._nothing()
        node = self._node("pipeline")
        name, line = words[-1]
        node.app = self._refer("app", value, "pipeline", line, name)
        node.filters = [self._refer("filter", value, "pipeline", line, name) for name, line in words[:-1]]
        return node

    def _words(self, value: Value) -> list[tuple[str, int | None]]:
        """The words of a pipeline, each with its line, after interpolation."""
        option = value.option
        if option is None:
            return [(word, None) for word in value.text.split()]
        if "%" not in option.text:
            return list(option.words())
        found: list[tuple[str, int | None]] = []
        for part, line in zip(option.text.split("\n"), option.lines, strict=False):
            piece = Option(option.key, part, line, option.file)
            text = self.scope._value(piece, self.header, "section", self.section.options).text
            found += [(word, line) for word in text.split()]
        words = value.text.split()
        return found if [word for word, _ in found] == words else [(word, option.line) for word in words]

    def _filtered(self, node: Node, value: Value) -> Node:
        outer = self._node("filtered")
        outer.bases = node.bases
        outer.app = node
        outer.filters = [self._refer("filter", value, "filter-with")]
        return outer

    def _explicit(self, kind: Kind) -> Node:
        found: list[tuple[str, Value]] = []
        for group in TYPES[kind].egg_protocols:
            for protocol in group:
                if protocol in self.local:
                    found.append((protocol, self.local[protocol]))
                    break
        if len(found) > 1:
            names = ", ".join(name for name, _ in found)
            self.report(
                f"it says several times what makes it: {names}", "keep one of them", "several-protocols", found[1][1]
            )
            return self._nothing()
        if not found:
            return self._no_factory(kind)
        protocol, value = found[0]
        del self.local[protocol]
        try:
            reference = Reference.parse_module(value.text)
        except BadReference as error:
            self.report(f"{value.text!r}: {error.what}", error.fix, error.code, value)
            return self._nothing()
        node = self._node("factory")
        node.kind = kind
        node.reference = reference
        node.reference_origin = value.origin
        node.protocol = protocol
        return node

    def _no_factory(self, kind: Kind) -> Node:
        for key, value in self.hidden.items():
            if key == "use" or key in TYPES[kind].protocols:
                what = f"its {key!r} is hidden by the one in [DEFAULT] or among the variables"
                self.report(what, f"take {key!r} out of there", "missing-key", value)
                return self._nothing()
        known = ("use", *TYPES[kind].protocols)
        near = next((key for key in self.local if did_you_mean(key, known).startswith("did you mean")), None)
        fix = f"write use = egg:Distribution#name, use = call:module:object or {known[1]} = module:object"
        if near is not None:
            fix = f"{near!r}: {did_you_mean(near, known)}"
        self.report("nothing says what makes it", fix, "no-factory")
        return self._nothing()

    def _use(self, kind: Kind) -> Node:
        value = self.local.pop("use")
        option = value.option
        origin = Origin(option.file, option.line, self.header) if option is not None else self.where
        mention = Mention(origin, "use")
        node = self.scope.resolve(kind, value.text, self.globals, mention, settle=False)
        if node.shape == "missing":
            node.section, node.where, node.name = self.header, self.where, self.name
            return node
        self._overlay(node)
        node.globals.put(self.additions)
        file = self.globals.get("__file__")
        if file is not None and node.globals.get("__file__") is not file:
            node.globals.put({"__file__": file})
        home = node.home
        if home is not self.scope:
            if isinstance(home, Scope) and home.file is not None and home.file is not (self.scope.file):
                node.fallbacks = [home, *node.fallbacks]
            node.home = self.scope
        if node.shape == "factory" and node.protocol is None:
            prefix = self.section.prefix
            composite = kind == "app" and prefix in ("composite", "composit")
            node.protocol = "paste.composite_factory" if composite else f"paste.{kind}_factory"
        if node.reference_origin is None or node.reference_origin.section == self.header:
            node.reference_origin = value.origin if node.reference is not None else None
        if node.section != self.header or node.where.line != self.section.line:
            if node.section is not None and node.where.section != self.header:
                node.bases = [node.where, *node.bases]
            node.section, node.where, node.name = self.header, self.where, self.name
        return node

    def _overlay(self, node: Node) -> None:
        """Lay this section's keys over those that the node had; say so where they reach nobody."""
        theirs = node.values
        for key, before in list(theirs.items()):
            if before.how == "section" and before.section != self.header:
                theirs[key] = before.inherited()
        for key, value in self.local.items():
            known = theirs.get(key)
            if known is not None:
                value = value.beating(known.defeated(f"[{self.header}] overrides it"))
            theirs.put({key: value})
        if node.shape in ("factory", "foreign") or self._received(node):
            return
        shape = {"filtered": "has a filter-with"}.get(node.shape, f"is a {node.shape}")
        for value in self.local.values():
            what = f"the value reaches nobody: [{node.section}] {shape}, which takes no keys"
            fix = "write 'set NAME = …', or override the section inside it"
            self.report(what, fix, "lost-override", value, "warning")

    def _received(self, node: Node) -> bool:
        """Whether a factory inside gets these very values (an explicit protocol key beside filter-with or next)."""
        inner = node.app if node.shape == "filtered" else (node.filters[0] if node.shape == "filter-app" else None)
        return inner is not None and inner.shape == "factory" and inner.values is node.values
