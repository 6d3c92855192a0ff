"""Which groups of an inbox are wanted: by state, and by words that occur in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qsl, urlencode

from .groups import HOUR, STATES, Group, State

Window = Literal["day", "week"]
Wanted = Literal["open", "resolved", "ignored", "all"]

_LONGEST = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What a list shows: groups in this state, that hold all of these words, with counts over this window."""

    state: Wanted = "open"
    words: str = ""
    window: Window = "day"

    def of(self, groups: Iterable[Group]) -> list[Group]:
        """The groups that are meant, in their order."""
        words = self.words.lower().split()
        return [
            group
            for group in groups
            if self.state in ("all", group.state)
            and all(word in f"{group.id} {group.type} {group.headline} {group.place}".lower() for word in words)
        ]

    def query(self, **changes: str) -> str:
        """The query of an address that shows this with some changes: ``?state=all``, or nothing for the usual list."""
        chosen = {"state": self.state, "q": self.words, "window": self.window, **changes}
        usual = {"state": "open", "q": "", "window": "day"}
        said = {name: text for name, text in chosen.items() if text != usual[name]}
        return f"?{urlencode(said)}" if said else "./"


def selection_of(query: str) -> Selection:
    """What a query string asks for; what it says wrong counts as not said."""
    said = dict(parse_qsl(query[:4096], errors="replace"))
    state, window = said.get("state", ""), said.get("window", "")
    return Selection(
        state=state if state in (*STATES, "all") else "open",  # type: ignore[arg-type]
        words=said.get("q", "")[:_LONGEST].strip(),
        window="week" if window == "week" else "day",
    )


def state_counts(groups: Iterable[Group]) -> dict[State, int]:
    """How many groups are in each state."""
    counts: dict[State, int] = dict.fromkeys(STATES, 0)
    for group in groups:
        counts[group.state] += 1
    return counts


def bars(group: Group, now: float, window: Window) -> Sequence[int]:
    """Failures over time, the present last: in the 24 hours of a day, or the 28 quarters of days of a week."""
    size, length = (1, 24) if window == "day" else (6, 28)
    last = int(now // HOUR) // size
    found = [0] * length
    for hour, count in group.hours:
        place = length - 1 - (last - hour // size)
        if 0 <= place < length:
            found[place] += count
    return found


def age(then: float, now: float) -> str:
    """``just now``, ``12 minutes ago``, ``3 days ago``; never in the future, because clocks of machines differ."""
    seconds = max(0.0, now - then)
    for size, name in ((86400 * 365, "year"), (86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            number = int(seconds // size)
            return f"{number} {name}{'s' if number != 1 else ''} ago"
    return "just now" if seconds < 10 else f"{int(seconds)} seconds ago"
