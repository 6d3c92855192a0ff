"""OWASP ASVS 5.0, chapter V3 and its neighbours, probed from outside: cookies, headers, forms, addresses."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from auth_probed_site import PASSWORD, Probed, Probing

pytestmark = pytest.mark.slow

USERS = ("bob", "longest" + "x" * 90)
PAGES = ("/-/auth/login", "/-/auth/account", "/-/auth/account/security", "/-/auth/account/devices", "/-/auth/logout")


@pytest.fixture
def bob(site: Probed) -> Probing:
    browser = site.browser()
    assert browser.login("bob").location == "/x"
    return browser


def test_probe_3_3_3_1_every_cookie_is_secure_and_of_this_host(bob: Probing) -> None:
    for page in PAGES:
        bob.get(page)
    assert len(bob.cookies_set) >= 3
    for header in bob.cookies_set:
        assert header.startswith("__Host-")
        assert "; Secure" in header


def test_probe_4_3_3_2_every_cookie_says_same_site(bob: Probing) -> None:
    assert all("SameSite=Lax" in header or "SameSite=Strict" in header for header in bob.cookies_set)


def test_probe_5_3_3_3_the_session_s_cookie_has_no_domain(bob: Probing) -> None:
    (header,) = [each for each in bob.cookies_set if each.startswith("__Host-wheatpaste.session=")]
    assert "Path=/;" in header
    assert "Domain" not in header


def test_probe_6_3_3_4_the_session_s_secret_is_seen_by_nobody(bob: Probing) -> None:
    secret = bob.cookie()
    assert secret is not None
    assert all("HttpOnly" in header for header in bob.cookies_set)
    for page in (*PAGES, "/x"):
        reply = bob.get(page)
        assert secret not in reply.text
        assert secret not in reply.location


def test_probe_7_3_3_5_no_cookie_is_too_long(site: Probed) -> None:
    browser = site.browser()
    assert browser.login(USERS[1], remember="1").location == "/x"
    for header in browser.cookies_set:
        assert len(header.partition(";")[0]) <= 4096


@pytest.mark.parametrize("page", [*PAGES, "/-/auth/nowhere"])
def test_probes_8_9_10_46_3_4_pages_keep_to_themselves(page: str, bob: Probing) -> None:
    reply = bob.get(page)
    assert reply.code in (200, 404)
    assert "max-age=" in reply.header("Strict-Transport-Security")
    policy = reply.header("Content-Security-Policy")
    for part in ("default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'", "form-action 'self'"):
        assert part in policy
    assert "unsafe" not in policy
    assert reply.header("X-Content-Type-Options") == "nosniff"
    assert reply.header("Referrer-Policy") in ("same-origin", "no-referrer")
    assert reply.header("Cross-Origin-Opener-Policy") == "same-origin"
    assert "no-store" in reply.header("Cache-Control")


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}, id="another site"),
        pytest.param({"Origin": "https://evil.localhost", "Sec-Fetch-Site": "same-site"}, id="a neighbour"),
        pytest.param({"Origin": "null", "Sec-Fetch-Site": "cross-site"}, id="a sandbox"),
    ],
)
def test_probe_11_3_5_1_forms_of_other_sites_do_nothing(headers: dict[str, str], site: Probed, bob: Probing) -> None:
    for page, action, values in (
        ("/-/auth/login", "/login", {"username": "bob", "password": PASSWORD}),
        ("/-/auth/logout", "/logout", {}),
        ("/-/auth/account/tokens", "/tokens", {"name": "stolen", "scopes": "page:read"}),
    ):
        browser = site.browser() if action == "/login" else bob
        form = browser.get(page).form(action)
        target = form.pop("action")
        reply = browser.send(
            target, {**form, **values}, **{name.replace("-", "_"): each for name, each in headers.items()}
        )
        assert reply.code == 403, (action, reply.words)
    assert bob.get("/x").code == 200
    assert "stolen" not in bob.get("/-/auth/account/tokens").words


def test_probe_11_without_its_token_a_form_does_nothing(bob: Probing) -> None:
    assert bob.send("/-/auth/logout", {"everywhere": "1"}).code in (400, 403)
    assert bob.get("/x").code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/-/auth/logout?everywhere=1",
        "/-/auth/account/devices/end?all=1",
        "/-/auth/account/tokens?name=x&scopes=page:read",
        "/-/auth/account/password?new=abcdefghijkl",
        "/-/auth/account/totp?code=123456",
    ],
)
def test_probe_12_3_5_3_a_link_changes_nothing(path: str, site: Probed, bob: Probing) -> None:
    before = len(site.events())
    bob.get(path)
    assert bob.get("/x").code == 200
    assert [each["event"] for each in site.events()[before:]] == []


LEAVING = (
    "//evil.example",
    "/\\evil.example",
    "\\/evil.example",
    "https:evil.example",
    "https://evil.example/",
    "/%0d%0aSet-Cookie:a=b",
    "/\r\nSet-Cookie: a=b",
    "\t//evil.example",
    "/\t/evil.example",
    "//bob@evil.example",
    "//xn--evl-rma.example",
    "javascript:alert(1)",
    "///evil.example",
    "/-/auth/../..//evil.example",
)


@pytest.mark.parametrize("target", LEAVING, ids=ascii)
def test_probe_13_3_7_2_a_login_leads_nowhere_else(target: str, site: Probed) -> None:
    browser = site.browser()
    page = browser.get(f"/-/auth/login?{urlencode({'next': target})}")
    reply = browser.fill(page, "/login", username="bob", password=PASSWORD)
    assert reply.code == 303
    assert reply.location.startswith("/")
    assert not reply.location.startswith(("//", "/\\"))
    assert not any(value.startswith("a=b") for _, value in reply.headers)


@pytest.mark.parametrize(
    "name",
    [
        "Remote-User",
        "Remote_User",
        "REMOTE_USER",
        "X-Forwarded-User",
        "X_Forwarded_User",
        "X-Auth-Request-User",
    ],
)
def test_probe_14_4_1_3_a_client_cannot_say_who_it_is(name: str, site: Probed) -> None:
    program = site.program()
    program.headers[name] = "root"
    assert program.get("/x").code == 401
    seen = program.get("/open/x")
    assert seen.code == 200
    assert "root" not in seen.text


def test_probe_14_forwarded_addresses_do_not_count(site: Probed) -> None:
    program = site.program(
        **{"X-Forwarded-For": "192.0.2.99", "X-Forwarded-Proto": "http", "Forwarded": "for=192.0.2.99"}
    )
    program.headers["Authorization"] = "Basic bm9ib2R5Omd1ZXNz"
    program.get("/x")
    assert {each.get("address") for each in site.events() if each["event"] == "login.fail"} <= {"127.0.0.1"}
