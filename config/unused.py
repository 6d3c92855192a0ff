"""Sections that nothing leads to."""

from __future__ import annotations

from collections.abc import Iterator, Set

from .ini import IniFile, Section
from .mention import Mention, at
from .node import TYPES, Kind
from .origin import Origin
from .problems import Problem

HIDING = frozenset(
    """
    ambiguous-entry-point ambiguous-section bad-reference bad-setting duplicate-section empty-pipeline guessed-name
    loop missing-distribution missing-entry-point missing-file missing-key missing-section misspelt-key misspelt-section
    no-factory not-a-file not-text not-utf-8 relative-path several-protocols too-deep too-large unknown-scheme
    unreadable-file
    """.split()  # noqa: SIM905  one word after the other is easier to read and to edit
)
"""Codes of problems behind which a mention may be hidden: nobody can tell then what is unused."""

CHAPTERS = {"auth": "egg:wheatpaste#auth"}
"""The prefixes of sections that belong to sections of ours, and what takes them (``parts.py``)."""

_KINDS: dict[str, Kind] = {prefix: kind for kind, each in TYPES.items() for prefix in each.prefixes}
_ENTRIES = ("composite", "composit", "pipeline")


def kind_of(section: Section) -> Kind | None:
    """What a section makes, by its header; None for everybody else's sections."""
    return _KINDS.get(section.prefix)


def entries(file: IniFile) -> list[tuple[Kind, Section]]:
    """The sections that may be served although nothing mentions them: servers, pipelines, composites, and ``main``.

    Where there is no ``main``, all: others take such a file apart with ``config:file.ini#name``.
    """
    parts = [(kind, section) for section in file.sections.values() if (kind := kind_of(section)) is not None]
    if not any(kind == "app" and section.name in (None, "main") for kind, section in parts):
        return parts
    return [
        (kind, section)
        for kind, section in parts
        if kind == "server" or section.prefix in _ENTRIES or (kind == "app" and section.name in (None, "main"))
    ]


def is_used(section: Section, used: Set[tuple[str, str]]) -> bool:
    """Whether one of the places of the section is among those that something referred to."""
    return not used.isdisjoint([(path, section.header) for path, _ in section.parts])


def unused(file: IniFile, used: Set[tuple[str, str]], mentioned: Set[str]) -> list[Section]:
    """The apps and filters written in this very file that nothing refers to.

    ``mentioned``: values of other people's sections. One that is exactly the name of a section may refer to it.
    """
    return [
        section
        for section in file.sections.values()
        if section.file == file.path
        and kind_of(section) in ("app", "filter")
        and section.name not in mentioned
        and not is_used(section, used)
    ]


def idle_chapters(file: IniFile, used: Set[tuple[str, str]]) -> Iterator[Problem]:
    """Warnings about sections that would belong to one of ours, in a file that serves apps, and belong to none."""
    if any(kind_of(each) == "app" for each in file.sections.values()):
        for section in file.sections.values():
            user = CHAPTERS.get(section.prefix)
            if user is not None and section.file == file.path and not is_used(section, used):
                fix = f"name it in one with use = {user}, or remove it"
                yield _warning(section, "no section that is served takes this one", fix)


def complaint(section: Section) -> Problem:
    """The warning about an unused section."""
    kind = kind_of(section)
    way = f"mention it in a pipeline or with filter-with = {section.name}" if kind == "filter" else "mount it"
    return _warning(section, "nothing leads to this section", f"{way}, or remove it")


def _warning(section: Section, what: str, fix: str) -> Problem:
    mention = Mention(Origin(section.file, section.line, section.header))
    return at(mention, what, fix, "unused-section", "warning")
