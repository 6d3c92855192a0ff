"""What is known of a user, wherever users are kept."""

from __future__ import annotations

from typing import NamedTuple, Protocol, runtime_checkable

NOBODY: frozenset[str] = frozenset()
OWN = "local"
"""The source of the users that a site keeps itself, in the tables that have its tokens and sessions, too."""


class Account(NamedTuple):
    """A user, as one source knows it.

    ``id`` never changes and is never given to another: ``local:…``, ``htpasswd:bob``. Sessions and tokens point to it.
    ``name`` is how the source spells the name that people log in with. A session that began under another ``epoch``
    than the account's has ended: a new password, a reset of factors and "sign out everywhere" raise it.
    """

    id: str
    name: str
    source: str
    display: str = ""
    email: str = ""
    email_verified: bool = False
    disabled: bool = False
    epoch: int = 0
    groups: frozenset[str] = NOBODY
    roles: frozenset[str] = NOBODY
    permissions: frozenset[str] = NOBODY
    has_second_factor: bool = False
    must_change_password: bool = False


class Source(Protocol):
    """Where users are kept. ``name`` is its word in ``[auth:main:users] source`` and the head of its accounts' ids.

    Every method raises ``StoreError`` (``middleware/storage/store.py``) when what it is kept in cannot be read: then
    nobody gets in, and nobody is told that the user does not exist.
    """

    name: str

    def find(self, name: str) -> Account | None:
        """The account that logs in under this name."""

    def get(self, account_id: str) -> Account | None:
        """The account with this id, or None if it is gone. Asked on each request with a session: be quick."""

    def password_hash(self, account: Account) -> str | None:
        """The hash of the password, for a source whose hashes we verify ourselves; None where there is none."""

    def verify(self, account: Account, password: str) -> bool | None:
        """Whether the password is right, for a source that verifies itself (LDAP, a callable); None: we do."""

    def keep_hash(self, account: Account, encoded: str) -> bool:
        """Keep a newer hash of the same password; False where the source is only read."""


@runtime_checkable
class Closing(Protocol):
    """A source that keeps connections open between two questions."""

    def close(self) -> None:
        """Let go of them, in a process that has served. The next question opens them again."""
