"""``confirm``: who is signed in shows once more who they are, before something important is changed."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from ....protocol.answer import Answer
from ..account import Account
from ..answers import see_other
from ..identity import MFA, Identity
from ..method import Failed
from ..refusals import PASSWORD_FIRST, SECOND_FIRST
from .form import Fields, UserPage, account_of, next_of
from .second import shown_passkey
from .sheet import sheet
from .ways import has_password, provider_of

if TYPE_CHECKING:
    from ..visit import Visit

WRONG = "That was not right, or there were too many attempts. Try again later."


def show_confirm(visit: Visit, user: Identity) -> Answer:
    """Ask for what the user has."""
    return _page(visit, user, next_of(visit))


def take_password(visit: Visit, user: Identity, fields: Fields) -> Answer:
    """Take the password, and the code of who has a second factor: one of them alone may be known to a thief."""
    authority = visit.authority
    account = account_of(user)
    target = next_of(visit, fields)
    found = authority.passwords.check(visit, account.name, fields.get("password", ""), browser=False)
    if isinstance(found, Failed) or found.id != account.id:
        return _page(visit, user, target, problem=WRONG)
    if not account.has_second_factor:
        return _confirmed(visit, account, ("pwd",), target)
    if authority.factors.use_code(account.id, fields.get("code", "")) is None:
        authority.audit.note("mfa.fail", visit, account, reason="wrong code")
        return _page(visit, user, target, problem=WRONG)
    authority.audit.note("mfa.ok", visit, account, kind="code")
    return _confirmed(visit, account, ("pwd", "otp", MFA), target)


def take_passkey(visit: Visit, user: Identity, fields: Fields) -> Answer:
    """Take a passkey that has made sure that it is the user."""
    account = account_of(user)
    target = next_of(visit, fields)
    shown = shown_passkey(visit, account, fields, "confirm", verified=True)
    if shown is None:
        return _page(visit, user, target, problem=WRONG)
    return _confirmed(visit, account, shown.amr, target)


def _confirmed(visit: Visit, account: Account, amr: tuple[str, ...], target: str) -> Answer:
    visit.authority.sessions.step_up(visit, amr)
    if target.partition("?")[0] == visit.authority.url(visit, "enrol"):
        return see_other(target)  # a form that waits for a second factor waits until there is one
    return see_other(visit.authority.resume(visit, account, target or visit.authority.url(visit, "account")))


def _page(visit: Visit, user: Identity, target: str, *, problem: str | None = None) -> Answer:
    account = account_of(user)
    has = visit.authority.factors.of(account.id)
    provider = provider_of(visit, user)
    address = None
    if provider is not None:
        asked = urlencode({"next": target or visit.authority.url(visit, "account")})
        address = f"{visit.authority.url(visit, f'oidc/{provider.name}/start')}?{asked}"
    return sheet(
        visit,
        "confirm.html",
        "200 OK" if problem is None else "403 Forbidden",
        user=user,
        has_script=bool(has.passkeys),
        has=has,
        with_password=has_password(visit.authority, account),
        with_code=account.has_second_factor,
        provider=provider,
        address=address,
        target=target,
        problem=problem,
    )


_STEPS = (PASSWORD_FIRST, SECOND_FIRST)
"""A factor is set up, and a password is changed, by who has just shown who they are."""

ROUTES = {
    "confirm": UserPage(show_confirm, take_password, personal=False, before=_STEPS),
    "confirm/passkey": UserPage(post=take_passkey, personal=False, before=_STEPS),
}
