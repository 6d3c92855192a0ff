"""Evaluate sections into nodes, by PasteDeploy's rules.

A :class:`Resolver` is one load: it reads each file once, knows the sections being evaluated (so that a loop is named
as one) and collects the problems. A :class:`Scope` is one file with the variables injected into it; composite
factories get one as their ``loader``.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping
from typing import Any

from . import layers
from .build import build as build_node
from .eggs import find_entry_point
from .ini import IniFile, Section, read_path
from .mention import Mention, a_kind, at, missing, place
from .node import APP, FILTER, SERVER, TYPES, Kind, Node, ObjectType, Values
from .origin import Origin
from .problems import Problem, config_error, did_you_mean
from .references import BadReference, Distribution, Reference, find_distribution, installed, is_uri
from .sections import Evaluation
from .variables import Variables

MAX_DEPTH = 100
"""How many sections may be nested in each other; more is a mistake, and would exhaust Python's own stack."""


MAX_SECTIONS = 10_000
"""How many sections one name may lead to. Filters that use the next and are filtered with it, too, double each time."""

_PYTHON_NAME = r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*"

_PREFIXES = {kind: frozenset(each.prefixes) for kind, each in TYPES.items()}

Trail = tuple[tuple[str, str, Kind, Origin], ...]


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
        self.stack: Trail = ()
        self._evaluating = 0
        self._evaluated = 0
        self._too_deep: set[tuple[str, str]] = set()
        self._merged: dict[str, IniFile] = {}
        self._seen: set[tuple[str | None, int | None, str | None, str]] = set()
        self._distributions: dict[str, Distribution | None] = {}
        self._extending: list[str] = []

    def report(self, problem: Problem) -> None:
        """Note a problem, unless its place was already reported for the same reason."""
        place = (problem.file, problem.line, problem.key, problem.what)
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
                node = self._foreign(kind, scheme.lower(), bare, rest, name, relative_to, passed)
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
        self.variables = Variables(file, resolver.report)

    # -- names and URIs --

    def resolve(self, kind: Kind, name: str, passed: Values | None, mention: Mention, *, settle: bool = True) -> Node:
        """The node that ``name``, a section or a URI, means. ``settle``: a ``call:`` takes the protocol of its kind."""
        if self.hook is not None:
            node = adopt(kind, name, self.hook(TYPES[kind], name, None if passed is None else passed.plain))
        else:
            node = self._resolve(kind, name, passed, mention, settle)
        if settle and node.shape == "factory" and node.protocol is None:
            node.protocol = f"paste.{kind}_factory"
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
            self.resolver.report(at(mention, f"{uri}: {error.what}", error.fix, error.code))
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
        entry = find_entry_point(kind, reference, mention, self.resolver)
        if entry is None:
            return missing(kind, reference.entry or "main", mention)
        node = self._node_for(kind, reference, entry.name, passed, mention)
        node.entry_point = entry
        node.protocol = entry.group
        if self.egg is None and node.is_composite:
            # A composite named outside any `use` looks names up among the entry points of its own distribution.
            node.home = Scope(self.resolver, None, relative_to=self.relative_to, distribution=reference.distribution)
        return node

    # -- sections --

    def matching(self, kind: Kind, name: str | None) -> list[Section]:
        """The sections that ``name`` may mean: of each group of synonyms, the first that is there."""
        if self.file is None:
            return []
        wanted = "main" if name is None else name
        namesakes = self.file.named(wanted)
        if len(namesakes) < 2 and wanted != "main":
            # Nearly always: a large file has thousands of lookups.
            return [each for each in namesakes if each.prefix in _PREFIXES[kind]]
        found: list[Section] = []
        for group in TYPES[kind].config_prefixes:
            for prefix in group:
                here = self.file.find(prefix, wanted)
                if name is None:
                    here = [*self.file.find(prefix, None), *here]
                if here:
                    found += here
                    break
        if not found and wanted == "main":
            found = [each for prefix in TYPES[kind].prefixes for each in self.file.find(prefix, None)]
        return found

    def _one(self, kind: Kind, name: str | None, mention: Mention, found: list[Section]) -> Section | None:
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
                at(mention, f"{shown!r} may mean several sections: {places}", "rename one", "ambiguous-section")
            )
            return None
        elsewhere = f" in {path}" if path is not None and path != mention.origin.file else ""
        what = f"there is no {kind} named {shown!r}{elsewhere}"
        self.resolver.report(at(mention, what, self._instead(kind, shown), "missing-section"))
        return None

    def _shadowed(self, kind: Kind, section: Section) -> None:
        file = self.file
        if file is None or len(file.named(section.name)) < 2:
            return
        for group in TYPES[kind].config_prefixes:
            if section.prefix not in group:
                continue
            for prefix in group[group.index(section.prefix) + 1 :]:
                for other in file.find(prefix, section.name):
                    what = f"[{section.header}] at line {section.line} hides this section"
                    mention = Mention(Origin(other.file, other.line, other.header))
                    self.resolver.report(at(mention, what, "rename one of them", "shadowed-section", "warning"))

    def _instead(self, kind: Kind, name: str) -> str:
        file = self.file
        if file is None:
            return ""
        for other, each in TYPES.items():
            for prefix in each.prefixes:
                if other != kind and file.find(prefix, name):
                    return f"[{prefix}:{name}] is {a_kind(other)}, and this must be {a_kind(kind)}"
        if re.fullmatch(_PYTHON_NAME, name):
            return f"write call:{name} for an object of Python"
        names = file.names(TYPES[kind].prefixes)
        return did_you_mean(name, names) or f"there is no {kind} in the file at all"

    def _named(self, kind: Kind, name: str | None, passed: Values | None, mention: Mention) -> Node:
        for scope in (self, *self._fallbacks()):
            found = scope.matching(kind, name)
            if found:
                section = scope._one(kind, name, mention, found)
                break
        else:
            scope, section = self, self._one(kind, name, mention, [])
        if section is None:
            return missing(kind, name or "main", mention)
        return scope.section(kind, section, name or "main", passed, mention)

    def _fallbacks(self) -> list[Scope]:
        return [] if self._node is None else [each for each in self._node.fallbacks if isinstance(each, Scope)]

    def section(self, kind: Kind, section: Section, name: str, passed: Values | None, mention: Mention) -> Node:
        """The node of a section, evaluated with these global values; a loop is named as one."""
        resolver = self.resolver
        file = self.file
        path = file.path if file else ""
        before = resolver.stack
        for depth, (other, header, which, _) in enumerate(before):
            if other == path and header == section.header and which == kind:
                steps = before[depth + 1 :]
                chain = "".join(f" → [{step[1]}] ({place(step[3])})" for step in steps)
                text = f"this leads back to itself: [{header}]{chain} → [{header}] ({place(mention.origin)})"
                resolver.report(at(mention, text, "refer to something else", "loop"))
                return missing(kind, name, mention)
        if (path, section.header) in resolver._too_deep:
            return missing(kind, name, mention)
        if len(before) >= MAX_DEPTH:
            # Each of them was on the way; evaluated one by one they would be looked at a hundred times.
            resolver._too_deep.update((each[0], each[1]) for each in before)
            resolver.report(at(mention, f"sections are nested more than {MAX_DEPTH} deep", "simplify", "too-deep"))
            return missing(kind, name, mention)
        if not resolver._evaluating:
            resolver._evaluated = 0
        resolver._evaluated += 1
        if resolver._evaluated > MAX_SECTIONS:
            text = f"the name leads to more than {MAX_SECTIONS} sections in the end"
            resolver.report(at(mention, text, "simplify", "too-deep"))
            return missing(kind, name, mention)
        resolver._evaluating += 1
        resolver.stack = (*before, (path, section.header, kind, mention.origin))
        try:
            for part, _ in section.parts:
                resolver.used.add((part, section.header))
            return Evaluation(self, kind, section, name, passed).node()
        finally:
            resolver.stack = before
            resolver._evaluating -= 1

    # -- what nodes need of their home --

    def build(self, node: Node) -> Any:
        """Make the object that ``node`` describes."""
        return build_node(node)

    def loader_for(self, node: Node) -> Scope:
        """This scope as the composite ``node`` sees it: what is not here is looked up where it was inherited from."""
        view = type(self).__new__(type(self))
        view.__dict__.update(self.__dict__)
        view._node = node
        return view

    def take_over(self, node: Node) -> None:
        """Become the home of a node that a section here took over; what is not here is looked up in its former one."""
        former = node.home
        if former is self:
            return
        if isinstance(former, Scope) and former.file is not None and former.file is not self.file:
            node.fallbacks = [former, *node.fallbacks]
        node.home = self

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
        made.mentioned = mention.origin
        return made

    def _key_at(self, origin: Origin) -> str | None:
        node = self._node
        return None if node is None else node.keys_by_line().get((origin.file, origin.line))

    def _mention(self, name: str | None) -> Mention:
        """The key of the composite's section that mentions ``name``, or failing that, the section."""
        node = self._node
        if node is None:
            return Mention(Origin(self.file.path if self.file else None))
        found = node.keys_by_word().get(name or "")
        if found is None:
            return Mention(node.where)
        key, line = found
        origin = node.values[key].origin
        return Mention(Origin(origin.file, line, origin.section), key)

    # -- the loader of composite factories, as PasteDeploy has it --

    def get_context(
        self, object_type: ObjectType, name: str | None = None, global_conf: Mapping[str, Any] | None = None
    ) -> Node:
        """The node that ``name`` means. Raises ``ConfigError`` with all that is wrong with it."""
        ready = self._prepared(object_type.kind, name, global_conf)
        if ready is not None:
            return ready
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

    def _prepared(self, kind: Kind, name: str | None, global_conf: Mapping[str, Any] | None) -> Node | None:
        """What a check has evaluated for this very question, if nobody has edited the global values since."""
        node = self._node
        waiting = None if node is None else node.ready.get((kind, name or ""))
        if not waiting or node is None or global_conf != {key: value.text for key, value in node.globals.items()}:
            return None
        found = waiting.pop()
        if any(each.shape == "missing" for each in found.walk()):
            return None
        node.asked.append(found)
        return found

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
        mention = Mention(Origin(self.file.path if self.file else None))
        section = self._one(object_type.kind, name, mention, self.matching(object_type.kind, name))
        if section is None:
            raise config_error(self.resolver.problems[count:])
        return section.header

    def update_defaults(self, new_defaults: Mapping[str, Any], overwrite: bool = True) -> None:
        """Add variables as if they stood in ``[DEFAULT]``."""
        self.variables.inject(Values.wrap(new_defaults), overwrite)
        if self._parser is not None:
            for key, value in new_defaults.items():
                if overwrite or key not in self._parser._defaults:
                    self._parser._defaults[key] = value

    @property
    def parser(self) -> Any:
        """The file as a ``ConfigParser``, made when asked for."""
        if self._parser is None:
            from .parser import NicerConfigParser

            self._parser = NicerConfigParser.of(self.filename or "", self.file, self.variables.raw)
        return self._parser
