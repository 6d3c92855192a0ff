"""Users in a database of the deployer's, found by queries of the deployer's."""

from __future__ import annotations

from ..account import Account
from ..names import folded
from ..passwords.hasher import Hasher
from .callable_source import account_of
from .epochs import epoch_of
from .foreign_tables import ForeignTables, Row


class QuerySource:
    """Source ``sql``: ``query`` finds a user by ``:name``, ``groups_query`` the groups and ``roles_query`` the roles.

    The columns of ``query`` are ``name``, ``password`` (a hash), and what else ``callable_source.Lookup`` lists as
    texts and flags; the further queries have one column each. Nothing is written.
    """

    name = "sql"
    keeps_hashes = False

    def __init__(self, tables: ForeignTables, query: str, groups_query: str = "", roles_query: str = "") -> None:
        self._tables = tables
        self._query = query
        self._groups_query = groups_query
        self._roles_query = roles_query

    def find(self, name: str) -> Account | None:
        """The account that logs in under this name."""
        row = self._row(name)
        if row is None:
            return None
        spelling = str(row["name"])
        return account_of(
            self.name,
            spelling,
            {
                **row,
                "epoch": epoch_of(str(row["password"] or "")),
                "groups": self._words(self._groups_query, spelling),
                "roles": self._words(self._roles_query, spelling),
                "permissions": None,
            },
        )

    def get(self, account_id: str) -> Account | None:
        """The account with this id: ``sql:NAME``."""
        account = self.find(account_id.removeprefix("sql:"))
        return account if account is not None and account.id == account_id else None

    def password_hash(self, account: Account) -> str | None:
        """The hash of the password, if it is one."""
        row = self._row(account.name)
        encoded = None if row is None else str(row["password"] or "")
        return encoded if encoded and Hasher.complaint(encoded) is None else None

    def verify(self, account: Account, password: str) -> bool | None:
        """None: the hash says it."""
        return None

    def keep_hash(self, account: Account, encoded: str) -> bool:
        """False: the tables are not ours."""
        return False

    def close(self) -> None:
        """Let go of connections."""
        self._tables.close()

    def _row(self, name: str) -> Row | None:
        # A database may compare otherwise than we do: by a prefix of blanks, or without accents.
        rows = [row for row in self._tables.query(self._query, name=name) if folded(str(row["name"])) == folded(name)]
        return rows[0] if len(rows) == 1 else None

    def _words(self, query: str, name: str) -> list[str]:
        return [str(value) for row in self._tables.query(query, name=name) for value in row.values()] if query else []
