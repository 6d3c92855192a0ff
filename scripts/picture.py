"""The picture of a site, as SVG or as a page: nothing is fetched, nothing runs but the search of the page itself."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from ..config.node import Node
from ..config.outline import Stack
from .layout import lay_out
from .plan import Plan, plan
from .shapes import Layout
from .terminal import one_line

if TYPE_CHECKING:
    from jinja2 import Environment


@dataclass(frozen=True, slots=True)
class Drawing:
    """What is to be drawn, and where it goes."""

    plan: Plan
    layout: Layout

    def standalone(self) -> str:
        """The picture as the text of an SVG file."""
        return '<?xml version="1.0" encoding="UTF-8"?>\n' + self.svg() + "\n"

    def svg(self) -> str:
        """The picture as an element."""
        return _render("show.svg", plan=self.plan, layout=self.layout, style=_read("picture.css"))


def draw(stack: Stack, address: str, listener: Node | None) -> Drawing:
    """Draw a stack behind its listener. ``address`` may be several, with blanks between them."""
    words = plan(stack, address, listener)
    return Drawing(words, lay_out(words))


def page(drawing: Drawing, title: str) -> str:
    """A page with the picture, and the same as a list, for readers and searches that see no pictures."""
    script = _read("show.js")
    return _render(
        "show.html",
        title=one_line(title),
        plan=drawing.plan,
        entries={id(entry): number for number, entry in enumerate(drawing.plan.root.walk())},
        picture=drawing.svg(),
        style=_read("show.css"),
        script=script,
        script_hash="sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def _read(name: str) -> str:
    return (files(__package__) / "templates" / name).read_text(encoding="utf-8")


def _environment() -> Environment:
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    environment = Environment(
        loader=FunctionLoader(_read), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["px"] = lambda number: f"{number:.2f}".rstrip("0").rstrip(".")
    return environment


def _render(name: str, **values: Any) -> str:
    return _environment().get_template(name).render(values, id=id)
