"""Mails to users, written from templates: text alone, and no header that a stranger could write (RFC 5322).

A template is ``mail_NAME.txt``; its first line becomes the subject, what follows the text. A folder of templates may
hold others of the same names, as for pages.
"""

from __future__ import annotations

from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, make_msgid
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ....protocol.printable import one_line, printable
from ...delivery.queue import said
from ..accounts.naming import email_complaint
from ..pages.language import ENGLISH, Catalogue, catalogues
from ..pages.moments import Moments

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jinja2 import Environment

    from ..account import Account
    from ..site import Site

_MOST_SUBJECT = 150


class Letter(NamedTuple):
    """A mail on its way: ``kind`` says what it is for, ``until`` (seconds since 1970) how long it is of use.

    ``tries`` is how often a server did not take it.
    """

    kind: str
    to: str
    account: Account | None
    message: EmailMessage
    until: float
    tries: int = 0


class Unwritable(ValueError):
    """Raised with a sentence: a template of the site's own cannot be used, or an address is none."""


class Letters:
    """Writes the mails of a site, which come from ``sender``."""

    def __init__(self, site: Site, sender: str, clock: Callable[[], float]) -> None:
        self._site = site
        self._sender = sender
        self._clock = clock

    @property
    def site_name(self) -> str:
        """What mails call the site: its title, or its host. It comes from the configuration, never from a request."""
        return one_line(self._site.title or (self._site.public_url or "").partition("://")[2].rstrip("/"))

    def words(self, language: str) -> Catalogue:
        """The catalogue of a language, by its tag."""
        return catalogues(self._site.templates).get(language, ENGLISH)

    def write(
        self, kind: str, to: str, account: Account | None, *, seconds: float, language: str = "en", **values: Any
    ) -> Letter:
        """The mail that ``mail_KIND.txt`` makes of ``values``, of use for ``seconds``.

        Every template has ``_`` (the catalogue), ``site``, ``home`` (its address), ``account`` and ``moments``. Of a
        user it is to show nothing but the name: all else may have been typed by somebody. Raises ``Unwritable``.
        """
        try:
            return self._written(kind, to, account, seconds, language, values)
        except Exception as error:  # templates of others fail in every way there is, and no request is to fail for it
            raise Unwritable(f"mail_{kind}.txt cannot be used ({said(error)})") from error

    def _written(
        self, kind: str, to: str, account: Account | None, seconds: float, language: str, values: Mapping[str, Any]
    ) -> Letter:
        if not to or email_complaint(to) is not None:  # sources of others have checked nothing
            raise ValueError("there is no single mail address that it could go to")
        now = self._clock()
        words = self.words(language)
        text = (
            _environment(self._site.templates)
            .get_template(f"mail_{kind}.txt")
            .render(
                {
                    "_": words,
                    "site": self.site_name,
                    "home": f"{(self._site.public_url or '').rstrip('/')}/",
                    "account": account,
                    "moments": Moments(words, now),
                    "now": now,
                    "until": now + seconds,
                    "address": "",
                    "device": "",
                    "by_operator": False,
                    **values,
                }
            )
        )
        subject, _, body = text.strip().partition("\n")
        message = EmailMessage(policy=SMTP)
        message["From"] = Address(one_line(self._site.title, _MOST_SUBJECT), addr_spec=self._sender)
        message["To"] = to
        message["Subject"] = one_line(subject.strip(), _MOST_SUBJECT)
        message["Date"] = formatdate(now)
        message["Message-ID"] = make_msgid(domain=self._sender.rpartition("@")[2])
        # RFC 3834: nobody's holiday reply comes back. The other one is for the servers that do not read it.
        message["Auto-Submitted"] = "auto-generated"
        message["X-Auto-Response-Suppress"] = "All"
        message.set_content(printable(body.strip()) + "\n", charset="utf-8")
        message["Content-Language"] = words.language
        return Letter(kind, to, account, message, now + seconds)


@lru_cache(maxsize=8)
def _environment(folder: Path | None) -> Environment:
    from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PackageLoader, StrictUndefined

    ours = PackageLoader(__package__, "templates")
    return Environment(
        loader=ours if folder is None else ChoiceLoader([FileSystemLoader(folder), ours]),
        autoescape=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
