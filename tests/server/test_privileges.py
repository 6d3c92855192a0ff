"""Root's rights are given up for good."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys

import pytest

from wheatpaste.server.privileges import AccountError, find_account

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give up its rights")

DROP = """
import os
from wheatpaste.server.privileges import drop_privileges, find_account
drop_privileges(find_account({user!r}, {group!r}))
try:
    os.setuid(0)
    print("root again")
except PermissionError:
    print(os.getuid(), os.getgid(), len(os.getgroups()))
"""


@needs_root
@pytest.mark.parametrize(
    ("user", "group"), [("nobody", None), (str(pwd.getpwnam("nobody").pw_uid), None), ("nobody", "1")]
)
def test_a_process_becomes_the_user_and_cannot_go_back(user: str, group: str | None) -> None:
    done = subprocess.run(
        [sys.executable, "-c", DROP.format(user=user, group=group)], capture_output=True, text=True, check=True
    )
    nobody = pwd.getpwnam("nobody")
    uid, gid, groups = map(int, done.stdout.split())
    assert (uid, gid) == (nobody.pw_uid, nobody.pw_gid if group is None else 1)
    assert groups <= 2


@pytest.mark.parametrize(
    ("user", "group", "blamed", "message"),
    [
        pytest.param("nosuchuser", None, "user", "there is no user 'nosuchuser'", id="no such user"),
        pytest.param(None, "nosuchgroup", "group", "there is no group 'nosuchgroup'", id="no such group"),
        pytest.param(
            "nobody", "nosuchgroup", "group", "there is no group 'nosuchgroup'", id="no such group for a user"
        ),
        pytest.param("4000000", None, "user", "4000000 has no entry that says its group", id="a user without a group"),
    ],
)
def test_who_does_not_exist_is_a_sentence(user: str | None, group: str | None, blamed: str, message: str) -> None:
    with pytest.raises(AccountError, match=message) as raised:
        find_account(user, group)
    assert raised.value.option == blamed


def test_the_user_that_it_is_already_needs_no_rights() -> None:
    account = find_account(str(os.getuid()), str(os.getgid()))
    assert (account.uid, account.gid) == (os.getuid(), os.getgid())
