"""Logins at providers that users connect with their accounts, and who must not be able to."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from auth_pages import CHEAP, PASSWORD, Clock, Reply, Visitor
from hostile_provider import HostileProvider
from oidc_site import at_provider, options_for

from wheatpaste.middleware.auth.accounts.options import GroupOptions, StoreOptions
from wheatpaste.middleware.auth.auth import Guard
from wheatpaste.middleware.auth.factors import totp
from wheatpaste.middleware.auth.oidc.options import OidcOptions
from wheatpaste.middleware.auth.pages.providers import LAST, OVER, OWN, TAKEN
from wheatpaste.middleware.auth.passwords.options import PasswordOptions
from wheatpaste.middleware.auth.sessions.options import SessionOptions
from wheatpaste.middleware.auth.setup import authority_of
from wheatpaste.middleware.auth.site import Site
from wheatpaste.middleware.auth.visit import Visit

SECRET = "7f3a9c51e2d84b06a5c1908e6fd2b743bb1e6c0d94f7a258"
PAGE = "/-/auth/account/providers"
CROSS = {"HTTP_SEC_FETCH_SITE": "cross-site"}


def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Says who asks, and in which groups."""
    identity = environ.get("wheatpaste.identity") or {}
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{environ.get('REMOTE_USER', '-')} {','.join(identity.get('groups', ()))}".encode()]


class LinkingSite:
    """A site with pages, with a provider ``corp`` and perhaps others."""

    def __init__(
        self,
        folder: Path,
        providers: Mapping[str, HostileProvider],
        *,
        login: tuple[str, ...] = ("password",),
        session: Mapping[str, Any] | None = None,
        groups: Mapping[str, tuple[str, ...]] | None = None,
        **options: Any,
    ) -> None:
        self.clock = Clock()
        self._log = folder / "audit.log"
        parts: dict[str, Any] = {
            "": Site(secret=SECRET, audit=f"json:{self._log}", login=login, public_url="https://wiki.example.org"),
            "store": StoreOptions(url=f"sqlite:///{folder / 'auth.db'}"),
            "password": PasswordOptions(argon2=CHEAP),
            "session": SessionOptions(**(session or {})),
            "groups": GroupOptions(groups=groups or {}),
            **{f"oidc:{name}": options_for(each, **options) for name, each in providers.items()},
        }
        self.authority = authority_of(parts, self.clock)
        self.app = Guard(app, self.authority)

    def add(self, name: str, password: str | None = PASSWORD) -> str:
        account = self.authority.users.create(name)
        if password is not None:
            self.authority.users.set_password(account.id, self.authority.passwords.hasher.hash(password))
        return account.id

    def browser(self, name: str | None = None) -> Visitor:
        made = Visitor(self.app, scheme="https")
        if name is not None:
            made.login(name)
            assert who(made) == name
        return made

    def links(self, account_id: str) -> list[str]:
        return [each.subject for each in self.authority.identities.of(account_id)]

    def told(self) -> list[str]:
        """What the audit log says of such logins."""
        events = [json.loads(line)["event"] for line in self._log.read_text().splitlines()]
        return [each for each in events if each.startswith("identity.")]


def who(visitor: Visitor) -> str:
    return visitor.get("/page").text.split(" ")[0]


def link_on(page: Reply, name: str = "corp") -> str:
    """The address behind the button that begins it."""
    found = re.search(rf'href="([^"]*/oidc/{name}/link[^"]*)"', page.text)
    assert found is not None, page.text
    return unescape(found[1])


def begin(visitor: Visitor, name: str = "corp") -> str:
    """Follow it; where the provider's browser is sent."""
    reply = visitor.get(link_on(visitor.get(PAGE), name))
    assert reply.code == 303, reply
    return reply.location


def come_back(visitor: Visitor, address: str, **more: Any) -> Reply:
    parts = urlsplit(address)
    return visitor.get(f"{parts.path}?{parts.query}", **{**CROSS, **more})


def asked(visitor: Visitor, name: str = "corp") -> Reply:
    """All until our question."""
    return come_back(visitor, at_provider(begin(visitor, name)))


def connect(visitor: Visitor, name: str = "corp") -> Reply:
    return visitor.fill(asked(visitor, name), "/providers/add")


def sign_in(visitor: Visitor, name: str = "corp") -> Reply:
    """A login at the provider."""
    begun = visitor.get(f"/-/auth/oidc/{name}/start")
    return come_back(visitor, at_provider(begun.location))


@pytest.fixture
def make_site(provider: HostileProvider, tmp_path: Path) -> Iterator[Callable[..., LinkingSite]]:
    """Make a site: ``make_site(provision="deny")``."""
    made: list[LinkingSite] = []
    provider.clock = lambda: made[-1].clock()

    def make(**how: Any) -> LinkingSite:
        made.append(LinkingSite(tmp_path, **{"providers": {"corp": provider}, "provision": "deny", **how}))
        return made[-1]

    yield make
    for each in made:
        each.authority.close()


@pytest.fixture(params=["store", "cookie"])
def site(request: pytest.FixtureRequest, make_site: Callable[..., LinkingSite]) -> LinkingSite:
    return make_site(session={"mode": request.param})


# ---- connecting


def test_a_login_that_was_connected_is_a_way_in(site: LinkingSite) -> None:
    bob = site.add("bob")
    assert sign_in(site.browser()).code == 403
    browser = site.browser("bob")
    question = asked(browser)
    assert "Alice A. · alice" in question.words
    assert "as bob" in question.words
    assert site.links(bob) == [], "until it is answered"
    reply = browser.fill(question, "/providers/add")
    assert (reply.code, reply.location) == (303, f"{PAGE}?changed=1")
    assert "Alice A. · alice" in browser.get(PAGE).words
    assert site.told() == ["identity.link"]
    other = site.browser()
    assert sign_in(other).code == 303
    assert who(other) == "bob"


def test_the_provider_is_asked_to_show_who_it_is(site: LinkingSite) -> None:
    site.add("bob")
    fields = parse_qs(urlsplit(begin(site.browser("bob"))).query)
    assert fields["prompt"] == ["select_account"]


def test_what_is_configured_is_asked_for_instead(make_site: Callable[..., LinkingSite]) -> None:
    site = make_site(prompt="consent")
    site.add("bob")
    assert parse_qs(urlsplit(begin(site.browser("bob"))).query)["prompt"] == ["consent"]


def test_github_is_asked_to_let_its_user_choose(tmp_path: Path) -> None:
    parts = {
        "": Site(secret=SECRET, audit="none", public_url="https://wiki.example.org"),
        "store": StoreOptions(url=f"sqlite:///{tmp_path / 'hub.db'}"),
        "password": PasswordOptions(argon2=CHEAP),
        "oidc:hub": OidcOptions(preset="github", client_id="x", client_secret="y"),
    }
    authority = authority_of(parts, Clock())
    account = authority.users.create("bob")
    authority.users.set_password(account.id, authority.passwords.hasher.hash(PASSWORD))
    browser = Visitor(Guard(app, authority), scheme="https")
    browser.login()
    assert "Connect a login that you have elsewhere" in browser.get(PAGE).words
    asked_for = urlsplit(begin(browser, "hub"))
    assert (asked_for.netloc, parse_qs(asked_for.query)["prompt"]) == ("github.com", ["select_account"])
    authority.close()


def test_the_session_stays_as_it_is(site: LinkingSite) -> None:
    site.add("bob")
    browser = site.browser("bob")
    before = browser.cookies["__Host-wheatpaste.session"]
    connect(browser)
    assert browser.cookies["__Host-wheatpaste.session"] == before
    assert who(browser) == "bob"


def test_it_works_where_the_session_is_not_sent_along_from_other_sites(make_site: Callable[..., LinkingSite]) -> None:
    site = make_site(session={"same_site": "strict"})
    bob = site.add("bob")
    browser = site.browser("bob")
    answer = at_provider(begin(browser))
    kept = browser.cookies.pop("__Host-wheatpaste.session")
    question = come_back(browser, answer)
    browser.cookies["__Host-wheatpaste.session"] = kept
    assert browser.fill(question, "/providers/add").code == 303
    assert site.links(bob) == ["alice-1"]


def test_a_login_of_somebody_else_here_is_refused(site: LinkingSite) -> None:
    bob, eve = site.add("bob"), site.add("eve")
    connect(site.browser("bob"))
    reply = asked(site.browser("eve"))
    assert (reply.code, TAKEN in reply.words) == (403, True)
    assert (site.links(bob), site.links(eve)) == (["alice-1"], [])


def test_of_two_who_connect_one_login_at_once_one_gets_it(site: LinkingSite) -> None:
    bob, eve = site.add("bob"), site.add("eve")
    one, two = site.browser("bob"), site.browser("eve")
    questions = [(one, asked(one)), (two, asked(two))]
    replies = [browser.fill(question, "/providers/add") for browser, question in questions]
    assert [each.code for each in replies] == [303, 403]
    assert TAKEN in replies[1].words
    assert (site.links(bob), site.links(eve)) == (["alice-1"], [])


def test_the_same_login_again_is_told_so(site: LinkingSite) -> None:
    site.add("bob")
    browser = site.browser("bob")
    connect(browser)
    reply = asked(browser)
    assert (reply.code, OWN in reply.words) == (403, True)


def test_a_user_may_connect_several_logins_of_one_provider(site: LinkingSite, provider: HostileProvider) -> None:
    bob = site.add("bob")
    browser = site.browser("bob")
    connect(browser)
    provider.user = {"sub": "alice-2", "preferred_username": "alice.work"}
    connect(browser)
    assert sorted(site.links(bob)) == ["alice-1", "alice-2"]


def test_who_is_not_let_in_there_cannot_be_connected(
    make_site: Callable[..., LinkingSite], provider: HostileProvider
) -> None:
    site = make_site(groups_claim="groups", allow_groups=("wiki-users",))
    bob = site.add("bob")
    provider.user["groups"] = ["others"]
    assert asked(site.browser("bob")).code == 403
    assert site.links(bob) == []


def test_a_site_can_keep_users_from_it(make_site: Callable[..., LinkingSite]) -> None:
    site = make_site(linking=False)
    site.add("bob")
    browser = site.browser("bob")
    assert "/link" not in browser.get(PAGE).text
    assert browser.get("/-/auth/oidc/corp/link?ticket=x").code == 404


# ---- who is made to connect what


def test_nobody_who_is_not_signed_in_begins_it(site: LinkingSite, provider: HostileProvider) -> None:
    reply = site.browser().get("/-/auth/oidc/corp/link?ticket=x")
    assert reply.location.startswith("/-/auth/login?")
    assert provider.asked == []


def test_a_login_that_is_long_ago_does_not_begin_it(site: LinkingSite, provider: HostileProvider) -> None:
    site.add("bob")
    browser = site.browser("bob")
    address = link_on(browser.get(PAGE))
    site.clock.move(site.authority.factors.options.fresh + 1)
    assert browser.get(PAGE).location.startswith("/-/auth/confirm?")
    assert browser.get(address).location.startswith("/-/auth/confirm?")
    assert provider.asked == []


@pytest.mark.parametrize("ticket", ["", "?ticket=", "?ticket=x", "?ticket=" + "A" * 80, "?ticket=%00%ff"])
def test_a_link_of_another_page_begins_nothing(site: LinkingSite, provider: HostileProvider, ticket: str) -> None:
    site.add("bob")
    browser = site.browser("bob")
    for more in ({}, CROSS):
        reply = browser.get(f"/-/auth/oidc/corp/link{ticket}", **more)
        assert (reply.code, reply.location) in ((303, PAGE), (403, ""))
    assert provider.asked == []


def test_a_link_that_another_has_begins_nothing(site: LinkingSite, provider: HostileProvider) -> None:
    site.add("bob")
    site.add("eve")
    of_eve = link_on(site.browser("eve").get(PAGE))
    elsewhere = link_on(site.browser("bob").get(PAGE))
    browser = site.browser("bob")
    assert browser.get(of_eve).location == PAGE
    assert browser.get(elsewhere).location == PAGE, "of another session"
    assert provider.asked == []


def test_a_link_is_for_its_provider(
    make_site: Callable[..., LinkingSite], provider: HostileProvider, make_provider: Callable[[], HostileProvider]
) -> None:
    site = make_site(providers={"corp": provider, "other": make_provider()})
    site.add("bob")
    browser = site.browser("bob")
    address = link_on(browser.get(PAGE))
    assert browser.get(address.replace("/corp/", "/other/")).location == PAGE


def test_the_answer_that_another_has_begun_connects_nothing(site: LinkingSite) -> None:
    """Eve has her own login brought home by Bob's browser."""
    bob, eve = site.add("bob"), site.add("eve")
    of_eve = at_provider(begin(site.browser("eve")))
    browser = site.browser("bob")
    assert come_back(browser, of_eve).code == 400
    begin(browser)  # now there is one of its own, and the answer is not that one's
    assert come_back(browser, of_eve).code == 400
    assert (site.links(bob), site.links(eve)) == ([], [])


def test_the_login_that_another_has_planted_connects_nothing(site: LinkingSite) -> None:
    """Eve sets the cookie of her own login in Bob's browser, so that what he shows is connected with her account."""
    bob, eve = site.add("bob"), site.add("eve")
    attacker = site.browser("eve")
    address = begin(attacker)
    browser = site.browser("bob")
    browser.cookies["__Host-wheatpaste.login"] = attacker.cookies["__Host-wheatpaste.login"]
    question = come_back(browser, at_provider(address))
    assert "as eve" in question.words
    reply = browser.fill(question, "/providers/add")
    assert (reply.code, OVER in reply.words) == (403, True)
    assert (site.links(bob), site.links(eve)) == ([], [])


def test_a_question_is_for_the_session_that_has_begun_it(site: LinkingSite) -> None:
    bob = site.add("bob")
    browser = site.browser("bob")
    question = asked(browser)
    other = site.browser("bob")
    browser.cookies["__Host-wheatpaste.session"] = other.cookies["__Host-wheatpaste.session"]
    assert OVER in browser.fill(question, "/providers/add").words
    assert site.links(bob) == []


def test_a_question_is_answered_once_and_within_its_time(site: LinkingSite) -> None:
    bob = site.add("bob")
    browser = site.browser("bob")
    question = asked(browser)
    site.clock.move(601)
    browser.fill(browser.get("/-/auth/confirm"), "/confirm", password=PASSWORD)
    assert OVER in browser.fill(question, "/providers/add").words
    question = asked(browser)
    again = dict(browser.cookies)
    assert browser.fill(question, "/providers/add").code == 303
    connected = site.authority.identities.of(bob)[0]
    browser.cookies |= again
    site.authority.identities.unlink(bob, connected.issuer, connected.subject)
    assert OVER in browser.fill(question, "/providers/add").words
    assert site.links(bob) == []


def test_a_new_password_in_between_ends_it(site: LinkingSite) -> None:
    bob = site.add("bob")
    browser = site.browser("bob")
    answer = at_provider(begin(browser))
    site.authority.users.raise_epoch(bob)
    assert OVER in come_back(browser, answer).words


def test_what_comes_back_signs_nobody_in(site: LinkingSite) -> None:
    bob = site.add("bob")
    connect(site.browser("bob"))
    site.add("eve")
    browser = site.browser("eve")
    browser.get("/page")
    answer = at_provider(begin(browser))
    browser.cookies.pop("__Host-wheatpaste.session")
    come_back(browser, answer)
    assert who(browser) == "-"
    assert site.links(bob) == ["alice-1"]


def test_who_acts_in_the_name_of_a_user_connects_nothing(make_site: Callable[..., LinkingSite]) -> None:
    site = make_site()
    bob = site.add("bob")
    browser = site.browser("bob")
    address = link_on(browser.get(PAGE))
    visit = Visit(
        site.authority, {"REQUEST_METHOD": "GET", "wsgi.url_scheme": "https", "HTTP_HOST": "wiki.example.org"}
    )
    account = site.authority.directory.get(bob)
    assert account is not None
    site.authority.sessions.begin(visit, account, ("pwd",), actor="support")
    browser.cookies = {}
    for _, value in visit.headers:
        browser._keep(value)
    assert [browser.get(each).code for each in (PAGE, address)] == [403, 403]


def test_a_button_of_another_site_connects_nothing(site: LinkingSite) -> None:
    bob = site.add("bob")
    browser = site.browser("bob")
    question = asked(browser)
    token = question.form("/providers/add")["token"]
    for origin in ({"HTTP_SEC_FETCH_SITE": "cross-site", "HTTP_ORIGIN": "https://evil.example"}, {}):
        fields = {"token": token} if origin else {}
        assert browser.post(f"{PAGE}/add", fields, **origin).code == 403
    assert site.links(bob) == []


# ---- removing


def connected(site: LinkingSite, password: str | None = PASSWORD) -> str:
    """Bob, who has connected the login."""
    bob = site.add("bob", password)
    site.authority.identities.link(site.authority.issuers["corp"], "alice-1", bob, "corp", "Alice A. · alice")
    return bob


def remove(browser: Visitor) -> Reply:
    return browser.fill(browser.get(PAGE), "/providers/remove")


def test_a_login_that_was_removed_lets_nobody_in(site: LinkingSite) -> None:
    bob = connected(site)
    browser = site.browser("bob")
    assert remove(browser).location == f"{PAGE}?changed=1"
    assert site.links(bob) == []
    assert site.told() == ["identity.unlink"]
    assert who(browser) == "bob"
    assert sign_in(site.browser()).code == 403


def test_who_came_in_by_it_is_signed_out(site: LinkingSite) -> None:
    connected(site)
    by_it = site.browser()
    sign_in(by_it)
    assert who(by_it) == "bob"
    browser = site.browser("bob")
    remove(browser)
    assert who(by_it) == "-"
    assert who(browser) == "bob"


def test_who_removes_the_login_by_which_they_came_is_signed_out(site: LinkingSite) -> None:
    connected(site)
    browser = site.browser()
    sign_in(browser)
    assert "Signed in with it now" in browser.get(PAGE).words
    assert remove(browser).location == "/-/auth/login?note=out"
    assert who(browser) == "-"


def test_who_was_about_to_come_in_by_it_does_not(make_site: Callable[..., LinkingSite]) -> None:
    site = make_site()
    bob = connected(site)
    site.authority.needs_second_factor = lambda account: True
    waiting = site.browser()
    assert sign_in(waiting).location.endswith("/enrol")
    link = site.authority.identities.of(bob)[0]
    site.authority.identities.unlink(bob, link.issuer, link.subject)
    page = waiting.get("/-/auth/enrol")
    seed = re.search(r"secret=([A-Z2-7]+)", page.text)
    assert seed is not None
    code = totp.code_at(totp.read_seed(seed[1]), totp.step_at(site.clock()))
    reply = waiting.fill(page, "/enrol", code=code)
    assert site.authority.factors.has_second_factor(bob), reply
    assert who(waiting) == "-"


def test_the_only_way_in_stays(site: LinkingSite) -> None:
    bob = connected(site, password=None)
    browser = site.browser()
    sign_in(browser)
    reply = remove(browser)
    assert (reply.code, LAST in reply.words) == (403, True)
    assert site.links(bob) == ["alice-1"]
    assert who(browser) == "bob"


def test_a_password_is_no_way_in_where_none_is_asked_for(make_site: Callable[..., LinkingSite]) -> None:
    site = make_site(login=("oidc:corp",))
    connected(site)
    browser = site.browser()
    sign_in(browser)
    assert LAST in remove(browser).words


def test_a_provider_that_is_gone_is_no_way_in(site: LinkingSite) -> None:
    bob = connected(site, password=None)
    site.authority.identities.link("https://gone.example", "b", bob, "gone")
    browser = site.browser()
    sign_in(browser)
    page = browser.get(PAGE)
    forms = {form["id"]: form for form in page.forms() if form["action"].endswith("/remove")}
    assert len(forms) == 2
    for form in forms.values():
        browser.post(form["action"], form)
    assert site.links(bob) == ["alice-1"], "the one that is gone can go, the other has to stay"


def test_of_the_last_two_that_are_removed_at_once_one_stays(make_site: Callable[..., LinkingSite]) -> None:
    site = make_site()
    bob = connected(site, password=None)
    issuer = site.authority.issuers["corp"]
    for _ in range(10):
        site.authority.identities.link(issuer, "alice-1", bob, "corp")
        site.authority.identities.link(issuer, "alice-2", bob, "corp")
        with ThreadPoolExecutor(2) as pool:
            removed = list(
                pool.map(
                    lambda subject: site.authority.identities.unlink(bob, issuer, subject, keep_one_of={issuer}),
                    ("alice-1", "alice-2"),
                )
            )
        assert sorted(removed) == [False, True]
        assert len(site.links(bob)) == 1


def test_the_groups_that_it_gave_go_with_it(make_site: Callable[..., LinkingSite], provider: HostileProvider) -> None:
    site = make_site(groups_claim="groups", groups={"staff": ("corp/wiki-users",)})
    bob = connected(site)
    provider.user["groups"] = ["wiki-users"]
    sign_in(site.browser())
    browser = site.browser("bob")
    assert browser.get("/page").text == "bob staff"
    remove(browser)
    assert browser.get("/page").text == "bob "
    assert site.links(bob) == []


def test_nobody_removes_the_login_of_another(site: LinkingSite) -> None:
    bob = connected(site)
    site.add("eve")
    form = site.browser("bob").get(PAGE).form("/providers/remove")
    browser = site.browser("eve")
    token = browser.get("/-/auth/logout").form("/logout")["token"]
    assert browser.post(f"{PAGE}/remove", {"id": form["id"], "token": token}).code == 303
    assert site.links(bob) == ["alice-1"]
    assert site.told() == []


def test_it_says_all_of_it_in_german(site: LinkingSite) -> None:
    connected(site)
    browser = Visitor(site.app, scheme="https", language="de")
    browser.login("bob")
    words = browser.get(PAGE).words
    assert "Verbundene Anmeldungen" in words
    assert "corp verbinden" in words
    assert "1 verbunden" in browser.get("/-/auth/account").words
