"""The outline of a site as a tree for the terminal: listener, mounts, filters, apps, each with its place."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..config.node import Node
from ..config.origin import Origin
from ..config.outline import Mounted, Stack, parts_of
from .lettering import shorten
from .places import maker, place
from .plan import arrange
from .terminal import Terminal, one_line

_MOUNT = 48
_MAKER = 44
_CHAIN = 44
"""At most so many columns for the names of filters; ``verbose`` gives each a line instead."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line: the branches before it, the mount, the filters and the app, what makes it, where it stands."""

    branch: str
    mount: str
    filters: tuple[str, ...]
    app: str
    maker: str
    origins: tuple[Origin, ...]
    missing: bool = False
    remark: str = ""
    through: bool = False

    @property
    def name(self) -> str:
        """Branches, mount, filters and app, without colour."""
        mount = f"{self.mount}  " if self.mount else ""
        chain = "".join(f"{each} → " for each in self.filters)
        word = "through " if self.through else ""
        return f"{self.branch}{mount}{word}{chain}{self.app}{' ?' if self.missing else ''}"


def rows(stack: Stack, *, verbose: bool = False) -> Iterator[Row]:
    """The lines of the tree of ``stack``, itself first.

    ``verbose``: each filter has a line of its own, and so have the sections that belong to one.
    """
    yield from _rows(stack, "", "", "", (), "", verbose)


def _rows(
    stack: Stack, branch: str, below: str, mount: str, origins: tuple[Origin, ...], remark: str, verbose: bool
) -> Iterator[Row]:
    app = stack.app
    names = () if verbose else _chain([one_line(each.name) for each in stack.filters])
    places = (*origins, app.where)
    missing = app.shape == "missing"
    yield Row(branch, mount, names, one_line(app.name), one_line(maker(app)), places, missing, remark)
    if verbose:
        bar = "│  " if stack.mounts else "   "
        for each in stack.filters:
            where = each.where if each.where.file else each.mentioned or each.where
            lacks = each.shape == "missing"
            yield Row(below + bar, "", (), one_line(each.name), one_line(maker(each)), (where,), lacks, through=True)
            yield from _parts(each, below + bar)
        yield from _parts(app, below + bar)
    mounts = [mounted for _, group in arrange(stack.mounts) for mounted in group]
    for number, mounted in enumerate(mounts, 1):
        last = number == len(mounts)
        yield from _rows(
            mounted.stack,
            f"{below}{'└─ ' if last else '├─ '}",
            f"{below}{'   ' if last else '│  '}",
            shorten(one_line(place_of(mounted)), _MOUNT),
            (mounted.origin,),
            "guessed" if mounted.guess else "if nothing fits" if mounted.fallback else "",
            verbose,
        )


def _parts(node: Node, branch: str) -> Iterator[Row]:
    """The sections that belong to that of a node."""
    for part in parts_of(node).values():
        yield Row(f"{branch}   ", "", (), f"[{one_line(part.section.header)}]", "", (part.place.origin(None),))


def place_of(mounted: Mounted) -> str:
    """What a mount is called: its path with its host, or its key."""
    return mounted.mount.key if mounted.fallback else mounted.mount.place


def _chain(names: Sequence[str]) -> tuple[str, ...]:
    """The names, or the first of them and how many more, where they would push everything else off the screen."""
    used = 0
    for number, name in enumerate(names):
        used += _columns(name) + 3
        if used > _CHAIN and number:
            left = len(names) - number
            return (*names[:number], f"{left} more")
    return tuple(names)


def print_tree(stack: Stack, listener: Node | None, address: str, terminal: Terminal, *, verbose: bool = False) -> None:
    """Print the tree. ``verbose`` gives each filter a line of its own, with what makes it and where it stands."""
    paint = terminal.paint
    shown = paint(one_line(address), "bold")
    if listener is None:
        terminal.line(f"{shown}  {paint('no [server:…]: the default', 'dim')}")
    else:
        terminal.line(f"{shown}  {paint(one_line(maker(listener)), 'dim')}  {place(listener.where, terminal)}")
    lines = list(rows(stack, verbose=verbose))
    named = max(_columns(row.name) for row in lines)
    made = max(_columns(shorten(row.maker, _MAKER)) for row in lines)
    for row in lines:
        makes = shorten(row.maker, _MAKER)
        name = f"{_styled(row, terminal)}{' ' * (named - _columns(row.name))}"
        remark = f" {paint(f'({row.remark})', 'yellow')}" if row.remark else ""
        written = " ".join(_places(row, terminal))
        terminal.line(f"{name}  {paint(makes, 'dim')}{' ' * (made - _columns(makes))}  {written}{remark}".rstrip())


def _columns(text: str) -> int:
    """How many columns of a terminal the text takes."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def _styled(row: Row, terminal: Terminal) -> str:
    paint = terminal.paint
    mount = f"{paint(row.mount, 'cyan', 'bold')}  " if row.mount else ""
    chain = "".join(f"{paint(each, 'magenta')} {paint('→', 'dim')} " for each in row.filters)
    word = f"{paint('through', 'dim')} " if row.through else ""
    app = paint(row.app, "red" if row.missing else "magenta" if row.through else "green")
    return f"{paint(row.branch, 'dim')}{mount}{word}{chain}{app}{' ' + paint('?', 'red') if row.missing else ''}"


def _places(row: Row, terminal: Terminal) -> Iterator[str]:
    """The mount's place, then the app's; its line alone where the file is the same."""
    before: Origin | None = None
    for origin in row.origins:
        if origin.file is None or origin == before:
            continue
        if before is not None and before.file == origin.file and origin.line:
            yield terminal.paint(f"→ {origin.line}", "blue")
        elif before is not None:
            yield f"{terminal.paint('→', 'blue')} {place(origin, terminal)}"
        else:
            yield place(origin, terminal)
        before = origin
