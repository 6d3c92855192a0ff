"""A database that belongs to another program: no tables are made in it and nothing of it is changed but rows."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from typing import Any, Protocol

from ....config.problems import ConfigError, Problem
from ...storage.store import StoreError

Row = Mapping[str, Any]


class ForeignTables(Protocol):
    """What can be asked of such a database. Raises ``StoreError``."""

    def query(self, statement: str, **parameters: object) -> list[Row]:
        """The rows of one statement with ``:name`` for each parameter, which is a transaction by itself."""

    def close(self) -> None:
        """Let go of connections."""


def foreign_tables(url: str) -> ForeignTables:
    """The database of an SQLAlchemy URL.

    Raises ``ConfigError`` where SQLAlchemy is not installed, and with the code ``wrong-value`` for what is no such URL.
    """
    try:
        from sqlalchemy import create_engine
        from sqlalchemy.exc import ArgumentError, NoSuchModuleError
    except ImportError as error:
        raise ConfigError(
            Problem(
                what="the users of another program are read with SQLAlchemy, which is not installed",
                fix="run: pip install 'wheatpaste[sql]'",
                code="missing-extra",
            )
        ) from error
    # psycopg is the driver that we have; SQLAlchemy itself would look for another.
    if url.startswith(("postgresql://", "postgres://")):
        url = "postgresql+psycopg://" + url.partition("://")[2]
    try:
        engine = create_engine(url, pool_pre_ping=True, hide_parameters=True)
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        # The message of the first one quotes the URL, with its password.
        told = f" ({error})" if isinstance(error, ImportError | NoSuchModuleError) else ""
        what = f"must be a URL of SQLAlchemy, such as mysql+pymysql://USER@HOST/NAME{told}"
        raise ConfigError(Problem(what=what, code="wrong-value")) from None
    return _Engine(engine)


class _Engine:
    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self._process: int | None = None
        self._lock = threading.Lock()

    def query(self, statement: str, **parameters: object) -> list[Row]:
        """The rows of one statement."""
        from sqlalchemy import text
        from sqlalchemy.exc import SQLAlchemyError

        self._own()
        try:
            with self._engine.begin() as connection:
                result = connection.execute(text(statement), parameters)
                return [dict(row) for row in result.mappings()] if result.returns_rows else []
        except SQLAlchemyError as error:
            raise StoreError(f"the database {self._engine.url!r} cannot be used ({_plain(error)})") from error

    def close(self) -> None:
        """Let go of connections."""
        self._own()
        self._engine.dispose()

    def __del__(self) -> None:
        # As the tables of our own: who drops it has no use for its connections, and those of a parent are the parent's.
        if self._process == os.getpid():
            self._engine.dispose()

    def _own(self) -> None:
        """Connections that were made before a fork are the parent's, and are left to it."""
        if self._process != os.getpid():
            with self._lock:
                if self._process is not None and self._process != os.getpid():
                    self._engine.dispose(close=False)
                self._process = os.getpid()


def _plain(error: Any) -> str:
    """What the driver said, without the statement and the address of the documentation."""
    return str(getattr(error, "orig", None) or type(error).__name__).strip().split("\n")[0]
