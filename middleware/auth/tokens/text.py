"""How a token is written: ``wpt_<id>_<secret>_<checksum>``.

Underscores, so that a double click takes all of it; a prefix and a checksum, by which scanners find tokens that were
published and everybody can tell one that was cut.
"""

from __future__ import annotations

import re
import secrets
from binascii import crc32
from typing import NamedTuple

PREFIX = "wpt"
_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ID, _SECRET, _SUM = 12, 32, 6
_PREFIX = re.compile(r"[a-z][a-z0-9]{1,15}")
_TOKEN = re.compile(
    rf"([a-z][a-z0-9]{{1,15}}_([0-9A-Za-z]{{{_ID}}})_([0-9A-Za-z]{{{_SECRET}}}))_([0-9A-Za-z]{{{_SUM}}})"
)


class TokenText(NamedTuple):
    """The parts of a token's text."""

    id: str
    secret: str

    def __repr__(self) -> str:
        return f"TokenText({self.id})"


def prefix_complaint(prefix: str) -> str | None:
    """What is wrong with a prefix, or None."""
    return None if _PREFIX.fullmatch(prefix) else "must be 2 to 16 small letters and digits, a letter first"


def new_text() -> TokenText:
    """The parts of a new token: 190 bits that nobody can guess."""
    return TokenText(_random(_ID), _random(_SECRET))


def written(token: TokenText, prefix: str = PREFIX) -> str:
    """The text of a token."""
    text = f"{prefix}_{token.id}_{token.secret}"
    return f"{text}_{_checksum(text)}"


def read_text(text: str) -> TokenText | None:
    """The parts of a text that is a token, whatever its prefix; None for every other text."""
    found = _TOKEN.fullmatch(text)
    if found is None or _checksum(found[1]) != found[4]:
        return None
    return TokenText(found[2], found[3])


def _random(length: int) -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(length))


def _checksum(text: str) -> str:
    number, letters = crc32(text.encode("ascii")), ""
    for _ in range(_SUM):
        number, rest = divmod(number, len(_LETTERS))
        letters = _LETTERS[rest] + letters
    return letters
