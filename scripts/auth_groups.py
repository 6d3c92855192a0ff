"""``wheatpaste auth FILE group …``: groups, which have users and other groups as members."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from .auth_asking import confirmed
from .auth_rows import are, print_rows, say

if TYPE_CHECKING:
    from .auth import Words
    from .auth_site import AuthSite

_MEMBER = "a user's name, group:NAME, or the id of a user of another source"


def arguments(parser: Words) -> None:
    """Declare the words."""
    command = parser.commands()
    command("list", "List the groups.", _list)
    command("add", "Make a group.", _add).add_argument("group", metavar="GROUP")
    delete = command("delete", "Remove a group; its members stay.", _delete)
    delete.add_argument("group", metavar="GROUP")
    delete.add_argument("--yes", action="store_true", help="do not ask")
    command("members", "List who is in a group.", _members).add_argument("group", metavar="GROUP")
    for name, sentence, do in (
        ("join", "Put users or groups into a group.", _join),
        ("leave", "Take users or groups out of a group.", _leave),
    ):
        each = command(name, sentence, do)
        each.add_argument("group", metavar="GROUP")
        each.add_argument("member", metavar="MEMBER", nargs="+", help=_MEMBER)


def _list(site: AuthSite, options: argparse.Namespace) -> None:
    rows = [{"name": each.name, "members": each.members, "id": each.id} for each in site.users.groups()]
    print_rows(rows, ("name", "members"), options, none="There are no groups.")


def _add(site: AuthSite, options: argparse.Namespace) -> None:
    site.users.create_group(options.group)
    site.note("group.change", group=options.group, done="made")
    say(f"the group {options.group} is there now", options, name=options.group)


def _delete(site: AuthSite, options: argparse.Namespace) -> int | None:
    if not confirmed(f"Delete the group {options.group} for ever?", yes=options.yes):
        return 1
    site.users.delete_group(options.group)
    site.note("group.change", group=options.group, done="deleted")
    say(f"the group {options.group} is gone", options, name=options.group)
    return None


def _members(site: AuthSite, options: argparse.Namespace) -> None:
    rows = [
        {"name": each.name, "kind": each.kind, "origin": "" if each.origin == "ours" else each.origin, "id": each.id}
        for each in site.users.members(options.group)
    ]
    print_rows(rows, ("name", "kind", "origin"), options, none=f"Nobody is in {options.group}.")


def _join(site: AuthSite, options: argparse.Namespace) -> None:
    for member in options.member:
        if site.users.add_member(options.group, member):
            site.note("group.change", group=options.group, member=member, done="joined")
    say(f"{are(options.member)} in {options.group} now", options, group=options.group, members=options.member)


def _leave(site: AuthSite, options: argparse.Namespace) -> int | None:
    absent = []
    for member in options.member:
        if site.users.remove_member(options.group, member):
            site.note("group.change", group=options.group, member=member, done="left")
        else:
            absent.append(member)
    if absent:
        raise LookupError(f"{', '.join(absent)}: not in {options.group}")
    say(f"{are(options.member)} not in {options.group} any more", options, group=options.group)
    return None
