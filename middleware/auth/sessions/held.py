"""What a request's cookie turned out to stand for."""

from __future__ import annotations

from typing import NamedTuple

from .session import Session


class Held(NamedTuple):
    """A session that counts, as the request holds it.

    It is kept as ``raw`` under ``key``; ``digest`` is of the secret that the request has brought, and ``is_before``
    says that there is a newer one.
    """

    session: Session
    key: str = ""
    raw: bytes = b""
    digest: str = ""
    is_before: bool = False

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


class Ended(NamedTuple):
    """A session that this browser had until its time was up; a login of the same user may go on where it stopped."""

    session: Session


class Reused(NamedTuple):
    """A secret was used that has been replaced long ago: one of two who have it has no right to. All is ended."""

    session: Session


Found = Held | Ended | Reused | None
"""What a cookie may stand for; None: nothing that we know of."""
