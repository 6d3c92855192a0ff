"""``passkey/options``: what the script of a page asks before it asks the browser for a passkey."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ....protocol.answer import Answer
from ..answers import problem
from .adding import offers_passkeys, signs_in_by_passkey
from .form import Fields, Page, is_fresh, signed_in
from .invitation import account_of_link, may_add_passkey
from .second import waiting

if TYPE_CHECKING:
    from ..visit import Visit

_HEADERS = [
    ("Content-Type", "application/json"),
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "same-origin"),
]


def options(visit: Visit, fields: Fields) -> Answer:
    """What to ask the browser, as JSON, for the purpose that the form names."""
    found = _options(visit, fields.get("purpose", ""), fields.get("link", ""))
    if found is None:
        return problem("403 Forbidden", "This cannot be asked for here and now.")
    return Answer(status="200 OK", headers=[*_HEADERS], body=json.dumps(found).encode("ascii"))


def _options(visit: Visit, purpose: str, link: str) -> dict[str, Any] | None:
    authority = visit.authority
    passkeys = authority.factors.passkeys
    if passkeys is None:
        return None
    if purpose == "login":
        bindings = authority.forms.bindings(visit.environ)
        if not bindings or not signs_in_by_passkey(visit):
            return None
        found: dict[str, Any] = passkeys.request_options("login", bindings[0], verified=True)
        return found
    if purpose == "create" and link:
        # Whoever has an invitation may accept it with a passkey.
        invited = account_of_link(visit, "invite", link)
        if invited is None or not may_add_passkey(visit, invited):
            return None
        return dict(passkeys.creation_options(invited, verified=True))
    _, account = waiting(visit)
    user = None if account is not None else signed_in(visit)
    if account is None:
        account = None if user is None else user.account
    if account is None:
        return None
    if purpose in ("second", "confirm"):
        if not offers_passkeys(visit) if purpose == "second" else user is None:
            return None
        return dict(passkeys.request_options(purpose, account.id, account_id=account.id, verified=purpose == "confirm"))
    if purpose != "create":
        return None
    # Who signs in only just now may set up what they do not have yet, and nothing besides what they have.
    may_enrol = offers_passkeys(visit) and not account.has_second_factor
    may = may_enrol if user is None else is_fresh(visit, user) and user.actor is None
    return dict(passkeys.creation_options(account, verified=signs_in_by_passkey(visit))) if may else None


ROUTES = {"passkey/options": Page(post=options)}
