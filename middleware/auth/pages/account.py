"""``account`` and what is below it: what users see of themselves, their devices, their tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from ....protocol.answer import Answer
from ..account import Account
from ..answers import see_other
from ..identity import Identity
from .form import Fields, UserPage, account_of, is_fresh, query
from .sheet import sheet
from .ways import can_change_password, editable, has_password, takes_tokens

if TYPE_CHECKING:
    from ..tokens.api_tokens import TokenInfo
    from ..visit import Visit

LIVES = (30, 90, 365)
"""For how many days a token may be made."""
USUAL = 90


def show_account(visit: Visit, user: Identity) -> Answer:
    """Everything at a glance."""
    authority = visit.authority
    account = account_of(user)
    sessions = authority.sessions.of(account.id, user.session) if authority.sessions.can_list else []
    return sheet(
        visit,
        "account.html",
        user=user,
        account=account,
        note="Your new password is set." if query(visit).get("changed") == "password" else None,
        has=authority.factors.of(account.id),
        sessions=sessions,
        can_list=authority.sessions.can_list,
        takes_tokens=takes_tokens(authority),
        tokens=[each for each in authority.tokens.of(account.id) if _counts(visit, each)],
        can_change_password=can_change_password(authority, account),
        has_password=has_password(authority, account),
        can_edit=bool(editable(authority, account)),
        has_providers=bool(authority.providers),
        connected=len(authority.identities.of(account.id)) if authority.providers else 0,
    )


def show_devices(visit: Visit, user: Identity) -> Answer:
    """Where the user is signed in."""
    authority = visit.authority
    can_list = authority.sessions.can_list
    sessions = authority.sessions.of(account_of(user).id, user.session) if can_list else []
    return sheet(
        visit,
        "account_devices.html",
        user=user,
        sessions=sessions,
        can_list=can_list,
        changed="changed" in query(visit),
    )


def end_sessions(visit: Visit, user: Identity, fields: Fields) -> Answer:
    """Sign out one device, or all but this one."""
    authority = visit.authority
    account = account_of(user)
    wanted = fields.get("id", "")
    back = authority.url(visit, "account/devices")
    if wanted == "others":
        if authority.sessions.can_list:
            authority.sessions.end_all(account.id, but=user.session)
        elif is_fresh(visit, user):
            end_sealed(visit, user, account)
        else:  # it begins a session anew, which must not be a way to make one last for ever
            return see_other(f"{authority.url(visit, 'confirm')}?{urlencode({'next': back})}")
        authority.audit.note("session.revoke", visit, account, reason="others")
    elif wanted and wanted == user.session:
        return see_other(authority.url(visit, "logout"))
    elif authority.sessions.can_list and authority.sessions.end_one(account.id, wanted):
        authority.audit.note("session.revoke", visit, account, session=wanted)
    return see_other(f"{back}?changed=1")


def end_sealed(visit: Visit, user: Identity, account: Account) -> None:
    """End all sessions that are in cookies, which nobody can tell apart, and begin this one anew as it was."""
    authority = visit.authority
    data = {**authority.sessions.data(visit), "claims": dict(user.claims)}
    authority.sessions.end_all(account.id)
    changed = authority.directory.get(account.id) or account
    authority.sessions.begin(visit, changed, user.amr, data=data, auth_time=user.auth_time)


def show_tokens(visit: Visit, user: Identity) -> Answer:
    """The tokens that the user has made for programs."""
    return _tokens(visit, user)


def create_token(visit: Visit, user: Identity, fields: Fields) -> Answer:
    """Make a token, whose text is shown this once."""
    authority = visit.authority
    account = account_of(user)
    days = fields.get("days", "")
    seconds = (
        None if days == "never" else 86400.0 * next((each for each in _lives(visit) if f"{each:g}" == days), USUAL)
    )
    try:
        text, info = authority.tokens.create(
            account,
            fields.get("name", ""),
            fields.get("scopes", "").split(),
            seconds,
            fields.get("networks", "").split(),
        )
    except ValueError as error:
        return _tokens(visit, user, problem=error.args[0], fields=fields)
    authority.audit.note("token.create", visit, account, token=info.id, name=info.name, scopes=" ".join(info.scopes))
    return _tokens(visit, user, made=text)


def revoke_token(visit: Visit, user: Identity, fields: Fields) -> Answer:
    """End a token at once."""
    authority = visit.authority
    account = account_of(user)
    wanted = fields.get("id", "")
    if authority.tokens.revoke(account.id, wanted):
        authority.audit.note("token.revoke", visit, account, token=wanted)
    return see_other(authority.url(visit, "account/tokens"))


def _tokens(
    visit: Visit,
    user: Identity,
    *,
    problem: str | None = None,
    fields: Fields | None = None,
    made: str | None = None,
) -> Answer:
    authority = visit.authority
    return sheet(
        visit,
        "account_tokens.html",
        "200 OK" if problem is None else "422 Unprocessable Content",
        user=user,
        tokens=[(each, _counts(visit, each)) for each in authority.tokens.of(account_of(user).id)],
        lives=_lives(visit),
        may_last=authority.tokens.longest is None,
        scopes=authority.tokens.scopes,
        fields=fields or {},
        problem=problem,
        made=made,
    )


def _lives(visit: Visit) -> list[float]:
    """For how many days a token can be made here: the usual choices, and the longest where that is shorter."""
    longest = visit.authority.tokens.longest
    if longest is None:
        return list(LIVES)
    return [days for days in LIVES if days * 86400 <= longest] or [longest / 86400]


def _counts(visit: Visit, token: TokenInfo) -> bool:
    return token.complaint(visit.authority.clock()) is None


ROUTES = {
    "": UserPage(lambda visit, user: see_other(visit.authority.url(visit, "account"))),
    "account": UserPage(show_account, personal=False),
    "account/devices": UserPage(show_devices, personal=False),
    "account/devices/end": UserPage(post=end_sessions, back="account/devices"),
}

TOKEN_ROUTES = {
    "account/tokens": UserPage(show_tokens, create_token, fresh=True),
    "account/tokens/revoke": UserPage(post=revoke_token, fresh=True, back="account/tokens"),
}
