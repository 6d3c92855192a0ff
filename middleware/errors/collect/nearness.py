"""Names that somebody may have meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher
from itertools import islice

_MOST_CANDIDATES = 2000
_LONGEST = 60
_ENOUGH = 0.75
_MOST = 3


def near(name: str, candidates: Iterable[str]) -> list[str]:
    """Up to three candidates that look like a slip away from ``name``, the likeliest first."""
    if not 2 <= len(name) <= _LONGEST:
        return []
    plain = _plain(name)
    letters = set(plain)
    matcher = SequenceMatcher(autojunk=False)
    matcher.set_seq2(plain)
    found: dict[str, float] = {}
    for candidate in islice(candidates, _MOST_CANDIDATES):
        if candidate == name or candidate in found or abs(len(candidate) - len(name)) > 1 + len(name) // 3:
            continue
        other = _plain(candidate)
        if other == plain:
            found[candidate] = 1.0
            continue
        # Comparing costs fifty times as much as this.
        if len(letters & set(other)) * 3 < len(letters) * 2:
            continue
        matcher.set_seq1(other)
        ratio = matcher.ratio()
        if ratio >= _ENOUGH:
            found[candidate] = ratio
    return sorted(found, key=lambda each: (-found[each], each))[:_MOST]


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "") or name
