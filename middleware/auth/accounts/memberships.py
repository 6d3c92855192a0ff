"""Groups, which may be members of groups, the roles that were granted, and what both come to for an account.

All functions run within a transaction that nobody writes beside, so what they have read still holds when they write.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import NamedTuple

from ...storage.tables import Connection
from ..names import composed, folded
from .naming import word_complaint

OURS = "ours"
"""The origin of what people here have decided; others are the names of providers."""

_ABOVE = (
    "WITH RECURSIVE above (id) AS (SELECT group_id FROM account_members WHERE member = ?"
    " UNION SELECT m.group_id FROM account_members m JOIN above ON m.member = above.id)"
)
_BELOW = (
    "WITH RECURSIVE below (id) AS (SELECT member FROM account_members WHERE group_id = ?"
    " UNION SELECT m.member FROM account_members m JOIN below ON m.group_id = below.id)"
)


class Group(NamedTuple):
    """A group; ``members`` are those that stand in it themselves."""

    id: str
    name: str
    members: int


class Member(NamedTuple):
    """A member of a group. ``kind`` is ``user`` or ``group``; ``origin`` is who has put it there."""

    kind: str
    name: str
    id: str
    origin: str = OURS


class Grant(NamedTuple):
    """A role and who has it: ``user:NAME`` or ``group:NAME``, for users of other sources ``user:ID``."""

    subject: str
    role: str


def group_id(connection: Connection, name: str) -> str:
    """The id of a group. Raises ``LookupError``."""
    row = connection.execute(
        "SELECT id FROM account_groups WHERE folded = ?", (folded(composed(name) or ""),)
    ).fetchone()
    if row is None:
        raise LookupError(f"there is no group {name!r}")
    return str(row[0])


def account_id(connection: Connection, name: str) -> str:
    """The id of a user of ours by name, or of any source's by its id. Raises ``LookupError``."""
    row = connection.execute(
        "SELECT id FROM account_users WHERE folded = ? OR id = ?", (folded(composed(name) or ""), name)
    ).fetchone()
    if row is not None:
        return str(row[0])
    source, colon, rest = name.partition(":")
    if colon and rest and source != "local" and composed(name) is not None:
        return name
    raise LookupError(f"there is no user {name!r} here; one of another source is named by its id, such as htpasswd:bob")


def subject_id(connection: Connection, subject: str) -> str:
    """The id that ``user:NAME`` or ``group:NAME`` means; a name alone is a user's. Raises ``LookupError``."""
    kind, colon, name = subject.partition(":")
    if colon and kind == "group":
        return group_id(connection, name)
    return account_id(connection, name if colon and kind == "user" else subject)


def create_group(connection: Connection, name: str) -> str:
    """Make a group, and return its id. Raises ``ValueError`` for its name, ``Conflict`` where there is one."""
    complaint = word_complaint(name)
    if complaint is not None:
        raise ValueError(f"the name of a group {complaint}")
    made, text = f"group:{secrets.token_hex(6)}", composed(name) or name
    connection.execute("INSERT INTO account_groups (id, name, folded) VALUES (?, ?, ?)", (made, text, folded(text)))
    return made


def delete_group(connection: Connection, name: str) -> None:
    """Remove a group with all that was granted to it. Raises ``LookupError``."""
    gone = group_id(connection, name)
    members = accounts_below(connection, gone)
    connection.execute("DELETE FROM account_members WHERE member = ?", (gone,))
    connection.execute("DELETE FROM account_grants WHERE subject = ?", (gone,))
    connection.execute("DELETE FROM account_groups WHERE id = ?", (gone,))
    refresh(connection, members)


def add_member(connection: Connection, group: str, member: str) -> bool:
    """Put a user or a group into a group, by their ids; whether that was new.

    Raises ``ValueError`` where a group would become a member of itself.
    """
    if member == group or (member.startswith("group:") and group in _ids_below(connection, member)):
        raise ValueError("a group cannot be a member of itself, nor of its own members")
    added = connection.execute(
        "INSERT INTO account_members (group_id, member, origin) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        (group, member, OURS),
    ).rowcount
    refresh(connection, _accounts_of(connection, member))
    return added == 1


def remove_member(connection: Connection, group: str, member: str) -> bool:
    """Take a user or a group out of a group, whoever has put it there; whether it was in it."""
    accounts = _accounts_of(connection, member)
    gone = connection.execute("DELETE FROM account_members WHERE group_id = ? AND member = ?", (group, member)).rowcount
    refresh(connection, accounts)
    return gone > 0


def set_groups(connection: Connection, account: str, names: Iterable[str], origin: str) -> None:
    """Put an account into these groups and take it out of all others in which this origin has put it."""
    wanted = {folded(composed(name) or ""): name for name in names}
    rows = connection.execute("SELECT folded, id FROM account_groups").fetchall()
    known = {row[0]: row[1] for row in rows}
    groups = {known[each] if each in known else create_group(connection, name) for each, name in wanted.items()}
    for (held,) in connection.execute(
        "SELECT group_id FROM account_members WHERE member = ? AND origin = ?", (account, origin)
    ).fetchall():
        if held not in groups:
            connection.execute(
                "DELETE FROM account_members WHERE group_id = ? AND member = ? AND origin = ?", (held, account, origin)
            )
    for group in groups:
        connection.execute(
            "INSERT INTO account_members (group_id, member, origin) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            (group, account, origin),
        )
    refresh(connection, [account])


def grant(connection: Connection, subject: str, role: str) -> bool:
    """Give a role to a user or group, by its id; whether that was new. Raises ``ValueError`` for the role's name."""
    complaint = word_complaint(role)
    if complaint is not None:
        raise ValueError(f"the name of a role {complaint}")
    done = connection.execute(
        "INSERT INTO account_grants (subject, role) VALUES (?, ?) ON CONFLICT DO NOTHING", (subject, role)
    ).rowcount
    refresh(connection, _accounts_of(connection, subject))
    return done == 1


def revoke(connection: Connection, subject: str, role: str) -> bool:
    """Take a role away; whether it was there."""
    done = connection.execute("DELETE FROM account_grants WHERE subject = ? AND role = ?", (subject, role)).rowcount
    refresh(connection, _accounts_of(connection, subject))
    return done == 1


def forget(connection: Connection, account: str) -> None:
    """Remove all that was said here of an account."""
    for statement in (
        "DELETE FROM account_members WHERE member = ?",
        "DELETE FROM account_grants WHERE subject = ?",
        "DELETE FROM account_standings WHERE account = ?",
    ):
        connection.execute(statement, (account,))


def refresh(connection: Connection, accounts: Iterable[str]) -> None:
    """Write down what groups and grants come to for these accounts."""
    for account in accounts:
        groups = connection.execute(
            f"{_ABOVE} SELECT g.name FROM account_groups g JOIN above ON g.id = above.id", (account,)
        ).fetchall()
        roles = connection.execute(
            f"{_ABOVE} SELECT DISTINCT role FROM account_grants WHERE subject = ? OR subject IN (SELECT id FROM above)",
            (account, account),
        ).fetchall()
        standing = (_joined(groups), _joined(roles), account)
        if account.startswith("local:"):
            connection.execute("UPDATE account_users SET group_names = ?, roles = ? WHERE id = ?", standing)
        else:
            connection.execute(
                "INSERT INTO account_standings (group_names, roles, account) VALUES (?, ?, ?)"
                " ON CONFLICT (account) DO UPDATE SET group_names = excluded.group_names, roles = excluded.roles",
                standing,
            )


def accounts_below(connection: Connection, group: str) -> list[str]:
    """The ids of all accounts in a group and in the groups in it."""
    return [each for each in _ids_below(connection, group) if not each.startswith("group:")]


def _accounts_of(connection: Connection, subject: str) -> list[str]:
    return accounts_below(connection, subject) if subject.startswith("group:") else [subject]


def _ids_below(connection: Connection, group: str) -> set[str]:
    return {str(row[0]) for row in connection.execute(f"{_BELOW} SELECT id FROM below", (group,)).fetchall()}


def _joined(rows: list[tuple[str]]) -> str:
    return " ".join(sorted(row[0] for row in rows))
