"""``wheatpaste auth [FILE] hash``: the hash of a password, for files and databases."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from .auth_asking import ask_password
from .auth_rows import say

if TYPE_CHECKING:
    from .auth import Words
    from .auth_site import AuthSite


def arguments(parser: Words) -> None:
    """Declare the words."""
    parser.leaf(_hash)
    parser.add_argument(
        "--scheme",
        choices=("argon2", "bcrypt"),
        default="argon2",
        help="bcrypt for files that Apache reads, too (default: argon2, as [auth:NAME:password] says)",
    )


def _hash(site: AuthSite, options: argparse.Namespace) -> None:
    from ..middleware.auth.passwords.hasher import Hasher
    from ..middleware.auth.passwords.options import PasswordOptions

    profile = "default" if site.file is None else site.option("password", PasswordOptions).argon2
    password = ask_password("Password")
    hasher = Hasher(profile)
    try:
        encoded = hasher.hash(password, options.scheme)
    finally:
        hasher.close()
    say(encoded, options, hash=encoded)
