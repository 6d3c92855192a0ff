"""What a picture consists of: boxes, texts and wires, with their places in pixels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from .lettering import is_monospaced

SIZES = {"heading": 10.0, "small": 11.0, "normal": 13.0, "large": 15.0}


class Box(NamedTuple):
    """A rectangle, in pixels."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """Its right edge."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """Its lower edge."""
        return self.y + self.height

    @property
    def middle(self) -> float:
        """Half its height."""
        return self.y + self.height / 2


@dataclass(slots=True, kw_only=True)
class Label:
    """A text, in a shape or by itself.

    ``full`` is the whole of what had to be shortened or explained; ``tail`` is a smaller matter behind the text.
    """

    box: Box
    text: str
    kind: str
    size: float = SIZES["normal"]
    shape: bool = False
    pad: float = 0.0
    full: str = ""
    tail: str = ""

    @property
    def baseline(self) -> float:
        """Where the letters stand."""
        return self.box.middle + self.size * 0.35

    @property
    def left(self) -> float:
        """Where the letters begin."""
        return self.box.x + self.pad

    @property
    def stretch(self) -> float | None:
        """The width to fit it into: letters that no monospaced font has are of any width."""
        return None if is_monospaced(self.text + self.tail) else self.box.width - 2 * self.pad


@dataclass(slots=True, kw_only=True)
class Wire:
    """A line, as the data of an SVG path."""

    path: str
    kind: str = ""


@dataclass(slots=True, kw_only=True)
class Row:
    """A line of the table. ``striped`` is its background, ``entry`` the number of what it shows in the plan, if any."""

    labels: list[Label] = field(default_factory=list)
    wires: list[Wire] = field(default_factory=list)
    striped: Box | None = None
    entry: int | None = None


@dataclass(slots=True, kw_only=True)
class Layout:
    """The picture, in pixels."""

    width: float = 0.0
    height: float = 0.0
    panels: list[Box] = field(default_factory=list)
    trunks: list[Wire] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)

    def labels(self) -> Iterator[Label]:
        """Every text and shape."""
        for row in self.rows:
            yield from row.labels
