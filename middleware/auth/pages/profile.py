"""``account/profile``: what users change of what is known of them, where the site lets them.

A mail address that somebody has typed here says nothing of whose it is: where the site sends mails, it counts once its
user has opened the link that went there (``address.py``). Elsewhere it is never verified, and so links no login of a
provider (``oidc/admission.py``), and no proxy is told of it (``forward_auth.py``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ....protocol.answer import Answer
from ..account import Account
from ..accounts.naming import email_complaint, line_complaint
from ..answers import see_other
from ..identity import Identity
from .address import send_link
from .form import Fields, UserPage, account_of, query
from .messages import message
from .sheet import sheet
from .ways import editable

if TYPE_CHECKING:
    from ..visit import Visit

NOT_HERE = "What is known of you is kept elsewhere, and cannot be changed here."
NO_NAME = "This name is too long, or holds characters that cannot be shown."
NO_ADDRESS = "This is not a mail address."
SENT = "A mail is on its way to the new address. It counts once you have opened the link in it."
TOO_MANY = "Too many mails were asked for. Try again later."


def show_profile(visit: Visit, user: Identity) -> Answer:
    """The form."""
    if not editable(visit.authority, account_of(user)):
        return message(visit, "404 Not Found", NOT_HERE)
    return _page(visit, user)


def change_profile(visit: Visit, user: Identity, fields: Fields) -> Answer:
    """Keep what is new of what the user may change; all or nothing."""
    authority = visit.authority
    account = account_of(user)
    may = editable(authority, account)
    if not may:
        return message(visit, "404 Not Found", NOT_HERE)
    # What the form does not send stays as it is.
    display = " ".join(fields.get("display", account.display).split())
    email = fields.get("email", account.email).strip()
    post = authority.post
    new_name = "display" in may and display != account.display
    new_address = "email" in may and email != account.email
    if new_name and line_complaint(display) is not None:
        return _page(visit, user, fields, problem=NO_NAME, field="display")
    if new_address and email_complaint(email) is not None:
        return _page(visit, user, fields, problem=NO_ADDRESS, field="email")
    # What is typed has to be confirmed, and what was typed before anybody could confirm it may be.
    again = "email" in may and fields.get("confirm") == "1" and not account.email_verified
    confirming = bool(post is not None and email and (new_address or again))
    if confirming and not send_link(visit, account, email):
        return _page(visit, user, fields, problem=TOO_MANY, field="email")
    new_address = new_address and not confirming
    if new_name:
        authority.users.set_display(account.id, display)
    if new_address:
        authority.users.set_email(account.id, email, verified=False)
    changed = [word for word, is_new in (("display", new_name), ("email", new_address)) if is_new]
    if changed:
        authority.audit.note("user.change", visit, account, changed=" ".join(changed))
    return see_other(f"{authority.url(visit, 'account/profile')}?{'sent' if confirming else 'changed'}=1")


def _page(
    visit: Visit, user: Identity, fields: Fields | None = None, *, problem: str | None = None, field: str = ""
) -> Answer:
    account = account_of(user)
    return sheet(
        visit,
        "account_profile.html",
        "200 OK" if problem is None else "422 Unprocessable Content",
        user=user,
        account=account,
        may=editable(visit.authority, account),
        fields={"display": account.display, "email": account.email, **(fields or {})},
        changed="changed" in query(visit),
        sent=SENT if "sent" in query(visit) else None,
        waiting=_waiting(visit, account),
        confirms=visit.authority.post is not None,
        problem=problem,
        field=field,
    )


def _waiting(visit: Visit, account: Account) -> list[str]:
    """The addresses that wait to be confirmed."""
    if visit.authority.post is None:
        return []
    return [each.address for each in visit.authority.links.of(account.id) if each.kind == "email"]


ROUTES = {"account/profile": UserPage(show_profile, change_profile, fresh=True)}
