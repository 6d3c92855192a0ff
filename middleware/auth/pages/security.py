"""``account/security``: the factors of who is signed in, besides the password."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ....protocol.answer import Answer
from ..answers import see_other
from ..factors import totp
from ..factors.passkeys import NoPasskey
from ..identity import MFA, Identity
from .adding import added, offers_passkeys, offers_totp, opened_seed, seed_values, signs_in_by_passkey
from .enrol import NO_PASSKEY, WRONG
from .form import Fields, UserPage, account_of
from .messages import message
from .sheet import sheet
from .ways import has_another_way

if TYPE_CHECKING:
    from ..visit import Visit

LAST = "This is the only way into your account. Set a password or add another passkey first."


def show_security(visit: Visit, user: Identity) -> Answer:
    """What the user has."""
    return _security(visit, user)


def show_totp(visit: Visit, user: Identity) -> Answer:
    """A new picture for an app."""
    if not offers_totp(visit):
        return message(visit, "404 Not Found", "There is no such page here.")
    return _totp(visit, user, totp.new_seed())


def add_totp(visit: Visit, user: Identity, fields: Fields) -> Answer:
    """Set up the app whose code shows that it works, in place of the one before."""
    account = account_of(user)
    seed = opened_seed(visit, account, fields.get("seed", ""))
    if seed is None or not offers_totp(visit):
        return see_other(visit.authority.url(visit, "account/totp"))
    if not visit.authority.factors.totp.confirm(account.id, seed, fields.get("code", "")):
        return _totp(visit, user, seed, problem=WRONG)
    return _added(visit, user, ("otp", MFA), "otp")


def remove_totp(visit: Visit, user: Identity, fields: Fields) -> Answer:
    """Forget the app."""
    factors = visit.authority.factors
    account = account_of(user)
    if factors.totp.remove(account.id):
        factors.note(account.id)
        visit.authority.audit.note("mfa.remove", visit, account, kind="otp")
    return _changed(visit)


def renew_codes(visit: Visit, user: Identity, fields: Fields) -> Answer:
    """New recovery codes, shown this once."""
    account = account_of(user)
    if not visit.authority.factors.has_second_factor(account.id):
        return see_other(visit.authority.url(visit, "account/security"))
    codes = visit.authority.factors.recovery.renew(account.id)
    visit.authority.audit.note("mfa.add", visit, account, kind="recovery")
    return _codes(visit, user, codes)


def add_passkey(visit: Visit, user: Identity, fields: Fields) -> Answer:
    """Keep a passkey that the browser has made."""
    account = account_of(user)
    passkeys = visit.authority.factors.passkeys
    if passkeys is None:
        return message(visit, "404 Not Found", "There is no such page here.")
    try:
        info = passkeys.add(
            account, fields.get("credential", ""), fields.get("label", ""), verified=signs_in_by_passkey(visit)
        )
    except ValueError as error:
        return _security(visit, user, problem=str(error))
    except NoPasskey as error:
        visit.authority.audit.note("mfa.fail", visit, account, reason="passkey not added", detail=str(error))
        return _security(visit, user, problem=NO_PASSKEY)
    kind = "swk" if info.is_synced else "hwk"
    return _added(visit, user, (kind, MFA) if offers_passkeys(visit) else (kind,), "passkey")


def rename_passkey(visit: Visit, user: Identity, fields: Fields) -> Answer:
    """Give a passkey a name by which its user knows it."""
    passkeys = visit.authority.factors.passkeys
    if passkeys is not None and fields.get("label", "").strip():
        passkeys.rename(account_of(user).id, fields.get("id", ""), fields["label"])
    return _changed(visit)


def remove_passkey(visit: Visit, user: Identity, fields: Fields) -> Answer:
    """Forget a passkey, unless there were no way in without it."""
    account = account_of(user)
    factors = visit.authority.factors
    if factors.passkeys is None:
        return _changed(visit)
    wanted = fields.get("id", "")
    keep_one = not has_another_way(visit.authority, account)
    if factors.passkeys.remove(account.id, wanted, keep_one=keep_one):
        factors.note(account.id)
        visit.authority.audit.note("mfa.remove", visit, account, kind="passkey", code=wanted)
    elif any(each.id == wanted for each in factors.passkeys.of(account.id)):
        return _security(visit, user, problem=LAST)
    return _changed(visit)


def _added(visit: Visit, user: Identity, amr: tuple[str, ...], kind: str) -> Answer:
    codes = added(visit, account_of(user), kind)
    visit.authority.sessions.step_up(visit, amr)
    return _changed(visit) if codes is None else _codes(visit, user, codes)


def _changed(visit: Visit) -> Answer:
    return see_other(f"{visit.authority.url(visit, 'account/security')}?changed=1")


def _codes(visit: Visit, user: Identity, codes: list[str]) -> Answer:
    target = f"{visit.authority.url(visit, 'account/security')}?changed=1"
    return sheet(visit, "codes.html", user=user, codes=codes, target=target, section="security")


def _totp(visit: Visit, user: Identity, seed: bytes, *, problem: str | None = None) -> Answer:
    return sheet(
        visit,
        "account_totp.html",
        "200 OK" if problem is None else "403 Forbidden",
        user=user,
        problem=problem,
        **seed_values(visit, account_of(user), seed),
    )


def _security(visit: Visit, user: Identity, *, problem: str | None = None) -> Answer:
    authority = visit.authority
    account = account_of(user)
    has = authority.factors.of(account.id)
    required = authority.factors.options.requires(account)
    return sheet(
        visit,
        "account_security.html",
        "200 OK" if problem is None else "403 Forbidden",
        user=user,
        has_script=authority.factors.passkeys is not None,
        has=has,
        offers_totp=offers_totp(visit),
        offers_passkeys=authority.factors.passkeys is not None,
        required=required,
        changed="changed=1" in visit.environ.get("QUERY_STRING", ""),
        problem=problem,
    )


_BACK = "account/security"

ROUTES = {
    "account/security": UserPage(show_security, fresh=True),
    "account/totp": UserPage(show_totp, add_totp, fresh=True),
    "account/totp/remove": UserPage(post=remove_totp, fresh=True, back=_BACK),
    "account/codes": UserPage(post=renew_codes, fresh=True, back=_BACK),
    "account/passkeys": UserPage(post=add_passkey, fresh=True, back=_BACK),
    "account/passkeys/rename": UserPage(post=rename_passkey, fresh=True, back=_BACK),
    "account/passkeys/remove": UserPage(post=remove_passkey, fresh=True, back=_BACK),
}
