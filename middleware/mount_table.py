"""The immutable table that URLMap dispatches by, and the reasons for what it decides.

Matching walks down a tree of path segments for each host pattern that fits, as long as mounts stand further below: its
cost grows with the depth of the mounts, never with their number or the length of the path. Knows nothing of WSGI apps:
whatever is mounted comes back, so ``check`` and ``explain`` use it before anything is built.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

from ..config.records import field, record
from ..protocol.hosts import HostPort
from ..protocol.trace import Mount as Step
from .mount_keys import Place, merged, wire_path


class Entry:
    """One mount: what stands there, its prefix in WSGI form, the steps it adds to a request's record, its place.

    Never changed. Written out, because a large map makes ten thousand of them.
    """

    __slots__ = ("app", "place", "prefix", "steps")

    def __init__(self, app: Any, prefix: str, steps: tuple[Step], place: Place) -> None:
        self.app = app
        self.prefix = prefix
        self.steps = steps
        self.place = place

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Entry):
            return NotImplemented
        return (self.place, self.steps, self.app) == (other.place, other.steps, other.app)

    def __hash__(self) -> int:
        return hash((self.place, self.steps))

    def __repr__(self) -> str:
        return f"<Entry {self.place}: {self.app!r}>"

    @classmethod
    def of(cls, place: Place, app: Any, origin: str = "") -> Entry:
        """Mount ``app`` at a canonical place; ``origin`` is ``file:line`` where it was written."""
        prefix = wire_path(place.path)
        return cls(app, prefix, (Step(prefix, place.host, origin),), place)


class Match(NamedTuple):
    """The mount that takes a path, what it adds to ``SCRIPT_NAME``, and the ``PATH_INFO`` that is left."""

    entry: Entry
    script_name: str
    rest: str


class Candidate(NamedTuple):
    """A mount and why it did or did not take the path. ``reason`` is a phrase: ``is for another host``."""

    entry: Entry
    chosen: bool
    reason: str


# A tree of path segments: the mount that stands at a node, and what stands below it, by the next segment. Plain tuples,
# which Python takes apart faster than named ones; dispatch does little else.
_Node: TypeAlias = tuple[Entry | None, "dict[str, _Node] | None"]
_BARE: _Node = (None, None)
_Find: TypeAlias = Callable[[str], Entry | None]


class _Host(NamedTuple):
    """The mounts of one host pattern, how deep they stand, and how to find the one that takes a path."""

    root: _Node
    depth: int
    find: _Find

    @classmethod
    def of(cls, root: _Node, depth: int) -> _Host:
        return cls(root, depth, _finder(root, depth))


@record
class MountTable:
    """All mounts, by host pattern and then by prefix. Never changed: ``with_entry`` and ``without`` return new ones.

    ``exclusive`` holds host patterns whose requests never fall through to less specific hosts; with ``merge_slashes``
    runs of slashes count as one when paths are compared. ``depth`` is the number of segments of the deepest mount,
    ``by_host`` whether a host is named at all. ``guarded`` is how many segments the path guard has to look at: None for
    all, because where slashes are merged segments cannot be counted in the raw target. ``find_any(path)`` looks among
    the mounts of any host alone.
    """

    exclusive: frozenset[str]
    merge_slashes: bool
    depth: int
    by_host: bool = field(init=False)
    guarded: int | None = field(init=False)
    find_any: _Find = field(init=False)
    _hosts: Mapping[str, _Host]
    _by_port: bool
    _by_wildcard: bool

    def __post_init__(self) -> None:
        anywhere = self._hosts.get("")
        find = _nothing if anywhere is None else anywhere.find
        object.__setattr__(self, "by_host", len(self._hosts) > (anywhere is not None))
        object.__setattr__(self, "guarded", None if self.merge_slashes else self.depth)
        object.__setattr__(self, "find_any", (lambda path: find(merged(path))) if self.merge_slashes else find)

    @classmethod
    def build(
        cls, entries: Iterable[Entry], *, exclusive: Iterable[str] = (), merge_slashes: bool = False
    ) -> MountTable:
        """Make a table; where two entries have one place, the later stays."""
        roots: dict[str, _Node] = {}
        depths: dict[str, int] = {}
        for entry in entries:
            host, segments = entry.place.host, entry.prefix.split("/")[1:]
            roots[host] = _plant(roots.get(host, _BARE), segments, entry)
            depths[host] = max(depths.get(host, 0), len(segments))
        return cls(
            exclusive=frozenset(exclusive),
            merge_slashes=merge_slashes,
            depth=max(depths.values(), default=0),
            _hosts={host: _Host.of(root, depths[host]) for host, root in roots.items()},
            _by_port=any(map(_has_port, roots)),
            _by_wildcard=any(map(_is_wildcard, roots)),
        )

    def with_entry(self, entry: Entry) -> MountTable:
        """The table with one more mount, or with another app at a place that is taken."""
        host, segments = entry.place.host, entry.prefix.split("/")[1:]
        there = self._hosts.get(host) or _Host.of(_BARE, 0)
        grown = _Host.of(_plant(there.root, segments, entry, copying=True), max(there.depth, len(segments)))
        return MountTable(
            exclusive=self.exclusive,
            merge_slashes=self.merge_slashes,
            depth=max(self.depth, grown.depth),
            _hosts={**self._hosts, host: grown},
            _by_port=self._by_port or _has_port(host),
            _by_wildcard=self._by_wildcard or _is_wildcard(host),
        )

    def without(self, place: Place) -> MountTable:
        """The table without the mount at this place. Raises ``KeyError``."""
        if self.at(place) is None:
            raise KeyError(place)
        left = (entry for entry in self._entries() if entry.place != place)
        return self.build(left, exclusive=self.exclusive, merge_slashes=self.merge_slashes)

    def at(self, place: Place) -> Entry | None:
        """The mount at exactly this place."""
        there = self._hosts.get(place.host)
        node = _BARE if there is None else there.root
        for segment in wire_path(place.path).split("/")[1:]:
            node = (node[1] or {}).get(segment, _BARE)
        return node[0]

    def _entries(self) -> Iterator[Entry]:
        nodes = [host.root for host in self._hosts.values()]
        while nodes:
            entry, below = nodes.pop()
            if entry is not None:
                yield entry
            nodes += (below or {}).values()

    def __len__(self) -> int:
        return sum(1 for _ in self._entries())

    def __iter__(self) -> Iterator[Entry]:
        """All mounts, in the order in which they take requests."""
        return iter(sorted(self._entries(), key=_precedence))

    def find(self, path: str, host: HostPort | None = None, scheme: str = "http") -> Entry | None:
        """The mount that takes a path which the path guard has accepted. Everything is in WSGI form."""
        if not self.by_host:
            return self.find_any(path)
        if self.merge_slashes:
            path = merged(path)
        for pattern in self.patterns(host, scheme):
            entry = self._hosts[pattern].find(path)
            if entry is not None:
                return entry
        return None

    def rest(self, entry: Entry, path: str) -> str:
        """What ``PATH_INFO`` becomes below a mount that ``find`` has returned for this path."""
        if not self.merge_slashes or "//" not in path:
            return path[len(entry.prefix) :]
        # Only the slashes that were compared are merged: what comes after belongs to the app, as it was sent.
        segments = entry.prefix.count("/")
        taken = re.match(rf"(?:/+[^/]*){{{segments}}}", path)
        return path[taken.end() :] if taken else path

    def match(self, path: str, host: HostPort | None = None, scheme: str = "http") -> Match | None:
        """Say which mount takes this path on this host. Raises ``ValueError`` for what is no path."""
        if path and path[0] != "/":
            raise ValueError("a path begins with a slash")
        entry = self.find(path, host, scheme)
        return None if entry is None else Match(entry, entry.prefix, self.rest(entry, path))

    def patterns(self, host: HostPort | None, scheme: str = "http") -> list[str]:
        """The host patterns of the table that fit, most specific first: host and port, host, wildcards, any."""
        found: list[str] = []
        hosts, exclusive = self._hosts, self.exclusive
        if host is not None:
            name = host.host
            port = f":{host.port_for(scheme)}" if self._by_port else ""
            possible = [name + port, name] if port else [name]
            if self._by_wildcard:
                parent = name.partition(".")[2]
                while parent:
                    if port:
                        possible.append(f"*.{parent}{port}")
                    possible.append(f"*.{parent}")
                    parent = parent.partition(".")[2]
            for pattern in possible:
                if pattern in hosts:
                    found.append(pattern)
                    if pattern in exclusive:
                        return found
        if "" in hosts:
            found.append("")
        return found

    def candidates(self, path: str, host: HostPort | None = None, scheme: str = "http") -> list[Candidate]:
        """Every mount, in order of precedence, with the reason why it takes the path or does not."""
        taken = self.match(path, host, scheme)
        winner = taken.entry if taken else None
        fitting = self.patterns(host, scheme)
        compared = merged(path) if self.merge_slashes else path
        return [Candidate(entry, entry is winner, self._reason(entry, winner, compared, fitting)) for entry in self]

    def _reason(self, entry: Entry, winner: Entry | None, path: str, fitting: list[str]) -> str:
        prefix, host = entry.prefix, entry.place.host
        if entry is winner:
            return "takes it"
        if host not in fitting:
            if not host:
                return f"is not asked: {fitting[-1]} keeps its requests to itself"
            return "is for another host"
        if path == prefix or path.startswith(f"{prefix}/"):
            if winner is None or host == winner.place.host:
                return "fits, but a longer path comes first"
            return f"fits, but the mounts of {winner.place.host} come first"
        if path.startswith(prefix):
            return "fits only in the middle of a segment"
        if path.lower() == prefix.lower() or path.lower().startswith(f"{prefix.lower()}/"):
            return "differs in upper and lower case"
        if merged(path) == prefix or merged(path).startswith(f"{prefix}/"):
            return "differs in repeated slashes"
        return "is another path"

    def closest(self, path: str, host: HostPort | None = None, scheme: str = "http") -> Entry | None:
        """The mount that whoever asked for this path was most likely looking for, or None in an empty table."""
        fitting = self.patterns(host, scheme)
        asked = path.lower()

        def likeness(entry: Entry) -> tuple[int, bool, int]:
            same = 0
            for ours, theirs in zip(entry.prefix.lower(), asked, strict=False):
                if ours != theirs:
                    break
                same += 1
            # The slash that all paths begin with is no likeness.
            return max(same - 1, 0), entry.place.host in fitting, -len(entry.prefix)

        return max(self, key=likeness, default=None)


def _plant(node: _Node, segments: list[str], entry: Entry, *, copying: bool = False) -> _Node:
    """The node with a mount below it; ``copying`` leaves the old tree as it is."""
    here, below = node
    if not segments:
        return entry, below
    grown = {} if below is None else dict(below) if copying else below
    grown[segments[0]] = _plant(grown.get(segments[0], _BARE), segments[1:], entry, copying=copying)
    return here, grown


def _nothing(path: str) -> Entry | None:
    return None


def _finder(root: _Node, depth: int) -> _Find:
    """A function that finds the mount with the longest prefix of a path.

    A closure with the first step written out, because dispatch does little else than this: most mounts stand one
    segment below the root.
    """
    root_entry, top = root
    if top is None:
        return lambda path: root_entry
    first = top.get
    # A path of ten thousand slashes must not be cut into ten thousand pieces.
    cuts = depth + 1

    def find(path: str) -> Entry | None:
        # One cut for all steps: looking for the first slash and slicing there takes twice as long.
        segments = path.split("/", cuts)
        node = first(segments[1]) if len(segments) > 1 else None
        if node is None:
            return root_entry
        entry, below = node
        if below is None:
            return entry
        if entry is None:
            entry = root_entry
        for segment in segments[2:]:
            node = below.get(segment)
            if node is None:
                break
            here, below = node
            if here is not None:
                entry = here
            if below is None:
                break
        return entry

    return find


def _has_port(host: str) -> bool:
    return ":" in host.rpartition("]")[2]


def _is_wildcard(host: str) -> bool:
    return host.startswith("*.")


def _precedence(entry: Entry) -> tuple[int, int, str, int, str]:
    """Sorts as ``find`` looks: host and port, host, longest wildcard, any host; inside, the longest path first."""
    host, path = entry.place
    if not host:
        kind = 3
    elif _is_wildcard(host):
        kind = 2
    else:
        kind = 0 if _has_port(host) else 1
    labels = host.count(".") * 2 + _has_port(host) if kind == 2 else 0
    return kind, -labels, host, -len(path), path
