"""Pages that say one thing: there is nothing here, this cannot be done, try later."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ....protocol.answer import Answer
from ..answers import problem
from ..asker import navigates
from .sheet import sheet

if TYPE_CHECKING:
    from ..visit import Visit

EXPIRED = "This page was open for too long, or the browser keeps no cookies. Nothing was changed."

HEADINGS = {
    "200": "That is done",
    "400": "That did not arrive as it should",
    "403": "This is not possible",
    "404": "There is nothing here",
    "405": "That is not how this page works",
    "411": "That did not arrive as it should",
    "413": "That is too much",
    "415": "That did not arrive as it should",
    "429": "Too many attempts",
    "500": "Something is wrong here",
    "503": "Not at the moment",
}
"""What the page of a status is headed with."""


def message(visit: Visit, status: str, text: str, *, retry: str | None = None) -> Answer:
    """A page with one sentence, for programs a problem document. ``retry`` is where to begin anew."""
    if not navigates(visit.environ):
        return problem(status, text)
    code = status.partition(" ")[0]
    return sheet(visit, "message.html", status, code=code, heading=HEADINGS.get(code, ""), text=text, retry=retry)
