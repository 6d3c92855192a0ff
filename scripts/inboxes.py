"""The inboxes of kept errors that a configuration names, without building anything of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ..config.composition import Composition
    from ..config.node import Node
    from ..config.origin import Origin


class Kept(NamedTuple):
    """Where one section keeps its errors, or shows those that others keep.

    ``file`` is the inbox, None where errors are kept in the memory of the server's process, or not at all
    (``nowhere``); ``path`` is where the server shows them, with debug or the console on.
    """

    section: str
    origin: Origin
    file: Path | None
    nowhere: bool = False
    path: str | None = None


def inboxes_of(composition: Composition) -> list[Kept]:
    """What the sections of errors filters and inbox apps say, in the order in which requests meet them."""
    from ..config.outline import outline

    found: dict[int, Kept] = {}
    for stack in outline(composition).walk():
        for node in (*stack.filters, stack.app):
            if id(node) not in found:
                found.update((id(node), kept) for kept in _kept(node))
    return list(dict.fromkeys(found.values()))


def _kept(node: Node) -> Iterator[Kept]:
    from ..config.outline import reader_of, reading_of
    from ..middleware.errors.catch_errors import CatchErrors
    from ..middleware.errors.inbox.app import ErrorsInbox

    reader, reading = reader_of(node), reading_of(node)
    if reader is None or reading is None or not issubclass(reader.component, CatchErrors | ErrorsInbox):
        return
    # As far as they can be read: what is wrong with them is for check to say.
    values = {option.name: option.default for option in reader.options} | reading.values
    section = node.section or node.name
    where = values["inbox"]
    if issubclass(reader.component, ErrorsInbox):
        if where is not None:
            yield Kept(section, node.where, where)
        return
    file = where if isinstance(where, Path) else None
    yield Kept(section, node.where, file, where == "none", values["path"])
