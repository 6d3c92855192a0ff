"""Users whom somebody else names, a proxy or a certificate: one of ours of that name, or a guest."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal, Protocol

from ..account import Account
from ..identity import Identity
from ..method import Failed
from ..names import is_only_like

Whose = Literal["none", "known", "required"]
"""Whether a name is one of our own users as well: never, where there is such a user, or it has to be."""


class Known(Protocol):
    """Our own users."""

    def find(self, name: str) -> Account | None:
        """The account that logs in under this name."""


class Guests:
    """Who they are here, to the method ``method``, which always shows ``amr``.

    ``complete`` adds to a guest what is known of it here, such as roles.
    """

    def __init__(
        self,
        method: str,
        whose: Whose,
        ours: Known,
        complete: Callable[[Account], Account] | None,
        amr: tuple[str, ...],
    ) -> None:
        self._method = method
        self._whose = whose
        self._ours = ours
        self._complete = complete
        self._amr = amr

    def identity(self, guest: Account) -> Identity | Failed:
        """Who it is; ``account`` is None for a guest, since no source of ours keeps it."""
        account = None if self._whose == "none" else self._ours.find(guest.name)
        if account is not None and is_only_like(account.name, guest.name):
            return Failed("a name that is only like that of a user")
        if account is not None:
            return Failed("disabled user") if account.disabled else Identity.of(account, self._method, amr=self._amr)
        if self._whose == "required":
            return Failed("unknown user")
        if self._complete is not None:
            guest = self._complete(guest)
        return Identity.of(guest, self._method, amr=self._amr)._replace(account=None)


def amr_complaint(word: str) -> str | None:
    """What is wrong with a word for how somebody has logged in (RFC 8176)."""
    return None if re.fullmatch(r"[a-z]{2,10}", word) else "must be a word such as mfa"
