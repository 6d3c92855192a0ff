"""The method ``session``: a cookie that stands for a login, and all that can be done with such logins.

Reads and writes the cookie ``__Host-wheatpaste.session`` (over plain http without the prefix).
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ...storage.store import Store
from ..account import OWN, Account
from ..identity import Identity
from ..method import Failed
from ..vault import Vault
from .device import device_name
from .held import Ended, Held, Reused
from .options import SessionOptions
from .recent import Known, Recent
from .sealed import SealedSessions
from .session import Session, SessionInfo
from .stored import StoredSessions

if TYPE_CHECKING:
    from ..visit import Visit

_MOST_COOKIES = 50
"""How many cookies of our name are looked at: a neighbour in the domain may have set some before ours."""


class _Seen(NamedTuple):
    """What the cookies of a request stand for, once somebody has looked."""

    held: Held | None = None
    account: Account | None = None
    failed: Failed | None = None
    ended: Session | None = None


_NOTHING = _Seen()


class Sessions:
    """The sessions of a site.

    ``directory`` has ``get(account_id) -> Account | None``, which is asked at each request: who is disabled, deleted or
    has another epoch than at the login is out. ``audit`` is told of secrets that were used twice. ``raise_epoch`` is
    what ends the sessions of an account that are in cookies. ``state`` tells the state of the tables where sessions and
    the source ``local`` are kept together (:meth:`Tables.state`); without it both are read at each request.
    """

    name = "session"

    def __init__(
        self,
        store: Store,
        vault: Vault,
        directory: Any,
        options: SessionOptions | None = None,
        clock: Callable[[], float] = time.time,
        audit: Any = None,
        *,
        raise_epoch: Callable[[str], object] | None = None,
        state: Callable[[], object | None] | None = None,
    ) -> None:
        self.options = options if options is not None else SessionOptions()
        self._limits = self.options.limits
        self._vault = vault
        self._directory = directory
        self._clock = clock
        self._audit = audit
        self.ending: list[Callable[[Visit], object]] = []
        """What else is to be done with a request by which a session ends."""
        self._keeper: StoredSessions | SealedSessions
        self._recent: Recent | None = None
        if self.options.mode == "cookie":
            self._keeper = SealedSessions(vault, self.options, clock, raise_epoch)
        else:
            self._keeper = StoredSessions(store, vault, self.options, clock, state)
            if state is not None:
                self._recent = Recent(vault, state)

    @property
    def can_list(self) -> bool:
        """Whether sessions can be listed and ended one by one."""
        return self.options.mode == "store"

    def identify(self, visit: Visit) -> Identity | Failed | None:
        """Who the session's user is; ``Failed`` where there was a session that does not count any more."""
        held, account, failed, _ = self._look(visit)
        if held is None or account is None:
            return failed
        session = held.session
        # By position: names for fifteen fields would cost each request as much as the check of its token.
        return Identity(
            account.id,
            account.name,
            self.name,
            account.display,
            account.email,
            account.groups,
            account.roles,
            account.permissions,
            None,
            held.amr,
            held.auth_time,
            session.id,
            session.actor,
            session.claims,
            account,
        )

    def challenges(self, visit: Visit) -> Sequence[str]:
        """Nothing: a cookie is no scheme of HTTP."""
        return ()

    def begin(
        self,
        visit: Visit,
        account: Account,
        amr: Sequence[str],
        *,
        remember: bool = False,
        data: Mapping[str, Any] | None = None,
        actor: str | None = None,
        seconds: float | None = None,
        auth_time: float | None = None,
    ) -> str:
        """Begin a session of its own for this browser, whatever it had before ends. Returns the session's id.

        ``data`` is JSON that :meth:`data` tells later, sealed where it is kept, but for two members: ``claims`` are in
        every identity of the session, and ``provider`` (``issuer``, and ``sid``, ``subject`` or both) is by whom it
        can be ended. ``actor`` is who acts in the user's name; ``seconds`` shortens the session's life; ``auth_time``
        is when the user has shown who they are, if that was not now.

        Raises ``ValueError`` where a cookie cannot hold it all.
        """
        before = self._look(visit)
        if before.held is not None:
            self._keeper.end(before.held)
        now = self._clock()
        is_remembered = remember and self.options.offers_remember
        life = self._limits.absolute[is_remembered]
        kept = dict(data or {})
        claims, provider = kept.pop("claims", {}), kept.pop("provider", None)
        session_id = secrets.token_hex(10)
        held, text = self._keeper.create(
            Session(
                id=session_id,
                account=account.id,
                epoch=account.epoch,
                created=now,
                until=now + (life if seconds is None else min(life, seconds)),
                auth_time=now if auth_time is None else min(auth_time, now),
                amr=tuple(amr),
                seen=now,
                address=visit.address,
                device=device_name(visit.header("User-Agent")),
                remember=is_remembered,
                provider=None if provider is None else _provider(provider),
                actor=actor,
                claims=claims,
                data=self._hidden(session_id, kept),
            )
        )
        self._tell(visit, held, text)
        visit.session = _Seen(held, account)
        return session_id

    def step_up(self, visit: Visit, amr: Sequence[str]) -> None:
        """Say that the user has shown more, just now; the cookie gets another secret.

        What was shown counts from now on, with the methods that were shown before. The account's epoch is that of
        now: who changes a password and calls this stays signed in. Raises ``LookupError`` where there is no session.
        """
        seen = self._look(visit)
        account = None if seen.held is None else self._directory.get(seen.held.session.account)
        if seen.held is None or account is None or account.disabled:
            raise LookupError("there is no session that could be more")
        held = seen.held
        session = held.session._replace(
            epoch=account.epoch,
            auth_time=self._clock(),
            amr=tuple(dict.fromkeys((*held.amr, *amr))),
        )
        changed = self._keeper.step_up(held, session, visit)
        if changed is None:
            raise LookupError("the session was ended meanwhile")
        self._tell(visit, *changed)
        visit.session = _Seen(changed[0], account)

    def end(self, visit: Visit) -> None:
        """End the session of this request, and take its cookie away."""
        seen = self._look(visit)
        if seen.held is not None:
            self._keeper.end(seen.held)
        visit.session = _Seen()
        visit.drop_cookie(self.options.cookie)
        for each in self.ending:
            each(visit)

    def of(self, account_id: str, current: str | None = None) -> list[SessionInfo]:
        """The sessions of an account, those used last first; ``current`` is the id of the one that asks."""
        return [info._replace(is_current=info.id == current) for info in self._keeper.of(account_id)]

    def end_one(self, account_id: str, session_id: str) -> bool:
        """End a session of an account; whether there was one."""
        return self._keeper.end_one(account_id, session_id)

    def end_all(self, account_id: str, *, but: str | None = None) -> int:
        """End the sessions of an account, all or all ``but`` one; how many, as far as that is known.

        Raises ``LookupError`` where sessions are cookies and the account's source keeps no epochs.
        """
        return self._keeper.end_all(account_id, but)

    def forget(self, account_id: str) -> None:
        """Remove all that is kept of an account that is gone."""
        if self.can_list:
            self._keeper.end_all(account_id)

    def end_by_provider(self, issuer: str, sid: str | None = None, subject: str | None = None) -> list[SessionInfo]:
        """End what a provider vouched for: its session ``sid``, or all sessions of its user ``subject``.

        With both, the session has to be that user's. Returns what was ended.
        """
        return self._keeper.end_by_provider(issuer, sid, subject)

    def data(self, visit: Visit) -> dict[str, Any]:
        """What was put into the session, without ``claims`` and ``provider``; empty where there is none."""
        held = self._look(visit).held
        return {} if held is None else self._shown(held.session)

    def set_data(self, visit: Visit, data: Mapping[str, Any]) -> bool:
        """Put other data into the session; whether there is one.

        Raises ``ValueError`` for what is no JSON, or too much.
        """
        seen = self._look(visit)
        if seen.held is None:
            return False
        text = self._hidden(seen.held.session.id, data)
        changed = self._keeper.change(seen.held, lambda session: session._replace(data=text))
        if changed is None:
            return False
        if isinstance(self._keeper, SealedSessions):
            self._tell(visit, changed, self._keeper.text(changed.session))
        visit.session = seen._replace(held=changed)
        return True

    def ended_account(self, visit: Visit) -> str | None:
        """Whose session this browser had until its time was up. It says who may go on, and lets nobody in."""
        ended = self._look(visit).ended
        return None if ended is None else ended.account

    def _look(self, visit: Visit) -> _Seen:
        known = visit.session
        if not isinstance(known, _Seen):
            known = visit.session = self._judged(visit)
        return known

    def _judged(self, visit: Visit) -> _Seen:
        cookies = visit.cookies(self.options.cookie)
        if not cookies:
            return _NOTHING
        if len(cookies) == 1:
            return self._recently(visit, cookies[0]) or self._looked_up(visit, cookies[0])
        found_all = [self._keeper.find(text, visit) for text in dict.fromkeys(cookies[:_MOST_COOKIES])]
        gone = {found.session.id for found, _ in found_all if isinstance(found, Reused)}
        helds = [
            (found, renewed) for found, renewed in found_all if isinstance(found, Held) and found.session.id not in gone
        ]
        seen = self._refused(visit, [found for found, _ in found_all if isinstance(found, Ended | Reused)])
        if not helds:
            return seen
        if len({held.session.account for held, _ in helds}) > 1:
            # Somebody in the domain has given this browser a session of their own, to see what is done with it, and
            # nothing tells which one is the user's.
            return _Seen(failed=Failed("several sessions"))
        return self._accepted(visit, *min(helds, key=lambda each: (each[0].is_before, -each[0].session.created)))

    def _recently(self, visit: Visit, cookie: str) -> _Seen | None:
        """What the request before has found, if that is what this one would find."""
        known = None if self._recent is None else self._recent.find(cookie, self._clock())
        if known is None:
            return None
        return self._accepted(visit, known.held, None) if known.account is None else _Seen(known.held, known.account)

    def _looked_up(self, visit: Visit, cookie: str) -> _Seen:
        since, keys = self._clock(), self._vault.keys
        found, renewed = self._keeper.find(cookie, visit)
        if not isinstance(found, Held):
            return self._refused(visit, [] if found is None else [found])
        seen = self._accepted(visit, found, renewed)
        if self._recent is not None and found.state is not None and seen.account is not None:
            account = seen.account if seen.account.source == OWN else None
            self._recent.keep(cookie, Known(found, account, since, found.rests_until(self._limits), keys))
        return seen

    def _accepted(self, visit: Visit, held: Held, renewed: str | None) -> _Seen:
        """A session that was found, if its user may still have it."""
        account = self._directory.get(held.session.account)
        refusal = _refusal(held.session, account)
        if refusal is not None:
            self._keeper.end(held)
            return _Seen(failed=Failed(refusal))
        if renewed is not None:
            self._tell(visit, held, renewed)
        return _Seen(held, account)

    def _refused(self, visit: Visit, found: list[Ended | Reused]) -> _Seen:
        """What is known of sessions that do not count."""
        reused = [each.session for each in found if isinstance(each, Reused)]
        if reused:
            self._report(visit, reused)
            return _Seen(failed=Failed("session reused"))
        return _Seen(failed=Failed("session over"), ended=found[0].session) if found else _Seen()

    def _report(self, visit: Visit, sessions: list[Session]) -> None:
        visit.drop_cookie(self.options.cookie)
        if self._audit is not None:
            for session in sessions:
                account = self._directory.get(session.account)
                self._audit.note("session.revoke", visit, account, reason="secret used again", session=session.id)

    def _tell(self, visit: Visit, held: Held, text: str) -> None:
        session = held.session
        seconds = max(0.0, session.end(self._limits) - self._clock()) if session.remember else None
        same_site = self.options.same_site.capitalize()
        visit.set_cookie(self.options.cookie, text, seconds=seconds, same_site=same_site)

    def _hidden(self, session_id: str, data: Mapping[str, Any]) -> str:
        if not data:
            return ""
        try:
            text = json.dumps(dict(data), separators=(",", ":"), allow_nan=False)
        except TypeError as error:
            raise ValueError(f"a session cannot hold this: {error}") from error
        # A cookie is sealed as a whole.
        return self._vault.seal_text("session data", text, session_id) if self.can_list else text

    def _shown(self, session: Session) -> dict[str, Any]:
        text = session.data
        if text and self.can_list:
            text = self._vault.open_text("session data", text, session.id) or ""
        found: dict[str, Any] = json.loads(text) if text else {}
        return found


def _refusal(session: Session, account: Account | None) -> str | None:
    if account is None:
        return "user gone"
    if account.disabled:
        return "user disabled"
    return "signed out everywhere" if account.epoch != session.epoch else None


def _provider(told: Mapping[str, Any]) -> tuple[str, str, str]:
    return str(told["issuer"]), str(told.get("sid") or ""), str(told.get("subject") or "")
