"""A SQLite file that threads and processes share.

It is opened when it is first needed, anew in each process: a connection that was made before a fork is neither used
nor closed on the other side. Whoever comes while another writes waits for at most ``patience`` seconds. What was
written is there for all others at once (write-ahead log), or not at all.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple

from .schema import LEDGER, Schema, advance, is_current
from .sqlite_errors import is_busy, told
from .store import Conflict, StoreError

if TYPE_CHECKING:
    from sqlite3 import Connection

    from .tables import Parameters

_MOST_IDLE = 8
_GLANCE = 0.5
"""Seconds for which whoever only reads believes that the path still means the same file."""

_MOMENT = 0.001
"""Seconds for which what others have committed may not be known yet to who asks for the state."""

_HAS_LEDGER = f"SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = '{LEDGER}'"

_making = threading.Lock()
"""Held while a file is made: nobody in this process may have it open before that is done."""

_inherited: list[Connection] = []
"""Connections of the process before the fork. Closing one here would take that process's locks away (POSIX)."""


def _renew() -> None:
    # Whoever held it in the process before the fork is not in this one.
    global _making
    _making = threading.Lock()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no forks
    os.register_at_fork(after_in_child=_renew)


class _Open(NamedTuple):
    connection: Connection
    file: tuple[int, int]  # device and inode: a path may come to mean another file
    era: int


class _Watch(NamedTuple):
    """A connection that never writes: SQLite counts for each one what all others have committed."""

    opened: _Open
    name: object  # two connections count from different beginnings


class _State(NamedTuple):
    """What was found out about a file last, until when that counts, and the last change by us before it."""

    known: object
    until: float
    change: object


class Database:
    """A SQLite file with the tables of its schemas; see :class:`Tables`.

    The file is made readable to its owner alone; one that exists keeps the rights that it has. Its folder has to
    exist. ``durable``: what was written survives also the machine's sudden death, which costs a wait for the disk
    with each write; without, the last writes before it may be lost, and nothing else.

    All methods raise ``StoreError`` when the file cannot be used, ``StoreDamaged`` when it is no database or broken;
    a file is never replaced or repaired behind anybody's back.
    """

    def __init__(
        self, path: str | os.PathLike[str], *schemas: Schema, patience: float = 5.0, durable: bool = True
    ) -> None:
        self.path = os.path.abspath(path)
        self._schemas = schemas
        self._patience = patience
        self._durable = durable
        self._idle: list[_Open] = []
        self._lock = threading.Lock()
        self._process = os.getpid()
        self._era = 0
        self._prepared: tuple[int, int] | None = None
        self._glance = 0.0
        self._watch: _Watch | None = None
        self._watching = threading.Lock()
        self._state: _State | None = None
        self._change = object()

    def query(self, statement: str, parameters: Parameters = ()) -> list[Any]:
        """The rows of one statement; the quickest way."""
        opened: _Open | None = None
        only_reads = statement.startswith("SELECT")
        try:
            opened = self._take(only_reads)
            rows = opened.connection.execute(statement, parameters).fetchall()
        except BaseException as error:
            explained = told(error, self.path, self._patience)
            if opened is not None:
                self._give_back(opened, isinstance(explained, Conflict))
            if explained is None:
                raise
            raise explained from error
        finally:
            if not only_reads:
                self._change = object()
        self._give_back(opened, True)
        return rows

    def state(self) -> object:
        """Something that is equal to what it was before if nobody has committed anything since, in no process.

        What was committed here counts at once, and what another process has committed a millisecond later at the most:
        so the file is asked a thousand times in a second, and not with each request.
        """
        state = self._state
        if (
            state is not None
            and state.change is self._change
            and monotonic() < state.until
            and self._process == os.getpid()
        ):
            return state.known
        return self._asked()

    def _asked(self) -> object:
        if self._process != os.getpid():
            self._own()
        with self._watching:
            change, until = self._change, monotonic() + _MOMENT
            try:
                watch = self._watch
                if watch is None or not self._is_current(watch.opened, only_reads=True):
                    self._unwatch()
                    watch = self._watch = _Watch(self._open(), object())
                (count,) = watch.opened.connection.execute("PRAGMA data_version").fetchone()
            except BaseException as error:
                self._unwatch()
                explained = told(error, self.path, self._patience)
                if explained is None:
                    raise
                raise explained from error
            known = watch.name, count
            self._state = _State(known, until, change)
        return known

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for one or more queries that all see the same state."""
        with self._connection() as connection:
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                _end(connection, "COMMIT")

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """A connection within a transaction that nobody else writes beside; undone when an exception leaves it."""
        with self._connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                _end(connection, "ROLLBACK")
                raise
            finally:
                self._change = object()

    def close(self) -> None:
        """Close what is open. The next call opens the file again."""
        self._own()
        self._era += 1
        self._glance = 0.0
        self._prepared = None
        self._drop_idle()
        with self._watching:
            self._unwatch()
            self._change = object()

    def __del__(self) -> None:
        # Who drops it without closing it has no use for its connections (Python 3.13 warns of those left open).
        if self._process == os.getpid():
            self._drop_idle()
            self._unwatch()

    @contextlib.contextmanager
    def _connection(self) -> Iterator[Connection]:
        opened: _Open | None = None
        is_sound = False
        try:
            opened = self._take()
            yield opened.connection
            is_sound = True
        except BaseException as error:
            explained = told(error, self.path, self._patience)
            is_sound = not isinstance(explained, StoreError)
            if explained is None:
                raise
            raise explained from error
        finally:
            if opened is not None:
                self._give_back(opened, is_sound)

    def _take(self, only_reads: bool = False) -> _Open:
        if self._process != os.getpid():
            self._own()
        while True:
            try:
                opened = self._idle.pop()
            except IndexError:
                return self._open()
            if self._is_current(opened, only_reads):
                return opened
            opened.connection.close()

    def _is_current(self, opened: _Open, only_reads: bool) -> bool:
        # A file that was moved away or deleted goes on to exist for who has it open, and takes all that is written.
        _, file, era = opened
        if only_reads and monotonic() < self._glance:
            return file == self._prepared and era == self._era
        if file == self._present() and era == self._era:
            self._glance = monotonic() + _GLANCE
            return True
        return False

    def _give_back(self, opened: _Open, is_sound: bool) -> None:
        connection, _, era = opened
        if is_sound and era == self._era and len(self._idle) < _MOST_IDLE and not connection.in_transaction:
            self._idle.append(opened)
        else:
            connection.close()

    def _own(self) -> None:
        """Begin anew in a process that was forked."""
        if self._process != os.getpid():
            _inherited.extend(opened.connection for opened in self._idle)
            if self._watch is not None:
                _inherited.append(self._watch.opened.connection)
            self._idle, self._lock = [], threading.Lock()
            self._watch, self._watching = None, threading.Lock()
            self._prepared = None
            self._process = os.getpid()

    def _drop_idle(self) -> None:
        while self._idle:
            with contextlib.suppress(IndexError):
                self._idle.pop().connection.close()

    def _unwatch(self) -> None:
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.opened.connection.close()

    def _present(self) -> tuple[int, int] | None:
        try:
            status = os.stat(self.path)
        except OSError:
            return None
        return status.st_dev, status.st_ino

    def _open(self) -> _Open:
        try:
            import sqlite3
        except ImportError as error:  # a part of the standard library that not every Python is built with
            raise StoreError(f"{self.path}: this Python was built without SQLite ({error})") from error

        self._make_file()
        file = self._present()
        connection = sqlite3.connect(
            self.path, timeout=self._patience, isolation_level=None, check_same_thread=False, cached_statements=64
        )
        try:
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute(f"PRAGMA synchronous = {'FULL' if self._durable else 'NORMAL'}")
            with self._lock:
                if file is None or self._prepared != file:
                    self._prepare(connection)
                    self._prepared = file
        except BaseException:
            connection.close()
            raise
        return _Open(connection, file or (0, 0), self._era)

    def _make_file(self) -> None:
        # Never opened here when it is there: to close a file takes away all locks that this process has on it (POSIX),
        # those of SQLite as well, and the next process that ends would remove the log that is in use here.
        with _making:
            try:
                os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            except FileExistsError:
                if os.path.isdir(self.path):
                    raise self._unwritable(errno.EISDIR) from None
                if not os.access(self.path, os.R_OK | os.W_OK, effective_ids=os.access in os.supports_effective_ids):
                    raise self._unwritable(errno.EACCES) from None
            except OSError as error:
                folder = Path(self.path).parent
                if not folder.is_dir():
                    raise StoreError(
                        f"{self.path}: there is no folder {folder}; make it, for the user of the server"
                    ) from error
                raise self._unwritable(error.errno) from error

    def _unwritable(self, code: int | None) -> StoreError:
        return StoreError(f"{self.path} cannot be opened for writing ({os.strerror(code or errno.EIO)})")

    def _prepare(self, connection: Connection) -> None:
        self._use_log(connection)
        try:
            if connection.execute(_HAS_LEDGER).fetchone() and all(
                is_current(connection, each) for each in self._schemas
            ):
                return
            connection.execute("BEGIN IMMEDIATE")
            try:
                for schema in self._schemas:
                    advance(connection, schema)
                connection.execute("COMMIT")
            except BaseException:
                _end(connection, "ROLLBACK")
                raise
        except StoreError as error:
            raise StoreError(f"{self.path}: {error}") from error

    def _use_log(self, connection: Connection) -> None:
        """Switch to the write-ahead log. Several who begin at the same time get no turn here, so each asks again."""
        import sqlite3

        until = monotonic() + self._patience
        while True:
            try:
                # On file systems without shared memory the answer is another mode, which is slower and as safe.
                connection.execute("PRAGMA journal_mode = WAL").fetchone()
            except sqlite3.OperationalError as error:
                if not is_busy(error) or monotonic() > until:
                    raise
                time.sleep(0.01)
            else:
                return


def _end(connection: Connection, statement: str) -> None:
    """End a transaction that may have ended already. A failure here has a cause, and that is what travels."""
    import sqlite3

    if connection.in_transaction:
        with contextlib.suppress(sqlite3.Error):
            connection.execute(statement)
