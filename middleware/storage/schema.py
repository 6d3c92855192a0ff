"""Tables, and how they came to be what they are: numbered steps, each done once in a file."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from .store import StoreError

if TYPE_CHECKING:
    from sqlite3 import Connection

_LEDGER = (
    "CREATE TABLE IF NOT EXISTS schema_steps"
    " (schema TEXT NOT NULL, step INTEGER NOT NULL, done REAL NOT NULL, PRIMARY KEY (schema, step))"
)


class Schema(NamedTuple):
    """The tables of one part of the program: ``steps`` are numbered from 1, each is one or more statements.

    A step that was published never changes; what is to be different is a further step. Several schemas may live in
    one file.
    """

    name: str
    steps: tuple[tuple[str, ...], ...]


def is_current(connection: Connection, schema: Schema) -> bool:
    """Whether every step was done. Raises ``StoreError`` where there are steps that this program does not know."""
    known = connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'schema_steps'").fetchone()
    return known is not None and _done(connection, schema) == len(schema.steps)


def advance(connection: Connection, schema: Schema) -> None:
    """Do the steps that are lacking, within the transaction of the caller. Raises ``StoreError``."""
    connection.execute(_LEDGER)
    for number, statements in enumerate(schema.steps[_done(connection, schema) :], _done(connection, schema) + 1):
        for statement in statements:
            connection.execute(statement)
        connection.execute("INSERT INTO schema_steps VALUES (?, ?, ?)", (schema.name, number, time.time()))


def _done(connection: Connection, schema: Schema) -> int:
    row = connection.execute("SELECT max(step) FROM schema_steps WHERE schema = ?", (schema.name,)).fetchone()
    done = int(row[0] or 0)
    if done > len(schema.steps):
        raise StoreError(
            f"its tables of {schema.name!r} are those of a later version"
            f" (step {done}, and {len(schema.steps)} are known here)"
        )
    return done
