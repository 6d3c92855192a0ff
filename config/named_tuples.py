"""Named tuples that are made without the compiler.

``typing.NamedTuple`` compiles a constructor for each class and the annotation of each field, about as long as it takes
to import a small module. A command declares forty such classes before it has read a line. Here the constructors are the
same code with other names in it, and annotations stay text. The classes are otherwise like those of ``typing``, and
for type checkers they are those of ``typing``; there are no generic ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__all__ = ["NamedTuple"]

if TYPE_CHECKING:
    from typing import NamedTuple
else:
    from collections import _tuplegetter  # what collections.namedtuple() itself reads fields with
    from types import FunctionType

    _new = tuple.__new__
    # By number of fields; classes with more of them are not made in large numbers.
    _CONSTRUCTORS = (
        lambda _cls: _new(_cls, ()),
        lambda _cls, a: _new(_cls, (a,)),
        lambda _cls, a, b: _new(_cls, (a, b)),
        lambda _cls, a, b, c: _new(_cls, (a, b, c)),
        lambda _cls, a, b, c, d: _new(_cls, (a, b, c, d)),
        lambda _cls, a, b, c, d, e: _new(_cls, (a, b, c, d, e)),
        lambda _cls, a, b, c, d, e, f: _new(_cls, (a, b, c, d, e, f)),
        lambda _cls, a, b, c, d, e, f, g: _new(_cls, (a, b, c, d, e, f, g)),
        lambda _cls, a, b, c, d, e, f, g, h: _new(_cls, (a, b, c, d, e, f, g, h)),
    )

    def _construct(cls, /, *values, **named):
        """The constructor of a class of any size."""
        if len(values) > len(cls._fields):
            raise TypeError(f"{cls.__qualname__}() takes {len(cls._fields)} values, got {len(values)}")
        given = dict(zip(cls._fields, values, strict=False))
        for name, value in named.items():
            if name in given or name not in cls._fields:
                what = "two values for" if name in given else "an unknown field"
                raise TypeError(f"{cls.__qualname__}() got {what} {name!r}")
            given[name] = value
        given = {**cls._field_defaults, **given}
        missing = [name for name in cls._fields if name not in given]
        if missing:
            raise TypeError(f"{cls.__qualname__}() misses {', '.join(map(repr, missing))}")
        return _new(cls, [given[name] for name in cls._fields])

    def _constructor(name, fields, defaults):
        if len(fields) >= len(_CONSTRUCTORS):
            return _construct
        code = _CONSTRUCTORS[len(fields)].__code__.replace(co_qualname=f"{name}.__new__", co_varnames=("_cls", *fields))
        return FunctionType(code, globals(), "__new__", tuple(defaults.values()))

    def _make(cls, iterable):
        """A new one from a sequence or iterable."""
        return cls(*iterable)

    def _replace(self, /, **changed):
        """A new one with other values in some of the fields."""
        return type(self)(**{**self._asdict(), **changed})

    def _asdict(self):
        """The values by the names of their fields."""
        return dict(zip(self._fields, self, strict=True))

    def _repr(self):
        shown = ", ".join(f"{name}={value!r}" for name, value in zip(self._fields, self, strict=True))
        return f"{type(self).__qualname__}({shown})"

    def _getnewargs(self):
        return tuple(self)

    _METHODS = {
        "_make": classmethod(_make),
        "_replace": _replace,
        "_asdict": _asdict,
        "__repr__": _repr,
        "__getnewargs__": _getnewargs,
        "__slots__": (),
    }

    class _Maker(type):
        """Makes a class of its own kind of tuple out of each class statement that has ``NamedTuple`` for its base."""

        def __new__(meta, name, bases, body):
            if not bases:
                return super().__new__(meta, name, bases, body)
            fields = tuple(body.get("__annotations__", ()))
            defaults = {field: body.pop(field) for field in fields if field in body}
            if tuple(defaults) != fields[len(fields) - len(defaults) :]:
                raise TypeError(f"{name}: a field without a default follows one with a default")
            made = {
                **_METHODS,
                "_fields": fields,
                "_field_defaults": defaults,
                "__match_args__": fields,
                "__new__": _constructor(name, fields, defaults),
            }
            for index, field in enumerate(fields):
                made[field] = _tuplegetter(index, None)
            return type(name, (tuple,), made | body)

    class NamedTuple(metaclass=_Maker):
        """A base of classes that are tuples with names for their values: ``class Point(NamedTuple): x: int``."""
