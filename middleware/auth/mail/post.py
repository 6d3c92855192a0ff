"""All that a site has for sending mails, put together."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from ...delivery.mail_server import mail_server
from ...storage.space import Space
from ..accounts.naming import mailbox
from .forgotten import Forgotten
from .letters import Letter, Letters
from .notices import Notices
from .outbox import Outbox

if TYPE_CHECKING:
    from ...storage.store import Store
    from ..account import Account
    from ..accounts.local_users import LocalUsers
    from ..audit import Audit
    from ..directory import Directory
    from ..links import Kind, Links
    from ..site import Site
    from .options import MailOptions


MOST_CONFIRMATIONS = 3
"""How many mails an hour ask whether an address is the user's: of one user, and to one address."""


class Post:
    """The mails of a site. No thread is started, and no server spoken to, before the first of them."""

    def __init__(
        self,
        options: MailOptions,
        site: Site,
        *,
        directory: Directory,
        users: LocalUsers,
        links: Links,
        audit: Audit,
        store: Store,
        clock: Callable[[], float] = time.time,
    ) -> None:
        server = mail_server(
            options.smtp_server,
            use_tls=options.smtp_use_tls,
            username=options.smtp_username,
            password=options.smtp_password,
        )
        self.options = options
        self.letters = Letters(site, options.from_address, clock)
        self.outbox = Outbox(server, options.from_address, self.letters, audit, clock)
        self._counts = Space(store, "auth.mail")
        if options.notices:
            audit.listeners.append(Notices(site, self.outbox, options.language).tell)
        self.forgotten = Forgotten(
            directory=directory,
            users=users,
            links=links,
            outbox=self.outbox,
            audit=audit,
            store=store,
            clock=clock,
        )

    def may_confirm(self, account: Account, address: str) -> bool:
        """Whether one more mail may go to an address that a user has typed, which may be anybody's."""
        counts = [f"from {account.id}", f"to {hashlib.sha256(mailbox(address).encode()).hexdigest()}"]
        return all(self._counts.count(each, 1, 3600.0).number <= MOST_CONFIRMATIONS for each in counts)

    def handed_over(self, kind: Kind, account: Account, link: str, seconds: float) -> Letter:
        """The mail with a link that an operator has made. Raises ``Unwritable``."""
        return self.letters.write(
            kind,
            account.email,
            account,
            seconds=seconds,
            language=self.options.language,
            link=link,
            by_operator=True,
        )

    def close(self) -> None:
        """Send what waits, for a moment."""
        self.forgotten.close()
        self.outbox.close()
