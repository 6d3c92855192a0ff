"""Which account a user of a provider is: by issuer and subject, and by nothing that may change hands."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from typing import NamedTuple

from ..storage.schema import Schema
from ..storage.tables import Tables

SCHEMA = Schema(
    "auth.identities",
    (
        (
            "CREATE TABLE identities (issuer TEXT NOT NULL, subject TEXT NOT NULL, account TEXT NOT NULL,"
            " provider TEXT NOT NULL, created DOUBLE PRECISION NOT NULL, used DOUBLE PRECISION NOT NULL,"
            " PRIMARY KEY (issuer, subject))",
            "CREATE INDEX identities_account ON identities (account)",
        ),
        ("ALTER TABLE identities ADD COLUMN label TEXT NOT NULL DEFAULT ''",),
    ),
)

_COLUMNS = "issuer, subject, account, provider, created, used, label"


class Link(NamedTuple):
    """A user of a provider, and the account that it is. ``provider`` is the section's name when it was linked.

    ``label`` is how the provider names the user to people, as of the last login.
    """

    issuer: str
    subject: str
    account: str
    provider: str
    created: float
    used: float
    label: str = ""


class Identities:
    """The users of providers that are known, in tables that have ``SCHEMA``. Methods raise ``StoreError``."""

    def __init__(self, tables: Tables, clock: Callable[[], float] = time.time) -> None:
        self._tables = tables
        self._clock = clock

    def find(self, issuer: str, subject: str) -> Link | None:
        """The account of a user of a provider."""
        rows = self._tables.query(
            f"SELECT {_COLUMNS} FROM identities WHERE issuer = ? AND subject = ?", (issuer, subject)
        )
        return Link(*rows[0]) if rows else None

    def link(self, issuer: str, subject: str, account_id: str, provider: str, label: str = "") -> Link:
        """Say which account it is. Who is linked already stays so: the answer is the link that holds."""
        now = self._clock()
        self._tables.query(
            f"INSERT INTO identities ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (issuer, subject) DO NOTHING",
            (issuer, subject, account_id, provider, now, now, label),
        )
        found = self.find(issuer, subject)
        # Somebody may have unlinked it in between; then this is what was said.
        return found or Link(issuer, subject, account_id, provider, now, now, label)

    def used(self, issuer: str, subject: str, label: str = "") -> None:
        """Note that the user has logged in by this, and what the provider calls them now."""
        self._tables.query(
            "UPDATE identities SET used = ?, label = ? WHERE issuer = ? AND subject = ?",
            (self._clock(), label, issuer, subject),
        )

    def unlink(self, account_id: str, issuer: str, subject: str, *, keep_one_of: Collection[str] | None = None) -> bool:
        """Say that a user of a provider is this account no more; whether that was done.

        ``keep_one_of`` are issuers: it is not done unless another user of one of them stays linked.
        """
        with self._tables.writing() as connection:
            # This locks the account's rows: of two who remove the last two at once, one sees what the other has done.
            connection.execute("UPDATE identities SET used = used WHERE account = ?", (account_id,))
            rows = connection.execute(
                "SELECT issuer, subject FROM identities WHERE account = ?", (account_id,)
            ).fetchall()
            others = {each[0] for each in rows if tuple(each) != (issuer, subject)}
            if keep_one_of is not None and others.isdisjoint(keep_one_of):
                return False
            return (
                connection.execute(
                    "DELETE FROM identities WHERE account = ? AND issuer = ? AND subject = ?",
                    (account_id, issuer, subject),
                ).rowcount
                == 1
            )

    def of(self, account_id: str) -> list[Link]:
        """The users of providers that are this account."""
        rows = self._tables.query(
            f"SELECT {_COLUMNS} FROM identities WHERE account = ? ORDER BY created, issuer", (account_id,)
        )
        return [Link(*row) for row in rows]

    def forget(self, account_id: str) -> None:
        """Remove all that is kept of an account that is gone."""
        self._tables.query("DELETE FROM identities WHERE account = ?", (account_id,))
