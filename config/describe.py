"""What is installed that an INI file can name: apps, composites, filters and servers, and what each takes.

Ours are described by their declarations. Those of other distributions are read from their source: nothing of theirs is
imported. The old names of Paste that mean ours are listed too, whether or not Paste is installed.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from .problems import nearest
from .reader import Reader
from .samples import sample_choices, sample_lines, sample_mounts
from .signatures import read_signature
from .sources import Sources
from .spelling import PREFIXES
from .values import name_of, to_text

Kind = Literal["app", "composite", "filter", "server"]

KINDS: tuple[Kind, ...] = ("app", "composite", "filter", "server")

# Group → kind, and how many arguments a factory gets before the keys of its section.
PROTOCOLS: dict[str, tuple[Kind, int]] = {
    "paste.app_factory": ("app", 1),
    "paste.composite_factory": ("composite", 2),
    "paste.composit_factory": ("composite", 2),
    "paste.filter_factory": ("filter", 1),
    "paste.filter_app_factory": ("filter", 2),
    "paste.server_factory": ("server", 1),
    "paste.server_runner": ("server", 2),
}

OURS = "wheatpaste"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key that a section may hold.

    ``kind`` is what its text must be, ``default`` its text (None where it is unknown or there is none). ``also`` are
    other spellings. ``ignored`` says why an old key does nothing; ``translated`` is true of a key that says something
    about options of other names.
    """

    name: str
    kind: str = ""
    default: str | None = None
    required: bool = False
    doc: str = ""
    secret: bool = False
    inherits: bool = False
    also: tuple[str, ...] = ()
    ignored: str = ""
    translated: bool = False

    def as_data(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return {
            "name": self.name,
            "type": self.kind,
            "default": self.default,
            "required": self.required,
            "secret": self.secret,
            "inherits": self.inherits,
            "also": list(self.also),
            "ignored": self.ignored,
            "translated": self.translated,
            "doc": self.doc,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribedPart:
    """Sections of one kind that belong to those of a component.

    ``header`` is ``auth:main:oidc:NAME``, where the words in capitals are the deployer's to choose; ``sample`` is such
    a section with what it needs, and empty where that is only a part of what must stand there.
    """

    header: str
    doc: str
    keys: tuple[Key, ...]
    required: bool
    sample: str
    reader: Reader = field(repr=False)

    def as_data(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return {
            "header": self.header,
            "doc": self.doc,
            "required": self.required,
            "options": [key.as_data() for key in self.keys],
            "sample": self.sample,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """One component that an INI file can name.

    ``use`` is how a section names it, ``target`` the ``module:attribute`` that answers. ``stands_for`` is set where an
    old name means one of ours: how a new section would name it. ``any_key`` is true where other keys are accepted too,
    as options or as mounts. ``mounts`` are lines of the sample. ``parts`` are the sections that may belong to its own.
    ``note`` says what could not be found out. ``component`` is the class, of ours only.
    """

    kind: Kind
    name: str
    distribution: str
    protocol: str
    target: str
    doc: str = ""
    keys: tuple[Key, ...] = ()
    any_key: bool = False
    stands_for: str = ""
    note: str = ""
    mounts: tuple[str, ...] = ()
    parts: tuple[DescribedPart, ...] = ()
    component: type | None = field(default=None, repr=False)
    reader: Reader | None = field(default=None, repr=False)

    @property
    def use(self) -> str:
        """``egg:wheatpaste#static``."""
        return f"egg:{self.distribution}#{self.name}"

    @property
    def ours(self) -> bool:
        """Whether this is ours under its own name."""
        return self.distribution == OURS

    @property
    def summary(self) -> str:
        """The first sentence of its description, on one line."""
        return first_sentence(self.doc)

    @property
    def sample(self) -> str:
        """A section that loads, with those that it needs."""
        lines = [f"[{self.kind}:{self.name}]", f"use = {self.use}"]
        if self.reader is None:
            lines += [f"{key.name} = {key.name.upper()}" for key in self.keys if key.required]
        else:
            lines += sample_lines(self.reader)
        return "\n\n".join(["\n".join(lines), *(part.sample for part in self.parts if part.required and part.sample)])

    def as_data(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return {
            "kind": self.kind,
            "name": self.name,
            "distribution": self.distribution,
            "use": self.use,
            "protocol": self.protocol,
            "target": self.target,
            "stands_for": self.stands_for,
            "doc": self.doc,
            "options": [key.as_data() for key in self.keys],
            "any_key": self.any_key,
            "parts": [part.as_data() for part in self.parts],
            "sample": self.sample,
            "note": self.note,
        }


def catalogue() -> list[Described]:
    """Everything that is installed: ours first, then old names that mean ours, then other distributions by name."""
    from .aliases import ALIASES, DISTRIBUTIONS
    from .references import installed, normalise

    def order(each: Described) -> tuple[int, str, bool, str]:
        return KINDS.index(each.kind), each.distribution.lower(), each.name != "main", each.name

    sources = Sources()
    ours: list[Described] = []
    others: list[Described] = []
    for distribution in installed():
        shown = normalise(distribution.name)
        for entry in distribution.entry_points(PROTOCOLS):
            if shown == OURS:
                ours.append(declared(entry.group, entry.name, OURS, entry.value))
            elif entry.name not in ALIASES.get(shown, {}):
                others.append(_foreign(entry.group, entry.name, distribution.name, entry.value, sources))
    ours.sort(key=order)
    for old, names in ALIASES.items():
        for name, (group, value) in names.items():
            others.append(declared(group, name, DISTRIBUTIONS[old], value, _stands_for(ours, value)))

    return [*ours, *sorted(others, key=order)]


def look_up(text: str, known: list[Described]) -> list[Described]:
    """What ``text`` names: a component, ``egg:Distribution#name``, a distribution, or a kind such as ``filters``.

    A bare name that one of ours has means ours. Empty where nothing is called so.
    """
    from .references import normalise

    word = text.strip()
    kind = word.lower().removesuffix("s")
    if kind in KINDS:
        return [each for each in known if each.kind == kind]
    scheme, colon, rest = word.partition(":")
    if colon and scheme.lower() == "egg":
        distribution, fragment, name = rest.partition("#")
        owned = [each for each in known if normalise(each.distribution) == normalise(distribution.strip())]
        wanted = name.strip() if fragment else "main"
        found = [each for each in owned if each.name == wanted]
        return found if found or fragment else owned
    named = [each for each in known if each.name == word]
    found = [each for each in named if each.ours] or named
    return found or [each for each in known if normalise(each.distribution) == normalise(word)]


def suggestion(text: str, known: list[Described]) -> str:
    """What was most likely meant by a name that is not known; a phrase, or empty."""
    from .aliases import advice
    from .references import normalise

    word = text.strip()
    scheme, colon, rest = word.partition(":")
    names = {each.name for each in known} | {each.distribution for each in known} | {f"{kind}s" for kind in KINDS}
    if colon and scheme.lower() == "egg":
        distribution, _, name = rest.partition("#")
        told = advice(normalise(distribution), name)
        if told is not None:
            return told
        names = {each.use for each in known}
    near = nearest(word, sorted(names))
    return f"did you mean {near!r}?" if near else ""


def _stands_for(ours: list[Described], value: str) -> str:
    """How a new section names what an old name means: the component of ours from the same module."""
    module = value.partition(":")[0]
    return next((each.use for each in ours if each.target.partition(":")[0] == module), "")


def declared(group: str, name: str, distribution: str, value: str, stands_for: str = "") -> Described:
    """One of ours, by the group, the name and the value of its entry point. Importing it runs no code but our own."""
    from .references import Reference

    kind, _ = PROTOCOLS[group]
    try:
        factory: Any = Reference.parse_module(value).load()
    except (ImportError, AttributeError) as error:
        return Described(
            kind=kind,
            name=name,
            distribution=distribution,
            protocol=group,
            target=value,
            stands_for=stands_for,
            note=f"It cannot be imported: {error}.",
        )
    reader: Reader = factory.reader
    return Described(
        kind=kind,
        name=name,
        distribution=distribution,
        protocol=group,
        target=value,
        doc=inspect.cleandoc(reader.component.__doc__ or ""),
        keys=tuple(_keys(reader)),
        any_key=reader.extra or reader.mounts is not None,
        stands_for=stands_for,
        mounts=sample_mounts(reader),
        parts=tuple(described_parts(reader)),
        component=reader.component,
        reader=reader,
    )


def described_parts(reader: Reader) -> Iterator[DescribedPart]:
    """The sections that may belong to one that is read so."""
    if reader.parts is None:
        return
    head = reader.parts.head(reader)
    shared = reader.parts.prefix in PREFIXES
    for part in reader.parts.parts:
        read = part.reader(reader.component)
        header = part.header(head, part.sample)
        yield DescribedPart(
            header=part.header(head, "NAME"),
            doc=inspect.cleandoc(read.component.__doc__ or ""),
            keys=tuple(_keys(read)),
            required=part.required,
            # A section of an app holds more than what belongs to another.
            sample="" if shared else "\n".join([f"[{header}]", *(list(sample_lines(read)) or sample_choices(read))]),
            reader=read,
        )


def _keys(reader: Reader) -> Iterator[Key]:
    for option in reader.options:
        if option.name in reader.translations:
            continue  # a section means something else by this name
        old = tuple(spelling for spelling, now in reader.names.items() if now == option.name)
        replaced = option.name in reader.defaults
        required = option.required and not replaced
        default = reader.defaults[option.name] if replaced else option.default
        if option.secret:
            old = (*old, f"{option.name}_file", f"{option.name}_env")
        yield Key(
            name=option.name,
            kind=name_of(option.kind),
            default=None if required else "" if option.secret else to_text(default, option.kind),
            required=required,
            doc=option.doc,
            secret=option.secret,
            inherits=option.inherits,
            also=old,
        )
    if reader.family is not None:
        yield Key(name=reader.family.key, kind=reader.family.kind, doc=reader.family.doc)
    for key, translation in reader.translations.items():
        yield Key(name=key, kind=name_of(translation.kind), doc=translation.doc, translated=True)
    for key, why in reader.ignored.items():
        yield Key(name=key, ignored=why)


def _foreign(group: str, name: str, distribution: str, value: str, sources: Sources) -> Described:
    """One of another distribution, read from its source."""
    from .aliases import RETIRED
    from .references import BadReference, Reference, normalise

    kind, given = PROTOCOLS[group]
    try:
        target = Reference.parse_module(value)
        found = read_signature(sources, target.module, target.object)
    except BadReference:
        found = None
    if found is None:
        note = "Its source does not tell what it takes."
        return Described(kind=kind, name=name, distribution=distribution, protocol=group, target=value, note=note)
    retired = RETIRED.get(normalise(distribution), {}).get(name)
    note = f"It does not work on Python 3: {retired}." if retired is not None else ""
    keys = tuple(
        Key(name=each.name, default=_plain(each.default), required=each.default is None)
        for each in found.parameters[given:]
    )
    return Described(
        kind=kind,
        name=name,
        distribution=distribution,
        protocol=group,
        target=value,
        doc=inspect.cleandoc(found.doc),
        note=note,
        keys=keys,
        any_key=bool(found.rest),
    )


def _plain(source: str | None) -> str | None:
    """A default as an INI file would write it: without quotes, ``None`` as nothing."""
    import ast

    if source is None or source == "None":
        return source and ""
    try:
        value = ast.literal_eval(source)
    except (ValueError, SyntaxError):
        return source
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else source


def first_sentence(text: str) -> str:
    """The first sentence of a docstring, on one line."""
    paragraph = " ".join(text.strip().split("\n\n")[0].split())
    end = paragraph.find(". ")
    return paragraph if end < 0 else paragraph[: end + 1]
