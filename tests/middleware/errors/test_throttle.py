"""Throttling: the first failure of a kind at once, then digests with counts. A clock comes in, decisions come out."""

from __future__ import annotations

import dataclasses

from error_samples import simple

from wheatpaste.middleware.errors.record import ErrorRecord
from wheatpaste.middleware.errors.render.log_line import as_line
from wheatpaste.middleware.errors.report.throttle import Throttle


def failure(group: str = "E-AAAAA", number: int = 0, time: float = 0.0) -> ErrorRecord:
    return dataclasses.replace(simple(), group=group, id=f"ID-{number}", time=time)


def throttle(interval: float = 60) -> Throttle:
    return Throttle(interval, as_line)


def test_row_38_the_first_of_a_kind_is_told_at_once_and_the_rest_in_a_digest() -> None:
    it = throttle()
    assert [it.admits(failure(number=number, time=100 + number), now=number) for number in range(5)] == [
        True,
        *[False] * 4,
    ]
    assert it.take(59) is None
    assert it.due_at() == 60
    digest = it.take(60)
    assert digest is not None
    (tally,) = digest.tallies
    assert (tally.group, tally.count, tally.first, tally.last) == ("E-AAAAA", 4, 101, 104)
    assert tally.ids == ("ID-2", "ID-3", "ID-4")
    assert "PriceMissing" in tally.line


def test_what_follows_a_digest_waits_for_the_next() -> None:
    it = throttle()
    for now in (0, 1):
        it.admits(failure(), now)
    assert it.take(60) is not None
    assert it.due_at() is None
    assert not it.admits(failure(), 61)
    assert it.due_at() == 120


def test_a_kind_that_was_quiet_for_the_interval_is_new_again() -> None:
    it = throttle()
    assert it.admits(failure(), 0)
    assert not it.admits(failure(), 59)
    assert it.take(60) is not None
    assert it.admits(failure(), 121)


def test_kinds_are_told_apart() -> None:
    it = throttle()
    assert it.admits(failure("E-AAAAA"), 0)
    assert it.admits(failure("E-BBBBB"), 1)


def test_one_digest_tells_of_all_kinds_together() -> None:
    it = throttle()
    for now, group in enumerate(("E-AAAAA", "E-BBBBB", "E-AAAAA", "E-BBBBB")):
        it.admits(failure(group), now)
    digest = it.take(60)
    assert digest is not None
    assert [tally.group for tally in digest.tallies] == ["E-AAAAA", "E-BBBBB"]
    assert it.due_at() is None


def test_a_flood_of_different_kinds_becomes_a_digest_too() -> None:
    it = throttle()
    told = [it.admits(failure(f"E-{number:05}"), now=0) for number in range(500)]
    assert (told.count(True), told[:20]) == (20, [True] * 20)
    digest = it.take(60)
    assert digest is not None
    assert len(digest.tallies) == 480


def test_memory_has_a_bound_and_nothing_goes_uncounted() -> None:
    it = throttle()
    for number in range(5000):
        it.admits(failure(f"E-{number:05}"), now=0)
    digest = it.take(60)
    assert digest is not None
    assert len(digest.tallies) <= 1000
    assert sum(tally.count for tally in digest.tallies) + digest.others == 5000 - 20
    it.take(1000, all_of_it=True)
    assert it.admits(failure("E-ZZZZZ"), 1000)


def test_everything_held_is_told_at_the_end() -> None:
    it = throttle()
    for now in range(3):
        it.admits(failure(), now)
    digest = it.take(3, all_of_it=True)
    assert digest is not None
    assert digest.tallies[0].count == 2
    assert it.take(4, all_of_it=True) is None


def test_without_an_interval_each_is_told() -> None:
    it = throttle(0)
    assert all(it.admits(failure(), 0) for _ in range(100))
    assert it.due_at() is None
