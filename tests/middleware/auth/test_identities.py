"""Who of a provider is which account, in each kind of tables."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from wheatpaste.middleware.auth.identities import SCHEMA, Identities
from wheatpaste.middleware.storage.places import tables_of
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
