"""From composites into what they mount, and the mounts that no request ever reaches."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator

from .guesses import guesses
from .mounts import Mount
from .node import Kind, Node
from .origin import Origin
from .problems import Problem
from .references import is_uri
from .scope import Scope
from .shadows import Branch, Maps, Shadowed

_OURS = __package__.partition(".")[0] + "."
_MOST_VARIANTS = 8
"""How often one section is looked at with different global values; nested ``set`` could make millions of them."""


class Descent:
    """Evaluates what composites mount, each section once with the same global values."""

    def __init__(self) -> None:
        self._maps = Maps()
        self._variants: dict[Hashable, set[Hashable]] = {}
        self._below: dict[Hashable, Hashable | None] = {}

    def enter(self, root: Node) -> None:
        """Note that requests come in at a node."""
        entrance = _map_at(root)
        if entrance is not None:
            self._maps.roots.append(entrance)

    def mounted(self, node: Node, mounts: Iterable[Mount]) -> Iterator[Node]:
        """What a composite of ours mounts, as far as it was not looked at before."""
        here = _place_of(node)
        branches: list[Branch] | None = None
        if here not in self._maps.branches:
            branches = self._maps.branches[here] = []
            self._maps.sections[here] = node.section or node.name
        around = _surroundings(node)
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

    def guessed(self, node: Node, report: Callable[[Problem], object]) -> Iterator[Node]:
        """What look like names of sections among the values of a composite that is not ours."""
        around = _surroundings(node)
        for each in guesses(node):
            if isinstance(each, Problem):
                report(each)
                continue
            word, origin, kind = each
            child = self._child(node, word, origin, kind, around)
            if child is not None:
                yield child

    def shadowed(self) -> Iterator[Shadowed]:
        """The mounts that no request reaches."""
        return self._maps.shadowed()

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
        self._below.setdefault(what, _map_at(child))
        return child


def _surroundings(node: Node) -> tuple[Hashable, Hashable]:
    """Where a composite looks names up, and the global values that it hands on."""
    scopes = [each for each in (node.home, *node.fallbacks) if isinstance(each, Scope)]
    files = tuple((each.filename, each.egg) for each in scopes)
    return files, frozenset((key, value.text) for key, value in node.globals.items())


def _map_at(node: Node) -> Hashable | None:
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
    target = node.target
    if node.shape != "factory" or target is None:
        return False
    return target.module.startswith(_OURS) and not target.module.endswith(".prefix")


def _place_of(node: Node) -> Hashable:
    return (node.where.file, node.where.line, node.where.section)
