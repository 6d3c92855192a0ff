"""Headers and keys that were most likely meant to be others: ``[pipline:main]``, ``filter_with``, ``us``.

Other tools keep their sections in the same file, and factories take any key. So only what is close to one of ours is
named, and only as a warning; what is missing because of it is an error of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from .ini import DEFAULT, IniFile, Section
from .layers import SECTION
from .mention import Mention, at
from .node import TYPES
from .origin import Origin
from .problems import Problem, nearest

PREFIXES = tuple(prefix for each in TYPES.values() for prefix in each.prefixes)
_FACTORIES = tuple(name for each in TYPES.values() for name in each.protocols)
_DIRECTIVES = ("use", "next", "pipeline", "filter-with", "require", *_FACTORIES)
_ALONE = (DEFAULT, SECTION)

# Close to ours, and somebody else's.
_FOREIGN = frozenset(
    {"logger", "handler", "formatter", "pserve", "serve", "service", "services", "apply", "map", "filters"}
)
_SEPARATED = rf"({'|'.join(map(re.escape, sorted(PREFIXES, key=len, reverse=True)))})\s*[ ./_-]\s*(\S+)"
_CLOSE = 0.8


def misspelt(file: IniFile) -> Iterator[Problem]:
    """Warnings for the headers and keys of a file that look like slips of the pen."""
    for section in file.sections.values():
        if section.prefix in PREFIXES:
            yield from _keys(section)
        elif section.header != SECTION:
            meant = _meant_header(section)
            if meant is not None:
                place = Mention(Origin(section.file, section.line, section.header))
                fix = f"did you mean [{meant}]?"
                yield at(place, "no section of this kind is read", fix, "misspelt-section", "warning")


def _meant_header(section: Section) -> str | None:
    header = section.header
    if section.name is None:
        alone = _near(header.strip(), _ALONE)
        if alone is not None:
            return alone
        separated = re.fullmatch(_SEPARATED, header.strip())
        if separated is not None and _composes(section):
            return f"{separated[1]}:{separated[2]}"
        return _near(header, PREFIXES) if _composes(section) else None
    prefix = section.prefix.strip()
    if prefix in _FOREIGN and not _composes(section):
        return None
    near = prefix if prefix in PREFIXES else _near(prefix, PREFIXES)
    if near is None and _composes(section):
        near = nearest(prefix, PREFIXES)
    return None if near is None else f"{near}:{section.name}"


def _composes(section: Section) -> bool:
    """Whether it has a key that only a section of ours needs."""
    return any(key in section.options for key in ("use", "pipeline", *_FACTORIES))


def _near(word: str, known: tuple[str, ...]) -> str | None:
    """The near name; nearer than a suggestion for a known mistake must be, as here nothing is known to be wrong."""
    from difflib import SequenceMatcher

    if word in known:
        return None
    found = nearest(word, known)
    if found is None:
        return None
    folded = word.casefold().replace("_", "-")
    if folded in (found.casefold(), f"{found.casefold()}s"):
        return found
    return found if SequenceMatcher(None, word.casefold(), found.casefold()).ratio() >= _CLOSE else None


def _keys(section: Section) -> Iterator[Problem]:
    for key, option in section.options.items():
        if key in _DIRECTIVES:
            continue
        if key.startswith("["):
            meant: str | None = f"{key}:{option.text}]"
        else:
            meant = _meant(key)
            if meant is not None:
                meant = _meant_here(meant, section)
        if meant is not None:
            place = Mention(Origin(option.file, option.line, section.header), key)
            what = "this is an ordinary key, and goes to the factory"
            yield at(place, what, f"did you mean {meant!r}?", "misspelt-key", "warning")


def _meant_here(meant: str, section: Section) -> str | None:
    if meant in _FACTORIES or meant == "filter-with":
        return meant
    if meant == "use":
        return None if _composes(section) else meant
    return meant if section.prefix == _TAKEN_BY[meant] else None


_TAKEN_BY = {"pipeline": "pipeline", "next": "filter-app"}


@lru_cache(maxsize=1024)
def _meant(key: str) -> str | None:
    """What a key may be a slip of. A large file has few keys, each a thousand times."""
    lower = key.lower()
    if lower.startswith("paste."):
        return _near(key, _FACTORIES)
    if lower.replace("_", "").replace("-", "").replace(" ", "") in ("filterwith", "filterswith", "withfilter"):
        return "filter-with"
    if lower in ("use", "uses", "us", "ues"):
        return "use"
    if lower in ("pipline", "pipelin", "pipelines", "pipeine", "piepline", "pipeline"):
        return "pipeline"
    if lower in ("next", "nxt", "nex", "next-app", "next_app"):
        return "next"
    return None
