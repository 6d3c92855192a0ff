"""A login at GitHub, as its documentation has it: OAuth 2, and an interface that says who somebody is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hostile_provider import CLIENT, SECRET, HostileProvider, send_json
from oidc_site import MOUNT, OidcSite, begin, come_back

from wheatpaste.config.options import OptionError
from wheatpaste.middleware.auth.oidc.options import OidcOptions
from wheatpaste.testing import Client, Clock, Response

EMAILS = [
    {"email": "other@example.org", "verified": True, "primary": False},
    {"email": "octo@example.org", "verified": True, "primary": True},
]


class Hub:
    """What GitHub would answer; its parts can be changed."""

    def __init__(self, server: HostileProvider) -> None:
        self.server = server
        self.user: Any = {"id": 583231, "login": "octocat", "name": "Octo Cat", "email": "root@example.org"}
        self.emails: Any = EMAILS
        self.orgs: Any = [{"login": "corp"}]
        self.token: Any = {"access_token": "gho_abc", "token_type": "bearer", "scope": "read:user"}
        self.status = 200
        server.instead = {
            "/login/oauth/access_token": lambda handler: send_json(handler, 200, self.token),
            "/api/v3/user": lambda handler: send_json(handler, self.status, self.user),
            "/api/v3/user/emails": lambda handler: send_json(handler, 200, self.emails),
            "/api/v3/user/orgs": lambda handler: send_json(handler, 200, self.orgs),
        }


@pytest.fixture
def hub(provider: HostileProvider) -> Hub:
    return Hub(provider)


@pytest.fixture
def make(clock: Clock, hub: Hub) -> Callable[..., OidcSite]:
    def site(groups: Any = None, **changes: Any) -> OidcSite:
        given: dict[str, Any] = {"client_id": CLIENT, "client_secret": SECRET, "provision": "create", **changes}
        options = OidcOptions(issuer=hub.server.url, preset="github", **given)
        return OidcSite(clock, sections={"hub": options}, groups=groups)

    return site


def come(browser: Client, **fields: str) -> Response:
    asked = dict(parse_qsl(urlsplit(begin(browser, "hub")).query))
    assert asked["code_challenge_method"] == "S256"
    query = "&".join(f"{name}={value}" for name, value in {"code": "c", "state": asked["state"], **fields}.items())
    return come_back(browser, f"{MOUNT}/oidc/hub/callback?{query}")


def test_a_login_goes_by_the_number_of_the_user(make: Callable[..., OidcSite], hub: Hub) -> None:
    site = make()
    browser = site.browser()
    assert come(browser).status == 303
    assert browser.get("/page").text == "octocat "
    account = site.users.find("octocat")
    assert account is not None
    assert account.email == "octo@example.org", "the primary one of the list, and not what the profile says"
    assert [(each.issuer, each.subject) for each in site.identities.of(account.id)] == [(hub.server.url, "583231")]
    hub.user = {**hub.user, "id": 7}
    other = site.browser()
    come(other)
    assert other.get("/page").text == "octocat-hub ", "who takes over a name over there does not get the account"
    sent = [(path, headers.get("Authorization")) for _, path, _, headers in hub.server.asked if "/user" in path]
    assert all(value == "Bearer gho_abc" for _, value in sent)


@pytest.mark.parametrize(
    ("emails", "is_linked"),
    [
        pytest.param(EMAILS, True, id="it links the verified primary address"),
        pytest.param([{**EMAILS[1], "verified": False}], False, id="it links none that is not verified"),
        pytest.param([EMAILS[0]], False, id="it links none that is not the primary one"),
        pytest.param([], False, id="it links nothing without a list"),
        pytest.param([7, None, {"primary": True, "email": 7, "verified": True}], False, id="it links no nonsense"),
    ],
)
def test_mail_counts_where_github_has_verified_it(
    make: Callable[..., OidcSite], hub: Hub, emails: Any, is_linked: bool
) -> None:
    hub.emails = emails
    site = make(provision="link", trust_email=True)
    site.users.create("ours", email="octo@example.org", email_verified=True)
    assert (come(site.browser()).status == 303) is is_linked


@pytest.mark.parametrize(
    "user", [{}, {"id": True, "login": "x"}, {"id": "1", "login": "x"}, {"id": 1}, {"id": 1, "login": None}]
)
def test_what_is_no_user_is_refused(make: Callable[..., OidcSite], hub: Hub, user: Any) -> None:
    hub.user = user
    assert come(make().browser()).status == 403


def test_errors_that_come_with_status_200_are_errors(make: Callable[..., OidcSite], hub: Hub) -> None:
    hub.token = {"error": "bad_verification_code", "error_description": "The code passed is incorrect or expired."}
    site = make()
    assert come(site.browser()).status == 403
    assert site.reasons() == ["oidc: bad_verification_code"]


def test_an_answer_of_another_issuer_is_refused(make: Callable[..., OidcSite], hub: Hub) -> None:
    assert come(make().browser(), iss="https://evil.example").status == 403
    assert come(make().browser(), iss=f"{hub.server.url}/login/oauth").status == 303


def test_organizations_are_groups(make: Callable[..., OidcSite], hub: Hub) -> None:
    site = make({"staff": ("hub/corp",)}, allow_groups=("corp",))
    browser = site.browser()
    assert "read%3Aorg" in begin(browser, "hub")
    assert come(browser).status == 303
    assert browser.get("/page").text == "octocat staff"
    hub.orgs = [{"login": "evil"}]
    assert come(site.browser()).status == 403


def test_a_token_that_was_taken_back_ends_the_session(make: Callable[..., OidcSite], hub: Hub, clock: Clock) -> None:
    site = make()
    browser = site.browser()
    come(browser)
    clock.advance(301)
    assert browser.get("/page").text == "octocat "
    hub.status = 401
    clock.advance(301)
    assert browser.get("/page").text == "- "


def test_the_user_may_be_asked_which_account_it_is(make: Callable[..., OidcSite]) -> None:
    assert "prompt" not in begin(make().browser(), "hub")
    assert "prompt=select_account" in begin(make(prompt="select_account").browser(), "hub")


@pytest.mark.parametrize(
    "options",
    [
        {"require_amr": ("mfa",)},
        {"require_acr": ("gold",)},
        {"max_age": 0.0},
        {"trust_mfa": True},
        {"response_mode": "form_post"},
        {"username": "email"},
        {"client_auth": "none"},
    ],
    ids=lambda options: next(iter(options)),
)
def test_what_github_has_nothing_for_is_no_option(options: dict[str, Any]) -> None:
    (name,) = options
    with pytest.raises(OptionError, match=f"{name}: .*[Gg]it[Hh]ub"):
        OidcOptions(preset="github", client_id=CLIENT, client_secret=SECRET, **options)


def test_there_is_no_logout_at_github_and_none_from_there(make: Callable[..., OidcSite], hub: Hub) -> None:
    site = make()
    assert site.providers.all["hub"].address_of_logout("", "", "") is None
    token = hub.server.logout_token()
    assert site.browser().post(f"{MOUNT}/oidc/hub/backchannel", form={"logout_token": token}).status == 400
