"""A session as it is kept, and as people see it in lists."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from .options import Limits

_FORM = 1
_decode = json.JSONDecoder().raw_decode  # what was written has no blanks around it to look for
MOST_BYTES = 32 * 1024
"""How large a session may be, with all that is kept in it."""


class Session(NamedTuple):
    """A login that counts. Times are seconds since 1970.

    ``id`` names it in lists and logs and opens nothing. ``digest`` is SHA-256 of the secret that its cookie has, and
    ``before`` that of the secret that it had until ``rotated``: its successor follows from it and ``salt``, for whom
    the answer with the new cookie did not reach. ``confirmed`` is when the new one first came, ``client`` who got it.
    After a step-up the secret before stands for what had been shown until then (``lower``: time and methods), and has
    no successor. ``provider`` is issuer, session and subject of whoever vouched for the user; ``claims`` travel in
    each identity; ``data`` is sealed.
    """

    id: str
    account: str
    epoch: int
    created: float
    until: float
    auth_time: float
    amr: tuple[str, ...]
    seen: float
    address: str
    device: str
    remember: bool
    digest: str = ""
    before: str = ""
    salt: str = ""
    rotated: float = 0.0
    confirmed: float | None = 0.0
    client: str = ""
    lower: tuple[float, tuple[str, ...]] | None = None
    provider: tuple[str, str, str] | None = None
    actor: str | None = None
    claims: Mapping[str, Any] = {}
    data: str = ""

    def written(self) -> bytes:
        """The session as bytes. Raises ``ValueError`` where it holds too much, or what is not JSON."""
        try:
            text = json.dumps([_FORM, *self], separators=(",", ":"), ensure_ascii=True, allow_nan=False)
        except TypeError as error:
            raise ValueError(f"a session cannot hold this: {error}") from error
        if len(text) > MOST_BYTES:
            raise ValueError(f"a session cannot hold more than {MOST_BYTES} bytes")
        return text.encode("ascii")

    @classmethod
    def read(cls, raw: bytes) -> Session | None:
        """The session that was written, or None for one of another version of this program."""
        (form, *values), _ = _decode(raw.decode("ascii"))
        if form != _FORM or len(values) != len(cls._fields):
            return None
        # JSON has lists alone.
        values[_AMR] = tuple(values[_AMR])
        if values[_LOWER] is not None:
            values[_LOWER] = (values[_LOWER][0], tuple(values[_LOWER][1]))
        if values[_PROVIDER] is not None:
            values[_PROVIDER] = tuple(values[_PROVIDER])
        return cls._make(values)

    def is_over(self, now: float, limits: Limits) -> bool:
        """Whether its time is up. What the options say now counts, also for logins before they said so."""
        return (
            now >= self.until
            or now - self.created >= limits.absolute[self.remember]
            or now - self.seen >= limits.idle[self.remember]
        )

    def end(self, limits: Limits) -> float:
        """When it ends, whatever is done with it."""
        return min(self.until, self.created + limits.absolute[self.remember])


_AMR, _LOWER, _PROVIDER = (Session._fields.index(name) for name in ("amr", "lower", "provider"))


class SessionInfo(NamedTuple):
    """A session as its user sees it: ``device`` is a guess by what the browser said, ``address`` where it began."""

    id: str
    account: str
    device: str
    address: str
    created: float
    seen: float
    until: float
    is_remembered: bool
    amr: tuple[str, ...]
    actor: str | None
    is_current: bool = False
