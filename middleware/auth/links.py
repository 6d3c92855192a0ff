"""Links that are good for one thing, once: to accept an invitation, to set a new password, to confirm an address.

Whoever has such a link is taken for the user, so it is long, does not live long, and is kept as SHA-256 alone. Looking
at its page does not use it up: mail programs and messengers look at every link before its reader does.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections.abc import Callable
from typing import Literal, NamedTuple

from ..storage.schema import Schema
from ..storage.tables import Tables

SCHEMA = Schema(
    "auth.links",
    (
        (
            "CREATE TABLE auth_links (digest TEXT PRIMARY KEY, kind TEXT NOT NULL, account TEXT NOT NULL,"
            " created DOUBLE PRECISION NOT NULL, expires DOUBLE PRECISION NOT NULL)",
            "CREATE INDEX auth_links_account ON auth_links (account)",
        ),
        ("ALTER TABLE auth_links ADD COLUMN address TEXT NOT NULL DEFAULT ''",),
    ),
)

Kind = Literal["invite", "reset", "email"]
Voids = Literal["all", "its kind", "none"]

SECONDS: dict[Kind, float] = {"invite": 7 * 86400.0, "reset": 1800.0, "email": 86400.0}
"""How long a link of each kind lives if nobody says otherwise."""

_COLUMNS = "kind, account, created, expires, address"
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


class LinkInfo(NamedTuple):
    """What a link is for, and for whom. Times are seconds since 1970.

    ``address`` is where it was mailed to; empty where somebody has handed it over otherwise.
    """

    kind: Kind
    account: str
    created: float
    expires: float
    address: str = ""


class Links:
    """The links of a site, in ``tables`` that have this module's ``SCHEMA`` among theirs.

    All methods raise ``StoreError``.
    """

    def __init__(self, tables: Tables, clock: Callable[[], float] = time.time) -> None:
        self._tables = tables
        self._clock = clock

    def create(
        self, kind: Kind, account_id: str, seconds: float | None = None, *, address: str = "", voids: Voids = "all"
    ) -> str:
        """The token of a new link: 256 bits, which nobody can be told again. It voids those of the account before it.

        It goes behind the page's address: ``/-/auth/invite/TOKEN``. ``voids`` ``"none"`` is for links that anybody may
        ask for: nobody is to void an invitation, or the link that its owner is about to open.
        """
        token = secrets.token_urlsafe(32)
        now = self._clock()
        life = SECONDS[kind] if seconds is None else seconds
        with self._tables.writing() as connection:
            connection.execute("DELETE FROM auth_links WHERE expires < ?", (now,))
            if voids == "all":
                connection.execute("DELETE FROM auth_links WHERE account = ?", (account_id,))
            elif voids == "its kind":
                connection.execute("DELETE FROM auth_links WHERE account = ? AND kind = ?", (account_id, kind))
            connection.execute(
                "INSERT INTO auth_links (digest, kind, account, created, expires, address) VALUES (?, ?, ?, ?, ?, ?)",
                (_digest(token), kind, account_id, now, now + life, address),
            )
        return token

    def peek(self, kind: Kind, token: str) -> LinkInfo | None:
        """What a link is for; it stays."""
        if not _TOKEN.fullmatch(token):
            return None
        rows = self._tables.query(
            f"SELECT {_COLUMNS} FROM auth_links WHERE digest = ? AND kind = ? AND expires > ?",
            (_digest(token), kind, self._clock()),
        )
        return LinkInfo(*rows[0]) if rows else None

    def take(self, kind: Kind, token: str) -> LinkInfo | None:
        """The same, and it is used up: of several who ask at once, one gets it."""
        if not _TOKEN.fullmatch(token):
            return None
        rows = self._tables.query(
            f"DELETE FROM auth_links WHERE digest = ? AND kind = ? AND expires > ? RETURNING {_COLUMNS}",
            (_digest(token), kind, self._clock()),
        )
        return LinkInfo(*rows[0]) if rows else None

    def of(self, account_id: str) -> list[LinkInfo]:
        """The links of an account that still count."""
        rows = self._tables.query(
            f"SELECT {_COLUMNS} FROM auth_links WHERE account = ? AND expires > ? ORDER BY created",
            (account_id, self._clock()),
        )
        return [LinkInfo(*row) for row in rows]

    def forget(self, account_id: str) -> None:
        """Void the links of an account: it is gone, or its password was changed."""
        self._tables.query("DELETE FROM auth_links WHERE account = ?", (account_id,))


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("ascii")).hexdigest()
