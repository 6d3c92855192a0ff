"""Objects of Python that a configuration names and that are not ours: whether they are there, and can be called so.

Only their source is read, unless ``importing``. Each question is answered once.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import TYPE_CHECKING

from . import aliases
from .calls import Mismatch, mismatches
from .problems import did_you_mean, nearest
from .references import Reference, normalise
from .sources import Flaw, Found, Sources

if TYPE_CHECKING:
    from .node import Node


class ForeignCode:
    """What can be known of a deployer's code.

    ``folders`` are looked in before everything that is installed; ``on_file`` is told the files that are read.
    """

    def __init__(self, folders: Iterable[str], *, importing: bool, on_file: Callable[[str], object] | None) -> None:
        self._importing = importing
        self._sources = Sources(list(folders), on_file)
        self._found: dict[tuple[str, str], Found | Flaw | None] = {}
        self._judged: dict[Hashable, tuple[Flaw | None, list[Mismatch]]] = {}

    def flaw_of(self, reference: Reference, file: str | None) -> Mismatch | None:
        """Why there is no such object, or None where there is one, and where that is in doubt. ``file`` names it."""
        if self._importing:
            from .imports import imported

            found = imported(reference)
            return found if isinstance(found, Mismatch) else None
        flaw = self._look_up(reference)
        return Mismatch(flaw.what, _instead(flaw, file), flaw.code) if isinstance(flaw, Flaw) else None

    def flaws_of_factory(self, node: Node, target: Reference) -> Iterator[Mismatch]:
        """What is wrong with the factory of a node, and with the keys that it is called with."""
        entry = node.entry_point
        if entry is not None:
            instead = aliases.RETIRED.get(normalise(entry.distribution), {}).get(entry.name)
            if instead is not None:
                yield Mismatch(f"{node.reference}: it does not work on Python 3", instead, "retired")
                return
        flaw: Flaw | None = None
        wrong: Iterable[Mismatch]
        if self._importing:
            from .imports import import_flaws

            wrong = import_flaws(node, target, list(node.values))
        else:
            call = (target.module, target.object, node.protocol, frozenset(node.values))
            if call not in self._judged:
                self._judged[call] = self._judge(node, target)
            flaw, wrong = self._judged[call]
        if flaw is not None:
            yield Mismatch(f"{node.reference}: {flaw.what}", _advice(node, flaw), flaw.code)
        for each in wrong:
            # Whose factory it is, where the section does not say so.
            is_named = entry is not None and each.key is None
            yield Mismatch(f"{node.reference}: {each.what}", each.fix, each.code) if is_named else each

    def _judge(self, node: Node, target: Reference) -> tuple[Flaw | None, list[Mismatch]]:
        found = self._look_up(target)
        if isinstance(found, Flaw):
            return found, []
        if found is None or node.protocol is None:
            return None, []
        reference = f"{target.module}:{target.object}"
        return None, list(mismatches(found.node, reference, node.protocol, node.values))

    def _look_up(self, target: Reference) -> Found | Flaw | None:
        key = (target.module, target.object)
        if key not in self._found:
            self._found[key] = self._sources.look_up(*key)
        return self._found[key]


def _advice(node: Node, flaw: Flaw) -> str:
    if node.entry_point is not None:
        return f"reinstall {node.entry_point.distribution}, or name another"
    return _instead(flaw, (node.reference_origin or node.where).file)


def _instead(flaw: Flaw, file: str | None) -> str:
    if flaw.code == "missing-name":
        return did_you_mean(flaw.word, flaw.near) or "it defines nothing"
    if flaw.code == "broken-module":
        return "correct it first"
    if flaw.is_top and file is not None and _lies_beside(file, flaw.word):
        return "it lies beside this file: write python_path = %(here)s in [wheatpaste], or start in that folder"
    near = nearest(flaw.word, flaw.near)
    if near is not None:
        return f"did you mean {near!r}?"
    return "install what has it, or add its folder to python_path in [wheatpaste]"


def _lies_beside(file: str, module: str) -> bool:
    beside = os.path.join(os.path.dirname(file), module)
    return os.path.isfile(f"{beside}.py") or os.path.isfile(os.path.join(beside, "__init__.py"))
