"""A chapter of an INI file: ``[auth:main]`` and all sections whose headers begin so, for a factory that is not theirs.

paste.deploy gives a factory the keys of its own section alone. With ``__file__``, which it gives too, the factory finds
further sections. Our loader has that file at hand, with all that it extends; under any other it is read again here, and
what comes of it is the same.

Variables and ``[DEFAULT]`` mean what they mean elsewhere. But a section's own key always counts, as no old file relies
on the habit that ``[DEFAULT]`` hides it, and ``set`` and ``get`` mean nothing: a key is a key.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .ini import IniFile, Section
from .mention import Mention
from .node import Value, Values
from .origin import BuildSite, Origin, building
from .problems import Problem, config_error
from .reader import Place, Texts
from .variables import Variables


class Chapter:
    """The sections of ``file`` under ``head``, as ``(what stands behind the head, section)`` in the file's order.

    ``place`` is that of the section which leads here: its global values count here, too. ``problems`` grows while
    values are asked for.
    """

    def __init__(self, head: str, file: IniFile, place: Place, problems: Iterable[Problem] = ()) -> None:
        self.head = head
        self.file = file
        self.sections = _under(head, file)
        self.problems = list(problems)
        site = place.site
        origins: Mapping[str, Origin] = {} if site is None else site.inherited
        given = {
            key: Value(text, how=origins[key].how if key in origins else "code")
            for key, text in place.global_conf.items()
        }
        self._variables = Variables(file, self.problems.append)
        self._variables.inject(given, overwrite=False)
        known = self._variables.defaults()
        self.texts: Texts = {**{key: value.text for key, value in known.items()}, **place.global_conf}
        """The global values, as factories get them."""
        self._origins = {**{key: value.origin for key, value in known.items()}, **origins}
        self._open = None if site is None else site.open

    def values(self, section: Section) -> Values:
        """The values of a section, interpolated; what fails stays as it was written and is among the problems."""
        options = section.options
        value = self._variables.value
        return Values({key: value(each, section.header, "section", options) for key, each in options.items()})

    def place(self, section: Section, values: Values) -> Place:
        """What finds file and line of these values."""
        origin = Origin(section.file, section.line, section.header)
        origins = {key: value.origin for key, value in values.items()}
        return Place(BuildSite(origin, origins, self._origins, self._open), self.texts)


def find_chapter(
    head: str, paths: Iterable[str], place: Place, key: str | None = None
) -> tuple[Chapter | None, list[Problem]]:
    """The chapter in the first of these files that has one, otherwise an empty one of the first; and what is wrong.

    None where no file can be read. ``key`` is the one that names the file, for messages.
    """
    problems: list[Problem] = []
    first: IniFile | None = None
    for path in dict.fromkeys(paths):
        file, wrong = _open(path, place, key)
        problems += wrong
        if file is not None and _under(head, file):
            return Chapter(head, file, place), problems
        first = first or file
        if file is None and not wrong:
            problems.append(place.problem(key, f"{path} cannot be read", code="missing-file"))
    return None if first is None else Chapter(head, first, place), problems


def sections(global_conf: Texts, head: str) -> dict[str, Values]:
    """The sections ``[head]`` and ``[head:…]`` of the configuration for which a factory is being called, as text.

    For factories that declare no ``Parts`` (``parts.py``). A key is what stands behind the head: nothing for ``[head]``
    itself, ``session`` for ``[head:session]``. Raises ``ConfigError`` where they cannot be read.
    """
    place = Place(building.get(), global_conf)
    path = global_conf.get("__file__")
    chapter, problems = find_chapter(head, [path] if path else [], place)
    found = {} if chapter is None else {name: chapter.values(each) for name, each in chapter.sections}
    problems += [] if chapter is None else chapter.problems
    if problems:
        raise config_error(problems)
    return found


def _open(path: str, place: Place, key: str | None) -> tuple[IniFile | None, list[Problem]]:
    mention = Mention(place.origin(key), key)
    if place.site is not None and place.site.open is not None:
        return place.site.open(path, mention)
    from .evaluate import Resolver  # another loader has called, and this reads one file

    return Resolver().open(path, mention)


def _under(head: str, file: IniFile) -> list[tuple[str, Section]]:
    """The sections whose headers are the head, or go on behind it after a colon; blanks around a colon do not count."""
    found = []
    wanted = head.split(":")
    for section in file.sections.values():
        words = [word.strip() for word in section.header.split(":")]
        if words[: len(wanted)] == wanted:
            found.append((":".join(words[len(wanted) :]), section))
    return found
