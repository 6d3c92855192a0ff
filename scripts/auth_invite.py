"""``wheatpaste auth FILE invite``: a link by which a user sets a password, once."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from .auth_mail import mail_link, mailable
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
    parser.add_argument("--mail", action="store_true", help="send the link to the user's mail address, print none")


def link_for(site: AuthSite, account: Account, seconds: float | None = None) -> str:
    """A link for the first password of a user, or for a new one. Links before it are void."""
    return _link(site, account, kind_for(site, account), seconds)


def kind_for(site: AuthSite, account: Account) -> Kind:
    """What a link for this user is for."""
    return "reset" if site.users.info(account.id).has_password else "invite"


def mail_link_for(
    site: AuthSite, account: Account, options: argparse.Namespace, seconds: float | None = None, **data: Any
) -> None:
    """Mail the same, and say so. Raises ``ValueError`` with what the mail server says, where it does not take it."""
    from ..middleware.auth.links import SECONDS

    kind = kind_for(site, account)
    address = mailable(site, account, has_password=kind == "reset")
    link = _link(site, account, kind, seconds, address=address)
    mail_link(site, kind, account, link, SECONDS[kind] if seconds is None else seconds)
    say(f"a link for {account.name} is on its way to {address}", options, mailed_to=address, **data)


def _link(site: AuthSite, account: Account, kind: Kind, seconds: float | None, address: str = "") -> str:
    token = site.authority.links.create(kind, account.id, seconds, address=address)
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
    if options.mail:
        mailable(site, account, has_password=kind_for(site, account) == "reset")
        site.note("user.change", account, done="link made")
        mail_link_for(site, account, options, seconds, name=account.name, id=account.id)
        return
    link = link_for(site, account, seconds)
    site.note("user.change", account, done="link made")
    say_link(link, account, options, name=account.name, id=account.id)
