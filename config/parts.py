"""Sections that belong to another: what would not fit into one, or may stand there any number of times.

A filter with ``auth = main`` takes its options from a chapter of the file::

    [filter:auth]
    use = egg:wheatpaste#auth
    auth = main

    [auth:main]
    public_url = https://wiki.example.org

    [auth:main:oidc:corp]
    issuer = https://id.example.org

Each of these sections becomes a component of its own, declared like any other, but without an app. The one that they
belong to says which there may be, and has two options that name them::

    PARTS = Parts(
        option="auth",
        prefix="auth",
        file="config",
        parts=(
            Part("", Site, required=True),
            Part("session", ".session_options:SessionOptions"),
            Part("oidc:*", OidcOptions, sample="corp"),
            Part("rules", Reader(component=RuleOptions, family=RULES)),
        ),
    )

    @component
    class Auth:
        app: WSGIApp = field(kw_only=False)
        auth: str = option(default="main", doc="Which sections are meant: [auth:NAME] and those that begin so.")
        config: Path | None = option(default=None, doc="The file that holds them, if it is another one.")
        parts: Mapping[str, Any] = field(default=NO_PARTS)

    filter_factory = make_filter_factory(Auth, parts=PARTS)

``Auth`` is made with ``parts={"": Site(…), "oidc:corp": OidcOptions(…)}``: what the file does not have is not in the
mapping. For a mistake in a part, its ``problems(stack)`` yields ``KeyProblem(key, what, fix, part="oidc:corp")``, and
its ``__post_init__`` raises ``OptionError("Auth", key, what, part="oidc:corp")``. A part's own class may have both.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from .chapters import Chapter, find_chapter
from .ini import Section
from .node import TYPES, Values
from .options import OptionError, parsed
from .origin import building
from .problems import Problem, did_you_mean
from .reader import Place, Reader, Reading
from .records import record, replace
from .values import is_import

NO_PARTS: Mapping[str, Any] = MappingProxyType({})
"""The default of a component's ``parts``."""

_WORD = r"[\w.-]+"
_SERVED = frozenset(prefix for each in TYPES.values() for prefix in each.prefixes)


@record
class Part:
    """Sections of one kind that belong to another section.

    ``name`` is what stands behind the head: ``session`` in ``[auth:main:session]``, nothing in ``[auth:main]`` itself;
    of ``oidc:*`` there may be any number, each with a name of its own in place of the star. ``reads`` is the component
    that such a section becomes, or a ``Reader`` where there is more to say of its keys; as text, seen from the module
    of the component that it belongs to (``".sessions:SessionOptions"``), it is imported when there is such a section.
    Where it is ``required`` and missing, nothing starts. ``sample`` stands for the star in samples.
    """

    name: str
    reads: type | Reader | str
    required: bool = False
    sample: str = "main"

    def reader(self, owner: type) -> Reader:
        """How its sections are read, for the component ``owner`` that they belong to."""
        found: Any = self.reads
        if isinstance(found, str):
            module, _, name = found.partition(":")
            found = getattr(importlib.import_module(module, owner.__module__.rpartition(".")[0]), name)
        return found if isinstance(found, Reader) else Reader(component=found)

    def matches(self, name: str) -> bool:
        """Whether a section with this behind the head is one of them."""
        before, star, _ = self.name.partition("*")
        return re.fullmatch(re.escape(before) + _WORD, name) is not None if star else name == self.name

    def header(self, head: str, name: str) -> str:
        """The header of one of them: ``auth:main:oidc:NAME``."""
        return f"{head}:{self.name}".rstrip(":").replace("*", name)


@record
class PartReading:
    """A section that belongs to another, as it was read.

    ``made`` is its component, None where something is wrong. It is ``whole`` unless objects of Python were not
    imported: then it holds their names, and has not looked at itself.
    """

    section: Section
    values: Values
    place: Place
    reader: Reader
    reading: Reading
    made: Any
    whole: bool = True


@record
class Belongings:
    """What belongs to a section: the parts by name, all sections under the head, and what is wrong with them."""

    parts: Mapping[str, PartReading] = MappingProxyType({})
    sections: tuple[Section, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def made(self) -> Mapping[str, Any]:
        """The components of the parts, by name."""
        return MappingProxyType({name: each.made for name, each in self.parts.items() if each.made is not None})

    @property
    def are_whole(self) -> bool:
        """Whether all of them are what the section's own component would be given."""
        return all(each.whole for each in self.parts.values())


@record
class Parts:
    """The sections that may belong to one, and how it names them.

    Their headers begin with ``prefix``, a colon, and the value of its option ``option``; its option ``file`` names the
    file in which they stand, where that is another one.
    """

    option: str
    prefix: str
    parts: tuple[Part, ...]
    file: str

    def read(
        self, owner: Reader, values: Mapping[str, Any], said: Mapping[str, str], place: Place, *, importing: bool
    ) -> Belongings:
        """Read what belongs to the section whose ``values`` were read at ``place``. Raises nothing."""
        if any(name in said and name not in values for name in (self.option, self.file)):
            return Belongings()  # there is something wrong with it, and that was said
        name = values.get(self.option, self._usual(owner))
        if not name:
            return Belongings()
        key = said.get(self.option)
        if not re.fullmatch(_WORD, name):
            what = f"must be one word: main means [{self.prefix}:main]"
            return Belongings(problems=(place.problem(key, what, value=name, code="wrong-value"),))
        head = f"{self.prefix}:{name}"
        paths = self._paths(values, key, place)
        if not paths:
            what = f"there is no file in which [{head}] could stand"
            fix = f"add `{self.file} = …`"
            return Belongings(problems=(place.problem(None, what, fix, code="missing-section"),))
        chapter, problems = find_chapter(head, paths, place, said.get(self.file, key))
        if chapter is None:
            return Belongings(problems=tuple(problems))
        found = dict(self._parts_of(chapter, owner, problems, importing))
        problems += [*chapter.problems, *(each for part in found.values() for each in part.reading.problems)]
        problems += self._lacking(chapter, found, key, place)
        sections = tuple(section for _, section in chapter.sections)
        return Belongings(MappingProxyType(found), sections, tuple(problems))

    def head(self, owner: Reader) -> str:
        """What the headers begin with where a section does not say otherwise: ``auth:main``."""
        return f"{self.prefix}:{self._usual(owner) or 'NAME'}"

    def home_of(self, key: str, owner: Reader, head: str | None = None) -> str | None:
        """The header of the section that has this option, of those that belong to ``owner``; None if none has it."""
        for part in self.parts:
            if key in part.reader(owner.component).spellings():
                return part.header(head or self.head(owner), "NAME")
        return None

    def _usual(self, owner: Reader) -> Any:
        return next(each.default for each in owner.options if each.name == self.option)

    def _paths(self, values: Mapping[str, Any], key: str | None, place: Place) -> list[str]:
        """Where to look: in the file that is served, then in the one in which the sections are named."""
        named = values.get(self.file)
        if named:
            return [str(named)]
        return [each for each in (place.global_conf.get("__file__"), place.origin(key).file) if each]

    def _parts_of(
        self, chapter: Chapter, owner: Reader, problems: list[Problem], importing: bool
    ) -> Iterator[tuple[str, PartReading]]:
        seen: dict[str, Section] = {}
        for name, section in chapter.sections:
            part = next((each for each in self.parts if each.matches(name)), None)
            if part is None:
                problems.append(_of(section, f"[{chapter.head}] has no such section", self._meant(chapter.head, name)))
            elif name in seen:
                first = seen[name]
                what = f"this section stands twice, first as [{first.header}] at line {first.line}"
                problems.append(_of(section, what, "join the two"))
            else:
                seen[name] = section
                part_read = _read(chapter, section, part.reader(owner.component), importing)
                part_read.reading.problems[:] = [
                    self._led_home(each, chapter.head, owner) for each in part_read.reading.problems
                ]
                yield name, part_read

    def _led_home(self, problem: Problem, head: str, owner: Reader) -> Problem:
        """The same; of an option that is none there but in another section, with that section."""
        if problem.code != "unknown-option" or problem.fix.startswith("did you mean") or problem.key is None:
            return problem
        home = self.home_of(problem.key, owner, head)
        return problem if home is None else replace(problem, fix=f"write it into [{home}]")

    def _lacking(
        self, chapter: Chapter, found: Mapping[str, PartReading], key: str | None, place: Place
    ) -> Iterator[Problem]:
        for part in self.parts:
            if part.required and part.name not in found:
                header = part.header(chapter.head, "NAME")
                elsewhere = "" if chapter.file.path == place.origin(key).file else f" in {chapter.file.path}"
                # What has to be served has a prefix of its own: [app:main] is nobody's slip for [auth:main].
                strays = [each for each in chapter.file.sections if each.partition(":")[0].strip() not in _SERVED]
                near = did_you_mean(header, strays)
                fix = near if near.startswith("did you mean") else "add it"
                what = f"there is no section [{header}]{elsewhere}"
                yield place.problem(key, what, fix, code="missing-section")

    def _meant(self, head: str, name: str) -> str:
        several = next((part for part in self.parts if part.name == f"{name}:*"), None)
        if several is not None:
            return f"write [{several.header(head, 'NAME')}], with a name of your choice"
        own = name.rpartition(":")[2]
        known = [part.header(head, own) for part in self.parts if part.name]
        return did_you_mean(f"{head}:{name}", known)


def _read(chapter: Chapter, section: Section, reader: Reader, importing: bool) -> PartReading:
    values = chapter.values(section)
    place = chapter.place(section, values)
    reading = reader.read(values.plain, chapter.texts, place.site, importing=importing)
    if reading.errors:
        return PartReading(section, values, place, reader, reading, None, whole=False)
    if not importing and _imports(reader, values.plain, reading):
        made: Any = parsed(reader.component, reading.values)
        return PartReading(section, values, place, reader, reading, made, whole=False)
    made = None
    token = building.set(place.site)
    try:
        made = reader.component(**reading.values)
    except OptionError as error:
        reading.problems.append(place.refusal(error, reading.said))
    finally:
        building.reset(token)
    return PartReading(section, values, place, reader, reading, made)


def _imports(reader: Reader, texts: Mapping[str, str], reading: Reading) -> bool:
    """Whether an object of Python is due among the values."""
    family = reader.family
    if family is not None and any(family.objects_in(texts)):
        return True
    return any(is_import(each.kind) for each in reader.options if each.name in reading.values)


def _of(section: Section, what: str, fix: str) -> Problem:
    return Problem(
        what=what, fix=fix, file=section.file, line=section.line, section=section.header, code="unknown-section"
    )
