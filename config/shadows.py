"""Mounts that no request ever reaches, because a map further out has taken all of theirs.

A map at ``/`` that mounts ``/wiki`` inside another map that mounts ``/wiki`` too: the outer one takes it first.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import NamedTuple

from .mounts import Mount
from .origin import Origin
from .records import record

_MOST_STEPS = 20_000


class Branch(NamedTuple):
    """A mount, where it is written, and the map that it leads to (None if it leads to none)."""

    mount: Mount
    origin: Origin
    to: Hashable | None


@record
class Shadowed:
    """A mount that is never reached, and the mount that takes its requests."""

    section: str
    branch: Branch
    by: Branch
    by_section: str


class Maps:
    """The maps of a composition and how they lead to each other. ``roots`` are entered from outside."""

    def __init__(self) -> None:
        self.branches: dict[Hashable, list[Branch]] = {}
        self.sections: dict[Hashable, str] = {}
        self.roots: list[Hashable] = []

    def shadowed(self) -> Iterator[Shadowed]:
        """The mounts that are shadowed on every way that leads to them."""
        taken: dict[int, Shadowed] = {}
        free: set[int] = set()
        seen: dict[int, Branch] = {}
        steps = 0
        # (map, the mounts further out that take paths below this map: their path here, and who they are)
        waiting: list[tuple[Hashable, tuple[tuple[str, Branch, str], ...], tuple[Hashable, ...]]] = [
            (root, (), ()) for root in self.roots
        ]
        while waiting and steps < _MOST_STEPS:
            here, outer, above = waiting.pop()
            steps += 1
            branches = self.branches.get(here, ())
            siblings: dict[str, list[tuple[str, Branch]]] = {}
            for branch in branches:
                if branch.mount.path is not None:
                    siblings.setdefault(branch.mount.host, []).append((branch.mount.path, branch))
            for each in siblings.values():
                each.sort(key=_path)
            for branch in branches:
                path = branch.mount.path
                seen[id(branch)] = branch
                hiding = next((each for each in outer if path is not None and _within(path, each[0])), None)
                if hiding is None:
                    free.add(id(branch))
                else:
                    taken[id(branch)] = Shadowed(self.sections[here], branch, hiding[1], hiding[2])
                if branch.to is None or branch.to in above or hiding is not None:
                    continue
                waiting.append((branch.to, self._below(here, branch, siblings, outer), (*above, here)))
        if steps < _MOST_STEPS:
            for key, found in taken.items():
                if key not in free:
                    yield found

    def _below(
        self,
        here: Hashable,
        branch: Branch,
        siblings: dict[str, list[tuple[str, Branch]]],
        outer: tuple[tuple[str, Branch, str], ...],
    ) -> tuple[tuple[str, Branch, str], ...]:
        path = branch.mount.path
        if path is None:
            return outer  # a cascade asks each of its apps with the path as it came
        from bisect import bisect_left  # an extension module, for maps inside maps

        kept = [(each[len(path) :], who, where) for each, who, where in outer if each.startswith(path + "/")]
        beside = siblings[branch.mount.host]
        for index in range(bisect_left(beside, path + "/", key=_path), len(beside)):
            taken, other = beside[index]
            if not taken.startswith(path + "/"):
                break
            kept.append((taken[len(path) :], other, self.sections[here]))
        return tuple(kept)


def _path(sibling: tuple[str, Branch]) -> str:
    return sibling[0]


def _within(path: str, prefix: str) -> bool:
    return path == prefix or path.startswith(prefix + "/")
