"""``login``: what the site offers to sign in with, in the order of ``[auth:main] login``; and ``logout``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode

from ....protocol.answer import Answer
from ..answers import see_other
from ..factors.passkeys import NoPasskey
from ..method import Failed
from .form import Fields, Page, next_of, query, signed_in
from .messages import message
from .second import COPIED
from .sheet import sheet
from .ways import can_ask_for_password

if TYPE_CHECKING:
    from ..visit import Visit

FAILED = "This name and password do not belong together, or there were too many attempts. Try again later."
BUSY = "Too many people are signing in right now. Try again in a moment."
NO_PASSKEY = "That passkey did not let you in. Try again, or use another way."
NOTES = {
    "out": "You are signed out.",
    "over": "That took too long. Please begin again.",
    "many": "Too many wrong codes. Please begin again.",
}
"""What the address may say that the page has to tell; nothing else can be put on it."""


class Offer(NamedTuple):
    """One way to sign in, as the page shows it."""

    kind: str
    name: str = ""
    title: str = ""
    address: str = ""


def show_login(visit: Visit) -> Answer:
    """The page, or, for who is signed in, that they are."""
    user = signed_in(visit)
    target = next_of(visit)
    if user is not None:
        onward = visit.authority.resume(visit, user.account, target) if user.account is not None else target
        return sheet(visit, "signed_in.html", user=user, target=onward or "/")
    return _page(visit, target, note=NOTES.get(query(visit).get("note", "")))


def login(visit: Visit, fields: Fields) -> Answer:
    """Take a name and a password."""
    authority = visit.authority
    target = next_of(visit, fields)
    name, password = fields.get("username", ""), fields.get("password", "")
    if "password" not in authority.site.login:
        return message(visit, "404 Not Found", "There is no such page here.")
    remember = _remembers(visit, fields)
    found = authority.passwords.check(visit, name, password)
    if isinstance(found, Failed):
        if found.status == 503:
            answer = _page(visit, target, name=name, problem=BUSY, status="503 Service Unavailable")
            return Answer(status=answer.status, headers=[*answer.headers, ("Retry-After", "2")], body=answer.body)
        # One answer for all that can be wrong: nobody learns from it which names there are.
        return _page(visit, target, name=name, remember=remember, problem=FAILED, status="403 Forbidden")
    return authority.logins.first_factor(visit, found, ("pwd",), target=target, remember=remember)


def login_with_passkey(visit: Visit, fields: Fields) -> Answer:
    """Take a passkey that says who its user is, and has made sure that it is them."""
    authority = visit.authority
    passkeys = authority.factors.passkeys
    target = next_of(visit, fields)
    if "passkey" not in authority.site.login or passkeys is None:
        return message(visit, "404 Not Found", "There is no such page here.")
    try:
        bindings = authority.forms.bindings(visit.environ)
        shown = passkeys.shown(fields.get("credential", ""), "login", bindings, verified=True)
        account = authority.directory.get(shown.passkey.account)
        if account is None or account.disabled:
            raise NoPasskey("the user is gone" if account is None else "disabled user")
    except NoPasskey as error:
        authority.audit.note("login.fail", visit, reason="passkey", detail=str(error))
        return _page(visit, target, problem=NO_PASSKEY, status="403 Forbidden")
    if shown.counter_is_wrong:
        authority.audit.note("mfa.fail", visit, account, reason=COPIED)
    return authority.logins.first_factor(visit, account, shown.amr, target=target, remember=_remembers(visit, fields))


def show_logout(visit: Visit) -> Answer:
    """Ask; a link that somebody else has set signs nobody out."""
    user = signed_in(visit)
    if user is None:
        return see_other(f"{visit.authority.url(visit, 'login')}?note=out")
    return sheet(visit, "logout.html", user=user)


def logout(visit: Visit, fields: Fields) -> Answer:
    """Sign out here, or on all devices."""
    authority = visit.authority
    user = signed_in(visit)
    onward = None
    if user is not None:
        if authority.leaving is not None:
            onward = authority.leaving(visit)
        if fields.get("everywhere") and user.account is not None:
            authority.sessions.end_all(user.account.id)
        authority.sessions.end(visit)
        authority.audit.note("logout", visit, user.account)
    if onward is not None:
        # A page in between: browsers let no form lead to another site.
        return sheet(visit, "onward.html", onward=onward)
    return see_other(f"{authority.url(visit, 'login')}?note=out")


def _remembers(visit: Visit, fields: Fields) -> bool:
    return _can_remember(visit) and fields.get("remember") == "1"


def _can_remember(visit: Visit) -> bool:
    return bool(visit.authority.sessions.options.offers_remember)


def _page(
    visit: Visit,
    target: str,
    *,
    name: str = "",
    remember: bool = False,
    problem: str | None = None,
    note: str | None = None,
    status: str = "200 OK",
) -> Answer:
    offers = _offers(visit, target)
    return sheet(
        visit,
        "login.html",
        status,
        has_script=any(offer.kind == "passkey" for offer in offers),
        offers=offers,
        target=target,
        name=name,
        remember=remember,
        can_remember=_can_remember(visit),
        can_ask=can_ask_for_password(visit.authority),
        problem=problem,
        note=note,
    )


def _offers(visit: Visit, target: str) -> list[Offer]:
    authority = visit.authority
    providers: dict[str, Any] = authority.providers
    found = []
    for word in authority.site.login:
        kind, _, name = word.partition(":")
        if kind == "oidc":
            address = authority.url(visit, f"oidc/{name}/start")
            query_text = f"?{urlencode({'next': target})}" if target else ""
            found.append(Offer(kind, name, providers.get(name) or name, address + query_text))
        elif kind != "passkey" or authority.factors.passkeys is not None:
            found.append(Offer(kind))
    return found


ROUTES = {
    "login": Page(show_login, login),
    "login/passkey": Page(post=login_with_passkey),
    "logout": Page(show_logout, logout),
}
