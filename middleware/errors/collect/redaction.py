"""Secrets that are known by their value, and a record in which none of them stands any more.

What is hidden behind a name in one place may be quoted without it in another: a password in a message, a token in a
URL. So whoever hides a value while a record is collected tells it to :class:`Known`, and :func:`scrub` takes it out of
everything else at the end, together with whatever a terminal would obey.
"""

from __future__ import annotations

import dataclasses
import os
import re
from binascii import b2a_base64
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from itertools import islice
from operator import attrgetter, is_not
from typing import Any, TypeVar
from urllib.parse import quote, quote_plus, unquote

from ....protocol.secret_names import is_plain, secrecy
from ....protocol.secret_texts import redact_text
from ..record import ErrorRecord
from .classes import attributes
from .texts import MORE, clean_text

T = TypeVar("T")

_SHORTEST = 6  # shorter ones would be found within ordinary words
_SHORTEST_ENCODED = 8
_LONGEST = 4096
_MOST = 400
_MOST_KEYS = 1000  # of a dict are looked at
_WORD = re.compile(r"[A-Za-z]{1,15}")
_LIKE_A_KEY = re.compile(r"(?=.*[0-9])[\w+/=.~-]{12,}", re.ASCII)
_CHANGES = re.compile(r"(?<=[0-9])[A-Za-z]|(?<=[A-Za-z])[0-9]|(?<=[a-z])[A-Z]")
_FEWEST_CHANGES = 3  # product_2024 has one
# Under secret names these are settings, and the page is full of them.
_ORDINARY = frozenset(
    """anonymous application authenticated basic boolean closed default digest disabled enabled example expired
    handler integer invalid localhost memory missing object optional postgres public redacted request required response
    server session signed simple standard string system unknown username verified version""".split()  # noqa: SIM905
)


_QUOTED = re.compile(r"'.*'|\".*\"", re.DOTALL)
_PASSWORDS = 3
_PASSWORD = re.compile(r"pass|pwd|pw|secret")
_LOGIN = re.compile(r"auth|pin|salt")


# A value that is itself a name ("csrf_token") stands all over the source.
_NAMES_OF_SECRETS = frozenset(
    """access api apikey app auth authorization bearer client cookie credential credentials csrf csrftoken db email
    field hash header id jwt key keys login my name new old passwd password passwords passphrase private pwd refresh
    secret secrets session sessionid signature token tokens type user username value x xsrf your""".split()  # noqa: SIM905
)


def _is_name(text: str) -> bool:
    return _NAMES_OF_SECRETS.issuperset(word for word in re.split(r"[\W_]+", text.lower()) if word)


class Known:
    """The secrets of one record, at most a few hundred."""

    __slots__ = ("_texts",)

    def __init__(self) -> None:
        self._texts: dict[str, None] = {}

    def add(self, text: str, strength: int = _PASSWORDS) -> None:
        """Remember a secret, unless it is too short or too ordinary to be looked for.

        ``strength`` is that of its name (``secrecy``): behind the weaker names stand ordinary words, too, so of those
        only what looks like a key counts. Plain words are passwords alone, not tokens.
        """
        if len(self._texts) >= _MOST:
            return
        if "\n" in text:
            for line in text.split("\n", 40)[:40]:
                if "-----" not in line:
                    self._take(line.strip(), strength)
        self._take(text.strip(), strength)

    def _take(self, text: str, strength: int) -> None:
        if not _SHORTEST <= len(text) <= _LONGEST or text in self._texts:
            return
        if is_plain(text) or text.lower() in _ORDINARY or _is_name(text) or len(set(text)) < 3:
            return
        if strength < 2 and not (_LIKE_A_KEY.fullmatch(text) and len(_CHANGES.findall(text)) >= _FEWEST_CHANGES):
            return
        if strength < _PASSWORDS and _WORD.fullmatch(text):
            return
        self._texts[text] = None
        if "%" in text and (plain := unquote(text)) != text:
            self._take(plain, strength)

    def learn(self, value: object, name: str, strength: int, depth: int = 3) -> None:
        """Remember every text in a value that stands under a secret name."""
        if strength == 2 and _PASSWORD.search(name.lower()):
            strength = _PASSWORDS
        elif strength == 1 and _LOGIN.search(name.lower()):
            strength = 2
        self._learn(value, strength, depth)

    def learn_attributes(self, value: object) -> None:
        """Remember what the attributes with secret names hold, before an object is asked for its repr."""
        if issubclass(type(value), dict):
            items: Iterable[tuple[Any, Any]] = dict.items(value)  # type: ignore[arg-type]  # it is one
            for key, held in _few(items, _MOST_KEYS):
                if type(key) is str and (strength := secrecy(key)):
                    self.learn(held, key, strength)
        for name, held in _few(attributes(value)):
            if strength := secrecy(name):
                self.learn(held, name, strength)

    def learn_variables(self, variables: Mapping[Any, object]) -> None:
        """Remember what the variables of a frame hold under secret names, and their keys and attributes do."""
        for name, value in list(variables.items()):
            if type(name) is not str or len(self._texts) >= _MOST:
                continue
            try:
                if strength := secrecy(name):
                    self.learn(value, name, strength)
                else:
                    self.learn_attributes(value)
            except Exception:  # noqa: BLE001 - a value that cannot be read has told nothing; the others may
                continue

    def learn_data(self, data: object, depth: int = 12) -> None:
        """Remember what stands under secret names in plain data; texts may be reprs, in quotes."""
        if depth <= 0 or not isinstance(data, dict | list | tuple):
            return
        for name, value in data.items() if isinstance(data, dict) else ((None, each) for each in data):
            if isinstance(name, str) and (strength := secrecy(name)):
                bare = value[1:-1] if isinstance(value, str) and _QUOTED.fullmatch(value) else value
                self.learn(bare, name, strength)
            else:
                self.learn_data(value, depth - 1)

    def _learn(self, value: object, strength: int, depth: int) -> None:
        kind = type(value)
        if issubclass(kind, str):
            self.add(str.__getitem__(value, slice(0, _LONGEST)), strength)  # type: ignore[index]
        elif issubclass(kind, (bytes, bytearray)):
            self.add(bytes(value[:_LONGEST]).decode("utf-8", "backslashreplace"), strength)  # type: ignore[index]
        elif kind is int and int.bit_length(value) < 1000:  # type: ignore[arg-type]
            self.add(int.__repr__(value), strength)
        elif depth > 0:
            for part in _few(_parts(value, kind)):
                # One of many is found everywhere if it is an ordinary word.
                self._learn(part, min(strength, 2), depth - 1)

    def add_all(self, texts: Iterable[str]) -> None:
        """Remember what ``redact_text`` has found."""
        for text in texts:
            self.add(text)

    def add_environment(self, variables: Mapping[str, str]) -> None:
        """Remember the secrets among the variables of a process."""
        for name, value in variables.items():
            if (strength := secrecy(name)) == 2:
                self.learn(value, name, strength)
            elif "://" in value:
                found: list[str] = []
                redact_text(value, found)
                self.add_all(found)

    def forms(self) -> list[tuple[str, str]]:
        """Each way in which a secret may be written (repr, JSON, HTML, URL, base64), and that secret; longest first."""
        forms: dict[str, str] = {}
        for text in self._texts:
            for form in _written(text):
                forms.setdefault(form, text)
        return sorted(forms.items(), key=lambda each: -len(each[0]))

    def __len__(self) -> int:
        return len(self._texts)

    def __repr__(self) -> str:
        return f"<Known: {len(self._texts)} secrets>"


def _written(text: str) -> Iterator[str]:
    from html import escape  # with its table of entities, which a start can do without
    from json import dumps

    yield text
    yield repr(text)[1:-1]
    yield dumps(text)[1:-1]
    yield escape(text)
    octets = text.encode("utf-8", "surrogatepass")
    yield quote(octets, safe="")
    yield quote_plus(octets)
    if not text.isascii():
        yield ascii(text)[1:-1]
        yield repr(octets)[2:-1]
        yield octets.decode("latin-1")  # as an environ has it
    if len(octets) >= _SHORTEST_ENCODED:
        # Within the base64 of a longer text its own digits depend on where it begins.
        for before in range(3):
            digits = b2a_base64(bytes(before) + octets, newline=False).decode("ascii")
            yield digits[(0, 2, 3)[before] : (len(octets) + before) // 3 * 4]


def _few(items: Iterable[T], most: int = 100) -> list[T]:
    try:
        return list(islice(items, most))
    except RuntimeError:  # it changes while it is read
        return []


def _parts(value: Any, kind: type) -> Iterable[Any]:
    for each in (list, tuple, set, frozenset):
        if issubclass(kind, each):
            return each.__iter__(value)
    if issubclass(kind, dict):
        return dict.values(value)
    return [held for _, held in attributes(value)]


def scrub(record: ErrorRecord, known: Known | None = None) -> ErrorRecord:
    """The record without any known secret, without those of the process's environment, and as clean text.

    Names of modules and functions stay what they are where a secret is an ordinary word.
    """
    return _without(record, known or Known())


def scrub_data(data: T) -> T:
    """Plain data of others, such as the event of an SDK, without the secrets that stand under the names in it."""
    known = Known()
    known.learn_data(data)
    return _without(data, known)


def _without(data: T, known: Known) -> T:
    known.add_environment(os.environ)
    texts: list[str] = []

    def take(text: str, _: bool) -> str:
        texts.append(text)
        return text

    _walk(data, take)
    together = "\n".join(texts)
    forms = [(form, secret) for form, secret in known.forms() if form in together]
    beginnings = _beginnings(together, known)
    if not forms and not beginnings and clean_text(together) == together:
        return data
    words = [form for form, _ in forms if _WORD.fullmatch(form)]
    keys = [form for form, _ in forms if not _WORD.fullmatch(form)]
    sizes = {form: len(secret) for form, secret in forms}
    # A word may be part of another word; a key is a secret wherever it stands.
    patterns = [re.escape(key) for key in keys] + [rf"(?<![A-Za-z]){re.escape(word)}(?![A-Za-z])" for word in words]
    everywhere = re.compile("|".join(patterns)) if patterns else None
    in_names = re.compile("|".join(re.escape(key) for key in keys)) if keys else None

    def clean(text: str, is_name: bool) -> str:
        pattern = in_names if is_name else everywhere
        if pattern is not None:
            text = pattern.sub(lambda found: f"[redacted: {sizes[found[0]]} chars]", text)
        for beginning in beginnings:
            text = text.replace(beginning + MORE, "[redacted]" + MORE)
        return clean_text(text)

    return _walk(data, clean)


def _beginnings(text: str, known: Known) -> list[str]:
    """The beginnings of secrets that stand where a text was cut."""
    found: dict[str, None] = {}
    longest = max(map(len, known._texts), default=0)
    place = text.find(MORE)
    while place >= 0 and longest and len(found) < _MOST:
        before = text[max(0, place - longest) : place]
        for secret in known._texts:
            start = before.rfind(secret[:_SHORTEST])
            if start >= 0 and secret.startswith(before[start:]) and before[start:] != secret:
                found[before[start:]] = None
        place = text.find(MORE, place + 1)
    return sorted(found, key=len, reverse=True)


_NAMES = frozenset({"module", "function", "type", "package", "id", "group", "phase", "relation", "language"})


@cache
def _fields(kind: Any) -> tuple[Callable[[Any], tuple[Any, ...]], tuple[tuple[str, bool], ...]]:
    """What reads all fields of a class of records at once, and their names, each with whether it holds a name."""
    names = [each.name for each in dataclasses.fields(kind)]
    return attrgetter(*names), tuple((name, name in _NAMES) for name in names)


_WITHOUT_TEXT = (int, float, bool, type(None))


def _walk(value: T, change: Callable[[str, bool], Any]) -> T:
    """A copy of plain data with each text changed; what does not change is not copied.

    What stands there several times, such as the lines of a function that many frames ran, is looked at once.
    """
    done: dict[tuple[int, bool], Any] = {}

    def walk(value: Any, is_name: bool) -> Any:
        kind = type(value)
        if kind is str:
            return change(value, is_name)
        if kind in _WITHOUT_TEXT:
            return value
        key = (id(value), is_name)
        if key in done:
            return done[key]
        changed = value
        if kind is tuple:
            items = [walk(each, is_name) for each in value]
            if any(map(is_not, items, value)):
                changed = tuple(items)
        elif kind is list:
            changed = [walk(each, is_name) for each in value]
        elif kind is dict:
            changed = {name: walk(each, is_name) for name, each in value.items()}
        elif dataclasses.is_dataclass(kind):
            read, fields = _fields(kind)
            changes = {}
            for old, (name, names) in zip(read(value), fields, strict=True):
                if old is None or old == ():
                    continue
                new = walk(old, names)
                if new is not old:
                    changes[name] = new
            if changes:
                changed = dataclasses.replace(value, **changes)
        done[key] = changed
        return changed

    result: T = walk(value, False)
    return result
