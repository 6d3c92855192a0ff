"""Challenges for passkeys that need no memory until they are answered.

A challenge names its time and is signed for a purpose and for whom it was made; nobody else can make one that counts.
That it was answered is kept for as long as it could be answered again.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from ...storage.store import Store

if TYPE_CHECKING:
    from ..vault import Vault

SECONDS = 300.0
_NONCE = 24
_STAMP = 8
_DIGEST = 32
_SPACE = "auth.challenges"


class Challenges:
    """Makes challenges, and takes the answer to each of them once."""

    def __init__(self, store: Store, vault: Vault, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._vault = vault
        self._clock = clock

    def make(self, purpose: str, binding: str) -> bytes:
        """A new challenge, for a purpose and a binding: the cookie of a browser, the id of a login or an account."""
        head = int(self._clock()).to_bytes(_STAMP, "big") + secrets.token_bytes(_NONCE)
        return head + self._sign(self._vault.key("challenge"), head, purpose, binding)

    def take(self, challenge: bytes, purpose: str, bindings: Iterable[str]) -> bool:
        """Whether this was made here for that purpose and one of these bindings, and is answered for the first time."""
        head, signature = challenge[: _STAMP + _NONCE], challenge[_STAMP + _NONCE :]
        if len(challenge) != _STAMP + _NONCE + _DIGEST:
            return False
        age = self._clock() - int.from_bytes(head[:_STAMP], "big")
        if not -60 <= age <= SECONDS:
            return False
        known = [
            hmac.compare_digest(signature, self._sign(key, head, purpose, binding))
            for key in self._vault.every_key("challenge")
            for binding in bindings
        ]
        return any(known) and self._store.add(_SPACE, hashlib.sha256(head).hexdigest(), b"1", SECONDS + 120)

    def _sign(self, key: bytes, head: bytes, purpose: str, binding: str) -> bytes:
        message = b"\0".join((purpose.encode(), head, binding.encode("utf-8", "surrogatepass")))
        return hmac.digest(key, message, "sha256")
