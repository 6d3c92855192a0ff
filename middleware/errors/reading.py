"""Data from JSON becomes a record again."""

from __future__ import annotations

import dataclasses
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from . import record as records
from .record import ErrorRecord


def read_record(data: object) -> ErrorRecord:
    """The record that this data was; keys that are unknown are skipped. Raises ``ValueError``."""
    made: ErrorRecord = _read(data, ErrorRecord, "record")
    return made


@cache
def _fields(kind: type) -> dict[str, Any]:
    return get_type_hints(kind, vars(records))


def _read(data: Any, kind: Any, where: str) -> Any:
    if dataclasses.is_dataclass(kind):
        if not isinstance(data, dict):
            raise ValueError(f"{where}: an object is missing")
        hints = _fields(kind)  # type: ignore[arg-type]
        try:
            return kind(**{name: _read(data[name], hints[name], f"{where}.{name}") for name in hints if name in data})  # type: ignore[operator]
        except TypeError as error:
            raise ValueError(f"{where}: {error}") from error
    origin = get_origin(kind)
    if origin in (UnionType, Union):
        if data is None:
            return None
        (inner,) = [each for each in get_args(kind) if each is not NoneType]
        return _read(data, inner, where)
    if origin is tuple:
        if not isinstance(data, list | tuple):
            raise ValueError(f"{where}: a list is missing")
        kinds = get_args(kind)
        if kinds[-1] is Ellipsis:
            return tuple(_read(each, kinds[0], f"{where}[{index}]") for index, each in enumerate(data))
        if len(kinds) != len(data):
            raise ValueError(f"{where}: {len(kinds)} values are expected")
        return tuple(_read(each, inner, where) for each, inner in zip(data, kinds, strict=True))
    if origin is Literal:
        if data not in get_args(kind):
            raise ValueError(f"{where}: {data!r} is not one of {', '.join(map(repr, get_args(kind)))}")
        return data
    if kind is float and type(data) is int:
        return float(data)
    if type(data) is not kind:
        raise ValueError(f"{where}: {kind.__name__} is expected")
    return data
