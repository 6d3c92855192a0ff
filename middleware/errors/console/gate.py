"""Who may use the console: the browser that has used the link printed at this terminal.

The link holds a secret that works once and not for long. Whoever shows it gets two halves of a pass: one in a cookie,
which scripts cannot read but every server on this host name is sent, whatever its port; the other in the storage of
the page's origin, which has a port. Neither is of use alone.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterable
from hashlib import sha256
from hmac import compare_digest
from itertools import islice
from typing import NamedTuple

MOST_FAILURES = 10
LINK_SECONDS = 600.0
IDLE_SECONDS = 1800.0
_MOST_PASSES = 5
_MOST_COOKIES = 20


class Pass(NamedTuple):
    """The two halves of a pass: for the cookie, and for the page's storage."""

    cookie: str
    key: str


class _Known(NamedTuple):
    """What is remembered of a pass: enough to know it again."""

    cookie: bytes
    key: bytes
    used: float


class Gate:
    """Links, passes and failures of one process. Threads may share it."""

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        make_secret: Callable[[], str] = lambda: secrets.token_urlsafe(32),
    ) -> None:
        self._clock = clock
        self._make_secret = make_secret
        self._lock = threading.Lock()
        self._link: bytes | None = None
        self._link_made = 0.0
        self._passes: list[_Known] = []
        self._failures = 0

    @property
    def locked(self) -> bool:
        """Whether there were too many wrong guesses: then nobody gets in until the process is started anew."""
        return self._failures >= MOST_FAILURES

    def new_link(self) -> str | None:
        """The secret of a new link, the only one that works from now on; None while an unused one still does."""
        with self._lock:
            now = self._clock()
            if self.locked or (self._link is not None and now - self._link_made < LINK_SECONDS):
                return None
            secret = self._make_secret()
            self._link, self._link_made = _digest(secret), now
            return secret

    def redeem(self, secret: str) -> Pass | None:
        """A pass for the secret of a link, which is used up by it; None for a wrong, old or used one."""
        with self._lock:
            if self.locked:
                return None
            link, self._link = self._link, None
            fresh = self._clock() - self._link_made < LINK_SECONDS
            if link is None or not compare_digest(link, _digest(secret)) or not fresh:
                # A wrong guess must not use up the link of whoever has the right one.
                self._link = link if fresh else None
                self._fail()
                return None
            made = Pass(self._make_secret(), self._make_secret())
            self._passes.append(_Known(_digest(made.cookie), _digest(made.key), self._clock()))
            del self._passes[:-_MOST_PASSES]
            return made

    def admits(self, cookies: Iterable[str], key: str) -> bool:
        """Whether one of these and the key are the halves of a pass: other servers of this host may set cookies, too.

        A pass that was not used for half an hour is none any more. However many cookies come, it is one guess.
        """
        with self._lock:
            if self.locked:
                return False
            now = self._clock()
            self._passes = [each for each in self._passes if now - each.used < IDLE_SECONDS]
            digests, key_digest = [_digest(cookie) for cookie in islice(cookies, _MOST_COOKIES)], _digest(key)
            for place, each in enumerate(self._passes):
                # All of them are compared, so that time tells nothing.
                found = sum(compare_digest(each.cookie, digest) for digest in digests)
                if (found > 0) & compare_digest(each.key, key_digest):
                    self._passes[place] = each._replace(used=now)
                    return True
            self._fail()
            return False

    def _fail(self) -> None:
        self._failures += 1
        if self.locked:
            self._link = None
            self._passes.clear()


def _digest(secret: str) -> bytes:
    # What is compared has one length, and memory holds nothing that opens the console.
    return sha256(secret.encode("utf-8", "surrogatepass")).digest()
