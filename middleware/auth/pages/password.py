"""``account/password`` and ``password``: a new password, because the user wants one or has to have one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ....protocol.answer import Answer
from ..account import Account
from ..answers import see_other
from ..identity import Identity
from ..method import Failed
from ..passwords.checker import NOT_KEPT
from ..passwords.hasher import Busy
from ..refusals import PASSWORD_FIRST
from .form import Fields, UserPage, account_of, next_of
from .login import BUSY
from .messages import message
from .sheet import sheet
from .ways import can_change_password, has_password

if TYPE_CHECKING:
    from ..visit import Visit

WRONG = "The current password is wrong, or there were too many attempts. Try again later."
SAME = "This is the password that you have already."
DIFFER = "The two passwords are not the same."


def show_password(visit: Visit, user: Identity) -> Answer:
    """The form."""
    account = account_of(user)
    if not can_change_password(visit.authority, account):
        return message(visit, "404 Not Found", NOT_KEPT)
    return _page(visit, user, next_of(visit))


def change_password(visit: Visit, user: Identity, fields: Fields) -> Answer:
    """Set a new password for who knows the current one; everywhere else the user is signed out."""
    authority = visit.authority
    account = account_of(user)
    target = next_of(visit, fields)
    current, new = fields.get("current", ""), fields.get("new", "")
    if not can_change_password(authority, account):
        return message(visit, "404 Not Found", NOT_KEPT)
    if has_password(authority, account):
        found = authority.passwords.check(visit, account.name, current, browser=False)
        if isinstance(found, Failed) or found.id != account.id:
            return _page(visit, user, target, problem=WRONG, field="current")
        if new == current:
            return _page(visit, user, target, problem=SAME, field="new")
    problem = set_password(visit, account, fields)
    if problem is not None:
        return _page(visit, user, target, problem=problem, field="new")
    authority.audit.note("password.change", visit, account)
    if fields.get("tokens") == "1":
        authority.tokens.revoke_all(account.id)
        authority.audit.note("token.revoke", visit, account, token="all")
    if authority.sessions.can_list:
        authority.sessions.end_all(account.id, but=user.session)
    authority.sessions.step_up(visit, ())
    return see_other(target or f"{authority.url(visit, 'account')}?changed=password")


def password_problem(visit: Visit, account: Account, fields: Fields) -> str | None:
    """Why what a form says twice cannot be the account's password, or None."""
    new = fields.get("new", "")
    if new != fields.get("again", ""):
        return DIFFER
    complaint: str | None = visit.authority.passwords.complaint(account, new)
    return complaint


def set_password(visit: Visit, account: Account, fields: Fields) -> str | None:
    """Set the password that a form says twice; None if that is done, or why not. Links of the account are void then."""
    problem = password_problem(visit, account, fields)
    if problem is not None:
        return problem
    try:
        complaint: str | None = visit.authority.passwords.change(account, fields.get("new", ""))
    except Busy:
        return BUSY
    if complaint is None:
        visit.authority.links.forget(account.id)
    return complaint


def _page(visit: Visit, user: Identity, target: str, *, problem: str | None = None, field: str = "") -> Answer:
    authority = visit.authority
    account = account_of(user)
    return sheet(
        visit,
        "password.html",
        "200 OK" if problem is None else "422 Unprocessable Content",
        user=user,
        account=account,
        is_forced=account.must_change_password,
        with_current=has_password(authority, account),
        has_tokens=bool(authority.tokens.of(account.id)),
        policy=authority.passwords.policy,
        target=target,
        problem=problem,
        field=field,
    )


_PAGE = UserPage(show_password, change_password, fresh=True, before=(PASSWORD_FIRST,))

ROUTES = {"account/password": _PAGE, "password": _PAGE}
