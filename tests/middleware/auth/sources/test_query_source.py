"""It finds users by the deployer's own queries."""

import sqlite3
from pathlib import Path

import pytest
from auth_guarded_site import CHEAP, GuardedSite

from wheatpaste.middleware.auth.account import Account
from wheatpaste.middleware.auth.method import Failed
from wheatpaste.middleware.auth.passwords.hasher import Hasher
from wheatpaste.middleware.auth.sources.foreign_tables import foreign_tables
from wheatpaste.middleware.auth.sources.query_source import QuerySource

QUERY = (
    "SELECT login AS name, pw AS password, mail AS email, locked AS disabled FROM members"
    " WHERE lower(login) = lower(:name)"
)
TEAMS = "SELECT team FROM teams WHERE member = :name"


@pytest.fixture
def source(tmp_path: Path) -> QuerySource:
    connection = sqlite3.connect(tmp_path / "own.db")
    connection.execute("CREATE TABLE members (login TEXT, pw TEXT, mail TEXT, locked INTEGER)")
    connection.execute("CREATE TABLE teams (member TEXT, team TEXT)")
    encoded = Hasher(CHEAP).hash("sesame street")
    connection.executemany(
        "INSERT INTO members VALUES (?, ?, ?, ?)",
        [
            ("Bob", encoded, "bob@example.org", 0),
            ("dan", encoded, None, 1),
            ("eve", None, None, 0),
            ("plain", "sesame street", None, 0),
            ("twice", encoded, None, 0),
            ("TWICE", encoded, None, 0),
        ],
    )
    connection.executemany("INSERT INTO teams VALUES (?, ?)", [("Bob", "staff"), ("Bob", "red"), ("dan", "blue")])
    connection.commit()
    connection.close()
    return QuerySource(foreign_tables(f"sqlite:///{tmp_path / 'own.db'}"), QUERY, TEAMS, "")


def test_a_row_is_a_user(source: QuerySource) -> None:
    bob = source.find("bob")
    assert bob is not None
    assert (bob.id, bob.name, bob.email, bob.disabled) == ("sql:Bob", "Bob", "bob@example.org", False)
    assert (bob.groups, bob.roles) == ({"staff", "red"}, frozenset())
    assert source.get("sql:Bob") == bob
    assert source.get("sql:bob") is None
    assert source.find("nobody") is None
    assert source.find("' OR '1'='1") is None


def test_two_rows_of_one_name_are_nobody(source: QuerySource) -> None:
    assert source.find("twice") is None


@pytest.mark.parametrize("name", ["dan", "eve", "plain", "nobody"])
def test_who_is_locked_or_has_no_hash_cannot_log_in(source: QuerySource, name: str) -> None:
    site = GuardedSite(source)
    assert isinstance(site.passwords.check(site.visit(), name, "sesame street"), Failed)
    assert isinstance(site.passwords.check(site.visit(), "bob", "sesame street"), Account)
