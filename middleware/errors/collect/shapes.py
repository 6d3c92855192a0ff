"""How the values of each kind, and of each built-in type, are written out."""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict, deque
from functools import partial, partialmethod
from gc import get_referents
from itertools import islice
from types import CodeType, FrameType, MappingProxyType, ModuleType, SimpleNamespace, TracebackType
from typing import Any

from ....protocol.secret_texts import redact_text
from .classes import attributes, bases, find, instance_dict, short_name
from .kinds import CODE, Kind
from .texts import clean_line, clean_text
from .wording import type_name
from .writer import Write, Writer

_MOST = 100

# --- by kind


def _trusted(writer: Writer, value: object, depth: int) -> None:
    writer.put(redact_text(clean_text(repr(value)), writer.found))


def _lazy(writer: Writer, value: object, depth: int) -> None:
    writer.put(f"<{clean_line(short_name(type(value)), 100)}: not evaluated>")


def _code(writer: Writer, value: Any, depth: int) -> None:
    kind = type(value)
    if issubclass(kind, type):
        writer.put(f"<class {type_name(value)}>")
        return
    word = next(CODE[each] for each in bases(kind) if each in CODE)
    slot = "__name__" if issubclass(kind, ModuleType) else "__qualname__"
    name: Any = None
    if issubclass(kind, ModuleType):
        name = dict.get(instance_dict(value) or {}, "__name__")
    elif kind in _NAMED_CODE:
        name = getattr(value, slot, None)
    writer.put(f"<{word} {clean_line(name, 200)}>" if isinstance(name, str) else f"<{word}>")


def _enum(writer: Writer, value: object, depth: int) -> None:
    name = dict.get(instance_dict(value) or {}, "_name_")
    writer.put(f"{clean_line(short_name(type(value)), 100)}.{clean_line(name, 100) if isinstance(name, str) else '?'}")


def _error(writer: Writer, value: object, depth: int) -> None:
    arguments = BaseException.__dict__["args"].__get__(value)
    brackets = (f"{clean_line(short_name(type(value)), 100)}(", ")")
    writer.sequence(value, arguments, len(arguments), brackets, depth)


def _named(writer: Writer, value: Any, depth: int) -> None:
    names = find(type(value), "_fields")
    if type(names) is not tuple or not all(type(name) is str for name in names):
        names = ()
    writer.call(value, zip(names, tuple.__iter__(value), strict=False), depth)


def _dataclass(writer: Writer, value: object, depth: int) -> None:
    declared = find(type(value), "__dataclass_fields__")
    shown = {name for name, each in dict.items(declared) if each.repr} if isinstance(declared, dict) else set()
    writer.known.learn_attributes(value)
    writer.call(value, [each for each in islice(attributes(value), _MOST) if each[0] in shown], depth)


def _attrs(writer: Writer, value: object, depth: int) -> None:
    declared = find(type(value), "__attrs_attrs__")
    if not isinstance(declared, tuple) or any(callable(each.repr) for each in tuple.__iter__(declared)):
        writer.foreign(value, depth)  # one of its fields is shown in a way of its own
        return
    shown = {each.name for each in tuple.__iter__(declared) if each.repr}
    writer.known.learn_attributes(value)
    writer.call(value, [each for each in islice(attributes(value), _MOST) if each[0] in shown], depth)


def _subclass(writer: Writer, value: Any, depth: int) -> None:
    """A built-in type with a new name. Items are read by the built-in type, whatever the subclass does instead."""
    kind = type(value)
    for each, write in _PLAIN.items():
        if issubclass(kind, each):
            writer.put(f"{clean_line(short_name(kind), 100)}(")
            write(writer, value, depth)
            writer.put(")")
            return


BY_KIND: dict[Kind, Write] = {
    "attrs": _attrs,
    "code": _code,
    "dataclass": _dataclass,
    "enum": _enum,
    "error": _error,
    "foreign": Writer.foreign,
    "lazy": _lazy,
    "named": _named,
    "object": Writer.with_attributes,
    "subclass": _subclass,
    "trusted": _trusted,
}

# --- by type


def _list(writer: Writer, value: list[Any], depth: int) -> None:
    count = list.__len__(value)
    writer.sequence(value, list.__iter__(value), count, ("[", "]"), depth, pair=count == 2)


def _tuple(writer: Writer, value: tuple[Any, ...], depth: int) -> None:
    count = tuple.__len__(value)
    writer.sequence(value, tuple.__iter__(value), count, ("(", ",)" if count == 1 else ")"), depth, pair=count == 2)


def _set(writer: Writer, value: Any, depth: int) -> None:
    kind = frozenset if issubclass(type(value), frozenset) else set
    count = kind.__len__(value)
    brackets = (
        ("{", "}") if kind is set and count else (f"{kind.__name__}({{", "})") if count else (kind.__name__, "()")
    )
    writer.sequence(value, kind.__iter__(value), count, brackets, depth)


def _dict(writer: Writer, value: dict[Any, Any], depth: int) -> None:
    writer.mapping(value, dict.items(value), dict.__len__(value), ("{", "}"), depth)


def _wrapped_dict(writer: Writer, value: Any, depth: int) -> None:
    writer.put(f"{type(value).__name__}(")
    _dict(writer, value, depth)
    writer.put(")")


def _deque(writer: Writer, value: Any, depth: int) -> None:
    writer.sequence(value, deque.__iter__(value), len(value), ("deque([", "])"), depth)


def _view(writer: Writer, value: Any, depth: int) -> None:
    name = type(value).__name__
    writer.sequence(value, iter(value), len(value), (f"{name}([", "])"), depth)


def _values_view(writer: Writer, value: Any, depth: int) -> None:
    # Without their keys nobody knows which values are secret, so those are looked up.
    whole = _behind(value.mapping)
    if whole is None:
        writer.put(f"<{type(value).__name__}, {len(value):,} items>")
        return
    writer.put(f"{type(value).__name__}(")
    _dict(writer, whole, depth)
    writer.put(")")


def _mapping_proxy(writer: Writer, value: Any, depth: int) -> None:
    whole = _behind(value)
    if whole is None:
        writer.put("<mappingproxy>")
        return
    writer.put("mappingproxy(")
    _dict(writer, whole, depth)
    writer.put(")")


def _behind(proxy: Any) -> dict[Any, Any] | None:
    """The dict that a read-only view is of; None for other mappings, whose items are made by their own code."""
    for each in get_referents(proxy):
        if type(each) is dict:
            return each
    return None


def _namespace(writer: Writer, value: Any, depth: int) -> None:
    writer.fields(value, list(attributes(value))[:_MOST], ("namespace(", ")"), depth)


def _partial(writer: Writer, value: Any, depth: int) -> None:
    writer.put("partial(")
    writer.value(value.func, depth + 1)
    if value.args:
        writer.put(", *")
        _tuple(writer, value.args, depth + 1)
    if value.keywords:
        writer.put(", **")
        _dict(writer, value.keywords, depth + 1)
    writer.put(")")


def _as_it_is(writer: Writer, value: object, depth: int) -> None:
    writer.put(repr(value))


_PLAIN: dict[type, Write] = {
    str: Writer.string,
    bytes: Writer.octets,
    bytearray: Writer.octets,
    int: Writer.integer,
    float: lambda writer, value, depth: writer.put(float.__repr__(value)),
    complex: lambda writer, value, depth: writer.put(complex.__repr__(value)),
    list: _list,
    tuple: _tuple,
    dict: _dict,
    set: _set,
    frozenset: _set,
}

EXACT: dict[type, Write] = {
    **_PLAIN,
    type(None): _as_it_is,
    bool: _as_it_is,
    OrderedDict: _wrapped_dict,
    defaultdict: _wrapped_dict,
    Counter: _wrapped_dict,
    deque: _deque,
    type({}.keys()): _view,
    type({}.items()): _view,
    type({}.values()): _values_view,
    MappingProxyType: _mapping_proxy,
    SimpleNamespace: _namespace,
    partial: _partial,
}

_NAMED_CODE = frozenset(CODE) - {staticmethod, classmethod, property, partialmethod, CodeType, FrameType, TracebackType}
