"""Forms whose users have to show more before they go on: a second factor, or once more who they are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from auth_pages import CHEAP, PASSWORD, Clock, Reply, Visitor

from wheatpaste.middleware.auth.accounts.options import StoreOptions
from wheatpaste.middleware.auth.auth import Guard
from wheatpaste.middleware.auth.authority import Authority
from wheatpaste.middleware.auth.factors import totp
from wheatpaste.middleware.auth.interrupted import MOST_OF_A_NETWORK
from wheatpaste.middleware.auth.passwords.options import PasswordOptions
from wheatpaste.middleware.auth.rules import RuleOptions
from wheatpaste.middleware.auth.setup import authority_of
from wheatpaste.middleware.auth.site import Site
from wheatpaste.middleware.storage.store import StoreError

SECRET = "7f3a9c51e2d84b06a5c1908e6fd2b743bb1e6c0d94f7a258"
SEED = totp.read_seed("JBSWY3DPEHPK3PXP JBSWY3DPEHPK3PXP")
RULES = {"/pay": "authenticated and fresh 5m", "/vault": "authenticated and mfa", "/admin": "role admin and fresh 5m"}


class Shop:
    """An app that takes orders; those at ``/app/…`` it takes from whom it knows well enough itself."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.orders: list[tuple[str, bytes]] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        identity, path = environ.get("wheatpaste.identity"), environ["PATH_INFO"]
        refusal = None
        if path.startswith("/app/") and identity is None:
            refusal = "Cookie"
        elif path == "/app/pay" and self.clock() - identity["auth_time"] > 300:
            refusal = 'Bearer error="insufficient_user_authentication", max_age=300'
        elif path == "/app/vault" and "mfa" not in identity["amr"]:
            refusal = 'Bearer error="insufficient_user_authentication", acr_values="mfa"'
        if refusal is not None:
            headers = [("Content-Type", "text/plain")]
            if refusal != "Cookie":
                headers.append(("WWW-Authenticate", refusal))
            start_response("401 Unauthorized", headers)
            return [b"more"]
        if environ["REQUEST_METHOD"] == "POST":
            self.orders.append((path, environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))))
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [f"hello {environ.get('REMOTE_USER')}".encode()]


@pytest.fixture
def moved() -> Clock:
    return Clock()


@pytest.fixture
def shop(moved: Clock) -> Shop:
    return Shop(moved)


@pytest.fixture
def authority(moved: Clock, tmp_path: Path) -> Iterator[Authority]:
    """A site with the users bob and kim."""
    made = authority_of(
        {
            "": Site(secret=SECRET, audit="none", public_url="https://wiki.example.org"),
            "password": PasswordOptions(argon2=CHEAP),
            "store": StoreOptions(url=f"sqlite:///{tmp_path / 'auth.db'}"),
            "rules": RuleOptions(rules={**RULES, "/*": "everyone"}),
        },
        moved,
    )
    for name in ("bob", "kim"):
        account = made.users.create(name)
        made.users.set_password(account.id, made.passwords.hasher.hash(PASSWORD))
    yield made
    made.close()


@pytest.fixture
def bob(authority: Authority, shop: Shop) -> Visitor:
    """A browser in which bob is signed in."""
    made = Visitor(Guard(shop, authority), scheme="https")
    made.login()
    return made


def interrupted(bob: Visitor, moved: Clock, path: str) -> Reply:
    """A form that comes when the session has ended, the login, and the page that asks whether it is to go on."""
    moved.move(7200)
    assert bob.post(path, {"item": "ink"}).code == 303
    back = bob.login()
    assert back.location == "/-/auth/resume"
    return bob.get(back.location)


def confirm(bob: Visitor, reply: Reply) -> Reply:
    assert reply.location.startswith("/-/auth/confirm?"), reply
    return bob.fill(bob.get(reply.location), "/confirm", password=PASSWORD)


def enrol(bob: Visitor, reply: Reply, moved: Clock) -> Reply:
    """Set up an app on the way; what follows its page."""
    page = bob.follow(reply)
    text = page.text.partition("secret=")[2].partition("&")[0]
    code = totp.code_at(totp.read_seed(text), totp.step_at(moved()))
    codes = bob.fill(page, "/enrol", code=code)
    assert codes.code == 200, codes
    return bob.get(codes.text.partition('class="main button" href="')[2].partition('"')[0])


@pytest.mark.parametrize("path", ["/pay", "/app/pay"])
def test_it_goes_on_after_the_user_has_confirmed_who_it_is(path: str, bob: Visitor, moved: Clock, shop: Shop) -> None:
    page = interrupted(bob, moved, path)
    moved.move(400)  # in which it is too long ago that the user has shown who it is
    back = confirm(bob, bob.fill(page, "/resume"))
    assert (back.location, shop.orders) == ("/-/auth/resume", [])
    page = bob.get(back.location)
    assert path in page.words
    assert bob.fill(page, "/resume").text == "hello bob"
    assert shop.orders == [(path, b"item=ink")]
    assert bob.fill(page, "/resume").code == 404
    assert len(shop.orders) == 1


@pytest.mark.parametrize("path", ["/vault", "/app/vault"])
def test_it_goes_on_after_the_second_factor(
    path: str, bob: Visitor, authority: Authority, moved: Clock, shop: Shop
) -> None:
    authority.needs_second_factor = lambda account: False  # where it is for some pages alone
    account = authority.users.find("bob")
    assert account is not None
    authority.factors.totp.confirm(account.id, SEED, totp.code_at(SEED, totp.step_at(moved())))
    authority.factors.note(account.id)
    page = interrupted(bob, moved, path)
    reply = bob.fill(page, "/resume")
    assert reply.location.startswith("/-/auth/second?")
    code = totp.code_at(SEED, totp.step_at(moved()))
    back = bob.fill(bob.get(reply.location), "/second", code=code)
    assert (back.location, shop.orders) == ("/-/auth/resume", [])
    assert bob.fill(bob.get(back.location), "/resume").text == "hello bob"
    assert shop.orders == [(path, b"item=ink")]


@pytest.mark.parametrize("path", ["/vault", "/app/vault"])
def test_it_goes_on_after_a_second_factor_was_set_up(path: str, bob: Visitor, moved: Clock, shop: Shop) -> None:
    page = interrupted(bob, moved, path)
    reply = bob.get(bob.fill(page, "/resume").location)
    assert reply.location.startswith("/-/auth/enrol?")
    page = bob.follow(enrol(bob, reply, moved))
    assert path in page.words
    assert bob.fill(page, "/resume").text == "hello bob"
    assert shop.orders == [(path, b"item=ink")]


def test_it_waits_until_both_steps_are_done_that_a_second_factor_takes(
    bob: Visitor, authority: Authority, moved: Clock, shop: Shop
) -> None:
    moved.move(authority.factors.options.fresh + 1)
    reply = bob.get(bob.post("/vault", {"item": "ink"}).location)
    assert reply.location.startswith("/-/auth/enrol?")
    reply = confirm(bob, bob.get(reply.location))
    assert reply.location.startswith("/-/auth/enrol?"), "the form cannot go on yet"
    page = bob.follow(enrol(bob, reply, moved))
    assert bob.fill(page, "/resume").text == "hello bob"
    assert shop.orders == [("/vault", b"item=ink")]


def test_it_waits_as_well_where_the_session_had_not_ended(bob: Visitor, moved: Clock, shop: Shop) -> None:
    moved.move(400)
    back = confirm(bob, bob.post("/pay", {"item": "ink"}))
    assert bob.fill(bob.get(back.location), "/resume").text == "hello bob"
    assert shop.orders == [("/pay", b"item=ink")]


def test_it_is_for_the_same_user(bob: Visitor, authority: Authority, moved: Clock, shop: Shop) -> None:
    page = interrupted(bob, moved, "/pay")
    moved.move(400)
    bob.fill(page, "/resume")
    bob.cookies.pop("__Host-wheatpaste.session")
    assert bob.login("kim").location != "/-/auth/resume"
    assert bob.get("/-/auth/resume").location == "/"
    assert bob.fill(page, "/resume").code in (403, 404)
    assert shop.orders == []


def test_it_is_for_the_same_browser(bob: Visitor, authority: Authority, moved: Clock, shop: Shop) -> None:
    page = interrupted(bob, moved, "/pay")
    moved.move(400)
    bob.fill(page, "/resume")
    other = Visitor(bob.app, scheme="https")
    other.login()
    assert other.get("/-/auth/resume").location == "/"


def test_the_cookie_before_is_good_for_nothing(bob: Visitor, moved: Clock, shop: Shop) -> None:
    page = interrupted(bob, moved, "/pay")
    before = bob.cookies["__Host-wheatpaste.post"]
    moved.move(400)
    back = confirm(bob, bob.fill(page, "/resume"))
    kept = bob.cookies["__Host-wheatpaste.post"]
    assert kept != before
    bob.cookies["__Host-wheatpaste.post"] = before
    assert bob.get(back.location).location == "/"
    bob.cookies["__Host-wheatpaste.post"] = kept
    assert bob.get(back.location).code == 200


def test_it_does_not_wait_for_longer_than_any_other(bob: Visitor, moved: Clock, shop: Shop) -> None:
    page = interrupted(bob, moved, "/pay")
    moved.move(400)
    reply = bob.fill(page, "/resume")
    moved.move(601)
    assert confirm(bob, reply).location == "/"
    assert shop.orders == []


def test_it_cannot_wait_without_end(bob: Visitor, authority: Authority, moved: Clock) -> None:
    moved.move(400)
    for _ in range(MOST_OF_A_NETWORK + 5):
        assert bob.post("/pay", {"item": "ink"}).location.startswith("/-/auth/confirm?")
    assert len(authority.store.keys("auth.posts")) == MOST_OF_A_NETWORK


def test_it_does_not_wait_for_what_would_not_help(bob: Visitor, authority: Authority, moved: Clock, shop: Shop) -> None:
    moved.move(400)
    assert bob.post("/admin", {"item": "ink"}).code == 403
    assert authority.store.keys("auth.posts") == []
    assert bob.post("/pay", {"item": "ink"}, HTTP_SEC_FETCH_MODE="cors").code == 401
    assert authority.store.keys("auth.posts") == []


def test_a_script_that_lets_it_go_on_is_told_what_is_missing(
    bob: Visitor, authority: Authority, moved: Clock, shop: Shop
) -> None:
    page = interrupted(bob, moved, "/pay")
    moved.move(400)
    form = page.form("/resume")
    assert bob.post(form.pop("action"), form, HTTP_SEC_FETCH_MODE="cors").code == 401
    assert authority.store.keys("auth.posts") == []
    assert shop.orders == []


@pytest.mark.parametrize(
    "told",
    [
        {"HTTP_SEC_FETCH_SITE": "cross-site", "HTTP_ORIGIN": "https://evil.example"},
        {"HTTP_SEC_FETCH_SITE": "same-site", "HTTP_ORIGIN": "https://shop.example.org"},
        {"HTTP_SEC_FETCH_SITE": None, "HTTP_ORIGIN": None},
    ],
    ids=["another site", "a neighbour", "nobody says where"],
)
def test_a_form_of_another_site_does_not_wait(
    told: dict[str, Any], bob: Visitor, authority: Authority, moved: Clock
) -> None:
    moved.move(400)
    assert bob.post("/pay", {"item": "ink"}, **told).location.startswith("/-/auth/confirm?")
    assert authority.store.keys("auth.posts") == []


@pytest.mark.parametrize("path", ["/pay", "/app/pay"])
def test_nobody_is_told_that_it_waits_when_it_cannot(
    path: str, bob: Visitor, authority: Authority, moved: Clock, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = interrupted(bob, moved, path)
    moved.move(400)

    def fail(*args: Any) -> None:
        raise StoreError("it is down")

    assert authority.interrupted is not None
    put = authority.store.put
    monkeypatch.setattr(
        authority.store, "put", lambda space, *rest: (fail if space == "auth.posts" else put)(space, *rest)
    )
    assert bob.fill(page, "/resume").code == 503
    assert shop.orders == []
