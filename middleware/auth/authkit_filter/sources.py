"""Users whom a function or a class of the site's own knows, with the signatures that AuthKit gave them.

- a function ``f(environ, username, password) -> bool``, for Digest ``f(environ, realm, username) -> HA1 | None``;
- a class with AuthKit's ``Users`` interface, made once as ``Class(data, encrypt)``, or, where its ``api_version`` is
  0.4, for each request as ``Class(environ=…, data=…, encrypt=…)``;
- a function ``f(password, secret) -> str`` that says what was kept for a password.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any

from ..account import NOBODY, Account
from ..passwords.hasher import prepared
from ..passwords.legacy import PLAIN
from ..sources.htdigest import ha1_of
from ..visit import Visit

Encrypt = Callable[[str, str], str]

SOURCE = "authkit"

asked: ContextVar[Mapping[str, Any]] = ContextVar("wheatpaste_authkit_request")
"""The environ of the request that a function is asked about where nothing hands it on."""


def remember_request(visit: Visit) -> None:
    """Make the environ of a request known to functions of the site's own."""
    asked.set(visit.environ)


def account_of(name: str, group: str | None = None, roles: Any = ()) -> Account:
    """The account of a user whom only its name is known of, and perhaps group and roles."""
    return Account(
        f"{SOURCE}:{name}",
        name,
        SOURCE,
        groups=NOBODY if not group else frozenset({str(group).lower()}),
        roles=frozenset(str(role).lower() for role in roles or ()),
    )


class ObjectUsers:
    """The users of a class with AuthKit's interface. What it raises goes up: nobody is let in by a broken one."""

    name = SOURCE
    keeps_hashes = False

    def __init__(self, users: Any, data: str = "", encrypt: Callable[[str], str] | None = None) -> None:
        self._class = users
        self._data = data
        self._encrypt = encrypt
        self.is_per_request = str(getattr(users, "api_version", "")) == "0.4"
        self._made = None if self.is_per_request else users(data, encrypt)

    def object(self, environ: Mapping[str, Any]) -> Any:
        """The object itself, for this request."""
        if self._made is not None:
            return self._made
        return self._class(environ=environ, data=self._data, encrypt=self._encrypt)

    def find(self, name: str) -> Account | None:
        """The account of this name. Classes that want the request are asked when there is a password."""
        if self._made is None:
            return account_of(name.lower())
        if not self._made.user_exists(name):
            return None
        known = self._made.user(name)
        return account_of(str(known.get("username", name)).lower(), known.get("group"), known.get("roles"))

    def get(self, account_id: str) -> Account | None:
        """The account with this id."""
        head, _, name = account_id.partition(":")
        return self.find(name) if head == SOURCE and name else None

    def password_hash(self, account: Account) -> str | None:
        """None: the object verifies."""
        return None

    def verify(self, account: Account, password: str) -> bool | None:
        """Whether the object says that this is the password."""
        return self.verify_for({}, account, password)

    def verify_for(self, environ: Mapping[str, Any], account: Account, password: str) -> bool:
        """The same, for this request."""
        users = self.object(environ)
        return bool(users.user_exists(account.name) and users.user_has_password(account.name, password))

    def keep_hash(self, account: Account, encoded: str) -> bool:
        """False."""
        return False


class Encrypted:
    """A source whose passwords a function of the site's own has encrypted."""

    keeps_hashes = False

    def __init__(self, source: Any, encrypt: Encrypt, secret: str) -> None:
        self._source = source
        self._encrypt = encrypt
        self._secret = secret
        self.name: str = source.name
        self.all = getattr(source, "all", None)
        """Lists all accounts, where the source can."""
        self.close = getattr(source, "close", lambda: None)

    def find(self, name: str) -> Account | None:
        """The account of this name."""
        found: Account | None = self._source.find(name)
        return found

    def get(self, account_id: str) -> Account | None:
        """The account with this id."""
        found: Account | None = self._source.get(account_id)
        return found

    def password_hash(self, account: Account) -> str | None:
        """None: only the function can say whether a password is right."""
        return None

    def verify(self, account: Account, password: str) -> bool | None:
        """Whether the function makes of the password what is kept."""
        kept = self._source.password_hash(account)
        if kept is None:
            return False
        made = str(self._encrypt(password, self._secret))
        return hmac.compare_digest(made.encode(), kept.removeprefix(PLAIN).encode())

    def keep_hash(self, account: Account, encoded: str) -> bool:
        """False: it would have to be the function's."""
        return False


class PlainSecrets:
    """What Digest needs of a source that keeps passwords as they are."""

    def __init__(self, source: Any) -> None:
        self._source = source

    def ha1(self, account: Account, realm: str, algorithm: str) -> str | None:
        """The hash of ``name:realm:password``, or None."""
        kept: str | None = self._source.password_hash(account)
        secret = prepared(kept.removeprefix(PLAIN)) if kept is not None and kept.startswith(PLAIN) else None
        return None if secret is None else ha1_of(account.name, realm, secret, algorithm)

    def named_by(self, userhash: str, realm: str, algorithm: str) -> str | None:
        """None: hashes of names are not offered."""
        return None


class FunctionSecrets:
    """What Digest needs, by a function ``f(environ, realm, username)``: the MD5 of ``name:realm:password`` or None."""

    def __init__(self, function: Callable[[Mapping[str, Any], str, str], Any]) -> None:
        self._function = function

    def ha1(self, account: Account, realm: str, algorithm: str) -> str | None:
        """The hash that the function gives; it has none but MD5."""
        if algorithm != "MD5":
            return None
        found = self._function(asked.get({}), realm, account.name)
        return found.lower() if isinstance(found, str) and len(found) == 32 else None

    def named_by(self, userhash: str, realm: str, algorithm: str) -> str | None:
        """None: hashes of names are not offered."""
        return None
