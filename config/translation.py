"""Keys of other programs, and what they say in options of ours.

An old spelling of one option stands in a reader's ``names``. A translation is for a key that means several options,
means one otherwise, or needs a word of explanation.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_origin

from .options import Check, Option, OptionError
from .problems import did_you_mean
from .records import record
from .values import parse

if TYPE_CHECKING:
    from .reader import Reader


def _nothing(value: Any) -> Mapping[str, Any]:
    return {}


def _silent(value: Any) -> str | None:
    return None


@record
class Translation:
    """What a key of another program says.

    ``kind`` is what its text must be. ``says`` turns the value into options; ``supposes`` into options that count only
    where nothing else says them. ``remark`` tells what is otherwise than the key promises, as a phrase that completes
    "key: …", or None. ``doc`` is a sentence for the deployer.
    """

    kind: Any
    doc: str
    says: Callable[[Any], Mapping[str, Any]] = _nothing
    supposes: Callable[[Any], Mapping[str, Any]] = _nothing
    remark: Callable[[Any], str | None] = _silent
    check: Check | None = None


@record
class Contradiction:
    """Two keys that say different things about one option, or a key whose meaning the option does not allow."""

    key: str
    what: str
    fix: str = ""


class Merge:
    """Options, and which key has said each of them; both are added to. What was said of ``firm`` options stays."""

    def __init__(
        self, options: Iterable[Option], values: dict[str, Any], said: dict[str, str], firm: Container[str] = ()
    ) -> None:
        self._options = {option.name: option for option in options}
        self.values = values
        self._said = said
        self._firm = firm

    def add(self, key: str, translation: Translation, value: Any) -> Contradiction | None:
        """Let a key say its options. The first thing that is wrong with that is returned."""
        for name, meant in translation.says(value).items():
            if name in self._firm:
                continue
            complaint = self._options[name].complaint(meant)
            if complaint is not None:
                return Contradiction(key, complaint)
            other = self._said.get(name)
            if other is not None and name in self.values and self.values[name] != meant:
                return Contradiction(key, f"contradicts {other!r}: both say {name}", "keep one of them")
            self._said.setdefault(name, key)
            self.values[name] = meant
        return None

    def suppose(self, translation: Translation, value: Any) -> None:
        """Let a key suppose its options, after every key has said its own."""
        for name, meant in translation.supposes(value).items():
            if name not in self._said:
                self.values[name] = meant


def translate(reader: Reader, keywords: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Keyword arguments in any of a reader's spellings become options; with what is to be said about some.

    Text counts as the text of an INI, where the option is none. An old keyword that is None is one that was not given.
    Raises ``OptionError``.
    """
    name = reader.component.__name__
    options = {option.name: option for option in reader.options}
    values: dict[str, Any] = {}
    said: dict[str, str] = {}
    foreign: dict[str, Any] = {}
    remarks: dict[str, str] = {}
    for key, value in keywords.items():
        own = options.get(reader.names.get(key, key))
        if own is not None:
            if key in reader.names and value is None:
                continue
            meant = _read(name, key, value, own.kind, own.parse)
            if own.name in said and values[own.name] != meant:
                raise OptionError(name, key, f"contradicts {said[own.name]!r}: both say {own.name}; keep one of them")
            values[own.name] = meant
            said[own.name] = key
        elif value is None and (key in reader.translations or key in reader.ignored or key in reader.refused):
            continue
        elif key in reader.translations:
            foreign[key] = _read(name, key, value, reader.translations[key].kind)
        elif key in reader.ignored:
            remarks[key] = f"does nothing: {reader.ignored[key]}"
        elif key in reader.refused:
            raise OptionError(name, key, reader.refused[key])
        else:
            hint = did_you_mean(key, reader.keys())
            raise OptionError(name, key, f"no such option; {hint}" if hint else "no such option")
    merge = Merge(reader.options, values, said)
    for key, value in foreign.items():
        translation = reader.translations[key]
        complaint = translation.check(value) if translation.check is not None else None
        wrong = Contradiction(key, complaint) if complaint is not None else merge.add(key, translation, value)
        if wrong is not None:
            raise OptionError(name, key, f"{wrong.what}; {wrong.fix}" if wrong.fix else wrong.what)
        remark = translation.remark(value)
        if remark is not None:
            remarks[key] = remark
    for key, value in foreign.items():
        merge.suppose(reader.translations[key], value)
    return values, remarks


def _read(component: str, key: str, value: Any, kind: Any, read: Callable[[str], Any] | None = None) -> Any:
    if isinstance(value, Path) and get_origin(kind) is tuple:
        return (value,)
    if isinstance(value, list | set | frozenset):
        return tuple(value) if isinstance(value, list) else tuple(sorted(value))
    if not isinstance(value, str):
        return value
    if kind is str and read is None:
        return value
    try:
        return read(value) if read is not None else parse(value, kind)
    except ValueError as error:
        raise OptionError(component, key, f"{error}, got {value!r}") from error
