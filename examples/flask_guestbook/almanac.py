"""Daylight and moon, day by day, from two well-known approximations (good to some minutes and to half a day)."""

import csv
import io
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

AXIAL_TILT = math.radians(23.44)
NEW_MOON = date(2000, 1, 6)
MONTH = 29.530589
PHASES = (
    "new",
    "waxing crescent",
    "first quarter",
    "waxing gibbous",
    "full",
    "waning gibbous",
    "last quarter",
    "waning crescent",
)


@dataclass(frozen=True)
class Day:
    date: date
    daylight: float  # hours
    moon_age: float  # days since new moon
    phase: str


def days(first: date, number: int, latitude: float) -> Iterator[Day]:
    for offset in range(number):
        today = first + timedelta(days=offset)
        age = ((today - NEW_MOON).days + 0.5) % MONTH
        yield Day(today, daylight(today, latitude), age, phase(age))


def daylight(day: date, latitude: float) -> float:
    """Hours between sunrise and sunset at ``latitude`` degrees; 0 or 24 beyond the polar circles."""
    declination = -AXIAL_TILT * math.cos(2 * math.pi * (day.timetuple().tm_yday + 10) / 365.25)
    cosine = -math.tan(math.radians(latitude)) * math.tan(declination)
    return 24 / math.pi * math.acos(max(-1.0, min(1.0, cosine)))


def phase(age: float) -> str:
    eighth = int(age / MONTH * 8 + 0.5) % 8
    return PHASES[eighth]


def as_csv(table: Iterable[Day]) -> Iterator[str]:
    """CSV text in pieces of some kilobytes: nobody ever holds the whole table."""
    line = io.StringIO()
    writer = csv.writer(line)
    writer.writerow(("date", "daylight_hours", "moon_age_days", "moon"))
    for day in table:
        writer.writerow((day.date.isoformat(), f"{day.daylight:.2f}", f"{day.moon_age:.1f}", day.phase))
        if line.tell() > 4096:
            yield line.getvalue()
            line.seek(0)
            line.truncate()
    yield line.getvalue()
