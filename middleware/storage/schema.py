"""Tables, and how they came to be what they are: numbered steps, each done once in a file."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from .store import StoreError

if TYPE_CHECKING:
    from .tables import Connection

LEDGER = "schema_steps"
"""The table that says which steps were done."""

_MAKE_LEDGER = (
    f"CREATE TABLE IF NOT EXISTS {LEDGER}"
    " (schema TEXT NOT NULL, step BIGINT NOT NULL, done DOUBLE PRECISION NOT NULL, PRIMARY KEY (schema, step))"
)


class Schema(NamedTuple):
    """The tables of one part of the program: ``steps`` are numbered from 1, each is one or more statements.

    A step that was published never changes; what is to be different is a further step. Several schemas may live in
    one file.
    """

    name: str
    steps: tuple[tuple[str, ...], ...]


def is_current(connection: Connection, schema: Schema) -> bool:
    """Whether every step was done, where there is a ledger.

    Raises ``StoreError`` where there are steps that this program does not know.
    """
    return _done(connection, schema) == len(schema.steps)


def advance(connection: Connection, schema: Schema) -> None:
    """Do the steps that are lacking, within the transaction of the caller. Raises ``StoreError``."""
    connection.execute(_MAKE_LEDGER)
    for number, statements in enumerate(schema.steps[_done(connection, schema) :], _done(connection, schema) + 1):
        for statement in statements:
            connection.execute(statement)
        connection.execute(f"INSERT INTO {LEDGER} VALUES (?, ?, ?)", (schema.name, number, time.time()))


def _done(connection: Connection, schema: Schema) -> int:
    row = connection.execute(f"SELECT max(step) FROM {LEDGER} WHERE schema = ?", (schema.name,)).fetchone()
    done = int(row[0] or 0)
    if done > len(schema.steps):
        raise StoreError(
            f"its tables of {schema.name!r} are those of a later version"
            f" (step {done}, and {len(schema.steps)} are known here)"
        )
    return done
