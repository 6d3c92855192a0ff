"""How often a group failed while nobody was told."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """The failures of one group that were counted and not reported: ``first`` and ``last`` in seconds since 1970.

    ``line`` is the last of them as a line of a log, ``ids`` those of the last few.
    """

    group: str
    count: int
    first: float
    last: float
    line: str
    ids: tuple[str, ...] = ()
