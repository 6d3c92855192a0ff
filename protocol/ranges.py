"""Byte ranges (RFC 9110 section 14)."""

from __future__ import annotations

import re
from typing import NamedTuple

_SPEC = r"([0-9]{0,18})[ \t]*-[ \t]*([0-9]{0,18})"
_LONGEST = 1024


class ByteRange(NamedTuple):
    """The bytes from ``start`` up to, but not including, ``stop``."""

    start: int
    stop: int

    def content_range(self, size: int) -> str:
        """The value of ``Content-Range`` for this part of ``size`` bytes."""
        return f"bytes {self.start}-{self.stop - 1}/{size}"


def unsatisfied_range(size: int) -> str:
    """The value of ``Content-Range`` in a 416 answer."""
    return f"bytes */{size}"


def parse_range(value: str | None, size: int, *, most: int = 10) -> list[ByteRange] | None:
    """The parts of ``size`` bytes that a ``Range`` header asks for, in its order.

    None: ignore the header and send everything (absent, another unit, not valid, more than ``most`` ranges, or ranges
    that overlap, which is how a small request is made to cost much; RFC 9110 section 14.2 allows all of it).
    An empty list: the header is valid, but nothing of it lies within (416).
    """
    if value is None or len(value) > _LONGEST:
        return None
    unit, equals, text = value.partition("=")
    if not equals or unit.strip(" \t").lower() != "bytes":
        return None
    ranges: list[ByteRange] = []
    specs = [spec for part in text.split(",") if (spec := part.strip(" \t"))]
    if not 1 <= len(specs) <= most:
        return None
    for spec in specs:
        found = re.fullmatch(_SPEC, spec)
        if found is None or spec == "-" or not (found[1] or found[2]):
            return None
        if not found[1]:
            start, stop = max(size - int(found[2]), 0), size
        elif found[2] and int(found[2]) < int(found[1]):
            return None
        else:
            start, stop = int(found[1]), min(int(found[2]) + 1, size) if found[2] else size
        if start < stop:
            ranges.append(ByteRange(start, stop))
    ordered = sorted(ranges)
    if any(later.start < earlier.stop for earlier, later in zip(ordered, ordered[1:], strict=False)):
        return None
    return ranges
