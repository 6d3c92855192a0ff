"""Links, passes and failures: who gets in, for how long, and what guessing brings."""

from __future__ import annotations

import threading
from itertools import count

import pytest

from wheatpaste.middleware.errors.console.gate import IDLE_SECONDS, LINK_SECONDS, MOST_FAILURES, Gate, Pass
from wheatpaste.testing import Clock


@pytest.fixture
def gate(clock: Clock) -> Gate:
    numbers = count()
    return Gate(clock=clock.monotonic, make_secret=lambda: f"secret-{next(numbers)}")


def test_a_link_gives_a_pass_once(gate: Gate) -> None:
    secret = gate.new_link()
    assert secret is not None
    made = gate.redeem(secret)
    assert made is not None
    assert gate.admits([made.cookie], made.key)
    assert gate.redeem(secret) is None


def test_a_replayed_link_does_not_end_the_pass(gate: Gate) -> None:
    made = gate.redeem(gate.new_link() or "")
    assert made is not None
    gate.redeem("secret-0")
    assert gate.admits([made.cookie], made.key)


def test_one_link_waits_at_a_time(gate: Gate, clock: Clock) -> None:
    first = gate.new_link()
    assert gate.new_link() is None
    clock.advance(LINK_SECONDS)
    second = gate.new_link()
    assert second is not None
    assert gate.redeem(first or "") is None
    assert gate.redeem(second) is not None


def test_an_old_link_is_none(gate: Gate, clock: Clock) -> None:
    secret = gate.new_link()
    clock.advance(LINK_SECONDS)
    assert gate.redeem(secret or "") is None


def test_a_wrong_guess_does_not_use_up_the_link(gate: Gate) -> None:
    secret = gate.new_link()
    assert gate.redeem("wrong") is None
    assert gate.redeem(secret or "") is not None


@pytest.mark.parametrize("half", ["cookie", "key"])
def test_half_a_pass_is_none(gate: Gate, half: str) -> None:
    made = gate.redeem(gate.new_link() or "")
    assert made is not None
    halves = {"cookie": made.cookie, "key": made.key, half: "wrong"}
    assert not gate.admits([halves["cookie"]], halves["key"])
    other = gate.redeem(gate.new_link() or "")
    assert other is not None
    assert not gate.admits([made.cookie], other.key)


def test_a_pass_that_is_not_used_ends(gate: Gate, clock: Clock) -> None:
    made = gate.redeem(gate.new_link() or "")
    assert made is not None
    clock.advance(IDLE_SECONDS - 1)
    assert gate.admits([made.cookie], made.key)
    clock.advance(IDLE_SECONDS - 1)
    assert gate.admits([made.cookie], made.key)
    clock.advance(IDLE_SECONDS)
    assert not gate.admits([made.cookie], made.key)


@pytest.mark.parametrize("guess", ["redeem", "admits"])
def test_ten_wrong_guesses_lock_it_for_good(gate: Gate, clock: Clock, guess: str) -> None:
    made = gate.redeem(gate.new_link() or "")
    assert made is not None
    for attempt in range(MOST_FAILURES):
        assert not gate.locked
        if guess == "redeem":
            gate.redeem(f"guess {attempt}")
        else:
            gate.admits([f"guess {attempt}"], "")
    assert gate.locked
    clock.advance(10 * IDLE_SECONDS)
    assert not gate.admits([made.cookie], made.key)
    assert gate.new_link() is None
    assert gate.redeem("secret-0") is None


def test_guesses_of_many_threads_count_together(gate: Gate) -> None:
    started = threading.Barrier(50)
    given = []

    def guess(number: int) -> None:
        started.wait(10)
        given.append(gate.redeem(f"guess {number}"))

    threads = [threading.Thread(target=guess, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert given == [None] * 50
    assert gate.locked


def test_there_are_five_passes_at_most(gate: Gate) -> None:
    made = [gate.redeem(gate.new_link() or "") or Pass("", "") for _ in range(6)]
    assert not gate.admits([made[0].cookie], made[0].key)
    assert all(gate.admits([each.cookie], each.key) for each in made[1:])


def test_cookies_that_others_have_planted_keep_nobody_out_and_are_one_guess(gate: Gate) -> None:
    made = gate.redeem(gate.new_link() or "")
    assert made is not None
    planted = [f"planted {number}" for number in range(15)]
    for _ in range(2 * MOST_FAILURES):
        assert gate.admits([*planted, made.cookie], made.key)
    for _ in range(MOST_FAILURES - 1):
        assert not gate.admits(planted, made.key)
    assert not gate.locked


def test_secrets_cannot_be_guessed_and_are_not_kept() -> None:
    gate = Gate()
    secret = gate.new_link()
    assert secret is not None
    assert len(secret) >= 43  # 256 bits
    assert secret not in repr(vars(gate))
    made = gate.redeem(secret)
    assert made is not None
    assert made.cookie not in repr(vars(gate))


@pytest.mark.parametrize("odd", ["", "\udcff", "é", "x" * 100_000])
def test_odd_secrets_are_wrong_ones(gate: Gate, odd: str) -> None:
    gate.new_link()
    assert gate.redeem(odd) is None
    assert not gate.admits([odd], odd)
