"""All that a site has for sending mails, put together."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from ...delivery.mail_server import mail_server
from .forgotten import Forgotten
from .letters import Letters
from .outbox import Outbox

if TYPE_CHECKING:
    from ...storage.store import Store
    from ..accounts.local_users import LocalUsers
    from ..audit import Audit
    from ..directory import Directory
    from ..links import Links
    from ..site import Site
    from .options import MailOptions


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
        self.outbox = Outbox(server, options.from_address, audit, clock)
        self.forgotten = Forgotten(
            directory=directory,
            users=users,
            links=links,
            letters=self.letters,
            outbox=self.outbox,
            audit=audit,
            store=store,
            clock=clock,
        )

    def close(self) -> None:
        """Send what waits, for a moment."""
        self.forgotten.close()
        self.outbox.close()
