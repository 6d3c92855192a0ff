"""The list of groups, and the page of one, as HTML that needs no script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ....protocol.wsgi import Headers
from ..render.outline import phase_of
from ..render.templates import static, template
from .faces import iso
from .groups import STATES, Group, Occurrence
from .selection import Selection, Window, age, bars, state_counts

_MOST_ROWS = 300
_HEIGHT = 22
_STEP = 4
_LABELS = {"open": "Open", "resolved": "Resolved", "ignored": "Ignored", "all": "All"}


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a diagram."""

    x: int
    y: int
    height: int
    count: int


@dataclass(frozen=True, slots=True)
class Diagram:
    """How often a group failed, over time."""

    bars: tuple[Bar, ...]
    width: int
    height: int
    count: int
    label: str


@dataclass(frozen=True, slots=True)
class Row:
    """A group in the list. ``name``, its type without module, and ``message`` are its headline."""

    group: Group
    name: str
    message: str
    last: str
    last_iso: str
    first: str
    diagram: Diagram


def list_headers(nonce: str) -> Headers:
    """The headers of pages with forms and one style, and no script."""
    policy = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )
    return [
        ("Content-Type", "text/html; charset=utf-8"),
        ("Content-Security-Policy", policy),
        ("Cross-Origin-Opener-Policy", "same-origin"),
        # Without any referrer the Origin of a form would be null, by which older browsers cannot be told from others.
        ("Referrer-Policy", "same-origin"),
    ]


def list_page(
    groups: Sequence[Group],
    everything: Sequence[Group],
    chosen: Selection,
    *,
    now: float,
    kept: str,
    site: str,
    nonce: str,
    token: str,
) -> str:
    """The list of groups, with what may be done with each."""
    counts: dict[str, int] = {"all": len(everything)}
    counts.update(state_counts(everything).items())
    tabs = [(_LABELS[state], counts[state], chosen.query(state=state), state) for state in (*STATES, "all")]
    return _render(
        "inbox_list.html",
        nonce,
        token,
        rows=[_row(group, now, chosen.window) for group in groups[:_MOST_ROWS]],
        left_out=max(0, len(groups) - _MOST_ROWS),
        total=len(everything),
        tabs=tabs,
        chosen=chosen,
        kept=kept,
        site=site,
        windows=[
            ("24 hours", chosen.query(window="day"), "day"),
            ("7 days", chosen.query(window="week"), "week"),
        ],
        back=chosen.query().removeprefix("./").removeprefix("?"),
        tools=chosen.query().removeprefix("./"),
    )


def group_page(group: Group, occurrences: Sequence[Occurrence], *, now: float, nonce: str, token: str) -> str:
    """One group: since when, how often, and the errors of it that are kept."""
    return _render(
        "inbox_group.html",
        nonce,
        token,
        row=_row(group, now, "week"),
        changed=age(group.changed, now) if group.changed is not None else "",
        occurrences=[
            (each, age(each.time, now), iso(each.time) or "", phase_of(each.phase, sent=each.sent))
            for each in occurrences
        ],
    )


def nothing_page(what: str, *, errors: str, nonce: str) -> str:
    """A sentence in the place of what is not there, and the way to the list, whose address is ``errors``."""
    return _render("inbox_nothing.html", nonce, token="", what=what, errors=errors)


def _render(name: str, nonce: str, token: str, **values: Any) -> str:
    style = static("colours.css") + static("inbox.css")
    return template(name).render(nonce=nonce, token=token, style=style, **values)


def _row(group: Group, now: float, window: Window) -> Row:
    name = group.type.rpartition(".")[2]
    message = group.headline.removeprefix(name).removeprefix(": ")
    return Row(
        group=group,
        name=name,
        message=message,
        last=age(group.last, now),
        last_iso=iso(group.last) or "",
        first=iso(group.first) or "",
        diagram=_diagram(bars(group, now, window), window),
    )


def _diagram(counts: Sequence[int], window: Window) -> Diagram:
    most = max(counts)
    drawn = []
    for place, count in enumerate(counts):
        # One failure among thousands must still be seen; nothing leaves a mark on the ground, so that time is seen.
        height = max(3, round(_HEIGHT * count / most)) if count else 1
        drawn.append(Bar(place * _STEP, _HEIGHT - height, height, count))
    total = sum(counts)
    over = "24 hours" if window == "day" else "7 days"
    return Diagram(tuple(drawn), len(counts) * _STEP - 1, _HEIGHT, total, f"{total} in the last {over}")
