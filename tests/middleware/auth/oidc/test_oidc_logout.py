"""Logouts that begin here, and logouts that a provider tells of."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hostile_provider import HostileProvider, rsa_key, send_json
from oidc_site import MOUNT, NAVIGATE, OidcSite, log_in

from wheatpaste.middleware.auth.visit import Visit
from wheatpaste.middleware.storage.store import StoreError
from wheatpaste.testing import Client, Clock, Response

Made = Callable[..., OidcSite]
BACKCHANNEL = f"{MOUNT}/oidc/corp/backchannel"
EVENT = "http://schemas.openid.net/event/backchannel-logout"


def is_in(browser: Client) -> bool:
    return not browser.get("/page").text.startswith("-")


def tell(site: OidcSite, token: str) -> Response:
    """The provider's own request; it has no cookies."""
    return site.browser().post(BACKCHANNEL, form={"logout_token": token})


def visit_of(site: OidcSite, browser: Client) -> Visit:
    """A request of this browser, as a page of ours sees it."""
    cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    environ = {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/",
        "HTTP_HOST": "localhost",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "wsgi.url_scheme": "http",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_COOKIE": cookie,
    }
    return Visit(site.authority, environ)


def test_a_logout_goes_on_at_the_provider_and_comes_back(site: OidcSite, provider: HostileProvider) -> None:
    browser = site.browser()
    log_in(browser)
    visit = visit_of(site, browser)
    address = site.providers.logout_address(visit)
    assert address is not None
    parts = urlsplit(address)
    asked = dict(parse_qsl(parts.query))
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == f"{provider.url}/end"
    assert asked["x"] == "1", "the endpoint keeps its own query"
    assert asked["client_id"] == "wiki"
    assert asked["post_logout_redirect_uri"] == f"http://localhost{MOUNT}/oidc/corp/logout"
    assert asked["id_token_hint"].count(".") == 2
    cookie = next(value for name, value in visit.headers if name == "Set-Cookie" and "login=" in value).split(";")[0]
    back = site.browser(headers={"Cookie": cookie})
    state = asked["state"]
    path = f"{MOUNT}/oidc/corp/logout?state="
    assert back.get(path + "other", headers=NAVIGATE).status == 303
    done = back.get(path + state, headers=NAVIGATE)
    assert done.status == 200
    assert "You are signed out, here and at the login provider." in done.text
    assert ">200<" not in done.text, "a number is for what went wrong"
    assert back.get(path + state, headers=NAVIGATE).status == 303, "once"


def test_coming_back_from_a_logout_ends_nothing(site: OidcSite) -> None:
    browser = site.browser()
    log_in(browser)
    for state in ("", "?state=x"):
        response = browser.get(f"{MOUNT}/oidc/corp/logout{state}")
        assert (response.status, response.headers["Location"]) == (303, f"{MOUNT}/login")
    assert is_in(browser)


@pytest.mark.parametrize("options", [{"logout": False}, {}], ids=["it is switched off", "it has no such endpoint"])
def test_a_logout_here_is_no_more_than_that(make_site: Made, provider: HostileProvider, options: Any) -> None:
    if not options:
        provider.metadata = {"end_session_endpoint": None}
    site = make_site(**options)
    browser = site.browser()
    log_in(browser)
    assert site.providers.logout_address(visit_of(site, browser)) is None


def test_a_provider_that_is_down_does_not_keep_anybody_from_logging_out(
    site: OidcSite, provider: HostileProvider, clock: Clock
) -> None:
    browser = site.browser()
    log_in(browser)
    provider.instead["/.well-known/openid-configuration"] = lambda handler: send_json(handler, 500, {})
    other = OidcSite(clock, {"corp": provider})
    other.authority.sessions, other.authority.vault = site.sessions, site.authority.vault
    assert other.providers.logout_address(visit_of(site, browser)) is None


@pytest.mark.parametrize(
    ("changes", "is_in_after"),
    [
        pytest.param({}, False, id="it ends the session of that user"),
        pytest.param({"sub": None}, False, id="it ends the session by its id alone"),
        pytest.param({"sid": None}, False, id="it ends all sessions of the user"),
        pytest.param({"sid": "other"}, True, id="it leaves another session of the user"),
        pytest.param({"sub": "other"}, True, id="it leaves the session of another user"),
        pytest.param({"sub": "other", "sid": None}, True, id="it leaves the sessions of other users"),
    ],
)
def test_whom_a_logout_token_sends_away(
    site: OidcSite, provider: HostileProvider, changes: Any, is_in_after: bool
) -> None:
    browser = site.browser()
    log_in(browser)
    assert is_in(browser)
    response = tell(site, provider.logout_token(**changes))
    assert (response.status, response.headers["Cache-Control"]) == (200, "no-store")
    assert is_in(browser) is is_in_after
    assert ("logout at the provider" in site.reasons()) is not is_in_after


def test_a_session_of_another_provider_stays(
    make_site: Made, provider: HostileProvider, make_provider: Callable[[], HostileProvider]
) -> None:
    other = make_provider()
    site = make_site(providers={"corp": provider, "other": other})
    browser = site.browser()
    log_in(browser, "other")
    assert tell(site, provider.logout_token()).status == 200
    assert is_in(browser), "the same subject and session at another issuer is another one"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"head": {"typ": "JWT"}}, "not a logout token", id="it refuses a token of no such type"),
        pytest.param({"head": {"typ": None}}, "not a logout token", id="it refuses a token of no type"),
        pytest.param({"iss": "https://evil.example"}, "of another issuer", id="it refuses another issuer"),
        pytest.param({"aud": "other"}, "for somebody else", id="it refuses a token for another client"),
        pytest.param({"exp": None}, "no expiry", id="it refuses no expiry"),
        pytest.param({"exp": 1_799_999_000}, "expired", id="it refuses what has expired"),
        pytest.param({"iat": None}, "no time of issue", id="it refuses no time of issue"),
        pytest.param({"iat": 1_800_000_100}, "issued in the future", id="it refuses the future"),
        pytest.param({"iat": 1_799_999_800}, "issued too long ago", id="it refuses what is older than two minutes"),
        pytest.param({"events": None}, "not about a logout", id="it refuses no event"),
        pytest.param({"events": {}}, "not about a logout", id="it refuses another event"),
        pytest.param({"events": [EVENT]}, "not about a logout", id="it refuses events that are a list"),
        pytest.param({"events": {EVENT: None}}, "not about a logout", id="it refuses an event that is no object"),
        pytest.param({"nonce": "x"}, "an ID token", id="it refuses a nonce"),
        pytest.param({"sid": None, "sub": None}, "about nobody", id="it refuses nobody"),
        pytest.param({"sub": ""}, "no sub", id="it refuses an empty subject"),
        pytest.param({"sid": 7}, "no sid", id="it refuses a session that is a number"),
        pytest.param({"jti": None}, "no jti", id="it refuses no id"),
        pytest.param({"jti": ["x"]}, "no jti", id="it refuses an id that is a list"),
    ],
)
def test_logout_tokens_that_are_not_right(site: OidcSite, provider: HostileProvider, changes: Any, reason: str) -> None:
    browser = site.browser()
    log_in(browser)
    response = tell(site, provider.logout_token(**changes))
    assert (response.status, response.headers["Cache-Control"]) == (400, "no-store")
    assert reason in response.json()["detail"]
    assert is_in(browser)


@pytest.mark.parametrize("kind", [None, "JWT"])
def test_older_providers_may_be_allowed_to_leave_out_the_type(
    make_site: Made, provider: HostileProvider, kind: str | None
) -> None:
    site = make_site(old_logout_tokens=True)
    browser = site.browser()
    log_in(browser)
    assert tell(site, provider.logout_token(head={"typ": "at+jwt"})).status == 400
    assert tell(site, provider.logout_token(head={"typ": kind})).status == 200
    assert not is_in(browser)


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "W" * 200_000])
def test_what_is_no_logout_token(site: OidcSite, provider: HostileProvider, token: str) -> None:
    assert tell(site, token).status == 400


def test_logout_tokens_of_other_keys_are_refused(site: OidcSite, provider: HostileProvider) -> None:
    browser = site.browser()
    log_in(browser)
    published = provider.signing
    provider.signing = rsa_key(published.kid)
    assert tell(site, provider.logout_token()).status == 400
    assert is_in(browser)


def test_an_id_token_is_no_logout_token(site: OidcSite, provider: HostileProvider) -> None:
    assert tell(site, provider.id_token("n", "a")).status == 400


def test_a_logout_token_counts_once_also_in_parallel(site: OidcSite, provider: HostileProvider) -> None:
    log_in(site.browser())
    token = provider.logout_token()
    start, found = threading.Barrier(5), []

    def bring() -> None:
        start.wait(10)
        found.append(tell(site, token).status)

    threads = [threading.Thread(target=bring) for _ in range(5)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(20)
    assert sorted(found) == [200, *[400] * 4]


def test_a_logout_that_could_not_be_done_can_be_told_again(
    site: OidcSite, provider: HostileProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = site.browser()
    log_in(browser)
    token = provider.logout_token()

    def fail(*args: Any) -> Any:
        raise StoreError("down")

    with monkeypatch.context() as patch:
        patch.setattr(site.sessions, "end_by_provider", fail)
        assert tell(site, token).status == 503
    assert tell(site, token).status == 200
    assert not is_in(browser)


def test_a_get_ends_nothing(site: OidcSite, provider: HostileProvider) -> None:
    browser = site.browser()
    log_in(browser)
    assert site.browser().get(f"{BACKCHANNEL}?logout_token={provider.logout_token()}").status == 405
    assert site.browser().post(f"{BACKCHANNEL}?logout_token={provider.logout_token()}").status == 400
    assert is_in(browser)


def test_sessions_in_cookies_end_too(make_site: Made, provider: HostileProvider) -> None:
    site = make_site(mode="cookie")
    browser = site.browser()
    assert log_in(browser).status == 303
    assert is_in(browser)
    assert tell(site, provider.logout_token(sub=None)).status == 400, "which session is whose is not known here"
    assert tell(site, provider.logout_token(sub="somebody")).status == 200
    assert is_in(browser)
    assert tell(site, provider.logout_token()).status == 200
    assert not is_in(browser)
