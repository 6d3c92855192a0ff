"""Where a store is kept, as one word of a configuration."""

from __future__ import annotations

from pathlib import Path

from .memory import MemoryStore
from .store import Store


def store_of(url: str) -> Store:
    """The store that ``memory:`` or ``sqlite:///path`` names; it is opened when it is first used.

    Raises ``ValueError`` with a phrase that completes "store: …".
    """
    if url == "memory:":
        return MemoryStore()
    path = url.removeprefix("sqlite:///")
    if path == url or not path:
        raise ValueError("must be memory: or sqlite:///path, with a fourth slash before an absolute path")
    from .sqlite import SQLiteStore

    return SQLiteStore(Path(path))
