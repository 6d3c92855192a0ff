"""What a parent decides about its workers: how many to start, whom to let go, when to try again, whom to end."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from wheatpaste.server.processes.backoff import FIRST, HEALTHY, LONGEST, Backoff
from wheatpaste.server.processes.child import Child, how_it_ended
from wheatpaste.server.processes.generation import Generation, Habits
from wheatpaste.server.processes.health import ABORT, START, Health
from wheatpaste.server.processes.replacement import next_steps
from wheatpaste.server.processes.report import totals_of
from wheatpaste.testing import Clock


def work(worker: Any) -> int:
    raise AssertionError("nobody works here")


OLD = Generation((), Habits(), work, 1)
NEW = Generation((), Habits(), work, 2)
CODES = {
    "r": (NEW, "ready", None),
    "s": (NEW, "starting", None),
    "l": (NEW, "ready", "it has served enough"),
    "R": (OLD, "ready", None),
    "S": (OLD, "starting", None),
    "d": (OLD, "draining", None),
}


def children(codes: str) -> list[Child]:
    """One child for each letter: r(eady), s(tarting), l(eaving); R and S are of the generation before, d drains."""
    found = []
    for number, code in enumerate(codes):
        child = Child(1000 + number, CODES[code][0], float(number))
        child.state, child.leaving = CODES[code][1], CODES[code][2]  # type: ignore[assignment]
        found.append(child)
    return found


@pytest.mark.parametrize(
    ("there", "wanted", "start", "drained"),
    [
        pytest.param("", 2, 2, "", id="all of the first ones at once"),
        pytest.param("rr", 2, 0, "", id="nothing where all is well"),
        pytest.param("r", 2, 1, "", id="one for the one that died"),
        pytest.param("rs", 2, 0, "", id="none beside one that is starting"),
        pytest.param("rdd", 2, 1, "", id="those that drain are not counted"),
        pytest.param("rl", 2, 1, "", id="a substitute before the old one goes"),
        pytest.param("rsl", 2, 0, "", id="the old one stays while its substitute starts"),
        pytest.param("rrl", 2, 0, "2", id="the old one goes when its substitute is ready"),
        pytest.param("rRR", 2, 0, "1", id="one old one goes for the first new one"),
        pytest.param("rR", 2, 1, "", id="then the next new one starts"),
        pytest.param("rrRR", 2, 0, "23", id="all old ones go when all new ones are ready"),
        pytest.param("rRRRRRRRR", 8, 1, "1", id="a quarter more than wanted at most"),
        pytest.param("RRRRRRRR", 8, 2, "", id="a quarter of many at a time"),
        pytest.param("rS", 1, 0, "1", id="an old one that is not ready goes at once"),
        pytest.param("rrr", 2, 0, "2", id="the youngest goes where there is one too many"),
        pytest.param("rrs", 2, 0, "2", id="one that is starting goes before one that serves"),
        pytest.param("l", 1, 1, "", id="also the only one gets a substitute first"),
    ],
)
def test_it_starts_and_drains(there: str, wanted: int, start: int, drained: str) -> None:
    steps = next_steps(children(there), NEW, wanted)
    assert steps.start == start
    assert sorted(child.pid - 1000 for child in steps.drain) == [int(digit) for digit in drained]


def test_a_roll_over_never_leaves_fewer_that_answer_than_wanted() -> None:
    there = children("RRRR")
    for _ in range(40):
        steps = next_steps(there, NEW, 4)
        for child in steps.drain:
            child.state = "draining"
        assert sum(child.state == "ready" for child in there) >= 4
        assert sum(child.state != "draining" for child in there) <= 5
        for child in there:
            if child.state == "starting":
                child.state = "ready"
        fresh = children("s" * steps.start)
        there += fresh
    assert [child.generation for child in there if child.state == "ready"] == [NEW] * 4


def test_one_death_costs_no_time_and_more_cost_ever_more() -> None:
    backoff = Backoff()
    waits = [backoff.ended(0.0, 0.0) for _ in range(12)]
    assert waits[:4] == [0.0, FIRST, 2 * FIRST, 4 * FIRST]
    assert max(waits) == waits[-1] == LONGEST
    assert backoff.left(10.0) == LONGEST - 10


def test_a_worker_that_served_for_long_starts_the_count_anew() -> None:
    backoff = Backoff()
    for _ in range(5):
        backoff.ended(0.0, 0.0)
    assert backoff.ended(0.0, HEALTHY) == 0.0


def test_good_health_is_news_only_after_trouble() -> None:
    backoff = Backoff()
    assert not backoff.healthy()
    backoff.ended(0.0, 0.0)
    assert not backoff.healthy()
    backoff.ended(0.0, 0.0)
    backoff.ended(0.0, 0.0)
    assert backoff.healthy()
    assert backoff.left(0.0) == 0.0


class Signalled(Child):
    """A child that only remembers its signals."""

    def __init__(self, habits: Habits | None = None) -> None:
        super().__init__(1, Generation((), habits or Habits(), work), 0.0)
        self.signals: list[int] = []

    def signal(self, number: int) -> None:
        self.signals.append(number)


def look(health: Health, clock: Clock, seconds: float, *there: Child) -> list[str]:
    """Pass time second by second, as the parent does."""
    found = []
    for _ in range(int(seconds)):
        clock.advance(1)
        found += [why for _, why in health.look(there)]
    return found


def test_a_silent_worker_is_made_to_say_where_it_is_and_then_killed(clock: Clock) -> None:
    child = Signalled(Habits(silence=20))
    child.state = "ready"
    child.heard = clock.monotonic()
    health = Health(clock.monotonic)
    look(health, clock, 20, child)
    assert child.signals == []
    look(health, clock, 1, child)
    assert child.signals == [signal.SIGABRT]
    assert child.state == "draining"  # another one is started at once
    look(health, clock, ABORT, child)
    assert child.signals == [signal.SIGABRT, signal.SIGKILL]


def test_workers_are_not_blamed_for_the_time_in_which_everything_was_stopped(clock: Clock) -> None:
    child = Signalled(Habits(silence=20))
    child.state = "ready"
    child.heard = clock.monotonic()
    health = Health(clock.monotonic)
    clock.advance(3600)
    assert health.look([child]) == []
    assert child.signals == []


def test_a_worker_that_speaks_but_whose_engine_stands_still_is_replaced(clock: Clock) -> None:
    child = Signalled(Habits(silence=20))
    child.state = "ready"
    health = Health(clock.monotonic)
    found = []
    for second in range(30):
        child.heard = clock.monotonic()
        child.take_report({"progress": min(second, 5)}, clock.monotonic())
        found += look(health, clock, 1, child)
        if found:
            break
    assert found == ["its engine has not gone on for 20 seconds"]
    assert 20 < clock.monotonic() < 30
    assert child.signals == []


def test_a_worker_that_never_gets_ready_is_killed(clock: Clock) -> None:
    child = Signalled()
    child.started = clock.monotonic()
    health = Health(clock.monotonic)
    for _ in range(int(START) + 1):
        child.heard = clock.monotonic() + 1
        look(health, clock, 1, child)
    assert child.signals == [signal.SIGABRT]


def test_a_worker_that_does_not_drain_in_time_is_killed(clock: Clock) -> None:
    child = Signalled()
    child.state = "ready"
    child.drain(clock.monotonic(), 5)
    health = Health(clock.monotonic)
    look(health, clock, 4, child)
    assert child.signals == []
    look(health, clock, 1, child)
    assert child.signals == [signal.SIGKILL]


def test_a_worker_above_the_ceiling_of_memory_is_replaced(clock: Clock) -> None:
    sizes = {1: 500}
    child = Signalled(Habits(max_memory=1000))
    child.state = "ready"
    child.heard = clock.monotonic()
    health = Health(clock.monotonic, sizes.get)
    assert look(health, clock, 1, child) == []
    sizes[1] = 1001
    assert look(health, clock, 1, child) == ["it holds more memory than 1000 bytes"]


@pytest.mark.parametrize(
    ("status", "words"),
    [(0, "ended with exit code 0"), (3 << 8, "ended with exit code 3"), (9, "was ended by SIGKILL")],
)
def test_it_says_how_a_worker_ended(status: int, words: str) -> None:
    assert how_it_ended(status) == words


def test_reports_add_up_even_where_there_is_none_yet() -> None:
    report = {"progress": 3, "threads": 4, "busy": 1, "hung": 0, "waiting": 2, "connections": 5, "requests": 70}
    assert totals_of([{}, report, report])["requests"] == 140
    assert totals_of([])["threads"] == 0
