"""What a site opens while it serves, it lets go of when it has served; and it serves again all the same."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from auth_assembled import assembling
from auth_pages import CHEAP, Clock, Visitor

from wheatpaste.middleware.auth.accounts.options import StoreOptions
from wheatpaste.middleware.auth.auth import Guard
from wheatpaste.middleware.auth.authkit_filter.filter import AuthKit
from wheatpaste.middleware.auth.authkit_filter.wishes import Text
from wheatpaste.middleware.auth.authority import Authority
from wheatpaste.middleware.auth.sources.callable_source import CallableSource
from wheatpaste.middleware.auth.sources.options import UserOptions

pytestmark = pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="only Linux tells what is open")

OF_AUTHKIT = """
CREATE TABLE groups (uid INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE roles (uid INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE users (uid INTEGER PRIMARY KEY, username TEXT, password TEXT, group_uid INTEGER);
CREATE TABLE users_roles (user_uid INTEGER, role_uid INTEGER);
INSERT INTO users VALUES (1, 'ada', 'secret', NULL);
"""


class Everybody(CallableSource):
    """A source of a site's own, that counts how often it was closed."""

    def __init__(self) -> None:
        super().__init__(lambda environ, name, password: password == "secret")
        self.times_closed = 0

    def close(self) -> None:
        self.times_closed += 1


def hello(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK" if "REMOTE_USER" in environ else "401 Unauthorized", [("Content-Type", "text/plain")])
    return [environ.get("REMOTE_USER", "").encode()]


def open_files(folder: Path) -> set[str]:
    """The names of the files of a folder that this process has open."""
    found = set()
    for each in os.listdir("/proc/self/fd"):
        try:
            path = Path(os.readlink(f"/proc/self/fd/{each}"))
        except FileNotFoundError:  # the listing itself
            continue
        if path.parent == folder and path.name.endswith(".db"):
            found.add(path.name)
    return found


@pytest.fixture
def assemble(tmp_path: Path) -> Iterator[Callable[..., Authority]]:
    """A site whose tables, sessions and users are in files of their own: ``assemble(UserOptions(…))``."""
    store = StoreOptions(url=f"sqlite:///{tmp_path / 'auth.db'}", sessions=f"sqlite:///{tmp_path / 'sessions.db'}")
    with assembling(tmp_path, Clock()) as of:
        yield lambda users: of(store=store, users=users)


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """A database with ada in it, as AuthKit's drivers filled it."""
    connection = sqlite3.connect(tmp_path / "theirs.db")
    connection.executescript(OF_AUTHKIT)
    connection.close()
    return tmp_path / "theirs.db"


def as_authkits(path: Path) -> UserOptions:
    return UserOptions(source=("local", "authkit_db"), authkit_db=f"sqlite:///{path}")


def as_ones_own(path: Path) -> UserOptions:
    query = "SELECT username AS name, password FROM users WHERE username = :name"
    return UserOptions(source=("local", "sql"), sql=f"sqlite:///{path}", sql_query=query)


@pytest.mark.parametrize("options_for", [as_authkits, as_ones_own], ids=["authkit_db", "sql"])
def test_it_closes_tables_and_store_and_the_databases_of_others(
    options_for: Callable[[Path], UserOptions], assemble: Any, theirs: Path
) -> None:
    authority = assemble(options_for(theirs))
    visitor = Visitor(Guard(hello, authority))
    visitor.login()
    assert authority.directory.find("ada") is not None
    assert open_files(theirs.parent) == {"auth.db", "sessions.db", "theirs.db"}
    authority.close()
    assert open_files(theirs.parent) == set()
    assert visitor.get("/").text == "bob"
    assert authority.directory.find("ada") is not None


@pytest.mark.parametrize("encrypt", ["", "base64:b64encode"], ids=["plain", "encrypted by a function"])
def test_a_configuration_of_authkit_closes_its_database(encrypt: str, theirs: Path) -> None:
    keys = {
        "setup.method": "basic",
        "basic.authenticate.user.type": "authkit.users.sqlalchemy_driver:UsersFromDatabase",
        "basic.authenticate.user.data": f"sqlite:///{theirs}",
    }
    if encrypt:
        keys["basic.authenticate.user.encrypt"] = encrypt
    filtered = AuthKit(hello, keys={key: Text(value) for key, value in keys.items()}, audit="none", argon2=CHEAP)
    filtered._guarded._authority.directory.find("ada")  # type: ignore[attr-defined]
    assert open_files(theirs.parent) == {"theirs.db"}
    filtered.close()
    assert open_files(theirs.parent) == set()


@pytest.mark.parametrize(("given", "times"), [(Everybody, 1), (Everybody(), 0)], ids=["a class", "what a module holds"])
def test_a_source_of_ones_own_is_closed_where_it_was_made_here(given: Any, times: int, assemble: Any) -> None:
    authority = assemble(UserOptions(source=("local", "callable"), callable=given))
    source = authority.directory.source("callable")
    authority.close()
    assert source.times_closed == times


def test_it_closes_all_the_rest_where_one_cannot_be_closed(assemble: Any, theirs: Path) -> None:
    class Broken(Everybody):
        def close(self) -> None:
            raise OSError("the line is dead")

    authority = assemble(UserOptions(source=("local", "callable"), callable=Broken))
    authority.store.put("tests", "key", b"value")
    with pytest.raises(OSError, match="the line is dead"):
        authority.close()
    assert open_files(theirs.parent) == set()
    authority.closers.clear()
