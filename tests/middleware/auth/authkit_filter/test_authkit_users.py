"""``environ['authkit.users']``: AuthKit's questions, answered from the site's own users and from others'."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from wheatpaste.middleware.auth.account import Account
from wheatpaste.middleware.auth.accounts.local_users import LocalUsers
from wheatpaste.middleware.auth.accounts.tables import SCHEMA
from wheatpaste.middleware.auth.authkit_filter.sources import (
    SOURCE,
    Encrypted,
    FunctionSecrets,
    ObjectUsers,
    PlainSecrets,
    account_of,
    asked,
)
from wheatpaste.middleware.auth.authkit_filter.users import (
    AuthKitError,
    AuthKitNoSuchGroupError,
    AuthKitNoSuchRoleError,
    AuthKitNoSuchUserError,
    AuthKitNotSupportedError,
    Users,
)
from wheatpaste.middleware.auth.directory import Directory
from wheatpaste.middleware.auth.sources.authkit_file import AuthKitFile
from wheatpaste.middleware.auth.sources.callable_source import CallableSource
from wheatpaste.middleware.storage.places import tables_of

TEXT = """
Ada:Lovelace:Staff admin editor
bob:builder
eve:listens:guests
"""


@pytest.fixture
def read_only() -> Users:
    source = AuthKitFile.of_text(TEXT)
    return Users(Directory([source]), lambda account, password: source.password_hash(account) == f"{{PLAIN}}{password}")


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Users]:
    local = LocalUsers(tables_of(f"sqlite:///{tmp_path / 'auth.db'}", SCHEMA))
    passwords: dict[str, str] = {}

    def change(account: Account, password: str) -> str | None:
        if len(password) < 4:
            return "The password is too short."
        passwords[account.id] = password
        return None

    yield Users(Directory([local]), lambda account, password: passwords.get(account.id) == password, change, local)
    local.close()


def test_a_text_is_asked_as_authkit_was(read_only: Users) -> None:
    assert read_only.list_users() == ["ada", "bob", "eve"]
    assert read_only.list_groups() == ["guests", "staff"]
    assert read_only.list_roles() == ["admin", "editor"]
    assert read_only.user("ADA") == {
        "username": "ada",
        "group": "staff",
        "password": None,
        "roles": ["admin", "editor"],
    }
    assert read_only.user_exists("Bob")
    assert not read_only.user_exists("mallory")
    assert read_only.user_roles("bob") == []
    assert read_only.user_group("bob") is None
    assert read_only.user_has_role("ada", "Admin")
    assert not read_only.user_has_role("eve", "admin")
    assert read_only.user_has_group("eve", "GUESTS")
    assert read_only.user_has_group("bob", None)
    assert not read_only.user_has_group("eve", None)
    assert read_only.role_exists("editor")
    assert read_only.group_exists("staff")
    assert read_only.group_exists(None)
    assert read_only.user_has_password("ada", "Lovelace")
    assert not read_only.user_has_password("ada", "lovelace")


def test_no_password_is_told(read_only: Users) -> None:
    with pytest.raises(AuthKitNotSupportedError, match="user_has_password"):
        read_only.user_password("ada")


@pytest.mark.parametrize("ask", ["user", "user_roles", "user_group"])
def test_who_is_not_there_is_not_there(ask: str, read_only: Users) -> None:
    with pytest.raises(AuthKitNoSuchUserError, match="mallory"):
        getattr(read_only, ask)("mallory")


CHANGES: list[tuple[str, tuple[Any, ...]]] = [
    ("user_create", ("zoe", "password")),
    ("user_delete", ("ada",)),
    ("user_set_password", ("ada", "password")),
    ("user_set_username", ("ada", "ava")),
    ("user_set_group", ("ada", "guests")),
    ("user_add_role", ("ada", "admin")),
    ("user_remove_role", ("ada", "admin")),
    ("user_remove_group", ("ada",)),
    ("role_create", ("new",)),
    ("role_delete", ("admin",)),
    ("role_delete_cascade", ("admin",)),
    ("group_create", ("new",)),
    ("group_delete", ("staff",)),
    ("group_delete_cascade", ("staff",)),
]


@pytest.mark.parametrize(("change", "arguments"), CHANGES, ids=[change for change, _ in CHANGES])
def test_users_of_a_text_are_only_read(change: str, arguments: tuple[Any, ...], read_only: Users) -> None:
    with pytest.raises(AuthKitNotSupportedError, match="only read"):
        getattr(read_only, change)(*arguments)


def test_the_users_of_the_site_are_made_and_changed(own: Users) -> None:
    own.group_create("Staff")
    own.role_create("Editor")
    assert own.role_exists("editor")
    own.user_create("Ada", "lovelace", "staff")
    own.user_add_role("ada", "editor")
    assert own.user("ada") == {"username": "ada", "group": "staff", "password": None, "roles": ["editor"]}
    assert own.user_has_password("ADA", "lovelace")
    own.user_set_password("ada", "countess")
    assert own.user_has_password("ada", "countess")
    own.user_set_username("ada", "Countess")
    assert own.list_users() == ["countess"]
    own.user_set_group("countess", "guests", auto_add_group=True)
    assert own.user_group("countess") == "guests"
    own.user_add_role("countess", "admin", add_if_necessary=True)
    assert own.list_roles() == ["admin", "editor"]
    own.user_remove_role("countess", "admin")
    own.user_remove_group("countess")
    assert own.user_has_group("countess", None)
    own.group_delete("guests")
    own.role_delete_cascade("editor")
    assert own.list_roles() == []
    own.user_set_group("countess", "staff")
    own.group_delete_cascade("staff")
    assert own.list_groups() == []
    own.user_delete("countess")
    assert own.list_users() == []


def test_what_cannot_be_is_said_in_errors_of_authkit(own: Users) -> None:
    own.user_create("ada", "lovelace")
    with pytest.raises(AuthKitError, match="already"):
        own.user_create("Ada", "other")
    with pytest.raises(AuthKitError, match="too short"):
        own.user_create("bob", "x")
    assert own.list_users() == ["ada"]
    with pytest.raises(AuthKitError, match="too short"):
        own.user_set_password("ada", "x")
    with pytest.raises(AuthKitNoSuchGroupError):
        own.user_create("bob", "builder", "nowhere")
    with pytest.raises(AuthKitNoSuchGroupError):
        own.user_set_group("ada", "nowhere")
    with pytest.raises(AuthKitNoSuchGroupError):
        own.group_delete("nowhere")
    with pytest.raises(AuthKitNoSuchRoleError):
        own.user_add_role("ada", "nothing")
    with pytest.raises(AuthKitNoSuchRoleError):
        own.role_delete("nothing")
    with pytest.raises(AuthKitNoSuchUserError):
        own.user_delete("mallory")
    with pytest.raises(AuthKitError, match="does not have"):
        own.user_remove_role("ada", "admin")
    own.user_add_role("ada", "admin", True)
    with pytest.raises(AuthKitError, match="in use"):
        own.role_delete("admin")
    own.user_set_group("ada", "staff", True)
    with pytest.raises(AuthKitError, match="has members"):
        own.group_delete("staff")
    with pytest.raises(AuthKitError):
        own.user_create("a\nb", "password")


def test_more_users_than_one_page_of_a_table_are_all_listed(own: Users) -> None:
    local = own._local
    assert local is not None
    for number in range(1001):
        local.create(f"user{number:04}")
    assert len(own.list_users()) == 1001


def test_users_whom_nobody_can_list_are_told_apart_from_none() -> None:
    users = Users(Directory([CallableSource(lambda *_: True, name=SOURCE)]), lambda account, password: True)
    with pytest.raises(AuthKitNotSupportedError, match="cannot be listed"):
        users.list_users()


# --- functions and classes of the site's own --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("returned", "expected"), [(True, True), (False, False), (None, False), ("", False), (1, True)]
)
def test_a_function_is_asked_with_the_request(returned: Any, expected: bool) -> None:
    calls: list[tuple[Mapping[str, Any], str, str]] = []

    def check(environ: Mapping[str, Any], username: str, password: str) -> Any:
        calls.append((environ, username, password))
        return returned

    source = CallableSource(check, name=SOURCE)
    account = source.find("Ada")
    assert account is not None
    assert source.verify_for({"REMOTE_ADDR": "x"}, account, "secret") is expected
    assert calls == [({"REMOTE_ADDR": "x"}, "Ada", "secret")]
    assert source.get("authkit:Ada") == account
    assert source.get("local:Ada") is None


class People:
    """A class as sites wrote them for AuthKit."""

    def __init__(self, data: str, encrypt: Callable[[str], str] | None = None) -> None:
        self.data = data
        self.encrypt = encrypt or (lambda password: password)

    def user_exists(self, username: str) -> bool:
        return username.lower() == self.data

    def user(self, username: str) -> dict[str, Any]:
        return {"username": self.data, "group": "Staff", "password": "x", "roles": ["Admin"]}

    def user_has_password(self, username: str, password: str) -> bool:
        return self.encrypt(password) == "terces"


class PeoplePerRequest(People):
    api_version = "0.4"

    def __init__(self, environ: Mapping[str, Any], data: str, encrypt: Any = None) -> None:
        super().__init__(environ.get("who", data), encrypt)


def test_a_class_of_the_site_is_asked_for_users_and_passwords() -> None:
    source = ObjectUsers(People, "ada", lambda password: password[::-1])
    account = source.find("ADA")
    assert account == account_of("ada", "staff", ["admin"])
    assert account is not None
    assert source.verify_for({}, account, "secret")
    assert not source.verify_for({}, account, "terces")
    assert source.find("bob") is None


def test_a_class_of_the_newer_kind_is_made_for_each_request() -> None:
    source = ObjectUsers(PeoplePerRequest, "ada", lambda password: password[::-1])
    account = source.find("Eve")
    assert account is not None
    assert source.verify_for({"who": "eve"}, account, "secret")
    assert not source.verify_for({"who": "bob"}, account, "secret")
    assert source.object({"who": "bob"}).data == "bob"


def test_passwords_that_the_site_has_encrypted_itself() -> None:
    source = Encrypted(
        AuthKitFile.of_text("ada:terces!pepper"), lambda password, secret: password[::-1] + secret, "!pepper"
    )
    account = source.find("ada")
    assert account is not None
    assert source.verify(account, "secret")
    assert not source.verify(account, "terces!pepper")
    assert source.password_hash(account) is None


def test_digest_takes_its_hash_from_a_plain_password_or_from_a_function() -> None:
    source = AuthKitFile.of_text("ada:lovelace")
    account = source.find("ada")
    assert account is not None
    made = "5bdc7df7a5fa5ecb2dab2f5ca6f23e2b"
    found = PlainSecrets(source).ha1(account, "Wiki", "MD5")
    assert found is not None
    seen: list[Any] = []

    def function(environ: Mapping[str, Any], realm: str, username: str) -> str | None:
        seen.append((dict(environ), realm, username))
        return made.upper() if username == "ada" else None

    token = asked.set({"PATH_INFO": "/"})
    try:
        secrets = FunctionSecrets(function)
        assert secrets.ha1(account, "Wiki", "MD5") == made
        assert secrets.ha1(account, "Wiki", "SHA-256") is None
        assert secrets.ha1(account_of("bob"), "Wiki", "MD5") is None
    finally:
        asked.reset(token)
    assert seen[0] == ({"PATH_INFO": "/"}, "Wiki", "ada")
