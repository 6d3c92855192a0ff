"""Writes a value out, piece by piece, until the space is used up. See ``values`` for what is shown how."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from itertools import islice
from typing import Any

from ....protocol.secret_names import is_plain, is_secret_type, redacted, secrecy
from ....protocol.secret_texts import redact_text
from .classes import attributes, find, instance_dict, short_name
from .kinds import CODE, Kind, kind_of
from .readers import Reader, Unanswered
from .redaction import Known
from .texts import MORE, clean_line, clean_text

# What is read beyond the space that is left, so that a secret which lies across the cut is recognised.
_OVERLAP = 1200
_MOST_ITEMS = 100
_MOST_DEPTH = 6
_MOST_OBJECT_DEPTH = 3
_LEAST = 16
_MOST_NAME = 100
_NAMING = ("name", "key", "field", "header", "variable")


Write = Callable[["Writer", Any, int], None]
"""Writes a value of one type, which stands so deep within others."""


class Writer:
    """The text of one value."""

    __slots__ = ("_above", "_by_kind", "_exact", "_left", "_parts", "_slow", "found", "known", "reader")

    def __init__(
        self,
        most: int,
        known: Known,
        reader: Reader,
        slow: set[int],
        exact: Mapping[type, Write],
        by_kind: Mapping[Kind, Write],
    ) -> None:
        self._left = most
        self._parts: list[str] = []
        self._above: set[int] = set()
        self._exact = exact
        self._by_kind = by_kind
        self._slow = slow  # ids of classes whose repr has taken too long
        self.known = known
        self.reader = reader
        self.found: list[str] = []

    def text(self) -> str:
        """What was written."""
        return "".join(self._parts)

    def put(self, text: str) -> None:
        """Add a piece that is fit to be shown."""
        self._parts.append(text)
        self._left -= len(text)

    def named(self, name: str, value: object, depth: int) -> None:
        """Write the value of this name, which may say that it is secret."""
        if (strength := secrecy(name)) and not _is_open(value):
            self.known.learn(value, name, strength)
            self.put(redacted(value))
        else:
            self.value(value, depth)

    def value(self, value: object, depth: int) -> None:
        """Write a value that no name says anything about."""
        kind = type(value)
        write = self._exact.get(kind) if type(kind) is type else None  # a metaclass may hash and compare as it likes
        if write is not None:
            write(self, value, depth)
        elif is_secret_type(value):
            self.known.learn(value, "secret", 2)
            self.put(redacted(value))
        else:
            self._by_kind[kind_of(value, kind)](self, value, depth)

    # --- texts and numbers

    def string(self, value: str, depth: int = 0) -> None:
        """Write a text as a literal."""
        length = str.__len__(value)
        most = max(self._left, _LEAST)
        text = self._redacted(str.__getitem__(value, slice(0, most + _OVERLAP)))
        if length > most + _OVERLAP or len(text) > most:
            self.put(f"{repr(text[:most])[:-1]}{MORE}' ({length:,} characters)")
        else:
            self.put(repr(text))

    def octets(self, value: bytes | bytearray, depth: int = 0) -> None:
        """Write bytes as a literal."""
        length = len(value)
        most = max(self._left, _LEAST)
        text = self._redacted(bytes(value[: most + _OVERLAP]).decode("latin-1"))
        shown = repr(text[:most].encode("latin-1", "replace"))
        if length > most + _OVERLAP or len(text) > most:
            shown = f"{shown[:-1]}{MORE}' ({length:,} bytes)"
        self.put(shown if type(value) is bytes else f"bytearray({shown})")

    def integer(self, value: int, depth: int = 0) -> None:
        """Write a number, unless it has thousands of digits: those take long to find out."""
        bits = int.bit_length(value)
        self.put(int.__repr__(value) if bits <= 1000 else f"<int of {bits:,} bits>")

    def _redacted(self, text: str) -> str:
        return redact_text(text, self.found)

    # --- containers

    def sequence(
        self,
        value: object,
        items: Iterable[Any],
        count: int,
        brackets: tuple[str, str],
        depth: int,
        *,
        pair: bool = False,
    ) -> None:
        """Write items between brackets."""

        def each(item: Any, before: Any) -> None:
            # An option of a command line, or the first half of a pair, names what follows it.
            if type(before) is str and (pair or before[:1] == "-"):
                self.named(before, item, depth + 1)
            else:
                self.value(item, depth + 1)

        self._items(value, items, count, brackets, depth, each)

    def mapping(self, value: object, items: Iterable[Any], count: int, brackets: tuple[str, str], depth: int) -> None:
        """Write pairs of keys and values between brackets."""
        subject = _subject(value)

        def each(item: Any, _: Any) -> None:
            key, held = item
            self.value(key, depth + 1)
            self.put(": ")
            name = _as_name(key)
            self.named(subject if subject and name == "value" else name, held, depth + 1)

        self._items(value, items, count, brackets, depth, each)

    def fields(self, value: object, items: Iterable[tuple[str, Any]], brackets: tuple[str, str], depth: int) -> None:
        """Write names and values, as in a call."""
        held = list(items)
        subject = next((each for name, each in held if name.lstrip("_") in _NAMING and type(each) is str), "")
        subject = subject if subject and secrecy(subject) else ""

        def each(item: tuple[str, Any], _: Any) -> None:
            name, part = item
            self.put(f"{clean_line(name, _MOST_NAME)}=")
            self.named(subject if subject and name.lstrip("_") == "value" else name, part, depth + 1)

        self._items(value, held, len(held), brackets, depth, each)

    def _items(
        self,
        value: object,
        items: Iterable[Any],
        count: int,
        brackets: tuple[str, str],
        depth: int,
        write: Callable[[Any, Any], None],
    ) -> None:
        self.put(brackets[0])
        if id(value) in self._above:
            self.put("...")
        elif depth >= _MOST_DEPTH and count:
            self.put(f"{MORE} {count:,} items")
        else:
            self._above.add(id(value))
            index = 0
            before: Any = None
            try:
                for item in items:
                    if index:
                        self.put(", ")
                    if self._left <= 0 or index >= _MOST_ITEMS:
                        self.put(f"{MORE} {max(count - index, 1):,} more")
                        break
                    write(item, before)
                    before = item
                    index += 1
            except RuntimeError:  # it changes while it is read
                self.put(MORE)
            finally:
                self._above.discard(id(value))
        self.put(brackets[1])

    # --- objects

    def with_attributes(self, value: object, depth: int, remark: str = "") -> None:
        """Write an object as its type and its attributes."""
        name = clean_line(short_name(type(value)), _MOST_NAME) + remark
        held = []
        if depth <= _MOST_OBJECT_DEPTH:
            held = [each for each in islice(attributes(value), _MOST_ITEMS) if not each[0].startswith("__")]
        self.fields(value, held, (f"<{name} " if held else f"<{name}", ">"), depth)

    def foreign(self, value: object, depth: int) -> None:
        """Write what an object says of itself."""
        kind = type(value)
        self.known.learn_attributes(value)  # what they are called tells what its repr must not quote
        if id(kind) in self._slow:
            return self.with_attributes(value, depth, " (its repr takes too long)")
        own = find(kind, "__sentry_repr__")
        try:
            text = self.reader.ask((lambda: own(value)) if callable(own) else (lambda: repr(value)), kind)
        except Unanswered as reason:
            if reason.hangs:
                self._slow.add(id(kind))
            return self.with_attributes(value, depth, f" ({reason})")
        most = max(self._left, _LEAST)
        length = str.__len__(text)
        shown = self._redacted(clean_text(str.__getitem__(text, slice(0, most + _OVERLAP))))
        if length > most + _OVERLAP or len(shown) > most:
            shown = f"{shown[:most]}{MORE} ({length:,} characters)"
        self.put(shown)

    def call(self, value: object, fields: Iterable[tuple[str, Any]], depth: int) -> None:
        """Write an object as the call that would make it."""
        self.fields(value, fields, (f"{clean_line(short_name(type(value)), _MOST_NAME)}(", ")"), depth)


def _is_open(value: object) -> bool:
    """Whether a value is shown even under a secret name: nothing, small numbers, functions and classes."""
    kind = type(value)
    if type(kind) is not type:
        return issubclass(kind, type)
    return issubclass(kind, (type, *CODE)) or (kind in _MAYBE_PLAIN and is_plain(value))


_MAYBE_PLAIN = frozenset({type(None), bool, int, float, str, bytes, list, tuple, dict, set, frozenset})


def _as_name(key: Any) -> str:
    """What a key of a dict says as a name."""
    kind = type(key)
    if issubclass(kind, str):
        return str.__getitem__(key, slice(0, 300))
    if kind is bytes:
        return str(key[:300], "latin-1")
    if kind is tuple:
        return ".".join(_as_name(each) for each in key[:5] if type(each) is not tuple)
    if issubclass(kind, Enum):
        return str(dict.get(instance_dict(key) or {}, "_name_"))
    return ""


def _subject(value: Any) -> str:
    """What ``{"name": "password", "value": …}`` is about, if that is secret."""
    if not issubclass(type(value), dict) or not dict.__contains__(value, "value"):
        return ""
    for name in _NAMING:
        about = _as_name(dict.get(value, name))
        if about and secrecy(about):
            return about
    return ""
