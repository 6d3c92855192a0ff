"""``wheatpaste auth FILE bans …``: who is slowed down after wrong passwords and codes."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .auth_rows import moment, print_rows, say

if TYPE_CHECKING:
    from ..middleware.auth.account import Account
    from ..middleware.auth.passwords.throttle import Slowed
    from .auth import Words
    from .auth_site import AuthSite


def arguments(parser: Words) -> None:
    """Declare the words."""
    command = parser.commands()
    listing = command("list", "List the names and addresses that have to wait now, and until when.", _list)
    listing.add_argument(
        "name", metavar="NAME", nargs="*", help="names to recognize besides those of the site's own users"
    )
    clear = command("clear", "Let names and addresses go on, or all of them.", _clear)
    clear.add_argument("what", metavar="NAME|ADDRESS|ID", nargs="*", help="ID as it stands in the list")
    clear.add_argument("--all", action="store_true", help="everything that is counted")


def _list(site: AuthSite, options: argparse.Namespace) -> None:
    if site.forgets is not None:
        raise ValueError(site.forgets)
    accounts = {each.id: each for each in (*_own(site), *_named(site, options.name))}
    names = [*options.name, *(each.name for each in accounts.values())]
    rows = [_row(each) for each in site.authority.passwords.throttle.slowed(names)]
    rows += [row for account in accounts.values() if (row := _codes(site, account)) is not None]
    columns = ("kind", "who", "from", "attempts", "until", "id")
    print_rows(rows, columns, options, none="Nobody has to wait.")


def _row(each: Slowed) -> dict[str, Any]:
    unknown = "(no user of the site)" if each.kind == "name" else ""
    return {
        "kind": "own device" if each.device else each.kind,
        "who": each.name or unknown,
        "name": each.name,
        "from": each.place,
        "attempts": each.number,
        "until": moment(each.until),
        "id": each.id,
    }


def _codes(site: AuthSite, account: Account) -> dict[str, Any] | None:
    until = site.authority.factors.attempts.until(account.id) if account.has_second_factor else None
    if until is None:
        return None
    return {
        "kind": "code",
        "who": account.name,
        "name": account.name,
        "from": "",
        "attempts": site.authority.factors.options.per_hour,
        "until": moment(until),
        "id": account.id,
    }


def _clear(site: AuthSite, options: argparse.Namespace) -> None:
    if options.all == bool(options.what):
        raise ValueError("say what: a name, an address, an id of the list, or --all")
    throttle, attempts = site.authority.passwords.throttle, site.authority.factors.attempts
    if options.all:
        site.note("user.change", done="unblocked", name="everybody")
        count = throttle.forget_all() + attempts.forget_all()
        say("nobody has to wait any more", options, cleared=count)
        return
    slowed = {each.id: each for each in throttle.slowed()}
    for what in options.what:
        site.note("user.change", done="unblocked", name=what)
        if what in slowed:
            throttle.release(slowed[what])
            continue
        throttle.forget(what)
        throttle.forget_address(what)
        for account in _named(site, [what]):
            attempts.forget(account.id)
    say(f"nobody waits for {', '.join(options.what)} any more", options, cleared=len(options.what))


def _own(site: AuthSite) -> Iterator[Account]:
    last = ""
    while page := site.users.all(after=last):
        yield from page
        last = page[-1].name


def _named(site: AuthSite, names: list[str]) -> list[Account]:
    """The users of these names or ids, of whichever source; their own are in :func:`_own`."""
    directory = site.authority.directory
    found = [directory.find(each) or (directory.get(each) if ":" in each else None) for each in names]
    return [each for each in found if each is not None]
