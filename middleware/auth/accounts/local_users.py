"""The users that a site keeps itself: the source ``local``."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, NamedTuple

from ...storage.tables import Tables
from ..account import NOBODY, OWN, Account
from ..names import composed, folded
from . import memberships
from .memberships import Grant, Group, Member
from .naming import email_complaint, line_complaint, look, mailbox, name_complaint
from .roles import Roles

_USERS = (
    "SELECT id, name, display, email, email_verified, disabled, epoch, must_change, group_names, roles, second_factor"
    " FROM account_users"
)
_BY_ID = f"{_USERS} WHERE id = ?"
_BY_NAME = f"{_USERS} WHERE folded = ?"
_BY_EMAIL = f"{_USERS} WHERE email_folded = ? ORDER BY id"


class UserInfo(NamedTuple):
    """What is known of a user besides the account; times are seconds since 1970."""

    created: float
    has_password: bool
    password_changed: float | None


class LocalUsers:
    """Users, groups and granted roles in the site's own tables, which have ``accounts.tables.SCHEMA``.

    Users are told apart by their ids (``local:…``), which never change and never come back; names are unique whatever
    their case, and so is what they look like. Groups may be members of groups. Groups and roles of users from other
    sources stand here, too: :meth:`complete` adds them.

    Methods raise ``LookupError`` for who does not exist, ``ValueError`` for what cannot be, both with a phrase for
    people, ``Conflict`` for a name that is taken, and ``StoreError``.
    """

    name = OWN
    keeps_hashes = True

    def __init__(self, tables: Tables, clock: Callable[[], float] = time.time, roles: Roles | None = None) -> None:
        self._tables = tables
        self._clock = clock
        self._roles = roles or Roles()
        self._standing = lru_cache(maxsize=4096)(self._read_standing)
        self.forgetters: list[Callable[[str], object]] = []
        """Called with the id of an account that was deleted, so that others forget it, too."""

    # Finding

    def find(self, name: str) -> Account | None:
        """The account of this name."""
        wanted = composed(name)
        return None if wanted is None else self._one(_BY_NAME, folded(wanted))

    def get(self, account_id: str) -> Account | None:
        """The account with this id: one row, found by its key."""
        rows = self._tables.query(_BY_ID, (account_id,))
        return self._account(rows[0]) if rows else None

    def with_email(self, address: str) -> list[Account]:
        """The accounts that have a mail address; it need not be one, nor that they have shown that it is theirs."""
        if not address or email_complaint(address) is not None:
            return []
        # Names are folded further than addresses may be: straße.de and strasse.de belong to two people.
        found = [self._account(row) for row in self._tables.query(_BY_EMAIL, (folded(address),))]
        return [each for each in found if mailbox(each.email) == mailbox(address)]

    def all(self, prefix: str = "", *, after: str = "", limit: int = 1000) -> list[Account]:
        """Accounts whose names begin so, in the order of their names, from the one that follows ``after``."""
        first, last = folded(composed(prefix) or ""), folded(composed(after) or "")
        rows = self._tables.query(
            f"{_USERS} WHERE substr(folded, 1, ?) = ? AND folded > ? ORDER BY folded LIMIT ?",
            (len(first), first, last, limit),
        )
        return [self._account(row) for row in rows]

    def info(self, account_id: str) -> UserInfo:
        """When the user was made, and whether and since when there is a password."""
        rows = self._tables.query(
            "SELECT created, password IS NOT NULL, password_changed FROM account_users WHERE id = ?", (account_id,)
        )
        if not rows:
            raise LookupError("there is no such user")
        created, has_password, changed = rows[0]
        return UserInfo(created, bool(has_password), changed)

    def complete(self, account: Account) -> Account:
        """An account of another source with the groups, roles and second factor that are known of it here."""
        if account.source == self.name:
            return account
        rows = self._tables.query(
            "SELECT group_names, roles, second_factor, epoch FROM account_standings WHERE account = ?", (account.id,)
        )
        groups, roles, second_factor, epoch = rows[0] if rows else ("", "", 0, 0)
        ours, granted, _ = self._standing(groups, roles)
        all_roles = account.roles | granted
        return account._replace(
            groups=account.groups | ours,
            roles=all_roles,
            permissions=account.permissions | self._roles.of(all_roles),
            has_second_factor=account.has_second_factor or second_factor == 1,
            epoch=account.epoch + epoch,
        )

    # Changing users

    def create(
        self, name: str, *, display: str = "", email: str = "", email_verified: bool = False, disabled: bool = False
    ) -> Account:
        """Make a user, who has no password yet."""
        spelled = _spelled(name)
        _check_texts(display, email)
        made = f"local:{secrets.token_hex(6)}"
        key = folded(spelled)
        self._tables.query(
            "INSERT INTO account_users (id, name, folded, look, display, email, email_folded, email_verified, disabled,"
            " epoch, must_change, created) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, ?)",
            (
                *(made, spelled, key, look(key), display, email, folded(email)),
                *(int(email_verified), int(disabled), self._clock()),
            ),
        )
        return Account(made, spelled, self.name, display, email, email_verified, disabled)

    def rename(self, account_id: str, name: str) -> None:
        """Give a user another name; everything else stays, sessions too."""
        spelled = _spelled(name)
        key = folded(spelled)
        self._change("name = ?, folded = ?, look = ?", (spelled, key, look(key)), account_id)

    def set_display(self, account_id: str, display: str) -> None:
        """Set the full name that pages show."""
        _check_texts(display, "")
        self._change("display = ?", (display,), account_id)

    def set_email(self, account_id: str, email: str, verified: bool = False) -> None:
        """Set the mail address, and whether the user has shown that it is theirs."""
        _check_texts("", email)
        self._change(
            "email = ?, email_folded = ?, email_verified = ?",
            (email, folded(email), int(verified and bool(email))),
            account_id,
        )

    def disable(self, account_id: str) -> None:
        """Let nobody in as this user, and end what has begun, also when the user is enabled again."""
        self._change("disabled = 1, epoch = epoch + 1", (), account_id)

    def enable(self, account_id: str) -> None:
        """Let the user in again."""
        self._change("disabled = 0", (), account_id)

    def delete(self, account_id: str) -> bool:
        """Remove a user with everything that is known here; whether there was one."""
        with self._tables.writing() as connection:
            gone = connection.execute("DELETE FROM account_users WHERE id = ?", (account_id,)).rowcount
            memberships.forget(connection, account_id)
        for forget in self.forgetters:
            forget(account_id)
        return gone == 1

    def raise_epoch(self, account_id: str) -> None:
        """End all sessions and whatever else began before, for an account of any source."""
        if _is_ours(account_id):
            self._change("epoch = epoch + 1", (), account_id)
        else:
            self._tables.query(
                "INSERT INTO account_standings (account, epoch) VALUES (?, 1)"
                " ON CONFLICT (account) DO UPDATE SET epoch = account_standings.epoch + 1",
                (account_id,),
            )

    def set_second_factor(self, account_id: str, has: bool) -> None:
        """Note whether an account of any source has a second factor."""
        if _is_ours(account_id):
            self._change("second_factor = ?", (int(has),), account_id)
        else:
            self._tables.query(
                "INSERT INTO account_standings (account, second_factor) VALUES (?, ?)"
                " ON CONFLICT (account) DO UPDATE SET second_factor = excluded.second_factor",
                (account_id, int(has)),
            )

    # Passwords

    def set_password(self, account_id: str, encoded: str, *, must_change: bool = False) -> None:
        """Keep the hash of a new password; sessions that began with the old one end."""
        self._change(
            "password = ?, must_change = ?, password_changed = ?, epoch = epoch + 1",
            (encoded, int(must_change), self._clock()),
            account_id,
        )

    def password_hash(self, account: Account) -> str | None:
        """The hash of the password, None where there is none."""
        rows = self._tables.query("SELECT password FROM account_users WHERE id = ?", (account.id,))
        return rows[0][0] if rows else None

    def verify(self, account: Account, password: str) -> bool | None:
        """None: hashes of ours are verified by who asks."""
        return None

    def keep_hash(self, account: Account, encoded: str) -> bool:
        """Keep a newer hash of the same password, unless it was changed since the account was read."""
        return bool(
            self._tables.query(
                "UPDATE account_users SET password = ? WHERE id = ? AND epoch = ? RETURNING 1",
                (encoded, account.id, account.epoch),
            )
        )

    # Groups and roles

    def groups(self) -> list[Group]:
        """All groups, in the order of their names."""
        rows = self._tables.query(
            "SELECT id, name, (SELECT count(DISTINCT member) FROM account_members WHERE group_id = id)"
            " FROM account_groups"
        )
        return sorted((Group(*row) for row in rows), key=lambda each: folded(each.name))

    def create_group(self, name: str) -> None:
        """Make a group."""
        with self._tables.writing() as connection:
            memberships.create_group(connection, name)

    def delete_group(self, name: str) -> None:
        """Remove a group; its members have what others give them."""
        with self._tables.writing() as connection:
            memberships.delete_group(connection, name)

    def add_member(self, group: str, member: str) -> bool:
        """Put ``user:NAME`` or ``group:NAME`` into a group; whether that was new. A name alone is a user's."""
        with self._tables.writing() as connection:
            into = memberships.group_id(connection, group)
            return memberships.add_member(connection, into, memberships.subject_id(connection, member))

    def remove_member(self, group: str, member: str) -> bool:
        """Take a member out of a group; whether it was in it."""
        with self._tables.writing() as connection:
            out_of = memberships.group_id(connection, group)
            return memberships.remove_member(connection, out_of, memberships.subject_id(connection, member))

    def members(self, group: str) -> list[Member]:
        """Who stands in a group, without the members of groups in it."""
        with self._tables.reading() as connection:
            rows = connection.execute(
                "SELECT m.member, u.name, g.name, m.origin FROM account_members m"
                " LEFT JOIN account_users u ON u.id = m.member LEFT JOIN account_groups g ON g.id = m.member"
                " WHERE m.group_id = ?",
                (memberships.group_id(connection, group),),
            ).fetchall()
        found = [
            Member("user" if theirs is None else "group", user or theirs or member, member, origin)
            for member, user, theirs, origin in rows
        ]
        return sorted(found, key=lambda each: (each.kind, folded(each.name), each.origin))

    def sync_groups(self, account_id: str, groups: Iterable[str], origin: str) -> None:
        """Put an account into the groups that a provider vouches for, and out of those that it does not any more.

        Groups that do not exist are made. What others have decided of the account stays.
        """
        wanted = {folded(composed(each) or "") for each in groups}
        held = self._tables.query(
            "SELECT g.folded FROM account_members m JOIN account_groups g ON g.id = m.group_id"
            " WHERE m.member = ? AND m.origin = ?",
            (account_id, origin),
        )
        if {row[0] for row in held} != wanted:  # as at most logins nothing has changed
            with self._tables.writing() as connection:
                memberships.set_groups(connection, account_id, groups, origin)

    def grant(self, subject: str, role: str) -> bool:
        """Give a role to ``user:NAME`` or ``group:NAME``; whether that was new."""
        with self._tables.writing() as connection:
            return memberships.grant(connection, memberships.subject_id(connection, subject), role)

    def revoke(self, subject: str, role: str) -> bool:
        """Take a role away from ``user:NAME`` or ``group:NAME``; whether it was there."""
        with self._tables.writing() as connection:
            return memberships.revoke(connection, memberships.subject_id(connection, subject), role)

    def grants(self) -> list[Grant]:
        """Who was granted which role, in the order of the names."""
        rows = self._tables.query(
            "SELECT t.subject, u.name, g.name, t.role FROM account_grants t"
            " LEFT JOIN account_users u ON u.id = t.subject LEFT JOIN account_groups g ON g.id = t.subject"
        )
        return sorted(
            Grant(f"group:{group}" if group is not None else f"user:{user or subject}", role)
            for subject, user, group, role in rows
        )

    def close(self) -> None:
        """Close the tables."""
        self._tables.close()

    def _one(self, statement: str, key: str) -> Account | None:
        rows = self._tables.query(statement, (key,))
        return self._account(rows[0]) if rows else None

    def _account(self, row: Any) -> Account:
        known, name, display, email, verified, disabled, epoch, must_change, group_names, granted, second_factor = row
        groups, roles, permissions = self._standing(group_names, granted)
        return Account(
            known,
            name,
            OWN,
            display,
            email,
            verified == 1,
            disabled == 1,
            epoch,
            groups,
            roles,
            permissions,
            second_factor == 1,
            must_change == 1,
        )

    def _read_standing(
        self, groups: str | None, roles: str | None
    ) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
        granted = frozenset(roles.split()) if roles else NOBODY
        return frozenset(groups.split()) if groups else NOBODY, granted, self._roles.of(granted)

    def _change(self, what: str, values: tuple[object, ...], account_id: str) -> None:
        if not self._tables.query(f"UPDATE account_users SET {what} WHERE id = ? RETURNING 1", (*values, account_id)):
            raise LookupError("there is no such user")


def _is_ours(account_id: str) -> bool:
    return account_id.startswith("local:")


def _spelled(name: str) -> str:
    complaint = name_complaint(name)
    if complaint is not None:
        raise ValueError(f"the name {complaint}")
    return composed(name) or name


def _check_texts(display: str, email: str) -> None:
    complaint = line_complaint(display)
    if complaint is not None:
        raise ValueError(f"the full name {complaint}")
    complaint = email_complaint(email)
    if complaint is not None:
        raise ValueError(f"the address {complaint}")
