"""It asks the deployer's own function, as AuthKit did."""

from typing import Any

import pytest
from auth_guarded_site import GuardedSite, KeptUsers

from wheatpaste.middleware.auth.account import Account
from wheatpaste.middleware.auth.method import Failed
from wheatpaste.middleware.auth.sources.callable_source import CallableSource, source_from


def check(environ: Any, username: str, password: str) -> bool:
    return (username, password) == ("Bob", "sesame")


def lookup(username: str) -> Any:
    if username.lower() == "bob":
        return {
            "name": "Bob",
            "display": "Bob B.",
            "email": None,
            "groups": ["staff"],
            "roles": ("editor", 7),
            "disabled": 0,
            "epoch": "hash of a password",
            "unknown": "ignored",
        }
    return {"known": True, "simple": True}.get(username)


def test_without_more_each_name_may_be_a_users() -> None:
    source = CallableSource(check)
    assert source.find("Bob") == Account("callable:Bob", "Bob", "callable")
    assert source.get("callable:whoever") == Account("callable:whoever", "whoever", "callable")
    site = GuardedSite(source)
    assert isinstance(site.passwords.check(site.visit(), "Bob", "sesame"), Account)
    assert isinstance(site.passwords.check(site.visit(), "bob", "sesame"), Failed)


def test_a_second_function_tells_who_the_users_are() -> None:
    source = CallableSource(check, lookup)
    bob = source.find("BOB")
    assert bob is not None
    assert (bob.id, bob.name, bob.display, bob.email) == ("callable:Bob", "Bob", "Bob B.", "")
    assert (bob.groups, bob.roles, bob.disabled) == ({"staff"}, {"editor", "7"}, False)
    assert bob.epoch > 0
    assert source.get("callable:Bob") == bob
    assert source.get("callable:BOB") is None
    assert source.find("nobody") is None
    assert source.find("simple") == Account("callable:simple", "simple", "callable")


@pytest.mark.parametrize("said", [0, None, "", [], False])
def test_whatever_is_not_true_is_a_no(said: object) -> None:
    site = GuardedSite(CallableSource(lambda environ, username, password: said))
    assert isinstance(site.passwords.check(site.visit(), "bob", "sesame"), Failed)


def test_what_the_function_raises_is_its_authors() -> None:
    def broken(environ: Any, username: str, password: str) -> bool:
        raise ZeroDivisionError

    site = GuardedSite(CallableSource(broken))
    with pytest.raises(ZeroDivisionError):
        site.passwords.check(site.visit(), "bob", "sesame")


def test_a_source_of_ones_own_stands_for_itself() -> None:
    own = KeptUsers({"bob": None}, name="payroll")
    assert source_from(own) is own

    class Payroll(KeptUsers):
        def __init__(self) -> None:
            super().__init__(name="payroll")

    assert isinstance(source_from(Payroll), Payroll)
    assert isinstance(source_from(check), CallableSource)
    with pytest.raises(TypeError, match="must be a function"):
        source_from("text")
