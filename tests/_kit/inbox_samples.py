"""An inbox with a week's errors in it, always the same ones."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

from error_samples import SAMPLES, TIME

from wheatpaste.middleware.errors.collect.identity import fingerprint
from wheatpaste.middleware.errors.inbox.memory import MemoryInbox
from wheatpaste.middleware.errors.record import ErrorRecord

NOW = TIME + 30
_SYMBOLS = "23456789BCDFGHJKMNPQRSTVWXYZ"

# How often, over how many seconds, and how many seconds ago for the last time.
_COURSE = {
    "syntax": (1, 1, 90_000),
    "template": (3, 20_000, 40_000),
    "recursion": (14, 60_000, 4000),
    "slow": (37, 500_000, 660),
    "group": (2, 3000, 2040),
    "simple": (6, 70_000, 14_000),
    "long_message": (5, 300_000, 9000),
    "chain": (212, 160_000, 20),
}


def filled_inbox(clock: Callable[[], float] = lambda: NOW) -> MemoryInbox:
    """Groups in every state: open, come back, ignored, and resolved."""
    inbox = MemoryInbox(clock=clock)
    chance = random.Random(3)
    course = []
    for name, (count, over, ago) in _COURSE.items():
        sample = SAMPLES[name]()
        times = [NOW - ago - chance.random() ** 2 * over for _ in range(count - 1)]
        course += [(time, sample) for time in (*times, NOW - ago)]
    for time, sample in sorted(course, key=lambda pair: pair[0]):
        inbox.add(_at(sample, time, chance))
    states = {"syntax": "resolved", "template": "ignored", "simple": "resolved"}
    for name, state in states.items():
        inbox.mark(fingerprint(SAMPLES[name]().exceptions), state)  # type: ignore[arg-type]
    inbox.add(_at(SAMPLES["simple"](), NOW - 300, chance))
    return inbox


def _at(sample: ErrorRecord, time: float, chance: random.Random) -> ErrorRecord:
    letters = "".join(chance.choice(_SYMBOLS) for _ in range(8))
    return replace(sample, id=f"{letters[:4]}-{letters[4:]}", group=fingerprint(sample.exceptions), time=time)
