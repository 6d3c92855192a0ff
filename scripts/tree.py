"""The outline of a site as a tree for the terminal: listener, mounts, filters, apps, each with its place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ..config.node import Node
from ..config.origin import Origin
from ..config.outline import Mounted, Stack
from .places import maker, place
from .terminal import Terminal, printable


class Row(NamedTuple):
    """One line: the branches before it, the mount, the filters and the app, what makes it, where it stands."""

    branch: str
    mount: str
    filters: tuple[str, ...]
    app: str
    maker: str
    origins: tuple[Origin, ...]
    missing: bool = False
    remark: str = ""


def rows(stack: Stack) -> Iterator[Row]:
    """The lines of the tree below ``stack``, itself first."""
    yield _row("", "", stack, ())
    yield from _below(stack, "")


def _below(stack: Stack, indent: str) -> Iterator[Row]:
    for number, mounted in enumerate(stack.mounts, 1):
        last = number == len(stack.mounts)
        remark = "guessed" if mounted.guess else "if nothing fits" if mounted.fallback else ""
        label = place_of(mounted)
        yield _row(f"{indent}{'└─ ' if last else '├─ '}", label, mounted.stack, (mounted.origin,), remark)
        yield from _below(mounted.stack, f"{indent}{'   ' if last else '│  '}")


def place_of(mounted: Mounted) -> str:
    """What a mount is called: its path with its host, or its key."""
    return mounted.mount.key if mounted.fallback else mounted.mount.place


def _row(branch: str, mount: str, stack: Stack, origins: tuple[Origin, ...], remark: str = "") -> Row:
    app = stack.app
    return Row(
        branch,
        mount,
        tuple(each.name for each in stack.filters),
        app.name,
        maker(app),
        (*origins, app.where),
        app.shape == "missing",
        remark,
    )


def print_tree(stack: Stack, listener: Node | None, address: str, terminal: Terminal, *, verbose: bool = False) -> None:
    """Print the tree. ``verbose`` gives each filter a line of its own, with what makes it and where it stands."""
    paint = terminal.paint
    if listener is None:
        terminal.line(f"{paint(address, 'bold')}  {paint('no [server:…]: the default', 'dim')}")
    else:
        made = paint(maker(listener), "dim")
        terminal.line(f"{paint(address, 'bold')}  {made}  {place(listener.where, terminal)}")
    lines = list(rows(stack))
    filters = {id(row): each for row, each in zip(lines, (stack, *_stacks(stack)), strict=True)}
    named = max(len(_name(row, verbose)) for row in lines)
    made_width = min(44, max(len(row.maker) for row in lines))
    for row in lines:
        name = _name(row, verbose)
        padding = " " * (named - len(name))
        styled = _styled(row, terminal, verbose)
        written = " ".join(_places(row, terminal))
        remark = f" {paint(f'({row.remark})', 'yellow')}" if row.remark else ""
        terminal.line(f"{styled}{padding}  {paint(f'{row.maker:<{made_width}}', 'dim')}  {written}{remark}".rstrip())
        if verbose:
            continued = row.branch.replace("├─ ", "│  ").replace("└─ ", "   ")
            for each in filters[id(row)].filters:
                terminal.line(
                    f"{continued}   {paint('through', 'dim')} {each.name}  {paint(maker(each), 'dim')}"
                    f"  {place(each.mentioned or each.where, terminal)}"
                )


def _stacks(stack: Stack) -> Iterator[Stack]:
    for mounted in stack.mounts:
        yield mounted.stack
        yield from _stacks(mounted.stack)


def _name(row: Row, verbose: bool) -> str:
    through = "" if verbose else "".join(f"{each} → " for each in row.filters)
    mount = f"{row.mount}  " if row.mount else ""
    return f"{row.branch}{printable(mount)}{through}{row.app}"


def _styled(row: Row, terminal: Terminal, verbose: bool) -> str:
    paint = terminal.paint
    mount = f"{paint(printable(row.mount), 'cyan', 'bold')}  " if row.mount else ""
    through = "" if verbose else "".join(f"{paint(each, 'magenta')} {paint('→', 'dim')} " for each in row.filters)
    app = paint(row.app, "red") if row.missing else paint(row.app, "green")
    return f"{paint(row.branch, 'dim')}{mount}{through}{app}{' ' + paint('?', 'red') if row.missing else ''}"


def _places(row: Row, terminal: Terminal) -> Iterator[str]:
    """The mount's place, then the app's; its line alone where the file is the same."""
    before: Origin | None = None
    for origin in row.origins:
        if before is not None and origin == before:
            continue
        if before is not None and before.file == origin.file and origin.line:
            yield terminal.paint(f"→ {origin.line}", "blue")
        elif before is not None:
            yield f"{terminal.paint('→', 'blue')} {place(origin, terminal)}"
        else:
            yield place(origin, terminal)
        before = origin
