"""Sessions in the store: the cookie is a reference, and what it refers to can be listed and ended.

The secret of a cookie is replaced every while. Requests under way may bring the one before for a little longer; whoever
brings it later has it from somewhere else, or the others have, and so the session ends for all of them. A browser that
never got the answer with the new secret is told it again: until somebody has used that, by the same browser name and
from the same network.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ...storage.store import Store, StoreError
from ..vault import Vault
from .client import client_of
from .held import Ended, Found, Held, Reused
from .index import Entry, Index, account_list, provider_lists
from .options import Limits, SessionOptions
from .session import Session, SessionInfo
from .token import Token, new_salt, new_token, read_token

if TYPE_CHECKING:
    from ..visit import Visit

SPACE = "auth.sessions"
_KEPT_LONGER = 3600.0
"""Seconds for which a session can still be told from none after its time."""

_MOST_OF_ONE = 200
"""Sessions of one user, or of one at a provider: nobody uses more, and lists of them are read as a whole."""

_MOST_TRIES = 50
_MOST_KNOWN = 2000


class StoredSessions:
    """Sessions that are kept in ``store``, each under a key of its own."""

    def __init__(
        self,
        store: Store,
        vault: Vault,
        options: SessionOptions,
        clock: Callable[[], float],
        state: Callable[[], object | None] | None = None,
    ) -> None:
        self._store = store
        self._state = state
        self._vault = vault
        self._limits = options.limits
        self._clock = clock
        self._most = options.max_sessions or _MOST_OF_ONE
        self._known: dict[str, tuple[bytes, Session]] = {}
        self._index = Index(store, clock, max(self._limits.absolute) + _KEPT_LONGER)

    def create(self, session: Session) -> tuple[Held, str]:
        """Keep a new session; what holds it, and the cookie's value."""
        token = new_token()
        session = session._replace(digest=token.digest, rotated=session.created, confirmed=session.created)
        held = Held(session, token.name, session.written(), token.digest)
        # The list comes second: a session that only its own browser could name is ended by that browser alone, and
        # where the list fails, the browser is never told.
        self._store.put(SPACE, token.name, held.raw, session.until - self._clock() + _KEPT_LONGER)
        entry = _entry(session, token.name)
        entries = self._index.add(account_list(session.account), entry)
        self._end(session.account, entries[: -self._most])
        for owner in _providers(session):
            entries = self._index.add(owner, entry)
            self._index.remove(owner, {each.id for each in entries[:-_MOST_OF_ONE]})
        return held, token.text(self._vault)

    def find(self, text: str, visit: Visit) -> tuple[Found, str | None]:
        """What a cookie stands for, and the value that is to replace it, if any."""
        token = read_token(text, self._vault)
        if token is None:
            return None, None
        name, digest = token.name, token.digest
        state = None if self._state is None else self._state()
        for _ in range(_MOST_TRIES):
            raw = self._store.get(SPACE, name)
            session = None if raw is None else self._parsed(name, raw)
            if raw is None or session is None:
                return None, None
            now = self._clock()
            is_before = not hmac.compare_digest(digest, session.digest)
            is_over = session.is_over(now, self._limits)
            if is_before and not self._still_counts(digest, session, visit, now):
                if is_over:
                    return None, None
                self._end(session.account, [_entry(session, name)])
                return Reused(session), None
            if is_over:
                return Ended(session), None
            kept, successor = self._kept_up(token, session, is_before, visit, now)
            after = raw if kept is session else kept.written()
            # Where another request of the session was faster, see what it made of it.
            if after is raw or self._store.swap(SPACE, name, raw, after):
                told = None if successor is None else successor.text(self._vault)
                return Held(kept, name, after, digest, is_before, state if after is raw else None), told
        raise StoreError("a session is being changed by others without end")

    def _parsed(self, name: str, raw: bytes) -> Session | None:
        """The session that was read. To compare costs less than to read, and most requests find what was there."""
        known = self._known.get(name)
        if known is not None and known[0] == raw:
            return known[1]
        session = Session.read(raw)
        if session is not None:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[name] = raw, session
        return session

    def _still_counts(self, digest: str, session: Session, visit: Visit, now: float) -> bool:
        """Whether a secret is the one before, and its time is not up."""
        if not hmac.compare_digest(digest, session.before):
            return False
        since = session.rotated if session.confirmed is None else session.confirmed
        return abs(now - since) <= self._limits.overlap or (
            session.confirmed is None and client_of(visit) == session.client
        )

    def _kept_up(
        self, token: Token, session: Session, is_before: bool, visit: Visit, now: float
    ) -> tuple[Session, Token | None]:
        """The session as it is to be kept after this request, and the token to tell."""
        kept, told = session, None
        if is_before:
            if session.confirmed is None and client_of(visit) == session.client:
                told = next(
                    (each for each in token.successors(self._vault, session.salt) if _is_of(session, each)), None
                )
        elif session.confirmed is None:
            kept = kept._replace(confirmed=now)
        elif (
            not visit.is_relayed
            and abs(now - session.rotated) >= self._limits.rotate
            and abs(now - session.confirmed) > self._limits.overlap
        ):
            salt = new_salt()
            told = token.successors(self._vault, salt)[0]
            kept = kept._replace(
                digest=told.digest,
                before=session.digest,
                salt=salt,
                rotated=now,
                confirmed=None,
                client=client_of(visit),
                lower=None,
            )
        # A clock that was wrong, and is not any more, may have left times that are yet to come.
        if abs(now - session.seen) >= self._limits.grain:
            kept = kept._replace(seen=now)
        return kept, told

    def step_up(self, held: Held, session: Session, visit: Visit) -> tuple[Held, str] | None:
        """Give the session a new secret, and say of it what ``session`` says of its login; None if it is gone.

        The secret before stands for what was known until then. The new one does not follow from it: who has only that
        learns nothing.
        """
        token = Token(bytes.fromhex(held.key), b"").renewed()
        now = self._clock()

        def change(found: Session) -> Session:
            return found._replace(
                epoch=session.epoch,
                auth_time=session.auth_time,
                amr=session.amr,
                digest=token.digest,
                before=held.digest,
                salt="",
                rotated=now,
                confirmed=None,
                client=client_of(visit),
                lower=(held.auth_time, held.amr),
                seen=now,
            )

        changed = self.change(held, change)
        return (
            None
            if changed is None
            else (changed._replace(digest=token.digest, is_before=False), token.text(self._vault))
        )

    def change(self, held: Held, change: Callable[[Session], Session]) -> Held | None:
        """Change what is kept of a session; None if it is gone. ``change`` may be called more than once."""
        raw: bytes | None = held.raw
        for _ in range(_MOST_TRIES):
            session = None if raw is None else Session.read(raw)
            if raw is None or session is None:
                return None
            changed = change(session)
            after = changed.written()
            if self._store.swap(SPACE, held.key, raw, after):
                return held._replace(session=changed, raw=after)
            raw = self._store.get(SPACE, held.key)
        raise StoreError("a session is being changed by others without end")

    def end(self, held: Held) -> None:
        """End a session."""
        self._end(held.session.account, [_entry(held.session, held.key)])

    def of(self, account_id: str) -> list[SessionInfo]:
        """The sessions of an account, those used last first."""
        now, found = self._clock(), []
        for entry in self._index.entries(account_list(account_id)):
            session = self._read(entry)
            if session is not None and not session.is_over(now, self._limits):
                found.append(info_of(session, self._limits))
        return sorted(found, key=lambda info: info.seen, reverse=True)

    def end_one(self, account_id: str, session_id: str) -> bool:
        """End a session by its id; whether there was one."""
        entries = self._index.entries(account_list(account_id))
        return self._end(account_id, [entry for entry in entries if entry.id == session_id]) > 0

    def end_all(self, account_id: str, but: str | None = None) -> int:
        """End the sessions of an account; how many there were."""
        entries = self._index.entries(account_list(account_id))
        return self._end(account_id, [entry for entry in entries if entry.id != but])

    def end_by_provider(self, issuer: str, sid: str | None, subject: str | None) -> list[SessionInfo]:
        """End the sessions that a provider vouched for: one of its sessions, or all of one of its users."""
        ended = []
        for owner in provider_lists(issuer, sid or "", "" if sid else subject or ""):
            entries = self._index.entries(owner)
            for entry in entries:
                session = self._read(entry)
                if session is None or session.provider is None:
                    continue
                if subject and session.provider[2] not in ("", subject):
                    continue
                self._end(session.account, [entry])
                ended.append(info_of(session, self._limits))
            self._index.remove(owner, {info.id for info in ended})
        return ended

    def _end(self, account_id: str, entries: Sequence[Entry]) -> int:
        # The lists come last: what broke off in the middle can be done again.
        gone = sum(self._store.delete(SPACE, entry.key) for entry in entries)
        self._index.remove(account_list(account_id), {entry.id for entry in entries})
        return gone

    def _read(self, entry: Entry) -> Session | None:
        raw = self._store.get(SPACE, entry.key)
        return None if raw is None else Session.read(raw)


def _entry(session: Session, key: str) -> Entry:
    return Entry(session.id, key, session.created, session.until)


def info_of(session: Session, limits: Limits) -> SessionInfo:
    """What its user is told of a session."""
    return SessionInfo(
        id=session.id,
        account=session.account,
        device=session.device,
        address=session.address,
        created=session.created,
        seen=session.seen,
        until=session.end(limits),
        is_remembered=session.remember,
        amr=session.amr,
        actor=session.actor,
    )


def _is_of(session: Session, token: Token) -> bool:
    return hmac.compare_digest(token.digest, session.digest)


def _providers(session: Session) -> list[str]:
    return [] if session.provider is None else provider_lists(*session.provider)
