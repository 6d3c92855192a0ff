"""``account/providers``: at which providers a user can sign in, besides what else the account has.

A login there is connected with the account in three steps: a link of this page begins it, the provider says who its
user is, and a form of ours asks whether that is meant. What is begun is bound to the account and to its session, so
that nobody can be made to let somebody else in: neither by a link, nor by an answer of a login that others began, nor
because somebody else is signed in at the provider.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlencode

from ....protocol.answer import Answer
from ....protocol.csrf import Tokens
from ..answers import see_other
from ..identity import Identity
from ..logins import SECONDS, Pending
from ..unlinking import unlink
from .account import end_sealed
from .form import Fields, UserPage, account_of, query
from .messages import message
from .sheet import sheet
from .ways import needs_providers

if TYPE_CHECKING:
    from ..authority import Authority
    from ..identities import Link
    from ..visit import Visit

BACK = "account/providers"

TAKEN = "That login belongs to another account of this site. Sign in with it and remove it there first."
OWN = "That login is connected with your account already."
OVER = "That took too long, or was begun by somebody else. Begin again."
LAST = "This is the only way into your account. Set a password or connect another login first."

_WAITING = "link"


class Connected(NamedTuple):
    """A login of the account, as the page shows it. ``is_current``: this session began by it."""

    id: str
    title: str
    label: str
    created: float
    used: float
    is_current: bool


class Offered(NamedTuple):
    """A provider at which a login can be connected, and the link that begins it."""

    title: str
    address: str


def show_providers(visit: Visit, user: Identity) -> Answer:
    """What is connected, and what could be."""
    return _page(visit, user)


def is_asked_for(visit: Visit, user: Identity, provider: str, ticket: str | None) -> bool:
    """Whether the user has followed a link of this page to connect a login at ``provider``."""
    return _tickets(visit.authority).complaint(ticket, _binding(user, provider)) is None


def arrived(visit: Visit, begun: Pending, provider: str, issuer: str, subject: str, label: str) -> Answer:
    """Ask whether the user of a provider who has just logged in there is to be the account that has ``begun`` this.

    The page is shown to whoever the provider has sent back, who need not have brought a session along; what its form
    says counts for the account and session of ``begun`` alone.
    """
    authority = visit.authority
    account = authority.directory.get(begun.account or "")
    if account is None or account.disabled or account.epoch != begun.epoch:
        return message(visit, "403 Forbidden", OVER)
    held = authority.identities.find(issuer, subject)
    if held is not None:
        return _refused(visit, OWN if held.account == account.id else TAKEN)
    found = {"session": begun.data["link"], "provider": provider, "issuer": issuer, "subject": subject, "label": label}
    authority.logins.begin(visit, Pending(_WAITING, "", account.id, account.epoch, data=found))
    title = authority.providers.get(provider) or provider
    return sheet(visit, "account_link.html", title=title, label=label, name=account.display or account.name)


def add_provider(visit: Visit, user: Identity, fields: Fields) -> Answer:
    """Connect the login that was shown."""
    authority = visit.authority
    account = account_of(user)
    seen = authority.logins.peek(visit, _WAITING)
    if seen is None or (seen.account, seen.epoch, seen.data["session"]) != (
        account.id,
        account.epoch,
        user.session or "",
    ):
        return _page(visit, user, problem=OVER)
    found = authority.logins.take(visit, _WAITING)
    if found is None or found != seen:
        return _page(visit, user, problem=OVER)
    data = found.data
    if data["provider"] not in authority.linkable:
        return _page(visit, user, problem=OVER)
    link = authority.identities.link(data["issuer"], data["subject"], account.id, data["provider"], data["label"])
    if link.account != account.id:
        return _page(visit, user, problem=TAKEN)
    authority.audit.note("identity.link", visit, account, provider=link.provider, subject=link.subject)
    return _changed(visit)


def remove_provider(visit: Visit, user: Identity, fields: Fields) -> Answer:
    """Let a login be the account no more, unless there were no way in without it."""
    authority = visit.authority
    account = account_of(user)
    link = find_link(authority.identities.of(account.id), fields.get("id", ""))
    if link is None:
        return _changed(visit)
    known = frozenset(authority.issuers.values())
    keep = known if link.issuer in known and needs_providers(authority, account) else None
    is_current = _is_current(user, link)
    if not unlink(authority, account, link, keep_one_of=keep):
        still = find_link(authority.identities.of(account.id), id_of(link)) is not None
        return _page(visit, user, problem=LAST) if still else _changed(visit)
    authority.audit.note("identity.unlink", visit, account, provider=link.provider, subject=link.subject)
    if not authority.sessions.can_list:
        # Which of them began by it is known to the browsers alone.
        if is_current:
            authority.sessions.end_all(account.id)
        else:
            end_sealed(visit, user, account)
    if is_current:
        authority.sessions.end(visit)
        return see_other(f"{authority.url(visit, 'login')}?note=out")
    return _changed(visit)


def id_of(link: Link) -> str:
    """By what forms and commands mean one of an account's logins."""
    return hashlib.sha256(f"{link.issuer}\0{link.subject}".encode("utf-8", "surrogatepass")).hexdigest()[:12]


def find_link(links: list[Link], wanted: str) -> Link | None:
    """The login that has this id."""
    return next((each for each in links if id_of(each) == wanted), None)


def title_of(authority: Authority, link: Link) -> str:
    """What people call the provider of a login."""
    name = next((name for name, issuer in authority.issuers.items() if issuer == link.issuer), None)
    return link.provider if name is None else authority.providers[name]


def _page(visit: Visit, user: Identity, *, problem: str | None = None) -> Answer:
    authority = visit.authority
    tickets = _tickets(authority)
    connected = [
        Connected(
            id_of(each),
            title_of(authority, each),
            each.label or each.subject,
            each.created,
            each.used,
            _is_current(user, each),
        )
        for each in authority.identities.of(account_of(user).id)
    ]
    offered = [
        Offered(
            authority.providers[name],
            f"{authority.url(visit, f'oidc/{name}/link')}?{urlencode({'ticket': tickets.make(_binding(user, name))})}",
        )
        for name in authority.linkable
    ]
    return sheet(
        visit,
        "account_providers.html",
        "200 OK" if problem is None else "403 Forbidden",
        user=user,
        connected=connected,
        offered=offered,
        changed="changed" in query(visit),
        problem=problem,
    )


def _refused(visit: Visit, text: str) -> Answer:
    return message(visit, "403 Forbidden", text, retry=visit.authority.url(visit, BACK))


def _changed(visit: Visit) -> Answer:
    return see_other(f"{visit.authority.url(visit, BACK)}?changed=1")


def _is_current(user: Identity, link: Link) -> bool:
    return (user.claims.get("iss"), user.claims.get("sub")) == (link.issuer, link.subject)


def _tickets(authority: Authority) -> Tokens:
    return Tokens(
        lambda: authority.vault.every_key("forms"), purpose="provider", seconds=SECONDS, clock=authority.clock
    )


def _binding(user: Identity, provider: str) -> str:
    return f"{user.id}\0{user.session or ''}\0{provider}"


ROUTES = {
    BACK: UserPage(show_providers, fresh=True),
    f"{BACK}/add": UserPage(post=add_provider, fresh=True, back=BACK),
    f"{BACK}/remove": UserPage(post=remove_provider, fresh=True, back=BACK),
}
