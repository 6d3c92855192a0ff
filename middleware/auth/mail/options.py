"""``[auth:main:mail]``: through which server users get mail, and from whom."""

from __future__ import annotations

import re

from ....config.options import component, option
from ...delivery.mail_addresses import server_complaint
from ..accounts.naming import email_complaint


def sender_complaint(address: str) -> str | None:
    """What is wrong with the address from which mails come, as a phrase, or None."""
    if not address or not address.isascii():
        return "must be a mail address such as wiki@example.org"
    return email_complaint(address)


def _language_complaint(language: str) -> str | None:
    return None if re.fullmatch(r"[a-z]{2,8}", language) else "must be a language such as en or de"


NEEDS_URL = "is missing: the links in mails begin with it, and no request is asked what the site is called"


@component
class MailOptions:
    """How users get mail: a link when they have forgotten their password, and notices of what was changed."""

    smtp_server: str = option(
        doc="The mail server, as host or host:port.",
        inherits=True,
        check=server_complaint,
        sample="mail.example.org:587",
    )
    from_address: str = option(doc="The sender of the mails.", check=sender_complaint, sample="wiki@example.org")
    smtp_use_tls: bool = option(
        default=True,
        doc="Speak TLS to it (STARTTLS, or from the start on port 465); off is for a server on the same machine.",
        inherits=True,
    )
    smtp_username: str | None = option(default=None, doc="Its user, if it wants one.", inherits=True)
    smtp_password: str | None = option(default=None, doc="Its password.", inherits=True, secret=True)
    language: str = option(
        default="en",
        doc="The language of mails that no browser has asked for, such as invitations: en, de, or one of templates.",
        check=_language_complaint,
        sample="de",
    )
    notices: bool = option(
        default=True, doc="Tell users by mail when their password, factors or mail address were changed."
    )
