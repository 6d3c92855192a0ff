"""Where stores and tables are kept, as one word of a configuration."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from ...config.problems import ConfigError, Problem
from .memory import MemoryStore
from .schema import Schema
from .store import Store
from .tables import Tables

TABLES = "memory:, sqlite:///PATH or postgresql://USER@HOST/DATABASE"
STORES = f"{TABLES}, or redis://HOST:PORT/NUMBER"

_POSTGRES = frozenset({"postgresql", "postgres"})
_REDIS = frozenset({"redis", "rediss", "valkey", "valkeys", "unix"})
_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[^:\[\]]*)(?::([0-9]*))?")
_LAST_PORT = 65535
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(?=:)")


def store_of(url: str, clock: Callable[[], float] = time.time) -> Store:
    """The store that an URL names; it is opened when it is first used.

    Raises ``ValueError`` with a phrase that completes "sessions: …", and ``ConfigError`` where the driver is not
    installed.
    """
    complaint = store_complaint(url)
    if complaint is not None:
        raise ValueError(complaint)
    if url == "memory:":
        return MemoryStore(clock)
    if _scheme(url) in _REDIS:
        try:
            from .redis_store import RedisStore
        except ImportError as error:
            raise _lacking("redis", "redis", error) from error
        return RedisStore(url, clock)
    from .table_store import SCHEMA, TableStore

    return TableStore(tables_of(url, SCHEMA), clock)


def tables_of(url: str, *schemas: Schema) -> Tables:
    """The tables that an URL names; they are opened when they are first used. Raises as above."""
    complaint = tables_complaint(url)
    if complaint is not None:
        raise ValueError(complaint)
    if url == "memory:":
        from .memory_tables import MemoryTables

        return MemoryTables(*schemas)
    if _scheme(url) == "sqlite":
        from .database import Database

        return Database(Path(url.removeprefix("sqlite:///")), *schemas)
    try:
        from .postgres import PostgresTables
    except ImportError as error:
        raise _lacking("psycopg", "postgres", error) from error
    return PostgresTables(url, *schemas)


def store_complaint(url: str) -> str | None:
    """What is wrong with the URL of a store, without its password; None if nothing is."""
    if _scheme(url) not in _REDIS:
        return _complaint(url, STORES)
    complaint = _host_complaint(url)
    if complaint is not None:
        return complaint
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return None if parts.path.startswith("/") and not parts.hostname else "must be unix:///PATH?db=NUMBER"
    if not parts.hostname or not re.fullmatch(r"(?:/[0-9]*)?", parts.path):
        return f"must be {parts.scheme}://HOST:PORT/NUMBER, with the number of a database"
    return None


def tables_complaint(url: str) -> str | None:
    """What is wrong with the URL of tables, without its password; None if nothing is."""
    if _scheme(url) in _REDIS:
        return f"must be {TABLES}: Redis keeps sessions and counts, and has no tables"
    return _complaint(url, TABLES)


def _complaint(url: str, wanted: str) -> str | None:
    scheme = _scheme(url)
    if url == "memory:":
        return None
    if scheme == "sqlite":
        if len(url) > len("sqlite:///") and url.startswith("sqlite:///"):
            return None
        return "must be sqlite:///PATH, with a fourth slash before an absolute path"
    if scheme in _POSTGRES:
        if not url.startswith(f"{scheme}://"):
            return "must be postgresql://USER@HOST/DATABASE"
        return _host_complaint(url)
    return f"must be {wanted}"


def _host_complaint(url: str) -> str | None:
    try:
        hosts = urlsplit(url).netloc.rpartition("@")[2].split(",")
    except ValueError:
        hosts = ["["]
    found = [_HOST.fullmatch(each) for each in hosts]
    if any(each is not None and int(each[1] or 0) > _LAST_PORT for each in found):
        return f"has a port that does not exist: the last is {_LAST_PORT}"
    if all(found):
        return None
    return "has a host or port that cannot be read; in a password write / as %2F, @ as %40 and so on"


def _scheme(url: str) -> str:
    found = _SCHEME.match(url)
    return found[0] if found is not None else ""


def _lacking(package: str, extra: str, error: ImportError) -> ConfigError:
    return ConfigError(
        Problem(
            what=f"the store needs the package {package}, which cannot be imported ({error})",
            fix=f"run: pip install 'wheatpaste[{extra}]'",
            code="missing-extra",
        )
    )
