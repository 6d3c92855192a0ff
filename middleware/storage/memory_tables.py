"""Tables in the memory of this process: for one process, for development, and for tests."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .schema import Schema, advance
from .sqlite_errors import told
from .store import StoreError

if TYPE_CHECKING:
    import sqlite3

    from .tables import Connection, Parameters

_PLACE = "the database in memory"

_inherited: list[sqlite3.Connection] = []
"""What a process had before a fork: SQLite's own locks may be held in it by threads that are no longer there."""


class MemoryTables:
    """:class:`Tables` of which each process has its own, empty in the beginning; they end with it.

    SQLite keeps them, so that the same SQL runs as in a file. Threads take turns; who waits longer than ``patience``
    seconds gets a ``StoreError``.
    """

    def __init__(self, *schemas: Schema, patience: float = 5.0) -> None:
        self._schemas = schemas
        self._patience = patience
        self._connection: sqlite3.Connection | None = None
        self._name = object()  # connections all count from zero
        self._turn = threading.Lock()
        self._process = os.getpid()

    def query(self, statement: str, parameters: Parameters = ()) -> list[Any]:
        """The rows of one statement; the quickest way."""
        connection = self._begin()
        try:
            return connection.execute(statement, parameters).fetchall()
        except BaseException as error:
            explained = told(error, _PLACE, self._patience)
            if explained is None:
                raise
            raise explained from error
        finally:
            self._turn.release()

    def state(self) -> object | None:
        """Something that is equal to what it was before if nobody has changed anything since."""
        connection = self._connection
        if connection is None or self._process != os.getpid():
            return None
        return self._name, connection.total_changes

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for queries that all see the same state."""
        with self._mine() as connection:
            yield connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """A connection within a transaction; an exception undoes it."""
        with self._mine() as connection:
            connection.execute("BEGIN")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Forget everything."""
        self._own()
        with self._turn:
            if self._connection is not None:
                self._connection.close()
                self._connection, self._name = None, object()

    def __del__(self) -> None:
        # Nobody can use them any more. A connection that is dropped open is warned about (Python 3.13).
        if self._connection is not None and self._process == os.getpid():
            self._connection.close()

    @contextlib.contextmanager
    def _mine(self) -> Iterator[sqlite3.Connection]:
        connection = self._begin()
        try:
            yield connection
        except BaseException as error:
            explained = told(error, _PLACE, self._patience)
            if explained is None:
                raise
            raise explained from error
        finally:
            self._turn.release()

    def _begin(self) -> sqlite3.Connection:
        """The connection, for whose turn it is now: who gets it has to release the turn."""
        self._own()
        if not self._turn.acquire(timeout=self._patience):
            raise StoreError(f"{_PLACE} was in use by others for more than {self._patience:g} seconds")
        if self._connection is None:
            try:
                self._connection = self._open()
            except BaseException as error:
                self._turn.release()
                explained = told(error, _PLACE, self._patience)
                if explained is None:
                    raise
                raise explained from error
        return self._connection

    def _own(self) -> None:
        if self._process != os.getpid():
            if self._connection is not None:
                _inherited.append(self._connection)
            self._connection, self._name, self._turn = None, object(), threading.Lock()
            self._process = os.getpid()

    def _open(self) -> sqlite3.Connection:
        try:
            import sqlite3
        except ImportError as error:  # a part of the standard library that not every Python is built with
            raise StoreError(f"{_PLACE}: this Python was built without SQLite ({error})") from error
        connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA foreign_keys = ON")
        for schema in self._schemas:
            advance(connection, schema)
        return connection
