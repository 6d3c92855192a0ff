"""Sessions in the browser alone: the cookie is the session, sealed. Weaker than a store, and in need of none.

Such a session can neither be listed nor ended from elsewhere. What was copied of it counts until it is idle for too
long or too old, or until the epoch of the account is raised, which ends all of them.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..vault import Vault, demand_sealing, unpacked
from .held import Ended, Found, Held
from .options import SessionOptions
from .session import Session, SessionInfo

if TYPE_CHECKING:
    from ..visit import Visit

_PURPOSE = "session cookie"
_LONGEST = 4096
_GROWTH = 128
"""Bytes that are left free at the login: when it was last used, and what a step-up has shown, is written later."""


class SealedSessions:
    """Sessions that are cookies. ``raise_epoch`` ends all sessions of an account.

    Raises ``ConfigError`` where the package for sealing is not installed.
    """

    def __init__(
        self,
        vault: Vault,
        options: SessionOptions,
        clock: Callable[[], float],
        raise_epoch: Callable[[str], object] | None = None,
    ) -> None:
        demand_sealing()
        self._vault = vault
        self._limits = options.limits
        self._clock = clock
        self._raise_epoch = raise_epoch
        self._most = _LONGEST - len(f"__Host-{options.cookie}") - _GROWTH

    def create(self, session: Session) -> tuple[Held, str]:
        """What holds a new session, and the cookie's value. Raises ``ValueError`` where browsers would drop it."""
        text = self.text(session)
        if len(text) > self._most:
            raise ValueError(
                f"a session that is a cookie cannot hold this: with its name it is longer than {_LONGEST} bytes"
            )
        return Held(session), text

    def find(self, text: str, visit: Visit) -> tuple[Found, str | None]:
        """What a cookie stands for, and the value that is to replace it, if any."""
        sealed = unpacked(text) if len(text) <= _LONGEST else None
        raw = None if sealed is None else self._vault.open(_PURPOSE, sealed)
        session = None if raw is None else Session.read(raw)
        if session is None:
            return None, None
        now = self._clock()
        if session.is_over(now, self._limits):
            return Ended(session), None
        if abs(now - session.seen) < self._limits.grain:
            return Held(session), None
        session = session._replace(seen=now)
        return Held(session), self.text(session)

    def text(self, session: Session) -> str:
        """The cookie's value for a session."""
        return urlsafe_b64encode(self._vault.seal(_PURPOSE, session.written())).decode("ascii").rstrip("=")

    def step_up(self, held: Held, session: Session, visit: Visit) -> tuple[Held, str] | None:
        """Say of a session what ``session`` says of its login."""
        session = session._replace(seen=self._clock())
        return Held(session), self.text(session)

    def change(self, held: Held, change: Callable[[Session], Session]) -> Held | None:
        """Change what a session holds; it has to be told to the browser."""
        return Held(change(held.session))

    def end(self, held: Held) -> None:
        """Do nothing: only the browser can forget it."""

    def of(self, account_id: str) -> list[SessionInfo]:
        """Nothing: nobody knows how many browsers have one."""
        return []

    def end_one(self, account_id: str, session_id: str) -> bool:
        """Whether a session was ended: it cannot be."""
        return False

    def end_all(self, account_id: str, but: str | None = None) -> int:
        """End all sessions of an account. Raises ``LookupError`` where its source has no epochs."""
        if self._raise_epoch is None:
            raise LookupError("sessions in cookies end with their time: the source of the users keeps no epochs")
        self._raise_epoch(account_id)
        return 0

    def end_by_provider(self, issuer: str, sid: str | None, subject: str | None) -> list[SessionInfo]:
        """Nothing: which sessions a provider vouched for is known to the browsers alone."""
        return []
