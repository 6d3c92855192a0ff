"""What tells whether a file has changed, without reading it."""

from __future__ import annotations

import os

Stamp = tuple[int, int, int] | None
"""Modification time in nanoseconds, size and inode of a file; None while there is none."""


def stamp_of(path: str) -> Stamp:
    """The stamp of the file as it is now."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino)
