"""``wheatpaste auth FILE session …``: who is signed in where."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from .auth_rows import moment, print_rows, say

if TYPE_CHECKING:
    from ..middleware.auth.sessions.session import SessionInfo
    from .auth import Words
    from .auth_site import AuthSite


def arguments(parser: Words) -> None:
    """Declare the words."""
    command = parser.commands()
    command("list", "List the sessions of a user.", _list).add_argument("user", metavar="USER")
    revoke = command("revoke", "End sessions of a user, or of everybody.", _revoke)
    revoke.add_argument("user", metavar="USER", nargs="?")
    revoke.add_argument("id", metavar="ID", nargs="*", help="as they stand in the list; without, all of the user's")
    revoke.add_argument("--everybody", action="store_true", help="the sessions of all users the site keeps itself")


def _data(each: SessionInfo) -> dict[str, Any]:
    return {
        "id": each.id,
        "device": each.device,
        "address": each.address,
        "created": moment(each.created),
        "seen": moment(each.seen),
        "until": moment(each.until),
        "remembered": each.is_remembered,
        "amr": list(each.amr),
        "actor": each.actor,
    }


def _list(site: AuthSite, options: argparse.Namespace) -> None:
    account = site.account(options.user)
    if not site.authority.sessions.can_list:
        raise ValueError("sessions of this site are in cookies (mode = cookie), and cannot be listed")
    rows = [_data(each) for each in site.authority.sessions.of(account.id)]
    print_rows(rows, ("id", "device", "address", "created", "seen", "actor"), options, none="There are no sessions.")


def _revoke(site: AuthSite, options: argparse.Namespace) -> None:
    if options.everybody == (options.user is not None):
        raise ValueError("say whose sessions: a user, or --everybody")
    if options.everybody:
        _end_everybodys(site, options)
        return
    account = site.account(options.user)
    sessions = site.authority.sessions
    if options.id:
        for each in options.id:
            if not sessions.end_one(account.id, each):
                raise LookupError(f"{account.name} has no session {each}")
        count = len(options.id)
    else:
        count = sessions.end_all(account.id)
        site.users.raise_epoch(account.id)
    site.note("session.revoke", account, sessions=count)
    say(f"{count} session{'' if count == 1 else 's'} of {account.name} ended", options, ended=count)


def _end_everybodys(site: AuthSite, options: argparse.Namespace) -> None:
    count, last = 0, ""
    while page := site.users.all(after=last):
        for account in page:
            site.authority.sessions.end_all(account.id)
            site.users.raise_epoch(account.id)
        count += len(page)
        last = page[-1].name
    site.note("session.revoke", users=count)
    say(f"{count} user{'' if count == 1 else 's'} signed out everywhere", options, users=count)
