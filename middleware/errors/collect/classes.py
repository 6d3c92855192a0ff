"""What a class is and what an object holds, found out without running any code of theirs.

``obj.__class__``, ``cls.__name__`` and ``vars(obj)`` may all be answered by code of somebody else's: a proxy, a
metaclass, a property. What stands here asks the interpreter's own slots instead, which cannot lie, raise or query.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import GetSetDescriptorType, MappingProxyType, MemberDescriptorType
from typing import Any

_MRO = type.__dict__["__mro__"].__get__
_DICT = type.__dict__["__dict__"].__get__
_NAME = type.__dict__["__name__"].__get__
_FLAGS = type.__dict__["__flags__"].__get__
_HEAP = 1 << 9  # Py_TPFLAGS_HEAPTYPE: made while the program runs


def bases(kind: type) -> tuple[type, ...]:
    """The class and what it inherits from, in the order in which attributes are looked up."""
    found: tuple[type, ...] = _MRO(kind)
    return found


def members(kind: type) -> MappingProxyType[str, Any]:
    """What the class itself defines."""
    found: MappingProxyType[str, Any] = _DICT(kind)
    return found


def find(kind: type, name: str) -> Any:
    """What the class or one of its bases defines under this name, as it is written there, or None."""
    for each in bases(kind):
        found = members(each)
        if name in found:
            return found[name]
    return None


def short_name(kind: type) -> str:
    """The name of a class without its module: ``Order``."""
    return str(_NAME(kind))


def instance_dict(value: object) -> dict[str, Any] | None:
    """The object's own ``__dict__``, or None if it has none."""
    for kind in bases(type(value)):
        found: Any = members(kind).get("__dict__")
        if type(found) in (GetSetDescriptorType, MemberDescriptorType):
            held = found.__get__(value)
            return held if isinstance(held, dict) else None
    return None


def attributes(value: object) -> Iterator[tuple[str, Any]]:
    """The attributes that an object holds, in ``__dict__`` and in slots. Nothing is computed, nothing is loaded."""
    held = instance_dict(value)
    if held is not None:
        # A copy, since others may write while this reads.
        for name, each in list(dict.items(held)):
            if type(name) is str:
                yield name, each
    for kind in bases(type(value)):
        if not _FLAGS(kind) & _HEAP:
            continue  # the members of classes written in C are the interpreter's own affair
        for name, found in members(kind).items():
            if type(found) is MemberDescriptorType and not name.startswith("__"):
                try:
                    each = found.__get__(value)
                except AttributeError:  # a slot that nobody has filled
                    continue
                yield name, each


_MODULE = type.__dict__["__module__"].__get__


def module_name(kind: type) -> str:
    """The module that the class says it is from; empty if it says nothing of use."""
    module = _MODULE(kind)
    return module if type(module) is str else ""
