"""Names that somebody may have meant."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

_MOST_CANDIDATES = 2000
_SHORTEST = 3
_LONGEST = 60
_MOST = 3


def near(name: str, candidates: Iterable[str]) -> list[str]:
    """The candidates that are the fewest slips away from ``name``, at most three, and three slips.

    A slip is a letter too many, missing, wrong, or in the place of its neighbour; case and underscores do not count.
    """
    if not _SHORTEST <= len(name) <= _LONGEST:
        return []
    plain = _plain(name)
    most = 1 if len(plain) < 5 else 2 if len(plain) < 9 else 3
    letters = set(plain)
    found: dict[str, int] = {}
    for candidate in islice(candidates, _MOST_CANDIDATES):
        if candidate == name or candidate in found or len(candidate) > len(name) + 10:
            continue
        other = _plain(candidate)
        # Counting slips costs far more than this.
        if abs(len(other) - len(plain)) > most or len(letters.symmetric_difference(other)) > 2 * most:
            continue
        slips = _slips(plain, other)
        if slips <= most:
            found[candidate] = slips
    private = name.startswith("_")
    fewest = min(found.values(), default=0)
    nearest = [each for each, slips in found.items() if slips == fewest]
    return sorted(nearest, key=lambda each: (each.startswith("_") is not private, each))[:_MOST]


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "") or name


def _slips(one: str, other: str) -> int:
    """The distance of two words in slips (optimal string alignment)."""
    before: list[int] = []
    last = list(range(len(other) + 1))
    for row, letter in enumerate(one, 1):
        current = [row]
        for column, another in enumerate(other, 1):
            least = min(last[column] + 1, current[-1] + 1, last[column - 1] + (letter != another))
            if row > 1 and column > 1 and letter == other[column - 2] and another == one[row - 2]:
                least = min(least, before[column - 2] + 1)
            current.append(least)
        before, last = last, current
    return last[-1]
