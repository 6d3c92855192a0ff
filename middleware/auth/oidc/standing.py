"""Whether a provider still vouches for the user of a session, asked now and then while the session is used."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Mapping
from threading import Lock
from typing import TYPE_CHECKING

from ..identity import Identity
from ..method import Failed
from .admission import Admission, may_enter
from .failures import Refused, Unreachable, Untrue
from .provider import Provider
from .vouched import MEMBER, Vouched

if TYPE_CHECKING:
    from ..authority import Authority
    from ..visit import Visit
    from .github import GitHub

log = logging.getLogger(__name__)

_ASKING = "auth.oidc.asking"
_ASKING_SECONDS = 30.0
_RETRY = 60.0
_REMEMBERED = 4096
_OVER = Failed("session over")


class Standing:
    """Asks providers again, once for each session at a time. A provider that cannot be reached changes nothing."""

    def __init__(self, authority: Authority, providers: Mapping[str, Provider | GitHub], admission: Admission) -> None:
        self._authority = authority
        self._providers = providers
        self._admission = admission
        self._due: OrderedDict[str, float] = OrderedDict()
        self._lock = Lock()
        self._asking = {name: Lock() for name in providers}
        self._down: dict[str, float] = {}

    def check(self, visit: Visit, identity: Identity) -> Identity | Failed:
        """The identity of a session's user, perhaps with other groups than before; ``Failed`` where it has ended."""
        name = identity.claims.get(MEMBER)
        if name is None or identity.session is None:
            return identity
        provider = self._providers.get(name)
        if provider is None:
            return self._ended(visit, identity, "its provider is not one of this site any more")
        now = self._authority.clock()
        if now < self._due.get(identity.session, 0.0):
            return identity
        data = self._authority.sessions.data(visit)
        vouched = Vouched.read(data.get(MEMBER), self._authority.vault)
        if vouched is None:
            # Sealed with a key that is gone. In a session that is a cookie there was no token either.
            if self._authority.sessions.can_list:
                return self._ended(visit, identity, "what its provider gave cannot be read any more")
            return identity
        can_ask = bool(vouched.granted.refresh) or (bool(vouched.granted.access) and now < vouched.granted.until)
        if not can_ask or now < vouched.due:
            self._remember(identity.session, vouched.due if can_ask else now + provider.options.refresh)
            return identity
        # A provider that answers slowly, or not at all, holds up one thread, and not all of them.
        if 0 < self._down.get(name, 0.0) - now <= _RETRY or not self._asking[name].acquire(blocking=False):
            return identity
        try:
            return self._ask_once(visit, identity, provider, vouched)
        finally:
            self._asking[name].release()

    def _ask_once(
        self, visit: Visit, identity: Identity, provider: Provider | GitHub, vouched: Vouched
    ) -> Identity | Failed:
        session = identity.session or ""
        if not self._authority.store.add(_ASKING, session, b"1", _ASKING_SECONDS):
            return identity  # another process is at it, for the same session
        try:
            return self._ask(visit, identity, provider, vouched)
        finally:
            self._authority.store.delete(_ASKING, session)

    def _ask(
        self, visit: Visit, identity: Identity, provider: Provider | GitHub, vouched: Vouched
    ) -> Identity | Failed:
        authority, now = self._authority, self._authority.clock()
        # Read again: whoever was at it a moment ago may have changed the refresh token, which works once.
        visit.session = None
        again = authority.sessions.identify(visit)
        if not isinstance(again, Identity):
            return again if isinstance(again, Failed) else _OVER
        vouched = Vouched.read(authority.sessions.data(visit).get(MEMBER), authority.vault) or vouched
        if now < vouched.due:
            return again
        try:
            granted, profile = provider.renew(vouched.granted, vouched.subject)
        except Unreachable as error:
            log.warning("oidc:%s: the provider cannot be asked again: %s", provider.name, error)
            self._down[provider.name] = now + _RETRY
            return again if self._keep(visit, identity, vouched._replace(due=now + _RETRY)) else _OVER
        except (Refused, Untrue) as error:
            return self._ended(visit, identity, f"refused by the provider: {error}")
        due = min(now + provider.options.refresh, max(granted.until, now + _RETRY))
        if not self._keep(visit, identity, vouched._replace(granted=granted, due=due)):
            return _OVER
        if profile.groups is None:
            return again
        if not may_enter(provider.options, profile.groups):
            return self._ended(visit, identity, "not in an allowed group any more")
        self._admission.set_groups(provider.name, identity.id, profile.groups)
        account = authority.directory.get(identity.id)
        if account is None or account.disabled:
            return self._ended(visit, identity, "user gone")
        return again._replace(
            groups=account.groups, roles=account.roles, permissions=account.permissions, account=account
        )

    def _keep(self, visit: Visit, identity: Identity, vouched: Vouched) -> bool:
        sessions = self._authority.sessions
        # The provider took its time: by now the session may hold something else, or have ended.
        visit.session = None
        data = sessions.data(visit)
        self._remember(identity.session or "", vouched.due)
        return bool(sessions.set_data(visit, {**data, MEMBER: vouched.kept(self._authority.vault)}))

    def _remember(self, session: str, due: float) -> None:
        # So that most requests need not open what is sealed.
        with self._lock:
            self._due[session] = due
            while len(self._due) > _REMEMBERED:
                self._due.popitem(last=False)

    def _ended(self, visit: Visit, identity: Identity, reason: str) -> Failed:
        self._authority.sessions.end(visit)
        self._authority.audit.note(
            "session.revoke", visit, identity.account, session=identity.session, reason=f"oidc: {reason}"
        )
        return Failed("provider refused")
