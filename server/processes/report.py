"""The few figures of an engine's snapshot that are sent all the time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .lines import Message

FIGURES = ("threads", "busy", "hung", "waiting", "connections", "requests")


def report_of(snapshot: dict[str, Any]) -> Message:
    """The figures that add up over processes, and ``progress``, which grows for as long as the engine goes on."""
    threads = snapshot.get("threads") or []
    connections = snapshot.get("connections") or {}
    states = [thread.get("state") for thread in threads]
    return {
        "progress": snapshot.get("progress"),
        "threads": len(threads),
        "busy": states.count("busy"),
        "hung": states.count("hung"),
        "waiting": snapshot.get("waiting") or 0,
        "connections": sum(connections.values()),
        "requests": (snapshot.get("counters") or {}).get("requests") or 0,
    }


def totals_of(reports: Iterable[Message]) -> Message:
    """The sums of the figures over several reports."""
    totals = dict.fromkeys(FIGURES, 0)
    for report in reports:
        for name in FIGURES:
            totals[name] += int(report.get(name) or 0)
    return totals
