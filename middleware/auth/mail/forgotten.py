"""Passwords that somebody has forgotten: a link by mail to whom it belongs to, and the same answer to everybody.

Whoever asks is answered before anything is looked up. That is done by another thread, so that neither what is said nor
how long it takes tells which names there are, who is disabled, or whose address is known.

A link goes to the address of an account that has been confirmed, by an operator or by its user, and to no other. Who
has no password gets none: an account that is entered in other ways is not to be entered by whoever reads its mails.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from ...delivery.queue import DeliveryQueue
from ...storage.space import Space
from ...storage.store import Store
from ..links import SECONDS
from ..names import composed
from ..passwords.checker import Changeable
from ..sessions.device import device_name

if TYPE_CHECKING:
    from ..account import Account
    from ..accounts.local_users import LocalUsers
    from ..audit import Audit
    from ..directory import Directory
    from ..links import Links
    from .outbox import Outbox

MOST_LINKS = 3
"""How many links an account may be sent within the time that one of them counts: whoever gets no further one has some
that can be used, so that nobody is kept out by others who ask."""

_MOST_ACCOUNTS = 5
_STALE = 600.0


class Asked(NamedTuple):
    """What somebody has asked for. ``page`` is the absolute address of links, without their tokens."""

    name: str
    page: str
    language: str
    time: float
    address: str = ""
    agent: str = ""
    request: str | None = None


class Forgotten:
    """Those who have forgotten their passwords. Nothing is started before the first of them."""

    def __init__(
        self,
        *,
        directory: Directory,
        users: LocalUsers,
        links: Links,
        outbox: Outbox,
        audit: Audit,
        store: Store,
        clock: Callable[[], float] = time.time,
        most: int = 200,
    ) -> None:
        self._directory = directory
        self._users = users
        self._links = links
        self._outbox = outbox
        self._audit = audit
        self._counts = Space(store, "auth.mail")
        self._clock = clock
        self._queue: DeliveryQueue[Asked] = DeliveryQueue(self._carry, "forgotten passwords", most=most)

    def ask(self, asked: Asked) -> None:
        """Let somebody have a link, if there is anybody of that name or mail address. Waits for nothing."""
        if not self._queue.put(asked):
            self._note(asked, None, "too many wait")

    def close(self) -> None:
        """Look at what waits, once more and for a moment."""
        self._queue.close()

    def _carry(self, asked: Asked) -> None:
        if asked.time + _STALE < self._clock():
            self._note(asked, None, "too late")
            return
        accounts = self._accounts(asked.name)
        if not accounts:
            # As much is written for nobody: whoever watches how busy the store is learns as little.
            self._counts.count("reset nobody", 1, SECONDS["reset"])
            self._note(asked, None, "unknown user")
        for account in accounts:
            number = self._counts.count(f"reset {account.id}", 1, SECONDS["reset"]).number
            refusal = self._refusal(account) or ("too many mails" if number > MOST_LINKS else None)
            self._note(asked, account, refusal)
            if refusal is None:
                self._send(asked, account)

    def _accounts(self, name: str) -> list[Account]:
        wanted = composed(name)
        if wanted is None:
            return []
        named = self._directory.find(wanted)
        found = [] if named is None else [named]
        if "@" in wanted:
            found += [each for each in self._users.with_email(wanted) if each.email_verified]
        return list({each.id: each for each in found}.values())[:_MOST_ACCOUNTS]

    def _refusal(self, account: Account) -> str | None:
        """Why this account gets no link, however seldom one is asked for; None if it may have one."""
        source: object = self._directory.source_of(account)
        if account.disabled:
            return "disabled user"
        if not isinstance(source, Changeable):
            return "password kept elsewhere"
        if source.password_hash(account) is None:  # type: ignore[attr-defined]
            return "no password"
        if not account.email or not account.email_verified:
            return "no confirmed address"
        return None

    def _send(self, asked: Asked, account: Account) -> None:
        seconds = SECONDS["reset"]
        token = self._links.create("reset", account.id, seconds, address=account.email, voids="none")
        self._outbox.write(
            "reset",
            account.email,
            account,
            seconds=seconds,
            language=asked.language,
            link=f"{asked.page}/{token}",
            address=asked.address,
            device=device_name(asked.agent),
        )

    def _note(self, asked: Asked, account: Account | None, reason: str | None) -> None:
        self._audit.note(
            "password.forgot",
            None,
            account,
            address=asked.address,
            request=asked.request,
            agent=asked.agent or None,
            reason=reason,
            **({"name": asked.name} if account is None else {}),
        )
