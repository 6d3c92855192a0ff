"""Users of AuthKit's database: its tables ``users``, ``groups``, ``roles`` and ``users_roles``.

The drivers of AuthKit for SQLAlchemy and for PostgreSQL made the same ones. They stay what they are; with ``update`` an
outdated password is replaced by its argon2id hash after a login, which AuthKit itself can not verify any more.
"""

from __future__ import annotations

from ..account import NOBODY, Account
from ..names import folded
from ..passwords.hasher import Hasher
from .authkit_file import Encrypt, authkit_hash
from .epochs import epoch_of
from .foreign_tables import ForeignTables, Row

_USER = (
    "SELECT users.uid, users.username, users.password, groups.name AS group_name FROM users"
    " LEFT JOIN groups ON groups.uid = users.group_uid WHERE users.username = :name"
)
_ROLES = (
    "SELECT roles.name FROM roles JOIN users_roles ON users_roles.role_uid = roles.uid"
    " WHERE users_roles.user_uid = :uid"
)
_UPDATE = "UPDATE users SET password = :encoded WHERE uid = :uid AND password = :before"


class AuthKitTables:
    """Source ``authkit_db``. AuthKit kept all names in lower case, and so they are looked up.

    ``encrypt`` and ``secret`` are those of :class:`AuthKitFile`.
    """

    name = "authkit_db"

    def __init__(
        self, tables: ForeignTables, encrypt: Encrypt = "none", secret: str = "", *, update: bool = False
    ) -> None:
        self.keeps_hashes = update
        self._tables = tables
        self._encrypt = encrypt
        self._secret = secret

    def find(self, name: str) -> Account | None:
        """The account that logs in under this name."""
        row = self._row(name)
        if row is None:
            return None
        group = row["group_name"]
        return Account(
            f"authkit_db:{row['username']}",
            row["username"],
            self.name,
            epoch=epoch_of(row["password"] or ""),
            groups=NOBODY if group is None else frozenset({str(group)}),
            roles=frozenset(str(each["name"]) for each in self._tables.query(_ROLES, uid=row["uid"])),
        )

    def get(self, account_id: str) -> Account | None:
        """The account with this id: ``authkit_db:name``."""
        account = self.find(account_id.removeprefix("authkit_db:"))
        return account if account is not None and account.id == account_id else None

    def all(self) -> list[Account]:
        """All accounts, in the order of their names."""
        rows = self._tables.query("SELECT username FROM users ORDER BY username")
        return [found for row in rows if (found := self.find(row["username"])) is not None]

    def password_hash(self, account: Account) -> str | None:
        """What the password is verified against."""
        row = self._row(account.name)
        if row is None or not row["password"]:
            return None
        password = str(row["password"])
        if password.startswith("$argon2") and Hasher.complaint(password) is None:
            return password
        return authkit_hash(password, self._encrypt, self._secret)

    def verify(self, account: Account, password: str) -> bool | None:
        """None: the hash says it."""
        return None

    def keep_hash(self, account: Account, encoded: str) -> bool:
        """Write a newer hash of the same password, if they are to be updated."""
        row = self._row(account.name)
        if not self.keeps_hashes or row is None:
            return False
        self._tables.query(_UPDATE, encoded=encoded, uid=row["uid"], before=row["password"])
        return True

    def close(self) -> None:
        """Let go of connections."""
        self._tables.close()

    def _row(self, name: str) -> Row | None:
        # A database may compare otherwise than we do, without accents or blanks: then guesses at one user would have
        # many names.
        rows = [row for row in self._tables.query(_USER, name=name.lower()) if folded(row["username"]) == folded(name)]
        return rows[0] if rows else None
