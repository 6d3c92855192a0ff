"""A store in tables: a SQLite file for one machine with any number of processes, PostgreSQL for several machines."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

from .schema import Schema
from .store import StoreError, Tally
from .tables import Tables

SCHEMA = Schema(
    "store",
    (
        (
            "CREATE TABLE entries (space TEXT NOT NULL, key BYTEA NOT NULL, value BYTEA NOT NULL,"
            " until DOUBLE PRECISION, PRIMARY KEY (space, key))",
            "CREATE INDEX entries_until ON entries (until)",
            "CREATE TABLE counts (space TEXT NOT NULL, key BYTEA NOT NULL, number BIGINT NOT NULL,"
            " until DOUBLE PRECISION, PRIMARY KEY (space, key))",
            "CREATE INDEX counts_until ON counts (until)",
        ),
    ),
)
"""Keys are bytes: so any text is a key, and the order is the same everywhere, whatever the language of a database."""

_LIVES = "(until IS NULL OR until > ?)"
_GET = f"SELECT value FROM entries WHERE space = ? AND key = ? AND {_LIVES}"
_SWEEP_EVERY = 200


class TableStore:
    """A :class:`Store` in tables that have its ``SCHEMA`` among theirs.

    Whatever decides something is a single statement: databases promise that of two who run it at once the second sees
    what the first has done.
    """

    def __init__(self, tables: Tables, clock: Callable[[], float] = time.time) -> None:
        self._tables = tables
        self._clock = clock
        self._writes = 0

    def get(self, space: str, key: str) -> bytes | None:
        """The value, or None."""
        rows = self._tables.query(_GET, (space, key.encode("utf-8", "surrogatepass"), self._clock()))
        if not rows:
            return None
        value = rows[0][0]
        return value if type(value) is bytes else bytes(value)

    def put(self, space: str, key: str, value: bytes, seconds: float | None = None) -> None:
        """Set a value, whatever was there."""
        self._tables.query(
            "INSERT INTO entries (space, key, value, until) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (space, key) DO UPDATE SET value = excluded.value, until = excluded.until",
            (space, _raw(key), value, self._end(seconds)),
        )
        self._wrote()

    def add(self, space: str, key: str, value: bytes, seconds: float | None = None) -> bool:
        """Set a value if there is none; whether that was so."""
        added = self._tables.query(
            "INSERT INTO entries (space, key, value, until) VALUES (?, ?, ?, ?) ON CONFLICT (space, key)"
            " DO UPDATE SET value = excluded.value, until = excluded.until WHERE entries.until <= ? RETURNING 1",
            (space, _raw(key), value, self._end(seconds), self._clock()),
        )
        self._wrote()
        return bool(added)

    def swap(
        self, space: str, key: str, before: bytes | None, after: bytes | None, seconds: float | None = None
    ) -> bool:
        """Replace the value ``before`` by ``after`` if it still is that; whether it was."""
        if before is None:
            return self.get(space, key) is None if after is None else self.add(space, key, after, seconds)
        where = (space, _raw(key), before, self._clock())
        if after is None:
            done = self._tables.query(
                f"DELETE FROM entries WHERE space = ? AND key = ? AND value = ? AND {_LIVES} RETURNING 1", where
            )
        elif seconds is None:
            done = self._tables.query(
                f"UPDATE entries SET value = ? WHERE space = ? AND key = ? AND value = ? AND {_LIVES} RETURNING 1",
                (after, *where),
            )
        else:
            done = self._tables.query(
                "UPDATE entries SET value = ?, until = ?"
                f" WHERE space = ? AND key = ? AND value = ? AND {_LIVES} RETURNING 1",
                (after, self._end(seconds), *where),
            )
        self._wrote()
        return bool(done)

    def take(self, space: str, key: str) -> bytes | None:
        """Remove a value and return it: of several who ask, one gets it."""
        rows = self._tables.query(
            f"DELETE FROM entries WHERE space = ? AND key = ? AND {_LIVES} RETURNING value",
            (space, _raw(key), self._clock()),
        )
        return bytes(rows[0][0]) if rows else None

    def expire(self, space: str, key: str, seconds: float | None) -> bool:
        """Let a value live for ``seconds`` from now; whether there is one."""
        return bool(
            self._tables.query(
                f"UPDATE entries SET until = ? WHERE space = ? AND key = ? AND {_LIVES} RETURNING 1",
                (self._end(seconds), space, _raw(key), self._clock()),
            )
        )

    def delete(self, space: str, key: str) -> bool:
        """Remove the value and the count of this name; whether there was one."""
        where = (space, _raw(key), self._clock())
        with self._tables.writing() as connection:
            gone = [
                connection.execute(f"DELETE FROM {table} WHERE space = ? AND key = ? AND {_LIVES}", where).rowcount
                for table in ("entries", "counts")
            ]
        return any(gone)

    def count(self, space: str, key: str, step: int = 1, seconds: float | None = None) -> Tally:
        """Add ``step`` to a count and return what it is then."""
        now = self._clock()
        if not step:
            rows = self._tables.query(
                f"SELECT number, until FROM counts WHERE space = ? AND key = ? AND {_LIVES}", (space, _raw(key), now)
            )
            return Tally(*rows[0]) if rows else Tally(0, None)
        rows = self._tables.query(
            "INSERT INTO counts (space, key, number, until) VALUES (?, ?, ?, ?) ON CONFLICT (space, key) DO UPDATE SET"
            " number = CASE WHEN counts.until <= ? THEN excluded.number ELSE counts.number + excluded.number END,"
            " until = CASE WHEN counts.until <= ? THEN excluded.until ELSE counts.until END"
            " RETURNING number, until",
            (space, _raw(key), step, self._end(seconds), now, now),
        )
        self._wrote()
        return Tally(*rows[0])

    def keys(self, space: str, prefix: str = "", limit: int = 1000) -> list[str]:
        """The keys of the values in a space, in order."""
        first = _raw(prefix)
        rows = self._tables.query(
            f"SELECT key FROM entries WHERE space = ? AND key >= ? AND key < ? AND {_LIVES} ORDER BY key LIMIT ?",
            (space, first, first + b"\xff", self._clock(), limit),  # no byte of UTF-8 is 255
        )
        return [bytes(row[0]).decode("utf-8", "surrogatepass") for row in rows]

    def clear(self, space: str) -> int:
        """Remove all values and counts of a space; how many there were."""
        return self._remove("space = ?", space)

    def sweep(self) -> int:
        """Remove what has expired; how many there were."""
        return self._remove("until <= ?", self._clock())

    def close(self) -> None:
        """Close the tables. The next call opens them again."""
        self._tables.close()

    def _remove(self, condition: str, value: object) -> int:
        with self._tables.writing() as connection:
            return sum(
                connection.execute(f"DELETE FROM {table} WHERE {condition}", (value,)).rowcount
                for table in ("entries", "counts")
            )

    def _wrote(self) -> None:
        self._writes += 1  # two threads may count as one; a sweep may come a little later
        if self._writes >= _SWEEP_EVERY:
            self._writes = 0
            with contextlib.suppress(StoreError):  # what was to be written is written; the next sweep comes
                self.sweep()

    def _end(self, seconds: float | None) -> float | None:
        return None if seconds is None else self._clock() + seconds


def _raw(key: str) -> bytes:
    return key.encode("utf-8", "surrogatepass")
