"""How a value is to be shown, decided by its class alone and without running code of that class."""

from __future__ import annotations

import collections
import dataclasses
import enum
import functools
import re
import types
from typing import Any, Literal

from .classes import bases, find, instance_dict, module_name, short_name

Kind = Literal[
    "attrs", "code", "dataclass", "enum", "error", "foreign", "lazy", "named", "object", "subclass", "trusted"
]

CODE: dict[type, str] = {
    types.FunctionType: "function",
    types.BuiltinFunctionType: "built-in function",
    types.MethodType: "method",
    types.MethodWrapperType: "method",
    types.WrapperDescriptorType: "method",
    types.MethodDescriptorType: "method",
    types.ClassMethodDescriptorType: "method",
    types.ModuleType: "module",
    types.GeneratorType: "generator",
    types.CoroutineType: "coroutine",
    types.AsyncGeneratorType: "async generator",
    types.CodeType: "code",
    types.FrameType: "frame",
    types.TracebackType: "traceback",
    staticmethod: "staticmethod",
    classmethod: "classmethod",
    property: "property",
    functools.partialmethod: "partialmethod",
}
"""Kinds of code and how they are called: no secret, whatever their name."""

# Proxies load or forward whatever they are asked for, queries ask a database, promises compute.
_LAZY = frozenset(
    """QuerySet BaseQuerySet RawQuerySet LazyObject SimpleLazyObject LazySettings LocalProxy StackedObjectProxy
    ObjectProxy __proxy__ Promise scoped_session AppenderQuery""".split()  # noqa: SIM905
)
_PERHAPS_LAZY = re.compile(r"_*Lazy\w*|\w*QuerySet|\w*[a-z]Proxy|\w*Query|\w*Select|Deferred\w*")
_HOOKS = ("__getattr__", "__iter__", "__len__", "__await__")

# Their reprs are short and run no code of others.
_TRUSTED = frozenset(
    """_io _socket _sqlite3 _ssl _struct _thread datetime decimal fractions ipaddress itertools pathlib pathlib._local
    re select socket sqlite3 threading uuid zoneinfo""".split()  # noqa: SIM905
)
_TRUSTED_TYPES = (range, memoryview, type(...), type(NotImplemented))

_BUILT_IN: tuple[type, ...] = (str, bytes, bytearray, int, float, complex, list, tuple, dict, set, frozenset)


def kind_of(value: object, kind: type) -> Kind:
    """How to show ``value``, whose type is ``kind``."""
    if issubclass(kind, (type, *CODE)):
        return "code"
    if _is_lazy(kind):
        return "lazy"
    if issubclass(kind, enum.Enum):
        return "enum"
    if find(kind, "__sentry_repr__") is not None:
        return "foreign"
    return _by_repr(value, kind, find(kind, "__repr__"))


# Looks for the function behind its decorators, and may never come to an end.
_ENDLESS = frozenset({("bottle", "Route")})


def _is_lazy(kind: type) -> bool:
    names = [short_name(each) for each in bases(kind)]
    if not _LAZY.isdisjoint(names) or (module_name(kind), names[0]) in _ENDLESS:
        return True
    # Others may be called a query or a proxy, too; those that load by themselves have hooks for it.
    return any(map(_PERHAPS_LAZY.fullmatch, names)) and (
        any(find(kind, hook) is not None for hook in _HOOKS)
        or find(kind, "__getattribute__") is not object.__getattribute__
    )


def _by_repr(value: object, kind: type, written: Any) -> Kind:
    if written is object.__repr__:
        return "object"
    if written is BaseException.__dict__["__repr__"]:
        return "error"
    if any(issubclass(kind, each) and written is each.__dict__["__repr__"] for each in _BUILT_IN):
        return "subclass"
    code = _code_of(written)
    if code is not None:
        if code is _NAMED_REPR and issubclass(kind, tuple):
            return "named"
        if code is _DATACLASS_REPR:
            return "dataclass"
        if code.co_filename.startswith("<attrs generated repr"):
            return "attrs"
    if kind in _TRUSTED_TYPES if type(kind) is type else False:
        return "trusted"
    if module_name(kind) in _TRUSTED and _has_trusted_parts(value):
        return "trusted"
    return "object" if _is_mapped(value, kind) else "foreign"


def _has_trusted_parts(value: object) -> bool:
    # A point in time shows its zone, which may be anybody's.
    zone = getattr(value, "tzinfo", None)
    return zone is None or module_name(type(zone)) in _TRUSTED


def _is_mapped(value: object, kind: type) -> bool:
    """Whether an object is a row: its own repr may load what is missing, its attributes are what is there."""
    held = instance_dict(value)
    if held is None:
        return False
    if dict.__contains__(held, "_sa_instance_state") or dict.__contains__(held, "__data__"):
        return True
    return any(module_name(each) == "django.db.models.base" for each in bases(kind))


def _code_of(function: Any) -> types.CodeType | None:
    return function.__code__ if type(function) is types.FunctionType else None


@dataclasses.dataclass
class _Probe:
    field: int


# The reprs that the standard library writes share one code object each.
_NAMED_REPR = _code_of(collections.namedtuple("_Named", "field").__repr__)
_DATACLASS_REPR = _code_of(_Probe.__repr__)
