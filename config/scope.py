"""What a name means: one file with the variables injected into it, or the entry points of one distribution.

Composite factories get a :class:`Scope` as their ``loader``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from .build import build as build_node
from .eggs import find_entry_point
from .ini import IniFile, Section
from .mention import Mention, a_kind, at, missing
from .node import APP, FILTER, SERVER, TYPES, Kind, Node, ObjectType, Values
from .origin import Origin
from .problems import Problem, config_error, did_you_mean
from .references import BadReference, Reference, is_uri
from .sections import Evaluation
from .variables import Variables

if TYPE_CHECKING:
    from .evaluate import Resolver

_PYTHON_NAME = r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*"
_PREFIXES = {kind: frozenset(each.prefixes) for kind, each in TYPES.items()}


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
            made = self.hook(TYPES[kind], name, None if passed is None else passed.plain)
            node = adopt(kind, name, made, Scope(self.resolver, None))
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
            return self.resolver.foreign(kind, scheme.lower(), uri, rest, name, relative_to, passed)
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
            (section,) = found
            if self.file is not None and len(self.file.named(section.name)) > 1:
                self._shadowed(kind, section, self.file)
            return section
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

    def _shadowed(self, kind: Kind, section: Section, file: IniFile) -> None:
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
        scope, found = self, self.matching(kind, name)
        if not found:
            for further in self._fallbacks():
                elsewhere = further.matching(kind, name)
                if elsewhere:
                    scope, found = further, elsewhere
                    break
        section = scope._one(kind, name, mention, found)
        if section is None:
            return missing(kind, name or "main", mention)
        return scope.section(kind, section, name or "main", passed, mention)

    def _fallbacks(self) -> list[Scope]:
        return [] if self._node is None else [each for each in self._node.fallbacks if isinstance(each, Scope)]

    def section(self, kind: Kind, section: Section, name: str, passed: Values | None, mention: Mention) -> Node:
        """The node of a section, evaluated with these global values; a loop is named as one."""
        resolver = self.resolver
        step = (self.file.path if self.file else "", section.header, kind, mention.origin)
        if not resolver.may_enter(step, mention):
            return missing(kind, name, mention)
        for part, _ in section.parts:
            resolver.used.add((part, section.header))
        resolver.enter(step)
        try:
            return Evaluation(self, kind, section, name, passed).node()
        finally:
            resolver.leave()

    # -- what nodes need of their home --

    def build(self, node: Node) -> Any:
        """Make the object that ``node`` describes."""
        return build_node(node)

    def open(self, path: str, mention: Mention) -> tuple[IniFile | None, list[Problem]]:
        """A file with all that it extends, and what is wrong with it."""
        return self.resolver.open(path, mention)

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
        count = resolver.mark()
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
        if "missing" in {each.shape for each in found.walk()}:
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
        count = self.resolver.mark()
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


def adopt(kind: Kind, name: str, context: Any, home: Scope) -> Node:
    """The node of a context that third-party code made."""
    if isinstance(context, Node):
        return context
    node = Node(kind=kind, shape="foreign", name=name, where=Origin(how="code"), foreign=context)
    node.values = Values.wrap(getattr(context, "local_conf", None))
    node.globals = Values.wrap(getattr(context, "global_conf", None))
    node.protocol = getattr(context, "protocol", None)
    node.home = home
    return node
