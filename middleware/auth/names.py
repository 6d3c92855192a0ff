"""Names that people log in with: which texts can be one, and which of them are the same."""

from __future__ import annotations

import re
import unicodedata

LONGEST_NAME = 255

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def composed(name: str) -> str | None:
    """The name in composed characters (Unicode NFC), as it is looked up; None for what can be nobody's name."""
    if not name or len(name) > LONGEST_NAME or _CONTROL.search(name):
        return None
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def folded(name: str) -> str:
    """What two spellings of one name have in common: composed characters, and no difference of case."""
    return (
        name.lower() if name.isascii() else unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
    )


def spelled(name: str) -> str:
    """The same for whoever tells more names apart than we do: each letter stays one, so ``ſam`` is not ``sam``.

    Rules, and what others have verified, are compared so: at a provider the two may be two people.
    """
    return name.lower() if name.isascii() else unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).lower())


def is_only_like(name: str, told: str) -> bool:
    """Whether a name that somebody else vouches for has found an account's though its letters are others."""
    return name != told and spelled(name) != spelled(told) and folded(name) == folded(told)
