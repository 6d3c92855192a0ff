"""Users, groups and roles in tables of their own, the same in memory, in a file and in PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from wheatpaste.middleware.auth.account import Account
from wheatpaste.middleware.auth.accounts.local_users import LocalUsers
from wheatpaste.middleware.auth.accounts.memberships import Grant, Member
from wheatpaste.middleware.auth.accounts.roles import Roles
from wheatpaste.middleware.auth.accounts.tables import SCHEMA
from wheatpaste.middleware.storage.places import tables_of
from wheatpaste.middleware.storage.store import Conflict
from wheatpaste.testing import Clock

ROLES = Roles({"editor": ("page:edit", "page:view"), "admin": ("page:*", "user:*")})


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.slow)])
def users(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[LocalUsers]:
    match request.param:
        case "sqlite":
            url = f"sqlite:///{tmp_path}/users.sqlite"
        case "postgres":
            url = request.getfixturevalue("postgres_server").url()
        case _:
            url = "memory:"
    made = LocalUsers(tables_of(url, SCHEMA), clock.time, ROLES)
    yield made
    made.close()


def again(users: LocalUsers, account: Account) -> Account:
    found = users.get(account.id)
    assert found is not None
    return found


def test_a_user_is_found_by_name_and_by_id(users: LocalUsers):
    bob = users.create("Bob", display="Bob Ross", email="bob@example.org")
    assert bob.id.startswith("local:")
    assert (bob.name, bob.source, bob.display, bob.email) == ("Bob", "local", "Bob Ross", "bob@example.org")
    assert users.get(bob.id) == bob
    for spelled in ("Bob", "bob", "BOB"):
        assert users.find(spelled) == bob
    for nobody in ("bo", "bobby", "", "bob ", "bob\x00", "bob\n", "\ud800", "x" * 5000, "local:bob", "%", "b_b"):
        assert users.find(nobody) is None
    for nobody in ("", "local:", "htpasswd:bob", bob.id.upper(), bob.id + "0"):
        assert users.get(nobody) is None


def test_names_are_the_same_whatever_their_case_and_composition(users: LocalUsers):
    zoe = users.create("Zoe\u0308")
    assert zoe.name == "Zo\u00eb"
    assert users.find("ZO\u00cb") == users.find("zoe\u0308") == zoe
    strasse = users.create("Stra\u00dfe")
    assert users.find("STRASSE") == strasse


@pytest.mark.parametrize(
    ("name", "like"),
    [
        ("bob", "BOB"),
        ("Zo\u00eb", "zoe\u0308"),
        ("stra\u00dfe", "strasse"),
        ("cop", "\u0441\u043e\u0440"),  # Cyrillic
        ("BOB", "\u0412\u041e\u0412"),
        ("TOM", "\u03a4\u039f\u039c"),  # Greek
    ],
)
def test_a_name_that_looks_like_one_that_is_taken_is_refused(users: LocalUsers, name: str, like: str):
    users.create(name)
    with pytest.raises(Conflict):
        users.create(like)
    other = users.create("other")
    with pytest.raises(Conflict):
        users.rename(other.id, like)
    assert again(users, other).name == "other"


def test_a_user_may_get_another_spelling_of_the_same_name(users: LocalUsers):
    bob = users.create("bob")
    users.rename(bob.id, "Bob")
    assert again(users, bob).name == "Bob"
    users.rename(bob.id, "Robert")
    assert users.find("bob") is None
    assert users.find("robert") == again(users, bob)
    users.create("bob")


@pytest.mark.parametrize(
    ("what", "phrase"),
    [
        ({"name": "a:b"}, "the name must not hold ':'"),
        ({"name": ""}, "the name must not be empty"),
        ({"name": "bob", "display": "Bob\nRoss"}, "the full name must not hold control characters"),
        ({"name": "bob", "display": "\u202eevil"}, "the full name must not hold control characters"),
        ({"name": "bob", "display": "x" * 300}, "the full name must not be longer than 256"),
        ({"name": "bob", "email": "bob"}, "the address must be a mail address such as"),
        ({"name": "bob", "email": "bob@example.org\nBcc: x@y.z"}, "the address must be a mail address such as"),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_nothing(users: LocalUsers, what: dict[str, str], phrase: str):
    with pytest.raises(ValueError, match=phrase):
        users.create(**what)
    assert users.all() == []


def test_users_are_listed_in_order_and_by_pages(users: LocalUsers):
    for name in ("anna", "Bert", "cora", "bea", "BENNO"):
        users.create(name)
    assert [each.name for each in users.all()] == ["anna", "bea", "BENNO", "Bert", "cora"]
    assert [each.name for each in users.all("BE")] == ["bea", "BENNO", "Bert"]
    assert [each.name for each in users.all(limit=2)] == ["anna", "bea"]
    assert [each.name for each in users.all(after="Bea", limit=2)] == ["BENNO", "Bert"]


def test_users_are_found_by_mail_address(users: LocalUsers):
    bob, rob = users.create("bob", email="Bob@Example.org"), users.create("rob", email="bob@example.org")
    users.create("nobody")
    assert {each.id for each in users.with_email("BOB@example.ORG")} == {bob.id, rob.id}
    for nobody in ("", "bob", "bob@example", "bob@example.org\x00", "x" * 300):
        assert users.with_email(nobody) == []


@pytest.mark.parametrize(
    ("theirs", "other"),
    [
        ("bob@straße.de", "bob@strasse.de"),
        ("kate@example.org", "\u212aate@example.org"),
        ("ﬁona@example.org", "fiona@example.org"),
        ("bob@ϐeta.gr", "bob@βeta.gr"),
    ],
    ids=["sharp s", "Kelvin", "ligature", "beta"],
)
def test_an_address_that_is_only_like_another_is_nobodys(users: LocalUsers, theirs: str, other: str):
    bob = users.create("bob", email=theirs)
    assert users.with_email(other) == []
    assert [each.id for each in users.with_email(theirs)] == [bob.id]


def test_an_address_is_verified_only_for_as_long_as_it_stays(users: LocalUsers):
    bob = users.create("bob")
    users.set_email(bob.id, "bob@example.org", verified=True)
    assert again(users, bob).email_verified
    users.set_email(bob.id, "other@example.org")
    assert again(users, bob).email == "other@example.org"
    assert not again(users, bob).email_verified
    users.set_email(bob.id, "", verified=True)
    assert not again(users, bob).email_verified
    users.set_display(bob.id, "Bob Ross")
    assert again(users, bob).display == "Bob Ross"


def test_a_new_password_ends_what_the_old_one_has_begun(users: LocalUsers, clock: Clock):
    bob = users.create("bob")
    assert users.password_hash(bob) is None
    assert users.info(bob.id) == (clock.time(), False, None)
    clock.advance(10)
    users.set_password(bob.id, "hash 1", must_change=True)
    first = again(users, bob)
    assert (first.epoch, first.must_change_password) == (bob.epoch + 1, True)
    assert users.info(bob.id) == (clock.time() - 10, True, clock.time())
    users.set_password(bob.id, "hash 2")
    assert (again(users, bob).epoch, again(users, bob).must_change_password) == (bob.epoch + 2, False)
    assert users.password_hash(bob) == "hash 2"
    assert users.verify(bob, "hash 2") is None


def test_a_better_hash_of_the_old_password_does_not_replace_that_of_a_new_one(users: LocalUsers):
    bob = users.create("bob")
    users.set_password(bob.id, "old")
    seen = again(users, bob)
    assert users.keep_hash(seen, "old, better")
    assert again(users, bob) == seen
    users.set_password(bob.id, "new")
    assert not users.keep_hash(seen, "old, better still")
    assert users.password_hash(bob) == "new"


def test_a_disabled_user_stays_and_what_had_begun_does_not_come_back(users: LocalUsers):
    bob = users.create("bob")
    users.disable(bob.id)
    assert again(users, bob).disabled
    users.enable(bob.id)
    assert not again(users, bob).disabled
    assert again(users, bob).epoch > bob.epoch
    users.raise_epoch(bob.id)
    assert again(users, bob).epoch == bob.epoch + 2


def test_a_second_factor_is_noted(users: LocalUsers):
    bob = users.create("bob")
    users.set_second_factor(bob.id, True)
    assert again(users, bob).has_second_factor
    users.set_second_factor(bob.id, False)
    assert not again(users, bob).has_second_factor


@pytest.mark.parametrize(
    "change",
    [
        lambda users: users.rename("local:none", "x"),
        lambda users: users.set_email("local:none", "x@example.org"),
        lambda users: users.set_display("local:none", "x"),
        lambda users: users.set_password("local:none", "x"),
        lambda users: users.disable("local:none"),
        lambda users: users.enable("local:none"),
        lambda users: users.raise_epoch("local:none"),
        lambda users: users.set_second_factor("local:none", True),
        lambda users: users.info("local:none"),
        lambda users: users.delete_group("none"),
        lambda users: users.members("none"),
        lambda users: users.add_member("none", "bob"),
        lambda users: users.grant("user:none", "admin"),
        lambda users: users.grant("group:none", "admin"),
        lambda users: users.revoke("none", "admin"),
        lambda users: users.grant("local:none", "admin"),
    ],
)
def test_who_does_not_exist_cannot_be_changed(users: LocalUsers, change: Callable[[LocalUsers], object]):
    with pytest.raises(LookupError, match="there is no"):
        change(users)


def test_a_deleted_user_leaves_nothing_and_others_are_told(users: LocalUsers):
    bob = users.create("bob")
    users.create_group("staff")
    users.add_member("staff", "bob")
    users.grant("user:bob", "editor")
    forgotten: list[str] = []
    users.forgetters.append(forgotten.append)
    assert users.delete(bob.id)
    assert users.get(bob.id) is None
    assert users.find("bob") is None
    assert users.members("staff") == []
    assert users.grants() == []
    assert forgotten == [bob.id]
    assert not users.delete(bob.id)
    other = users.create("bob")
    assert other.id != bob.id
    assert (other.groups, other.roles) == (frozenset(), frozenset())


def test_groups_and_roles_give_permissions(users: LocalUsers):
    bob = users.create("bob")
    users.create_group("staff")
    assert users.add_member("staff", "bob")
    assert not users.add_member("staff", "user:Bob")
    assert users.grant("group:Staff", "editor")
    assert not users.grant("group:staff", "editor")
    assert users.grant("bob", "unheard-of")
    found = again(users, bob)
    assert (found.groups, found.roles) == ({"staff"}, {"editor", "unheard-of"})
    assert found.permissions == {"page:edit", "page:view"}
    assert users.grants() == [Grant("group:staff", "editor"), Grant("user:bob", "unheard-of")]
    assert users.members("staff") == [Member("user", "bob", bob.id)]
    assert users.revoke("group:staff", "editor")
    assert not users.revoke("group:staff", "editor")
    assert again(users, bob).permissions == frozenset()
    assert users.remove_member("staff", "bob")
    assert not users.remove_member("staff", "bob")
    assert again(users, bob).groups == frozenset()


def test_groups_may_be_members_of_groups(users: LocalUsers):
    bob, eve = users.create("bob"), users.create("eve")
    for group in ("all", "staff", "admins"):
        users.create_group(group)
    users.add_member("all", "group:staff")
    users.add_member("all", "eve")
    users.add_member("staff", "group:admins")
    users.add_member("admins", "bob")
    users.grant("group:all", "editor")
    assert again(users, bob).groups == {"all", "staff", "admins"}
    assert again(users, bob).roles == again(users, eve).roles == {"editor"}
    assert again(users, eve).groups == {"all"}
    assert [(each.name, each.members) for each in users.groups()] == [("admins", 1), ("all", 2), ("staff", 1)]
    assert [each.name for each in users.members("all")] == ["staff", "eve"]
    users.remove_member("staff", "group:admins")
    assert again(users, bob).groups == {"admins"}
    assert again(users, bob).roles == frozenset()
    users.add_member("staff", "group:admins")
    users.delete_group("staff")
    assert again(users, bob).groups == {"admins"}
    assert [each.name for each in users.groups()] == ["admins", "all"]


def test_a_group_is_not_a_member_of_itself(users: LocalUsers):
    for group in ("a", "b", "c"):
        users.create_group(group)
    users.add_member("a", "group:b")
    users.add_member("b", "group:c")
    for group in ("a", "b", "c"):
        with pytest.raises(ValueError, match="cannot be a member of itself"):
            users.add_member("c", f"group:{group}")


def test_names_of_groups_are_unique_and_those_of_roles_are_words(users: LocalUsers):
    users.create_group("Staff")
    with pytest.raises(Conflict):
        users.create_group("staff")
    bob = users.create("bob")
    for wrong in ("", "two words", "a,b", "a:b", "a\nb", "\u202ea", "x" * 200):
        with pytest.raises(ValueError, match="the name of a group must"):
            users.create_group(wrong)
        with pytest.raises(ValueError, match="the name of a role must"):
            users.grant("bob", wrong)
    assert again(users, bob).roles == frozenset()


def test_what_a_provider_says_of_groups_leaves_alone_what_people_here_have_decided(users: LocalUsers):
    bob = users.create("bob")
    users.create_group("staff")
    users.create_group("admins")
    users.add_member("staff", "bob")
    users.sync_groups(bob.id, ["staff", "Admins", "new"], "oidc:corp")
    assert again(users, bob).groups == {"staff", "admins", "new"}
    users.sync_groups(bob.id, ["new"], "oidc:other")
    users.sync_groups(bob.id, [], "oidc:corp")
    assert again(users, bob).groups == {"staff", "new"}
    assert [each.origin for each in users.members("staff")] == ["ours"]
    users.sync_groups(bob.id, [], "oidc:other")
    assert again(users, bob).groups == {"staff"}


def test_accounts_of_other_sources_have_groups_and_roles_here_too(users: LocalUsers):
    ann = Account("htpasswd:ann", "ann", "htpasswd", epoch=7, groups=frozenset({"theirs"}), roles=frozenset({"editor"}))
    assert users.complete(ann) == ann._replace(permissions=frozenset({"page:edit", "page:view"}))
    users.create_group("staff")
    users.add_member("staff", "htpasswd:ann")
    users.grant("user:htpasswd:ann", "admin")
    users.set_second_factor("htpasswd:ann", True)
    users.raise_epoch("htpasswd:ann")
    found = users.complete(ann)
    assert (found.groups, found.roles) == ({"theirs", "staff"}, {"editor", "admin"})
    assert found.permissions == {"page:edit", "page:view", "page:*", "user:*"}
    assert (found.has_second_factor, found.epoch) == (True, 8)
    assert users.members("staff") == [Member("user", "htpasswd:ann", "htpasswd:ann")]
    assert users.grants() == [Grant("user:htpasswd:ann", "admin")]
    users.delete("htpasswd:ann")
    assert users.complete(ann).groups == {"theirs"}
    bob = users.create("bob")
    assert users.complete(bob) is bob


def test_of_many_who_take_one_name_at_once_one_gets_it(users: LocalUsers):
    together = threading.Barrier(8, timeout=30)
    outcomes: list[str] = []

    def create() -> None:
        together.wait()
        for number in range(10):
            try:
                users.create(f"user{number}")
            except Conflict:
                outcomes.append("taken")
            else:
                outcomes.append("made")

    run_together(create)
    assert outcomes.count("made") == 10
    assert len(users.all()) == 10


def test_changes_of_many_at_once_all_count(users: LocalUsers):
    bob = users.create("bob")
    users.create_group("staff")
    together = threading.Barrier(8, timeout=30)
    numbers = iter(range(8))

    def change() -> None:
        mine = next(numbers)
        together.wait()
        users.raise_epoch(bob.id)
        users.grant("group:staff", f"role{mine}")
        users.add_member("staff", "bob")
        users.grant("user:bob", f"own{mine}")

    run_together(change)
    assert again(users, bob).epoch == 8
    assert again(users, bob).roles == {f"{kind}{number}" for kind in ("role", "own") for number in range(8)}


def test_groups_that_become_members_of_each_other_at_once_make_no_circle(users: LocalUsers):
    for number in range(4):
        users.create_group(f"g{number}")
    together = threading.Barrier(4, timeout=30)
    numbers = iter(range(4))
    refused: list[int] = []

    def add() -> None:
        mine = next(numbers)
        together.wait()
        try:
            users.add_member(f"g{mine}", f"group:g{(mine + 1) % 4}")
        except ValueError:
            refused.append(mine)

    run_together(add, 4)
    assert len(refused) == 1


def run_together(target: Callable[[], None], count: int = 8) -> None:
    threads = [threading.Thread(target=target) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
