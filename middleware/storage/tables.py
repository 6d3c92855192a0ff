"""Tables that threads and processes share, whatever they are kept in.

One SQL text serves all of them. It keeps to what SQLite and PostgreSQL understand alike:

- ``?`` for each parameter;
- ``TEXT``, ``BIGINT``, ``DOUBLE PRECISION`` and ``BYTEA`` as types, 0 and 1 for false and true;
- texts without NUL, which PostgreSQL replaces by U+FFFD;
- keys that the program makes, not the database; ``INSERT … ON CONFLICT … DO …`` and ``RETURNING``.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

Parameters = Sequence[object]


class Result(Protocol):
    """What a statement has found or done."""

    @property
    def rowcount(self) -> int:
        """How many rows were changed."""

    def fetchone(self) -> Any:
        """The next row, or None."""

    def fetchall(self) -> list[Any]:
        """All rows that are left."""


class Connection(Protocol):
    """What runs the statements of one transaction."""

    def execute(self, statement: str, parameters: Parameters = (), /) -> Result:
        """Run one statement."""


class Tables(Protocol):
    """The tables of some schemas; they are opened when they are first used, and anew in a process that was forked.

    Every method raises ``StoreError`` when they cannot be used, and ``Conflict`` where a statement contradicts what is
    there. That ends its transaction, so it is caught outside of ``writing()``.
    """

    def query(self, statement: str, parameters: Parameters = ()) -> list[Any]:
        """The rows of one statement, which is a transaction by itself; the quickest way.

        It may change something: ``DELETE … RETURNING`` takes what is there, and of several who do it at once one gets
        it. A statement without ``RETURNING`` has no rows.
        """

    def state(self) -> object | None:
        """Something that is equal to what it was before if nobody has changed anything since; None if that is unknown.

        What was read after a state was asked for is still there as long as the state is equal. Changes by this object
        count at once, those of others a millisecond later at the most.
        """

    def reading(self) -> AbstractContextManager[Connection]:
        """A connection for queries that all see the same state."""

    def writing(self) -> AbstractContextManager[Connection]:
        """A connection within a transaction; no other of these goes on beside it. An exception undoes it."""

    def close(self) -> None:
        """Let go of files and connections. The next call opens them again."""
