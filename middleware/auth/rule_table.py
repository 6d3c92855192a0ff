"""Which of many rules is the first for a request: a tree of path segments, so that hundreds cost no more than ten."""

from __future__ import annotations

from collections.abc import Iterable

from ...config.origin import Origin
from ...config.records import record
from .patterns import Pattern
from .permissions.circumstances import HttpMethod
from .permissions.permission import Permission
from .permissions.who import HasScope, Method


@record
class Rule:
    """One rule: ``key = permission``, where it was written, and which it is of all, counted from 0."""

    key: str
    pattern: Pattern
    permission: Permission
    index: int
    origin: Origin | None = None

    @property
    def where(self) -> str:
        """``site.ini:42``, or nothing."""
        return "" if self.origin is None else str(self.origin)

    def __str__(self) -> str:
        return f"{self.key} ({self.where})" if self.where else self.key


class _Node:
    __slots__ = ("below", "children", "globs", "here")

    def __init__(self) -> None:
        self.children: dict[str, _Node] = {}
        self.here: list[_Entry] = []
        self.below: list[_Entry] = []
        self.globs: list[_Entry] = []


_Entry = tuple[int, Pattern, Rule]


class RuleTable:
    """Finds the first rule for a path. With ``loose`` it is asked about paths that were read loosely."""

    def __init__(self, rules: Iterable[Rule], *, loose: bool = False) -> None:
        self._root = _Node()
        self.has_hosts = False
        self.has_methods = False
        for rule in rules:
            pattern = rule.pattern.loosened() if loose else rule.pattern
            self.has_hosts = self.has_hosts or bool(pattern.host)
            self.has_methods = self.has_methods or pattern.methods is not None or _asks(rule.permission, HttpMethod)
            node = self._root
            for segment in pattern.literal:
                node = node.children.setdefault(segment, _Node())
            entry = (rule.index, pattern, rule)
            (node.globs if pattern.glob is not None else node.below if pattern.below else node.here).append(entry)

    def find(self, path: str, method: str, host: str) -> Rule | None:
        """The first rule in the order of the file, None where none is about the request."""
        inner = path.strip("/")
        segments = inner.split("/") if inner else []
        node = self._root
        found: _Entry | None = None
        for segment in segments:
            if node.below:
                found = _first(node.below, found, method, host)
            if node.globs:
                found = _first_glob(node.globs, found, method, host, inner)
            child = node.children.get(segment)
            if child is None:
                return None if found is None else found[2]
            node = child
        if node.below:
            found = _first(node.below, found, method, host)
        if node.here:
            found = _first(node.here, found, method, host)
        if node.globs:
            found = _first_glob(node.globs, found, method, host, inner)
        return None if found is None else found[2]


def _first(entries: list[_Entry], found: _Entry | None, method: str, host: str) -> _Entry | None:
    for entry in entries:
        if found is not None and entry[0] > found[0]:
            break
        pattern = entry[1]
        if (pattern.methods is None or method in pattern.methods) and (not pattern.host or pattern.takes_host(host)):
            return entry
    return found


def _first_glob(entries: list[_Entry], found: _Entry | None, method: str, host: str, path: str) -> _Entry | None:
    fitting = [each for each in entries if each[1].glob is not None and each[1].glob.fullmatch(path)]
    return _first(fitting, found, method, host)


def asks_for_scopes(permission: Permission) -> bool:
    """Whether a permission has a word in it that tells tokens from people, or code that may."""
    return permission.runs_code or _asks(permission, (HasScope, Method))


def _asks(permission: Permission, kind: type | tuple[type, ...]) -> bool:
    return isinstance(permission, kind) or any(
        isinstance(each, Permission) and _asks(each, kind) for each in permission.told
    )
