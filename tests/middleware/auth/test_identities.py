"""Who of a provider is which account, in each kind of tables."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from wheatpaste.middleware.auth.identities import SCHEMA, Identities
from wheatpaste.middleware.storage.places import tables_of
from wheatpaste.middleware.storage.schema import Schema
from wheatpaste.testing import Clock

A, B = "https://a.example", "https://b.example"


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.slow)])
def links(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[Identities]:
    url = {"memory": "memory:", "sqlite": f"sqlite:///{tmp_path}/links.sqlite"}.get(request.param)
    tables = tables_of(url or request.getfixturevalue("postgres_server").url(), SCHEMA)
    yield Identities(tables, clock.time)
    tables.close()


def test_a_link_leads_to_its_account_and_to_no_other(links: Identities) -> None:
    links.link(A, "s", "local:1", "corp")
    for issuer, subject, account in (
        (A, "s", "local:1"),
        (B, "s", None),
        (A, "S", None),
        (A, "s ", None),
        ("", "s", None),
    ):
        found = links.find(issuer, subject)
        assert (None if found is None else found.account) == account, (issuer, subject)


def test_who_is_linked_stays_linked_to_the_first(links: Identities) -> None:
    assert links.link(A, "s", "local:1", "corp").account == "local:1"
    assert links.link(A, "s", "local:2", "corp").account == "local:1"


def test_of_many_at_once_one_is_linked_and_all_are_told_which(links: Identities) -> None:
    start, found = threading.Barrier(5), []

    def link(number: int) -> None:
        start.wait(10)
        found.append(links.link(A, "s", f"local:{number}", "corp").account)

    threads = [threading.Thread(target=link, args=(number,)) for number in range(5)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(20)
    assert len(found) == 5
    assert len(set(found)) == 1


def test_an_account_shows_its_links_and_when_they_were_used(links: Identities, clock: Clock) -> None:
    links.link(A, "s", "local:1", "corp")
    clock.advance(5)
    links.link(B, "s", "local:1", "other")
    links.link(B, "t", "local:2", "other")
    clock.advance(5)
    links.used(A, "s")
    now = clock.time()
    assert [(each.issuer, each.provider, each.created, each.used) for each in links.of("local:1")] == [
        (A, "corp", now - 10, now),
        (B, "other", now - 5, now - 5),
    ]


def test_an_account_that_is_gone_is_forgotten(links: Identities) -> None:
    links.link(A, "s", "local:1", "corp")
    links.link(A, "t", "local:2", "corp")
    links.forget("local:1")
    assert links.find(A, "s") is None
    assert links.find(A, "t") is not None


def test_a_link_that_was_removed_leads_nowhere(links: Identities) -> None:
    links.link(A, "s", "local:1", "corp", "Alice")
    assert not links.unlink("local:2", A, "s"), "it is another account's"
    assert not links.unlink("local:1", B, "s")
    assert [each.label for each in links.of("local:1")] == ["Alice"]
    assert links.unlink("local:1", A, "s")
    assert links.find(A, "s") is None
    assert not links.unlink("local:1", A, "s")
    assert links.link(A, "s", "local:2", "corp").account == "local:2"


@pytest.mark.parametrize(
    ("keep", "is_removed"),
    [(None, True), ((A,), True), ((B,), False), ((), False), ((A, B), True)],
    ids=["no wish", "one of the same stays", "of another none stays", "none counts", "one of both stays"],
)
def test_one_can_be_kept(links: Identities, keep: tuple[str, ...] | None, is_removed: bool) -> None:
    links.link(A, "s", "local:1", "corp")
    links.link(A, "t", "local:1", "corp")
    links.link(B, "s", "local:2", "corp")
    assert links.unlink("local:1", A, "s", keep_one_of=keep) is is_removed
    assert len(links.of("local:1")) == (1 if is_removed else 2)


def test_of_the_last_two_that_are_removed_at_once_one_stays(links: Identities) -> None:
    for number in range(8):
        account = f"local:{number}"
        links.link(A, f"s{number}", account, "corp")
        links.link(A, f"t{number}", account, "corp")
        removed: list[bool] = []
        start = threading.Barrier(2)

        def remove(subject: str, account: str = account, start: threading.Barrier = start) -> None:
            start.wait(10)
            removed.append(links.unlink(account, A, subject, keep_one_of=(A,)))  # noqa: B023

        threads = [threading.Thread(target=remove, args=(f"{each}{number}",)) for each in "st"]
        for each in threads:
            each.start()
        for each in threads:
            each.join(20)
        assert sorted(removed) == [False, True]
        assert len(links.of(account)) == 1


def test_links_from_before_have_no_label(tmp_path: Path, clock: Clock) -> None:
    url = f"sqlite:///{tmp_path}/links.sqlite"
    before = tables_of(url, Schema(SCHEMA.name, SCHEMA.steps[:1]))
    before.query(
        "INSERT INTO identities (issuer, subject, account, provider, created, used) VALUES (?, ?, ?, ?, ?, ?)",
        (A, "s", "local:1", "corp", 1.0, 2.0),
    )
    before.close()
    tables = tables_of(url, SCHEMA)
    links = Identities(tables, clock.time)
    assert [each.label for each in links.of("local:1")] == [""]
    links.used(A, "s", "Alice")
    assert [each.label for each in links.of("local:1")] == ["Alice"]
    tables.close()
