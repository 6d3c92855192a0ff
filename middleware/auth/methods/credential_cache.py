"""Passwords that were right a moment ago, so that a client that sends its password with each request costs one hash."""

from __future__ import annotations

import hmac
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from ..account import Account


class CredentialCache:
    """Remembers, in this process, for ``seconds``, and ``size`` at most; the one that was longest not asked for goes.

    It holds no passwords, only keyed hashes of account, epoch and password, under a key that never leaves it: a new
    password or "sign out everywhere" is another entry.
    """

    __redact__ = True

    def __init__(self, seconds: float = 60.0, size: int = 1024, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._size = size
        self._clock = clock
        self._key = os.urandom(32)
        self._until: OrderedDict[bytes, float] = OrderedDict()
        self._lock = threading.Lock()
        self._process = os.getpid()

    def has(self, account: Account, password: bytes) -> bool:
        """Whether this was the account's password when it was last checked, within the time."""
        key = self._name(account, password)
        with self._locked():
            until = self._until.get(key)
            if until is None or until <= self._clock():
                self._until.pop(key, None)
                return False
            self._until.move_to_end(key)
            return True

    def add(self, account: Account, password: bytes) -> None:
        """Remember that this is the account's password."""
        if not self._seconds or not self._size:
            return
        key = self._name(account, password)
        with self._locked():
            self._until[key] = self._clock() + self._seconds
            self._until.move_to_end(key)
            while len(self._until) > self._size:
                self._until.popitem(last=False)

    def _locked(self) -> threading.Lock:
        if self._process != os.getpid():
            self._process, self._lock = os.getpid(), threading.Lock()
        return self._lock

    def _name(self, account: Account, password: bytes) -> bytes:
        head = f"{len(account.id)}:{account.id}:{account.epoch}:".encode("utf-8", "surrogatepass")
        return hmac.digest(self._key, head + password, "sha256")
