"""SQL as we write it, in the words of a driver."""

from __future__ import annotations

import functools
import re

# What a question mark may stand in without being a parameter: texts, quoted names, comments.
_PARTS = re.compile(
    r"""
    (?P<kept> '(?:[^']|'')*' | "(?:[^"]|"")*" | --[^\n]* | /\*.*?\*/ )
    | (?P<parameter> \? )
    | (?P<percent> % )
    """,
    re.VERBOSE | re.DOTALL,
)


@functools.lru_cache(maxsize=512)
def with_percent_s(statement: str) -> str:
    """A statement whose parameters are ``%s`` (PEP 249, "format") instead of ``?``."""
    return _PARTS.sub(_translated, statement)


def _translated(part: re.Match[str]) -> str:
    if part["parameter"]:
        return "%s"
    return part[0].replace("%", "%%")
