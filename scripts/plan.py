"""What a picture of a site says, in words: every mount, filter and app with its place, safe to be shown.

The layout puts it on paper and the page repeats it as a list, so that both say the same.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ..config.node import Node
from ..config.origin import Origin
from ..config.outline import Mounted, Stack
from ..protocol.secret_texts import redact_text
from .places import maker
from .terminal import one_line


@dataclass(slots=True, kw_only=True)
class Part:
    """A listener, a filter or an app: what it is called, what makes it and where it is written."""

    name: str
    maker: str = ""
    place: str = ""
    missing: bool = False


@dataclass(slots=True, kw_only=True)
class Group:
    """The mounts of one host, or of any (``host`` is empty), in the order in which a person looks for them.

    ``title`` is what to call it; empty where nothing has to be told apart.
    """

    host: str = ""
    title: str = ""
    entries: list[Entry] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Entry:
    """An app where it is mounted, with the filters around it (outermost first) and what it mounts.

    ``label`` is the path or the key, ``place`` that of the key and ``number`` its turn, where a composite tries
    one app after the other.
    """

    app: Part
    label: str = ""
    host: str = ""
    place: str = ""
    number: int = 0
    guess: bool = False
    fallback: bool = False
    filters: list[Part] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)

    @property
    def places(self) -> str:
        """The place of the mount and that of the app: ``site.ini:4 → 17``."""
        if not self.place or self.place == self.app.place:
            return self.app.place
        file, _, line = self.app.place.rpartition(":")
        return f"{self.place} → {line if file and self.place.rpartition(':')[0] == file else self.app.place}"

    @property
    def remark(self) -> str:
        """What is not as it should be, or not sure."""
        return ", ".join(word for word, said in (("missing", self.app.missing), ("guessed", self.guess)) if said)

    @property
    def entries(self) -> Iterator[Entry]:
        """What it mounts."""
        for group in self.groups:
            yield from group.entries

    def walk(self) -> Iterator[Entry]:
        """This entry and all below it."""
        yield self
        for each in self.entries:
            yield from each.walk()


@dataclass(slots=True, kw_only=True)
class Plan:
    """The whole: who listens at which addresses, and the app at the root."""

    addresses: list[str]
    listener: Part
    root: Entry

    @property
    def mounts(self) -> int:
        """How many mounts there are, at any depth."""
        return sum(1 for _ in self.root.walk()) - 1

    @property
    def missing(self) -> int:
        """How many apps and filters are named and not there."""
        return sum(part.missing for each in self.root.walk() for part in (each.app, *each.filters))

    @property
    def summary(self) -> str:
        """``12 mounts on 2 hosts``, and what is wrong or not sure."""
        entries = list(self.root.walk())
        hosts = {each.host for each in entries if each.host}
        guesses = sum(each.guess for each in entries)
        text = _count(self.mounts, "mount") if self.mounts else "one app"
        if hosts:
            text += f", {_count(len(hosts), 'host name')}"
        if self.missing:
            text += f", {self.missing} missing"
        return f"{text}, {guesses} guessed" if guesses else text


def plan(stack: Stack, address: str, listener: Node | None) -> Plan:
    """Say what a stack holds. Places are relative to the folder of the file where the stack begins."""
    words = [address] if address.startswith("unix:") else address.split()
    first = (stack.via[0] if stack.via else stack.app).where.file or (listener.where.file if listener else None)
    writer = _Writer(os.path.dirname(first) if first else None)
    if listener is None:
        server = Part(name="the default", maker="no [server:…] section")
    else:
        server = writer.part(listener)
    return Plan(
        addresses=[one_line(redact_text(word)) for word in words] or ["nowhere"],
        listener=server,
        root=writer.entry(stack),
    )


def arrange(mounts: Sequence[Mounted]) -> list[tuple[str, list[Mounted]]]:
    """Mounts as a person looks for them: by host (any host first), then by path; what serves as a fallback last.

    Where the order means something (a cascade) or is another's (a guess), it stays.
    """
    hosts: dict[str, list[Mounted]] = {}
    for each in sorted(mounts, key=lambda mounted: bool(mounted.mount.host)):
        hosts.setdefault(each.mount.host, []).append(each)
    for host, group in hosts.items():
        if all(each.mount.path is not None or each.fallback for each in group) and not any(
            each.guess for each in group
        ):
            group.sort(key=lambda mounted: (mounted.mount.path or "").split("/"))
        hosts[host] = [each for each in group if not each.fallback]
    groups = [(host, group) for host, group in hosts.items() if group]
    last = [each for each in mounts if each.fallback]
    return [*groups, ("", last)] if last else groups


class _Writer:
    def __init__(self, folder: str | None) -> None:
        self.folder = folder

    def entry(self, stack: Stack, mounted: Mounted | None = None, number: int = 0) -> Entry:
        arranged = arrange(stack.mounts)
        entry = Entry(
            app=self.part(stack.app),
            filters=[self.part(each, mentioned=True) for each in stack.filters],
            groups=[self.group(host, mounts) for host, mounts in arranged],
        )
        some_host = any(group.host for group in entry.groups)
        for group in entry.groups:
            group.title = group.host or (
                "if nothing fits" if group.entries[0].fallback else "any host" if some_host else ""
            )
        if mounted is not None:
            path = mounted.mount.path
            entry.label = one_line(mounted.mount.key if path is None or mounted.fallback else path or "/")
            entry.host = one_line(mounted.mount.host)
            entry.place = self.place(mounted.origin)
            entry.number, entry.guess, entry.fallback = number, mounted.guess, mounted.fallback
        return entry

    def group(self, host: str, mounts: Sequence[Mounted]) -> Group:
        group = Group(host=one_line(host))
        number = 0
        for each in mounts:
            in_turn = each.mount.path is None and not each.fallback and not each.guess
            number += in_turn
            group.entries.append(self.entry(each.stack, each, number if in_turn else 0))
        return group

    def part(self, node: Node, mentioned: bool = False) -> Part:
        missing = node.shape == "missing"
        where = node.where
        if mentioned and where.file is None:
            where = node.mentioned or where
        return Part(
            name=one_line(node.name),
            maker=one_line(maker(node)) or ("not found" if missing else ""),
            place=self.place(where),
            missing=missing,
        )

    def place(self, origin: Origin) -> str:
        if origin.file is None:
            return ""
        name = origin.file
        if self.folder is not None:
            # As the file itself would write it: the picture is looked at in other places than where it was made.
            relative = os.path.relpath(name, self.folder)
            name = relative if not relative.startswith(f"..{os.sep}..{os.sep}..") else name
        return one_line(f"{name}:{origin.line}" if origin.line else name)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
