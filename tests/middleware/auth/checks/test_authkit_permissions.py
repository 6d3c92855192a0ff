"""AuthKit's permissions and the functions that ask for them, as they were documented."""

from __future__ import annotations

import logging
import pickle
from datetime import UTC, datetime, time
from typing import Any

import pytest
from auth_known_people import KnownPeople
from auth_people import person, request_of
from webob.exc import HTTPForbidden, HTTPPaymentRequired

from wheatpaste.middleware.auth.account import Account
from wheatpaste.middleware.auth.authkit import (
    And,
    BetweenTimes,
    Exists,
    FromIP,
    HasAuthKitGroup,
    HasAuthKitRole,
    NonConformingPermissionError,
    NotAuthenticatedError,
    NotAuthorizedError,
    Permission,
    PermissionError,
    PermissionSetupError,
    RemoteUser,
    RequestPermission,
    UserIn,
    ValidAuthKitUser,
    authorize,
    authorize_request,
    authorized,
    middleware,
)
from wheatpaste.middleware.auth.permissions import HasRole, Mfa
from wheatpaste.middleware.http_exceptions import HTTPExceptions
from wheatpaste.testing import Client

BOB = person("Bob", roles=["Editor"], groups=["Staff"])
KEPT = BOB._replace(account=Account("local:1", "Bob", "local"))
LOGIN = {"login"}
NONE: set[str] = set()


@pytest.mark.parametrize(
    ("permission", "who", "environ", "remedies"),
    [
        (RemoteUser(), None, {}, LOGIN),
        (RemoteUser(), BOB, {}, None),
        (RemoteUser(), BOB._replace(name=""), {}, NONE),
        (RemoteUser(accept_empty=True), BOB._replace(name=""), {}, None),
        (ValidAuthKitUser(), None, {}, LOGIN),
        (ValidAuthKitUser(), BOB, {}, NONE),
        (ValidAuthKitUser(), KEPT, {}, None),
        (UserIn(["bob", "eve"]), None, {}, LOGIN),
        (UserIn(["bob", "eve"]), BOB, {}, None),
        (UserIn("BOB"), BOB, {}, None),
        (UserIn(("eve",)), BOB, {}, NONE),
        (HasAuthKitRole("editor"), None, {}, LOGIN),
        (HasAuthKitRole(["admin", "EDITOR"]), BOB, {}, None),
        (HasAuthKitRole(["admin", "editor"], all=True), BOB, {}, NONE),
        (HasAuthKitRole("no such role"), BOB, {}, NONE),
        (HasAuthKitGroup("staff"), None, {}, LOGIN),
        (HasAuthKitGroup(["x", "staff"]), BOB, {}, None),
        (HasAuthKitGroup("x"), BOB, {}, NONE),
        (HasAuthKitGroup(["x", None]), BOB, {}, NONE),
        (HasAuthKitGroup(["x", None]), BOB._replace(groups=frozenset()), {}, None),
        (HasAuthKitGroup(None), BOB._replace(groups=frozenset()), {}, None),
        (FromIP("192.0.2.7"), None, {}, None),
        (FromIP(["10.0.0.0/8", "192.0.2.0/24"]), None, {}, None),
        (FromIP("10.0.0.1"), None, {}, NONE),
        (FromIP("::1", key="peer"), None, {"peer": "0:0:0:0:0:0:0:1"}, None),
        (FromIP("::1", key="peer"), None, {}, NONE),
        (Exists("my.key"), None, {"my.key": ""}, None),
        (Exists("my.key"), None, {}, NONE),
        (And(UserIn("bob"), HasAuthKitRole("editor")), BOB, {}, None),
        (And(UserIn("bob"), HasAuthKitRole("x")), BOB, {}, NONE),
        (And(UserIn("bob"), HasAuthKitRole("x")), None, {}, LOGIN),
        (Permission(), None, {}, None),
        (HasAuthKitRole("editor") & ~UserIn("eve") & Mfa(), BOB, {}, {"mfa"}),
    ],
    ids=repr,
)
def test_a_permission_of_authkit_decides(
    permission: Any, who: Any, environ: dict[str, Any], remedies: set[str] | None
) -> None:
    decision = permission.decide(request_of(who, **environ))
    assert (decision.allowed, decision.remedies) == (remedies is None, remedies or NONE)


@pytest.mark.parametrize(("hour", "allowed"), [(8, True), (17, True), (18, False), (7, False)])
def test_times_are_between_start_and_before_end(hour: int, allowed: bool) -> None:
    now = datetime(2027, 3, 1, hour, tzinfo=UTC).timestamp()
    assert BetweenTimes(time(8), time(18), tz="UTC").decide(request_of(now=now)).allowed is allowed
    assert BetweenTimes(time(18), time(8), tz="UTC").decide(request_of(now=now)).allowed is not allowed


def test_a_role_that_there_is_not_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    class Users:
        def role_exists(self, role: str) -> bool:
            return role == "editor"

    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            HasAuthKitRole(["misspelt once", "editor"], all=True).decide(request_of(BOB, **{"authkit.users": Users()}))
    assert [each.getMessage() for each in caplog.records] == ["there is no role 'misspelt once', so that nobody has it"]


@pytest.mark.parametrize(
    "make",
    [
        lambda: And(UserIn("bob")),
        lambda: And(UserIn("bob"), "eve"),
        lambda: UserIn([]),
        lambda: UserIn(["bob", None]),  # type: ignore[list-item]
        lambda: HasAuthKitRole(""),
        lambda: HasAuthKitGroup([]),
        lambda: authorize("bob"),
        lambda: middleware(None, object()),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_a_permission_is_refused_when_it_is_made(make: Any) -> None:
    with pytest.raises(PermissionSetupError):
        make()


def test_they_are_values_and_written_like_others() -> None:
    assert UserIn(["a"]) == UserIn(["a"]) != UserIn(["b"])
    assert repr(HasAuthKitRole(["a"], all=True)) == "HasAuthKitRole(['a'], all=True)"
    assert str(HasAuthKitRole(["a", "b"]) & FromIP("10.0.0.0/8")) == "role a b and from 10.0.0.0/8"
    assert {UserIn(["a"]), UserIn(["a"])} == {UserIn(["a"])}
    assert pickle.loads(pickle.dumps(UserIn(["a"]))) == UserIn(["a"])


# Asking ---------------------------------------------------------------------------------------------------------------


class IsBob(RequestPermission):
    """As programs wrote them: with attributes, without a call of the base's constructor."""

    def __init__(self, name: str) -> None:
        self.name = name

    def check(self, app: Any, environ: dict[str, Any], start_response: Any) -> Any:
        if not environ.get("REMOTE_USER"):
            raise NotAuthenticatedError("Not signed in")
        if environ["REMOTE_USER"] != self.name:
            raise NotAuthorizedError("Not bob")
        return app(environ, start_response)


class OnlyCheck:
    """One that inherits nothing of ours, and raises what WebOb has."""

    def check(self, app: Any, environ: dict[str, Any], start_response: Any) -> Any:
        if environ.get("REMOTE_USER") != "bob":
            raise HTTPForbidden
        return app(environ, start_response)


def fine(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]


class Site:
    def __init__(self, permission: Any) -> None:
        self.app = authorize(permission)(self.method)

    def method(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        return fine(environ, start_response)


def requesting(permission: Any) -> Any:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        authorize_request(environ, permission)
        return fine(environ, start_response)

    return app


WAYS = {
    "authorize": lambda permission: authorize(permission)(fine),
    "authorize a method": lambda permission: Site(permission).app,
    "authorize_request": requesting,
    "middleware": lambda permission: middleware(fine, permission),
}

each_way = pytest.mark.parametrize("way", list(WAYS.values()), ids=list(WAYS))


@each_way
@pytest.mark.parametrize(
    ("permission", "statuses"),
    [
        (UserIn("bob"), (401, 200, 403)),
        (IsBob("bob"), (401, 200, 403)),
        (And(RemoteUser(), IsBob("bob")), (401, 200, 403)),
        (OnlyCheck(), (403, 200, 403)),
        (HasRole("editor"), (401, 403, 200)),
        (IsBob("bob") | HasRole("editor"), (401, 200, 200)),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_a_request_is_authorised(way: Any, permission: Any, statuses: tuple[int, int, int]) -> None:
    site = KnownPeople(way(permission))
    assert tuple(site.ask(who).status for who in (None, "bob", "ada")) == statuses


@each_way
@pytest.mark.parametrize(
    "permission",
    [
        HasAuthKitRole("x", error=HTTPPaymentRequired),
        HasAuthKitGroup("x", error=HTTPPaymentRequired("Pay.")),
        And(RemoteUser(), Exists("my.key", error=HTTPPaymentRequired)),
    ],
    ids=["a role", "a group", "within and"],
)
def test_a_permission_has_its_own_error(way: Any, permission: Any) -> None:
    assert KnownPeople(way(permission)).ask("bob").status == 402


@each_way
@pytest.mark.parametrize("permission", [UserIn("bob"), RemoteUser(), And(RemoteUser(), RemoteUser())])
def test_without_a_filter_in_front_authkits_names_let_nobody_in(way: Any, permission: Any) -> None:
    app = HTTPExceptions(way(permission))
    assert Client(app).get("/", environ={"REMOTE_USER": "bob", "authkit.config": {}}).status == 403


def test_a_question_has_an_answer() -> None:
    seen = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        wanted = (UserIn("bob"), IsBob("bob"), OnlyCheck(), HasRole("editor"))
        seen.append([authorized(environ, each) for each in wanted])
        return fine(environ, start_response)

    site = KnownPeople(app)
    for who in (None, "bob", "ada"):
        site.ask(who)
    assert seen == [[False] * 4, [True, True, True, False], [False, False, False, True]]


def test_a_permission_that_asks_signed_in_users_for_a_login_is_an_error() -> None:
    class Circle(Permission):
        def check(self, app: Any, environ: dict[str, Any], start_response: Any) -> Any:
            raise NotAuthenticatedError

    with pytest.raises(NonConformingPermissionError, match="Circle"):
        KnownPeople(middleware(fine, Circle())).ask("bob")
    assert KnownPeople(middleware(fine, Circle())).ask().status == 401
    assert KnownPeople(requesting(Circle())).ask("bob").status == 403


class HasSecretHeader(Permission):
    """One that looks at the response."""

    def check(self, app: Any, environ: dict[str, Any], start_response: Any) -> Any:
        def start(status: str, headers: Any, exc_info: Any = None) -> Any:
            if ("X-Secret", "1") in headers:
                raise NotAuthorizedError
            return start_response(status, headers)

        return app(environ, start)


def test_a_permission_may_look_at_the_response_where_the_app_is_called() -> None:
    def secret(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain"), ("X-Secret", "1")])
        return [b"secret"]

    assert KnownPeople(middleware(secret, HasSecretHeader())).ask("bob").status == 403
    assert KnownPeople(middleware(fine, HasSecretHeader())).ask("bob").status == 200
    assert KnownPeople(authorize(HasSecretHeader())(secret)).ask("bob").status == 403
    with pytest.raises(PermissionSetupError, match="looks at responses"):
        KnownPeople(requesting(HasSecretHeader())).ask("bob")


def test_a_check_that_neither_raises_nor_calls_the_app_lets_nobody_in() -> None:
    class Silent(Permission):
        def check(self, app: Any, environ: dict[str, Any], start_response: Any) -> Any:
            return []

    assert KnownPeople(requesting(Silent())).ask("bob").status == 403


def test_a_check_cannot_change_the_request_that_it_is_asked_about() -> None:
    class Meddling(Permission):
        def check(self, app: Any, environ: dict[str, Any], start_response: Any) -> Any:
            environ["REMOTE_USER"] = "root"
            return app(environ, start_response)

    seen: list[str] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        authorize_request(environ, Meddling())
        seen.append(environ["REMOTE_USER"])
        return fine(environ, start_response)

    KnownPeople(app).ask("bob")
    assert seen == ["bob"]


def test_what_the_app_itself_raises_is_its_own() -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        raise NotAuthenticatedError

    assert KnownPeople(middleware(app, IsBob("bob"))).ask("bob").status == 403


def test_their_errors_are_answers_and_told_apart() -> None:
    assert issubclass(NotAuthenticatedError, PermissionError)
    assert Client(NotAuthenticatedError()).get("/").status == 401
    assert Client(NotAuthorizedError("x")).get("/").status == 403
