"""``wheatpaste auth FILE identity …``: which users of login providers are which of the site's."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from ..config.problems import did_you_mean
from .auth_rows import moment, print_rows, say

if TYPE_CHECKING:
    from ..middleware.auth.identities import Link
    from .auth import Words
    from .auth_site import AuthSite


def arguments(parser: Words) -> None:
    """Declare the words."""
    command = parser.commands()
    command("list", "List the logins at providers by which a user signs in.", _list).add_argument(
        "user", metavar="USER"
    )
    link = command("link", "Let a user of a provider sign in as a user of the site.", _link)
    link.add_argument("user", metavar="USER")
    link.add_argument("provider", metavar="PROVIDER", help="the NAME of its section [auth:main:oidc:NAME]")
    link.add_argument("subject", metavar="SUBJECT", help="who it is there: the claim sub, at GitHub the user's number")
    unlink = command("unlink", "Let logins at providers be a user no more; what began by them ends.", _unlink)
    unlink.add_argument("user", metavar="USER")
    unlink.add_argument("id", metavar="ID", nargs="+", help="as they stand in the list")


def _data(each: Link) -> dict[str, Any]:
    from ..middleware.auth.pages.providers import id_of

    return {
        "id": id_of(each),
        "provider": each.provider,
        "label": each.label,
        "subject": each.subject,
        "issuer": each.issuer,
        "created": moment(each.created),
        "used": moment(each.used),
    }


def _list(site: AuthSite, options: argparse.Namespace) -> None:
    account = site.account(options.user)
    rows = [_data(each) for each in site.authority.identities.of(account.id)]
    columns = ("id", "provider", "label", "subject", "issuer", "used")
    print_rows(rows, columns, options, none=f"{account.name} signs in at no provider.")


def _link(site: AuthSite, options: argparse.Namespace) -> None:
    account = site.account(options.user)
    issuers = site.authority.issuers
    if options.provider not in issuers:
        hint = did_you_mean(options.provider, issuers) or "it has none"
        raise LookupError(f"the site has no provider {options.provider!r}; {hint}")
    if not 0 < len(options.subject) <= 255 or not options.subject.isprintable():
        raise ValueError("a subject is 1 to 255 printable characters")
    issuer = issuers[options.provider]
    found = site.authority.identities.link(issuer, options.subject, account.id, options.provider)
    if found.account != account.id:
        holder = site.authority.directory.get(found.account)
        raise ValueError(f"that login is {'a user who is gone' if holder is None else holder.name}; unlink it first")
    site.note("identity.link", account, provider=options.provider, subject=options.subject)
    say(f"{options.subject} of {options.provider} signs in as {account.name}", options, **_data(found))


def _unlink(site: AuthSite, options: argparse.Namespace) -> None:
    from ..middleware.auth.pages.providers import find_link
    from ..middleware.auth.unlinking import unlink

    account = site.account(options.user)
    for wanted in options.id:
        link = find_link(site.authority.identities.of(account.id), wanted)
        if link is None:
            raise LookupError(f"{account.name} has no login {wanted}; see: identity list {account.name}")
        unlink(site.authority, account, link)
        site.note("identity.unlink", account, provider=link.provider, subject=link.subject)
    if not site.authority.sessions.can_list:
        site.authority.sessions.end_all(account.id)
    count = len(options.id)
    what = "login signs" if count == 1 else "logins sign"
    say(f"{count} {what} in as {account.name} no more", options, ended=count)
