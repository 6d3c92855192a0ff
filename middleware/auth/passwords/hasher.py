"""Hashes of passwords: argon2id (RFC 9106), one at once for each processor but the first.

Each computation takes a tenth of a second and 64 MiB, on purpose. They are made by threads of their own, which leave
one processor to others and give way on the rest, so that a flood of logins slows logins down and not the site.
"""

from __future__ import annotations

import os
import re
import sys
import threading
import unicodedata
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from importlib.util import find_spec
from typing import Literal, NamedTuple, TypeVar

from ....config.problems import ConfigError, Problem
from . import legacy

T = TypeVar("T")

LONGEST = 1024
"""Bytes of a password, as UTF-8. More are refused, never cut off."""

Scheme = Literal["argon2", "bcrypt"]
"""What a source keeps: argon2id, or bcrypt for files that Apache reads, too."""

_BCRYPT_COST = 12
_WAITING = 32
_NICENESS = 10
# What the text of a hash may ask for; whoever can write one could otherwise use up the machine.
_MOST_MEMORY, _MOST_TIME, _MOST_LANES = 1 << 20, 64, 64
_ARGON2 = re.compile(r"\$argon2(?:id|i|d)\$(?:v=\d+\$)?m=(\d{1,10}),t=(\d{1,10}),p=(\d{1,10})\$[^$]+\$[^$]+")


class Busy(Exception):
    """More passwords wait to be checked than should: try again in a moment."""


class Profile(NamedTuple):
    """What a guess costs: passes ``t``, memory ``m`` in KiB, lanes ``p``."""

    t: int
    m: int
    p: int

    @classmethod
    def read(cls, text: str) -> Profile:
        """``default`` (RFC 9106, second recommendation), ``small`` (OWASP's minimum) or ``t=3,m=65536,p=4``.

        Raises ``ValueError`` with a phrase that completes "argon2: …".
        """
        if text in _PROFILES:
            return _PROFILES[text]
        found = re.fullmatch(r"t=(\d{1,3}),m=(\d{1,8}),p=(\d{1,2})", text.replace(" ", ""))
        if found is None:
            raise ValueError("must be default, small, or costs such as t=3,m=65536,p=4")
        made = cls(*map(int, found.groups()))
        if not (1 <= made.t <= _MOST_TIME and 1 <= made.p <= _MOST_LANES and 8 * made.p <= made.m <= _MOST_MEMORY):
            raise ValueError(
                f"must have t from 1 to {_MOST_TIME}, p from 1 to {_MOST_LANES}, and m (KiB) from 8 times p"
                f" to {_MOST_MEMORY}"
            )
        return made


_PROFILES = {"default": Profile(3, 65536, 4), "small": Profile(2, 19456, 1)}


def prepared(password: str) -> bytes | None:
    """The bytes that are hashed (RFC 8265: composed characters, NFC); None for what can be nobody's password."""
    if not password or len(password) > LONGEST:
        return None
    try:
        made = unicodedata.normalize("NFC", password).encode()
    except UnicodeEncodeError:
        return None
    return made if len(made) <= LONGEST else None


class Hasher:
    """Makes and verifies hashes of passwords.

    ``profile`` is a text of :meth:`Profile.read`; ``workers`` is how many are computed at once (as many as there
    are processors to hash on), ``waiting`` how many more may wait. Beyond that each method raises :class:`Busy`.
    Threads start at the first use, anew in each process. Raises ``ConfigError`` where the package that computes is not
    installed.
    """

    def __init__(self, profile: str = "default", workers: int | None = None, *, waiting: int = _WAITING) -> None:
        for module, package in (("argon2", "argon2-cffi"), ("bcrypt", "bcrypt")):
            if find_spec(module) is None:
                raise ConfigError(
                    Problem(
                        what=f"passwords are hashed by {package}, which is not installed",
                        fix="run: pip install 'wheatpaste[auth]'",
                        code="missing-extra",
                    )
                )
        self.profile = Profile.read(profile)
        self.computations = 0
        """How many hashes of the current kind were computed in this process."""
        self._workers = workers if workers is not None else len(processors())
        self._most = self._workers + waiting
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None
        self._present = 0

    def hash(self, password: str, scheme: Scheme = "argon2") -> str:
        """The text to keep of a password. Raises ``ValueError`` for one that cannot be kept whole, and ``Busy``."""
        secret = prepared(password)
        if secret is None:
            raise ValueError(f"a password has from 1 to {LONGEST} bytes")
        if scheme == "bcrypt":
            return self._run(legacy.bcrypt_hash, secret, _BCRYPT_COST)
        return self._run(self._hash, secret)

    def verify(self, encoded: str, password: str) -> bool:
        """Whether this is the password that the text was made of. False for texts that are no hash; raises ``Busy``."""
        secret = prepared(password)
        if secret is None:
            return False
        if encoded.startswith("$argon2"):
            return self._run(self._verify, encoded, secret)
        return self._run(legacy.verify, encoded, secret)

    def pretend(self, password: str, like: str | None = None) -> None:
        """Take the time that :meth:`verify` would: of a current hash, and before that of ``like``. Raises ``Busy``."""
        secret = prepared(password) or b"-"
        if like is not None:
            self._run(legacy.verify, like, secret)
        self._run(self._hash, secret)

    def is_outdated(self, encoded: str, scheme: Scheme = "argon2") -> bool:
        """Whether a password that is known to be right should be hashed anew, to be kept by ``scheme``."""
        if scheme == "bcrypt" and (cost := legacy.bcrypt_cost(encoded)) is not None:
            return cost < _BCRYPT_COST
        found = _ARGON2.fullmatch(encoded)
        return found is None or not encoded.startswith("$argon2id$v=19$") or self._costs(found) != self.profile

    @staticmethod
    def is_current_kind(encoded: str) -> bool:
        """Whether verifying it takes what a current hash takes, more or less: whether it is argon2."""
        return encoded.startswith("$argon2")

    @staticmethod
    def complaint(encoded: str) -> str | None:
        """Why nobody can log in with this hash, as a phrase that completes "the hash …"; None if somebody can."""
        found = _ARGON2.fullmatch(encoded)
        if found is None:
            return legacy.complaint_about(encoded)
        return None if _is_affordable(Hasher._costs(found)) else "asks for more memory or time than is computed here"

    def close(self) -> None:
        """Let the threads go. The next call starts them again."""
        if self._process != os.getpid():
            return
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown()

    @staticmethod
    def _costs(found: re.Match[str]) -> Profile:
        m, t, p = map(int, found.groups())
        return Profile(t, m, p)

    def _hash(self, secret: bytes) -> str:
        from argon2.low_level import Type, hash_secret

        self.computations += 1
        t, m, p = self.profile
        made = hash_secret(secret, os.urandom(16), time_cost=t, memory_cost=m, parallelism=p, hash_len=32, type=Type.ID)
        return made.decode("ascii")

    def _verify(self, encoded: str, secret: bytes) -> bool:
        from argon2.exceptions import VerificationError
        from argon2.low_level import Type, verify_secret

        found = _ARGON2.fullmatch(encoded)
        if found is None or not _is_affordable(self._costs(found)):
            return False
        self.computations += 1
        try:
            kind = {"argon2id": Type.ID, "argon2i": Type.I, "argon2d": Type.D}[encoded.split("$", 2)[1]]
            return verify_secret(encoded.encode(), secret, kind)
        except VerificationError:
            return False

    def _run(self, work: Callable[..., T], *arguments: object) -> T:
        if self._process != os.getpid():
            # Threads do not survive a fork, and whoever held the lock is not here to give it back.
            self._process, self._lock, self._pool, self._present = os.getpid(), threading.Lock(), None, 0
        with self._lock:
            if self._present >= self._most:
                raise Busy
            self._present += 1
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self._workers, "wheatpaste-passwords", initializer=_give_way)
            coming: Future[T] = self._pool.submit(work, *arguments)
        try:
            return coming.result()
        finally:
            with self._lock:
                self._present -= 1


def processors() -> list[int]:
    """The processors to hash on: of those that this process may use all but one, which is for what takes no time."""
    if sys.platform == "linux":
        ours = sorted(os.sched_getaffinity(0))
    else:
        ours = list(range(os.cpu_count() or 1))
    return ours[1:] or ours


def _is_affordable(costs: Profile) -> bool:
    return costs.t <= _MOST_TIME and costs.m <= _MOST_MEMORY and costs.p <= _MOST_LANES


def _give_way() -> None:
    """Let this thread, and those that argon2 starts for its lanes, run when and where nobody else wants to.

    A priority alone is not enough: whoever runs may go on for some milliseconds before others get their turn.
    """
    if sys.platform == "linux":  # elsewhere the number of a thread names none to these calls
        import contextlib

        own = threading.get_native_id()
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, own, os.getpriority(os.PRIO_PROCESS, own) + _NICENESS)
        with contextlib.suppress(OSError):
            os.sched_setaffinity(own, processors())
