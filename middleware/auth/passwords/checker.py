"""Whether this is that user's password: one question for the login page, for Basic and for whatever else asks.

Whoever fails learns only that. A user who is not there, one who has no password, one who is disabled, a wrong password
and too many attempts have the same answer and cost the same work.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from ...storage.store import StoreError
from ..account import Account, Source
from ..directory import Directory
from ..method import Failed
from ..names import composed
from ..sentence import Sentence
from .hasher import Busy, Hasher, Scheme, prepared
from .policy import Policy
from .throttle import Throttle

if TYPE_CHECKING:
    from ..audit import Audit
    from ..visit import Visit

log = logging.getLogger(__name__)

NOT_KEPT = "The password of this account is not kept here and cannot be changed here."
NOT_WHOLE = "This password cannot be kept whole here: use at most 72 bytes, and no NUL."


@runtime_checkable
class Asking(Protocol):
    """A source that verifies passwords itself, and wants to see the request, as AuthKit's functions did."""

    def verify_for(self, environ: Mapping[str, Any], account: Account, password: str) -> bool:
        """Whether the password is right."""


@runtime_checkable
class Changeable(Protocol):
    """A source whose passwords can be changed by their users."""

    def set_password(self, account_id: str, encoded: str, *, must_change: bool = False) -> None:
        """Keep the hash of a new password; sessions that began with the old one end."""


Changed = Callable[[Account, str], None]
"""Called with an account and its password, when that is new or was just shown to be right."""


class Passwords:
    """The passwords of a directory's users.

    ``changed`` is called after a password was set, and ``shown`` after one was verified: for what has to be derived
    from the password itself, as Digest needs it. ``words`` are what nobody's password should consist of.
    """

    def __init__(
        self,
        directory: Directory,
        hasher: Hasher,
        throttle: Throttle,
        audit: Audit,
        policy: Policy | None = None,
        *,
        words: tuple[str, ...] = (),
        changed: Changed | None = None,
        shown: Changed | None = None,
    ) -> None:
        self.directory = directory
        self.hasher = hasher
        self.throttle = throttle
        self.policy = policy or Policy()
        self._audit = audit
        self._words = words
        self._changed = changed
        self._shown = shown
        # A hash of an older kind that somebody has, so that names that nobody has can be made to take as long.
        self._older: str | None = None

    def check(self, visit: Visit, name: str, password: str, *, browser: bool = True) -> Account | Failed:
        """The account, if this is its name and its password.

        ``browser``: whoever succeeds gets a cookie by which the throttle knows the device again. The reason of a
        failure is for the audit log alone; it has ``retry_after`` where it came too early, and the status 503 where
        too many passwords wait to be checked. Raises ``StoreError``.
        """
        wanted = composed(name)
        seconds = self.throttle.admit(visit)
        if seconds is not None:
            return self._too_many(visit, name, seconds, "address")
        if wanted is None or prepared(password) is None:
            # Nobody's name, nobody's password: to be told without any work, and without looking anything up.
            return self._failed(visit, None, name, "malformed")
        seconds = self.throttle.wait(visit, wanted)
        try:
            if seconds is not None:
                self.hasher.pretend(password, self._older)
                return self._too_many(visit, wanted, seconds, "account")
            return self._decide(visit, wanted, password, browser)
        except Busy:
            if seconds is None:
                self.throttle.abandoned(visit, wanted)
            return Failed("busy", description="Too many are logging in right now.", status=503, retry_after=2)
        except StoreError:
            if seconds is None:
                self.throttle.abandoned(visit, wanted)
            raise

    def verify(self, account: Account, password: str, environ: Mapping[str, Any]) -> bool:
        """Whether this is the account's password, with the work of one hash whatever the answer is.

        Counts and writes down nothing. Raises ``Busy`` and ``StoreError``.
        """
        return self._matches(self.directory.source_of(account), account, password, environ)

    def accepts_request(self, account: Account, password: str, environ: Mapping[str, Any]) -> bool:
        """Whether a password that was right a moment ago is so for this request, too.

        Asked are sources that want to see requests: they may go by the address or the path. All others have said it.
        """
        source: Any = self.directory.source_of(account)
        return not hasattr(source, "verify_for") or bool(source.verify_for(environ, account, password))

    def complaint(self, account: Account | None, new: str) -> Sentence | None:
        """Why this cannot be the account's new password, or None."""
        words = self._words
        if account is not None:
            words = (*words, account.name, account.display, account.email)
        return self.policy.complaint(new, words)

    def change(self, account: Account, new: str, *, must_change: bool = False) -> str | None:
        """Set a new password; None if that is done, or why it is not, as a sentence.

        Whoever asks has made sure that it is the user. Raises ``Busy`` and ``StoreError``.
        """
        complaint = self.complaint(account, new)
        if complaint is not None:
            return complaint
        source: object = self.directory.source_of(account)
        if not isinstance(source, Changeable):
            return Sentence(NOT_KEPT)
        try:
            encoded = self.hasher.hash(new, _scheme(source))
        except ValueError:  # bcrypt takes less than argon2
            return Sentence(NOT_WHOLE)
        source.set_password(account.id, encoded, must_change=must_change)
        if self._changed is not None:
            self._changed(self.directory.get(account.id) or account, new)
        return None

    def close(self) -> None:
        """Let the threads of the hasher go."""
        self.hasher.close()

    def _decide(self, visit: Visit, name: str, password: str, browser: bool) -> Account | Failed:
        account = self.directory.find(name)
        if account is None:
            self.hasher.pretend(password, self._older)
            return self._failed(visit, None, name, "unknown user")
        source = self.directory.source_of(account)
        if not self._matches(source, account, password, visit.environ):
            return self._failed(visit, account, name, "wrong password")
        if account.disabled:
            return self._failed(visit, account, name, "disabled user")
        account = self._renewed(source, account, password)
        self.throttle.succeeded(visit, name, browser=browser)
        if self._shown is not None:
            self._shown(account, password)
        return account

    def _matches(self, source: Source | None, account: Account, password: str, environ: Mapping[str, Any]) -> bool:
        verdict = None if source is None else _verdict(source, account, password, environ)
        encoded = None if verdict is not None or source is None else source.password_hash(account)
        if encoded is None:
            if verdict is not True:
                self.hasher.pretend(password, self._older)
            return verdict is True
        is_right = self.hasher.verify(encoded, password)
        if not self.hasher.is_current_kind(encoded):
            self._older = encoded
            # A hash that was made anew costs what this costs; see _renewed.
            if not (is_right and self._will_renew(source, account, encoded)):
                self.hasher.pretend(password)
        return is_right

    def _will_renew(self, source: Source | None, account: Account, encoded: str) -> bool:
        return (
            source is not None
            and not account.disabled
            and bool(getattr(source, "keeps_hashes", True))
            and self.hasher.is_outdated(encoded, _scheme(source))
        )

    def _renewed(self, source: Source | None, account: Account, password: str) -> Account:
        """The account after its hash was made anew, where it was outdated and its source keeps a better one."""
        encoded = None if source is None else source.password_hash(account)
        if source is None or encoded is None or not self._will_renew(source, account, encoded):
            return account
        try:
            better = self.hasher.hash(password, _scheme(source))
        except ValueError:
            return account
        if not source.keep_hash(account, better):
            return account
        # The epoch of some sources follows from the hash: a session has to begin with the new one.
        return self.directory.get(account.id) or account

    def _failed(self, visit: Visit, account: Account | None, name: str, reason: str) -> Failed:
        if account is None:
            self._audit.note("login.fail", visit, name=name, reason=reason)
        else:
            self._audit.note("login.fail", visit, account, reason=reason)
        return Failed(reason)

    def _too_many(self, visit: Visit, name: str, seconds: float, what: str) -> Failed:
        self._audit.note("login.throttled", visit, name=name, reason=what)
        return Failed("throttled", retry_after=math.ceil(seconds))


def _verdict(source: Source, account: Account, password: str, environ: Mapping[str, Any]) -> bool | None:
    asking: object = source
    if isinstance(asking, Asking):
        return asking.verify_for(environ, account, password)
    return source.verify(account, password)


def _scheme(source: object) -> Scheme:
    return getattr(source, "scheme", "argon2")
