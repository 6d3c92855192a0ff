"""The tokens of a site in its tables. Only SHA-256 of a secret is kept: it has too many bits to be found from that."""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from ....protocol.peers import Networks, network_complaint
from ...storage.schema import Schema
from ...storage.tables import Tables
from ..account import Account
from ..sentence import Sentence
from .text import PREFIX, TokenText, new_text, read_text, written

SCHEMA = Schema(
    "auth.tokens",
    (
        (
            "CREATE TABLE auth_tokens (id TEXT PRIMARY KEY, digest TEXT NOT NULL, account TEXT NOT NULL,"
            " name TEXT NOT NULL, scopes TEXT NOT NULL, networks TEXT NOT NULL, created DOUBLE PRECISION NOT NULL,"
            " expires DOUBLE PRECISION, used DOUBLE PRECISION, address TEXT NOT NULL, revoked DOUBLE PRECISION)",
            "CREATE INDEX auth_tokens_account ON auth_tokens (account)",
        ),
    ),
)

MOST = 100
"""Tokens that count which a user may have."""

_COLUMNS = "id, account, name, scopes, networks, created, expires, used, address, revoked"
_GRAIN = 60.0
_KEPT = 90 * 86400.0
"""Seconds for which a token that no longer counts is still listed, unless there come to be too many of them."""

_SCOPE = re.compile(r"[!#-\[\]-~]{1,100}")  # scope-token, RFC 6749 section 3.3

TOO_MANY = "There are %(number)d tokens already; end those that are not needed."
TOO_LONG = "A token can live for %(number)s days at most."
UNKNOWN = "There is no scope %(scope)s; there are: %(scopes)s."
NAMELESS = "Give the token a name of at most 100 characters."
UNSCOPED = "Say what the token is for: it needs at least one scope, and at most 50."
NO_SCOPE = "A scope is a word such as pages:read."
OVER = "A token has to live for some time."
MANY_NETWORKS = "A token can be for 20 networks at most."
NO_NETWORK = "%(network)s is no network such as 10.0.0.0/8."


class TokenInfo(NamedTuple):
    """A token as its user sees it. Times are seconds since 1970; ``address`` is the last that has used it."""

    id: str
    account: str
    name: str
    scopes: tuple[str, ...]
    networks: tuple[str, ...]
    created: float
    expires: float | None
    used: float | None
    address: str
    revoked: float | None

    def complaint(self, now: float) -> str | None:
        """Why it does not count any more, in a word for logs, or None."""
        if self.revoked is not None:
            return "token revoked"
        return "token expired" if self.expires is not None and now >= self.expires else None

    def is_for(self, address: str) -> bool:
        """Whether it may be used from an address."""
        return not self.networks or Networks(self.networks).names(address)


class ApiTokens:
    """The tokens in ``tables``, which have this module's ``SCHEMA`` among theirs. New ones begin with ``prefix``, live
    for ``longest`` seconds at most, and are for some of ``scopes``; None and nothing set no limit.

    All methods raise ``StoreError``.
    """

    def __init__(
        self,
        tables: Tables,
        clock: Callable[[], float] = time.time,
        *,
        prefix: str = PREFIX,
        longest: float | None = None,
        scopes: Collection[str] = (),
    ) -> None:
        self.longest = longest
        self.scopes = tuple(scopes)
        self._tables = tables
        self._clock = clock
        self._prefix = prefix

    def create(
        self,
        account: Account,
        name: str,
        scopes: Collection[str],
        seconds: float | None,
        networks: Sequence[str] = (),
    ) -> tuple[str, TokenInfo]:
        """Make a token: its text, which nobody can be told again, and what is known of it.

        ``seconds`` is how long it lives, None for ever. Raises ``ValueError``, with a ``Sentence`` for the user, for a
        name or scopes that are none, and when the user has too many.
        """
        complaint = _complaint(name, scopes, seconds, networks) or self._beyond(scopes, seconds)
        if complaint is not None:
            raise ValueError(complaint)
        now = self._clock()
        text = new_text()
        info = TokenInfo(
            id=text.id,
            account=account.id,
            name=name.strip(),
            scopes=tuple(dict.fromkeys(scopes)),
            networks=tuple(networks),
            created=now,
            expires=None if seconds is None else now + seconds,
            used=None,
            address="",
            revoked=None,
        )
        row = (info.id, _digest(text), info.account, info.name, " ".join(info.scopes), " ".join(info.networks))
        with self._tables.writing() as connection:
            for old in (now - _KEPT, now):
                connection.execute(
                    "DELETE FROM auth_tokens WHERE account = ? AND (revoked <= ? OR expires <= ?)",
                    (account.id, old, old),
                )
                found = connection.execute("SELECT count(*) FROM auth_tokens WHERE account = ?", (account.id,))
                if found.fetchone()[0] < MOST:
                    break
            else:
                raise ValueError(Sentence(TOO_MANY, number=MOST))
            connection.execute(
                "INSERT INTO auth_tokens (id, digest, account, name, scopes, networks, created, expires, address)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, '')",
                (*row, info.created, info.expires),
            )
        return written(text, self._prefix), info

    def find(self, text: str) -> TokenInfo | None:
        """The token with this text, if we made it. Whether it counts is for :meth:`TokenInfo.complaint` to say."""
        token = read_text(text)
        if token is None:
            return None
        rows = self._tables.query(f"SELECT digest, {_COLUMNS} FROM auth_tokens WHERE id = ?", (token.id,))
        if not rows or not hmac.compare_digest(rows[0][0], _digest(token)):
            return None
        return _info(rows[0][1:])

    def note_use(self, info: TokenInfo, address: str) -> bool:
        """Keep that a token was used, at most once a minute; whether it was worth keeping."""
        now = self._clock()
        if info.used is not None and abs(now - info.used) < _GRAIN:
            return False
        with self._tables.writing() as connection:
            connection.execute("UPDATE auth_tokens SET used = ?, address = ? WHERE id = ?", (now, address, info.id))
        return True

    def of(self, account_id: str) -> list[TokenInfo]:
        """The tokens of an account, the newest first, those that no longer count among them."""
        rows = self._tables.query(
            f"SELECT {_COLUMNS} FROM auth_tokens WHERE account = ? ORDER BY created DESC, id", (account_id,)
        )
        return [_info(row) for row in rows]

    def get(self, token_id: str) -> TokenInfo | None:
        """The token with this id."""
        rows = self._tables.query(f"SELECT {_COLUMNS} FROM auth_tokens WHERE id = ?", (token_id,))
        return _info(rows[0]) if rows else None

    def revoke(self, account_id: str, token_id: str) -> bool:
        """End a token of an account at once; whether there was one that counted."""
        return self._revoke("account = ? AND id = ?", account_id, token_id) > 0

    def revoke_all(self, account_id: str) -> int:
        """End all tokens of an account at once; how many there were."""
        return self._revoke("account = ?", account_id)

    def forget(self, account_id: str) -> None:
        """Remove all that is kept of an account that is gone."""
        with self._tables.writing() as connection:
            connection.execute("DELETE FROM auth_tokens WHERE account = ?", (account_id,))

    def _beyond(self, scopes: Collection[str], seconds: float | None) -> Sentence | None:
        if self.longest is not None and (seconds is None or seconds > self.longest):
            return Sentence(TOO_LONG, number=f"{self.longest / 86400:g}")
        unknown = [scope for scope in scopes if self.scopes and scope not in self.scopes]
        return Sentence(UNKNOWN, scope=unknown[0], scopes=" ".join(self.scopes)) if unknown else None

    def _revoke(self, condition: str, *values: str) -> int:
        with self._tables.writing() as connection:
            return connection.execute(
                f"UPDATE auth_tokens SET revoked = ? WHERE {condition} AND revoked IS NULL", (self._clock(), *values)
            ).rowcount


def _info(row: Sequence[object]) -> TokenInfo:
    made = TokenInfo._make(row)
    return made._replace(scopes=tuple(str(made.scopes).split()), networks=tuple(str(made.networks).split()))


def _digest(token: TokenText) -> str:
    return hashlib.sha256(token.secret.encode("ascii")).hexdigest()


def _complaint(name: str, scopes: Collection[str], seconds: float | None, networks: Sequence[str]) -> Sentence | None:
    if not name.strip() or len(name) > 100 or not name.isprintable():
        return Sentence(NAMELESS)
    if not scopes or len(scopes) > 50:
        return Sentence(UNSCOPED)
    if not all(_SCOPE.fullmatch(scope) for scope in scopes):
        return Sentence(NO_SCOPE)
    if seconds is not None and seconds <= 0:
        return Sentence(OVER)
    if len(networks) > 20:
        return Sentence(MANY_NETWORKS)
    wrong = [each for each in networks if each in ("*", "unix") or network_complaint(each) is not None]
    return Sentence(NO_NETWORK, network=repr(wrong[0])) if wrong else None
