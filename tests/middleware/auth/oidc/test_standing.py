"""A session holds as long as its provider says so, and its groups are those of now."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hostile_provider import HostileProvider, send_json
from oidc_site import OidcSite, log_in

from wheatpaste.middleware.auth.key_file import make_key_file, retire, rotate
from wheatpaste.middleware.auth.vault import Vault
from wheatpaste.middleware.auth.visit import Visit
from wheatpaste.testing import Clock

Made = Callable[..., OidcSite]
GROUPS: dict[str, Any] = {
    "groups_claim": "groups",
    "groups": {"admin": ("corp/wiki-admins",), "staff": ("corp/*",)},
}


def test_groups_follow_the_provider_within_minutes(make_site: Made, provider: HostileProvider, clock: Clock) -> None:
    site = make_site(**GROUPS)
    provider.user["groups"] = ["wiki-admins", "others"]
    browser = site.browser()
    log_in(browser)
    assert browser.get("/page").text == "alice admin,staff"
    provider.user["groups"] = ["others"]
    assert browser.get("/page").text == "alice admin,staff"
    clock.advance(301)
    assert browser.get("/page").text == "alice staff", "in the very request that asked"
    assert browser.get("/page").text == "alice staff"
    assert provider.paths("/token") == 2


def test_groups_come_at_the_login_too_and_leave_what_others_have_given(
    make_site: Made, provider: HostileProvider
) -> None:
    site = make_site(**GROUPS)
    provider.user["groups"] = ["wiki-admins"]
    log_in(site.browser())
    account = site.users.find("alice")
    assert account is not None
    site.users.create_group("friends")
    site.users.add_member("friends", "alice")
    provider.user["groups"] = []
    browser = site.browser()
    log_in(browser)
    assert browser.get("/page").text == "alice friends,staff"


def test_a_group_that_only_sounds_right_is_none(make_site: Made, provider: HostileProvider) -> None:
    site = make_site(**GROUPS)
    provider.user["groups"] = ["admin", "WIKI-ADMINS", "wiki-admins ", "corp/wiki-admins", 7, None, "wiki-admins\n"]
    browser = site.browser()
    log_in(browser)
    assert browser.get("/page").text == "alice staff"


def test_a_refresh_token_is_replaced_by_the_next(site: OidcSite, provider: HostileProvider, clock: Clock) -> None:
    browser = site.browser()
    log_in(browser)
    for _ in range(3):
        clock.advance(301)
        assert browser.get("/page").text == "alice "
    sent = [fields["refresh_token"] for _, path, fields, _ in provider.asked if "refresh_token" in fields]
    assert sent == ["refresh-1", "refresh-1+", "refresh-1++"]


def test_a_session_ends_when_the_refresh_is_refused(site: OidcSite, provider: HostileProvider, clock: Clock) -> None:
    browser = site.browser()
    log_in(browser)
    provider.refusal = "invalid_grant"
    assert browser.get("/page").text == "alice "
    clock.advance(301)
    assert browser.get("/page").text == "- "
    provider.refusal = None
    assert browser.get("/page").text == "- ", "for good"
    assert "oidc: refused by the provider: invalid_grant" in site.reasons()
    assert site.sessions.of(site.users.find("alice").id) == []  # type: ignore[union-attr]


@pytest.mark.parametrize("mode", ["store", "cookie"])
def test_a_session_that_cannot_be_asked_about_any_more_ends(
    make_site: Made, provider: HostileProvider, clock: Clock, tmp_path: Path, mode: str
) -> None:
    provider.token_extra = {"expires_in": 7200}
    path = tmp_path / "auth.key"
    old = make_key_file(path, clock.time)
    vault = Vault.read(path)
    site = make_site(vault=vault, refresh=3600.0, mode=mode)
    browser = site.browser()
    log_in(browser)
    rotate(path, clock.time)
    vault.refresh()
    clock.advance(1000)
    assert [browser.get("/page").text for _ in range(2)] == ["alice ", "alice "], "and has a cookie of the new key"
    retire(path, old.id)
    vault.refresh()
    # A session that is a cookie never holds tokens, so nobody was to be asked.
    clock.advance(2700)
    assert browser.get("/page").text == ("- " if mode == "store" else "alice ")
    assert ("oidc: what its provider gave cannot be read any more" in site.reasons()) == (mode == "store")


@pytest.mark.parametrize("status", [500, 503, 429, 302])
def test_a_provider_that_is_down_ends_no_session(
    site: OidcSite, provider: HostileProvider, clock: Clock, status: int
) -> None:
    browser = site.browser()
    log_in(browser)
    provider.instead["/token"] = lambda handler: send_json(handler, status, {"error": "invalid_grant"})
    clock.advance(301)
    asked = provider.paths("/token")
    for _ in range(5):
        assert browser.get("/page").text == "alice "
    assert provider.paths("/token") == asked + 1, "once a minute"
    del provider.instead["/token"]
    provider.refusal = "invalid_grant"
    clock.advance(61)
    assert browser.get("/page").text == "- "


@pytest.mark.parametrize(
    ("claims", "reason"),
    [({"sub": "mallory"}, "of another user"), ({"aud": "other"}, "for somebody else"), ({"exp": 1}, "expired")],
)
def test_a_refreshed_id_token_is_looked_at_as_the_first(
    site: OidcSite, provider: HostileProvider, clock: Clock, claims: dict[str, Any], reason: str
) -> None:
    browser = site.browser()
    log_in(browser)
    provider.id_claims = claims
    clock.advance(301)
    assert browser.get("/page").text == "- "
    assert f"oidc: refused by the provider: {reason}" in site.reasons()


def test_without_refresh_tokens_userinfo_is_asked_while_the_access_token_holds(
    make_site: Made, provider: HostileProvider, clock: Clock
) -> None:
    site = make_site(**GROUPS)
    provider.token_extra = {"refresh_token": None}
    provider.user["groups"] = ["wiki-admins"]
    browser = site.browser()
    log_in(browser)
    provider.user["groups"] = []
    clock.advance(301)
    assert browser.get("/page").text == "alice staff"
    provider.instead["/userinfo"] = lambda handler: send_json(handler, 401, {})
    clock.advance(290)
    assert browser.get("/page").text == "alice staff"
    clock.advance(301)
    assert browser.get("/page").text == "alice staff", "the access token has ended, and nothing more can be learned"


def test_an_access_token_that_is_refused_ends_the_session(
    site: OidcSite, provider: HostileProvider, clock: Clock
) -> None:
    provider.token_extra = {"refresh_token": None}
    browser = site.browser()
    log_in(browser)
    provider.instead["/userinfo"] = lambda handler: send_json(handler, 401, {})
    clock.advance(301)
    assert browser.get("/page").text == "- "


def test_who_leaves_the_allowed_groups_is_out(make_site: Made, provider: HostileProvider, clock: Clock) -> None:
    site = make_site(groups_claim="groups", allow_groups=("wiki",))
    provider.user["groups"] = ["wiki"]
    browser = site.browser()
    log_in(browser)
    provider.user["groups"] = ["other"]
    clock.advance(301)
    assert browser.get("/page").text == "- "


def test_of_many_requests_at_once_one_asks(site: OidcSite, provider: HostileProvider, clock: Clock) -> None:
    browser = site.browser()
    log_in(browser)
    cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    clock.advance(301)
    start, found = threading.Barrier(6), []

    def come() -> None:
        twin = site.browser(headers={"Cookie": cookie})
        start.wait(10)
        found.append(twin.get("/page").text)

    threads = [threading.Thread(target=come) for _ in range(6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(20)
    assert found == ["alice "] * 6
    assert provider.paths("/token") == 2


def test_tokens_are_sealed_where_sessions_are_kept(site: OidcSite, provider: HostileProvider) -> None:
    browser = site.browser()
    log_in(browser)
    store = site.authority.store
    spaces = {name[0] for name in store._values}  # type: ignore[attr-defined]
    kept = b"".join(store.get(space, key) or b"" for space in spaces for key in store.keys(space))
    assert kept
    for secret in (b"refresh-1", b"access-"):
        assert secret not in kept


def test_a_pending_second_factor_holds_no_readable_token(site: OidcSite) -> None:
    log_in(site.browser())
    site.users.set_second_factor(site.users.find("alice").id, True)  # type: ignore[union-attr]
    log_in(site.browser())
    store = site.authority.store
    kept = b"".join(store.get("auth.logins", key) or b"" for key in store.keys("auth.logins"))
    assert b"alice-1" in kept
    assert b"refresh-1" not in kept


def test_sessions_of_a_provider_that_was_taken_away_end(
    make_site: Made, provider: HostileProvider, clock: Clock
) -> None:
    site = make_site()
    browser = site.browser()
    log_in(browser)
    site.providers.all.clear()
    assert browser.get("/page").text == "- "


@pytest.mark.parametrize("teams", [0, 400])
def test_a_session_in_a_cookie_fits_and_holds(
    teams: int, make_site: Made, provider: HostileProvider, clock: Clock
) -> None:
    site = make_site(mode="cookie", **GROUPS)
    provider.user["groups"] = ["wiki-admins", *(f"team-{number}" for number in range(teams))]
    browser = site.browser()
    assert log_in(browser).status == 303
    clock.advance(301)
    assert browser.get("/page").text == "alice admin,staff"


def test_a_session_that_ends_while_the_provider_is_asked_stays_ended(
    site: OidcSite, provider: HostileProvider, clock: Clock
) -> None:
    browser = site.browser()
    log_in(browser)
    account = site.users.find("alice")
    assert account is not None

    def answer(handler: Any) -> None:
        site.sessions.end_all(account.id)
        send_json(handler, *provider.grant(provider.asked[-1][2]))

    provider.instead["/token"] = answer
    clock.advance(301)
    assert browser.get("/page").text == "- "
    assert site.sessions.of(account.id) == []


def test_what_others_put_into_the_session_meanwhile_stays(
    site: OidcSite, provider: HostileProvider, clock: Clock
) -> None:
    browser = site.browser()
    log_in(browser)
    cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    other = Visit(site.authority, {"REQUEST_METHOD": "GET", "HTTP_COOKIE": cookie, "wsgi.url_scheme": "http"})

    def answer(handler: Any) -> None:
        site.sessions.set_data(other, {**site.sessions.data(other), "mark": 7})
        send_json(handler, *provider.grant(provider.asked[-1][2]))

    provider.instead["/token"] = answer
    clock.advance(301)
    assert browser.get("/page").text == "alice "
    later = Visit(site.authority, {"REQUEST_METHOD": "GET", "HTTP_COOKIE": cookie, "wsgi.url_scheme": "http"})
    assert site.sessions.data(later)["mark"] == 7


def test_a_provider_that_is_down_is_asked_for_one_session_and_not_for_all(
    site: OidcSite, provider: HostileProvider, clock: Clock
) -> None:
    browsers = [site.browser() for _ in range(3)]
    for each in browsers:
        log_in(each)
    provider.instead["/token"] = lambda handler: send_json(handler, 500, {})
    asked = provider.paths("/token")
    for minutes in (6, 1, 1):
        clock.advance(60 * minutes + 1)
        assert [each.get("/page").text for each in browsers] == ["alice "] * 3
        asked += 1
        assert provider.paths("/token") == asked


def test_a_slow_provider_holds_up_one_request_and_no_other(
    site: OidcSite, provider: HostileProvider, clock: Clock
) -> None:
    first, second = site.browser(), site.browser()
    log_in(first)
    log_in(second)
    entered, leave = threading.Event(), threading.Event()

    def answer(handler: Any) -> None:
        entered.set()
        leave.wait(10)
        send_json(handler, *provider.grant(provider.asked[-1][2]))

    provider.instead["/token"] = answer
    clock.advance(301)
    found: list[str] = []
    slow = threading.Thread(target=lambda: found.append(first.get("/page").text))
    slow.start()
    assert entered.wait(10)
    assert second.get("/page").text == "alice ", "it does not wait"
    assert not found
    leave.set()
    slow.join(10)
    assert found == ["alice "]


def test_of_two_processes_one_asks_for_a_session(
    site: OidcSite, make_site: Made, provider: HostileProvider, clock: Clock
) -> None:
    # A refresh token works once: who uses it a second time ends the session, or all of the user's.
    other = make_site()
    other.authority.store, other.authority.vault = site.authority.store, site.authority.vault
    other.authority.sessions, other.authority.directory = site.sessions, site.users
    other.authority.methods = (other.providers.watched(site.sessions),)
    browser = site.browser()
    log_in(browser)
    cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    twin = other.browser(headers={"Cookie": cookie})
    entered, leave = threading.Event(), threading.Event()

    def answer(handler: Any) -> None:
        entered.set()
        leave.wait(10)
        send_json(handler, *provider.grant(provider.asked[-1][2]))

    provider.instead["/token"] = answer
    clock.advance(301)
    found: list[str] = []
    slow = threading.Thread(target=lambda: found.append(browser.get("/page").text))
    slow.start()
    assert entered.wait(10)
    assert twin.get("/page").text == "alice "
    assert provider.paths("/token") == 2
    leave.set()
    slow.join(10)
    assert found == ["alice "]
    assert twin.get("/page").text == "alice "
    assert provider.paths("/token") == 2
