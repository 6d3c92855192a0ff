"""Rules in front of an app: which decides, and that no way of writing a request gets past it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from auth_people import NOW, person, request_of
from hypothesis import given
from hypothesis import strategies as st

from wheatpaste.config.options import OptionError
from wheatpaste.config.origin import BuildSite, Origin, building
from wheatpaste.middleware.auth.authority import Authority
from wheatpaste.middleware.auth.permissions import HasRole, Nobody, parse
from wheatpaste.middleware.auth.readings import is_unusual, loose_paths
from wheatpaste.middleware.auth.rules import RULES_READER, RuleOptions, Rules, Verdict, rules_of
from wheatpaste.middleware.auth.site import Site
from wheatpaste.middleware.auth.visit import Visit
from wheatpaste.middleware.storage.memory import MemoryStore

SITE = {
    "/static/*": "everyone",
    "/-/metrics": "from 10.0.0.0/8 or token scope metrics:read",
    "POST /api/*": "scope api:write",
    "/admin/*": "role admin and mfa and fresh 10m",
    "/*": "authenticated",
}
ADMIN = person("ada", roles=["admin"], amr=("pwd", "mfa"))


def judged(rules: Rules, path: str, who: Any = None, method: str = "GET", **environ: Any) -> Verdict:
    return rules.judge(request_of(who, REQUEST_METHOD=method, PATH_INFO=path, **environ))


@pytest.mark.parametrize(
    ("method", "path", "who", "rule", "remedies"),
    [
        ("GET", "/static/logo.png", None, "/static/*", None),
        ("GET", "/", None, "/*", {"login"}),
        ("GET", "/", person(), "/*", None),
        ("GET", "/admin", None, "/admin/*", {"login", "mfa", "fresh"}),
        ("GET", "/admin/users", person(), "/admin/*", set()),
        ("GET", "/admin/users", person(roles=["admin"]), "/admin/*", {"mfa"}),
        ("GET", "/admin/users", ADMIN._replace(auth_time=NOW - 9999), "/admin/*", {"fresh"}),
        ("GET", "/admin/users", ADMIN, "/admin/*", None),
        ("POST", "/api/x", person(method="bearer", scopes=["api:read"]), "POST /api/*", {"scope:api:write"}),
        ("POST", "/api/x", person(method="bearer", scopes=["api:write"]), "POST /api/*", None),
        ("GET", "/api/x", None, "/*", {"login"}),
        ("GET", "/-/metrics", None, "/-/metrics", {"scope:metrics:read"}),
        ("GET", "/-/metrics", person(method="bearer", scopes=["metrics:read"]), "/-/metrics", None),
    ],
)
def test_the_first_rule_that_is_about_a_request_decides(
    method: str, path: str, who: Any, rule: str, remedies: set[str] | None
) -> None:
    verdict = judged(rules_of(SITE), path, who, method)
    assert verdict.rule is not None
    assert (verdict.rule.key, verdict.allowed) == (rule, remedies is None)
    assert verdict.remedies == (remedies or set())


@pytest.mark.parametrize(
    ("default", "anonymous", "known"),
    [
        ("app", (True, set()), (True, set())),
        ("authenticated", (False, {"login"}), (True, set())),
        ("deny", (False, set()), (False, set())),
    ],
)
@pytest.mark.parametrize("rules", [{}, {"/other": "everyone"}])
def test_where_no_rule_is_about_a_request_the_default_holds(
    default: Any, anonymous: Any, known: Any, rules: dict[str, Any]
) -> None:
    site = rules_of(rules, default=default)
    for who, expected in ((None, anonymous), (person(), known)):
        verdict = judged(site, "/x", who)
        assert (verdict.allowed, verdict.remedies) == expected
        assert verdict.rule is None


# What no rule can be compared with ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "raw"),
    [
        ("/static/../admin", "/static/../admin"),
        ("/static/../admin", "/static/%2e%2e/admin"),
        ("/static/../admin", "/static/%2E./admin"),
        ("/static/..;/admin", "/static/..;/admin"),
        ("/static/./x", ""),
        ("/static\\..\\admin", ""),
        ("/static/..\\admin", ""),
        ("/static/a/b", "/static/a%2fb"),
        ("/static/a/b", "/static/a%2Fb"),
        ("/static/a\\b", "/static/a%5Cb"),
        ("/static/%2e%2e/admin", "/static/%252e%252e/admin"),
        ("/static/%252e%252e/admin", ""),
        ("/static/%2e%2e%2fadmin", ""),
        ("/static//admin", "/static//admin"),
        ("//admin", "//admin"),
        ("//admin.example.com/x", ""),
        ("/admin\x00", "/admin%00"),
        ("/admin\x00.png", ""),
        ("/ad\nmin", ""),
        ("/admin\x7f", ""),
        ("/admi\xff", "/admi%FFn"),
        ("/admi\xc3", ""),
        ("/adm\xc0\xadn", ""),
        ("/static/\xed\xa0\x80", ""),
        ("admin", "admin"),
        ("http://x/admin", "http://x/admin"),
        ("/\u0141", ""),
    ],
)
def test_a_path_that_can_be_read_in_two_ways_is_refused(path: str, raw: str) -> None:
    for who in (None, ADMIN):
        verdict = judged(rules_of(SITE), path, who, **({"REQUEST_URI": raw} if raw else {}))
        assert not verdict.allowed
        assert verdict.refusal
        assert verdict.remedies == frozenset()
        assert verdict.reason == verdict.refusal


# What is unusual has to be allowed in both readings -------------------------------------------------------------------

PUBLIC = {"/admin/*": "role admin", "/files/*": "authenticated", "/*": "everyone"}


@pytest.mark.parametrize(
    "path",
    [
        "/admin",
        "/admin/",
        "/admin/x",
        "/ADMIN",
        "/Admin/x",
        "/admin;x=1",
        "/admin;/x",
        "/;x=1/admin",
        "/admin.",
        "/admin../x",
        "/admin ",
        "/admin /x",
        "/ admin",
        "/admin%20",
        "/%61dmin",
        "/%2561dmin",
        "/admin#",
        "/admin#/static",
        "/admin?",
        "/admin?/static",
        "/;#/admin",
        "/;%3f/ADMIN",
        "/admin%23",
        "/admin%3fx",
        "\\admin",
        "/\\admin",
        "/admin\\x",
        "/\u212aadmin/../x",
        "/admin%2fx",
        "/a%64min%2fx",
    ],
)
def test_another_spelling_of_a_path_does_not_get_past_its_rule(path: str) -> None:
    wire = path.encode().decode("latin-1")
    for rules in (rules_of(PUBLIC), rules_of(PUBLIC, double_slashes="allow")):
        for who in (None, person()):
            assert not judged(rules, wire, who).allowed


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/Admins",
        "/administrator",
        "/a;b",
        "/a.b",
        "/x?admin",
        "/m\u00fcll",
        "/WIKI/Admin",
        "/100%",
        "/%zz",
        "/a%41",
    ],
)
def test_what_is_only_unusual_is_allowed(path: str) -> None:
    verdict = judged(rules_of(PUBLIC), path.encode().decode("latin-1"))
    assert verdict.allowed
    assert verdict.rule is not None


@given(st.text(st.characters(codec="utf-8")) | st.text(st.sampled_from("/aA.; %#?\\x")))
def test_a_path_that_is_not_unusual_reads_loosely_as_it_stands(text: str) -> None:
    path = "/" + text
    if not is_unusual(path):
        assert loose_paths(path) == [path.rstrip("/") or "/"]


def test_rules_are_compared_in_any_alphabet() -> None:
    rules = rules_of({"/m\u00fcll/*": "role admin", "/Stra\u00dfe/*": "role admin", "/*": "everyone"})
    for path in ("/m\u00fcll", "/M\u00dcLL/x", "/mu\u0308ll", "/strasse", "/STRASSE/x", "/Stra\u00dfe"):
        assert not judged(rules, path.encode().decode("latin-1")).allowed
    assert judged(rules, "/mull").allowed
    assert not judged(rules_of({"/Admin/*": "nobody"}), "/admin").allowed


@pytest.mark.parametrize("prefix", ["/files", "/files/", "/file", "/files/x"])
def test_a_prefix_that_the_app_may_cut_off_does_not_get_past_a_rule(prefix: str) -> None:
    """``X-Script-Name`` comes from a proxy, or from anybody."""
    rules = rules_of(PUBLIC)
    path = prefix + "/admin/x" if not prefix.endswith("/") else prefix + "admin/x"
    assert judged(rules, path, person()).allowed
    assert not judged(rules, path, person(), HTTP_X_SCRIPT_NAME=prefix).allowed
    for harmless in ("/other", "", "/files/admin", "\xff", "/files/../.."):
        assert judged(rules, path, person(), HTTP_X_SCRIPT_NAME=harmless).allowed


def test_what_follows_a_number_sign_is_read_as_well_as_left_out() -> None:
    rules = rules_of({"/wiki/*/admin": "role admin", "/*": "everyone"})
    for path in ("/wiki/x#/ADMIN", "/wiki/x?y/Admin", "/wiki/x/admin#/y"):
        assert not judged(rules, path).allowed
    assert judged(rules, "/wiki/x#/y").allowed


def test_a_loose_reading_can_only_refuse() -> None:
    rules = rules_of({"/admin/*": "everyone", "/*": "role admin"})
    assert judged(rules, "/admin").allowed
    assert not judged(rules, "/ADMIN").allowed


def test_double_slashes_may_be_allowed_and_then_are_read_as_one() -> None:
    rules = rules_of(PUBLIC, double_slashes="allow")
    assert judged(rules, "/web/http://example.com/").allowed
    for path in ("//admin", "/admin//x", "///admin"):
        assert not judged(rules, path).allowed


@given(st.text(st.characters(max_codepoint=255)))
def test_any_path_is_judged(path: str) -> None:
    verdict = judged(rules_of(PUBLIC), "/" + path)
    assert verdict.rule is not None or verdict.refusal


@given(st.lists(st.sampled_from(["/", "admin", "ADMIN", ".", "..", "%2f", "%2e", ";", "\\", " ", "#", "?", "%", "x"])))
def test_no_spelling_that_a_careless_app_takes_for_a_path_gets_past_its_rule(pieces: list[str]) -> None:
    from urllib.parse import unquote

    path = "/" + "".join(pieces)
    verdict = judged(rules_of(PUBLIC), path)
    # What apps do: decode again, drop parameters, fold case, resolve dots.
    careless = [part.partition(";")[0].strip() for part in unquote(path).lower().replace("\\", "/").split("/")]
    if [part for part in careless if part][:1] == ["admin"]:
        assert not verdict.allowed


# Methods --------------------------------------------------------------------------------------------------------------

API = {"DELETE /api/*": "role admin", "POST /api/*": "authenticated", "GET /secret": "role admin", "/*": "everyone"}


@pytest.mark.parametrize(
    ("method", "path", "environ"),
    [
        ("DELETE", "/api/1", {}),
        ("delete", "/api/1", {}),
        ("POST", "/api/1", {"HTTP_X_HTTP_METHOD_OVERRIDE": "DELETE"}),
        ("POST", "/api/1", {"HTTP_X_HTTP_METHOD_OVERRIDE": "delete"}),
        ("POST", "/api/1", {"HTTP_X_HTTP_METHOD_OVERRIDE": " DELETE "}),
        ("POST", "/api/1", {"HTTP_X_HTTP_METHOD": "DELETE"}),
        ("POST", "/api/1", {"HTTP_X_METHOD_OVERRIDE": "DELETE"}),
        ("POST", "/api/1", {"QUERY_STRING": "_method=DELETE"}),
        ("POST", "/api/1", {"QUERY_STRING": "a=b&_method=delete&c"}),
        ("POST", "/api/1", {"QUERY_STRING": "%5fmethod=%44ELETE"}),
        ("GET", "/api/1", {"HTTP_X_HTTP_METHOD_OVERRIDE": "DELETE"}),
        ("PUT", "/api/1", {"HTTP_X_HTTP_METHOD_OVERRIDE": "DELETE"}),
        ("HEAD", "/secret", {}),
        ("GET", "/secret", {}),
        ("POST", "/secret", {"HTTP_X_HTTP_METHOD_OVERRIDE": "GET"}),
        ("POST", "/secret", {"HTTP_X_HTTP_METHOD_OVERRIDE": "HEAD"}),
    ],
)
def test_a_method_that_the_app_may_read_instead_is_judged_too(method: str, path: str, environ: dict[str, str]) -> None:
    assert not judged(rules_of(API), path, person(), method, **environ).allowed
    assert judged(rules_of(API), path, person(roles=["admin"]), method, **environ).allowed


@pytest.mark.parametrize(
    "environ",
    [
        {"HTTP_X_HTTP_METHOD_OVERRIDE": "PATCH"},
        {"HTTP_X_HTTP_METHOD_OVERRIDE": "\x00" * 5000},
        {"QUERY_STRING": "_method=" + "A" * 5000},
        {"QUERY_STRING": "&".join(["_method=PATCH"] * 5000)},
        {"QUERY_STRING": "method=DELETE"},
    ],
)
def test_other_words_do_not_disturb(environ: dict[str, str]) -> None:
    assert judged(rules_of(API), "/api/1", person(), "POST", **environ).allowed


def test_a_permission_that_asks_for_the_method_is_asked_about_the_other_one_too() -> None:
    rules = rules_of({"/api/*": "role admin or method GET POST"})
    assert judged(rules, "/api/1", None, "POST").allowed
    assert not judged(rules, "/api/1", None, "POST", HTTP_X_HTTP_METHOD_OVERRIDE="DELETE").allowed


# Hosts ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("admin.example.com", False),
        ("ADMIN.example.com", False),
        ("admin.example.com.", False),
        ("admin.example.com:8080", False),
        ("www.example.com", True),
        ("admin.example.com@www.example.com", None),
        ("admin.example.com, www.example.com", None),
        ("ad min", None),
    ],
)
def test_rules_may_be_about_hosts(host: str, allowed: bool | None) -> None:
    rules = rules_of({"//admin.example.com/*": "role admin", "/*": "everyone"})
    verdict = judged(rules, "/x", None, HTTP_HOST=host)
    assert verdict.allowed is bool(allowed)
    assert (verdict.refusal is not None) is (allowed is None)


def test_without_a_host_header_the_server_counts() -> None:
    rules = rules_of({"//admin.example.com/*": "role admin", "/*": "everyone"})
    assert not judged(rules, "/x", None, SERVER_NAME="admin.example.com").allowed
    assert judged(rules, "/x", None, SERVER_NAME="other").allowed


# Tokens ---------------------------------------------------------------------------------------------------------------

TOKEN = person("ci", method="bearer", scopes=["metrics:read"], roles=["admin"])
SCOPED = {"/metrics": "scope metrics:read", "/bearer": "via bearer", "/admin": "role admin", "/open": "everyone"}


def test_where_rules_name_scopes_a_token_counts_only_there() -> None:
    rules = rules_of(SCOPED)
    assert judged(rules, "/metrics", TOKEN).allowed
    assert judged(rules, "/bearer", TOKEN).allowed
    assert judged(rules, "/open", TOKEN).allowed
    refused = judged(rules, "/admin", TOKEN)
    assert not refused.allowed
    assert "limited to scopes" in refused.reason
    for who in (TOKEN._replace(scopes=None), TOKEN._replace(method="jwt")):
        assert judged(rules, "/admin", who).allowed
    assert not rules.limited(HasRole("admin"), request_of(TOKEN)).allowed
    assert rules.limited(parse("scope metrics:read"), request_of(TOKEN)).allowed


def test_where_no_rule_names_a_scope_or_the_option_says_so_it_counts_everywhere() -> None:
    assert judged(rules_of({"/admin": "role admin"}), "/admin", TOKEN).allowed
    assert judged(rules_of(SCOPED, tokens="any"), "/admin", TOKEN).allowed


# Mounts, dry runs, logs -----------------------------------------------------------------------------------------------


@pytest.fixture
def visit() -> Callable[..., Visit]:
    authority = Authority(site=Site(), store=MemoryStore(), vault=None, audit=None, clock=lambda: NOW)

    def make(who: Any = None, **environ: Any) -> Visit:
        made = Visit(authority, request_of(None, **environ).environ)
        made.identity = who
        return made

    return make


def test_a_path_counts_from_the_filter_and_not_from_the_server(visit: Any) -> None:
    rules = rules_of(PUBLIC)
    assert not rules.decide(visit(SCRIPT_NAME="/site", PATH_INFO="/admin")).allowed
    assert rules.decide(visit(SCRIPT_NAME="/admin", PATH_INFO="/site")).allowed
    assert rules.decide(visit(SCRIPT_NAME="/site", PATH_INFO="")).allowed
    # The target, which has the mount in it, is looked at as a whole.
    refused = rules.decide(visit(SCRIPT_NAME="/site", PATH_INFO="/x/y", REQUEST_URI="/site/x%2fy"))
    assert refused.refusal


def test_a_dry_run_refuses_nobody_and_says_whom_it_would(visit: Any, caplog: pytest.LogCaptureFixture) -> None:
    rules = rules_of(PUBLIC, dry_run=True)
    with caplog.at_level(logging.WARNING, "wheatpaste.middleware.auth.rules"):
        for path in ("/admin/x", "/x/../y"):
            assert rules.decide(visit(PATH_INFO=path)).allowed
        assert rules.decide(visit(PATH_INFO="/")).allowed
    assert [each.getMessage() for each in caplog.records] == [
        "dry run: GET '/admin/x' is let through: rule /admin/*: needs role admin",
        "dry run: GET '/x/../y' is let through: no rule is about it: needs The path holds a . or .. segment.",
    ]


def test_a_verdict_is_asked_whether_it_allows_and_never_taken_for_true() -> None:
    with pytest.raises(TypeError, match="allowed"):
        bool(judged(rules_of({}), "/"))


# Options --------------------------------------------------------------------------------------------------------------


def test_a_rule_knows_where_it_was_written() -> None:
    origin = Origin("site.ini", 12, "auth:main:rules")
    token = building.set(BuildSite(Origin("site.ini", 9), {"/admin/*": origin}))
    try:
        rules = rules_of({"/admin/*": "role admin", "/*": "everyone"})
    finally:
        building.reset(token)
    assert judged(rules, "/admin").reason == "rule /admin/* (site.ini:12): needs role admin"
    assert str(rules.table[1]) == "/*"


def test_rules_may_be_permissions() -> None:
    assert rules_of({"/x": Nobody()}).table[0].permission == Nobody()


@pytest.mark.parametrize(
    ("rules", "key", "says"),
    [
        ({"admin/*": "everyone"}, "admin/*", "this key must begin with a slash"),
        ({"/x": "rol admin"}, "/x", "did you mean 'role'"),
        ({"/x": "test no.such:module"}, "/x", "cannot be imported"),
    ],
)
def test_a_mistake_in_python_names_the_key(rules: dict[str, Any], key: str, says: str) -> None:
    with pytest.raises(OptionError, match="RuleOptions") as caught:
        RuleOptions(rules=rules)
    assert caught.value.option == key
    assert says in str(caught.value)


def test_a_section_is_read_with_all_its_mistakes() -> None:
    reading = RULES_READER.read(
        {"/x": "rol admin", "post /y": "everyone", "dry_runn": "true", "double_slashes": "maybe", "/z": "everyone"}, {}
    )
    told = [each.message for each in reading.problems]
    assert len(told) == 4
    assert any("'rol' is no word of rules; did you mean 'role'? (at character 1)" in each for each in told)
    assert any("post /y: this key names methods in capitals: write POST" in each for each in told)
    assert any("did you mean 'dry_run'?" in each for each in told)
    assert any("double_slashes = maybe" in each for each in told)


def test_a_section_keeps_the_order_of_its_rules() -> None:
    reading = RULES_READER.read({"/z": "everyone", "/a": "nobody", "/m": "mfa"}, {})
    assert list(reading.values["rules"]) == ["/z", "/a", "/m"]
    assert [each.key for each in RuleOptions(**reading.values).table] == ["/z", "/a", "/m"]


def test_a_rule_that_never_decides_is_named() -> None:
    reading = RULES_READER.read({"/admin/*": "nobody", "GET /*": "mfa", "/admin/x": "mfa", "HEAD /y": "mfa"}, {})
    assert [(each.key, each.severity) for each in reading.problems] == [("/admin/x", "warning"), ("HEAD /y", "warning")]
    assert "'/admin/*' stands before it and takes all of its requests; put it first" in reading.problems[0].message


def test_reading_runs_no_code() -> None:
    reading = RULES_READER.read({"/x": "test no.such:module"}, {}, importing=False)
    assert reading.problems == []
    assert RULES_READER.family is not None
    assert list(RULES_READER.family.objects("mfa and (test no.such:module or test a:b)")) == ["no.such:module", "a:b"]
    for text in ('user "test a:b"', "rol admin", '"'):
        assert list(RULES_READER.family.objects(text)) == []
