"""Dates in headers (RFC 9110 section 5.6.7), as whole seconds since 1970."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from time import gmtime, time

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAY_NAMES = "|".join(_DAYS)
_MONTH_NAMES = "|".join(_MONTHS)
_TIME = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
_FORMS = (
    rf"(?:{_DAY_NAMES}), (?P<day>[0-9]{{2}}) (?P<month>{_MONTH_NAMES}) (?P<year>[0-9]{{4}}) {_TIME} GMT",
    r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, "
    rf"(?P<day>[0-9]{{2}})-(?P<month>{_MONTH_NAMES})-(?P<year>[0-9]{{2}}) {_TIME} GMT",
    rf"(?:{_DAY_NAMES}) (?P<month>{_MONTH_NAMES}) (?P<day>[ 0-9][0-9]) {_TIME} (?P<year>[0-9]{{4}})",
)


@cache
def _forms() -> tuple[re.Pattern[str], ...]:
    # Compiled for the first date that is read: they take longer than all else that is imported with them.
    return tuple(map(re.compile, _FORMS))


@lru_cache(maxsize=1024)
def format_http_date(seconds: int) -> str:
    """An IMF-fixdate, such as ``Sun, 06 Nov 1994 08:49:37 GMT``, whatever the locale."""
    year, month, day, hour, minute, second, weekday, *_ = gmtime(seconds)
    return f"{_DAYS[weekday]}, {day:02} {_MONTHS[month - 1]} {year:04} {hour:02}:{minute:02}:{second:02} GMT"


def parse_http_date(value: str, *, now: float | None = None) -> int | None:
    """Read an IMF-fixdate or one of the two obsolete forms; None for anything else, and for days that do not exist.

    A year of two digits that is more than 50 years ahead of ``now`` lies in the past (RFC 9110 section 5.6.7).
    """
    if len(value) > 40:
        return None
    found = next((match for form in _forms() if (match := form.fullmatch(value))), None)
    if found is None:
        return None
    year, month, day = int(found["year"]), _MONTHS.index(found["month"]) + 1, int(found["day"])
    hour, minute, second = int(found["hour"]), int(found["minute"]), int(found["second"])
    if len(found["year"]) == 2:
        this_year = gmtime(time() if now is None else now).tm_year
        year += this_year - this_year % 100
        if year > this_year + 50:
            year -= 100
    if second == 60:  # a leap second, which neither clocks nor file systems know
        second = 59
    from datetime import UTC, datetime  # two milliseconds, for requests that bring a date

    try:
        return int(datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp())
    except ValueError:
        return None
