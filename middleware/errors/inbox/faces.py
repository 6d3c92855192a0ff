"""An inbox as data, Markdown and plain text: for tools, coding assistants and terminals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from ....protocol.printable import one_line
from ..render.markdown import span
from .groups import Group, Occurrence
from .selection import age, state_counts

VERSION = 1
"""Of what :func:`list_data` and :func:`group_data` return; grows when a key changes its meaning or goes."""


def iso(moment: float | None) -> str | None:
    """A time as ISO 8601 in UTC, None for what no calendar has."""
    if moment is None:
        return None
    try:
        return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    except (ValueError, OverflowError, OSError):
        return None


def group_data(group: Group) -> dict[str, Any]:
    """A group for JSON; ``page``, ``markdown`` and ``json`` are addresses below the pages."""
    name = group.latest or group.id
    return {
        "id": group.id,
        "type": group.type,
        "headline": group.headline,
        "place": group.place,
        "count": group.count,
        "first": iso(group.first),
        "last": iso(group.last),
        "state": group.state,
        "came_back": group.came_back,
        "changed": iso(group.changed),
        "latest": group.latest,
        "kept": group.kept,
        "page": name,
        "markdown": f"{name}.md",
        "json": f"{name}.json",
    }


def occurrence_data(occurrence: Occurrence) -> dict[str, Any]:
    """An occurrence for JSON."""
    return {
        "id": occurrence.id,
        "group": occurrence.group,
        "time": iso(occurrence.time),
        "type": occurrence.type,
        "headline": occurrence.headline,
        "place": occurrence.place,
        "method": occurrence.method,
        "url": occurrence.url,
        "phase": occurrence.phase,
        "sent": occurrence.sent,
    }


def list_data(groups: Sequence[Group], everything: Iterable[Group]) -> dict[str, Any]:
    """A list for JSON: the groups that were asked for, and how many of all there are in each state."""
    return {
        "version": VERSION,
        "counts": dict(state_counts(everything)),
        "groups": [group_data(group) for group in groups],
    }


def list_markdown(groups: Sequence[Group], now: float) -> str:
    """A list for people and assistants who read Markdown. Whatever strangers wrote stands in code."""
    if not groups:
        return "# Errors\n\nNone.\n"
    blocks = ["# Errors"]
    for group in groups:
        facts = [f"{_times(group.count)}, last {age(group.last, now)}, {_state(group)}"]
        if group.place:
            facts.append(f"At {span(group.place)}")
        facts.append(f"More: {span(f'{group.latest or group.id}.md')}")
        blocks.append(f"## {span(group.id)} {span(group.headline)}\n\n" + "\n".join(f"- {fact}" for fact in facts))
    return "\n\n".join(blocks) + "\n"


def group_markdown(group: Group, now: float) -> str:
    """What stands above the last record of a group."""
    return (
        f"Group {span(group.id)}: {_times(group.count)} since {iso(group.first)}, last {age(group.last, now)},"
        f" {_state(group)}.\n\n"
    )


def list_cells(group: Group, now: float) -> tuple[str, str, str, str, str, str]:
    """A group in a list for terminals: its id, count, age, state, headline and place."""
    return (
        group.id,
        f"{group.count}×",
        age(group.last, now),
        _state(group),
        one_line(group.headline),
        one_line(group.place),
    )


def list_text(groups: Sequence[Group], now: float) -> str:
    """A list for terminals and curl."""
    rows = [list_cells(group, now) for group in groups]
    if not rows:
        return "No errors.\n"
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = []
    for row in rows:
        head = f"{row[0]:<{widths[0]}}  {row[1]:>{widths[1]}}  {row[2]:<{widths[2]}}  {row[3]:<{widths[3]}}"
        lines.append(f"{head}  {row[4]}")
        if row[5]:
            lines.append(f"{' ' * len(head)}  {row[5]}")
    return "\n".join(lines) + "\n"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _state(group: Group) -> str:
    return "came back" if group.came_back else group.state
