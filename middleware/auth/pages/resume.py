"""``resume``: a form that an ended session has interrupted goes on, when its user says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ....protocol.answer import Answer
from ....protocol.paths import uri_path
from ..answers import see_other
from ..identity import Identity
from .form import Fields, UserPage
from .messages import message
from .sheet import sheet

if TYPE_CHECKING:
    from ..visit import Visit

GONE = "The form is not here any more. Go back and send it once more."


def show_resume(visit: Visit, user: Identity) -> Answer:
    """Ask: what is sent may do something, and some time has passed."""
    forms = visit.authority.interrupted
    kept = None if forms is None else forms.peek(visit, user.id)
    if kept is None:
        return see_other(uri_path(visit.script_name) + "/")
    return sheet(visit, "resume.html", user=user, path=kept.path, size=kept.size)


def resume(visit: Visit, user: Identity, fields: Fields) -> Answer:
    """Let the form go on to the app, or forget it."""
    forms = visit.authority.interrupted
    environ = None if forms is None else forms.take(visit, user.id)
    if "forget" in fields:
        return see_other(uri_path(visit.script_name) + "/")
    if environ is None:
        return message(visit, "404 Not Found", GONE)
    visit.resumed = environ
    return see_other(uri_path(visit.script_name) + "/")


ROUTES = {"resume": UserPage(show_resume, resume, personal=False)}
