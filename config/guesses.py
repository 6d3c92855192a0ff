"""What the composites of others may mount: values that look like names of sections, found without running code."""

from __future__ import annotations

from collections.abc import Iterator

from .mention import Mention, at
from .node import TYPES, Kind, Node, Value
from .origin import Origin
from .problems import Problem, did_you_mean, nearest
from .references import is_uri
from .scope import Scope

_MOST_WORDS = 200
_NAMEABLE = tuple(prefix for kind in ("app", "filter") for prefix in TYPES[kind].prefixes)


def guesses(node: Node) -> Iterator[tuple[str, Origin, Kind] | Problem]:
    """The names and URIs among the values of a composite, each with its place and kind.

    Where a word seems to be meant as a name, and no section has it, there is a warning instead.
    """
    scopes = [each for each in (node.home, *node.fallbacks) if isinstance(each, Scope) and each.file is not None]
    for key, value in node.values.items():
        words = _words(value)
        if not words or len(words) > _MOST_WORDS:
            continue
        kinds = [_kinds(word, scopes) for word, _ in words]
        named = sum(bool(each) for each in kinds)
        mounted = key[:1] == "/"
        if not named and not mounted:
            continue
        for index, ((word, line), found) in enumerate(zip(words, kinds, strict=True)):
            origin = Origin(value.origin.file, line, value.section)
            if found:
                yield word, origin, found[0] if len(found) == 1 else "app" if index == len(words) - 1 else "filter"
            elif is_uri(word) and word.partition(":")[0] in ("config", "egg", "call"):
                yield word, origin, "app"
            elif named * 2 >= len(words) or (len(words) == 1 and mounted):
                yield from _doubt(node, key, word, origin, scopes, certain=mounted and len(words) == 1)


def _doubt(node: Node, key: str, word: str, origin: Origin, scopes: list[Scope], *, certain: bool) -> Iterator[Problem]:
    names = [name for each in scopes if each.file is not None for name in each.file.names(_NAMEABLE)]
    if certain or nearest(word, names) is not None:
        mention = Mention(Origin(origin.file, origin.line, origin.section or node.section), key)
        what = f"{word!r} seems to be the name of a section, and there is none"
        yield at(mention, what, did_you_mean(word, names), "guessed-name", "warning")


def _words(value: Value) -> list[tuple[str, int | None]]:
    option = value.option
    if option is None:
        return [(word, None) for word in value.text.split()]
    if "%" in option.text:
        return [(word, option.line) for word in value.text.split()]
    return list(option.words())


def _kinds(word: str, scopes: list[Scope]) -> list[Kind]:
    """The kinds of sections that have this name where it is looked for first."""
    for scope in scopes:
        found: list[Kind] = [kind for kind in ("app", "filter") if scope.matching(kind, word)]
        if found:
            return found
    return []
