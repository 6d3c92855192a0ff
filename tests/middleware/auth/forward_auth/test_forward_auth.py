"""The endpoints that other servers ask: who is answered, what counts, and what they are told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from auth_forward_site import make_authority, make_site
from hypothesis import given
from hypothesis import strategies as st

from wheatpaste.middleware.auth.auth import Guard
from wheatpaste.middleware.auth.directory import Directory
from wheatpaste.middleware.auth.rules import RuleOptions, Rules
from wheatpaste.middleware.auth.sessions.sessions import Sessions
from wheatpaste.middleware.auth.sources.authkit_file import AuthKitFile
from wheatpaste.middleware.auth.vault import Vault
from wheatpaste.middleware.auth.visit import Visit
from wheatpaste.middleware.storage.memory import MemoryStore
from wheatpaste.testing import Client, Clock, Response

HTML = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


def ask(kind: str, target: str, method: str = "GET", user: str = "", **how: Any) -> Response:
    """What the proxy is told of a request to this target."""
    headers: dict[str, str] = dict(how.pop("headers", {}))
    if user:
        headers["Cookie"] = f"user={user}"
    if kind == "verify":
        headers = {"X-Original-URL": f"https://wiki.example.org{target}", "X-Original-Method": method, **headers}
    else:
        headers = {
            "X-Forwarded-Uri": target,
            "X-Forwarded-Method": method,
            "X-Forwarded-Host": "wiki.example.org",
            "X-Forwarded-Proto": "https",
            **headers,
        }
    environ = {"REMOTE_ADDR": how.pop("peer", "127.0.0.1")}
    site = how.pop("site", None) or make_site(**how)
    return Client(site).get(f"/-/auth/{kind}", headers=headers, environ=environ)


BOTH = pytest.mark.parametrize("kind", ["verify", "forward"])


@BOTH
@pytest.mark.parametrize(
    ("method", "target", "user", "status"),
    [
        ("GET", "/public/x", "", 200),
        ("GET", "/", "bob", 200),
        ("GET", "/wiki?next=/admin/", "bob", 200),
        ("GET", "/", "", 401),
        ("GET", "/admin/", "bob", 403),
        ("GET", "/admin/", "ada", 200),
        ("GET", "/nobody/", "ada", 403),
        ("POST", "/api/pages", "bob", 403),
        ("POST", "/api/pages", "ada", 200),
        ("GET", "/api/pages", "bob", 200),
        ("GET", "/", "mallory", 401),
    ],
)
def test_rules_are_asked_about_the_original_request(
    kind: str, method: str, target: str, user: str, status: int
) -> None:
    assert ask(kind, target, method, user).status == status


@BOTH
@pytest.mark.parametrize(
    "target", ["", "/", "/login", "/oidc/corp/callback?code=x%2F..", "/invite/A_b-c", "/static/auth.css"]
)
def test_nobody_is_asked_on_the_way_to_the_login(kind: str, target: str) -> None:
    assert ask(kind, f"/-/auth{target}").status == 200


@BOTH
@pytest.mark.parametrize(
    "further",
    [
        *("x", "..%20/admin/", "..%20", "%20../admin/", "..%C2%A0/admin/", "%C0%AE%C0%AE/admin/", "..%EF%BC%8Fadmin/"),
        *("...//admin/", ".../admin/", "login;x/admin/", "..;/admin/", "%252e%252e/admin/", "..%5Cadmin/"),
    ],
)
def test_no_other_path_passes_for_the_login(kind: str, further: str) -> None:
    wanted = f"/-/auth/{further}" if further != "x" else "/-/authx"
    assert ask(kind, wanted).status in (400, 401, 403)


@BOTH
def test_who_may_pass_is_told_to_the_proxy(kind: str) -> None:
    reply = ask(kind, "/", user="bob")
    assert [reply.headers[f"Remote-{word}"] for word in ("User", "Name", "Email", "Groups")] == [
        "bob",
        "bob",
        "",
        "dev,staff",
    ]
    assert reply.headers["Cache-Control"] == "no-store"
    assert "seen=bob" in reply.headers["Set-Cookie"]


@BOTH
def test_of_nobody_the_headers_are_sent_empty_so_that_they_overwrite_what_a_client_sent(kind: str) -> None:
    reply = ask(kind, "/public/", headers={"Remote-User": "admin", "Remote-Groups": "admins"})
    assert [reply.headers[f"Remote-{word}"] for word in ("User", "Name", "Email", "Groups")] == [""] * 4


@BOTH
def test_names_cannot_end_a_header(kind: str) -> None:
    reply = ask(kind, "/", user="zo\xc3\xa9")
    assert reply.headers["Remote-User"].encode("latin-1").decode() == "zoé"
    assert "\n" not in reply.headers["Remote-Name"]
    assert "X-Evil" not in reply.headers


@BOTH
@pytest.mark.parametrize("peer", ["192.0.2.1", "", "::1", "unknown"], ids=["a stranger", "a socket", "IPv6", "unknown"])
def test_strangers_are_not_answered(kind: str, peer: str) -> None:
    reply = ask(kind, "/public/", user="ada", peer=peer)
    assert reply.status == 403
    assert "Remote-User" not in reply.headers


def test_a_site_that_trusts_no_proxy_has_no_such_endpoints() -> None:
    for kind in ("verify", "forward"):
        assert ask(kind, "/public/", trusted_proxies=()).status == 404


@BOTH
@pytest.mark.parametrize(
    "target",
    [
        "/public/../admin/",
        "/public/%2e%2e/admin/",
        "/public/%2E./admin/",
        "/public/..%2fadmin/",
        "/public%2f..%2fadmin",
        "/public/..\\admin",
        "/public/%5c..%5cadmin",
        "/public/..;/admin/",
        "//admin/",
        "/public//x",
        "/public/%252e%252e/admin/",
        "/public/%252fx",
        "/public/%00",
        "/public/%0d%0aX: 1",
        "/public/#/admin/",
        "/public/x#",
        "/public/%zz",
        "/public/%",
        "/public/\xe9",
        "/public/ x",
        "",
        "*",
        "http://wiki.example.org/public/",
        "/public/" + "x" * 9000,
    ],
)
def test_a_path_that_can_be_read_in_two_ways_passes_nowhere(kind: str, target: str) -> None:
    for user in ("", "ada"):
        reply = ask(kind, target, user=user)
        assert reply.status == (403 if kind == "verify" else 400)
        assert "Remote-User" not in reply.headers


@BOTH
@pytest.mark.parametrize("target", ["/public/%23/admin/", "/public/?", "/public/a%20b", "/public/%C3%A9"])
def test_what_an_app_sees_as_one_path_passes(kind: str, target: str) -> None:
    assert ask(kind, target).status == 200


@BOTH
@pytest.mark.parametrize("method", ["", "get", "Post", "GET\t", "G ET", "GET,POST", "X" * 40])
def test_a_method_that_is_none_passes_nowhere(kind: str, method: str) -> None:
    assert ask(kind, "/public/", method).status == (403 if kind == "verify" else 400)


@pytest.mark.parametrize(
    "url",
    [
        "/public/",
        "https://wiki.example.orghttp://evil.example/public/",
        "https://a@b/public/",
        "ftp://wiki.example.org/public/",
        "https://wiki.example.org",
        "https:///public/",
        "https://wiki.example.org/public/ https://wiki.example.org/",
        "https://wiki.example.org/public/, https://wiki.example.org/admin/",
    ],
)
def test_an_original_url_has_to_be_one(url: str) -> None:
    reply = ask("verify", "", headers={"X-Original-URL": url}, user="ada")
    assert reply.status == 403
    assert "Remote-User" not in reply.headers


def test_what_the_other_kind_of_proxy_would_say_does_not_count() -> None:
    forged = {"X-Forwarded-Uri": "/public/", "X-Forwarded-Method": "GET", "X-Original-Uri": "/public/"}
    assert ask("verify", "/admin/", user="bob", headers=forged).status == 403
    forged = {"X-Original-URL": "https://wiki.example.org/public/", "X-Original-Method": "GET"}
    assert ask("forward", "/admin/", user="bob", headers=forged).status == 403
    assert ask("forward", "/admin/", user="bob", headers=forged | {"X-Forwarded-Uri": ""}).status == 400
    assert ask("verify", "/admin/", headers={"X-Original-URL": "", "X-Forwarded-Uri": "/public/"}).status == 403


@BOTH
@pytest.mark.parametrize("agent", ["kube-probe/1.30", "GoogleHC/1.0", "ELB-HealthChecker/2.0"])
def test_nobody_passes_for_what_a_program_calls_itself(kind: str, agent: str) -> None:
    assert ask(kind, "/wiki", headers={"User-Agent": agent}).status == 401


@BOTH
def test_who_is_denied_stands_in_the_log_and_who_has_only_not_logged_in_does_not(kind: str) -> None:
    events: list[Mapping[str, Any]] = []
    for user in ("", "bob"):
        ask(kind, "/admin/", user=user, audit=events.append)
    ask(kind, "/nobody/", audit=events.append)
    assert [(each["event"], each.get("name")) for each in events] == [("authz.deny", "bob"), ("authz.deny", None)]


def test_a_browser_is_sent_to_the_login_and_back() -> None:
    reply = ask("forward", "/wiki/page?a=1&b=%2F", headers=HTML)
    assert reply.status == 303
    assert reply.headers["Location"] == "/-/auth/login?next=%2Fwiki%2Fpage%3Fa%3D1%26b%3D%252F"


def test_nginx_is_told_where_the_login_is_in_words_that_it_knows() -> None:
    reply = ask("verify", "/wiki/page?a=1", headers=HTML)
    assert reply.status == 401
    assert reply.headers["X-Auth-Redirect"] == "/-/auth/login?next=%2Fwiki%2Fpage%3Fa%3D1"
    assert "Location" not in reply.headers


@BOTH
def test_programs_get_challenges(kind: str) -> None:
    reply = ask(kind, "/wiki", headers={"Accept": "application/json"})
    assert reply.status == 401
    assert reply.headers["WWW-Authenticate"] == 'Bearer realm="test"'
    assert "X-Auth-Redirect" not in reply.headers


@BOTH
@pytest.mark.parametrize("path", ["/-/auth/login", "/-/auth"])
def test_who_is_sent_to_the_login_gets_there(kind: str, path: str) -> None:
    assert ask(kind, path).status == 200
    assert ask(kind, "/-/authority").status == 401


@BOTH
def test_a_request_about_which_there_is_no_rule_needs_a_user_as_no_app_will_ask_for_one(kind: str) -> None:
    rules = Rules(RuleOptions(rules={"/public/*": "everyone"}))
    assert ask(kind, "/public/", rules=rules).status == 200
    assert ask(kind, "/wiki", rules=rules).status == 401
    assert ask(kind, "/wiki", rules=rules, user="bob").status == 200


@BOTH
def test_a_rule_may_be_about_a_host(kind: str) -> None:
    rules = Rules(RuleOptions(rules={"//wiki.example.org/open/*": "everyone", "/*": "nobody"}))
    assert ask(kind, "/open/", rules=rules).status == 200
    other = (
        {"X-Original-URL": "https://other.example/open/"} if kind == "verify" else {"X-Forwarded-Host": "other.example"}
    )
    assert ask(kind, "/open/", rules=rules, headers=other).status == 403


@BOTH
def test_without_rules_whoever_is_known_may_pass(kind: str) -> None:
    assert ask(kind, "/public/", rules=None).status == 401
    assert ask(kind, "/admin/", rules=None, user="bob").status == 200


@BOTH
@given(
    headers=st.dictionaries(
        st.sampled_from(
            ["X-Original-URL", "X-Original-Method", "X-Forwarded-Uri", "X-Forwarded-Method", "X-Forwarded-Host"]
        ),
        st.text(st.characters(max_codepoint=255), max_size=60),
    )
)
def test_no_header_breaks_it_or_lets_anybody_in(kind: str, headers: Mapping[str, str]) -> None:
    site: Callable[..., Any] = make_site()
    sent: list[str] = []
    environ = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": f"/-/auth/{kind}",
        "QUERY_STRING": "",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "localhost",
        "wsgi.url_scheme": "http",
        **{"HTTP_" + name.upper().replace("-", "_"): value for name, value in headers.items()},
    }
    site(environ, lambda status, headers, exc_info=None: sent.append(status[:3]))
    assert sent[0] in ("400", "401", "403") or "/public/" in str(headers) or "/-/auth" in str(headers)


@BOTH
def test_a_session_keeps_its_secret_since_no_new_one_may_reach_the_browser(kind: str, clock: Clock) -> None:
    store = MemoryStore(clock.time)
    source = AuthKitFile.of_text("ada:lovelace")
    sessions = Sessions(store, Vault.temporary(), Directory([source]), clock=clock.time)
    authority = make_authority(trusted_proxies=("127.0.0.1",))
    authority.methods = (sessions,)
    first = Visit(authority, {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "wsgi.url_scheme": "https"})
    account = source.find("ada")
    assert account is not None
    sessions.begin(first, account, ("pwd",))
    cookie = {"Cookie": first.headers[0][1].partition(";")[0]}
    site = Guard(lambda environ, start_response: [], authority)
    for _ in range(6):
        clock.advance(50 * 60)
        told = ask(kind, "/", site=site, headers=cookie)
        assert told.status == 200
        assert "Set-Cookie" not in told.headers
