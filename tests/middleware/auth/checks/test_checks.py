"""Code of an app asks: by functions, by decorators, by a filter, by the environ; and whoever refuses is believed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import paste.httpexceptions
import pytest
import webob.exc
import werkzeug.exceptions
from auth_known_people import PEOPLE, KnownPeople
from auth_people import request_of

from wheatpaste.config.check import check_file
from wheatpaste.config.problems import ConfigError
from wheatpaste.middleware.auth.authkit import NotAuthenticatedError, NotAuthorizedError
from wheatpaste.middleware.auth.checks import Guarded, allowed, check, require
from wheatpaste.middleware.auth.denials import NotAuthenticated, NotAuthorized, denial
from wheatpaste.middleware.auth.permissions import (
    Anonymous,
    Authenticated,
    Everyone,
    Fresh,
    FromIP,
    HasPermission,
    HasRole,
    HasScope,
    Mfa,
    Nobody,
    RuleError,
    User,
)
from wheatpaste.middleware.auth.require import filter_factory
from wheatpaste.middleware.http_exceptions import HTTPExceptions
from wheatpaste.testing import Client

EDITOR = HasRole("editor")
NAVIGATION = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


def fine(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "4")])
    return [b"fine"]


def checking(permission: Any) -> Any:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        check(environ, permission)
        return fine(environ, start_response)

    return app


def checking_late(permission: Any) -> Any:
    """Asks when its reply has started, and nothing was sent."""

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "4")])
        check(environ, permission)
        yield b"fine"

    return app


class Site:
    def __init__(self, permission: Any) -> None:
        self.app = require(permission)(self.method)

    def method(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        return fine(environ, start_response)


WAYS: dict[str, Callable[[Any], Any]] = {
    "check": checking,
    "check, late": checking_late,
    "@require": lambda permission: require(permission)(fine),
    "@require on a method": lambda permission: Site(permission).app,
    "require.middleware": lambda permission: require.middleware(fine, permission),
    "the filter": lambda permission: filter_factory({}, rule=str(permission))(fine),
}

each_way = pytest.mark.parametrize("way", list(WAYS.values()), ids=list(WAYS))


@each_way
@pytest.mark.parametrize(
    ("permission", "who", "status"),
    [
        (EDITOR, "ada", 200),
        (EDITOR, "eve", 200),
        (EDITOR, "bob", 403),
        (EDITOR, None, 401),
        (EDITOR & FromIP("10.0.0.0/8"), None, 403),
        (Authenticated() & Mfa(), "ada", 200),
        (User("bob") | EDITOR, "bob", 200),
    ],
)
def test_who_may_gets_in_and_others_the_status_that_helps(
    way: Any, permission: Any, who: str | None, status: int
) -> None:
    site = KnownPeople(way(permission))
    answer = site.ask(who)
    assert answer.status == status
    assert len(site.denials()) == (1 if status == 403 else 0), "who has only not logged in yet was denied nothing"
    if status == 401:
        assert answer.headers["WWW-Authenticate"] == "Test"


@each_way
def test_a_browser_is_sent_to_the_login_and_to_more_factors(way: Any) -> None:
    def location(permission: Any, who: str | None) -> str:
        answer = KnownPeople(way(permission)).ask(who, "/page?a=b", **NAVIGATION)
        assert answer.status == 303
        return answer.headers["Location"] or ""

    assert location(EDITOR, None) == "/-/auth/login?next=%2Fpage%3Fa%3Db"
    assert location(Mfa(), "bob").startswith("/-/auth/second?")
    assert location(Fresh("5m"), "bob").startswith("/-/auth/confirm?")
    page = KnownPeople(way(EDITOR)).ask("bob", "/page", **NAVIGATION)
    assert page.status == 403


@each_way
def test_a_program_is_told_what_to_show(way: Any) -> None:
    def challenge(permission: Any, who: str, status: int) -> str:
        answer = KnownPeople(way(permission)).ask(who)
        assert answer.status == status
        return answer.headers["WWW-Authenticate"] or ""

    assert challenge(HasScope("api:write", "a"), "ci", 403) == (
        'Bearer error="insufficient_scope", scope="a api:write"'
    )
    assert challenge(Mfa(), "eve", 401) == 'Bearer error="insufficient_user_authentication", acr_values="mfa"'
    assert challenge(Fresh("5m"), "bob", 401) == 'Bearer error="insufficient_user_authentication", max_age=300'


def test_the_age_that_is_wanted_is_named() -> None:
    bob = PEOPLE["bob"]
    raised = denial((Fresh("5m") & Mfa()).decide(request_of(bob)), bob)
    assert isinstance(raised, NotAuthenticated)
    assert raised.headers == [
        ("WWW-Authenticate", 'Bearer error="insufficient_user_authentication", acr_values="mfa", max_age=300')
    ]
    assert str(raised) == "Show once more who you are. (needs fresh 5m, mfa)"
    assert raised.decision.reasons == ("fresh 5m", "mfa")


@each_way
def test_without_a_filter_in_front_nobody_gets_in(way: Any, caplog: pytest.LogCaptureFixture) -> None:
    for forged in ({}, {"REMOTE_USER": "ada", "wheatpaste.identity": {"name": "ada", "roles": ["editor"]}}):
        answer = Client(HTTPExceptions(way(EDITOR)), lint=True).get("/", environ=forged)
        assert answer.status == 403
    assert "no filter such as egg:wheatpaste#auth stands in front" in caplog.text


@each_way
@pytest.mark.parametrize(
    ("permission", "status"),
    [
        (Everyone(), 200),
        (FromIP("127.0.0.1"), 200),
        (~FromIP("127.0.0.1"), 403),
        (Nobody(), 403),
        (~User("intern"), 403),
        (Anonymous(), 403),
        (Everyone() | Authenticated(), 403),
    ],
)
def test_without_one_only_what_depends_on_nobody_is_answered(way: Any, permission: Any, status: int) -> None:
    """What nobody is known for would otherwise let everybody in: not user intern."""
    assert Client(HTTPExceptions(way(permission)), lint=True).get("/").status == status


@each_way
@pytest.mark.parametrize(("says", "status"), [(True, 200), (False, 403), ("yes", 403), (None, 403)])
def test_somebody_else_in_front_is_asked_in_words(way: Any, says: Any, status: int) -> None:
    asked = []

    def theirs(rule: str) -> Any:
        asked.append(rule)
        return says

    answer = Client(HTTPExceptions(way(EDITOR & Mfa()))).get("/", environ={"wheatpaste.allowed": theirs})
    assert (answer.status, asked) == (status, ["role editor and mfa"])


def test_an_app_asks_without_raising() -> None:
    seen = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        ask = environ["wheatpaste.allowed"]
        seen.append([allowed(environ, EDITOR), allowed(environ, "role editor"), ask("role editor"), ask("user bob")])
        return fine(environ, start_response)

    site = KnownPeople(app)
    for who in ("ada", "bob", None):
        site.ask(who)
    assert seen == [[True, True, True, False], [False, False, False, True], [False] * 4]
    assert site.denials() == [], "a question is no refusal"


def test_what_came_with_a_request_cannot_change_a_rule() -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        name = environ["QUERY_STRING"]
        seen.append(environ["wheatpaste.allowed"]("permission ?", name))
        return fine(environ, start_response)

    seen: list[bool] = []
    site = KnownPeople(app)
    for query in ("page:edit", "x%20or%20everyone", "page:*"):
        site.ask("ada", f"/?{query}")
        site.ask("bob", f"/?{query}")
    assert seen == [True, False, False, False, True, False]


def test_a_rule_that_an_app_got_wrong_lets_nobody_in() -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        environ["wheatpaste.allowed"]("rol editor")
        return fine(environ, start_response)

    with pytest.raises(RuleError, match="did you mean 'role'"):
        KnownPeople(app).ask("ada")
    with pytest.raises(RuleError):
        require("rol editor")
    with pytest.raises(TypeError, match="a permission or the text of a rule"):
        require(fine)  # type: ignore[arg-type]


def test_a_token_that_is_limited_counts_as_it_does_under_rules() -> None:
    for rules, status in ((None, 200), ({"/x": "authenticated"}, 200), ({"/x": "scope a"}, 403)):
        assert KnownPeople(checking(EDITOR), rules=rules).ask("ci").status == status


def test_a_refusal_names_the_place_and_the_terms_in_the_audit_log() -> None:
    site = KnownPeople(require(EDITOR & Mfa())(fine))
    site.ask("bob")
    assert site.denials() == ["fine: needs role editor, mfa"]
    assert site.events[0]["user"] == "local:bob"
    checks = KnownPeople(checking(HasPermission("page:edit")))
    checks.ask("bob")
    assert checks.denials() == ["the app: needs permission page:edit"]


def test_the_decorated_stays_what_it_was() -> None:
    class App:
        @require(EDITOR)
        def edit(self, environ: dict[str, Any], start_response: Any) -> Any:
            """Edits."""
            return fine(environ, start_response)

    assert App.edit.__doc__ == "Edits."
    assert KnownPeople(App().edit).ask("ada").text == "fine"
    assert KnownPeople(App().edit).ask("bob").status == 403
    named = require(EDITOR)(fine)
    answer = KnownPeople(lambda environ, start: named(environ=environ, start_response=start)).ask("bob")
    assert answer.status == 403
    guarded = require.middleware(fine, "role editor")
    assert isinstance(guarded, Guarded)
    assert "HasRole('editor')" in repr(guarded)


# Raised by hand -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("error", "anonymous", "known"), [(NotAuthenticated, 401, 403), (NotAuthorized, 403, 403)])
@pytest.mark.parametrize("late", [False, True])
def test_an_app_raises_them_itself(error: Any, anonymous: int, known: int, late: bool) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        if not late:
            raise error()
        return raising(start_response)

    def raising(start_response: Any) -> Any:
        start_response("200 OK", [("Content-Type", "text/plain")])
        raise error()
        yield b""

    site = KnownPeople(app)
    assert (site.ask().status, site.ask("bob").status) == (anonymous, known)


@pytest.mark.parametrize(
    ("unauthenticated", "unauthorised"),
    [
        (webob.exc.HTTPUnauthorized, webob.exc.HTTPForbidden),
        (paste.httpexceptions.HTTPUnauthorized, paste.httpexceptions.HTTPForbidden),
        (werkzeug.exceptions.Unauthorized, werkzeug.exceptions.Forbidden),
        (NotAuthenticatedError, NotAuthorizedError),
    ],
    ids=["WebOb", "Paste", "Werkzeug", "AuthKit"],
)
def test_exceptions_of_others_mean_the_same(unauthenticated: Any, unauthorised: Any) -> None:
    def raising(error: Any) -> Any:
        def app(environ: dict[str, Any], start_response: Any) -> Any:
            raise error()

        return app

    site = KnownPeople(raising(unauthenticated))
    assert [site.ask(who).status for who in (None, "bob")] == [401, 403]
    assert site.ask(None, **NAVIGATION).status == 303
    assert [KnownPeople(raising(unauthorised)).ask(who).status for who in (None, "bob")] == [403, 403]


@pytest.mark.parametrize(("error", "status"), [(NotAuthenticated(), 401), (NotAuthorized("Not on Sundays."), 403)])
def test_they_are_answers_by_themselves(error: Any, status: int) -> None:
    plain = Client(error, lint=True).get("/")
    assert (plain.status, error.detail in plain.text) == (status, True)
    document = Client(error, lint=True).get("/", headers={"Accept": "application/json"})
    assert json.loads(document.text)["detail"] == error.detail
    assert Client(error, lint=True).head("/").body == b""


def test_a_rule_names_the_age_that_is_wanted() -> None:
    answer = KnownPeople(fine, rules={"/*": "fresh 5m"}).ask("bob")
    assert (answer.status, "max_age=300" in (answer.headers["WWW-Authenticate"] or "")) == (401, True)


# The filter -----------------------------------------------------------------------------------------------------------


def test_the_filter_says_what_is_wrong_with_its_rule() -> None:
    for rule, says in (
        ("rol editor", "did you mean 'role'"),
        ("test os:getcwd", "nothing may but a rule in"),
        ("", "must say who may"),
    ):
        with pytest.raises(ConfigError, match=says):
            filter_factory({}, rule=rule)(fine)
    with pytest.raises(ConfigError, match="'rule' is missing"):
        filter_factory({})


def test_a_check_misses_the_filter_that_says_who_asks(tmp_path: Path) -> None:
    path = tmp_path / "site.ini"
    path.write_text(
        "[app:main]\nuse = egg:wheatpaste#echo\nfilter-with = must\n"
        "[filter:must]\nuse = egg:wheatpaste#require\nrule = role editor\n"
    )
    told = [each for each in check_file(str(path)) if each.section == "filter:must"]
    assert [each.severity for each in told] == ["error"]
    assert "no Auth filter stands around it" in told[0].message
