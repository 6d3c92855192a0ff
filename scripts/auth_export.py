"""``wheatpaste auth FILE export``: users, groups and roles as a table that ``import csv`` reads, or as JSON."""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .auth_newcomers import COLUMNS
from .places import dump

if TYPE_CHECKING:
    from ..middleware.auth.account import Account
    from .auth import Words
    from .auth_site import AuthSite


def arguments(parser: Words) -> None:
    """Declare the words."""
    parser.leaf(_export)
    parser.add_argument(
        "--hashes", action="store_true", help="with the hashes of passwords: keep it where only you can"
    )


def _export(site: AuthSite, options: argparse.Namespace) -> None:
    groups = {each.name: site.users.members(each.name) for each in site.users.groups()}
    grants = site.users.grants()
    rows = [_data(site, each, options) | {"id": each.id} for each in _everybody(site)]
    for row in rows:  # what each has by itself: what groups give comes with the groups
        row["groups"] = [name for name, members in groups.items() if any(each.id == row["id"] for each in members)]
        row["roles"] = [each.role for each in grants if each.subject == f"user:{row['name']}"]
    if options.json:
        members = [{"name": name, "members": [each._asdict() for each in found]} for name, found in groups.items()]
        dump({"users": rows, "groups": members, "grants": [each._asdict() for each in grants]})
        return
    columns = [each for each in COLUMNS if each != "password" and (options.hashes or each != "password_hash")]
    writer = csv.DictWriter(sys.stdout, columns, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    for row in rows:
        writer.writerow({key: _text(value) for key, value in row.items()})


def _everybody(site: AuthSite) -> Iterator[Account]:
    last = ""
    while page := site.users.all(after=last):
        yield from page
        last = page[-1].name


def _data(site: AuthSite, account: Account, options: argparse.Namespace) -> dict[str, Any]:
    data: dict[str, Any] = {
        "name": account.name,
        "display": account.display,
        "email": account.email,
        "email_verified": account.email_verified,
        "disabled": account.disabled,
    }
    if options.hashes:
        data["password_hash"] = site.users.password_hash(account) or ""
    return data


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return " ".join(value) if isinstance(value, list) else str(value)
