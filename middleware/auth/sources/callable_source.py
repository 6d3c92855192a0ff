"""Users that a function of the deployer's knows, with the signature that AuthKit's functions had."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..account import OWN, Account, Source
from .epochs import epoch_of

Check = Callable[[Mapping[str, Any], str, str], object]
"""``function(environ, username, password)``: whether that is the user's password."""

Lookup = Callable[[str], "Mapping[str, Any] | bool | None"]
"""``function(username)``: what is known of a user, or None where there is none.

A mapping may have ``name`` (the spelling), ``display``, ``email``, ``email_verified``, ``disabled``, ``epoch`` (a text
or number that another password has another of), ``groups``, ``roles`` and ``permissions``.
"""

_TEXTS = ("display", "email")
_FLAGS = ("email_verified", "disabled")
_SETS = ("groups", "roles", "permissions")


class CallableSource:
    """Source ``callable``: ``check`` says whether a password is right, ``lookup`` who the users are.

    Without ``lookup`` every name is taken for a user's, as the function alone knows, so this source has to come last;
    and a session goes on when the user is gone. ``name`` is the source's.
    """

    keeps_hashes = False

    def __init__(self, check: Check, lookup: Lookup | None = None, name: str = "callable") -> None:
        self.name = name
        self._check = check
        self._lookup = lookup

    def find(self, name: str) -> Account | None:
        """The account that logs in under this name."""
        known = True if self._lookup is None else self._lookup(name)
        if known is None or known is False:
            return None
        return account_of(self.name, name, {} if known is True else known)

    def get(self, account_id: str) -> Account | None:
        """The account with this id: ``callable:NAME``."""
        account = self.find(account_id.removeprefix(f"{self.name}:"))
        return account if account is not None and account.id == account_id else None

    def password_hash(self, account: Account) -> str | None:
        """None: the function verifies."""
        return None

    def verify(self, account: Account, password: str) -> bool | None:
        """Whether the password is right, where there is no request to show to the function."""
        return self.verify_for({}, account, password)

    def verify_for(self, environ: Mapping[str, Any], account: Account, password: str) -> bool:
        """Whether the password is right."""
        return bool(self._check(environ, account.name, password))

    def keep_hash(self, account: Account, encoded: str) -> bool:
        """False: there are no hashes."""
        return False


def account_of(source: str, name: str, known: Mapping[str, Any]) -> Account:
    """An account from what is known of a user, as :data:`Lookup` has it. What is None or lacking is left out."""
    spelling = str(known.get("name") or name)
    fields: dict[str, Any] = {key: str(known[key]) for key in _TEXTS if known.get(key)}
    fields |= {key: bool(known[key]) for key in _FLAGS if known.get(key)}
    fields |= {key: frozenset(map(str, known[key])) for key in _SETS if known.get(key)}
    epoch = known.get("epoch")
    if epoch is not None:
        fields["epoch"] = epoch if isinstance(epoch, int) else epoch_of(str(epoch))
    return Account(f"{source}:{spelling}", spelling, source, **fields)


_TAKEN = frozenset({OWN, "group", "header", "certificate", "jwt", "server"})
"""What stands before the ids of users whom no source of others keeps, and of groups."""


def is_source(found: object) -> bool:
    """Whether an object has all that a source needs, so that it can stand for itself."""
    return all(hasattr(found, each) for each in ("name", "find", "get", "password_hash", "verify", "keep_hash"))


def source_from(found: Any, lookup: Lookup | None = None) -> Source:
    """The source that an imported object is or makes: a source, a class of such, or a function to check passwords.

    Raises ``TypeError`` with a phrase that completes "callable: …".
    """
    if isinstance(found, type):
        found = found()
    if is_source(found):
        source: Source = found
        if source.name in _TAKEN or not source.name or ":" in source.name:
            raise TypeError(f"is a source of the name {source.name!r}, which is taken: call it otherwise")
        return source
    if not callable(found):
        raise TypeError("must be a function (environ, username, password), or a source")
    return CallableSource(found, lookup)
