"""Give up root's rights once the sockets are open."""

from __future__ import annotations

import grp
import os
import pwd
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Account:
    """A user and group by number; ``name`` finds the supplementary groups."""

    uid: int
    gid: int
    name: str | None = None


def find_account(user: str | None, group: str | None) -> Account:
    """Look up a user and a group, given by name or number. Raises ``ValueError`` with a sentence."""
    uid, gid, name = os.getuid(), os.getgid(), None
    if user is not None:
        try:
            entry = pwd.getpwuid(int(user)) if user.isdecimal() else pwd.getpwnam(user)
            uid, gid, name = entry.pw_uid, entry.pw_gid, entry.pw_name
        except KeyError:
            if not user.isdecimal():
                raise ValueError(f"there is no user {user!r}") from None
            uid = int(user)
            if group is None:  # or it would keep the group of root
                raise ValueError(f"user {user} has no entry that says its group; give --group") from None
    if group is not None:
        gid = group_number(group)
    if os.geteuid() != 0 and (uid, gid) != (os.getuid(), os.getgid()):
        raise ValueError("only root can change the user or group")
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
