"""What a new password must be like: long enough, and none that guessers try first (NIST SP 800-63B, ASVS 6.2).

No rule asks for digits or capitals: such rules make passwords alike. What is refused is what lists of guesses hold:
the common passwords in ``common.txt``, also with the usual decorations (``P4ssw0rd!!``), rows of keys, things said over
and over, and the names of the user and the site.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterable, Iterator
from importlib.resources import files

from ..sentence import Sentence
from .hasher import LONGEST

_DECORATION = " \t0123456789!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
_DISGUISES = (str.maketrans("@4301!5$7+", "aaeoiisstt"), str.maketrans("@4301!5$7+", "aaeolissss"))
_ROWS = (
    "01234567890123456789",
    "abcdefghijklmnopqrstuvwxyz",
    "qwertyuiop[]asdfghjkl;'zxcvbnm,./",
    "qwertzuiopasdfghjklyxcvbnm",
    "azertyuiopqsdfghjklmwxcvbn",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,9ol.0p;/",
    "1q2w3e4r5t6y7u8i9o0p",
    "q1w2e3r4t5y6u7i8o9p0",
    "1a2b3c4d5e6f7g8h9i0j",
    "a1b2c3d4e5f6g7h8i9j0",
)
_SHORTEST_WORD = 4
_SHORTEST_RUN = 3


TOO_SHORT = "Use at least %(number)d characters."
TOO_LONG = "Use at most %(number)d bytes."
COMMON = "This password is among the first that are tried. Choose one that nobody else uses."
PREDICTABLE = "This password is a row or a repetition. Choose one that cannot be guessed."
PERSONAL = "This password is little more than a name that everybody knows here."


class Policy:
    """The rules for new passwords. ``min_length`` counts characters, ``warn_below`` those that pages advise."""

    def __init__(self, min_length: int = 10, warn_below: int = 15) -> None:
        self.min_length = min_length
        self.warn_below = warn_below

    def complaint(self, password: str, words: Iterable[str] = ()) -> Sentence | None:
        """Why this password is not accepted, or None.

        ``words`` are those that others connect with the user: name, mail address, the site's title and host.
        """
        composed = unicodedata.normalize("NFC", password)
        if len(composed) < self.min_length:
            return Sentence(TOO_SHORT, number=self.min_length)
        if len(composed.encode("utf-8", "surrogatepass")) > LONGEST:
            return Sentence(TOO_LONG, number=LONGEST)
        folded = composed.casefold()
        if _is_row(folded) or _is_repetition(folded):
            return Sentence(PREDICTABLE)
        common = _common()
        if any(stem in common and 2 * len(stem) >= len(folded) for stem in _stems(folded)):
            return Sentence(COMMON)
        if any(len(word) * 2 > len(folded) for word in _pieces(words) if any(word in each for each in _seen(folded))):
            return Sentence(PERSONAL)
        return None


@functools.cache
def _common() -> frozenset[str]:
    return frozenset(files(__package__).joinpath("common.txt").read_text("utf-8").split())


def _seen(folded: str) -> Iterator[str]:
    """The text as it is, and without the disguises that everybody knows."""
    yield folded
    for each in _DISGUISES:
        yield folded.translate(each)


def _stems(folded: str) -> Iterator[str]:
    """What may be left when decorations are taken away."""
    stripped = folded.strip(_DECORATION)
    for text in (*_seen(folded), stripped, *_seen(folded.rstrip(_DECORATION)), *_seen(folded.lstrip(_DECORATION))):
        yield text
        yield _once(text)


def _once(text: str) -> str:
    """``abcabc`` → ``abc``; anything else as it is."""
    found = re.fullmatch(r"(.{2,}?)\1+", text, re.DOTALL)
    return found[1] if found else text


def _is_repetition(folded: str) -> bool:
    """A few characters over and over, perhaps cut off at the end: ``abababab``, ``1231231231``."""
    return len(set(folded)) <= 2 or any(
        (folded[:length] * len(folded))[: len(folded)] == folded for length in range(1, 5)
    )


def _is_row(folded: str) -> bool:
    """Neighbours on the keyboard or in the alphabet, in one or two pieces, with one or two characters more.

    ``qwertyuiop``, ``12345qwert``, ``123456789a``.
    """
    length = len(folded)
    return any(
        _is_row_throughout(folded[start : length - end])
        for start, end in ((0, 0), (0, 1), (1, 0), (0, 2), (2, 0), (1, 1))
        if length - start - end >= 2 * (start + end) + 3
    )


def _is_row_throughout(text: str) -> bool:
    return _runs(text) or any(
        _runs(text[:at]) and _runs(text[at:]) for at in range(_SHORTEST_RUN, len(text) - _SHORTEST_RUN + 1)
    )


def _runs(piece: str) -> bool:
    backwards = piece[::-1]
    return any(piece in row or backwards in row for row in _ROWS)


def _pieces(words: Iterable[str]) -> Iterator[str]:
    """The words, and the parts of names, addresses and hosts: ``ada.lovelace@example.org``."""
    for word in words:
        folded = unicodedata.normalize("NFC", word).casefold()
        for piece in {folded, re.sub(r"\W+", "", folded), *re.split(r"[\W_]+", folded)}:
            if len(piece) >= _SHORTEST_WORD:
                yield piece
