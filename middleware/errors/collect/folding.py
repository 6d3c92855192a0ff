"""A traceback of a thousand frames becomes one that people read: repetitions are counted, the middle is left out."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from ..record import Fold, Gap

# Longer circles than this are not looked for; what repeats less often is not worth a sentence.
_LONGEST = 200
_SHORT = 12  # of a longer circle the last round is not shown a second time
_TRIES = 16
_WORTH_FOLDING = 3


@dataclass(frozen=True, slots=True)
class Folding:
    """What stays: indices into the sequence, and where it was folded, by indices into what stays."""

    kept: tuple[int, ...]
    folds: tuple[Fold, ...] = ()
    gaps: tuple[Gap, ...] = ()

    @property
    def omitted(self) -> int:
        """How many were left out besides the repetitions."""
        return sum(gap.frames for gap in self.gaps)


def fold(keys: Sequence[Hashable], most: int, matters: Callable[[int], bool]) -> Folding:
    """Fold what repeats; of more than ``most`` that are left keep both ends, and in between first what ``matters``.

    Of a repetition the first round stays, and of a short one also the last: how it began, and where it ended.
    """
    kept, after = _rounds(keys)
    if len(kept) > most:
        wanted = _choose(kept, most, matters, after)
    else:
        wanted = set(range(len(kept)))
    places: list[int] = []
    folds: list[Fold] = []
    gaps: list[Gap] = []
    missing = 0
    for index, original in enumerate(kept):
        if index in wanted:
            if missing:
                gaps.append(Gap(after=len(places) - 1, frames=missing))
                missing = 0
            places.append(original)
        else:
            missing += 1
        if index in after:
            frames, times = after[index]
            # Its round must be there in full to be pointed at; otherwise its frames count as left out.
            if all(each in wanted for each in range(index - frames + 1, index + 1)):
                folds.append(Fold(after=len(places) - 1, frames=frames, times=times))
            else:
                missing += frames * times
    if missing:
        gaps.append(Gap(after=len(places) - 1, frames=missing))
    return Folding(tuple(places), tuple(folds), tuple(gaps))


def _rounds(keys: Sequence[Hashable]) -> tuple[list[int], dict[int, tuple[int, int]]]:
    """Indices of what stays, and behind which of them how long a round ran how many more times."""
    following: list[list[int]] = [[] for _ in keys]  # the next places of the same key, nearest first
    latest: dict[Hashable, list[int]] = {}
    for index in range(len(keys) - 1, -1, -1):
        places = latest.get(keys[index], [])
        following[index] = places
        latest[keys[index]] = [index, *places[: _TRIES - 1]]
    kept: list[int] = []
    after: dict[int, tuple[int, int]] = {}
    index = 0
    while index < len(keys):
        length, rounds = _round_at(keys, index, following[index])
        shown = 2 if length <= _SHORT else 1
        if length * (rounds - shown) < _WORTH_FOLDING:
            kept.append(index)
            index += 1
            continue
        kept += range(index, index + length)
        after[len(kept) - 1] = (length, rounds - shown)
        if shown == 2:
            last = index + length * (rounds - 1)
            kept += range(last, last + length)
        index += length * rounds
    return kept, after


def _round_at(keys: Sequence[Hashable], start: int, candidates: list[int]) -> tuple[int, int]:
    for candidate in candidates:
        length = candidate - start
        if length > _LONGEST:
            break
        end = start
        while end + length < len(keys) and keys[end] == keys[end + length]:
            end += 1
        rounds = (end - start) // length + 1
        if rounds > 2:
            return length, rounds
    return 1, 1


def _choose(kept: list[int], most: int, matters: Callable[[int], bool], after: dict[int, tuple[int, int]]) -> set[int]:
    count = len(kept)
    # The end is where it failed, the beginning how it came there.
    wanted = {*range(min(max(most // 6, 1), count)), *range(max(count - max(most // 4, 1), 0), count)}
    rounds = {place for last, (frames, _) in after.items() for place in range(last - frames + 1, last + 1)}
    middle = [place for place in range(count - 1, -1, -1) if place not in wanted]
    for place in sorted(middle, key=lambda each: (each not in rounds, not matters(kept[each]))):
        if len(wanted) >= most:
            break
        wanted.add(place)
    return wanted
