"""What an inbox tells of its errors without opening them: occurrences, and the groups that they belong to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..record import ErrorRecord, Phase
from ..render.outline import where

State = Literal["open", "resolved", "ignored"]
"""``resolved`` ends with the next failure of the group; ``ignored`` lasts until somebody opens it."""

STATES: tuple[State, ...] = ("open", "resolved", "ignored")

HOUR = 3600
HOURS_KEPT = 7 * 24
KEPT_OF_A_GROUP = 20
"""Records kept of one group, so that one that fails again and again leaves the others their places."""

_LONGEST = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrence:
    """One failure. ``place`` is where, as ``shop/views.py:12 in checkout``."""

    id: str
    group: str
    time: float
    headline: str
    type: str
    place: str = ""
    method: str = ""
    url: str = ""
    phase: Phase = "call"
    sent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """All failures with one fingerprint, as of the last one.

    ``count`` counts all of them since ``first``, also those whose records are gone; ``latest`` is the id of the last
    one whose record is kept, ``kept`` how many are. ``state`` is so since ``changed``. ``resolved`` is when somebody
    last thought it was; together with the state ``open`` it has come back. ``hours`` are pairs of an hour (since 1970)
    and the failures in it, for a week.
    """

    id: str
    headline: str
    type: str
    place: str
    first: float
    last: float
    count: int
    state: State = "open"
    changed: float | None = None
    resolved: float | None = None
    latest: str | None = None
    kept: int = 0
    hours: tuple[tuple[int, int], ...] = ()

    @property
    def came_back(self) -> bool:
        """Whether it failed again after it was resolved."""
        return self.state == "open" and self.resolved is not None


def occurrence_of(record: ErrorRecord) -> Occurrence:
    """What is told of a record."""
    request = record.request
    return Occurrence(
        id=record.id,
        group=record.group,
        time=record.time,
        headline=_short(record.headline),
        type=_short(record.raised.type),
        place=_short(where(record)),
        method="" if request is None else _short(request.method),
        url="" if request is None else _short(request.url or f"{request.script_name}{request.path_info}"),
        phase=record.phase,
        sent=record.sent,
    )


def hour_of(time: float) -> int:
    """The hour since 1970 in which a moment is."""
    return int(time // HOUR)


def named(name: str) -> str:
    """An id as it is written, from how people may type it."""
    return name.strip().upper()


def _short(text: str) -> str:
    text = " ".join(text[: 4 * _LONGEST].split())
    # Halves of surrogate pairs can neither be stored nor shown.
    text = text.encode("utf-8", "replace").decode()
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
