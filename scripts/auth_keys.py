"""``wheatpaste auth FILE keys …``: the keys with which a site signs and seals."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from ..config.problems import ConfigError, Problem
from .auth_asking import confirmed
from .auth_rows import print_rows, say

if TYPE_CHECKING:
    from .auth import Words
    from .auth_site import AuthSite


def arguments(parser: Words) -> None:
    """Declare the words."""
    command = parser.commands()
    command("list", "List the keys, the newest first: it seals, all of them open.", _list)
    command("rotate", "Add a key, which seals from now on; servers that run take it over.", _rotate)
    command("reseal", "Seal anew, with the newest key, what older ones have sealed.", _reseal)
    retire = command("retire", "Remove an old key; what it alone has sealed stays shut.", _retire)
    retire.add_argument("id", metavar="ID", help="as it stands in the list")
    retire.add_argument("--yes", action="store_true", help="do not ask")


def key_path(site: AuthSite) -> str | None:
    """The key file that the sections name, None where they name none. It need not exist."""
    from ..middleware.auth.key_file import path_in

    named = site.text("", "secret_file")
    if named is not None:
        return os.path.join(site.folder, os.path.expanduser(named.strip()))
    path = path_in(site.text("", "secret") or "")
    return None if path is None else str(path)


def _file(site: AuthSite) -> str:
    path = key_path(site)
    if path is None:
        raise ConfigError(
            Problem(
                what="the site has no key file",
                fix="write secret_file = %(here)s/auth.key there, and run wheatpaste auth FILE init",
                file=site.node.where.file,
                section=f"auth:{site.name}",
                code="auth-key",
            )
        )
    return path


def _list(site: AuthSite, options: argparse.Namespace) -> None:
    from ..middleware.auth.key_file import read_key_file

    keys = read_key_file(_file(site))
    rows = [
        {"id": each.id, "created": each.created, "does": "seals and opens" if number == 0 else "opens"}
        for number, each in enumerate(keys)
    ]
    print_rows(rows, ("id", "created", "does"), options, none="There are no keys.")


def _rotate(site: AuthSite, options: argparse.Namespace) -> None:
    from ..middleware.auth.key_file import rotate

    key = rotate(_file(site))
    site.note("config.change", key=key.id, done="added")
    say(f"{key.id} seals from now on", options, id=key.id, created=key.created)


def _reseal(site: AuthSite, options: argparse.Namespace) -> int:
    from ..middleware.auth.factors import totp_apps
    from ..middleware.auth.methods import digest_secrets
    from ..middleware.auth.reseal import reseal

    services = site.services
    rows = [
        {"what": f"{each.table}.{each.column}", **reseal(services.tables, services.vault, each)._asdict()}
        for each in (totp_apps.SEALED, digest_secrets.SEALED)
    ]
    site.note("config.change", done="resealed")
    shut = sum(int(each["shut"]) for each in rows)
    counts = {word: sum(int(each[word]) for each in rows) for word in ("renewed", "current")}
    sentence = f"{counts['renewed']} sealed anew, {counts['current']} had the newest key"
    say(f"{sentence}, {shut} that no key here opens" if shut else sentence, options, **counts, shut=shut, columns=rows)
    return 1 if shut else 0


def _retire(site: AuthSite, options: argparse.Namespace) -> int | None:
    from ..middleware.auth.key_file import retire

    if not confirmed(
        f"Remove the key {options.id}? What it alone has sealed stays shut (see keys reseal).", yes=options.yes
    ):
        return 1
    retire(_file(site), options.id)
    site.note("config.change", key=options.id, done="retired")
    say(f"{options.id} is gone", options, id=options.id)
    return None
