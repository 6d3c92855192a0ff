"""Go through the nodes of a composition, into what our composites mount, and find what is wrong with each.

Our own components are asked what they take. Of everybody else's only the source is read, unless ``importing``.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from . import aliases
from .evaluate import Resolver
from .exposure import Exposure
from .factories import CompositeFactory
from .mounts import Mount
from .node import Kind, Node, Value, Values
from .options import OptionError, has_rules
from .origin import BuildSite, Origin
from .problems import ConfigError, Problem, did_you_mean, nearest
from .reader import Reader, Reading
from .records import record
from .references import BadReference, Reference, is_uri, normalise
from .scope import Scope
from .shadows import Branch, Maps
from .values import is_import, is_reference

if TYPE_CHECKING:
    from .calls import Mismatch
    from .parts import Belongings
    from .sources import Flaw, Found, Sources

_OURS = __package__.partition(".")[0] + "."
_MOST_VARIANTS = 8
"""How often one section is looked at with different global values; nested ``set`` could make millions of them."""


@record
class _Traits:
    """Which options of a component are secret, name apps of the configuration, or name objects of Python.

    ``rules``: it may have more to say of its sections, or of its place among the filters.
    """

    secrets: frozenset[str]
    references: tuple[str, ...]
    imports: tuple[str, ...]
    rules: bool

    @classmethod
    def of(cls, reader: Reader) -> _Traits:
        options = reader.options
        kinds = {id(each.kind): each.kind for each in options}  # sixty options are of twenty types
        references = {number for number, kind in kinds.items() if is_reference(kind)}
        imports = {number for number, kind in kinds.items() if is_import(kind)}
        return cls(
            frozenset(each.name for each in options if each.secret),
            tuple(each.name for each in options if id(each.kind) in references),
            tuple(each.name for each in options if id(each.kind) in imports),
            has_rules(reader.component) or reader.parts is not None,
        )


class Inspector:
    """Looks at each node once; reports to the resolver that made them."""

    def __init__(
        self,
        resolver: Resolver,
        folders: Iterable[str],
        *,
        importing: bool = False,
        on_file: Callable[[str], object] | None = None,
    ) -> None:
        self.resolver = resolver
        self._on_file = on_file
        self.importing = importing
        self.maps = Maps()
        self.exposure = Exposure(resolver.report)
        self.mentioned: set[str] = set()
        """Values of foreign sections, which may be names of sections."""
        self._folders = list(folders)
        self._sources: Sources | None = None
        self._looked_up: dict[tuple[str, str], Found | Flaw | None] = {}
        self._judged: dict[Hashable, tuple[Flaw | None, list[Mismatch]]] = {}
        self._variants: dict[Hashable, set[Hashable]] = {}
        self._below: dict[Hashable, Hashable | None] = {}
        self._traits: dict[type, _Traits] = {}
        self._tops: list[tuple[Node, int | None, bool]] = []
        self._read_nodes: dict[Node, tuple[Reader, Reading]] = {}
        self.optional = False
        """Whether what is looked at from now on is never started."""

    def visit(self, root: Node) -> None:
        """Look at ``root`` and all that it leads to."""
        entrance = map_at(root)
        if entrance is not None:
            self.maps.roots.append(entrance)
        waiting: list[tuple[Node, int | None]] = [(root, None)]
        while waiting:
            top, mounted_by = waiting.pop()
            here = len(self._tops)
            self._tops.append((top, mounted_by, self.optional))
            for node in top.walk():
                if node.shape == "factory" and node.reference is not None:
                    for child in self._factory(node):
                        waiting.append((child, here))

    def rules(self, public: str | None, server: Mapping[str, str]) -> Iterator[Problem]:
        """What components know of their sections, where they stand and who can reach them; see ``surroundings``."""
        if any(traits.rules for traits in self._traits.values()):
            from .surroundings import judge, lines_of

            yield from judge(lines_of(self._tops), self._read_nodes, self._key_at, public=public, server=server)

    # -- one factory --

    def _factory(self, node: Node) -> Iterable[Node]:
        target = _target(node)
        factory = self._load_ours(node, target) if target.module.startswith(_OURS) else None
        reader = getattr(factory, "reader", None)
        if isinstance(reader, Reader):
            traits = self._traits_of(reader)
            self.exposure.see(node, traits.secrets)
            return self._ours(node, factory, reader, traits)
        self.exposure.see(node)
        if not target.module.startswith(_OURS):
            self._theirs(node, target)
        if node.is_composite:
            return self._guess(node)
        for value in node.values.values():
            if len(value.text) < 100:
                self.mentioned.add(value.text.strip())
        return ()

    def _traits_of(self, reader: Reader) -> _Traits:
        traits = self._traits.get(reader.component)
        if traits is None:
            traits = self._traits[reader.component] = _Traits.of(reader)
        return traits

    def _load_ours(self, node: Node, target: Reference) -> Any:
        try:
            return target.load()
        except ImportError as error:
            self._report(node, f"{node.reference}: {error}", "reinstall wheatpaste", "import")
        except AttributeError:
            self._report(node, f"{node.reference}: {target.module} has no {target.object!r}", "", "missing-name")
        return None

    def _ours(self, node: Node, factory: Any, reader: Reader, traits: _Traits) -> Iterator[Node]:
        named = _named_objects(node.values, reader, traits)
        sound = self._judge_objects(node.section, node.values, named)
        reading = self._read(node, reader, importing=self.importing and sound and reader.parts is None)
        if reading.belongings is not None and self._belonging(reading.belongings) and self.importing and sound:
            reading = self._read(node, reader, importing=True)
        self._read_nodes[node] = reader, reading
        for problem in reading.problems:
            self.resolver.report(problem)
        # Without importing, some values are text still where an object is due, and making the component may import.
        ready = self.importing and sound or not (named or any(name in reading.values for name in traits.imports))
        whole = reading.belongings is None or reading.belongings.are_whole
        if ready and whole and not reading.errors and not isinstance(factory, CompositeFactory):
            self._make(node, reader, reading)
        if reading.values.get("trusted_proxies") and "trusted_proxy" not in node.values:
            self.exposure.believes(node, "trusted_proxies")
        mounts = list(reading.mounts)
        for name in traits.references:
            text = reading.values.get(name)
            if isinstance(text, str) and text:
                mounts.append(Mount(name if name in node.values else _spelling(reader, name, node.values), text))
        yield from self._mounted(node, mounts)

    def _belonging(self, belongings: Belongings) -> bool:
        """Note that these sections are used, and look at their secrets. Whether all they name in Python is there."""
        for section in belongings.sections:
            self.resolver.used.update((path, section.header) for path, _ in section.parts)
        sound = True
        for part in belongings.parts.values():
            traits = self._traits_of(part.reader)
            self.exposure.see_part(part.section.header, part.values, part.reader.secret_keys())
            named = _named_objects(part.values, part.reader, traits)
            sound = self._judge_objects(part.section.header, part.values, named) and sound
        return sound

    def _mounted(self, node: Node, mounts: list[Mount]) -> Iterator[Node]:
        if not mounts:
            return
        here = _place_of(node)
        branches: list[Branch] | None = None
        if here not in self.maps.branches:
            branches = self.maps.branches[here] = []
            self.maps.sections[here] = node.section or node.name
        around = self._surroundings(node)
        for mount in mounts:
            value = node.values.get(mount.key) or node.globals.get(mount.key)
            origin = value.origin if value is not None else node.where
            child = self._child(node, mount.reference, origin, "app", around)
            if child is not None:
                node.ready.setdefault(("app", mount.reference), []).append(child)
            if branches is not None:
                branches.append(Branch(mount, origin, self._below.get((around[0], mount.reference, "app"))))
            if child is not None:
                yield child

    def _judge_objects(self, section: str | None, values: Values, named: Iterable[tuple[str, str]]) -> bool:
        """Whether the objects of Python that keys of ours name are there, as far as can be known."""
        sound = True
        for key, word in named:
            try:
                reference = Reference.parse_module(word)
            except BadReference:
                continue  # its form is looked at with that of all other values
            flaw = self._flaw_of(reference) if reference.object else None
            if flaw is not None:
                sound = False
                self._report_value(section, key, values[key], f"{word}: {flaw.what}", flaw.fix, flaw.code)
        return sound

    def _flaw_of(self, reference: Reference) -> Mismatch | None:
        from .calls import Mismatch

        if self.importing:
            from .imports import imported

            found = imported(reference)
            return found if isinstance(found, Mismatch) else None
        from .sources import Flaw

        flaw = self._look_up(reference)
        return Mismatch(flaw.what, _instead(flaw), flaw.code) if isinstance(flaw, Flaw) else None

    def _read(self, node: Node, reader: Reader, *, importing: bool) -> Reading:
        site = BuildSite(node.where, _Places(node.values), _Places(node.globals), self.resolver.open)
        return reader.read(_texts(node.values), _texts(node.globals), site, importing=importing)

    def _make(self, node: Node, reader: Reader, reading: Reading) -> None:
        """Make our component, for the rules that join several of its options. That starts nothing."""
        wrapped = (_no_app,) if node.kind == "filter" else ()
        try:
            reader.component(*wrapped, **reading.values)
        except OptionError as error:
            part = reading.place_of(error.part)
            if part is not None:
                place, read = part
                self.resolver.report(place.refusal(error, read.said))
                return
            key = reading.said.get(error.option or "", error.option or "")
            value = node.values.get(key)
            if value is not None:
                self._report_value(node.section, key, value, error.what, "", "wrong-value")
            else:
                what = f"{error.option}: {error.what}" if error.option else error.what
                self._report(node, what, "", "wrong-value", node.where)
        except ConfigError as error:
            # What a file lacks that an option names, or which package: no reason to say nothing of the other sections.
            for problem in error.problems:
                if problem.file is None:
                    self._report(node, problem.what, problem.fix, problem.code, node.where)
                else:
                    self.resolver.report(problem)

    def _theirs(self, node: Node, target: Reference) -> None:
        entry = node.entry_point
        instead = None if entry is None else aliases.RETIRED.get(normalise(entry.distribution), {}).get(entry.name)
        if instead is not None:
            self._report(node, f"{node.reference}: it does not work on Python 3", instead, "retired")
            return
        wrong: Iterable[Mismatch]
        named = "" if node.entry_point is None else f"{node.reference}: "
        if self.importing:
            from .imports import import_flaws

            wrong = import_flaws(node, target, list(node.values))
        else:
            call = (target.module, target.object, node.protocol, frozenset(node.values))
            if call not in self._judged:
                self._judged[call] = self._judge_call(node, target)
            flaw, wrong = self._judged[call]
            if flaw is not None:
                self._report(node, f"{node.reference}: {flaw.what}", _advice(node, flaw), flaw.code)
        for each in wrong:
            if each.key is None:
                self._report(node, f"{named}{each.what}", each.fix, each.code)
            else:
                self._report_value(node.section, each.key, node.values[each.key], each.what, each.fix, each.code)

    def _judge_call(self, node: Node, target: Reference) -> tuple[Flaw | None, list[Mismatch]]:
        """What is wrong with a factory, and with the keys that it is called with."""
        from .calls import mismatches
        from .sources import Flaw, Found

        found = self._look_up(target)
        if isinstance(found, Flaw):
            return found, []
        if not isinstance(found, Found) or node.protocol is None:
            return None, []
        reference = f"{target.module}:{target.object}"
        return None, list(mismatches(found.node, reference, node.protocol, node.values))

    def _look_up(self, target: Reference) -> Found | Flaw | None:
        key = (target.module, target.object)
        if key not in self._looked_up:
            if self._sources is None:
                from .sources import Sources

                self._sources = Sources(self._folders, self._on_file)
            self._looked_up[key] = self._sources.look_up(*key)
        return self._looked_up[key]

    # -- what composites mount --

    def _surroundings(self, node: Node) -> tuple[Hashable, Hashable]:
        """Where a composite looks names up, and the global values that it hands on."""
        home = node.home
        scopes = [each for each in (home, *node.fallbacks) if isinstance(each, Scope)]
        files = tuple((each.filename, each.egg) for each in scopes)
        return files, frozenset((key, value.text) for key, value in node.globals.items())

    def _child(
        self, node: Node, name: str, origin: Origin, kind: Kind, around: tuple[Hashable, Hashable]
    ) -> Node | None:
        """What a composite gets for a name, or None where it was looked at before and does not lead back here."""
        what = (around[0], name, kind)
        variants = self._variants.setdefault(what, set())
        entry = name.partition("#")[2] or "main" if is_uri(name) else name
        returns = any(header.partition(":")[2].strip() in (entry, "") for _, header, _, _ in node.trail)
        if not returns and (around[1] in variants or len(variants) >= _MOST_VARIANTS):
            return None
        variants.add(around[1])
        child = node.child(name, origin, kind=kind)
        self._below.setdefault(what, map_at(child))
        return child

    def _guess(self, node: Node) -> Iterator[Node]:
        """Follow what look like names of sections among the values of a composite that is not ours."""
        from .guesses import guesses

        around = self._surroundings(node)
        for each in guesses(node):
            if isinstance(each, Problem):
                self.resolver.report(each)
                continue
            word, origin, kind = each
            child = self._child(node, word, origin, kind, around)
            if child is not None:
                yield child

    # -- reporting --

    def _report(self, node: Node, what: str, fix: str, code: str, where: Origin | None = None) -> None:
        place = where or node.reference_origin or node.where
        self.resolver.report(
            Problem(
                what=what,
                fix=fix,
                file=place.file,
                line=place.line,
                section=place.section or node.section,
                key=self._key_at(place),
                code=code,
            )
        )

    def _report_value(self, section: str | None, key: str, value: Value, what: str, fix: str, code: str) -> None:
        origin = value.origin
        self.resolver.report(
            Problem(
                what=what,
                fix=fix,
                file=origin.file,
                line=origin.line,
                section=origin.section or section,
                key=key,
                code=code,
            )
        )

    def _key_at(self, place: Origin) -> str | None:
        """The key that stands at a place."""
        file = None if place.file is None else self.resolver.files.get(place.file)
        section = None if file is None else file.sections.get(place.section or "")
        for key, option in section.options.items() if section is not None else ():
            if place.line in option.lines:
                return key
        return None


def _named_objects(values: Values, reader: Reader, traits: _Traits) -> list[tuple[str, str]]:
    """The keys of a section of ours that name objects of Python, and each object that they name."""
    named = [(key, word) for key in traits.imports if key in values for word in values[key].text.split()]
    family = reader.family
    if family is not None:
        texts = {key: value.text for key, value in values.items() if family.takes(key)}
        named += [(key, word) for key, text in texts.items() for word in family.objects(text)]
    return named


def _no_app(environ: Any, start_response: Any) -> list[bytes]:
    """Stands where a filter's app will be."""
    return []


class _Places(Mapping[str, Origin]):
    """The origins of values, made when one is asked for: mostly nothing is wrong, and nobody asks."""

    def __init__(self, values: Values) -> None:
        self._values = values

    def __getitem__(self, key: str) -> Origin:
        return self._values[key].origin

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def map_at(node: Node) -> Hashable | None:
    """The composite that a node leads to with the path as it came, or None."""
    found: Node | None = node
    while found is not None and found.shape != "factory":
        for each in found.filters:
            if not _keeps_paths(each):
                return None
        found = found.app
    return _place_of(found) if found is not None and found.is_composite else None


def _keeps_paths(node: Node) -> bool:
    """Whether a filter is known to hand paths on as they came."""
    if node.shape != "factory" or node.reference is None:
        return False
    module = _target(node).module
    return module.startswith(_OURS) and not module.endswith(".prefix")


def _place_of(node: Node) -> Hashable:
    return (node.where.file, node.where.line, node.where.section)


def _target(node: Node) -> Reference:
    if node.entry_point is not None:
        return node.entry_point.reference
    if node.reference is None:
        raise LookupError(f"{node.name} has no reference")
    return node.reference


def _texts(values: Values) -> dict[str, str]:
    return {key: value.text for key, value in values.items()}


def _spelling(reader: Reader, name: str, values: Mapping[str, Any]) -> str:
    """The key by which a section gave an option that has an old spelling, too."""
    return next((old for old, new in reader.names.items() if new == name and old in values), name)


def _advice(node: Node, flaw: Flaw) -> str:
    if node.entry_point is not None:
        return f"reinstall {node.entry_point.distribution}, or name another"
    return _instead(flaw)


def _instead(flaw: Flaw) -> str:
    if flaw.code == "missing-name":
        return did_you_mean(flaw.word, flaw.near) or "it defines nothing"
    if flaw.code == "broken-module":
        return "correct it first"
    near = nearest(flaw.word, flaw.near)
    if near is not None:
        return f"did you mean {near!r}?"
    return "install what has it, or add its folder to python_path in [wheatpaste]"
