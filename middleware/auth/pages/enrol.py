"""``enrol``: a second factor is set up, by who cannot sign in without one."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from ....protocol.answer import Answer
from ..account import Account
from ..answers import see_other
from ..factors import totp
from ..factors.passkeys import NoPasskey
from ..identity import MFA, Identity
from ..return_to import safe_target
from .adding import added, offers_passkeys, offers_totp, opened_seed, seed_values, signs_in_by_passkey
from .form import Fields, Page, is_fresh, next_of, signed_in
from .second import waiting
from .sheet import sheet

if TYPE_CHECKING:
    from ..visit import Visit

WRONG = "This code does not belong to the picture. Check that the phone's clock is right, and type the next one."
NO_PASSKEY = "The passkey could not be added. Try again."


def show_enrol(visit: Visit) -> Answer:
    """What can be set up, to go on with a login."""
    account, user, away = _whose(visit)
    if account is None:
        return away
    return _page(visit, account, user, next_of(visit), totp.new_seed())


def enrol_totp(visit: Visit, fields: Fields) -> Answer:
    """Set up the app whose code shows that it works."""
    account, user, away = _whose(visit, fields)
    if account is None:
        return away
    seed = opened_seed(visit, account, fields.get("seed", ""))
    if seed is None or not offers_totp(visit):
        return see_other(visit.authority.url(visit, "enrol"))
    if not visit.authority.factors.totp.confirm(account.id, seed, fields.get("code", "")):
        return _page(visit, account, user, next_of(visit, fields), seed, problem=WRONG)
    return _enrolled(visit, account, user, ("otp", MFA), next_of(visit, fields), "otp")


def enrol_passkey(visit: Visit, fields: Fields) -> Answer:
    """Set up a passkey."""
    account, user, away = _whose(visit, fields)
    if account is None:
        return away
    passkeys = visit.authority.factors.passkeys
    try:
        if passkeys is None or not offers_passkeys(visit):
            raise NoPasskey("there are none here")
        info = passkeys.add(
            account, fields.get("credential", ""), fields.get("label", ""), verified=signs_in_by_passkey(visit)
        )
    except (NoPasskey, ValueError) as error:
        visit.authority.audit.note("mfa.fail", visit, account, reason="passkey not added", detail=str(error))
        return _page(visit, account, user, next_of(visit, fields), totp.new_seed(), problem=NO_PASSKEY)
    return _enrolled(visit, account, user, ("swk" if info.is_synced else "hwk", MFA), next_of(visit, fields), "passkey")


def _whose(visit: Visit, fields: Fields | None = None) -> tuple[Account | None, Identity | None, Answer]:
    """Whose factor is to be set up: who has shown a password only just now, and needs more, or who is signed in."""
    authority = visit.authority
    target = next_of(visit, fields)
    pending, account = waiting(visit)
    begin = f"{authority.url(visit, 'login')}?{urlencode({'note': 'over', **({'next': target} if target else {})})}"
    if pending is not None and account is not None:
        # Who has a factor shows it: another one is not to be had by a password alone.
        away = see_other(authority.url(visit, "second"))
        return (None if account.has_second_factor else account), None, away
    user = signed_in(visit)
    if user is None or user.account is None or user.actor is not None:
        return None, None, see_other(begin)
    if user.account.has_second_factor:
        return None, None, see_other(authority.url(visit, "account/security"))
    if not is_fresh(visit, user):
        here = f"{authority.url(visit, 'enrol')}?{urlencode({'next': target or '/'})}"
        return None, None, see_other(f"{authority.url(visit, 'confirm')}?{urlencode({'next': here})}")
    return user.account, user, see_other(begin)


def _enrolled(
    visit: Visit, account: Account, user: Identity | None, amr: tuple[str, ...], target: str, kind: str
) -> Answer:
    """Go on with the login, and show the codes for the day when the factor is lost."""
    authority = visit.authority
    codes = added(visit, account, kind)
    account = authority.directory.get(account.id) or account
    if user is not None:
        authority.sessions.step_up(visit, amr)
        onward = authority.resume(visit, account, target)
    else:
        pending = authority.logins.take(visit, "second")
        if pending is None:
            return see_other(authority.url(visit, "login"))
        answer = authority.logins.complete(visit, account, pending, amr)
        onward = dict(answer.headers).get("Location", "/")
    return sheet(visit, "codes.html", codes=codes or [], target=onward, section=None)


def _page(
    visit: Visit, account: Account, user: Identity | None, target: str, seed: bytes, *, problem: str | None = None
) -> Answer:
    return sheet(
        visit,
        "enrol.html",
        "200 OK" if problem is None else "403 Forbidden",
        has_script=offers_passkeys(visit),
        name=account.display or account.name,
        offers_totp=offers_totp(visit),
        offers_passkeys=offers_passkeys(visit),
        target=safe_target(target) or "",
        problem=problem,
        **seed_values(visit, account, seed),
    )


ROUTES = {
    "enrol": Page(show_enrol, enrol_totp),
    "enrol/passkey": Page(post=enrol_passkey),
}
