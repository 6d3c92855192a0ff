"""What Digest verifies against: for each user the hash of name, realm and password, sealed.

Whoever has such a hash can log in with it, so it is encrypted under the site's key and bound to its row. It is written
when a password is set, and when one was shown to be right; a hash that was made in another epoch of its account than
this one does not count any more.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from ...storage.schema import Schema
from ..account import Account
from ..passwords.hasher import prepared
from ..reseal import SealedColumn
from ..sources.htdigest import ha1_of, userhash_of

if TYPE_CHECKING:
    from ...storage.tables import Tables
    from ..vault import Vault

SCHEMA = Schema(
    "auth.digests",
    (
        (
            "CREATE TABLE auth_digests (account TEXT NOT NULL, realm TEXT NOT NULL, algorithm TEXT NOT NULL,"
            " name TEXT NOT NULL, userhash TEXT NOT NULL, epoch BIGINT NOT NULL, sealed TEXT NOT NULL,"
            " created DOUBLE PRECISION NOT NULL, PRIMARY KEY (account, realm, algorithm))",
            "CREATE INDEX auth_digests_userhash ON auth_digests (userhash)",
        ),
    ),
)
SEALED = SealedColumn("auth_digests", "sealed", ("account", "realm", "algorithm"), "digest secret")


class Secrets(Protocol):
    """Where the hashes of a realm's users are. Raises ``StoreError``."""

    def ha1(self, account: Account, realm: str, algorithm: str) -> str | None:
        """The hash of ``name:realm:password`` in lower-case hexadecimal, or None."""

    def named_by(self, userhash: str, realm: str, algorithm: str) -> str | None:
        """The name whose hash this is (RFC 7616 section 3.4.4), or None."""


class DigestSecrets:
    """Hashes in a table, for the realm and the algorithms that the site uses."""

    def __init__(
        self,
        tables: Tables,
        vault: Vault,
        realm: str,
        algorithms: Sequence[str] = ("SHA-256",),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._tables = tables
        self._vault = vault
        self._realm = realm
        self._algorithms = tuple(algorithms)
        self._clock = clock

    def learn(self, account: Account, password: str) -> None:
        """Keep the hashes of a password that is known to be the account's, where they are not kept already."""
        secret = prepared(password)
        if secret is None or self._has_all(account):
            return
        self.keep(account, {each: ha1_of(account.name, self._realm, secret, each) for each in self._algorithms})

    def keep(self, account: Account, hashes: Mapping[str, str]) -> None:
        """Keep hashes of ``name:realm:password``, in lower-case hexadecimal, by algorithm."""
        with self._tables.writing() as connection:
            for algorithm, digest in hashes.items():
                bound = SEALED.bound_to(account.id, self._realm, algorithm)
                connection.execute(
                    "INSERT INTO auth_digests (account, realm, algorithm, name, userhash, epoch, sealed, created)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
                    " ON CONFLICT (account, realm, algorithm) DO UPDATE SET name = excluded.name,"
                    " userhash = excluded.userhash, epoch = excluded.epoch, sealed = excluded.sealed,"
                    " created = excluded.created",
                    (
                        account.id,
                        self._realm,
                        algorithm,
                        account.name,
                        userhash_of(account.name, self._realm, algorithm),
                        account.epoch,
                        self._vault.seal_text(SEALED.purpose, digest, bound),
                        self._clock(),
                    ),
                )

    def ha1(self, account: Account, realm: str, algorithm: str) -> str | None:
        """The hash of ``name:realm:password``, or None."""
        rows = self._tables.query(
            "SELECT name, epoch, sealed FROM auth_digests WHERE account = ? AND realm = ? AND algorithm = ?",
            (account.id, realm, algorithm),
        )
        if not rows or (rows[0][0], rows[0][1]) != (account.name, account.epoch):
            return None
        return self._vault.open_text(SEALED.purpose, rows[0][2], SEALED.bound_to(account.id, realm, algorithm))

    def named_by(self, userhash: str, realm: str, algorithm: str) -> str | None:
        """The name whose hash this is, or None."""
        rows = self._tables.query(
            "SELECT name FROM auth_digests WHERE userhash = ? AND realm = ? AND algorithm = ?",
            (userhash, realm, algorithm),
        )
        return str(rows[0][0]) if len(rows) == 1 else None

    def forget(self, account_id: str) -> None:
        """Remove what is kept of an account."""
        self._tables.query("DELETE FROM auth_digests WHERE account = ?", (account_id,))

    def _has_all(self, account: Account) -> bool:
        rows = self._tables.query(
            "SELECT algorithm FROM auth_digests WHERE account = ? AND realm = ? AND name = ? AND epoch = ?",
            (account.id, self._realm, account.name, account.epoch),
        )
        return {algorithm for (algorithm,) in rows} >= set(self._algorithms)


class SeveralSecrets:
    """The first of several that knows a user."""

    def __init__(self, *secrets: Secrets) -> None:
        self._secrets = secrets

    def ha1(self, account: Account, realm: str, algorithm: str) -> str | None:
        """The hash of ``name:realm:password``, or None."""
        return next((found for each in self._secrets if (found := each.ha1(account, realm, algorithm))), None)

    def named_by(self, userhash: str, realm: str, algorithm: str) -> str | None:
        """The name whose hash this is, or None."""
        return next((found for each in self._secrets if (found := each.named_by(userhash, realm, algorithm))), None)
