"""What an error of SQLite says of the tables, and what it says of a statement."""

from __future__ import annotations

import sys

from .store import Conflict, StoreDamaged, StoreError

# Result codes (https://www.sqlite.org/rescode.html); the higher bits only tell more of the same.
_DAMAGED = frozenset({11, 26})  # SQLITE_CORRUPT, SQLITE_NOTADB
_BUSY = frozenset({5, 6})  # SQLITE_BUSY, SQLITE_LOCKED
# SQLITE_CONSTRAINT_UNIQUE, _PRIMARYKEY, _ROWID, _FOREIGNKEY
_CONFLICTS = frozenset({2067, 1555, 2579, 787})


def is_busy(error: BaseException) -> bool:
    """Whether others had the file for too long."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _BUSY


def told(error: BaseException, place: str, patience: float) -> StoreError | Conflict | None:
    """The error in the words of every store, or None where it is the programmer's."""
    sqlite3 = sys.modules.get("sqlite3")
    if sqlite3 is None or not isinstance(error, sqlite3.Error):
        return None
    code = getattr(error, "sqlite_errorcode", 0)
    if code in _CONFLICTS:
        return Conflict(str(error))
    if isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError | sqlite3.InterfaceError):
        return None
    if code & 0xFF in _DAMAGED:
        return StoreDamaged(
            f"{place} is damaged, or no SQLite file ({error}); it was left as it is: move it away, with its"
            " -wal and -shm files, and a new one is made"
        )
    if is_busy(error):
        return StoreError(f"{place} was in use by others for more than {patience:g} seconds")
    return StoreError(f"{place} cannot be used ({error})")
