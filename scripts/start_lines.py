"""What ``serve`` says when requests can come: what is mounted where, and which URL to open."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from .terminal import Terminal, short_path

if TYPE_CHECKING:
    from ..config.composition import Composition
    from ..config.node import Node

_MOST = 12


def print_start(
    terminal: Terminal, what: str, urls: Sequence[str], mounts: Sequence[tuple[str, str]], notes: Sequence[str] = ()
) -> None:
    """Print the URLs, the mounts (a place and what is there), and notes."""
    from .. import __version__

    paint = terminal.paint
    count = f", {len(mounts)} apps" if len(mounts) > 1 else ""
    terminal.line(f"{paint('wheatpaste', 'bold')} {__version__} serves {short_path(what)}{count}, pid {os.getpid()}")
    for url in urls:
        terminal.line(f"  {paint(url, 'cyan', 'bold')}")
    if len(mounts) > 1:
        shown = mounts if len(mounts) <= _MOST else mounts[: _MOST - 1]
        width = max(len(place) for place, _ in shown)
        for place, name in shown:
            terminal.line(f"    {place:<{width}}  {paint(name, 'dim')}")
        if len(shown) < len(mounts):
            terminal.line(f"    … and {len(mounts) - len(shown)} more: wheatpaste show {short_path(what)}")
    for note in notes:
        terminal.line(f"  {paint(note, 'yellow')}")


def mounts_of(composition: Composition) -> list[tuple[str, str]]:
    """Each place where an app answers, with the app's name, as far as that is known without building anything."""
    return list(_walk(composition.root, ""))


def _walk(node: Node, prefix: str) -> Iterator[tuple[str, str]]:
    while node.app is not None:
        node = node.app
    factory: Any = _own_factory(node)
    reader = None if factory is None else factory.reader
    if reader is None or reader.mounts is None:
        yield prefix or "/", node.name
        return
    known = reader.keys()
    mounts, _ = reader.mounts({key: text for key, text in node.local_conf.items() if key not in known})
    if all(mount.path is not None for mount in mounts):
        mounts = sorted(mounts, key=lambda mount: (mount.host, mount.path or ""))
    for mount in mounts:
        yield mount.place, mount.reference


def _own_factory(node: Node) -> Any:
    """The factory object of one of our components, which says what its keys mean; importing ours runs nobody's code."""
    reference = node.target
    if not node.is_composite or reference is None or not reference.module.startswith(f"{__package__.split('.')[0]}."):
        return None
    return reference.load()
