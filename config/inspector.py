"""Go through the nodes of a composition, into what our composites mount, and find what is wrong with each.

Our own components are asked what they take. Of everybody else's only the source is read, unless ``importing``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from .evaluate import Resolver
from .exposure import Exposure
from .factories import CompositeFactory
from .mention import Mention, at
from .mounts import Mount
from .node import Node, Value, Values
from .options import OptionError, has_rules
from .origin import BuildSite, Origin
from .problems import ConfigError, Problem
from .reader import Reader, Reading
from .records import record
from .references import BadReference, Reference
from .values import is_import, is_reference

if TYPE_CHECKING:
    from .descent import Descent
    from .foreign_code import ForeignCode
    from .parts import Belongings
    from .shadows import Shadowed

_OURS = __package__.partition(".")[0] + "."


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
        self.importing = importing
        self.exposure = Exposure(resolver.report)
        self.mentioned: set[str] = set()
        """Values of foreign sections, which may be names of sections."""
        self._folders = folders
        self._on_file = on_file
        self._descent: Descent | None = None
        self._traits: dict[type, _Traits] = {}
        self._tops: list[tuple[Node, int | None, bool]] = []
        self._read_nodes: dict[Node, tuple[Reader, Reading]] = {}
        self.optional = False
        """Whether what is looked at from now on is never started."""

    def visit(self, root: Node) -> None:
        """Look at ``root`` and all that it leads to."""
        waiting: list[tuple[Node, int | None]] = [(root, None)]
        while waiting:
            top, mounted_by = waiting.pop()
            here = len(self._tops)
            self._tops.append((top, mounted_by, self.optional))
            for node in top.walk():
                if node.shape == "factory" and node.reference is not None:
                    for child in self._factory(node):
                        waiting.append((child, here))
        if self._descent is not None:
            self._descent.enter(root)

    def rules(
        self, public: str | None, server: Mapping[str, str], hidden_proxy: str | None = None
    ) -> Iterator[Problem]:
        """What components know of their sections, where they stand and who can reach them; see ``surroundings``."""
        if any(traits.rules for traits in self._traits.values()):
            from .surroundings import judge, lines_of

            yield from judge(
                lines_of(self._tops),
                self._read_nodes,
                self._key_at,
                public=public,
                server=server,
                hidden_proxy=hidden_proxy,
            )

    def shadowed(self) -> Iterable[Shadowed]:
        """The mounts that no request reaches."""
        return () if self._descent is None else self._descent.shadowed()

    @cached_property
    def _foreign(self) -> ForeignCode:
        from .foreign_code import ForeignCode

        return ForeignCode(self._folders, importing=self.importing, on_file=self._on_file)

    def _descended(self) -> Descent:
        if self._descent is None:
            from .descent import Descent

            self._descent = Descent()
        return self._descent

    # -- one factory --

    def _factory(self, node: Node) -> Iterable[Node]:
        target = node.target
        if target is None:
            raise LookupError(f"{node.name} has no reference")
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
            return self._descended().guessed(node, self.resolver.report)
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
        if mounts:
            yield from self._descended().mounted(node, mounts)

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

    def _judge_objects(self, section: str | None, values: Values, named: Iterable[tuple[str, str]]) -> bool:
        """Whether the objects of Python that keys of ours name are there, as far as can be known."""
        sound = True
        for key, word in named:
            try:
                reference = Reference.parse_module(word)
            except BadReference:
                continue  # its form is looked at with that of all other values
            flaw = self._foreign.flaw_of(reference, values[key].origin.file) if reference.object else None
            if flaw is not None:
                sound = False
                self._report_value(section, key, values[key], f"{word}: {flaw.what}", flaw.fix, flaw.code)
        return sound

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
        for each in self._foreign.flaws_of_factory(node, target):
            if each.key is None:
                self._report(node, each.what, each.fix, each.code)
            else:
                self._report_value(node.section, each.key, node.values[each.key], each.what, each.fix, each.code)

    # -- reporting --

    def _report(self, node: Node, what: str, fix: str, code: str, where: Origin | None = None) -> None:
        place = where or node.reference_origin or node.where
        origin = Origin(place.file, place.line, place.section or node.section)
        self.resolver.report(at(Mention(origin, self._key_at(place)), what, fix, code))

    def _report_value(self, section: str | None, key: str, value: Value, what: str, fix: str, code: str) -> None:
        place = value.origin
        origin = Origin(place.file, place.line, place.section or section)
        self.resolver.report(at(Mention(origin, key), what, fix, code))

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
        named += family.objects_in({key: value.text for key, value in values.items()})
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


def _texts(values: Values) -> dict[str, str]:
    return {key: value.text for key, value in values.items()}


def _spelling(reader: Reader, name: str, values: Mapping[str, Any]) -> str:
    """The key by which a section gave an option that has an old spelling, too."""
    return next((old for old, new in reader.names.items() if new == name and old in values), name)
