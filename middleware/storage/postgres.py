"""Tables in PostgreSQL: for any number of machines.

They stand in a schema of their own, ``wheatpaste`` unless the URL says ``?schema=…``, so that they meet no table of the
site's. Who makes them needs the right to create: ``CREATE SCHEMA`` in the database, or a schema that is there already
and belongs to the user.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
import select
import threading
import time
from collections.abc import Generator, Iterator
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import psycopg
from psycopg import conninfo, errors, sql

from .schema import LEDGER, Schema, advance, is_current
from .statements import with_percent_s
from .store import Conflict, StoreError
from .tables import Connection, Parameters, Result

_MOST = 16
_LOCK = 0x77686561  # any number that nobody else takes: the lock that one writer has at a time
_WRITE = f"BEGIN; SELECT pg_advisory_xact_lock({_LOCK})"
_OF_A_STATEMENT = ("25", "40", "53", "54")  # classes of SQLSTATE that say nothing against the connection
_READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}", re.ASCII)
# What a connection tells of its other end having gone long ago, in seconds; libpq's own defaults are hours.
_DEFAULTS = {
    "application_name": "wheatpaste",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
}

_inherited: list[_Connection] = []
"""Connections of the process before the fork: closing one here would end that process's session."""


class PostgresTables:
    """The tables of some schemas in PostgreSQL; see :class:`Tables`.

    At most ``most`` connections are open in each process. Whoever waits longer than ``patience`` seconds, for a
    connection, another's lock or an answer, gets a ``StoreError``. A connection that the server has ended meanwhile, as
    it does when it is started anew, is replaced before it is used; a statement is sent once, for nobody could tell
    what has become of it.

    ``url`` is what libpq reads ("Connection URIs" in PostgreSQL's manual), with ``schema`` as one parameter more.
    Raises ``ValueError`` for one that it does not understand.
    """

    def __init__(self, url: str, *schemas: Schema, patience: float = 5.0, most: int = _MOST) -> None:
        self._conninfo, self._schema, self.place = _read(url, patience)
        self._schemas = schemas
        self._patience = patience
        self._most = most
        self._free = threading.Condition()
        self._used = 0
        self._idle: list[_Connection] = []
        self._era = object()  # another one when what was opened before is of no use any more
        self._is_prepared = False
        self._process = os.getpid()

    def query(self, statement: str, parameters: Parameters = ()) -> list[Any]:
        """The rows of one statement; the quickest way."""
        with self._connection() as connection:
            cursor = _execute(connection, statement, parameters)
            return [] if cursor.description is None else cursor.fetchall()

    def state(self) -> None:
        """Unknown: it would cost as much as to read."""

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for queries that all see the same state."""
        with self._transaction(_READ) as connection:
            yield connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """A connection within a transaction; no other of these goes on beside it, on whichever machine."""
        with self._transaction(_WRITE) as connection:
            yield connection

    def close(self) -> None:
        """Close what is open. The next call connects again."""
        self._own()
        self._is_prepared = False
        self._drop_idle()

    @contextlib.contextmanager
    def _transaction(self, begin: str) -> Iterator[Connection]:
        with self._connection() as connection:
            connection.execute(begin)
            try:
                yield _Transaction(connection)
                connection.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(psycopg.Error):  # it has a cause, and that is what travels
                    connection.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def _connection(self) -> Iterator[_Connection]:
        self._own()
        connection: _Connection | None = None
        with self._place_for_one():
            era = self._era
            try:
                connection = self._take()
                yield connection
            except psycopg.Error as error:
                told = self._told(error)
                if told is None:
                    raise
                raise told from error
            finally:
                if connection is not None:
                    self._give_back(connection, era)

    @contextlib.contextmanager
    def _place_for_one(self) -> Iterator[None]:
        """Wait until fewer than the most connections are in use."""
        free = self._free
        with free:
            if not free.wait_for(lambda: self._used < self._most, self._patience):
                raise StoreError(
                    f"{self.place}: all {self._most} connections were in use for more than {self._patience:g} seconds"
                )
            self._used += 1
        try:
            yield
        finally:
            with free:
                if free is self._free:  # else this is a forked process, which counts its own
                    self._used -= 1
                    free.notify()

    def _take(self) -> _Connection:
        while True:
            with self._free:
                if not self._idle:
                    break
                connection = self._idle.pop()
            if not _is_at_its_end(connection):
                return connection
            connection.close()
        return self._connect()

    def _give_back(self, connection: _Connection, era: object) -> None:
        is_sound = not connection.closed and connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        with self._free:
            if is_sound and era is self._era and self._process == os.getpid():
                self._idle.append(connection)
                return
        if self._process == os.getpid():
            connection.close()

    def _own(self) -> None:
        """Begin anew in a process that was forked."""
        if self._process != os.getpid():
            _inherited.extend(self._idle)
            self._free, self._used, self._idle, self._era = threading.Condition(), 0, [], object()
            self._process = os.getpid()

    def _drop_idle(self) -> None:
        with self._free:
            self._era = object()
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _connect(self) -> _Connection:
        connection = _Connection.connect(self._conninfo, autocommit=True)
        connection.patience = self._patience + 1  # the server's own limits come first, for it says more
        try:
            connection.add_notice_handler(_ignore)
            milliseconds = int(self._patience * 1000)
            connection.execute(
                sql.SQL(
                    "SET search_path = {}; SET statement_timeout = {}; SET lock_timeout = {};"
                    " SET idle_in_transaction_session_timeout = {}; SET client_encoding = 'UTF8'"
                ).format(sql.Identifier(self._schema), milliseconds, milliseconds, 2 * milliseconds)
            )
            if not self._is_prepared:
                self._prepare(connection)
                self._is_prepared = True
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: _Connection) -> None:
        transaction = _Transaction(connection)
        (ledger,) = transaction.execute(f"SELECT to_regclass('{LEDGER}')").fetchone()
        try:
            if ledger is not None and all(is_current(transaction, schema) for schema in self._schemas):
                return
            connection.execute(_WRITE)
            try:
                (known,) = transaction.execute("SELECT to_regnamespace(?)", (f'"{self._schema}"',)).fetchone()
                if known is None:
                    connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(self._schema)))
                for schema in self._schemas:
                    advance(transaction, schema)
                connection.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(psycopg.Error):
                    connection.execute("ROLLBACK")
                raise
        except StoreError as error:
            raise StoreError(f"{self.place}: {error}") from error

    def _told(self, error: psycopg.Error) -> StoreError | Conflict | None:
        """The error in the words of every store, or None where it is the programmer's."""
        if isinstance(error, errors.UniqueViolation | errors.ForeignKeyViolation):
            return Conflict(_first_line(error))
        if isinstance(error, errors.QueryCanceled | errors.LockNotAvailable):
            return StoreError(f"{self.place} was in use by others for more than {self._patience:g} seconds")
        if isinstance(error, errors.InsufficientPrivilege):
            return StoreError(f"{self.place}: {_first_line(error)}; give its user the right to make tables there")
        if isinstance(error, psycopg.OperationalError | psycopg.InternalError):
            if error.sqlstate is None or not error.sqlstate.startswith(_OF_A_STATEMENT):
                self._drop_idle()  # what has broken one connection has broken the others, too
            return StoreError(f"{self.place} cannot be used ({_first_line(error)})")
        if isinstance(error, errors.UndefinedTable | errors.InvalidSchemaName):
            self.close()  # somebody has removed them; they are made anew
        if isinstance(error, psycopg.ProgrammingError) and error.sqlstate is not None:
            return StoreError(f"{self.place} cannot be used ({_first_line(error)})")
        return None


class _Connection(psycopg.Connection[tuple[Any, ...]]):
    """A connection on which nobody waits for ever, even if the server stands still and its machine does not."""

    patience = math.inf

    def wait(self, gen: Any, *arguments: Any, **options: Any) -> Any:
        """Run a generator that waits for the server."""
        return super().wait(_bounded(gen, self.patience), *arguments, **options)


class _Transaction:
    """A connection of psycopg that takes our SQL."""

    __slots__ = ("_connection",)

    def __init__(self, connection: _Connection) -> None:
        self._connection = connection

    def execute(self, statement: str, parameters: Parameters = (), /) -> Result:
        """Run one statement."""
        return _execute(self._connection, statement, parameters)


def _execute(connection: _Connection, statement: str, parameters: Parameters) -> psycopg.Cursor[tuple[Any, ...]]:
    text = with_percent_s(statement)
    try:
        return connection.execute(text, parameters)
    except (psycopg.DataError, UnicodeEncodeError) as error:
        if getattr(error, "sqlstate", None) is not None:
            raise  # by the server, which has seen the statement
    return connection.execute(text, [_storable(each) for each in parameters])


def _storable(value: object) -> object:
    """A text without what PostgreSQL knows no place for: what is looked for with it is not found, as elsewhere."""
    if not isinstance(value, str):
        return value
    return value.replace("\0", "\ufffd").encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def _bounded(waiting: Generator[Any, Any, Any], seconds: float) -> Generator[Any, Any, Any]:
    """What ``waiting`` does; it is told every moment that there is nothing yet, and here that comes to an end."""
    until = time.monotonic() + seconds
    try:
        wanted = next(waiting)
        while True:
            ready = yield wanted
            if not ready and time.monotonic() > until:
                raise psycopg.OperationalError(f"no answer for {seconds:g} seconds")
            wanted = waiting.send(ready)
    except StopIteration as done:
        return done.value


def _is_at_its_end(connection: _Connection) -> bool:
    """Whether the server has ended the connection while nobody asked. Costs no round trip."""
    if connection.closed:
        return True
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    for _ in range(10):
        if not poll.poll(0):
            return False
        try:
            connection.pgconn.consume_input()  # a notice, perhaps, and nothing to worry about
        except psycopg.OperationalError:
            return True
    return True


def _ignore(notice: object) -> None:
    """Notices say that a table is there already."""


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _read(url: str, patience: float) -> tuple[str, str, str]:
    """What libpq is told, the schema, and the place as messages name it: without a password."""
    parts = urlsplit(url)
    try:
        given = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:
        raise ValueError("has parameters that cannot be read; they look like ?sslmode=require&schema=NAME") from None
    schema = dict(given).get("schema", "wheatpaste")
    if not _NAME.fullmatch(schema):
        raise ValueError(f"its schema must be letters, digits and _, and is {schema!r}")
    query = urlencode([pair for pair in given if pair[0] != "schema"])
    try:
        told = conninfo.conninfo_to_dict("postgresql" + url[len(parts.scheme) :].partition("?")[0] + f"?{query}")
    except psycopg.ProgrammingError as error:
        wrong = re.search(r'invalid URI query parameter: "(\w*)"', str(error))
        if wrong is not None:
            raise ValueError(
                f"has no parameter {wrong[1]!r}; PostgreSQL's manual lists them, and schema is ours"
            ) from None
        raise ValueError("is no URL that PostgreSQL's library can read") from None
    port = f":{told['port']}" if told.get("port") else ""
    place = f"postgresql://{told.get('host') or ''}{port}/{told.get('dbname') or ''}"
    settings: dict[str, Any] = {**_DEFAULTS, "connect_timeout": max(2, round(patience)), **told}
    return conninfo.make_conninfo(**settings), schema, place
