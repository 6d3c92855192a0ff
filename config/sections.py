"""Evaluate one section into a node: which keys are whose, and what makes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .ini import DEFAULT, Option, Section
from .mention import Mention, at, place
from .node import TYPES, Kind, Node, Value, Values
from .origin import Origin
from .problems import Severity, did_you_mean
from .references import BadReference, Reference

if TYPE_CHECKING:
    from .scope import Scope


class Evaluation:
    """The evaluation of one section in its scope; :meth:`node` is the result."""

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
        self.defaults = scope.variables.defaults()
        self.globals = Values(self.defaults)
        if passed is not None and passed != self.globals:
            self._take(passed)

    def report(self, what: str, fix: str, code: str, value: Value | None = None, severity: Severity = "error") -> None:
        """Note a problem with a key of this section, or with the section."""
        option = None if value is None else value.option
        if option is None:
            mention = Mention(self.where)
        else:
            mention = Mention(Origin(option.file, option.line, self.header), option.key)
        self.scope.resolver.report(at(mention, what, fix, code, severity))

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
        if "require" in self.local:
            self._require(self.local.pop("require"))
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
        defaults = self.defaults
        wanted: dict[str, Value] = {}
        for key, option in options.items():
            if key.startswith("set "):
                self._set(key[4:].strip(), scope.variables.value(option, self.header, "set", options))
            elif key.startswith("get "):
                wanted[key[4:].strip()] = scope.variables.value(option, self.header, "get", options)
            elif key in defaults:
                self._hide(key, option, defaults[key])
            else:
                self.local[key] = scope.variables.value(option, self.header, "section", options)
        for key, option in scope.variables.directives().items():
            if key in options:
                continue
            if key.startswith("set "):
                self._set(key[4:].strip(), scope.variables.value(option, DEFAULT, "set", options))
            else:
                wanted[key[4:].strip()] = scope.variables.value(option, DEFAULT, "get", options)
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
        """Drop a key that also is a global one: it never reaches the factory. PasteDeploy's rule, often a surprise."""
        mine = Value(option.text, option, self.header)
        self.hidden[key] = mine
        given = key in self.scope.variables.injected
        if given and winner.how in ("command line", "code"):
            why = f"the variable {key!r} given on the command line hides it"
            fix = f"write 'set {key} = …', or give the variable another name"
        elif given:
            why = f"the global value {key!r} ({place(winner.origin)}) hides it"
            fix = f"write 'set {key} = …', or rename the other"
        else:
            why = f"[DEFAULT] has this key ({place(winner.origin)}) and hides it"
            fix = f"remove it from [DEFAULT], or write 'set {key} = …' here"
        self.globals[key] = self.globals[key].beating(mine.defeated(why))
        what = f"the value never arrives: {why}"
        self.report(what, fix, "hidden-key", mine, "warning")

    def _require(self, value: Value) -> None:
        for name in value.text.split():
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
            text = self.scope.variables.value(piece, self.header, "section", self.section.options).text
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
            node.values = self.local  # what a server in its place is told
            return node
        self._overlay(node)
        node.globals.put(self.additions)
        file = self.globals.get("__file__")
        if file is not None and node.globals.get("__file__") is not file:
            node.globals.put({"__file__": file})
        self.scope.take_over(node)
        node.mentioned = None  # by whoever refers to this section, not by its use
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
