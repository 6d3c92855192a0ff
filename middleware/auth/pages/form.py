"""How pages take requests: what is only looked at, what is done by a form of ours, and who has to be signed in for it.

A form is taken when it was sent by ``POST``, from a page of this origin, with the token of that page, and is no longer
than 64 KiB. Values stay as they were typed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

from ....protocol.answer import Answer
from ....protocol.bodies import InvalidLength, content_length
from ....protocol.csrf import forgery, intrusion
from ..account import Account
from ..answers import see_other
from ..identity import Identity
from ..method import Failed
from ..refusals import PAGE_OF_STEP, first_step
from ..return_to import safe_target
from .messages import EXPIRED, message

if TYPE_CHECKING:
    from ..visit import Visit

LARGEST = 64 * 1024
_MOST_FIELDS = 100

Fields = Mapping[str, str]
Get = Callable[["Visit"], Answer]
Post = Callable[["Visit", Fields], Answer]
UserGet = Callable[["Visit", Identity], Answer]
UserPost = Callable[["Visit", Identity, Fields], Answer]


class Page:
    """A page for everybody: ``get`` shows it, ``post`` does what its form says."""

    def __init__(self, get: Get | None = None, post: Post | None = None) -> None:
        self._get = get
        self._post = post

    def __call__(self, visit: Visit) -> Answer:
        """Answer a visit."""
        if visit.method in ("GET", "HEAD") and self._get is not None:
            if intrusion(visit.environ) is not None:
                return message(visit, "403 Forbidden", "This page cannot be used from within another site.")
            return self._get(visit)
        if visit.method == "POST" and self._post is not None:
            if forgery(visit.environ, visit.authority.site.trusted_origins) is not None:
                return message(visit, "403 Forbidden", "This page cannot be used from within another site.")
            fields = _read(visit)
            if isinstance(fields, str):
                return message(visit, fields, "This is not what a form of this page sends.")
            if visit.authority.forms.refusal(visit.environ, fields.get("token")) is not None:
                retry = visit.authority.url(visit, _below(visit)) if self._get is not None else None
                return message(visit, "403 Forbidden", EXPIRED, retry=retry)
            return self._post(visit, fields)
        allowed = [*(["GET", "HEAD"] if self._get else []), *(["POST"] if self._post else [])]
        answer = message(visit, "405 Method Not Allowed", "This page cannot be used in this way.")
        return Answer(status=answer.status, headers=[*answer.headers, ("Allow", ", ".join(allowed))], body=answer.body)


class UserPage(Page):
    """A page for who is signed in; others are sent to the login and back.

    ``fresh``: only for who has shown within the last minutes who they are; others are asked again first. ``personal``:
    not for who acts in the name of a user, such as support. ``before`` are the steps (``refusals.py``) that otherwise
    come first. ``back`` is the page to begin again from, where it is another one.
    """

    def __init__(
        self,
        get: UserGet | None = None,
        post: UserPost | None = None,
        *,
        fresh: bool = False,
        personal: bool = True,
        before: Collection[Failed] = (),
        back: str | None = None,
    ) -> None:
        super().__init__(
            None if get is None else lambda visit: self._for(visit, lambda user: get(visit, user)),
            None if post is None else lambda visit, fields: self._for(visit, lambda user: post(visit, user, fields)),
        )
        self._fresh = fresh
        self._personal = personal
        self._before = before
        self._back = back

    def _for(self, visit: Visit, answer: Callable[[Identity], Answer]) -> Answer:
        user = signed_in(visit)
        if user is None or user.account is None:
            return see_other(_with_next(visit, "login", self._back))
        if self._personal and user.actor is not None:
            return message(visit, "403 Forbidden", "Who acts in the name of somebody else cannot change their account.")
        step = first_step(visit, user)
        if step is not None and step not in self._before:
            return see_other(_with_next(visit, PAGE_OF_STEP[step], self._back))
        if self._fresh and not is_fresh(visit, user):
            return see_other(_with_next(visit, "confirm", self._back))
        return answer(user)


def signed_in(visit: Visit) -> Identity | None:
    """Whose session the browser has."""
    authority = visit.authority
    # As everywhere else: whoever stands around the sessions, because a provider watches over them, is asked.
    session = next((each for each in authority.methods if each.name == "session"), authority.sessions)
    found = session.identify(visit)
    return found if isinstance(found, Identity) else None


def account_of(user: Identity) -> Account:
    """The account of who is signed in: sessions are for accounts alone."""
    if user.account is None:
        raise LookupError("only accounts have sessions")
    return user.account


def is_fresh(visit: Visit, user: Identity) -> bool:
    """Whether the user has shown just now who they are."""
    age = visit.authority.clock() - (user.auth_time or 0.0)
    return bool(age < visit.authority.factors.options.fresh)


def next_of(visit: Visit, fields: Fields | None = None) -> str:
    """Where the user wanted to go, as the address or the form says; empty for nowhere on this site."""
    told = query(visit).get("next", "") if fields is None else fields.get("next", "")
    return safe_target(told) or ""


def query(visit: Visit) -> dict[str, str]:
    """What the address says behind its question mark."""
    return dict(parse_qsl(visit.environ.get("QUERY_STRING", "")[:4000], keep_blank_values=True))


def _with_next(visit: Visit, page: str, back: str | None) -> str:
    authority = visit.authority
    here = authority.url(visit, back or _below(visit))
    told = next_of(visit)
    if told and back is None:  # the page leads on to somewhere itself
        here = f"{here}?{urlencode({'next': told})}"
    return f"{authority.url(visit, page)}?{urlencode({'next': safe_target(here) or '/'})}"


def _below(visit: Visit) -> str:
    return visit.path[len(visit.authority.site.mount) + 1 :]


def _read(visit: Visit) -> Fields | str:
    """What a form says, or the status for what is none."""
    environ = visit.environ
    if environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        return "415 Unsupported Media Type"
    try:
        length = content_length(environ)
    except InvalidLength:
        return "400 Bad Request"
    if length is None:
        return "411 Length Required"
    if length > LARGEST:
        return "413 Content Too Large"
    sent: bytes = environ["wsgi.input"].read(length)
    try:
        pairs = parse_qsl(sent.decode("ascii"), keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict")
    except ValueError:
        return "400 Bad Request"
    return dict(pairs)
