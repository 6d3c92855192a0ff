"""Links that count once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from auth_pages import Clock
from hypothesis import given
from hypothesis import strategies as st

from wheatpaste.middleware.auth.links import SCHEMA, Links
from wheatpaste.middleware.storage.database import Database
from wheatpaste.middleware.storage.memory_tables import MemoryTables

BOB, EVE = "local:1", "local:2"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def links(clock: Clock) -> Links:
    return Links(MemoryTables(SCHEMA), clock)


def test_it_has_256_bits_and_is_another_each_time(links: Links) -> None:
    tokens = {links.create("invite", BOB) for _ in range(20)}
    assert len(tokens) == 20
    assert {len(token) for token in tokens} == {43}


def test_looking_does_not_use_it_up(links: Links) -> None:
    token = links.create("invite", BOB)
    for _ in range(3):
        found = links.peek("invite", token)
        assert found is not None
        assert found.account == BOB


def test_it_counts_once(links: Links) -> None:
    token = links.create("reset", BOB)
    assert links.take("reset", token) is not None
    assert links.take("reset", token) is None
    assert links.peek("reset", token) is None


def test_of_many_who_use_it_at_once_one_does(tmp_path: Path) -> None:
    tables = Database(tmp_path / "auth.db", SCHEMA)
    links = Links(tables)
    token = links.create("reset", BOB)
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda _: links.take("reset", token), range(32)))
    tables.close()
    assert sum(each is not None for each in taken) == 1


@pytest.mark.parametrize(("kind", "seconds"), [("invite", 7 * 86400), ("reset", 1800)])
def test_it_ends(kind: str, seconds: int, links: Links, clock: Clock) -> None:
    token = links.create(kind, BOB)  # type: ignore[arg-type]
    clock.move(seconds - 1)
    assert links.peek(kind, token) is not None  # type: ignore[arg-type]
    clock.move(2)
    assert links.peek(kind, token) is None  # type: ignore[arg-type]
    assert links.take(kind, token) is None  # type: ignore[arg-type]


def test_one_kind_is_not_the_other(links: Links) -> None:
    token = links.create("invite", BOB)
    assert links.take("reset", token) is None
    assert links.take("invite", token) is not None


def test_a_new_one_voids_those_before(links: Links) -> None:
    old = links.create("reset", BOB)
    other = links.create("reset", EVE)
    links.create("reset", BOB)
    assert links.peek("reset", old) is None
    assert links.peek("reset", other) is not None
    assert len(links.of(BOB)) == 1


def test_the_tables_do_not_tell_it(clock: Clock) -> None:
    tables = MemoryTables(SCHEMA)
    token = Links(tables, clock).create("invite", BOB)
    assert token not in str(tables.query("SELECT * FROM auth_links"))


def test_all_of_an_account_can_be_voided(links: Links) -> None:
    token = links.create("invite", BOB)
    links.forget(BOB)
    assert links.peek("invite", token) is None


@given(st.text(max_size=60))
def test_nothing_that_is_sent_makes_it_fail(token: str) -> None:
    assert Links(MemoryTables(SCHEMA)).take("invite", token) is None
