"""Nonces of Digest: made without writing anything down, and counted where all processes see it.

A nonce carries its time and is signed, so that only ours are ours. What is kept in the store is how far it was used:
a count that came once does not come again, in whatever order they arrive.
"""

from __future__ import annotations

import hmac
import os
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from ...storage.space import Space
from ...storage.store import Store
from ..vault import unpacked

if TYPE_CHECKING:
    from ..vault import Vault

_TIME, _RANDOM, _MAC = 6, 10, 20
_WINDOW = 64


class Nonce(NamedTuple):
    """One of ours: its name in the store, and when it was made (seconds since 1970)."""

    id: str
    made: float


class Nonces:
    """The nonces of a realm, each good for ``seconds``."""

    def __init__(
        self, store: Store, vault: Vault, realm: str, seconds: float, clock: Callable[[], float] = time.time
    ) -> None:
        self._used = Space(store, "auth.digest")
        self._vault = vault
        self._realm = realm.encode("utf-8", "surrogatepass")
        self._seconds = seconds
        self._clock = clock

    def new(self) -> str:
        """A nonce as it is sent."""
        head = int(self._clock() * 1000).to_bytes(_TIME, "big") + os.urandom(_RANDOM)
        return urlsafe_b64encode(head + self._mac(self._vault.key("digest"), head)).decode("ascii").rstrip("=")

    def read(self, text: str) -> Nonce | None:
        """The nonce, however old; None for what is none of ours."""
        raw = unpacked(text) if len(text) == 48 else None
        if raw is None or len(raw) != _TIME + _RANDOM + _MAC:
            return None
        head, mac = raw[: _TIME + _RANDOM], raw[_TIME + _RANDOM :]
        if not any(hmac.compare_digest(mac, self._mac(key, head)) for key in self._vault.every_key("digest")):
            return None
        return Nonce(head.hex(), int.from_bytes(head[:_TIME], "big") / 1000)

    def age(self, nonce: Nonce) -> float:
        """Its age in parts of its life: up to 1 it is good. One from the future, as after a clock was set, is not."""
        seconds = self._clock() - nonce.made
        return seconds / self._seconds if seconds > -1.0 else float("inf")

    def use(self, nonce: Nonce, count: int) -> bool:
        """Use this count of the nonce: True for one, once, of however many ask."""
        is_new = False

        def used(state: dict[str, Any] | None) -> dict[str, Any]:
            nonlocal is_new
            top, seen = (0, 0) if state is None else (state["top"], state["seen"])
            if count > top:
                is_new = True
                shift = count - top
                seen = (seen << shift | 1 << (shift - 1)) & (1 << _WINDOW) - 1 if top and shift <= _WINDOW else 0
                return {"top": count, "seen": seen}
            place = top - count - 1
            is_new = 0 <= place < _WINDOW and not seen >> place & 1
            return {"top": top, "seen": seen | 1 << place} if is_new else {"top": top, "seen": seen}

        # It has to be remembered for as long as the nonce could be used, and a moment more.
        self._used.change(nonce.id, used, max(1.0, nonce.made + self._seconds - self._clock()) + 5.0)
        return is_new

    def _mac(self, key: bytes, head: bytes) -> bytes:
        return hmac.digest(key, head + self._realm, "sha256")[:_MAC]
