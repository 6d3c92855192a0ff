"""Frozen dataclasses that share their methods.

``dataclass(frozen=True)`` writes and compiles five methods for each class, about a millisecond each time. A command
that reads an INI file declares a dozen such classes before it has read a line. Here the methods are the same functions
for all of them, which look the fields up; making an instance takes a little longer for it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable
from dataclasses import MISSING, Field, FrozenInstanceError, field
from functools import cache
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any, TypeVar, dataclass_transform

if TYPE_CHECKING:
    from inspect import Signature

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def record(cls: type[T]) -> type[T]:
    """Make a class a frozen dataclass that is compared and hashed by its fields."""
    made = frozen(cls)
    made.__eq__ = _equal  # type: ignore[method-assign]
    made.__hash__ = _hash  # type: ignore[method-assign]
    return made


def frozen(cls: type[T], *, kw_only: bool = False) -> type[T]:
    """Make a class a frozen dataclass that is equal to nothing but itself.

    What the class defines itself stays, its ``__post_init__`` is called. Fields work as with ``dataclass``, and so do
    ``fields``, ``replace`` and ``inspect.signature``; there is no ``InitVar``.
    """
    made: Any = dataclasses.dataclass(init=False, repr=False, eq=False, kw_only=kw_only)(cls)
    made.__init__ = _init
    made.__setattr__ = _refuse_setting
    made.__delattr__ = _refuse_deleting
    made.__signature__ = _Signature()
    if "__repr__" not in cls.__dict__:
        made.__repr__ = _repr
    return cls


@cache
def _fields(cls: Hashable) -> tuple[Field[Any], ...]:
    made: Any = cls
    return dataclasses.fields(made)


def _init(self: Any, *positional: Any, **given: Any) -> None:
    cls: Any = type(self)
    fields = _fields(cls)
    if positional:
        names = [each.name for each in fields if each.init and not each.kw_only]
        if len(positional) > len(names):
            raise TypeError(f"{cls.__qualname__}() takes {len(names)} positional arguments, got {len(positional)}")
        for name, value in zip(names, positional, strict=False):
            if name in given:
                raise TypeError(f"{cls.__qualname__}() got multiple values for argument {name!r}")
            given[name] = value
    missing = []
    for each in fields:
        name = each.name
        if each.init and name in given:
            value = given.pop(name)
        elif each.default is not MISSING:
            value = each.default
        elif each.default_factory is not MISSING:
            value = each.default_factory()
        else:
            if each.init:
                missing.append(name)
            continue  # otherwise __post_init__ sets it
        object.__setattr__(self, name, value)
    if missing:
        raise TypeError(f"{cls.__qualname__}() misses the arguments {', '.join(map(repr, missing))}")
    if given:
        raise TypeError(f"{cls.__qualname__}() got an unexpected keyword argument {next(iter(given))!r}")
    finish = getattr(cls, "__post_init__", None)
    if finish is not None:
        finish(self)


def _refuse_setting(self: Any, name: str, value: Any) -> None:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_deleting(self: Any, name: str) -> None:
    raise FrozenInstanceError(f"cannot delete field {name!r}")


@recursive_repr("...")
def _repr(self: Any) -> str:
    cls: Any = type(self)
    shown = ", ".join(f"{each.name}={getattr(self, each.name)!r}" for each in _fields(cls) if each.repr)
    return f"{cls.__qualname__}({shown})"


def _values(self: Any) -> tuple[Any, ...]:
    cls: Any = type(self)
    return tuple(getattr(self, each.name) for each in _fields(cls) if each.compare)


def _equal(self: Any, other: Any) -> bool:
    return _values(self) == _values(other) if type(self) is type(other) else NotImplemented


def _hash(self: Any) -> int:
    return hash(_values(self))


class _Signature:
    """What ``inspect.signature`` says of the class, made for those who ask."""

    def __get__(self, instance: object, cls: Any) -> Signature:
        if instance is not None:
            raise AttributeError("__signature__")  # an instance that can be called has the signature of its __call__
        from inspect import Parameter, Signature

        parameters = [
            Parameter(
                each.name,
                Parameter.KEYWORD_ONLY if each.kw_only else Parameter.POSITIONAL_OR_KEYWORD,
                default=_shown_default(each),
                annotation=each.type,
            )
            for each in sorted(_fields(cls), key=lambda each: bool(each.kw_only))
            if each.init
        ]
        return Signature(parameters, return_annotation=None)


def _shown_default(each: Field[Any]) -> Any:
    from inspect import Parameter

    if each.default is not MISSING:
        return each.default
    return Parameter.empty if each.default_factory is MISSING else "<made anew>"
