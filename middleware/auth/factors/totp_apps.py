"""The apps that show codes for accounts: their seeds, sealed, and the last step that was used."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from ...storage.tables import Tables
from ..reseal import SealedColumn
from . import totp

if TYPE_CHECKING:
    from ..vault import Vault

SEALED = SealedColumn("auth_totp", "seed", ("account",), "totp seed")


class TotpInfo(NamedTuple):
    """When an app was set up, and when a code of it was last used; seconds since 1970."""

    created: float
    used: float | None


class TotpApps:
    """One app for each account that has one.

    A code counts once: the step that it belongs to has to be later than the last one used, which one statement decides.
    ``skew`` is how many steps before the present one count as well: 1 for who types slowly, 0 for thirty seconds.
    """

    def __init__(self, tables: Tables, vault: Vault, clock: Callable[[], float] = time.time, *, skew: int = 1) -> None:
        self._tables = tables
        self._vault = vault
        self._clock = clock
        self._skew = skew

    def confirm(self, account_id: str, seed: bytes, code: str) -> bool:
        """Set up an app, in place of the one before, if ``code`` shows that it works. The code is used up by that."""
        step = self._step(seed, code)
        if step is None:
            return False
        self.put(account_id, seed, step=step)
        return True

    def put(self, account_id: str, seed: bytes, *, step: int = 0) -> None:
        """Set an app, such as one that another program knew. ``step`` is the last that counts as used."""
        sealed = self._vault.seal_text(SEALED.purpose, totp.seed_text(seed), SEALED.bound_to(account_id))
        self._tables.query(
            "INSERT INTO auth_totp (account, seed, used_step, created) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (account) DO UPDATE SET seed = excluded.seed, used_step = excluded.used_step,"
            " created = excluded.created, used = NULL",
            (account_id, sealed, step, self._clock()),
        )

    def use(self, account_id: str, code: str) -> bool:
        """Whether this is a code of the account's app that was not used before; then it is used."""
        rows = self._tables.query("SELECT seed FROM auth_totp WHERE account = ?", (account_id,))
        if not rows:
            return False
        text = self._vault.open_text(SEALED.purpose, rows[0][0], SEALED.bound_to(account_id))
        step = None if text is None else self._step(totp.read_seed(text), code)
        if step is None:
            return False
        return bool(
            self._tables.query(
                "UPDATE auth_totp SET used_step = ?, used = ?"
                " WHERE account = ? AND seed = ? AND used_step < ? RETURNING 1",
                (step, self._clock(), account_id, rows[0][0], step),
            )
        )

    def info(self, account_id: str) -> TotpInfo | None:
        """What is known of the account's app, None where there is none."""
        rows = self._tables.query("SELECT created, used FROM auth_totp WHERE account = ?", (account_id,))
        return TotpInfo(*rows[0]) if rows else None

    def remove(self, account_id: str) -> bool:
        """Forget the account's app; whether there was one."""
        return bool(self._tables.query("DELETE FROM auth_totp WHERE account = ? RETURNING 1", (account_id,)))

    def _step(self, seed: bytes, code: str) -> int | None:
        digits = totp.cleaned(code)
        now = totp.step_at(self._clock())
        return None if digits is None else totp.matching_step(seed, digits, range(now - self._skew, now + 1))
