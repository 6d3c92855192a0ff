"""How a login goes from its first factor to a session, whatever the factors are.

A login that needs more than one step is remembered in the store under a cookie of its own, which is no session: what
was shown so far counts for nothing until all of it was. Each step takes the login out of the store, so that none can
be done twice, and a further step gets a new cookie.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode

from ...protocol.answer import Answer
from ..storage.space import Space
from .account import Account
from .answers import see_other
from .identity import MFA
from .return_to import safe_target

if TYPE_CHECKING:
    from .authority import Authority
    from .visit import Visit

COOKIE = "wheatpaste.login"
SECONDS = 600.0
"""How long a login may take."""


class Pending(NamedTuple):
    """A login that is not complete: ``kind`` says which step it waits for."""

    kind: str
    next: str
    account: str | None = None
    epoch: int = 0
    amr: tuple[str, ...] = ()
    remember: bool = False
    data: Mapping[str, Any] = {}


class Logins:
    """The logins of a site that are under way."""

    def __init__(self, authority: Authority) -> None:
        self._authority = authority
        self._pending = Space(authority.store, "auth.logins")

    def begin(self, visit: Visit, pending: Pending, *, same_site: str = "Lax") -> None:
        """Remember a login until its next step, which the same browser has to take within ten minutes.

        ``same_site`` is ``None`` (as a word) for a step that another site's page posts; browsers want TLS for that.
        """
        self.forget(visit)
        secret = secrets.token_urlsafe(32)
        self._pending.put(_key(secret), pending._asdict(), SECONDS)
        # A provider's answer comes from its site: a strict cookie would not be sent along.
        visit.set_cookie(COOKIE, secret, seconds=SECONDS, same_site=same_site)

    def peek(self, visit: Visit, kind: str) -> Pending | None:
        """The login of this browser that waits for a step of this kind; it stays."""
        return self._wanted([self._pending.get(_key(each)) for each in self._cookies(visit)], kind)

    def tries(self, visit: Visit, kind: str) -> int:
        """Count one more try of the step that the login of this browser waits for; how many there were, this included.

        Whoever asks ends the login when there were too many: a step may be guessed otherwise.
        """
        for each in self._cookies(visit):
            if self._wanted([self._pending.get(_key(each))], kind) is not None:
                return self._pending.count(_key(each), 1, SECONDS).number
        return 0

    def take(self, visit: Visit, kind: str) -> Pending | None:
        """The same, and it is over: of several who ask at once, one gets it."""
        for each in self._cookies(visit):
            if self._wanted([self._pending.get(_key(each))], kind) is not None:
                found = self._wanted([self._pending.take(_key(each))], kind)
                if found is not None:
                    visit.drop_cookie(COOKIE)
                    return found
        return None

    def forget(self, visit: Visit) -> None:
        """End the login of this browser, if there is one."""
        for each in self._cookies(visit):
            self._pending.delete(_key(each))
            visit.drop_cookie(COOKIE)

    def first_factor(
        self,
        visit: Visit,
        account: Account,
        amr: tuple[str, ...],
        *,
        target: str = "",
        remember: bool = False,
        data: Mapping[str, Any] | None = None,
    ) -> Answer:
        """Go on after a factor was shown that says who it is: to the second factor, or to where the user wanted to go.

        ``data`` goes into the session (what a provider said). A passkey that has verified its user is two factors.
        """
        authority = self._authority
        shown = Pending("second", target, account.id, account.epoch, amr, remember, data or {})
        if MFA not in amr and authority.needs_second_factor(account):
            self.begin(visit, shown)
            return see_other(authority.url(visit, "second" if account.has_second_factor else "enrol"))
        return self.complete(visit, account, shown)

    def complete(self, visit: Visit, account: Account, shown: Pending, further: tuple[str, ...] = ()) -> Answer:
        """Begin the session of a login of which all is ``shown``, with ``further`` methods in the last step, and send
        the browser to where it wanted to go.
        """
        authority = self._authority
        self.forget(visit)
        if self._is_unlinked(account, shown.data.get("provider")):
            return see_other(f"{authority.url(visit, 'login')}?note=over")
        amr = tuple(dict.fromkeys((*shown.amr, *further)))
        authority.sessions.begin(visit, account, amr, remember=shown.remember, data=shown.data)
        authority.audit.note("login.ok", visit, account, amr=" ".join(amr))
        if account.must_change_password:
            wanted = safe_target(shown.next) or "/"
            return see_other(authority.url(visit, "password") + "?" + urlencode({"next": wanted}))
        return see_other(authority.resume(visit, account, shown.next))

    def _is_unlinked(self, account: Account, provider: Mapping[str, Any] | None) -> bool:
        """Whether the account is no longer that of the provider's user who has begun this login."""
        if provider is None:
            return False
        link = self._authority.identities.find(provider["issuer"], provider["subject"])
        return link is None or link.account != account.id

    def _cookies(self, visit: Visit) -> list[str]:
        return [each for each in visit.cookies(COOKIE)[:3] if 20 <= len(each) <= 100]

    def _wanted(self, found: list[Any], kind: str) -> Pending | None:
        for each in found:
            if each is not None and each["kind"] == kind:
                return Pending(**{**each, "amr": tuple(each["amr"])})
        return None


def _key(secret: str) -> str:
    # Who can read the store can take over no login.
    return hashlib.sha256(secret.encode()).hexdigest()
