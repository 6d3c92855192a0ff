"""A command line of words alone, read without argparse: that takes a twentieth of a start to import and to tell all."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

UNTOLD = "==SUPPRESS=="
"""``argparse.SUPPRESS``, the help of what is not shown in the help."""


class NotPlain(Exception):
    """More is declared or given than can be read here: only argparse can."""


class PlainWords:
    """Stands where an argument parser will, and remembers what options are when nobody gives them.

    ``arguments(parser)`` of a command declares its words and options to it. A word takes one, and the last may take any
    number; whatever else there is, is ``NotPlain``.
    """

    usage: str | None = None
    description: str | None = None
    epilog: str | None = None

    has_options = False
    """A command need not declare options that take long to declare."""

    def __init__(self) -> None:
        self._defaults: dict[str, Any] = {}
        self._words: list[tuple[str, str | None]] = []

    def add_argument(
        self,
        *names: str,
        dest: str | None = None,
        default: Any = None,
        action: str = "store",
        nargs: str | None = None,
        type: Callable[[str], Any] | None = None,
        **shown: Any,
    ) -> None:
        """Declare a word or an option, in the words of argparse."""
        if names[0][0] != "-":
            plain = (dest, default, action, type) == (None, None, "store", None) and nargs in (None, "*")
            if not plain or "choices" in shown or (self._words and self._words[-1][1] is not None):
                raise NotPlain
            self._words.append((names[0], nargs))
            return
        if default is None and action in ("store_true", "store_false"):
            default = action == "store_false"
        elif action not in ("store", "store_true", "store_false", "store_const", "append", "count"):
            raise NotPlain
        if (type is not None and isinstance(default, str)) or shown.get("required"):
            raise NotPlain
        name = dest or next((each for each in names if each.startswith("--")), names[0]).lstrip("-").replace("-", "_")
        self._defaults.setdefault(name, default)

    def add_argument_group(self, *_: Any, **__: Any) -> PlainWords:
        """A heading of the help."""
        return self

    def add_mutually_exclusive_group(self, *, required: bool = False) -> PlainWords:
        """Options of which none is given."""
        if required:
            raise NotPlain
        return self

    def set_defaults(self, **values: Any) -> None:
        """Values that are there whatever is given."""
        self._defaults.update(values)

    def __getattr__(self, name: str) -> Any:
        raise NotPlain

    def parse(self, words: list[str]) -> Any:
        """What the words come to, with the attributes of argparse's namespace. Raises ``NotPlain``."""
        left = list(words)
        found: dict[str, Any] = {}
        for name, nargs in self._words:
            if nargs is None:
                if not left:
                    raise NotPlain
                found[name] = left.pop(0)
            else:
                found[name], left = left, []
        if left:
            raise NotPlain
        return SimpleNamespace(**self._defaults, **found)


def plain_words(arguments: Callable[[Any], None], words: list[str]) -> Any:
    """What words without an option come to for a command, or None where that is for argparse to say."""
    if any(word.startswith("-") for word in words):
        return None
    parser = PlainWords()
    try:
        arguments(parser)
        return parser.parse(words)
    except NotPlain:
        return None
