"""What ``egg:Distribution#name`` means, and what to write where it means nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import aliases
from .mention import Mention, a_kind, at
from .node import TYPES, Kind
from .problems import Problem, did_you_mean, nearest
from .references import Distribution, EntryPoint, Reference, normalise

if TYPE_CHECKING:
    from .evaluate import Resolver


def find_entry_point(kind: Kind, reference: Reference, mention: Mention, resolver: Resolver) -> EntryPoint | None:
    """What an ``egg:`` reference means, ours before what an old name had; None, with a problem, if nothing."""
    name = reference.entry or "main"
    title = reference.distribution
    groups = TYPES[kind].egg_protocols
    settings = resolver.settings
    if settings is None or settings.aliases:
        old = aliases.alias(normalise(title), name)
        if old is not None and any(old[0] in group for group in groups):
            return EntryPoint(title, old[0], name, old[1], alias=True)
    distribution = resolver.distribution(title)
    if distribution is None:
        fix = aliases.advice(normalise(title), name) or _instead(kind, title, name, resolver)
        what = f"{reference.text}: there is no distribution {title!r} installed"
        if any(sign in title for sign in "=<>~!"):
            fix = "write the name alone: versions are not understood here"
        resolver.report(at(mention, what, fix, "missing-distribution"))
        return None
    found: list[EntryPoint] = []
    for group in groups:
        for protocol in group:
            entry = distribution.entry_point(protocol, name)
            if entry is not None:
                found.append(entry)
                break
    if len(found) == 1:
        return found[0]
    if found:
        what = f"{reference.text}: {title} has several of this name: {', '.join(each.group for each in found)}"
        resolver.report(at(mention, what, "name another one", "ambiguous-entry-point"))
        return None
    resolver.report(_no_entry_point(kind, reference, distribution, name, mention))
    return None


def _instead(kind: Kind, title: str, name: str, resolver: Resolver) -> str:
    """What to write or install where a distribution is missing. A name that is misspelt had better not be installed."""
    protocols = TYPES[kind].protocols
    old = aliases.ALIASES.get(normalise(title))
    if old is not None:
        near = nearest(name, [each for each, (group, _) in old.items() if group in protocols])
        if near is not None:
            return f"did you mean {title}#{near}?"
        return f"install it (pip install {title})"
    near = nearest(title, [*resolver.wired_distributions(), *aliases.DISTRIBUTIONS.values()])
    if near is not None:
        return f"did you mean {near!r}? or install it (pip install {title})"
    return f"install it (pip install {title})"


def _no_entry_point(
    kind: Kind, reference: Reference, distribution: Distribution, name: str, mention: Mention
) -> Problem:
    fix = aliases.advice(normalise(reference.distribution), name)
    if fix is None:
        for other, each in TYPES.items():
            if other != kind and any(distribution.entry_point(group, name) for group in each.protocols):
                fix = f"there is {a_kind(other)} of this name, and this must be {a_kind(kind)}"
    if fix is None:
        names = [entry.name for entry in distribution.entry_points(TYPES[kind].protocols)]
        fix = did_you_mean(name, names) or f"it has no {kind} at all"
    what = f"{reference.text}: {reference.distribution} has no {kind} named {name!r}"
    return at(mention, what, fix, "missing-entry-point")
