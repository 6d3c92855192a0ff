"""What a request's cookie turned out to stand for."""

from __future__ import annotations

from typing import NamedTuple

from .options import Limits
from .session import Session


class Held(NamedTuple):
    """A session that counts, as the request holds it.

    It is kept as ``raw`` under ``key``; ``digest`` is of the secret that the request has brought, and ``is_before``
    says that there is a newer one. ``state`` is what the tables said of theirs before the session was read, None where
    that is not known, or the request has changed the session.
    """

    session: Session
    key: str = ""
    raw: bytes = b""
    digest: str = ""
    is_before: bool = False
    state: object | None = None

    @property
    def auth_time(self) -> float:
        """When the user has shown who they are, as far as this secret may say so."""
        lower = self.session.lower
        return lower[0] if self.is_before and lower is not None else self.session.auth_time

    @property
    def amr(self) -> tuple[str, ...]:
        """How they have shown it."""
        lower = self.session.lower
        return lower[1] if self.is_before and lower is not None else self.session.amr

    def rests_until(self, limits: Limits) -> float:
        """Until when requests with this secret change nothing of the session, as long as nobody else does."""
        session = self.session
        if self.is_before or session.confirmed is None:
            return 0.0
        return min(
            session.end(limits),
            session.seen + min(limits.grain, limits.idle[session.remember]),
            max(session.rotated + limits.rotate, session.confirmed + limits.overlap),
        )


class Ended(NamedTuple):
    """A session that this browser had until its time was up; a login of the same user may go on where it stopped."""

    session: Session


class Reused(NamedTuple):
    """A secret was used that has been replaced long ago: one of two who have it has no right to. All is ended."""

    session: Session


Found = Held | Ended | Reused | None
"""What a cookie may stand for; None: nothing that we know of."""
