"""What visitors wrote, kept in an SQLite file."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

SCHEMA = """
CREATE TABLE IF NOT EXISTS entry (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    message TEXT NOT NULL,
    written TEXT NOT NULL
)
"""

FIRST = (
    ("Ada", "The paste was still wet when I got here. Lovely wall."),
    ("Zoë & Søren", "We came for the posters and stayed for the almanac. Grüße aus Malmö!"),
    ("<b>Robert</b>", "Tried to write my name in bold. The template knew better."),
)


@dataclass(frozen=True)
class Entry:
    name: str
    message: str
    written: datetime


class Entries:
    """One connection for each piece of work: requests come from several threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._connection() as connection:
            connection.execute(SCHEMA)
            if connection.execute("SELECT 1 FROM entry").fetchone() is None:
                for name, message in FIRST:
                    insert(connection, name, message)

    def add(self, name: str, message: str) -> None:
        with self._connection() as connection:
            insert(connection, name, message)

    def latest(self, limit: int) -> list[Entry]:
        query = "SELECT name, message, written FROM entry ORDER BY id DESC LIMIT ?"
        with self._connection() as connection:
            rows = connection.execute(query, (limit,)).fetchall()
        return [Entry(name, message, datetime.fromisoformat(written)) for name, message, written in rows]

    def count(self) -> int:
        with self._connection() as connection:
            number: int = connection.execute("SELECT count(*) FROM entry").fetchone()[0]
        return number

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.path)) as connection, connection:
            yield connection


def insert(connection: sqlite3.Connection, name: str, message: str) -> None:
    now = datetime.now().isoformat(timespec="seconds")
    connection.execute("INSERT INTO entry (name, message, written) VALUES (?, ?, ?)", (name, message, now))
