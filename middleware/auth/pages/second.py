"""``second``: the other factor, of a login that is under way or of a session that has shown one alone."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from ....protocol.answer import Answer
from ..account import Account
from ..answers import see_other
from ..factors.passkeys import NoPasskey
from ..identity import MFA
from .adding import offers_passkeys
from .form import Fields, Page, next_of, signed_in
from .sheet import sheet

if TYPE_CHECKING:
    from ..factors.passkeys import Shown
    from ..identity import Identity
    from ..logins import Pending
    from ..visit import Visit

MOST_TRIES = 5
"""Wrong codes of one login; then it begins with the password again."""

WRONG = "This code is wrong, or was used before. Try the next one."
COPIED = "passkey counter did not grow"
NO_PASSKEY = "That passkey did not let you in. Try again, or use another way."


def show_second(visit: Visit) -> Answer:
    """Ask for it, or send away who has nothing to show it for."""
    pending, account = waiting(visit)
    if account is not None:
        if not account.has_second_factor:
            return see_other(visit.authority.url(visit, "enrol"))
        return _page(visit, account, pending.next if pending is not None else "")
    user = signed_in(visit)
    target = next_of(visit)
    if user is None or user.account is None:
        return _begin_again(visit, target)
    if user.has_shown_two_factors:
        return see_other(visit.authority.resume(visit, user.account, target))
    if not user.account.has_second_factor:
        return see_other(f"{visit.authority.url(visit, 'enrol')}?{urlencode({'next': target or '/'})}")
    return _page(visit, user.account, target, user=user)


def take_code(visit: Visit, fields: Fields) -> Answer:
    """Take a code of an app, or one for recovery."""
    authority = visit.authority
    target = next_of(visit, fields)
    pending, account = waiting(visit)
    user = None if account is not None else signed_in(visit)
    if account is None:
        account = None if user is None else user.account
    if account is None:
        return _begin_again(visit, target)
    if pending is not None and authority.logins.tries(visit, "second") > MOST_TRIES:
        return _give_up(visit, pending)
    kind = authority.factors.use_code(account.id, fields.get("code", ""))
    if kind is None:
        authority.audit.note("mfa.fail", visit, account, reason="wrong code")
        return _page(visit, account, target, user=user, problem=WRONG, status="403 Forbidden")
    return _shown(visit, account, user, ("otp", MFA), target, kind)


def take_passkey(visit: Visit, fields: Fields) -> Answer:
    """Take one of the user's passkeys."""
    target = next_of(visit, fields)
    _, account = waiting(visit)
    user = None if account is not None else signed_in(visit)
    if account is None:
        account = None if user is None else user.account
    if account is None or not offers_passkeys(visit):
        return _begin_again(visit, target)
    shown = shown_passkey(visit, account, fields, "second", verified=False)
    if shown is None:
        return _page(visit, account, target, user=user, problem=NO_PASSKEY, status="403 Forbidden")
    return _shown(visit, account, user, tuple(dict.fromkeys((*shown.amr, MFA))), target, "passkey")


def shown_passkey(visit: Visit, account: Account, fields: Fields, purpose: str, *, verified: bool) -> Shown | None:
    """The passkey of this user with which the browser has answered, None if it has with no such thing."""
    authority = visit.authority
    try:
        if authority.factors.passkeys is None:
            raise NoPasskey("there are none here")
        shown: Shown = authority.factors.passkeys.shown(
            fields.get("credential", ""), purpose, [account.id], account_id=account.id, verified=verified
        )
    except NoPasskey as error:
        authority.audit.note("mfa.fail", visit, account, reason="passkey", detail=str(error))
        return None
    if shown.counter_is_wrong:
        authority.audit.note("mfa.fail", visit, account, reason=COPIED)
    return shown


def waiting(visit: Visit) -> tuple[Pending | None, Account | None]:
    """The login of this browser that waits for a second factor, and whose it is if they still may log in."""
    pending: Pending | None = visit.authority.logins.peek(visit, "second")
    if pending is None or pending.account is None:
        return None, None
    account: Account | None = visit.authority.directory.get(pending.account)
    if account is None or account.disabled or account.epoch != pending.epoch:
        return None, None
    return pending, account


def _shown(
    visit: Visit, account: Account, user: Identity | None, amr: tuple[str, ...], target: str, kind: str
) -> Answer:
    authority = visit.authority
    if user is not None:
        authority.audit.note("mfa.ok", visit, account, kind=kind)
        authority.sessions.step_up(visit, amr)
        return see_other(authority.resume(visit, account, target))
    pending = authority.logins.take(visit, "second")
    if pending is None:  # another request has completed it
        return _begin_again(visit, target)
    authority.audit.note("mfa.ok", visit, account, kind=kind)
    return authority.logins.complete(visit, account, pending, amr)


def _give_up(visit: Visit, pending: Pending) -> Answer:
    visit.authority.logins.forget(visit)
    return _begin_again(visit, pending.next, "many")


def _begin_again(visit: Visit, target: str, note: str = "over") -> Answer:
    fields = {"note": note, **({"next": target} if target else {})}
    return see_other(f"{visit.authority.url(visit, 'login')}?{urlencode(fields)}")


def _page(
    visit: Visit,
    account: Account,
    target: str,
    *,
    user: Identity | None = None,
    problem: str | None = None,
    status: str = "200 OK",
) -> Answer:
    has = visit.authority.factors.of(account.id)
    return sheet(
        visit,
        "second.html",
        status,
        has_script=bool(has.second_passkeys),
        has=has,
        name=account.display or account.name,
        target=target,
        problem=problem,
    )


ROUTES = {
    "second": Page(show_second, take_code),
    "second/passkey": Page(post=take_passkey),
}
