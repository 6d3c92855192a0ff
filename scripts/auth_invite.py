"""``wheatpaste auth FILE invite``: a link by which a user sets a password, once."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from .auth_rows import say
from .terminal import Terminal

if TYPE_CHECKING:
    from ..middleware.auth.account import Account
    from ..middleware.auth.links import Kind
    from .auth import Words
    from .auth_site import AuthSite


def arguments(parser: Words) -> None:
    """Declare the words."""
    parser.leaf(_invite)
    parser.add_argument("user", metavar="USER", help="a user whom the site keeps itself")
    parser.add_argument(
        "--expires", metavar="TIME", help="such as 2d; a first password has 7 days, a new one 30 minutes"
    )


def link_for(site: AuthSite, account: Account, seconds: float | None = None) -> str:
    """A link for the first password of a user, or for a new one. Links before it are void."""
    has_password = site.users.info(account.id).has_password
    kind: Kind = "reset" if has_password else "invite"
    token = site.authority.links.create(kind, account.id, seconds)
    settings = site.authority.site
    return f"{(settings.public_url or '').rstrip('/')}{site.mounted_at}{settings.mount}/{kind}/{token}"


def say_link(link: str, account: Account, options: argparse.Namespace, **data: Any) -> None:
    """Print a link; where it lacks the host, say so."""
    if not options.json:
        terminal = Terminal(sys.stderr)
        terminal.line(f"Whoever has this link can sign in as {account.name}, once:")
        if link.startswith("/"):
            terminal.line("(put the site's address before it, or write public_url = https://… in the file)")
    say(link, options, link=link, **data)


def _invite(site: AuthSite, options: argparse.Namespace) -> None:
    from ..config.values import Seconds, parse

    account = site.own(options.user)
    seconds = None
    if options.expires is not None:
        try:
            seconds = parse(options.expires, Seconds)
        except ValueError as error:
            raise ValueError(f"--expires {error}") from None
        if seconds <= 0:
            raise ValueError("--expires must be more than 0")
    if account.disabled:
        raise ValueError(f"{account.name} is disabled, and could not use a link")
    link = link_for(site, account, seconds)
    site.note("user.change", account, done="link made")
    say_link(link, account, options, name=account.name, id=account.id)
