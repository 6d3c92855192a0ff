"""``wheatpaste auth FILE user …``: the users that a site keeps itself."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from .auth_asking import ask_password, confirmed
from .auth_invite import link_for, mail_link_for, say_link
from .auth_mail import mailable
from .auth_rows import moment, print_one, print_rows, say

if TYPE_CHECKING:
    from ..middleware.auth.account import Account
    from .auth import Words
    from .auth_site import AuthSite


def arguments(parser: Words) -> None:
    """Declare the words."""
    command = parser.commands()
    add = command("add", "Make a user; the password is asked for, or read from the standard input.", _add)
    add.add_argument("name", metavar="NAME")
    add.add_argument("--display", metavar="TEXT", default="", help="the full name that pages show")
    add.add_argument("--email", metavar="ADDRESS", default="", help="the mail address")
    add.add_argument("--verified", action="store_true", help="the address is known to be the user's")
    add.add_argument("--group", metavar="GROUP", action="append", default=[], help="put the user into a group")
    add.add_argument("--role", metavar="ROLE", action="append", default=[], help="give the user a role")
    how = add.add_mutually_exclusive_group()
    how.add_argument("--must-change", action="store_true", help="the password has to be changed at the first login")
    how.add_argument("--invite", action="store_true", help="ask for no password, and print a link to set one")
    add.add_argument("--mail", action="store_true", help="with --invite: send the link to the address, print none")
    how.add_argument("--no-password", action="store_true", help="ask for no password: the user signs in in other ways")
    listing = command("list", "List users.", _list)
    listing.add_argument("prefix", metavar="PREFIX", nargs="?", default="", help="those whose names begin so")
    listing.add_argument("--after", metavar="NAME", default="", help="begin behind this one")
    listing.add_argument("--limit", metavar="NUMBER", type=int, default=1000, help="so many at most (default: 1000)")
    command("show", "Show all that is known of a user, of whichever source.", _show).add_argument(
        "name", metavar="NAME"
    )
    passwd = command("passwd", "Set a user's password; this ends the user's sessions.", _passwd)
    passwd.add_argument("name", metavar="NAME")
    passwd.add_argument("--must-change", action="store_true", help="it has to be changed at the next login")
    edit = command("edit", "Change a user's full name and mail address.", _edit)
    edit.add_argument("name", metavar="NAME")
    edit.add_argument("--display", metavar="TEXT")
    edit.add_argument("--email", metavar="ADDRESS")
    edit.add_argument("--verified", action="store_true", help="the address is known to be the user's")
    rename = command("rename", "Give a user another name; sessions, tokens and rights stay.", _rename)
    rename.add_argument("name", metavar="NAME")
    rename.add_argument("new", metavar="NEW")
    command("disable", "Keep a user out, and end all of the user's sessions.", _disable).add_argument(
        "name", metavar="NAME"
    )
    command("enable", "Let a user in again.", _enable).add_argument("name", metavar="NAME")
    unblock = command(
        "unblock", "Forget the wrong passwords that were tried for a name: nobody waits any more.", _unblock
    )
    unblock.add_argument("name", metavar="NAME")
    delete = command("delete", "Remove a user, with sessions, tokens and factors.", _delete)
    delete.add_argument("name", metavar="NAME")
    delete.add_argument("--yes", action="store_true", help="do not ask")


def account_data(account: Account) -> dict[str, Any]:
    """What programs get of a user."""
    return {
        "name": account.name,
        "display": account.display,
        "email": account.email,
        "email_verified": account.email_verified,
        "state": _state(account),
        "groups": sorted(account.groups),
        "roles": sorted(account.roles),
        "second_factor": account.has_second_factor,
        "must_change_password": account.must_change_password,
        "id": account.id,
    }


def _state(account: Account) -> str:
    return "disabled" if account.disabled else "enabled"


def _add(site: AuthSite, options: argparse.Namespace) -> int | None:
    from ..middleware.auth.account import Account
    from ..middleware.auth.accounts.naming import email_complaint, line_complaint, name_complaint, word_complaint

    users = site.users
    # All that can be wrong comes before the user is made, and what can be known before anybody is asked.
    for what, complaint in (
        ("the name", name_complaint(options.name)),
        ("the address", email_complaint(options.email)),
        ("the full name", line_complaint(options.display)),
    ):
        if complaint is not None:
            raise ValueError(f"{what} {complaint}")
    if users.find(options.name) is not None:
        raise ValueError(f"there is a user {options.name!r} already")
    known = {each.name.casefold() for each in users.groups()}
    missing = [group for group in options.group if group.casefold() not in known]
    if missing:
        raise LookupError(f"there is no group {missing[0]!r}; make it: wheatpaste auth FILE group add {missing[0]}")
    for role in options.role:
        complaint = word_complaint(role)
        if complaint is not None:
            raise ValueError(f"the name of a role {complaint}")
    if options.mail:
        if not options.invite:
            raise ValueError("--mail goes with --invite")
        mailable(site, Account("", options.name, users.name, "", options.email), has_password=False)
    password = None if options.invite or options.no_password else ask_password()
    if password is not None:
        wanted = Account("", options.name, users.name, options.display, options.email)
        weakness = site.authority.passwords.complaint(wanted, password)
        if weakness is not None:
            raise ValueError(str(weakness))
    account = users.create(
        options.name,
        display=options.display,
        email=options.email,
        email_verified=options.verified and bool(options.email),
    )
    for group in options.group:
        users.add_member(group, f"user:{account.name}")
    for role in options.role:
        users.grant(f"user:{account.name}", role)
    if password is not None:
        _set_password(site, account, password, options.must_change)
    site.note("user.create", account)
    account = users.get(account.id) or account
    if options.invite and options.mail:
        try:
            mail_link_for(site, account, options, **account_data(account))
        except ValueError as error:
            again = f"wheatpaste auth FILE invite {account.name} --mail"
            raise ValueError(f"{account.name} is there now, but {error}; to try it again: {again}") from error
    elif options.invite:
        say_link(link_for(site, account), account, options, **account_data(account))
    else:
        say(f"{account.name} is there now", options, **account_data(account))
    return None


def _list(site: AuthSite, options: argparse.Namespace) -> None:
    accounts = site.users.all(options.prefix, after=options.after, limit=options.limit)
    rows = [account_data(each) for each in accounts]
    for row in rows:
        row["disabled"] = "disabled" if row["state"] == "disabled" else ""
        row["2nd factor"] = "2nd factor" if row["second_factor"] else ""
    columns = ("name", "display", "email", "groups", "roles", "2nd factor", "disabled")
    if options.json:
        rows = [account_data(each) for each in accounts]
    print_rows(rows, columns, options, none="There are no such users." if options.prefix else "There are no users.")


def _show(site: AuthSite, options: argparse.Namespace) -> None:
    account = site.account(options.name)
    data = account_data(account) | {"source": account.source, "permissions": sorted(account.permissions)}
    if account.source == "local":
        info = site.users.info(account.id)
        data |= {
            "created": moment(info.created),
            "has_password": info.has_password,
            "password_changed": moment(info.password_changed),
        }
    print_one(data, options)


def _passwd(site: AuthSite, options: argparse.Namespace) -> None:
    account = site.own(options.name)
    password = ask_password()
    _set_password(site, account, password, options.must_change)
    site.authority.links.forget(account.id)
    site.note("password.reset", account)
    say(f"{account.name} has a new password, and is signed out everywhere", options, name=account.name, id=account.id)


def _set_password(site: AuthSite, account: Account, password: str, must_change: bool) -> None:
    complaint = site.authority.passwords.change(account, password, must_change=must_change)
    if complaint is not None:
        raise ValueError(str(complaint))


def _edit(site: AuthSite, options: argparse.Namespace) -> None:
    from ..middleware.auth.accounts.naming import line_complaint

    account = site.own(options.name)
    display = account.display if options.display is None else options.display
    complaint = line_complaint(display)
    if complaint is not None:
        raise ValueError(f"the full name {complaint}")
    if options.email is not None or options.verified:
        email = account.email if options.email is None else options.email
        site.users.set_email(account.id, email, options.verified or (email == account.email and account.email_verified))
    site.users.set_display(account.id, display)
    is_moved = options.email is not None and options.email != account.email
    site.note("user.change", account, changed="email" if is_moved else None)
    account = site.account(account.id)
    say(f"{account.name} was changed", options, **account_data(account))


def _rename(site: AuthSite, options: argparse.Namespace) -> None:
    account = site.own(options.name)
    site.users.rename(account.id, options.new)
    site.note("user.change", account, new_name=options.new)
    account = site.account(account.id)
    say(f"{options.name} is {account.name} now", options, **account_data(account))


def _disable(site: AuthSite, options: argparse.Namespace) -> None:
    account = site.own(options.name)
    site.users.disable(account.id)
    if site.authority.sessions.can_list:
        site.authority.sessions.end_all(account.id)
    site.note("user.disable", account)
    say(f"{account.name} cannot sign in any more", options, name=account.name, id=account.id)


def _enable(site: AuthSite, options: argparse.Namespace) -> None:
    account = site.own(options.name)
    site.users.enable(account.id)
    site.note("user.enable", account)
    say(f"{account.name} can sign in again", options, name=account.name, id=account.id)


def _unblock(site: AuthSite, options: argparse.Namespace) -> None:
    # Whoever guesses is slowed down for names that nobody has, too, so this asks for no user.
    site.authority.passwords.throttle.forget(options.name)
    site.note("user.change", name=options.name, done="unblocked")
    say(f"nobody waits for {options.name} any more", options, name=options.name)


def _delete(site: AuthSite, options: argparse.Namespace) -> int | None:
    account = site.own(options.name)
    if not confirmed(f"Delete {account.name} for ever?", yes=options.yes):
        return 1
    site.users.delete(account.id)
    site.note("user.delete", account)
    say(f"{account.name} is gone", options, name=account.name, id=account.id)
    return None
