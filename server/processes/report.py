"""The few figures of an engine's snapshot that are sent all the time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .lines import Message

PROGRESS = 5.0
"""Seconds without progress after which an engine is not believed to go on, whatever its process says."""

FIGURES = ("threads", "busy", "hung", "waiting", "connections", "requests")


def report_of(snapshot: dict[str, Any]) -> Message:
    """The figures that add up over processes, and ``progress``, which grows for as long as the engine goes on."""
    states = [thread["state"] for thread in snapshot["threads"]]
    return {
        "progress": snapshot["progress"],
        "threads": snapshot["settings"]["threads"],
        "busy": states.count("busy"),
        "hung": states.count("hung"),
        "waiting": snapshot["waiting"],
        "connections": sum(snapshot["connections"].values()),
        "requests": snapshot["counters"]["requests"],
    }


def totals_of(reports: Iterable[Message]) -> Message:
    """The sums of the figures over several reports, which may still be empty."""
    totals = dict.fromkeys(FIGURES, 0)
    for report in reports:
        for name in FIGURES:
            totals[name] += int(report.get(name) or 0)
    return totals
