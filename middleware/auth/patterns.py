"""The keys of rules: which requests they are about.

``/admin/*`` is ``/admin`` and all below it, ``/about`` that page alone, with or without a slash at its end; another
``*`` stands for any characters of one segment. Before it may stand methods (``POST``, ``GET|HEAD``), and in place of
the first slash a host: ``//admin.example.com/*``.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ...protocol.hosts import parse_host
from .permissions.circumstances import with_head
from .readings import loose_segment

_METHODS = re.compile(r"[A-Z][A-Z-]*(?:\|[A-Z][A-Z-]*)*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NOT_IN_PATHS = {
    "?": "has a query, which no rule looks at; remove '?' and what follows",
    "#": "has a fragment, which never reaches the server; remove '#' and what follows",
    "%": "is compared with decoded paths; write the character itself instead of its % escape",
    "\\": "has a backslash, which separates nothing in a URL; write '/'",
}


class Pattern(NamedTuple):
    """Which requests a rule is about.

    ``methods`` is None for any, ``host`` is ``''`` for any. ``segments`` are those of the path; with ``below`` they are
    its beginning. ``glob`` matches all of the path where a segment has a star in it.
    """

    methods: frozenset[str] | None
    host: str
    segments: tuple[str, ...]
    below: bool
    glob: re.Pattern[str] | None = None

    @property
    def literal(self) -> tuple[str, ...]:
        """The segments before the first that has a star in it."""
        if self.glob is None:
            return self.segments
        return self.segments[: next(index for index, each in enumerate(self.segments) if "*" in each)]

    def takes_host(self, host: str) -> bool:
        """Whether a request for this host is one of those."""
        return not self.host or self.host == host or (self.host[:2] == "*." and host.endswith(self.host[1:]))

    def loosened(self) -> Pattern:
        """The same for paths that were read loosely."""
        segments = tuple(map(loose_segment, self.segments))
        return self._replace(segments=segments, glob=_glob(segments, self.below))

    def covers(self, other: Pattern) -> bool:
        """Whether each request of the other is one of these, as far as can be told without trying them."""
        if self.glob is not None:
            return self == other
        paths = self.segments == other.segments and (self.below or not other.below)
        if self.below:
            paths = paths or other.literal[: len(self.segments)] == self.segments
        methods = self.methods is None or (other.methods is not None and other.methods <= self.methods)
        hosts = not self.host or self.host == other.host or (other.host != "" and self.takes_host(other.host))
        return paths and methods and hosts


def read_pattern(key: str) -> Pattern:
    """The pattern that a key means. Raises ``ValueError`` with a phrase that completes "this key …"."""
    methods: frozenset[str] | None = None
    path = key.strip()
    head, blank, rest = path.partition(" ")
    if blank and not head.startswith("/"):
        methods, path = _methods(head), rest.strip()
    host = ""
    if path.startswith("//"):
        name, slash, path = path[2:].partition("/")
        if not slash:
            raise ValueError(f"has a host without a path; write //{name}/*")
        host, path = _host(name), f"/{path}"
    if not path.startswith("/"):
        raise ValueError(f"must begin with a slash: write /{path}" if path else "must name a path such as /admin/*")
    segments, below = _segments(path)
    return Pattern(methods, host, segments, below, _glob(segments, below))


def _glob(segments: tuple[str, ...], below: bool) -> re.Pattern[str] | None:
    if not any("*" in each for each in segments):
        return None
    text = "/".join(map(_glob_of_segment, segments))
    return re.compile(f"{text}(?:/.*)?" if below else text, re.DOTALL)


def _glob_of_segment(segment: str) -> str:
    first, *rest = map(re.escape, segment.split("*"))
    if not rest:
        return first
    *inner, last = rest
    # Atomic groups, so that a long path cannot make the search try all ways to share it out among the stars.
    return first + "".join(f"(?>[^/]*?{each})" for each in inner) + f"[^/]*{last}"


def _methods(text: str) -> frozenset[str]:
    if not _METHODS.fullmatch(text):
        if _METHODS.fullmatch(text.upper()):
            raise ValueError(f"names methods in capitals: write {text.upper()}")
        raise ValueError(f"begins with {text!r}, which is neither a path nor methods such as GET|POST")
    return with_head(text.split("|"))


def _host(name: str) -> str:
    wildcard, rest = ("*.", name[2:]) if name.startswith("*.") else ("", name)
    try:
        host, port = parse_host(rest)
    except ValueError as error:
        raise ValueError(f"has a host that cannot be ({error})") from error
    if port is not None:
        raise ValueError("names a port, and rules are about hosts; remove it")
    return f"{wildcard}{host}"


def _segments(path: str) -> tuple[tuple[str, ...], bool]:
    for letter, why in _NOT_IN_PATHS.items():
        if letter in path:
            raise ValueError(why)
    if _CONTROL.search(path):
        raise ValueError("has a control character")
    below = path.endswith("/*")
    inner = path.removesuffix("/*").strip("/") if below else path.strip("/")
    if "//" in path:
        raise ValueError("has an empty segment; write one slash")
    segments = tuple(inner.split("/")) if inner else ()
    if any(each in (".", "..") for each in segments):
        raise ValueError("has a '.' or '..' segment; write where it leads to")
    if "**" in path:
        raise ValueError("has '**'; '/*' at the end takes all below, another '*' stands within one segment")
    if segments and segments[-1][-1] == "*" and not below:
        raise ValueError(f"ends in a '*' without a slash before it; write {path[:-1]}/*, which also takes {path[:-1]}")
    return segments, below
