"""Which workers to start and which to let go, so that there are always enough that answer and never many too many."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from .child import Child
from .generation import Generation


class Steps(NamedTuple):
    """What is to be done: how many workers to start, and which ones to drain."""

    start: int
    drain: list[Child]


def next_steps(children: Iterable[Child], current: Generation, wanted: int) -> Steps:
    """Decide what brings ``children`` nearer to ``wanted`` ready ones of the current generation.

    Those that leave, and those of other generations, go as fast as ready ones take their places; meanwhile a quarter
    more processes than wanted (at least one) may be there. Draining ones do not count.
    """
    present = [child for child in children if child.state != "draining"]
    fresh = [child for child in present if child.generation is current and child.leaving is None]
    others = [child for child in present if child not in fresh]
    ready = [child for child in fresh if child.state == "ready"]
    surge = max(1, wanted // 4)
    start = max(0, min(wanted - len(fresh), wanted + surge - len(present)))
    drain = [child for child in others if child.state == "starting"]
    answering = [child for child in others if child.state == "ready"]
    drain += answering[: max(0, len(ready) + len(answering) - wanted)]
    surplus = sorted(fresh, key=lambda child: (child.state == "ready", -child.started))
    drain += surplus[: max(0, len(fresh) - wanted)]
    return Steps(start, drain)
