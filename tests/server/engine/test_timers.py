"""Deadlines of many things, by the second."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from wheatpaste.server.engine.timers import Timers


@dataclass(eq=False)
class Thing:
    """Something with a deadline; ``wanted`` is the one that it was given last."""

    due: int = 0
    wanted: float | None = None


steps = st.lists(
    st.one_of(
        st.tuples(st.just("set"), st.integers(0, 4), st.floats(0, 20)),
        st.tuples(st.just("forget"), st.integers(0, 4), st.just(0.0)),
        st.tuples(st.just("pass"), st.just(0), st.floats(0, 5)),
    ),
    max_size=40,
)


@given(steps)
def test_each_is_told_once_after_its_last_deadline_and_within_a_second(steps: list[tuple[str, int, float]]) -> None:
    timers: Timers[Thing] = Timers()
    things = [Thing() for _ in range(5)]
    now = 0.0
    for what, which, amount in steps:
        thing = things[which]
        if what == "set":
            timers.set(thing, now + amount)
            thing.wanted = now + amount
        elif what == "forget":
            timers.forget(thing)
            thing.wanted = None
        else:
            now += amount
            told = list(timers.take_due(now))
            assert len(told) == len(set(map(id, told)))
            for each in told:
                assert each.wanted is not None
                assert each.wanted <= now
                each.wanted = None
        # Whatever was due a second ago has been told.
        if what == "pass":
            assert not [each for each in things if each.wanted is not None and each.wanted + 1 < now]


def test_one_that_is_told_may_be_set_again_at_once() -> None:
    timers: Timers[Thing] = Timers()
    thing = Thing()
    timers.set(thing, 1.5)
    for now in (2, 3, 4):
        assert list(timers.take_due(now)) == [thing]
        timers.set(thing, now + 0.5)
    timers.forget(thing)
    assert list(timers.take_due(100)) == []


def test_one_that_is_forgotten_while_others_are_told_is_not_told() -> None:
    timers: Timers[Thing] = Timers()
    first, second = Thing(), Thing()
    timers.set(first, 1)
    timers.set(second, 1)
    told = []
    for thing in timers.take_due(5):
        told.append(thing)
        timers.forget(second)
    assert told == [first]


def test_seconds_that_are_over_leave_nothing_behind() -> None:
    timers: Timers[Thing] = Timers()
    things = [Thing() for _ in range(100)]
    for number, thing in enumerate(things):
        timers.set(thing, number)
    assert len(list(timers.take_due(1000))) == 100
    assert not timers._buckets


def test_one_that_is_set_while_its_second_is_being_told_is_told_the_next_time() -> None:
    timers: Timers[Thing] = Timers()
    others: list[Thing] = []

    class Late(Thing):
        """Whoever sets it is held up before it is noted, while somebody else looks."""

        def __hash__(self) -> int:
            if not others:
                others.append(Thing())
                timers.set(others[0], 1.5)
                assert list(timers.take_due(2.0)) == others
            return id(self)

    late = Late()
    timers.set(late, 1.5)
    assert list(timers.take_due(3.0)) == [late]
    assert list(timers.take_due(9.0)) == []
