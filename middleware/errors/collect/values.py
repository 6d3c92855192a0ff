"""Values become text that may be shown: bounded, without secrets, and without side effects where that can be known.

Containers, dataclasses, named tuples and other well-known types are written out here, item by item, until the space is
used up: nothing is made whole and cut afterwards, and names within them decide what is hidden. Objects without a
``__repr__`` of their own are shown as their attributes. Other objects are asked for their repr, within a time
(``readers``), except those that are known to be lazy: what loads, queries or forwards is shown by its type.
"""

from __future__ import annotations

from ....protocol.secret_texts import redact_text
from ..record import Shown
from .readers import Reader
from .redaction import Known
from .settings import Collecting
from .shapes import BY_KIND, EXACT
from .texts import clean_line, clean_text, cut
from .wording import type_name
from .writer import Writer

_MOST_NAME = 200


class Budget:
    """What the values of one record may still cost, and the secrets that were met on the way.

    ``known`` is for ``redaction.scrub``. A budget is used by one thread; ``close()`` it when the record is done.
    """

    __slots__ = ("known", "reader", "settings", "slow")

    def __init__(self, settings: Collecting | None = None) -> None:
        self.settings = settings or Collecting()
        self.known = Known()
        self.reader = Reader(self.settings.seconds)
        self.slow: set[int] = set()  # ids of classes whose repr has taken too long

    @property
    def left(self) -> float:
        """Seconds that foreign code may still take."""
        return self.reader.left

    def close(self) -> None:
        """Let go of the thread that has asked foreign code, if there was one."""
        self.reader.close()


def show(name: str, value: object, budget: Budget) -> Shown:
    """A value under its name. Never raises, whatever the value does."""
    kind = type_name(type(value))
    try:
        text = _text(name, value, budget)
    except Exception:  # noqa: BLE001 - a value that cannot be read must not cost the rest of the record
        text = f"<{kind}: cannot be read>"
    return Shown(name=_name(name, budget), text=text, type=kind)


def _name(name: str, budget: Budget) -> str:
    return redact_text(clean_line(name, _MOST_NAME))


def _text(name: str, value: object, budget: Budget) -> str:
    most = budget.settings.most_characters
    writer = Writer(most, budget.known, budget.reader, budget.slow, EXACT, BY_KIND)
    writer.named(name, value, 0)
    text = writer.text()
    if not any(type(value) is each for each in _SCALARS):
        # Once more over the whole, in which names and values may have come together that were apart.
        text = redact_text(text, writer.found)
    budget.known.add_all(writer.found)
    return cut(clean_text(text), most + _SLACK)


# What closes brackets and counts the rest may go beyond the bound.
_SLACK = 200
_SCALARS = (str, bytes, int, float, bool, type(None))
