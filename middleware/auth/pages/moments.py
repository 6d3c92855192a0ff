"""Times as people read them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

from .language import Catalogue

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Moments(NamedTuple):
    """Says times (seconds since 1970) in a language, from ``now``."""

    words: Catalogue
    now: float

    def date(self, time: float) -> str:
        """``26 Nov 2026``."""
        day = datetime.fromtimestamp(time, UTC)
        # The sentence holds the order, which is another one in each language.
        return self.words("%(day)d %(month)s %(year)d", day=day.day, month=self._month(day.month), year=day.year)

    def exact(self, time: float) -> str:
        """``26 Nov 2026, 07:14 UTC``."""
        return f"{self.date(time)}, {datetime.fromtimestamp(time, UTC):%H:%M} UTC"

    def iso(self, time: float) -> str:
        """For ``datetime`` attributes."""
        return f"{datetime.fromtimestamp(time, UTC):%Y-%m-%dT%H:%M:%SZ}"

    def ago(self, time: float) -> str:
        """``just now``, ``5 minutes ago``; the date of what is longer ago than a month."""
        words, seconds = self.words, max(0, int(self.now - time))
        if seconds < 120:
            return words("just now")
        minutes = seconds // 60
        if minutes < 120:
            return words("%(number)d minutes ago", number=minutes)
        hours = minutes // 60
        if hours < 48:
            return words("%(number)d hours ago", number=hours)
        days = hours // 24
        if days < 31:
            return words("%(number)d days ago", number=days)
        return self.date(time)

    def _month(self, number: int) -> str:
        return self.words(_MONTHS[number - 1])
