"""All that an account has besides its password, in one place."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from ...storage.store import Store
from ...storage.tables import Tables
from .attempts import Attempts
from .options import MfaOptions
from .recovery import RecoveryCodes
from .totp_apps import TotpApps, TotpInfo

if TYPE_CHECKING:
    from ..vault import Vault
    from .passkeys import PasskeyInfo, Passkeys


class Overview(NamedTuple):
    """What an account has. ``second_passkeys`` are those that are a second factor: none where the site takes none."""

    totp: TotpInfo | None
    recovery_codes: int
    passkeys: tuple[PasskeyInfo, ...]
    second_passkeys: tuple[PasskeyInfo, ...]


class Factors:
    """The second factors and the passkeys of a site's users.

    ``changed`` is called with an account's id and whether it has a second factor when that may be otherwise than
    before; accounts carry it (``Account.has_second_factor``), so that no request has to ask here. ``passkeys`` is None
    where the site has none. All methods raise ``StoreError``.
    """

    def __init__(
        self,
        tables: Tables,
        vault: Vault,
        clock: Callable[[], float] = time.time,
        *,
        store: Store,
        options: MfaOptions | None = None,
        passkeys: Passkeys | None = None,
        changed: Callable[[str, bool], object] | None = None,
        recovery_cost: int = 2**14,
    ) -> None:
        self.options = options if options is not None else MfaOptions()
        self.totp = TotpApps(tables, vault, clock, skew=self.options.skew)
        self.recovery = RecoveryCodes(tables, clock, cost=recovery_cost)
        self.attempts = Attempts(store, per_hour=self.options.per_hour)
        self.passkeys = passkeys
        self._tables = tables
        self._changed = changed

    def of(self, account_id: str) -> Overview:
        """What an account has."""
        passkeys = () if self.passkeys is None else tuple(self.passkeys.of(account_id))
        second = passkeys if self.options.passkeys else ()
        return Overview(self.totp.info(account_id), self.recovery.left(account_id), passkeys, second)

    def has_second_factor(self, account_id: str) -> bool:
        """Whether the account has one. Recovery codes alone are none: they stand in for another."""
        if self.totp.info(account_id) is not None:
            return True
        return self.options.passkeys and self.passkeys is not None and bool(self.passkeys.of(account_id))

    def use_code(self, account_id: str, code: str) -> str | None:
        """By what kind of code a second factor was shown: ``otp`` or ``recovery``; None if it was not, or too often."""
        if not self.attempts.admit(account_id):
            return None
        kind = "otp" if self.totp.use(account_id, code) else None
        if kind is None and self.recovery.use(account_id, code):
            kind = "recovery"
        if kind is not None:
            self.attempts.succeeded(account_id)
        return kind

    def note(self, account_id: str) -> bool:
        """Let the account know whether it has a second factor, after a change; whether it has. Without, codes go."""
        has = self.has_second_factor(account_id)
        if not has:
            self.recovery.remove(account_id)
        if self._changed is not None:
            self._changed(account_id, has)
        return has

    def reset(self, account_id: str) -> None:
        """Take everything away, for a user who has lost it: the next login sets up what is required."""
        self.forget(account_id)
        if self._changed is not None:
            self._changed(account_id, False)

    def forget(self, account_id: str) -> None:
        """Remove all that is kept of an account that is gone."""
        with self._tables.writing() as connection:
            for table in ("auth_totp", "auth_recovery", "auth_passkeys", "auth_handles"):
                connection.execute(f"DELETE FROM {table} WHERE account = ?", (account_id,))
        self.attempts.forget(account_id)
