"""``wheatpaste auth FILE mail test``: whether users would get mail."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from .auth_rows import say

if TYPE_CHECKING:
    from ..middleware.auth.account import Account
    from ..middleware.auth.links import Kind
    from ..middleware.auth.mail.post import Post
    from .auth import Words
    from .auth_site import AuthSite


def arguments(parser: Words) -> None:
    """Declare the words."""
    command = parser.commands()
    test = command("test", "Send a mail that says nothing, and tell what the mail server answers.", _test)
    test.add_argument("address", metavar="ADDRESS", help="where it goes")


def post_of(site: AuthSite) -> Post:
    """What sends mails. Raises ``ValueError`` where the site sends none."""
    post: Post | None = site.authority.post
    if post is None:
        what = "write smtp_server and from_address"
        raise ValueError(f"the site sends no mails; {what} into a section [auth:{site.name}:mail]")
    return post


def mailable(site: AuthSite, account: Account, *, has_password: bool) -> str:
    """The address to which a link for this user may go. Raises ``ValueError``."""
    post_of(site)
    if not account.email:
        raise ValueError(f"{account.name} has no mail address; give one: user edit {account.name} --email ADDRESS")
    # Who has a password has signed in, and may have typed any address.
    if has_password and not account.email_verified:
        raise ValueError(
            f"nobody has confirmed that {account.email} is {account.name}'s;"
            f" if you know it, say so: user edit {account.name} --verified"
        )
    return account.email


def mail_link(site: AuthSite, kind: Kind, account: Account, link: str, seconds: float) -> None:
    """Send a link, and wait until the mail server has it. Raises ``ValueError``."""
    post = post_of(site)
    post.outbox.send(post.handed_over(kind, account, link, seconds))


def _test(site: AuthSite, options: argparse.Namespace) -> None:
    from ..middleware.auth.accounts.naming import email_complaint

    complaint = email_complaint(options.address) if options.address else "must not be empty"
    if complaint is not None:
        raise ValueError(f"the address {complaint}")
    post = post_of(site)
    language = post.options.language
    letter = post.letters.write("test", options.address, None, seconds=3600, language=language, by_operator=True)
    post.outbox.send(letter)
    server = post.options.smtp_server
    say(f"{server} has taken a mail for {options.address}", options, address=options.address, server=server)
