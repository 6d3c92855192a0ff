"""Which distribution an installed file belongs to, and its version; read from the folders beside it when asked for."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import lru_cache

_HEAD = 4000  # bytes of the metadata in which name and version stand
_INSTALLED = re.compile(r"^(.*[/\\](?:site|dist)-packages)[/\\](.*)$", re.DOTALL)
_FIELD = re.compile(r"^(Name|Version):[ \t]*(.*?)[ \t]*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Distribution:
    """A distribution as its metadata names it; without metadata the import package's name and no version."""

    name: str
    version: str = ""


def below_packages(path: str) -> tuple[str, str] | None:
    """The ``site-packages`` that a file is in, and its path below that; None if it is not installed."""
    found = _INSTALLED.match(path)
    return (found[1], found[2]) if found else None


def installed(path: str) -> Distribution | None:
    """The distribution that a file belongs to; None if it is not installed."""
    below = below_packages(path)
    if below is None:
        return None
    folder, file = below
    top = file.replace("\\", "/").partition("/")[0]
    return _distribution(folder, top.removesuffix(".py"))


@lru_cache(maxsize=500)
def _distribution(folder: str, top: str) -> Distribution:
    metadata = _metadata_folders(folder)
    wanted = _plain(top)
    # Most are called like the package that they install.
    named = [each for each in metadata if _plain(each.partition("-")[0].removesuffix(".egg")) == wanted]
    for each in (*named, *(other for other in metadata if top in _installs(folder, other))):
        found = _read(folder, each)
        if found is not None:
            return found
    return Distribution(top)


@lru_cache(maxsize=20)
def _metadata_folders(folder: str) -> tuple[str, ...]:
    try:
        names = os.listdir(folder)
    except OSError:
        return ()
    return tuple(sorted(name for name in names if name.endswith((".dist-info", ".egg-info"))))


@lru_cache(maxsize=2000)
def _installs(folder: str, metadata: str) -> frozenset[str]:
    """The top-level names that a distribution installs."""
    text = _text(os.path.join(folder, metadata, "top_level.txt"))
    if text:
        return frozenset(text.split())
    # Newer build tools write no such file; then the list of files says it.
    record = _text(os.path.join(folder, metadata, "RECORD"), 2_000_000)
    tops = {line.partition(",")[0].partition("/")[0] for line in record.splitlines()}
    return frozenset(each.removesuffix(".py") for each in tops)


def _read(folder: str, metadata: str) -> Distribution | None:
    path = os.path.join(folder, metadata)
    for file in ("METADATA", "PKG-INFO"):
        fields = dict(_FIELD.findall(_text(os.path.join(path, file), _HEAD)))
        if "Name" in fields:
            return Distribution(fields["Name"], fields.get("Version", ""))
    return None


def _text(path: str, most: int = 100_000) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(most)
    except (OSError, ValueError):
        return ""


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
