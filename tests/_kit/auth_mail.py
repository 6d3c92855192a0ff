"""A site that sends mails, as its sections come to it, with a real mail server that takes them."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from auth_pages import CHEAP, PASSWORD, Clock, Visitor, front
from mail_server import MailServer

from wheatpaste.middleware.auth.account import Account
from wheatpaste.middleware.auth.accounts.options import StoreOptions
from wheatpaste.middleware.auth.auth import Guard
from wheatpaste.middleware.auth.mail.options import MailOptions
from wheatpaste.middleware.auth.passwords.options import PasswordOptions
from wheatpaste.middleware.auth.setup import authority_of
from wheatpaste.middleware.auth.site import Site

SECRET = "7f3a9c51e2d84b06a5c1908e6fd2b743bb1e6c0d94f7a258"
HOME = "https://wiki.example.org"
SENDER = "wiki@wiki.example.org"
_LINK = re.compile(r"https?://\S+/(?:reset|invite|email)/[A-Za-z0-9_-]{43}")


class MailingSite:
    """``server`` takes the mails; ``port`` is another place to send them to. ``app`` is guarded by the site."""

    def __init__(
        self,
        folder: Path,
        server: MailServer,
        *,
        port: int | None = None,
        site: Mapping[str, Any] | None = None,
        mail: Mapping[str, Any] | None = None,
        app: Any = front,
        **parts: Any,
    ) -> None:
        self.server = server
        self.clock = Clock()
        self._audit = folder / "audit.log"
        to = f"127.0.0.1:{port or server.port}"
        given = {"secret": SECRET, "audit": f"json:{self._audit}", "public_url": HOME, "title": "Our wiki"}
        self.authority = authority_of(
            {
                "": Site(**{**given, **(site or {})}),
                "password": PasswordOptions(argon2=CHEAP),
                "store": StoreOptions(url=f"sqlite:///{folder / 'auth.db'}"),
                "mail": MailOptions(
                    **{"smtp_server": to, "from_address": SENDER, "smtp_use_tls": False, **(mail or {})}
                ),
                **parts,
            },
            self.clock,
        )
        self.app = Guard(app, self.authority)

    def add(self, name: str = "bob", password: str | None = PASSWORD, **known: Any) -> Account:
        """Make a user whose address, ``NAME@example.org``, is confirmed."""
        given = {"email": f"{name}@example.org", "email_verified": True, **known}
        made = self.authority.users.create(name, **given)
        if password is not None:
            self.authority.users.set_password(made.id, self.authority.passwords.hasher.hash(password))
        return self.account(name)

    def account(self, name: str = "bob") -> Account:
        found = self.authority.directory.find(name)
        assert found is not None
        return found

    def visitor(self, **how: Any) -> Visitor:
        """A browser without scripts."""
        return Visitor(self.app, scheme="https", **how)

    def forgets(self, name: str, **how: Any) -> Any:
        """Ask for a link, in a browser of its own; what came back."""
        visitor = self.visitor(**how)
        return visitor.fill(visitor.get("/-/auth/forgot"), "/forgot", username=name)

    def settled(self) -> None:
        """Return when everything that was asked for is done, or was tried once."""
        assert self.authority.post is not None
        self.authority.post.close()

    def events(self, *kinds: str) -> list[dict[str, Any]]:
        """What stands in the audit log, of these kinds."""
        if not self._audit.exists():
            return []
        read = [json.loads(line) for line in self._audit.read_text("ascii").splitlines()]
        return [each for each in read if not kinds or each["event"] in kinds]

    def close(self) -> None:
        self.authority.close()


@contextlib.contextmanager
def mailing(folder: Path) -> Iterator[Callable[..., MailingSite]]:
    """``make(…)`` makes a site, with a mail server that ``refuse`` is for."""
    with contextlib.ExitStack() as ends:

        def make(*, refuse: Any = lambda command, argument: None, **how: Any) -> MailingSite:
            server = MailServer(refuse=refuse)
            ends.callback(server.close)
            site = MailingSite(folder, server, **how)
            ends.callback(site.close)
            return site

        yield make


def link_in(message: Any) -> str:
    """The address of the one link of a mail."""
    (found,) = _LINK.findall(message.get_content())
    return str(found)


def path_of(link: str) -> str:
    assert link.startswith(f"{HOME}/"), link
    return link[len(HOME) :]
