"""``forgot``: whoever has forgotten the password asks for a link by mail.

Everybody is told the same, at once: what is asked for is looked up by another thread (``../mail/forgotten.py``).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ....protocol.answer import Answer
from ....protocol.trace import KEY as TRACE
from ..answers import see_other
from ..mail.forgotten import Asked
from .form import Fields, Page, query
from .messages import message
from .sheet import sheet, words_of

if TYPE_CHECKING:
    from ..visit import Visit

NO_NAME = "Type your user name or your mail address."
TOO_MANY = "There were too many attempts from here. Try again later."
_LONGEST_NAME = 300


def show_forgot(visit: Visit) -> Answer:
    """The form, or what is said to everybody who has sent it."""
    return _page(visit, has_asked="asked" in query(visit))


def ask(visit: Visit, fields: Fields) -> Answer:
    """Take what somebody has typed, whatever it is."""
    authority = visit.authority
    post = authority.post
    if post is None:
        return message(visit, "404 Not Found", "There is no such page here.")
    name = fields.get("username", "").strip()[:_LONGEST_NAME]
    if not name:
        return _page(visit, problem=NO_NAME, status="422 Unprocessable Content")
    seconds = authority.passwords.throttle.admit(visit)
    if seconds is not None:  # that depends on the address alone
        authority.audit.note("password.forgot", visit, name=name, reason="too many attempts")
        answer = message(visit, "429 Too Many Requests", TOO_MANY)
        retry = ("Retry-After", str(math.ceil(seconds)))
        return Answer(status=answer.status, headers=[*answer.headers, retry], body=answer.body)
    trace = visit.environ.get(TRACE)
    post.forgotten.ask(
        Asked(
            name=name,
            page=authority.absolute_url(visit, "reset"),
            language=words_of(visit).language,
            time=authority.clock(),
            address=visit.address,
            agent=visit.header("User-Agent"),
            request=None if trace is None else trace.request_id,
        )
    )
    return see_other(f"{authority.url(visit, 'forgot')}?asked=1")


def _page(visit: Visit, *, has_asked: bool = False, problem: str | None = None, status: str = "200 OK") -> Answer:
    return sheet(visit, "forgot.html", status, has_asked=has_asked, problem=problem)


ROUTES = {"forgot": Page(show_forgot, ask)}
