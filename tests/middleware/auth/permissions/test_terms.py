"""Each term: whom it lets in, and what would help the others."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time
from typing import Any

import pytest
from auth_people import NOW, person, request_of

from wheatpaste.middleware.auth.permissions import (
    ALLOWED,
    Anonymous,
    Authenticated,
    Between,
    Claim,
    Context,
    Decision,
    EnvironKey,
    Everyone,
    Fresh,
    FromIP,
    HasPermission,
    HasRole,
    HasScope,
    HttpMethod,
    InGroup,
    Method,
    Mfa,
    Nobody,
    Permission,
    Secure,
    Test,
    TokenScope,
    User,
    resolver,
)
from wheatpaste.middleware.auth.permissions.own import unregister

LOGIN = {"login"}
NONE: set[str] = set()


def token(*scopes: str) -> Any:
    return person(method="bearer", scopes=scopes)


def _named(value: object) -> str:
    """An id that is the same in each process: the order of sets is not."""
    if isinstance(value, set):
        return " ".join(sorted(value))
    return re.sub(r"frozenset\(\{(.*?)\}\)", lambda found: " ".join(sorted(found[1].split(", "))), repr(value))


@pytest.mark.parametrize(
    ("permission", "who", "remedies"),
    [
        (Everyone(), None, None),
        (Nobody(), person(), NONE),
        (Authenticated(), None, LOGIN),
        (Authenticated(), person(), None),
        (Anonymous(), None, None),
        (Anonymous(), person(), NONE),
        (User("bob", "eve"), None, LOGIN),
        (User("bob", "eve"), person("eve"), None),
        (User("bob"), person("eve"), NONE),
        (User("BOB"), person("bob"), None),
        (User("j\u00e9"), person("Je\u0301"), None),
        (User("local:bob"), person("bob"), None),
        (User("local:bob"), person("eve")._replace(name="local:bob"), NONE),
        (User("bob"), person("eve")._replace(id="bob"), NONE),
        (InGroup("staff"), None, LOGIN),
        (InGroup("staff", "it"), person(groups=["it"]), None),
        (InGroup("staff"), person(groups=["Staff"]), NONE),
        (HasRole("admin"), None, LOGIN),
        (HasRole("admin"), person(roles=["admin"]), None),
        (HasRole("admin"), person(groups=["admin"], permissions=["admin"]), NONE),
        (HasPermission("page:edit"), None, LOGIN),
        (HasPermission("page:edit"), person(permissions=["page:edit"]), None),
        (HasPermission("page:edit"), person(permissions=["page:*"]), None),
        (HasPermission("page:edit"), person(permissions=["*"]), None),
        (HasPermission("page:edit"), person(permissions=["page:view", "pag:*", "page"]), NONE),
        (HasPermission("page:edit:own"), person(permissions=["page:edit:*"]), None),
        (HasPermission("page:edit"), person(permissions=["page:edit:*"]), NONE),
        (HasPermission("page:edit", "page:see"), person(permissions=["page:see"]), None),
        (HasScope("a"), None, LOGIN),
        (HasScope("a"), person(), None),
        (HasScope("a"), token("a", "b"), None),
        (HasScope("a"), token("b"), {"scope:a"}),
        (HasScope("a"), token(), {"scope:a"}),
        (HasScope("a", "b"), token("c"), {"scope:a", "scope:b"}),
        (TokenScope("a"), None, {"scope:a"}),
        (TokenScope("a"), person(), {"scope:a"}),
        (TokenScope("a"), token("a"), None),
        (TokenScope("a"), token("b"), {"scope:a"}),
        (Method("session", "basic"), None, LOGIN),
        (Method("session", "basic"), person(), None),
        (Method("basic"), person(), NONE),
        (Mfa(), None, {"login", "mfa"}),
        (Mfa(), person(amr=("pwd",)), {"mfa"}),
        (Mfa(), person(amr=("pwd", "otp")), {"mfa"}),
        (Mfa(), person(amr=("pwd", "otp", "mfa")), None),
        (Mfa(), token("a"), {"mfa"}),
        (Fresh(), None, {"login", "fresh"}),
        (Fresh("10m"), person(auth_time=NOW - 600), None),
        (Fresh("10m"), person(auth_time=NOW - 601), {"fresh"}),
        (Fresh("10m"), person(auth_time=None), {"fresh"}),
        (Fresh("10m"), person(auth_time=NOW + 30), None),
        (Fresh("10m"), person(auth_time=NOW + 3600), {"fresh"}),
        (Claim("dep"), None, LOGIN),
        (Claim("dep"), person(claims={"dep": "it"}), None),
        (Claim("dep"), person(claims={"dep": None}), NONE),
        (Claim("dep"), person(claims={"dep": False}), NONE),
        (Claim("dep"), person(claims={"dep": []}), NONE),
        (Claim("dep", "it", "hr"), person(claims={"dep": ["x", "hr"]}), None),
        (Claim("dep", "it"), person(claims={"dep": "its"}), NONE),
        (Claim("dep", "it"), person(claims={"dep": {"it": 1}}), NONE),
        (Claim("level", "3"), person(claims={"level": 3}), None),
        (Claim("email_verified", "true"), person(claims={"email_verified": True}), None),
        (Claim("email_verified", "true"), person(claims={"email_verified": False}), NONE),
        (Claim("realm.roles", "x"), person(claims={"realm": {"roles": ["x"]}}), None),
        (Claim("realm.roles", "x"), person(claims={"realm.roles": "y", "realm": {"roles": ["x"]}}), NONE),
        (Claim("realm.roles", "x"), person(claims={"realm": "roles"}), NONE),
    ],
    ids=_named,
)
def test_a_term_decides_by_who_asks(permission: Permission, who: Any, remedies: set[str] | None) -> None:
    decision = permission.decide(request_of(who))
    assert decision.allowed == (remedies is None)
    assert decision.remedies == (remedies or NONE)


@pytest.mark.parametrize(
    ("permission", "environ", "allowed"),
    [
        (FromIP("10.0.0.0/8"), {"REMOTE_ADDR": "10.255.0.1"}, True),
        (FromIP("10.0.0.0/8"), {"REMOTE_ADDR": "11.0.0.1"}, False),
        (FromIP("10.0.0.0/8", "2001:db8::/32"), {"REMOTE_ADDR": "2001:db8::5"}, True),
        (FromIP("10.0.0.0/8"), {"REMOTE_ADDR": "::ffff:10.0.0.1"}, True),
        (FromIP("::1"), {"REMOTE_ADDR": "0:0:0:0:0:0:0:1"}, True),
        (FromIP("192.0.2.1"), {"REMOTE_ADDR": "192.0.2.10"}, False),
        (FromIP("0.0.0.0/0", "::/0"), {"REMOTE_ADDR": ""}, False),
        (FromIP("0.0.0.0/0", "unix"), {"REMOTE_ADDR": ""}, True),
        (FromIP("unix"), {"REMOTE_ADDR": "somewhere"}, False),
        (FromIP("127.0.0.0/8"), {"REMOTE_ADDR": "127.0.0.1, 10.0.0.1"}, False),
        (FromIP("127.0.0.0/8"), {"REMOTE_ADDR": "0177.0.0.1"}, False),
        (FromIP("127.0.0.1"), {"REMOTE_ADDR": "9" * 10_000}, False),
        (Secure(), {}, False),
        (Secure(), {"wsgi.url_scheme": "https"}, True),
        (Secure(), {"HTTP_X_FORWARDED_PROTO": "https", "HTTPS": "on"}, False),
        (HttpMethod("GET"), {"REQUEST_METHOD": "GET"}, True),
        (HttpMethod("GET"), {"REQUEST_METHOD": "HEAD"}, True),
        (HttpMethod("GET"), {"REQUEST_METHOD": "POST"}, False),
        (HttpMethod("post", "PUT"), {"REQUEST_METHOD": "POST"}, True),
        (HttpMethod("POST"), {"REQUEST_METHOD": "post"}, True),
        (EnvironKey("SSL_CLIENT_VERIFY", "SUCCESS"), {"SSL_CLIENT_VERIFY": "SUCCESS"}, True),
        (EnvironKey("SSL_CLIENT_VERIFY", "SUCCESS"), {"SSL_CLIENT_VERIFY": "NONE"}, False),
        (EnvironKey("my.key"), {"my.key": None}, True),
        (EnvironKey("my.key"), {}, False),
        (EnvironKey("my.key", "3"), {"my.key": 3}, True),
    ],
    ids=repr,
)
def test_a_term_decides_by_the_request(permission: Permission, environ: dict[str, Any], allowed: bool) -> None:
    decision = permission.decide(request_of(**environ))
    assert decision.allowed is allowed
    assert not decision.remedies


def test_a_proxy_that_took_tls_off_counts_as_secure() -> None:
    assert Secure().decide(request_of(secure=True)).allowed


@pytest.mark.parametrize(
    ("start", "end", "at", "allowed"),
    [
        ("08:00", "18:00", "07:59:59", False),
        ("08:00", "18:00", "08:00:00", True),
        ("08:00", "18:00", "17:59:59", True),
        ("08:00", "18:00", "18:00:00", False),
        ("22:00", "06:00", "23:00:00", True),
        ("22:00", "06:00", "05:59:59", True),
        ("22:00", "06:00", "06:00:00", False),
        (time(8, 30), time(9, 0, 30), "09:00:29", True),
    ],
)
def test_a_time_of_day_goes_from_its_start_to_before_its_end(start: Any, end: Any, at: str, allowed: bool) -> None:
    hour, minute, second = map(int, at.split(":"))
    now = datetime(2027, 1, 15, hour, minute, second, tzinfo=UTC).timestamp()
    assert Between(start, end, "UTC").decide(request_of(now=now)).allowed is allowed


def test_a_time_of_day_is_that_of_its_zone() -> None:
    summer = datetime(2027, 7, 1, 6, 30, tzinfo=UTC).timestamp()
    winter = datetime(2027, 1, 4, 6, 30, tzinfo=UTC).timestamp()
    work = Between("08:00", "18:00", "Europe/Berlin")
    assert work.decide(request_of(now=summer)).allowed
    assert not work.decide(request_of(now=winter)).allowed


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: HasRole(), "at least one name"),
        (lambda: HasRole(" "), "empty name"),
        (lambda: FromIP("10.0.0.1/8"), "write 10.0.0.0/8 or 10.0.0.1"),
        (lambda: FromIP("example.com"), "no network"),
        (lambda: FromIP("*"), "write everyone"),
        (lambda: FromIP(), "at least one"),
        (lambda: Fresh("soon"), "duration"),
        (lambda: Fresh(0), "at least one second"),
        (lambda: Fresh(float("nan")), "at least one second"),
        (lambda: Between("8", "9"), "no time of day"),
        (lambda: Between("25:00", "26:00"), "no time of day"),
        (lambda: Between("08:00", "08:00"), "for the whole day"),
        (lambda: Between("08:00", "09:00", "Mars/Base"), "no time zone"),
        (lambda: Between("08:00", "09:00", "../../etc/passwd"), "no time zone"),
        (lambda: HttpMethod("GET /"), "no request method"),
        (lambda: HttpMethod(), "at least one"),
        (lambda: Claim(""), "empty name"),
        (lambda: EnvironKey(" "), "empty key"),
        (lambda: HasPermission(), "at least one name"),
    ],
)
def test_a_term_that_means_nothing_is_not_made(make: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        make()


def test_a_list_of_names_is_not_taken_for_a_name() -> None:
    with pytest.raises(TypeError, match=r"HasRole\(\*names\)"):
        HasRole(["admin"])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="asks a function"):
        Test("name")  # type: ignore[arg-type]


# Per object ----------------------------------------------------------------------------------------------------------


class Page:
    def __init__(self, owner: str) -> None:
        self.owner = owner


class Draft(Page):
    pass


@pytest.fixture
def _pages() -> Any:
    @resolver(Page)
    def who_may(name: str, page: Page) -> Permission | bool:
        if name == "page:read":
            return True
        if name == "page:burn":
            return False
        if name == "page:odd":
            return "no"  # type: ignore[return-value]  # a mistake must not let anybody in
        return User(page.owner) | HasPermission(name) & Mfa()

    yield
    unregister(Page)


@pytest.mark.usefixtures("_pages")
@pytest.mark.parametrize(
    ("name", "who", "remedies"),
    [
        ("page:edit", None, {"login", "mfa"}),
        ("page:edit", person("ada"), None),
        ("page:edit", person("eve"), NONE),
        ("page:edit", person("eve", permissions=["page:*"]), {"mfa"}),
        ("page:read", None, None),
        ("page:odd", person("ada"), NONE),
        ("page:burn", None, LOGIN),
        ("page:burn", person("ada"), NONE),
    ],
)
@pytest.mark.parametrize("kind", [Page, Draft])
def test_a_resolver_says_who_has_a_permission_on_an_object(
    name: str, who: Any, remedies: set[str] | None, kind: type[Page]
) -> None:
    decision = HasPermission(name, on=kind("ada")).decide(request_of(who))
    assert (decision.allowed, decision.remedies) == (remedies is None, remedies or NONE)


def test_an_object_of_which_nobody_says_anything_lets_nobody_in() -> None:
    with pytest.raises(LookupError, match="permissions on a Page"):
        HasPermission("page:edit", on=Page("ada")).decide(request_of(person("ada", permissions=["*"])))


@pytest.mark.usefixtures("_pages")
def test_permissions_on_different_objects_differ() -> None:
    page = Page("ada")
    assert HasPermission("a", on=page) == HasPermission("a", on=page)
    assert HasPermission("a", on=page) != HasPermission("a", on=Page("ada")) != HasPermission("a")


# By any function -----------------------------------------------------------------------------------------------------


def test_a_function_may_say_yes_or_decide_by_itself() -> None:
    assert Test(lambda ctx: 1).decide(request_of()).allowed
    assert not Test(lambda ctx: None).decide(request_of()).allowed
    ready = Decision(False, frozenset({"mfa"}))
    assert Test(lambda ctx: ready).decide(request_of()) == ready
    assert Test(lambda ctx: ALLOWED).decide(request_of()).allowed


def test_what_a_function_raises_travels() -> None:
    def broken(ctx: Context) -> bool:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        (Everyone() & Test(broken)).decide(request_of())
