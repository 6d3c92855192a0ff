"""Give up root's rights once the sockets are open."""

from __future__ import annotations

import grp
import os
import pwd
from dataclasses import dataclass


class AccountError(ValueError):
    """No such account, or one that this process cannot become; ``option`` is ``user`` or ``group``."""

    def __init__(self, option: str, what: str) -> None:
        self.option, self.what = option, what
        super().__init__(what)


@dataclass(frozen=True, slots=True)
class Account:
    """A user and group by number; ``name`` finds the supplementary groups."""

    uid: int
    gid: int
    name: str | None = None


def find_account(user: str | None, group: str | None) -> Account:
    """Look up a user and a group, given by name or number. Raises ``AccountError``."""
    uid, gid, name = os.getuid(), os.getgid(), None
    if user is not None:
        try:
            entry = pwd.getpwuid(int(user)) if user.isdecimal() else pwd.getpwnam(user)
            uid, gid, name = entry.pw_uid, entry.pw_gid, entry.pw_name
        except KeyError:
            if not user.isdecimal():
                raise AccountError("user", f"there is no user {user!r}; name one that this machine has") from None
            uid = int(user)
            if group is None:  # or it would keep the group of root
                raise AccountError("user", f"{user} has no entry that says its group; name the group, too") from None
    if group is not None:
        try:
            gid = group_number(group)
        except ValueError as error:
            raise AccountError("group", f"{error}; name one that this machine has") from error
    if os.geteuid() != 0 and (uid, gid) != (os.getuid(), os.getgid()):
        raise AccountError(
            "group" if user is None else "user", "only root can take on another; start as root, or remove it"
        )
    return Account(uid, gid, name)


def user_number(user: str) -> int:
    """The number of a user who is given by name or number. Raises ``ValueError`` with a sentence."""
    try:
        return int(user) if user.isdecimal() else pwd.getpwnam(user).pw_uid
    except KeyError:
        raise ValueError(f"there is no user {user!r}") from None


def group_number(group: str) -> int:
    """The number of a group that is given by name or number. Raises ``ValueError`` with a sentence."""
    try:
        return int(group) if group.isdecimal() else grp.getgrnam(group).gr_gid
    except KeyError:
        raise ValueError(f"there is no group {group!r}") from None


def drop_privileges(account: Account) -> None:
    """Become that account for good, with its groups alone. Raises ``OSError``."""
    if (account.uid, account.gid) == (os.getuid(), os.getgid()):
        return
    # Groups first: a user that is not root may not change them.
    if account.name is not None:
        os.initgroups(account.name, account.gid)
    else:
        os.setgroups([account.gid])
    os.setgid(account.gid)
    os.setuid(account.uid)
