"""How often a second factor may be guessed: six digits are few, and whoever guesses has the password already."""

from __future__ import annotations

from ...storage.space import Space
from ...storage.store import Store

PER_HOUR = 10
_HOUR = 3600.0


class Attempts:
    """Counts wrong codes of each account, in the store that all processes share.

    An attempt counts when it begins and is given back when it was right, so that a hundred at the same time are a
    hundred.
    """

    def __init__(self, store: Store, *, per_hour: int = PER_HOUR) -> None:
        self._counts = Space(store, "auth.codes")
        self._per_hour = per_hour

    def admit(self, account_id: str) -> bool:
        """Begin an attempt; False where the account has had its share for this hour."""
        return self._counts.count(account_id, 1, _HOUR).number <= self._per_hour

    def succeeded(self, account_id: str) -> None:
        """Give back what :meth:`admit` has counted."""
        self._counts.count(account_id, -1, _HOUR)

    def until(self, account_id: str) -> float | None:
        """When an account that has had its share may try again (seconds since 1970); None where it may now."""
        tally = self._counts.count(account_id, 0)
        return tally.until if tally.number >= self._per_hour else None

    def forget_all(self) -> int:
        """Begin to count anew for all; how many there were."""
        return self._counts.clear()

    def forget(self, account_id: str) -> None:
        """Begin to count anew."""
        self._counts.delete(account_id)
