"""``wheatpaste auth FILE init``: what a site needs before the first login. What is there already stays as it is."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING, Any

from ..config.problems import ConfigError, Problem
from .auth_invite import link_for, say_link
from .auth_keys import key_path
from .places import dump
from .terminal import Terminal, printable, short_path

if TYPE_CHECKING:
    from .auth import Words
    from .auth_site import AuthSite


def arguments(parser: Words) -> None:
    """Declare the words."""
    parser.leaf(_init)
    parser.add_argument("--admin", metavar="NAME", default="admin", help="the first user (default: admin)")
    parser.add_argument("--email", metavar="ADDRESS", default="", help="the first user's mail address")
    parser.add_argument("--role", metavar="ROLE", default="admin", help="the first user's role (default: admin)")
    parser.add_argument("--no-admin", action="store_true", help="make no user")


def _init(site: AuthSite, options: argparse.Namespace) -> None:
    made: dict[str, Any] = {"key_file": None, "key_id": None, "admin": None}
    terminal = Terminal(sys.stdout)

    def tell(sentence: str) -> None:
        if not options.json:
            terminal.line(printable(sentence))

    path = key_path(site)
    if path is None and site.text("", "secret") is None and site.text("", "secret_env") is None:
        raise ConfigError(
            Problem(
                what="names no key file yet",
                fix="write secret = %(here)s/auth.key, and run this again",
                file=site.node.where.file,
                section=f"auth:{site.name}",
                code="auth-key",
            )
        )
    if path is not None:
        made["key_file"] = path
        made["key_id"] = _make_key(path, tell)
        site.read_again()
    users = site.users
    is_empty = not users.all(limit=1)
    users.groups()  # which makes the tables
    tell(_about_tables(site))
    if options.no_admin or site.forgets is not None:
        tell("No user was made.")
    elif not is_empty:
        tell("There are users already; none was made. Another link: wheatpaste auth FILE invite NAME")
    else:
        account = users.create(options.admin, email=options.email)
        users.grant(f"user:{account.name}", options.role)
        site.note("user.create", account, role=options.role)
        tell(f"{account.name} is there now, with the role {options.role}.")
        made["admin"] = account.name
        link = link_for(site, account)
        if options.json:
            made["link"] = link
        else:
            say_link(link, account, options)
    if os.geteuid() == 0:
        tell("You are root: where the server is another user, give it what was made here (chown).")
    if options.json:
        dump(made)


def _make_key(path: str, tell: Any) -> str:
    from ..middleware.auth.key_file import make_key_file, read_key_file

    if os.path.lexists(path):
        key = read_key_file(path)[0]
        tell(f"{short_path(path)} is there already, and stays.")
    else:
        folder = os.path.dirname(path)
        above = os.path.dirname(folder)
        if above not in ("", "/") and os.path.isdir(above) and not os.path.lexists(folder):
            os.mkdir(folder, 0o700)
            tell(f"{short_path(folder)} is a new folder, which only you can look into.")
        key = make_key_file(path)
        tell(f"{short_path(path)} is the site's key. Only you can read it; it belongs into no version control.")
    return key.id


def _about_tables(site: AuthSite) -> str:
    from ..middleware.auth.accounts.options import StoreOptions

    store: StoreOptions = site.option("store", StoreOptions)
    if site.forgets is not None:
        return f"{site.forgets[0].upper()}{site.forgets[1:]}."
    if store.url.startswith("sqlite:///"):
        return f"{short_path(store.url.removeprefix('sqlite:///'))} has the tables."
    return "The database has the tables."
