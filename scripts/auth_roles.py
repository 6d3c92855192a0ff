"""``wheatpaste auth FILE role …``: the roles of users and groups."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from .auth_rows import have, print_rows, say
from .terminal import Terminal

if TYPE_CHECKING:
    from .auth import Words
    from .auth_site import AuthSite

_SUBJECT = "user:NAME, group:NAME, or user:ID for a user of another source"


def arguments(parser: Words) -> None:
    """Declare the words."""
    command = parser.commands()
    command("list", "List who has which role, and what each role allows.", _list)
    for name, sentence, do in (
        ("grant", "Give a role to users or groups.", _grant),
        ("revoke", "Take a role away from users or groups.", _revoke),
    ):
        each = command(name, sentence, do)
        each.add_argument("role", metavar="ROLE")
        each.add_argument("subject", metavar="SUBJECT", nargs="+", help=_SUBJECT)


def _list(site: AuthSite, options: argparse.Namespace) -> None:
    roles = _known(site)
    granted: dict[str, list[str]] = {name: [] for name in sorted(roles.names)}
    for each in site.users.grants():
        granted.setdefault(each.role, []).append(each.subject)
    rows = [
        {"role": role, "granted": subjects, "permissions": sorted(roles.of(frozenset({role})))}
        for role, subjects in granted.items()
    ]
    print_rows(rows, ("role", "granted", "permissions"), options, none="There are no roles.")


def _grant(site: AuthSite, options: argparse.Namespace) -> None:
    for subject in options.subject:
        if site.users.grant(subject, options.role):
            site.note("role.grant", role=options.role, subject=subject)
    roles = _known(site)
    if roles.names and options.role not in roles.names and not options.json:
        listed = f"[auth:NAME:roles] does not list {options.role}, so it gives no permissions"
        Terminal(sys.stderr).line(f"note: {listed}; rules may name it all the same")
    say(f"{have(options.subject)} the role {options.role} now", options, role=options.role, subjects=options.subject)


def _revoke(site: AuthSite, options: argparse.Namespace) -> None:
    absent = []
    for subject in options.subject:
        if site.users.revoke(subject, options.role):
            site.note("role.revoke", role=options.role, subject=subject)
        else:
            absent.append(subject)
    if absent:
        raise LookupError(f"{', '.join(absent)}: did not have the role {options.role}")
    say(f"{have(options.subject)} the role {options.role} no more", options, role=options.role)


def _known(site: AuthSite) -> Roles:
    from ..middleware.auth.accounts.options import RoleOptions

    made: RoleOptions = site.option("roles", RoleOptions)
    return made.roles


if TYPE_CHECKING:
    from ..middleware.auth.accounts.roles import Roles
