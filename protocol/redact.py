"""What must not be shown of plain data: secrets known by their name, by their shape, or by their type.

Everything that prints somebody's configuration, environ, headers or variables passes through here, through
``secret_texts`` or ``secret_names`` first, so that page, log, mail and terminal agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from typing import Any

from .secret_names import is_plain, is_secret_name, is_secret_type, redacted
from .secret_texts import redact_text


def redact(value: Any, *, depth: int = 8) -> Any:
    """A copy of plain data (what JSON knows, bytes, tuples and sets) that holds no secret.

    A mapping's values are judged by their keys, pairs by their first half, command lines by the option before. Below
    ``depth`` levels, and for objects of other types, only the type is shown: nobody knows what their repr tells.
    """
    return _redact(value, depth, frozenset())


def redact_value(name: str, value: Any) -> Any:
    """What may be shown of the value of this name."""
    if is_secret_name(name) and not is_plain(value):
        return redacted(value)
    return redact(value)


def redact_pairs(pairs: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """The pairs of an INI section, of headers or of parameters, as they may be shown; order and repeats are kept."""
    items = pairs.items() if isinstance(pairs, Mapping) else pairs
    return [(name, redact_value(name, value)) for name, value in items]


def _redact(value: Any, depth: int, above: frozenset[int]) -> Any:
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if is_secret_type(value):
        return redacted(value)
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, (bytes, bytearray)):
        return redact_text(value.decode("latin-1")).encode("latin-1")
    if not isinstance(value, (Mapping, list, tuple, set, frozenset)):
        return f"<{type(value).__name__}>"
    if depth <= 0 or id(value) in above:
        return f"<{type(value).__name__}, {len(value)} items>"
    above |= {id(value)}
    if isinstance(value, Mapping):
        return {_key(key): _named(key, item, depth, above) for key, item in value.items()}
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], str):
        return (redact_text(value[0]), _named(value[0], value[1], depth, above))
    items, option = [], ""
    for item in value:
        items.append(_named(option, item, depth, above))
        option = item if isinstance(item, str) and item[:1] == "-" and not isinstance(value, Set) else ""
    return tuple(items) if isinstance(value, tuple) else items


def _named(name: object, value: Any, depth: int, above: frozenset[int]) -> Any:
    if isinstance(name, bytes):
        name = name.decode("latin-1")
    if isinstance(name, str) and is_secret_name(name) and not is_plain(value):
        return redacted(value)
    return _redact(value, depth - 1, above)


def _key(key: object) -> Any:
    if isinstance(key, str):
        return redact_text(key)
    return key if key is None or isinstance(key, (int, float, bytes)) else f"<{type(key).__name__}>"
