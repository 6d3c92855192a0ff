"""A record as one line of a log."""

from __future__ import annotations

from ....protocol.printable import one_line
from ..record import ErrorRecord
from .outline import phase_of, where

_MOST = 1000


def as_line(record: ErrorRecord) -> str:
    """Id, group, what, where and which request, in one line whatever the texts hold.

    Such as ``K7QX-M3PZ E-7K3QX ValueError: too many at shop/views.py:42 in add (GET /cart)``.
    """
    parts = [record.id, record.group, one_line(record.headline, 400) if record.exceptions else "error"]
    place = where(record)
    if place:
        parts.append(f"at {one_line(place, 300)}")
    request = record.request
    said = [phase_of(record.phase, sent=record.sent)]
    if request is not None:
        said.insert(0, one_line(f"{request.method} {request.script_name}{request.path_info}".strip(), 300))
    about = ", ".join(each for each in said if each)
    if about:
        parts.append(f"({about})")
    return one_line(" ".join(parts), _MOST)
