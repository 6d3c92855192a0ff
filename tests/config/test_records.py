"""Frozen dataclasses with shared methods behave as those with methods of their own."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from dataclasses import field
from typing import Any

import pytest

from wheatpaste.config.options import component, option
from wheatpaste.config.records import record


@record
class Point:
    """A place."""

    x: int
    y: int = 2
    tags: list[str] = field(default_factory=list, compare=False)
    note: str = field(default="", repr=False)
    length: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "length", self.x + self.y)


@component
class Door:
    """A component."""

    app: Any = field(kw_only=False)
    width: int = option(default=3, doc="How wide.")


def test_it_takes_arguments_by_position_and_by_name_and_fills_in_the_rest() -> None:
    made = Point(1, note="n")
    assert (made.x, made.y, made.tags, made.note, made.length) == (1, 2, [], "n", 3)
    assert Point(1).tags is not Point(1).tags


@pytest.mark.parametrize(
    ("positional", "named", "words"),
    [
        ((), {}, "'x'"),
        ((1, 2, [], "", 5), {}, "takes 4 positional"),
        ((1,), {"x": 1}, "multiple values for argument 'x'"),
        ((1,), {"z": 1}, "unexpected keyword argument 'z'"),
        ((1,), {"length": 1}, "unexpected keyword argument 'length'"),
    ],
    ids=["one misses", "too many", "one twice", "an unknown one", "one that is computed"],
)
def test_it_refuses_what_a_call_must_not_hold(positional: tuple[Any, ...], named: dict[str, Any], words: str) -> None:
    make: Any = Point
    with pytest.raises(TypeError, match=words):
        make(*positional, **named)


def test_it_never_changes() -> None:
    made: Any = Point(1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.x = 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        del made.x
    assert made.x == 1


def test_it_is_compared_and_hashed_by_its_fields() -> None:
    assert Point(1) == Point(1, tags=["other"])
    assert hash(Point(1)) == hash(Point(1))
    assert Point(1) != Point(2)
    assert Point(1) != (1, 2, "", 3)


def test_a_component_is_equal_to_itself_alone() -> None:
    assert Door(None) != Door(None)
    assert len({Door(None), Door(None)}) == 2


def test_its_repr_shows_the_fields_that_may_be_shown() -> None:
    assert repr(Point(1, note="hidden")) == "Point(x=1, y=2, tags=[], length=3)"


def test_dataclasses_know_it() -> None:
    assert dataclasses.replace(Point(1), y=5).length == 6
    assert [each.name for each in dataclasses.fields(Point)] == ["x", "y", "tags", "note", "length"]


def test_it_survives_copying_and_pickling() -> None:
    made = Point(1, 7)
    assert copy.copy(made) == copy.deepcopy(made) == pickle.loads(pickle.dumps(made)) == made


def test_its_signature_is_that_of_its_fields() -> None:
    assert str(inspect.signature(Door)).startswith("(app: 'Any', *, width: 'int' = 3)")
    assert list(inspect.signature(Point).parameters) == ["x", "y", "tags", "note"]
    assert not hasattr(Door(None), "__signature__")
