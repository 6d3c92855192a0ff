"""Cookies that were looked up lately, and what they stand for as long as nobody has changed anything.

A page of an app is made of many requests, which all bring one cookie: to ask whether anything has changed costs less
than to read the session and its user again. Whoever is refused was looked up.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from ..account import Account
from ..vault import Vault
from .held import Held

if TYPE_CHECKING:
    from ..key_file import Key

_MOST = 2000


class Known(NamedTuple):
    """What a cookie stands for from ``since`` until ``until``; ``account`` is None where others keep it.

    ``keys`` are those of the vault before it was looked up: one of them has made it.
    """

    held: Held
    account: Account | None
    since: float
    until: float
    keys: tuple[Key, ...]


class Recent:
    """The cookies of a site; ``state`` tells the state of the tables that have its sessions and its own users.

    Cookies open something, so they are not kept: only a keyed hash of each is.
    """

    __redact__ = True  # pages of errors show nothing of it

    def __init__(self, vault: Vault, state: Callable[[], object | None]) -> None:
        self._vault = vault
        self._state = state
        self._known: dict[bytes, Known] = {}

    def find(self, text: str, now: float) -> Known | None:
        """What a cookie stands for, if that cannot have changed since it was kept."""
        known = self._known.get(self._mark(text))
        if (
            known is None
            or not known.since <= now < known.until
            or known.keys is not self._vault.keys
            or known.held.state != self._state()
        ):
            return None
        return known

    def keep(self, text: str, known: Known) -> None:
        """Keep what a cookie stands for."""
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[self._mark(text)] = known

    def _mark(self, text: str) -> bytes:
        return hashlib.blake2b(
            text.encode("utf-8", "surrogatepass"), key=self._vault.key("session recent"), digest_size=32
        ).digest()
