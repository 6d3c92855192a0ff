"""Method ``basic``: name and password with each request (RFC 7617).

A password is taken over TLS, or from this very machine, and nowhere else unless ``allow_insecure`` is set.
"""

from __future__ import annotations

import base64
import binascii
import re
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ....config.options import at_least, between, component, option
from ....config.values import Seconds
from ..account import Account
from ..identity import Identity
from ..method import Failed
from ..names import composed
from ..passwords.hasher import prepared
from .auth_params import credentials, quoted
from .credential_cache import CredentialCache
from .transport import exposure

if TYPE_CHECKING:
    from ..audit import Audit
    from ..passwords.checker import Passwords
    from ..visit import Visit

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")

TokenCheck = Callable[["Visit", str, str], Identity | Failed | None]
"""``(visit, name, password)``: what an API token in place of the password stands for; None where it is none."""


@component
class BasicOptions:
    """Name and password with each request."""

    cache: Seconds = option(
        default=60.0,
        doc="How long a password that was right counts without being hashed again; 0 hashes with each request.",
        check=between(0, 3600),
    )
    cache_size: int = option(default=1024, doc="How many passwords each process remembers so.", check=at_least(0))
    tokens: bool = option(
        default=True, doc="Where bearer is a method, too, take an API token in place of the password."
    )


class Basic:
    """Method ``basic``, for users whose password is enough: who has a second factor, or has to change the password, is
    refused like who has none.

    ``token`` recognizes API tokens, which may come in the place of the password.
    """

    name = "basic"

    def __init__(
        self,
        passwords: Passwords,
        realm: str,
        audit: Audit,
        options: BasicOptions | None = None,
        *,
        token: TokenCheck | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        options = options or BasicOptions()
        self._passwords = passwords
        self._challenge = f'Basic realm={quoted(realm)}, charset="UTF-8"'
        self._audit = audit
        self._token = token if options.tokens else None
        self._clock = clock
        self._cache = CredentialCache(options.cache, options.cache_size, monotonic)

    def identify(self, visit: Visit) -> Identity | Failed | None:
        """Who the request is from. What cannot be read counts as nothing."""
        given = credentials(visit.header("Authorization"), "basic")
        pair = None if given is None else read_pair(given)
        if pair is None:
            return None
        exposed = exposure(visit)
        if exposed is not None:
            return exposed
        name, password = pair
        if self._token is not None:
            found = self._token(visit, name, password)
            if found is not None:
                return found
        return self._identify(visit, name, password)

    def challenges(self, visit: Visit) -> Sequence[str]:
        """None where no password would be taken: a client that is asked for one sends it."""
        return [self._challenge] if exposure(visit) is None else []

    def _identify(self, visit: Visit, name: str, password: str) -> Identity | Failed:
        if _CONTROL.search(name) or _CONTROL.search(password):
            return Failed("malformed")
        wanted, secret = composed(name), prepared(password)
        known = None if wanted is None else self._passwords.directory.find(wanted)
        if (
            known is not None
            and secret is not None
            and not known.disabled
            and self._cache.has(known, secret)
            and self._passwords.accepts_request(known, password, visit.environ)
        ):
            return self._policy(visit, known)
        found = self._passwords.check(visit, name, password, browser=False)
        if isinstance(found, Failed):
            return found._replace(status=429) if found.reason == "throttled" else found
        verdict = self._policy(visit, found)
        if isinstance(verdict, Failed):
            self._audit.note("login.fail", visit, found, reason=verdict.reason)
            return verdict
        if secret is not None:
            self._cache.add(found, secret)
        self._audit.note("login.ok", visit, found, amr="pwd", method=self.name)
        return verdict

    def _policy(self, visit: Visit, account: Account) -> Identity | Failed:
        refused = refusal(visit, account)
        return refused or Identity.of(account, self.name, amr=("pwd",), auth_time=self._clock())


def refusal(visit: Visit, account: Account) -> Failed | None:
    """Why the password alone does not let this user in with a method that can show nothing else; None if it does."""
    if account.disabled:
        return Failed("disabled user")
    if account.must_change_password:
        return Failed("password has to be changed")
    if visit.authority.needs_second_factor(account):
        return Failed("second factor needed")
    return None


def read_pair(text: str) -> tuple[str, str] | None:
    """Name and password of a credential, in UTF-8 or else Latin-1 (RFC 7617 section 2); None for what is none."""
    if not _BASE64.fullmatch(text):
        return None
    try:
        raw = base64.b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), validate=True)
    except binascii.Error:
        return None
    try:
        decoded = raw.decode("utf-8")
    except UnicodeDecodeError:
        decoded = raw.decode("latin-1")
    name, colon, password = decoded.partition(":")
    return (name, password) if colon else None
