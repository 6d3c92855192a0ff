"""A store in a SQLite file: for one machine with any number of processes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from .database import Database
from .schema import Schema
from .store import Tally

SCHEMA = Schema(
    "store",
    (
        (
            "CREATE TABLE entries (space TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, until REAL,"
            " PRIMARY KEY (space, key))",
            "CREATE INDEX entries_until ON entries (until)",
            "CREATE TABLE counts (space TEXT NOT NULL, key TEXT NOT NULL, number INTEGER NOT NULL, until REAL,"
            " PRIMARY KEY (space, key))",
            "CREATE INDEX counts_until ON counts (until)",
        ),
    ),
)

_LIVES = "(until IS NULL OR until > ?)"
_SWEEP_EVERY = 200


class SQLiteStore:
    """A :class:`Store` in a file, which a database of more tables may share (``Database(path, SCHEMA, …)``)."""

    def __init__(self, database: Database | str | os.PathLike[str], clock: Callable[[], float] = time.time) -> None:
        self._database = database if isinstance(database, Database) else Database(database, SCHEMA)
        self._clock = clock
        self._writes = 0

    def get(self, space: str, key: str) -> bytes | None:
        """The value, or None."""
        rows = self._database.query(
            f"SELECT value FROM entries WHERE space = ? AND key = ? AND {_LIVES}", (space, key, self._clock())
        )
        return bytes(rows[0][0]) if rows else None

    def put(self, space: str, key: str, value: bytes, seconds: float | None = None) -> None:
        """Set a value, whatever was there."""
        with self._database.writing() as connection:
            connection.execute(
                "INSERT INTO entries VALUES (?, ?, ?, ?)"
                " ON CONFLICT (space, key) DO UPDATE SET value = excluded.value, until = excluded.until",
                (space, key, value, self._end(seconds)),
            )
        self._wrote()

    def add(self, space: str, key: str, value: bytes, seconds: float | None = None) -> bool:
        """Set a value if there is none; whether that was so."""
        with self._database.writing() as connection:
            added = connection.execute(
                "INSERT INTO entries VALUES (?, ?, ?, ?) ON CONFLICT (space, key)"
                " DO UPDATE SET value = excluded.value, until = excluded.until WHERE entries.until <= ?",
                (space, key, value, self._end(seconds), self._clock()),
            ).rowcount
        self._wrote()
        return added == 1

    def swap(
        self, space: str, key: str, before: bytes | None, after: bytes | None, seconds: float | None = None
    ) -> bool:
        """Replace the value ``before`` by ``after`` if it still is that; whether it was."""
        if before is None:
            return self.get(space, key) is None if after is None else self.add(space, key, after, seconds)
        where = (space, key, before, self._clock())
        with self._database.writing() as connection:
            if after is None:
                done = connection.execute(
                    f"DELETE FROM entries WHERE space = ? AND key = ? AND value = ? AND {_LIVES}", where
                )
            else:
                done = connection.execute(
                    "UPDATE entries SET value = ?, until = CASE WHEN ? THEN until ELSE ? END"
                    f" WHERE space = ? AND key = ? AND value = ? AND {_LIVES}",
                    (after, seconds is None, self._end(seconds), *where),
                )
        self._wrote()
        return done.rowcount == 1

    def take(self, space: str, key: str) -> bytes | None:
        """Remove a value and return it: of several who ask, one gets it."""
        with self._database.writing() as connection:
            row = connection.execute(
                f"SELECT value FROM entries WHERE space = ? AND key = ? AND {_LIVES}", (space, key, self._clock())
            ).fetchone()
            if row is not None:
                connection.execute("DELETE FROM entries WHERE space = ? AND key = ?", (space, key))
        return None if row is None else bytes(row[0])

    def expire(self, space: str, key: str, seconds: float | None) -> bool:
        """Let a value live for ``seconds`` from now; whether there is one."""
        with self._database.writing() as connection:
            done = connection.execute(
                f"UPDATE entries SET until = ? WHERE space = ? AND key = ? AND {_LIVES}",
                (self._end(seconds), space, key, self._clock()),
            )
        return done.rowcount == 1

    def delete(self, space: str, key: str) -> bool:
        """Remove the value and the count of this name; whether there was one."""
        where = (space, key, self._clock())
        with self._database.writing() as connection:
            gone = [
                connection.execute(f"DELETE FROM {table} WHERE space = ? AND key = ? AND {_LIVES}", where).rowcount
                for table in ("entries", "counts")
            ]
        return any(gone)

    def count(self, space: str, key: str, step: int = 1, seconds: float | None = None) -> Tally:
        """Add ``step`` to a count and return what it is then."""
        if not step:
            rows = self._database.query(
                f"SELECT number, until FROM counts WHERE space = ? AND key = ? AND {_LIVES}",
                (space, key, self._clock()),
            )
            return Tally(*rows[0]) if rows else Tally(0, None)
        now = self._clock()
        with self._database.writing() as connection:
            connection.execute(
                "INSERT INTO counts VALUES (?, ?, ?, ?) ON CONFLICT (space, key) DO UPDATE SET"
                " number = CASE WHEN counts.until <= ? THEN excluded.number ELSE counts.number + excluded.number END,"
                " until = CASE WHEN counts.until <= ? THEN excluded.until ELSE counts.until END",
                (space, key, step, self._end(seconds), now, now),
            )
            row = connection.execute(
                "SELECT number, until FROM counts WHERE space = ? AND key = ?", (space, key)
            ).fetchone()
        self._wrote()
        return Tally(*row)

    def keys(self, space: str, prefix: str = "", limit: int = 1000) -> list[str]:
        """The keys of the values in a space, in order."""
        rows = self._database.query(
            f"SELECT key FROM entries WHERE space = ? AND substr(key, 1, ?) = ? AND {_LIVES} ORDER BY key LIMIT ?",
            (space, len(prefix), prefix, self._clock(), limit),
        )
        return [str(row[0]) for row in rows]

    def clear(self, space: str) -> int:
        """Remove all values and counts of a space; how many there were."""
        return self._remove("space = ?", space)

    def sweep(self) -> int:
        """Remove what has expired; how many there were."""
        return self._remove("until <= ?", self._clock())

    def close(self) -> None:
        """Close the file. The next call opens it again."""
        self._database.close()

    def _remove(self, condition: str, value: object) -> int:
        with self._database.writing() as connection:
            return sum(
                connection.execute(f"DELETE FROM {table} WHERE {condition}", (value,)).rowcount
                for table in ("entries", "counts")
            )

    def _wrote(self) -> None:
        self._writes += 1  # two threads may count as one; a sweep may come a little later
        if self._writes >= _SWEEP_EVERY:
            self._writes = 0
            self.sweep()

    def _end(self, seconds: float | None) -> float | None:
        return None if seconds is None else self._clock() + seconds
