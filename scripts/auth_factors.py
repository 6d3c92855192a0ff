"""``wheatpaste auth FILE mfa …``: the second factors of users."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from .auth_asking import confirmed
from .auth_rows import moment, print_one, say

if TYPE_CHECKING:
    from .auth import Words
    from .auth_site import AuthSite


def arguments(parser: Words) -> None:
    """Declare the words."""
    command = parser.commands()
    command("status", "Show what second factors a user has.", _status).add_argument("user", metavar="USER")
    reset = command("reset", "Remove all of a user's second factors and passkeys, and end the user's sessions.", _reset)
    reset.add_argument("user", metavar="USER")
    reset.add_argument("--yes", action="store_true", help="do not ask")


def _status(site: AuthSite, options: argparse.Namespace) -> None:
    account = site.account(options.user)
    found = site.authority.factors.of(account.id)
    if not options.json and not (account.has_second_factor or found.totp or found.passkeys):
        say(f"{account.name} has no second factor", options)
        return
    data = {
        "name": account.name,
        "second_factor": account.has_second_factor,
        "app": moment(None if found.totp is None else found.totp.created),
        "recovery_codes": found.recovery_codes,
        "passkeys": [each.label for each in found.passkeys],
    }
    print_one(data, options)


def _reset(site: AuthSite, options: argparse.Namespace) -> int | None:
    account = site.account(options.user)
    if not confirmed(f"Remove all second factors and passkeys of {account.name}?", yes=options.yes):
        return 1
    site.authority.factors.reset(account.id)
    site.authority.sessions.end_all(account.id)
    site.users.raise_epoch(account.id)
    site.note("mfa.remove", account, what="all")
    say(f"{account.name} has no second factor any more, and is signed out everywhere", options, name=account.name)
    return None
