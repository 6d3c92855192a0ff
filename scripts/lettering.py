"""How wide text gets where there are no fonts to measure with, and how to say it in less."""

from __future__ import annotations

from collections.abc import Sequence

# The widest of the common monospaced fonts, in parts of the font's size. What they have no letter for comes from
# another font, and is drawn into the width that it is given here.
_ADVANCE = 0.61
_OTHER_ADVANCE = 1.05


def is_monospaced(text: str) -> bool:
    """Whether any monospaced font has these letters: Latin, Greek and Cyrillic ones."""
    return all(letter < "\u0300" or "\u0370" <= letter < "\u0530" or letter in "…→" for letter in text)


def width_of(text: str, size: float) -> float:
    """How wide a text gets at most, in pixels."""
    return sum(_ADVANCE if is_monospaced(letter) else _OTHER_ADVANCE for letter in text) * size


def shorten(text: str, limit: int, keep: str = "both") -> str:
    """The text in at most ``limit`` letters; what is no plain letter counts twice.

    ``keep`` says what stays of a longer one: "both" ends of it, or the "last" of it.
    """
    cost = [1 if is_monospaced(letter) else 2 for letter in text]
    if sum(cost) <= limit:
        return text
    first = 0 if keep == "last" else (limit - 1) * 3 // 5
    head = _fitting(text, cost, first)
    tail = _fitting(text[::-1], cost[::-1], limit - 1 - first)[::-1]
    return f"{head}…{tail}"


def _fitting(text: str, cost: Sequence[int], limit: int) -> str:
    spent = 0
    for index, each in enumerate(cost):
        spent += each
        if spent > limit:
            return text[:index]
    return text
