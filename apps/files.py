"""Finding and opening files below a folder, such that nothing outside it can be reached or even noticed.

Every step of a path is opened relative to the folder before it and without following links, so there is no moment
between a check and an opening in which somebody could exchange one for the other. Only where a link is met is the path
resolved, and then it must lie inside the folder. Opening never blocks: a FIFO or a device is no file here.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator, Sequence
from fnmatch import translate
from typing import NamedTuple

from ..config.records import field, record
from ..protocol.paths import is_file_name, text_path

# O_PATH (Linux) needs no right to list a folder that is only walked through.
_WALK = os.O_DIRECTORY | os.O_CLOEXEC | getattr(os, "O_PATH", os.O_RDONLY)
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY

# What only says that there is nothing here to serve. Anything else (no descriptors left, a failing disk) is no 404.
_ABSENT = frozenset(
    {
        errno.ENOENT,
        errno.ENOTDIR,
        errno.ENAMETOOLONG,
        errno.ELOOP,
        errno.EMLINK,  # how some BSDs say that O_NOFOLLOW met a link
        errno.EACCES,
        errno.EPERM,
        errno.ENXIO,  # a socket, or a device without a driver
        errno.ENODEV,
    }
)
_IS_LINK = frozenset({errno.ELOOP, errno.ENOTDIR, errno.EMLINK})


@record
class NamePolicy:
    """Which names are served at all: ``deny`` holds glob patterns, compared without regard to case.

    Names that begin with a dot are refused unless ``hidden``; ``.well-known`` at the top is public by RFC 8615.
    """

    hidden: bool = False
    deny: tuple[str, ...] = ()
    _denied: re.Pattern[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        pattern = "|".join(translate(glob.lower()) for glob in self.deny) or r"(?!)"
        object.__setattr__(self, "_denied", re.compile(pattern))

    def allows(self, segments: Sequence[str]) -> bool:
        """Whether every step of the path is a plain file name that may be served."""
        for index, name in enumerate(segments):
            if not is_file_name(name) or self._denied.match(name.lower()):
                return False
            if name[0] == "." and not self.hidden and not (index == 0 and name == ".well-known"):
                return False
        return True


class Opened(NamedTuple):
    """A descriptor, which its holder closes, and what it is a descriptor of."""

    descriptor: int
    status: os.stat_result

    @property
    def is_folder(self) -> bool:
        """Whether this is a folder; otherwise it is a regular file."""
        return stat.S_ISDIR(self.status.st_mode)


class Entry(NamedTuple):
    """One line of a folder's listing; ``size`` in bytes, ``modified`` in seconds since the epoch."""

    name: str
    is_folder: bool
    size: int
    modified: float


class Folder:
    """A folder whose files are served. ``links`` decides whether symbolic links may lead out of it."""

    __slots__ = ("_links", "path")

    def __init__(self, path: str | os.PathLike[str], *, links: bool = False) -> None:
        self.path = os.path.abspath(path)
        self._links = links

    def __repr__(self) -> str:
        return f"Folder({self.path!r}, links={self._links})"

    def walk_to(self, segments: Sequence[str]) -> int | None:
        """A descriptor of the folder at ``segments`` to open things from, or None. The caller closes it."""
        try:
            return self._walk(self.path, segments, os.O_NOFOLLOW)
        except OSError as error:
            if error.errno not in _ABSENT:
                raise
            if error.errno not in _IS_LINK:
                return None
        return self._through_links(segments, folder=True)

    def open(self, parent: int, segments: Sequence[str]) -> Opened | None:
        """Open the last of ``segments`` in its folder ``parent``: a regular file, a folder, or None."""
        try:
            return _identify(os.open(segments[-1], _READ | os.O_NOFOLLOW, dir_fd=parent))
        except OSError as error:
            if error.errno not in _ABSENT:
                raise
            if error.errno not in _IS_LINK:
                return None
        descriptor = self._through_links(segments, folder=False)
        return None if descriptor is None else _identify(descriptor)

    def has_file(self, parent: int, segments: Sequence[str]) -> bool:
        """Whether there is a regular file, or a link to one that may be followed, without opening it."""
        try:
            mode = os.stat(segments[-1], dir_fd=parent, follow_symlinks=False).st_mode
        except OSError as error:
            if error.errno not in _ABSENT:
                raise
            return False
        if not stat.S_ISLNK(mode):
            return stat.S_ISREG(mode)
        opened = self.open(parent, segments)
        if opened is None:
            return False
        os.close(opened.descriptor)
        return not opened.is_folder

    def list(self, parent: int, segments: Sequence[str], policy: NamePolicy) -> list[Entry]:
        """What may be served from the folder at ``segments``, folders first, by name without regard to case.

        A link is described by what it leads to, and left out where that may not be served.
        """
        return sorted(
            self._entries(parent, segments, policy), key=lambda entry: (not entry.is_folder, _order(entry.name))
        )

    def _entries(self, parent: int, segments: Sequence[str], policy: NamePolicy) -> Iterator[Entry]:
        try:
            # What walk_to() returns may be good for walking only.
            descriptor = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=parent)
        except OSError as error:
            if error.errno not in _ABSENT:
                raise
            return
        try:
            yield from self._scan(descriptor, segments, policy)
        finally:
            os.close(descriptor)

    def _scan(self, descriptor: int, segments: Sequence[str], policy: NamePolicy) -> Iterator[Entry]:
        with os.scandir(descriptor) as found:
            for each in found:
                path = (*segments, each.name)
                if not policy.allows(path):
                    continue
                try:
                    status = each.stat(follow_symlinks=False)
                except OSError:  # gone since, or not for us to see
                    continue
                if stat.S_ISLNK(status.st_mode):
                    target = self.open(descriptor, path)
                    if target is None:
                        continue
                    os.close(target.descriptor)
                    status = target.status
                if stat.S_ISDIR(status.st_mode):
                    yield Entry(each.name, True, 0, status.st_mtime)
                elif stat.S_ISREG(status.st_mode):
                    yield Entry(each.name, False, status.st_size, status.st_mtime)

    def _walk(self, start: str, segments: Sequence[str], follow: int) -> int:
        # The root itself may be a link: deployments exchange it. O_NOFOLLOW looks at the last step only, so that the
        # first one below the root is taken together with it.
        if not segments:
            return os.open(start, _WALK)
        current = os.open(f"{start}/{segments[0]}", _WALK | follow)
        try:
            for name in segments[1:]:
                deeper = os.open(name, _WALK | follow, dir_fd=current)
                os.close(current)
                current = deeper
        except BaseException:
            os.close(current)
            raise
        return current

    def _through_links(self, segments: Sequence[str], *, folder: bool) -> int | None:
        """Resolve a path that has links in it, prove it to be inside, and open what it resolved to, now free of links.

        Where a link leads may be a name that the policy hides: container platforms mount files as links into folders
        whose names begin with dots. Whoever makes a link says that its target is meant.
        """
        try:
            if self._links:
                return os.open(os.path.join(self.path, *segments), _WALK if folder else _READ)
            root = os.path.realpath(self.path)
            target = os.path.realpath(os.path.join(root, *segments), strict=True)
            inside = target == root or target.startswith(os.path.join(root, ""))
            if not inside:
                return None
            steps = os.path.relpath(target, root).split(os.sep) if target != root else []
            if folder or not steps:
                return self._walk(root, steps, os.O_NOFOLLOW)
            parent = self._walk(root, steps[:-1], os.O_NOFOLLOW)
            try:
                return os.open(steps[-1], _READ | os.O_NOFOLLOW, dir_fd=parent)
            finally:
                os.close(parent)
        except OSError as error:
            # EINVAL: the link has become something else while it was read.
            if error.errno not in _ABSENT and error.errno != errno.EINVAL:
                raise
            return None


def segments_of(path: str) -> tuple[str, ...] | None:
    """The steps of a WSGI path as text, or None where it is not UTF-8; a slash at the end leaves an empty last step."""
    text = text_path(path)
    return None if text is None else tuple(text[1:].split("/"))


def read_all(descriptor: int, size: int) -> bytes:
    """Read at most ``size`` bytes of a small file; less where it has become shorter."""
    data = os.read(descriptor, size)
    if len(data) == size or not data:
        return data
    parts = [data]
    while (missing := size - sum(map(len, parts))) and (data := os.read(descriptor, missing)):
        parts.append(data)
    return b"".join(parts)


def _identify(descriptor: int) -> Opened | None:
    try:
        status = os.fstat(descriptor)
        if stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode):
            opened = Opened(descriptor, status)
            descriptor = -1
            return opened
        return None
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def _order(name: str) -> tuple[str, str]:
    return (name.casefold(), name)
