"""Which file answers a path: looked up in the folders at each request, or in a catalogue made at the start.

Both finders give the same answers; the catalogue gives them without asking the file system.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from functools import lru_cache
from typing import Literal, NamedTuple

from ..protocol.headers import choose_encoding
from ..protocol.wsgi import Headers
from .files import Folder, NamePolicy, Opened, read_all, segments_of
from .representation import BLOCK, FileChanged, Representation, Source

CODINGS = {"zst": "zstd", "br": "br", "gz": "gzip"}
"""Suffix of a compressed sibling: its content coding (RFC 9110 section 8.4.1, RFC 7932, RFC 8878)."""

_LONGEST_KEPT = 256
"""How long an ``Accept-Encoding`` may be to be remembered: a client chooses it, and headers may be large."""

MOST_FILES = 1_000_000
MOST_DEPTH = 200
MOST_WAYS = 256
"""What a catalogue may hold: files, folders in each other, and ways (by links, which multiply) to one folder."""


class TooLarge(ValueError):
    """The folders hold more than a catalogue may; the message completes "root: …"."""


Describe = Callable[[str, bool], tuple[str, Headers]]
"""``(path, varies) -> (Content-Type, the other headers)`` of a file; ``varies`` when it has compressed siblings."""


class Found(NamedTuple):
    """A file that answers, in the coding that the client takes."""

    representation: Representation
    source: Source


class FoundFolder(NamedTuple):
    """A folder without an index; ``number`` says in which of the roots it is."""

    number: int
    segments: tuple[str, ...]


SlashMissing = Literal["slash missing"]
Finding = Found | FoundFolder | SlashMissing | None


class Rules(NamedTuple):
    """What both finders need to know."""

    folders: tuple[Folder, ...]
    policy: NamePolicy
    index_name: str
    listing: bool
    suffixes: tuple[str, ...]
    hashed: bool
    describe: Describe

    @property
    def codings(self) -> tuple[str, ...]:
        """The content codings that may be offered, best first."""
        return tuple(CODINGS[suffix] for suffix in self.suffixes)


class LiveFinder:
    """Looks at the file system at each request, so that a changed file is served changed."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._siblings = tuple((f".{suffix}", CODINGS[suffix]) for suffix in rules.suffixes)

    def find(self, path: str, accept_encoding: str | None) -> Finding:
        """What answers the WSGI path ``path``, which begins with a slash."""
        rules = self._rules
        segments = segments_of(path)
        if segments is None:
            return None
        wants_folder = segments[-1] == ""
        steps = segments[:-1] if wants_folder else segments
        if not rules.policy.allows(steps):
            return None
        folder_found: Finding = None
        for number, folder in enumerate(rules.folders):
            parent = folder.walk_to(steps if wants_folder else steps[:-1])
            if parent is None:
                continue
            try:
                if wants_folder:
                    index = self._index(folder, parent, steps, path, accept_encoding)
                    if index is not None:
                        return index
                    if rules.listing and folder_found is None:
                        folder_found = FoundFolder(number, steps)
                    continue
                found = self._file(folder, parent, steps, path, accept_encoding)
                if found is None:
                    continue
                if isinstance(found, Found):
                    return found
                opened = found
                try:
                    if folder_found is None and self._has_page(folder, opened, steps):
                        folder_found = "slash missing"
                finally:
                    os.close(opened.descriptor)
            finally:
                os.close(parent)
        return folder_found

    def _index(
        self, folder: Folder, parent: int, steps: tuple[str, ...], path: str, accept_encoding: str | None
    ) -> Found | None:
        if not self._rules.index_name:
            return None
        name = self._rules.index_name
        found = self._file(folder, parent, (*steps, name), path + name, accept_encoding)
        if isinstance(found, Opened):
            os.close(found.descriptor)
            return None
        return found

    def _has_page(self, folder: Folder, opened: Opened, steps: tuple[str, ...]) -> bool:
        if self._rules.listing:
            return True
        if not self._rules.index_name:
            return False
        index = folder.open(opened.descriptor, (*steps, self._rules.index_name))
        if index is None:
            return False
        os.close(index.descriptor)
        return not index.is_folder

    def _file(
        self, folder: Folder, parent: int, steps: tuple[str, ...], path: str, accept_encoding: str | None
    ) -> Found | Opened | None:
        """The file at ``steps``, an opened folder, or None."""
        name = steps[-1]
        # access() tells without the cost of an exception that there is none, which is what it mostly says.
        siblings = [each for each in self._siblings if os.access(name + each[0], os.F_OK, dir_fd=parent)]
        if siblings:
            # What may not be asked for by its own name is not sent under another.
            policy = self._rules.policy
            siblings = [each for each in siblings if policy.allows((*steps[:-1], name + each[0]))]
        opened = None
        suffix = coding = ""
        if siblings and accept_encoding and folder.has_file(parent, steps):
            opened, suffix, coding = self._best(folder, parent, steps, siblings, accept_encoding)
        if opened is None:
            opened = folder.open(parent, steps)
            if opened is None or opened.is_folder:
                return opened
        kind, common = self._rules.describe(path, bool(siblings))
        representation = represent(opened, kind, coding, suffix, common, hashed=self._rules.hashed)
        return Found(representation, _OpenSource(opened.descriptor, opened.status.st_size))

    def _best(
        self,
        folder: Folder,
        parent: int,
        steps: tuple[str, ...],
        siblings: list[tuple[str, str]],
        accept_encoding: str,
    ) -> tuple[Opened | None, str, str]:
        while siblings:
            coding = preferred(accept_encoding, tuple(coding for _, coding in siblings))
            chosen = next((each for each in siblings if each[1] == coding), None)
            if chosen is None:
                break
            opened = folder.open(parent, (*steps[:-1], steps[-1] + chosen[0]))
            if opened is not None and not opened.is_folder:
                return opened, *chosen
            if opened is not None:
                os.close(opened.descriptor)
            siblings = [each for each in siblings if each is not chosen]
        return None, "", ""


class _OpenSource:
    """A file that is open already."""

    __slots__ = ("_descriptor", "_size")

    def __init__(self, descriptor: int, size: int) -> None:
        self._descriptor = descriptor
        self._size = size

    def take(self) -> int | bytes:
        if self._size > BLOCK:
            return self._descriptor
        try:
            content = read_all(self._descriptor, self._size)
        finally:
            os.close(self._descriptor)
        if len(content) != self._size:
            raise FileChanged
        return content

    def discard(self) -> None:
        os.close(self._descriptor)


class CatalogueFinder:
    """Knows all files from its start on: one lookup. Small files stay in memory once they were asked for."""

    def __init__(self, rules: Rules, *, memory: int) -> None:
        self._rules = rules
        self._memory = _Memory(memory)
        self._ways: dict[tuple[int, int], int] = {}
        self._files: dict[str, _Known] = {}
        self._folders: dict[str, FoundFolder | SlashMissing] = {}
        for number, folder in enumerate(rules.folders):
            self._scan(number, folder, (), frozenset())

    def __len__(self) -> int:
        return len(self._files)

    def find(self, path: str, accept_encoding: str | None) -> Finding:
        """What answers the WSGI path ``path``, which begins with a slash."""
        known = self._files.get(path)
        if known is None:
            return self._folders.get(path)
        if not accept_encoding or not known.codings:
            return known.plain
        found = known.chosen.get(accept_encoding)
        if found is None:
            found = known.encoded.get(preferred(accept_encoding, known.codings), known.plain)
            # Browsers send a handful of values, and others what they like, as long as they like.
            if len(known.chosen) < 32 and len(accept_encoding) <= _LONGEST_KEPT:
                known.chosen[accept_encoding] = found
        return found

    def _scan(self, number: int, folder: Folder, steps: tuple[str, ...], above: frozenset[tuple[int, int]]) -> None:
        if len(self._files) > MOST_FILES or len(steps) > MOST_DEPTH:
            most = f"{MOST_FILES:,} files, or folders nested more than {MOST_DEPTH} deep"
            raise TooLarge(f"{folder.path!r} holds more than {most}; use `mode = live`")
        parent = folder.walk_to(steps)
        if parent is None:
            return
        try:
            status = os.fstat(parent)
            identity = (status.st_dev, status.st_ino)
            if identity in above:  # a link that leads back up
                return
            ways = self._ways[identity] = self._ways.get(identity, 0) + 1
            if ways > MOST_WAYS:
                raise TooLarge(f"links lead to {'/'.join(steps)!r} on more than {MOST_WAYS} ways; use `mode = live`")
            entries = folder.list(parent, steps, self._rules.policy)
            names = {entry.name for entry in entries if not entry.is_folder}
            for name in sorted(names):
                self._add(folder, parent, (*steps, name), names)
        finally:
            os.close(parent)
        path = _wsgi_path(steps)
        slash = path if path.endswith("/") else path + "/"
        index = self._files.get(slash + self._rules.index_name) if self._rules.index_name else None
        if index is not None:
            self._files.setdefault(slash, index)
        elif self._rules.listing:
            self._folders.setdefault(slash, FoundFolder(number, steps))
        if steps and (index is not None or self._rules.listing):
            self._folders.setdefault(path, "slash missing")
        for entry in entries:
            if entry.is_folder:
                self._scan(number, folder, (*steps, entry.name), above | {identity})

    def _add(self, folder: Folder, parent: int, steps: tuple[str, ...], names: set[str]) -> None:
        path = _wsgi_path(steps)
        if path in self._files:  # an earlier root has it
            return
        siblings = [suffix for suffix in self._rules.suffixes if f"{steps[-1]}.{suffix}" in names]
        kind, common = self._rules.describe(path, bool(siblings))
        found: dict[str, Found] = {}
        for suffix in ("", *siblings):
            dotted = f".{suffix}" if suffix else ""
            place = (*steps[:-1], steps[-1] + dotted)
            opened = folder.open(parent, place)
            if opened is None:
                continue
            try:
                if opened.is_folder:
                    continue
                coding = CODINGS[suffix] if suffix else ""
                representation = represent(opened, kind, coding, dotted, common, hashed=self._rules.hashed)
                found[coding] = Found(representation, _KnownSource(folder, place, opened, self._memory))
            finally:
                os.close(opened.descriptor)
        plain = found.pop("", None)
        if plain is not None:
            self._files[path] = _Known(plain, tuple(found), found, {})


class _Known(NamedTuple):
    plain: Found
    codings: tuple[str, ...]
    encoded: dict[str, Found]
    chosen: dict[str, Found]


class _Memory:
    """How many bytes of small files may still be kept."""

    def __init__(self, limit: int) -> None:
        self._left = limit
        self._lock = threading.Lock()

    def reserve(self, size: int) -> bool:
        with self._lock:
            if size > self._left:
                return False
            self._left -= size
            return True


class _KnownSource:
    """A file of the catalogue: from memory, or opened anew and compared with what the scan saw."""

    __slots__ = ("_content", "_folder", "_identity", "_memory", "_place", "_size")

    def __init__(self, folder: Folder, place: tuple[str, ...], opened: Opened, memory: _Memory) -> None:
        self._folder = folder
        self._place = place
        self._identity = (opened.status.st_mtime_ns, opened.status.st_size)
        self._size = opened.status.st_size
        self._memory = memory
        self._content: bytes | None = None

    def take(self) -> int | bytes:
        if self._content is not None:
            return self._content
        parent = self._folder.walk_to(self._place[:-1])
        if parent is None:
            raise FileChanged
        try:
            opened = self._folder.open(parent, self._place)
        finally:
            os.close(parent)
        if opened is None:
            raise FileChanged
        if opened.is_folder or (opened.status.st_mtime_ns, opened.status.st_size) != self._identity:
            os.close(opened.descriptor)
            raise FileChanged
        content = _OpenSource(opened.descriptor, self._size).take()
        if isinstance(content, bytes) and self._memory.reserve(self._size):
            self._content = content
        return content

    def discard(self) -> None:
        """Nothing is open."""


def represent(opened: Opened, kind: str, coding: str, suffix: str, common: Headers, *, hashed: bool) -> Representation:
    """The representation of an opened file; the tag differs for each coding, as the bytes do."""
    status = opened.status
    if hashed:
        tag = _digest(opened.descriptor, status)
    else:
        tag = f"{status.st_mtime_ns:x}-{status.st_size:x}"
    etag = f'"{tag}{suffix.replace(".", "-")}"'
    return Representation(
        kind=kind, size=status.st_size, modified=status.st_mtime, etag=etag, coding=coding, common=common
    )


_digests: dict[tuple[int, int, int, int], str] = {}


def _digest(descriptor: int, status: os.stat_result) -> str:
    key = (status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size)
    found = _digests.get(key)
    if found is None:
        import hashlib

        digest = hashlib.sha256()
        position = 0
        while data := os.pread(descriptor, 1024 * 1024, position):
            digest.update(data)
            position += len(data)
        found = digest.hexdigest()[:32]
        if len(_digests) >= 10_000:  # files come and go below a process that runs for months
            _digests.clear()
        _digests[key] = found
    return found


def preferred(accept_encoding: str, codings: tuple[str, ...]) -> str:
    """The coding to send, ``identity`` also where the client refuses everything."""
    return (_preferred if len(accept_encoding) <= _LONGEST_KEPT else _preferred.__wrapped__)(accept_encoding, codings)


@lru_cache(maxsize=256)
def _preferred(accept_encoding: str, codings: tuple[str, ...]) -> str:
    return choose_encoding(accept_encoding, codings) or "identity"


def _wsgi_path(steps: tuple[str, ...]) -> str:
    return "/" + "/".join(steps).encode("utf-8").decode("latin-1")
