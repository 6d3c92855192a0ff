"""Records behave as frozen dataclasses do."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
import subprocess
import sys
from types import MappingProxyType
from typing import Any, ClassVar

import pytest

from wheatpaste.config.options import component, option
from wheatpaste.config.records import field, record, replace


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


@record(kw_only=True)
class Box:
    """A record whose fields are given by name."""

    kinds: ClassVar[int] = 2
    depth: int = 1


@record
class Crate(Box):
    """One that has the fields of another before its own."""

    label: str = "none"


@record
class Mixed:
    """One with fields of ``dataclasses``."""

    x: list[int] = dataclasses.field(default_factory=list, repr=False, kw_only=True)
    y: int = dataclasses.field(default=3, compare=False, metadata={"unit": "m"})


def test_its_fields_may_be_by_name_alone() -> None:
    make: Any = Box
    assert make(depth=3).depth == 3
    with pytest.raises(TypeError, match="takes 0 positional"):
        make(3)


def test_what_belongs_to_the_class_is_no_field() -> None:
    assert [each.name for each in dataclasses.fields(Box)] == ["depth"]
    assert Box().kinds == 2


def test_it_has_the_fields_of_the_record_that_it_extends() -> None:
    assert repr(Crate("fragile", depth=2)) == "Crate(depth=2, label='fragile')"
    assert [(each.name, each.kw_only) for each in dataclasses.fields(Crate)] == [("depth", True), ("label", False)]


def test_it_takes_the_fields_of_dataclasses() -> None:
    made = Mixed(5, x=[1])
    assert (made.x, made.y, repr(made)) == ([1], 5, "Mixed(y=5)")
    assert Mixed(1) == Mixed(2)
    assert Mixed().x is not Mixed().x
    assert dataclasses.fields(Mixed)[1].metadata == {"unit": "m"}


def test_it_refuses_a_default_that_all_instances_would_share() -> None:
    with pytest.raises(ValueError, match=r"Shared\.x: all instances would share this default"):

        @record
        class Shared:
            x: list[int] = []


def test_a_read_only_mapping_may_be_a_default() -> None:
    nothing: MappingProxyType[str, int] = MappingProxyType({})

    @record
    class Sparse:
        x: MappingProxyType[str, int] = nothing

    assert Sparse().x is nothing
    assert [each.name for each in dataclasses.fields(Sparse)] == ["x"]
    assert dataclasses.replace(Sparse()).x is nothing


def test_a_pattern_takes_it_apart() -> None:
    match Point(1, 7):
        case Point(x, y):
            assert (x, y) == (1, 7)
        case _:
            raise AssertionError


def test_replace_makes_another_one_and_computes_anew() -> None:
    before = Point(1, note="n")
    after = replace(before, y=5)
    assert (after.length, after.note, before.y) == (6, "n", 2)
    with pytest.raises(TypeError, match="unexpected keyword argument 'z'"):
        replace(before, z=1)


def test_it_is_made_and_used_without_the_module_of_dataclasses() -> None:
    code = (
        "import sys\n"
        "before = set(sys.modules)\n"
        "from wheatpaste.config.problems import Problem\n"
        "from wheatpaste.config.records import replace\n"
        "assert str(replace(Problem(what='is wrong'), key='x')) == 'x: is wrong'\n"
        "print(*{'dataclasses', 'inspect'} & (set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("", "")
