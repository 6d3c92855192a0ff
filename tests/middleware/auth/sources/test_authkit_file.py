"""It reads AuthKit's text file as AuthKit did, and says what AuthKit let pass or died of."""

import os
from pathlib import Path
from typing import Any

import pytest
from auth_guarded_site import GuardedSite
from hypothesis import given
from hypothesis import strategies as st

from wheatpaste.middleware.auth.account import Account
from wheatpaste.middleware.auth.method import Failed
from wheatpaste.middleware.auth.sources.authkit_file import AuthKitFile

# The example of AuthKit's manual, with a password in capitals.
MANUAL = """
username1:Password1:pylons writer reviewer editor admin
Username2:password2:group2 writer

username3:password3:group3 writer reviewer
username4:password4
"""


def file_with(folder: Path, text: str, **how: Any) -> AuthKitFile:
    path = folder / "users.txt"
    path.write_text(text, encoding="utf-8")
    return AuthKitFile(path, **how)


def test_it_reads_the_example_of_authkits_manual(tmp_path: Path) -> None:
    source = file_with(tmp_path, MANUAL)
    assert source.mistakes() == []
    one = source.find("USERNAME1")
    assert one is not None
    assert (one.id, one.name, one.groups) == ("authkit:username1", "username1", {"pylons"})
    assert one.roles == {"writer", "reviewer", "editor", "admin"}
    two, four = source.find("username2"), source.find("username4")
    assert two is not None
    assert four is not None
    assert two.name == "username2"
    assert (four.groups, four.roles) == (frozenset(), frozenset())
    assert [account.name for account in source.all()] == ["username1", "username2", "username3", "username4"]


def test_names_have_no_case_and_passwords_have(tmp_path: Path) -> None:
    site = GuardedSite(file_with(tmp_path, MANUAL))
    assert isinstance(site.passwords.check(site.visit(), "UserName1", "Password1"), Account)
    assert isinstance(site.passwords.check(site.visit(), "username1", "password1"), Failed)


def test_it_verifies_hashes_with_the_secret_of_the_site(tmp_path: Path) -> None:
    text = "bob:9406649867375c79247713a7fb81edf0 admin"
    right = GuardedSite(file_with(tmp_path, text, encrypt="md5", secret="some secret string"))
    assert isinstance(right.passwords.check(right.visit(), "bob", "password1"), Account)
    assert isinstance(right.passwords.check(right.visit(), "bob", "9406649867375c79247713a7fb81edf0"), Failed)
    wrong = GuardedSite(file_with(tmp_path, text, encrypt="md5", secret="another"))
    assert isinstance(wrong.passwords.check(wrong.visit(), "bob", "password1"), Failed)


MISTAKES = {
    "a comment": ("# the staff", 1, "no comments"),
    "no colon": ("bob", 1, "must have the form"),
    "three colons": ("bob:a:b:c", 1, "must have the form"),
    "an empty name": (":sesame", 1, "has an empty username"),
    "an empty password": ("bob: admin", 1, "has an empty password"),
    "an empty group": ("bob:sesame: admin", 1, "has an empty group"),
    "commas between roles": ("bob:sesame admin,writer", 1, "comma in a role"),
    "a name twice": ("bob:sesame\n\nBob:other", 3, "is there twice"),
}


@pytest.mark.parametrize(("text", "line", "what"), MISTAKES.values(), ids=MISTAKES)
def test_it_says_which_line_is_wrong_and_lets_nobody_in_by_it(tmp_path: Path, text: str, line: int, what: str) -> None:
    source = file_with(tmp_path, f"{text}\nann:sesame\n")
    assert [number for number, _ in source.mistakes()] == [line]
    assert what in source.mistakes()[0][1]
    assert source.find("bob") is None
    assert source.find("ann") is not None


def test_a_password_where_a_hash_belongs_is_a_mistake(tmp_path: Path) -> None:
    source = file_with(tmp_path, "bob:sesame", encrypt="md5", secret="s")
    assert "is no hash of authkit.users:md5" in source.mistakes()[0][1]
    assert source.find("bob") is None


def test_a_change_counts_at_the_next_request_and_is_a_new_epoch(tmp_path: Path) -> None:
    source = file_with(tmp_path, "bob:sesame admin")
    os.utime(source.path, ns=(1_700_000_000_123_456_789,) * 2)
    before = source.find("bob")
    file_with(tmp_path, "bob:another")
    after = source.find("bob")
    assert before is not None
    assert after is not None
    assert after.roles == frozenset()
    assert after.epoch != before.epoch


@given(st.text(max_size=200))
def test_it_raises_for_no_text(text: str) -> None:
    AuthKitFile("unused")._users(text)
    AuthKitFile("unused", "md5", "s")._users(text)
