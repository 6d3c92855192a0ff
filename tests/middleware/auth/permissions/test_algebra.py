"""What permissions come to when they are put together."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from auth_people import person, request_of

from wheatpaste.middleware.auth import permissions as p
from wheatpaste.middleware.auth.permissions import (
    ALLOWED,
    All,
    And,
    Anonymous,
    Authenticated,
    Decision,
    Everyone,
    Fresh,
    FromIP,
    HasRole,
    HasScope,
    Mfa,
    Nobody,
    Not,
    Or,
    Permission,
    Test,
    User,
)
from wheatpaste.middleware.auth.permissions import (
    Any as Any_,
)

ADMIN = person(roles=["admin"])
ADMIN_WITH_TWO = person(roles=["admin"], amr=("pwd", "otp", "mfa"))
CAN_ADMIN = HasRole("admin") & Mfa() & Fresh("10m") & ~User("intern")


@pytest.mark.parametrize(
    ("permission", "who", "allowed", "remedies"),
    [
        pytest.param(CAN_ADMIN, None, False, {"login", "mfa", "fresh"}, id="a login, and all that it needs, may help"),
        pytest.param(CAN_ADMIN, ADMIN, False, {"mfa"}, id="a second factor would help"),
        pytest.param(CAN_ADMIN, ADMIN_WITH_TWO, True, set(), id="all hold"),
        pytest.param(CAN_ADMIN, person("x"), False, set(), id="without the role a second factor would not help"),
        pytest.param(
            CAN_ADMIN, ADMIN_WITH_TWO._replace(name="Intern"), False, set(), id="nothing helps where a not refuses"
        ),
        pytest.param(
            Authenticated() & FromIP("10.0.0.0/8"), None, False, set(), id="a login would be in vain from elsewhere"
        ),
        pytest.param(Authenticated() | FromIP("10.0.0.0/8"), None, False, {"login"}, id="a login is one of the ways"),
        pytest.param(Mfa() | HasScope("a"), person(scopes=["b"]), False, {"mfa", "scope:a"}, id="each way may help"),
        pytest.param(~Authenticated(), ADMIN, False, set(), id="there is no remedy for not"),
        pytest.param(~Authenticated(), None, True, set(), id="not inverts"),
        pytest.param(~~Authenticated(), None, False, set(), id="twice not has lost the remedy"),
        pytest.param(Nobody() & Authenticated(), None, False, set(), id="nobody is nobody"),
        pytest.param(Everyone() | Nobody(), None, True, set(), id="everyone is everyone"),
    ],
)
def test_a_decision_says_what_would_help(permission: Permission, who: Any, allowed: bool, remedies: set[str]) -> None:
    decision = permission.decide(request_of(who))
    assert (decision.allowed, set(decision.remedies)) == (allowed, remedies)


def test_a_decision_names_the_terms_that_do_not_hold() -> None:
    decision = CAN_ADMIN.decide(request_of(person("intern")))
    assert decision.reasons == ("role admin", "mfa", "not user intern")
    assert decision.reason == "needs role admin, mfa, not user intern"
    assert ALLOWED.reason == ""


def test_of_two_ages_the_smaller_has_to_be_reached() -> None:
    old = request_of(person(auth_time=0.0))
    assert (Fresh("1h") & Fresh("5m")).decide(old).max_age == 300
    assert (Fresh("1h") & Nobody()).decide(old).max_age is None
    assert Authenticated().decide(request_of()).max_age is None


@pytest.mark.parametrize("who", [None, ADMIN, ADMIN_WITH_TWO, person("x", scopes=["a"])])
@pytest.mark.parametrize("permission", [CAN_ADMIN, HasScope("b"), Authenticated(), ~Mfa(), Nobody(), Everyone()])
def test_everyone_changes_nothing_in_and_and_nobody_nothing_in_or(permission: Permission, who: Any) -> None:
    plain = permission.decide(request_of(who))
    assert (Everyone() & permission).decide(request_of(who)) == plain
    assert (permission & Everyone()).decide(request_of(who)) == plain
    assert (Nobody() | permission).decide(request_of(who))[:2] == plain[:2]
    assert (permission | Nobody()).decide(request_of(who))[:2] == plain[:2]


def test_a_permission_is_neither_true_nor_false() -> None:
    with pytest.raises(TypeError, match="by &, | and ~"):
        Authenticated() and Mfa()
    with pytest.raises(TypeError):
        bool(CAN_ADMIN)
    with pytest.raises(TypeError):
        not Mfa()


def test_a_decision_is_asked_whether_it_allows_and_never_taken_for_true() -> None:
    with pytest.raises(TypeError, match="allowed"):
        bool(Everyone().decide(request_of()))


def test_permissions_with_the_same_meaning_are_equal_and_the_same_key() -> None:
    assert HasRole("a") & (Mfa() & Fresh()) == And(HasRole("a"), Mfa(), Fresh(600))
    assert len({HasRole("a"), HasRole("a"), HasRole("b"), User("a"), And(Mfa(), Fresh()), Mfa() & Fresh()}) == 4
    assert Mfa() & Fresh() != Mfa() | Fresh()
    assert Not(Mfa()) == ~Mfa() != Mfa()


def test_an_operator_makes_a_new_one_and_none_ever_changes() -> None:
    one = Mfa() & Fresh()
    both = one & HasRole("a")
    assert both is not one
    assert one == Mfa() & Fresh()
    with pytest.raises(AttributeError, match="do not change"):
        one.told = ()  # type: ignore[misc]
    with pytest.raises(AttributeError):
        del one.told
    with pytest.raises(AttributeError):
        Mfa().anything = 1  # type: ignore[attr-defined]


@pytest.mark.parametrize("joined", [lambda: Mfa() & "role admin", lambda: "x" | Mfa(), lambda: And(Mfa(), None)])
def test_only_permissions_are_joined(joined: Any) -> None:
    with pytest.raises(TypeError):
        joined()


def test_a_join_is_of_two_or_more_and_all_and_any_of_any_number() -> None:
    with pytest.raises(ValueError, match="at least two"):
        Or(Mfa())
    assert All() == Everyone()
    assert Any_() == Nobody()
    assert All(Mfa()) == Any_(Mfa()) == Mfa()
    assert All(Mfa(), Fresh()) == Mfa() & Fresh()
    assert Any_(Mfa(), Fresh()) == Mfa() | Fresh()


def test_a_repr_makes_an_equal_permission() -> None:
    permission = (CAN_ADMIN | ~(Anonymous() & FromIP("::1"))) & (Mfa() | HasRole("a", "b"))
    assert repr(permission) == (
        "((HasRole('admin') & Mfa() & Fresh('10m') & ~User('intern')) | ~(Anonymous() & FromIP('::1')))"
        " & (Mfa() | HasRole('a', 'b'))"
    )
    assert eval(repr(permission), vars(p)) == permission


def test_a_permission_can_be_pickled() -> None:
    assert pickle.loads(pickle.dumps(CAN_ADMIN)) == CAN_ADMIN
    page = p.HasPermission("a", on="page")
    assert pickle.loads(pickle.dumps(page)) == page


def test_code_of_the_application_may_count_on_what_stands_before_it() -> None:
    asked = []

    def is_bob(ctx: Any) -> bool:
        asked.append(ctx.identity.name)
        return ctx.identity.name == "bob"

    for permission in (Authenticated() & Test(is_bob), Authenticated() & (Mfa() | Test(is_bob)) & Everyone()):
        asked.clear()
        anonymous = permission.decide(request_of())
        assert (asked, anonymous.remedies) == ([], {"login"})
        assert permission.decide(request_of(person("bob"))).allowed
        assert not permission.decide(request_of(person("eve"))).allowed
        assert asked == ["bob", "eve"]


def test_a_permission_of_ones_own_joins_in() -> None:
    class Even(Permission):
        def decide(self, ctx: p.Context) -> Decision:
            return ALLOWED if ctx.environ["number"] % self.told[0] == 0 else self.denied()

        def __str__(self) -> str:
            return f"even {self.told[0]}"

    permission = Even(2) & ~Even(4)
    assert permission.decide(request_of(number=6)).allowed
    assert permission.decide(request_of(number=7)).reasons == ("even 2",)
    assert permission.decide(request_of(number=8)).reasons == ("not even 4",)
    assert Even(2) == Even(2) != Even(4)


def test_a_permission_that_does_not_say_how_it_decides_lets_nobody_in() -> None:
    class Unfinished(Permission):
        pass

    with pytest.raises(TypeError, match="no method decide"):
        Unfinished().decide(request_of())
