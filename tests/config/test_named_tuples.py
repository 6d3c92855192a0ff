"""Named tuples that are made without the compiler."""

import copy
import inspect
import pickle
import typing

import pytest

from wheatpaste.config.named_tuples import NamedTuple


class Small(NamedTuple):
    """A class with few fields."""

    x: int
    y: "int | None" = None
    z: "tuple[int, ...]" = ()

    @property
    def total(self) -> int:
        """Of the first and the second."""
        return self.x + (self.y or 0)


class Large(NamedTuple):
    a: int
    b: int
    c: int
    d: int
    e: int
    f: int
    g: int
    h: int
    i: int = 9
    j: int = 10


class Empty(NamedTuple):
    pass


@pytest.mark.parametrize("cls", [Small, Large], ids=["few fields", "many fields"])
class TestANamedTuple:
    def test_it_takes_values_in_order_and_by_name(self, cls: typing.Any) -> None:
        count = len(cls._fields)
        values = list(range(count))
        by_name = dict(zip(cls._fields, values, strict=True))
        assert cls(*values) == cls(**by_name) == cls(*values[:1], **dict(list(by_name.items())[1:])) == tuple(values)
        assert [getattr(cls(*values), name) for name in cls._fields] == values

    def test_it_fills_in_defaults(self, cls: typing.Any) -> None:
        count = len(cls._fields) - len(cls._field_defaults)
        assert cls(*range(count)) == (*range(count), *cls._field_defaults.values())

    @pytest.mark.parametrize(
        ("values", "named", "complaint"),
        [
            ([], {}, "miss"),
            (range(20), {}, "takes"),
            (range(8), {"wrong": 1}, "wrong|takes"),
            ([1], {"a": 1, "x": 1}, "'[ax]'"),
        ],
        ids=["too few", "too many", "an unknown name", "a name twice"],
    )
    def test_it_refuses_what_does_not_fit(
        self, cls: typing.Any, values: typing.Any, named: dict[str, int], complaint: str
    ) -> None:
        with pytest.raises(TypeError, match=complaint) as caught:
            cls(*values, **named)
        assert cls.__name__ in str(caught.value)

    def test_it_survives_pickling_and_copying(self, cls: typing.Any) -> None:
        made = cls(*range(len(cls._fields)))
        for again in (pickle.loads(pickle.dumps(made)), copy.copy(made), copy.deepcopy(made)):
            assert again == made
            assert type(again) is cls

    def test_it_is_replaced_listed_and_made_of_sequences(self, cls: typing.Any) -> None:
        made = cls._make(range(len(cls._fields)))
        first = cls._fields[0]
        assert made._asdict() == dict(zip(cls._fields, range(len(cls._fields)), strict=True))
        assert made._replace(**{first: 7}) == (7, *made[1:])
        assert type(made._replace()) is cls

    def test_it_cannot_be_changed(self, cls: typing.Any) -> None:
        made = cls(*range(len(cls._fields)))
        with pytest.raises(AttributeError):
            setattr(made, cls._fields[0], 2)
        with pytest.raises(AttributeError):
            made.other = 2


def test_it_is_shown_with_the_names() -> None:
    assert repr(Small(1, 2)) == "Small(x=1, y=2, z=())"


def test_it_keeps_what_the_class_defines() -> None:
    assert Small(1, 2).total == 3
    assert Small.__doc__ == "A class with few fields."


def test_it_can_be_empty() -> None:
    assert Empty() == ()


def test_it_matches_patterns() -> None:
    match Small(1, 2):
        case Small(x, y):
            assert (x, y) == (1, 2)


def test_its_signature_names_the_fields() -> None:
    assert list(inspect.signature(Small).parameters) == ["x", "y", "z"]
    assert typing.get_type_hints(Small) == {"x": int, "y": int | None, "z": tuple[int, ...]}


def test_it_wants_defaults_last() -> None:
    with pytest.raises(TypeError, match="without a default"):

        class Wrong(NamedTuple):
            x: int = 1
            y: int  # type: ignore[misc]
