"""``wheatpaste auth FILE token …``: the API tokens of users."""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING, Any

from .auth_rows import moment, print_rows, say
from .terminal import Terminal

if TYPE_CHECKING:
    from ..middleware.auth.tokens.api_tokens import TokenInfo
    from .auth import Words
    from .auth_site import AuthSite

_DEFAULT = "90d"


def arguments(parser: Words) -> None:
    """Declare the words."""
    command = parser.commands()
    create = command("create", "Make a token for a user, and print it: nobody can be told it again.", _create)
    create.add_argument("user", metavar="USER")
    create.add_argument("name", metavar="NAME", help="what the token is for, for lists")
    create.add_argument("--scope", metavar="SCOPE", action="append", required=True, help="what it may be used for")
    create.add_argument("--expires", metavar="TIME", default=_DEFAULT, help=f"such as 30d, or never ({_DEFAULT})")
    create.add_argument("--network", metavar="NETWORK", action="append", default=[], help="from where alone it counts")
    command("list", "List the tokens of a user.", _list).add_argument("user", metavar="USER")
    revoke = command("revoke", "End tokens of a user at once.", _revoke)
    revoke.add_argument("user", metavar="USER")
    revoke.add_argument("id", metavar="ID", nargs="*", help="as they stand in the list")
    revoke.add_argument("--all", action="store_true", help="all tokens of the user")


def _data(each: TokenInfo, now: float) -> dict[str, Any]:
    return {
        "id": each.id,
        "name": each.name,
        "scopes": list(each.scopes),
        "networks": list(each.networks),
        "created": moment(each.created),
        "expires": moment(each.expires),
        "used": moment(each.used),
        "address": each.address,
        "state": each.complaint(now) or "counts",
    }


def _create(site: AuthSite, options: argparse.Namespace) -> None:
    from ..config.values import Seconds, parse

    account = site.account(options.user)
    seconds = None
    if options.expires != "never":
        try:
            seconds = parse(options.expires, Seconds)
        except ValueError as error:
            raise ValueError(f"--expires {error}, or never") from None
    text, info = site.authority.tokens.create(account, options.name, options.scope, seconds, options.network)
    site.note("token.create", account, token=info.id, name=options.name)
    if not options.json:
        Terminal(sys.stderr).line("This is the only time that it can be read:")
    say(text, options, token=text, **_data(info, time.time()))


def _list(site: AuthSite, options: argparse.Namespace) -> None:
    account = site.account(options.user)
    now = time.time()
    rows = [_data(each, now) for each in site.authority.tokens.of(account.id)]
    columns = ("id", "name", "scopes", "networks", "expires", "used", "address", "state")
    print_rows(rows, columns, options, none=f"{account.name} has no tokens.")


def _revoke(site: AuthSite, options: argparse.Namespace) -> None:
    account = site.account(options.user)
    if options.all:
        count = site.authority.tokens.revoke_all(account.id)
    elif not options.id:
        raise ValueError("say which tokens: their ids, or --all")
    else:
        count = 0
        for each in options.id:
            if not site.authority.tokens.revoke(account.id, each):
                raise LookupError(f"{account.name} has no token {each} that counts")
            count += 1
    site.note("token.revoke", account, tokens=count)
    say(f"{count} token{'' if count == 1 else 's'} revoked", options, revoked=count)
