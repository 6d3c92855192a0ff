"""Records: classes whose fields are declared once, and whose instances never change.

Whoever asks finds a frozen dataclass: ``dataclasses.fields`` and ``replace``, ``inspect.signature``, type checkers.
They are made without that module, which imports ``inspect`` and compiles five methods for each class: a command that
reads an INI file would spend a tenth of its time on it before it has read a line. Here the methods are the same
functions for all of them, which look the fields up; making an instance takes a little longer for it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from reprlib import recursive_repr
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, TypeVar, dataclass_transform, get_origin, overload

__all__ = ["MISSING", "Field", "field", "fields_of", "frozen", "record", "replace"]

T = TypeVar("T")


class _Missing:
    def __repr__(self) -> str:
        return "MISSING"


MISSING: Any = _Missing()
"""Stands where a field has no default."""

_FIELDS = "__wheatpaste_fields__"
_NOTHING: Mapping[Any, Any] = MappingProxyType({})
_TOLD = ("default", "default_factory", "init", "repr", "compare", "metadata", "kw_only")


class Field:
    """What a class says of one of its fields, in the words of ``dataclasses.field``.

    What is not an argument of the constructor (``init=False``) and has no default is set by ``__post_init__``.
    ``kw_only`` is None where the class decides.
    """

    __slots__ = ("compare", "default", "default_factory", "init", "kw_only", "metadata", "name", "repr", "type")

    def __init__(
        self,
        *,
        default: Any = MISSING,
        default_factory: Any = MISSING,
        init: bool = True,
        repr: bool = True,
        compare: bool = True,
        metadata: Mapping[Any, Any] = _NOTHING,
        kw_only: bool | None = None,
    ) -> None:
        self.name = ""
        self.type: Any = None
        self.default = default
        self.default_factory = default_factory
        self.init = init
        self.repr = repr
        self.compare = compare
        self.metadata = metadata
        self.kw_only = kw_only


# Those of dataclasses may be used as well, and are what type checkers see.
if TYPE_CHECKING:
    from dataclasses import field
else:
    field = Field


@overload
def record(cls: type[T], /) -> type[T]: ...


@overload
def record(*, kw_only: bool) -> Callable[[type[T]], type[T]]: ...


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def record(cls: type[T] | None = None, /, *, kw_only: bool = False) -> type[T] | Callable[[type[T]], type[T]]:
    """Make a class a record that is compared and hashed by its fields."""

    def make(cls: type[T]) -> type[T]:
        made: Any = frozen(cls, kw_only=kw_only)
        made.__eq__ = _equal
        made.__hash__ = _hash
        return cls

    return make if cls is None else make(cls)


@dataclass_transform(frozen_default=True, eq_default=False, field_specifiers=(field,))
def frozen(cls: type[T], *, kw_only: bool = False) -> type[T]:
    """Make a class a record that is equal to nothing but itself.

    What the class defines itself stays, its ``__post_init__`` is called. Fields work as with ``dataclass``; there is no
    ``InitVar``.
    """
    made: Any = cls
    fields = {each.name: each for base in cls.__mro__[:0:-1] for each in base.__dict__.get(_FIELDS, ())}
    fields |= {each.name: each for each in _declared(made, kw_only)}
    setattr(made, _FIELDS, tuple(fields.values()))
    made.__init__ = _init
    made.__setattr__ = _refuse_setting
    made.__delattr__ = _refuse_deleting
    for name in ("__dataclass_fields__", "__dataclass_params__"):
        setattr(made, name, _OfTwin(name))
    made.__signature__ = _Signature()
    if "__match_args__" not in cls.__dict__:
        positional = tuple(each.name for each in fields.values() if each.init and not each.kw_only)
        type.__setattr__(cls, "__match_args__", positional)
    if "__repr__" not in cls.__dict__:
        made.__repr__ = _repr
    return cls


def fields_of(cls: type) -> tuple[Field, ...]:
    """The fields of a record, in the order of their declaration. Raises ``AttributeError`` for another class."""
    fields: tuple[Field, ...] = getattr(cls, _FIELDS)
    return fields


def replace(record: T, **changed: Any) -> T:
    """A new record of the same class with other values in some of the fields."""
    kept = {each.name: getattr(record, each.name) for each in fields_of(type(record)) if each.init}
    return type(record)(**{**kept, **changed})


def _declared(cls: Any, kw_only: bool) -> Iterator[Field]:
    """The fields that a class body has declared; what stands for their defaults goes to its place."""
    for name, kind in cls.__dict__.get("__annotations__", {}).items():
        if _is_of_class(kind):
            continue
        told = _understood(cls.__dict__.get(name, MISSING))
        if told.default is not MISSING:
            if isinstance(told.default, list | dict | set):
                raise ValueError(f"{cls.__name__}.{name}: all instances would share this default; use default_factory")
            setattr(cls, name, told.default)
        elif name in cls.__dict__:
            delattr(cls, name)
        told.name, told.type = name, kind
        told.kw_only = kw_only if told.kw_only is None else told.kw_only
        yield told


def _is_of_class(kind: Any) -> bool:
    if isinstance(kind, str):
        return kind.removeprefix("typing.").startswith("ClassVar")
    return kind is ClassVar or get_origin(kind) is ClassVar


def _understood(value: Any) -> Field:
    """The field that a value in a class body declares."""
    if isinstance(value, Field):
        return value
    dataclasses = sys.modules.get("dataclasses")  # nobody has made a field of theirs without importing them
    if dataclasses is None or not isinstance(value, dataclasses.Field):
        return Field(default=value)
    told = {name: getattr(value, name) for name in _TOLD}
    return Field(**{name: said for name, said in told.items() if said is not dataclasses.MISSING})


def _init(self: Any, *positional: Any, **given: Any) -> None:
    cls: Any = type(self)
    fields = fields_of(cls)
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


def _refuse_setting(self: Any, name: str, value: Any) -> NoReturn:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_deleting(self: Any, name: str) -> NoReturn:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot delete field {name!r}")


@recursive_repr("...")
def _repr(self: Any) -> str:
    cls: Any = type(self)
    shown = ", ".join(f"{each.name}={getattr(self, each.name)!r}" for each in fields_of(cls) if each.repr)
    return f"{cls.__qualname__}({shown})"


def _values(self: Any) -> tuple[Any, ...]:
    return tuple(getattr(self, each.name) for each in fields_of(type(self)) if each.compare)


def _equal(self: Any, other: Any) -> bool:
    return _values(self) == _values(other) if type(self) is type(other) else NotImplemented


def _hash(self: Any) -> int:
    return hash(_values(self))


@cache
def _twin(cls: type) -> type:
    """A dataclass with the fields of a record, for those who ask for one."""
    import dataclasses

    fields = []
    for each in fields_of(cls):
        told = {name: getattr(each, name) for name in _TOLD}
        if each.default.__class__.__hash__ is None:  # a read-only mapping, which they take for one that may change
            told |= {"default": MISSING, "default_factory": partial(_itself, each.default)}
        known = {name: said for name, said in told.items() if said is not MISSING}
        fields.append((each.name, each.type, dataclasses.field(**known)))
    return dataclasses.make_dataclass(cls.__name__, fields, frozen=True)


def _itself(value: T) -> T:
    return value


class _OfTwin:
    """What the dataclass has under this name."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, instance: object, cls: type) -> Any:
        return getattr(_twin(cls), self._name)


class _Signature:
    """What ``inspect.signature`` says of the class."""

    def __get__(self, instance: object, cls: type) -> Any:
        if instance is not None:
            raise AttributeError("__signature__")  # an instance that can be called has the signature of its __call__
        from inspect import signature

        return signature(_twin(cls))
