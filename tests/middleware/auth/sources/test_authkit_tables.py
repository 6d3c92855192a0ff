"""It reads the database that AuthKit filled, and changes nothing in it unless it is asked to."""

import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from auth_guarded_site import GuardedSite

from wheatpaste.config.problems import ConfigError
from wheatpaste.middleware.auth.account import Account
from wheatpaste.middleware.auth.method import Failed
from wheatpaste.middleware.auth.sources.authkit_tables import AuthKitTables
from wheatpaste.middleware.auth.sources.foreign_tables import foreign_tables
from wheatpaste.middleware.storage.store import StoreError

# What AuthKit's drivers made.
MADE = """
CREATE TABLE groups (uid INTEGER PRIMARY KEY, name VARCHAR(255) NOT NULL UNIQUE);
CREATE TABLE roles (uid INTEGER PRIMARY KEY, name VARCHAR(255) NOT NULL UNIQUE);
CREATE TABLE users (uid INTEGER PRIMARY KEY, username VARCHAR(255) NOT NULL UNIQUE, password VARCHAR(255) NOT NULL,
    group_uid INTEGER REFERENCES groups);
CREATE TABLE users_roles (user_uid INTEGER REFERENCES users, role_uid INTEGER REFERENCES roles);
INSERT INTO groups VALUES (1, 'pylons');
INSERT INTO roles VALUES (1, 'admin'), (2, 'writer'), (3, 'nobodys');
INSERT INTO users VALUES (1, 'bob', 'sesame', 1), (2, 'ann', '9406649867375c79247713a7fb81edf0', NULL),
    (3, 'eve', '', NULL);
INSERT INTO users_roles VALUES (1, 1), (1, 2);
"""


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "users.db"
    with sqlite3.connect(path) as connection:
        connection.executescript(MADE)
    connection.close()
    return path


def rows(path: Path) -> list[Any]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute("SELECT username, password FROM users ORDER BY uid").fetchall()
    finally:
        connection.close()


def source_of(path: Path, **how: Any) -> AuthKitTables:
    return AuthKitTables(foreign_tables(f"sqlite:///{path}"), **how)


def test_it_finds_users_with_their_group_and_roles(database: Path) -> None:
    source = source_of(database)
    bob, ann = source.find("BOB"), source.find("ann")
    assert bob is not None
    assert ann is not None
    assert (bob.id, bob.name, bob.groups, bob.roles) == ("authkit_db:bob", "bob", {"pylons"}, {"admin", "writer"})
    assert (ann.groups, ann.roles) == (frozenset(), frozenset())
    assert source.get("authkit_db:bob") == bob
    assert source.get("authkit_db:BOB") is None
    assert source.find("' OR 1=1 --") is None
    source.close()


def test_a_database_that_compares_otherwise_finds_nobody_under_another_name(tmp_path: Path) -> None:
    path = tmp_path / "loose.db"
    with sqlite3.connect(path) as connection:
        connection.executescript(MADE.replace("username VARCHAR(255)", "username VARCHAR(255) COLLATE RTRIM"))
    connection.close()
    source = source_of(path)
    assert source.find("bob") is not None
    assert source.find("bob ") is None, "guesses at one user would have many names"
    source.close()


def test_passwords_are_what_the_configuration_says(database: Path) -> None:
    plain = GuardedSite(source_of(database))
    assert isinstance(plain.passwords.check(plain.visit(), "bob", "sesame"), Account)
    assert isinstance(plain.passwords.check(plain.visit(), "ann", "password1"), Failed)
    assert isinstance(plain.passwords.check(plain.visit(), "eve", ""), Failed)
    hashed = GuardedSite(source_of(database, encrypt="md5", secret="some secret string"))
    assert isinstance(hashed.passwords.check(hashed.visit(), "ann", "password1"), Account)
    assert isinstance(hashed.passwords.check(hashed.visit(), "bob", "sesame"), Failed)


def test_a_login_changes_nothing_unless_it_is_asked_for(database: Path) -> None:
    before = rows(database)
    site = GuardedSite(source_of(database))
    site.passwords.check(site.visit(), "bob", "sesame")
    assert rows(database) == before


def test_where_it_is_asked_for_a_login_makes_a_better_hash(database: Path) -> None:
    site = GuardedSite(source_of(database, encrypt="md5", secret="some secret string", update=True))
    found = site.passwords.check(site.visit(), "ann", "password1")
    assert isinstance(found, Account)
    assert rows(database)[1][1].startswith("$argon2id$")
    assert rows(database)[0] == ("bob", "sesame")
    again = site.passwords.check(site.visit(), "ann", "password1")
    assert isinstance(again, Account)
    assert again.epoch == found.epoch


def test_nothing_is_made_in_a_database_that_is_not_ours(database: Path) -> None:
    before = database.read_bytes()
    source_of(database).find("bob")
    assert database.read_bytes() == before
    assert [each.name for each in database.parent.iterdir()] == [database.name]


def test_a_database_that_is_gone_lets_nobody_in(database: Path) -> None:
    source = source_of(database)
    source.close()
    connection = sqlite3.connect(database)
    connection.execute("DROP TABLE users_roles")
    connection.execute("DROP TABLE users")
    connection.close()
    with pytest.raises(StoreError, match=r"cannot be used \(no such table: users\)"):
        source.find("bob")
    with pytest.raises(StoreError):
        AuthKitTables(foreign_tables("sqlite:////nonexistent/folder/users.db")).find("bob")


@pytest.mark.parametrize(
    "url",
    ["no url", "nosuchdialect://host/name", "sqlite:/broken:secret-word", "mysql+nosuchdriver://u:secret-word@h/n"],
)
def test_what_is_no_database_is_told_without_its_password(url: str) -> None:
    with pytest.raises(ConfigError, match="must be a URL of SQLAlchemy") as caught:
        foreign_tables(url)
    assert "secret-word" not in str(caught.value)


def test_no_password_of_the_url_is_in_an_error() -> None:
    tables = foreign_tables("postgresql://bob:secret-word@127.0.0.1:1/nothing")
    with pytest.raises(StoreError) as caught:
        tables.query("SELECT 1")
    assert "secret-word" not in str(caught.value)
    assert "127.0.0.1" in str(caught.value)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
def test_a_process_that_was_forked_uses_no_connection_of_its_parent(database: Path) -> None:
    source = source_of(database)
    assert source.find("bob") is not None
    tables: Any = source._tables
    before = tables._engine.pool
    tables._process = -1  # as a child finds it
    assert source.find("bob") is not None
    assert tables._engine.pool is not before
