"""The files of an error, and whether they have changed since, or since this process has read them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import NamedTuple

from ....protocol.file_stamps import Stamp, stamp_of
from ..record import ErrorRecord

_MOST = 60


class WatchedFile(NamedTuple):
    """A file as it was: its path, how people name it, and its stamp."""

    path: str
    name: str
    stamp: Stamp


def files_of(record: ErrorRecord) -> tuple[WatchedFile, ...]:
    """The files that the frames of an error are in, one's own first, as they are now."""
    frames = [frame for raised in record.exceptions for frame in raised.frames]
    frames.sort(key=lambda frame: not frame.own)
    names = {frame.path: frame.file or frame.path for frame in reversed(frames) if os.path.isabs(frame.path)}
    found = (WatchedFile(path, name, stamp_of(path)) for path, name in reversed(names.items()))
    return tuple(each for each in found if each.stamp is not None)[:_MOST]


def as_now(files: Iterable[WatchedFile]) -> tuple[WatchedFile, ...]:
    """The same files with their stamps of now."""
    return tuple(each._replace(stamp=stamp_of(each.path)) for each in files)


def changed(files: Iterable[WatchedFile]) -> list[WatchedFile]:
    """Those that have changed, with their stamps of now."""
    return [now for was, now in zip(files, as_now(files), strict=True) if was.stamp != now.stamp]


def still_old(files: Iterable[WatchedFile], since: float) -> bool:
    """Whether this process runs one of these files as it was before a change later than ``since`` (seconds, 1970)."""
    later = {each.path for each in files if each.stamp is not None and each.stamp[0] > since * 1e9}
    return bool(later) and any(getattr(module, "__file__", None) in later for module in list(sys.modules.values()))
