"""The place in a file that names something, and problems reported there."""

from __future__ import annotations

import os
from typing import NamedTuple

from .node import Kind, Node
from .origin import Origin
from .problems import Problem, Severity


class Mention(NamedTuple):
    """The place that names something: the key for messages, and the file from which a relative path starts."""

    origin: Origin
    key: str | None = None


def at(mention: Mention, what: str, fix: str, code: str, severity: Severity = "error") -> Problem:
    """A problem at that place."""
    origin = mention.origin
    return Problem(
        what=what,
        fix=fix,
        file=origin.file,
        line=origin.line,
        section=origin.section,
        key=mention.key,
        code=code,
        severity=severity,
    )


def missing(kind: Kind, name: str, mention: Mention) -> Node:
    """What stands in the tree where something could not be found."""
    return Node(kind=kind, shape="missing", name=name, where=mention.origin, mentioned=mention.origin)


def a_kind(kind: str) -> str:
    """``an app``, ``a filter``."""
    return f"an {kind}" if kind == "app" else f"a {kind}"


def place(origin: Origin) -> str:
    """``site.ini:14``, for use inside a sentence."""
    if origin.file is None:
        return str(origin)
    name = os.path.basename(origin.file)
    return f"{name}:{origin.line}" if origin.line else name
