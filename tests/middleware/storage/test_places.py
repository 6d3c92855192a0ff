"""What an URL says about where things are kept."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from wheatpaste.config.problems import ConfigError
from wheatpaste.middleware.storage.database import Database
from wheatpaste.middleware.storage.memory import MemoryStore
from wheatpaste.middleware.storage.memory_tables import MemoryTables
from wheatpaste.middleware.storage.places import store_complaint, store_of, tables_complaint, tables_of
from wheatpaste.middleware.storage.postgres import PostgresTables
from wheatpaste.middleware.storage.redis_store import RedisStore
from wheatpaste.middleware.storage.table_store import TableStore

PASSWORD = "pa55/w0rd@x"


def test_an_url_names_a_store(tmp_path: Path):
    assert isinstance(store_of("memory:"), MemoryStore)
    store = store_of(f"sqlite:///{tmp_path}/a b.sqlite")
    assert not list(tmp_path.iterdir())  # nothing happens before it is used
    store.put("a", "k", b"one")
    store.close()
    assert (tmp_path / "a b.sqlite").exists()


def test_an_url_names_tables(tmp_path: Path):
    assert isinstance(tables_of("memory:"), MemoryTables)
    assert isinstance(tables_of(f"sqlite:///{tmp_path}/a.sqlite"), Database)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://nobody@127.0.0.1:1/none",
        "postgres:///none",
        "postgresql://nobody@one:1,two:2/none?target_session_attrs=read-write",
        "postgresql://[::1]:5432/none?schema=wiki&sslmode=verify-full",
    ],
)
def test_nothing_is_asked_of_postgresql_before_it_is_used(url: str):
    assert isinstance(tables_of(url), PostgresTables)
    assert isinstance(store_of(url), TableStore)


@pytest.mark.parametrize(
    "url",
    [
        "redis://127.0.0.1:1",
        "redis://127.0.0.1:1/",
        "rediss://user:word@[::1]:6380/15",
        "valkey://localhost/3?namespace=wiki",
        "valkeys://localhost",
        "unix:///run/redis.sock?db=3",
    ],
)
def test_nothing_is_asked_of_redis_before_it_is_used(url: str):
    assert isinstance(store_of(url), RedisStore)


@pytest.mark.parametrize(
    ("url", "phrase"),
    [
        ("", "must be memory:, sqlite:///PATH or postgresql://USER@HOST/DATABASE"),
        ("memory", "must be memory:, sqlite:///PATH or"),
        ("memory:x", "must be memory:, sqlite:///PATH or"),
        ("mysql://localhost/x", "must be memory:, sqlite:///PATH or"),
        ("/var/lib/x.sqlite", "must be memory:, sqlite:///PATH or"),
        ("sqlite:", "must be sqlite:///PATH, with a fourth slash before an absolute path"),
        ("sqlite:///", "must be sqlite:///PATH, with a fourth slash before an absolute path"),
        ("sqlite://x.sqlite", "must be sqlite:///PATH, with a fourth slash before an absolute path"),
        ("postgresql:x", "must be postgresql://USER@HOST/DATABASE"),
        (f"postgresql://bob:{PASSWORD}@localhost/x", "in a password write / as %2F"),
        ("postgresql://[::1/x", "has a host or port that cannot be read"),
    ],
)
def test_what_names_no_tables_is_refused_with_what_to_write(url: str, phrase: str):
    for of in (tables_of, store_of):
        with pytest.raises(ValueError, match=".") as caught:
            of(url)
        assert phrase in str(caught.value)
        assert "w0rd" not in str(caught.value)
    assert phrase in (tables_complaint(url) or "")


@pytest.mark.parametrize(
    ("query", "phrase"),
    [
        ("sslmode", "has parameters that cannot be read"),
        ("wrong=1", "has no parameter 'wrong'"),
        ("schema=a%20b", "schema must be letters, digits and _"),
    ],
)
def test_what_postgresql_cannot_be_told_is_refused(query: str, phrase: str):
    with pytest.raises(ValueError, match=phrase):
        tables_of(f"postgresql://bob:word@localhost/x?{query}")


@pytest.mark.parametrize(
    ("url", "phrase"),
    [
        ("redis:", "must be redis://HOST:PORT/NUMBER"),
        ("redis://", "must be redis://HOST:PORT/NUMBER"),
        ("redis://localhost/cache", "must be redis://HOST:PORT/NUMBER, with the number of a database"),
        (f"redis://:{PASSWORD}@localhost/1", "in a password write / as %2F"),
        ("unix://run/redis.sock", "must be unix:///PATH?db=NUMBER"),
    ],
)
def test_what_names_no_redis_is_refused_with_what_to_write(url: str, phrase: str):
    with pytest.raises(ValueError, match=".") as caught:
        store_of(url)
    assert phrase in str(caught.value)
    assert "w0rd" not in str(caught.value)
    assert store_complaint(url) == str(caught.value)


@pytest.mark.parametrize(
    ("query", "phrase"),
    [
        ("wrong=1", "has no parameter 'wrong'"),
        ("db=x", "db must be a number"),
        ("ssl_ca_certs=/x", "'ssl_ca_certs', which is for rediss:// alone"),
    ],
)
def test_what_redis_cannot_be_told_is_refused(query: str, phrase: str):
    with pytest.raises(ValueError, match=phrase):
        store_of(f"redis://localhost/1?{query}")


def test_redis_has_no_tables():
    with pytest.raises(ValueError, match="Redis keeps sessions and counts, and has no tables"):
        tables_of("redis://localhost/1")


@pytest.mark.parametrize(
    ("url", "package", "module", "extra"),
    [
        ("postgresql://localhost/x", "psycopg", "postgres", r"run: pip install 'wheatpaste\[postgres\]'"),
        ("redis://localhost/1", "redis", "redis_store", r"run: pip install 'wheatpaste\[redis\]'"),
    ],
)
def test_a_missing_driver_is_named_with_its_extra(
    url: str, package: str, module: str, extra: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, f"wheatpaste.middleware.storage.{module}", raising=False)
    with pytest.raises(ConfigError, match=f"needs the package {package}.*{extra}"):
        store_of(url)
