"""All parts of the authentication together, as the sections of a site put them."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode

import pytest
from auth_assembled import assembling
from auth_pages import PASSWORD, Clock, Visitor

from wheatpaste.config.options import OptionError
from wheatpaste.middleware.auth.accounts.options import RoleOptions
from wheatpaste.middleware.auth.auth import Guard
from wheatpaste.middleware.auth.auth_filter import Auth
from wheatpaste.middleware.auth.authority import Authority
from wheatpaste.middleware.auth.factors.options import MfaOptions
from wheatpaste.middleware.auth.oidc.options import OidcOptions
from wheatpaste.middleware.auth.rules import RuleOptions
from wheatpaste.middleware.auth.site import Site
from wheatpaste.middleware.storage.store import StoreError


class Shop:
    """An app that keeps what it was asked."""

    def __init__(self) -> None:
        self.orders: list[bytes] = []
        self.seen: dict[str, Any] = {}

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        self.seen = environ
        user = environ.get("REMOTE_USER")
        if user is None and environ["PATH_INFO"] != "/":
            start_response("401 Unauthorized", [("Content-Type", "text/plain")])
            return [b"who?"]
        if environ["REQUEST_METHOD"] == "POST":
            self.orders.append(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [f"hello {user}".encode()]


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def moved() -> Clock:
    return Clock()


@pytest.fixture
def assemble(moved: Clock, tmp_path: Path) -> Iterator[Callable[..., Authority]]:
    """Put a site together, with bob in it: ``assemble(site={"methods": …}, rules=RuleOptions(…))``."""
    with assembling(tmp_path, moved) as found:
        yield found


def test_who_logs_in_reaches_what_was_wanted(assemble: Any, shop: Shop) -> None:
    visitor = Visitor(Guard(shop, assemble()))
    page = visitor.get("/orders?page=2")
    assert page.location == "/-/auth/login?next=%2Forders%3Fpage%3D2"
    reply = visitor.fill(visitor.get(page.location), "/login", username="bob", password=PASSWORD)
    assert reply.location == "/orders?page=2"
    assert visitor.get(reply.location).text == "hello bob"
    assert shop.seen["wheatpaste.identity"]["amr"] == ["pwd"]
    assert shop.seen["AUTH_TYPE"] == "session"


def test_it_works_below_a_mount(assemble: Any, shop: Shop) -> None:
    visitor = Visitor(Guard(shop, assemble()), mount="/shop")
    page = visitor.get("/shop/orders")
    assert page.location == "/shop/-/auth/login?next=%2Fshop%2Forders"
    assert visitor.login(target="/shop/orders").location == "/shop/orders"
    assert visitor.get("/shop/orders").text == "hello bob"


def test_rules_ask_before_the_app_does(assemble: Any, shop: Shop) -> None:
    rules = RuleOptions(rules={"/admin/*": "role admin", "/*": "everyone"})
    authority = assemble(rules=rules, roles=RoleOptions(permissions={"admin": ("user:*",)}))
    visitor = Visitor(Guard(shop, authority))
    assert visitor.get("/").text == "hello None"
    assert visitor.get("/admin/users").code == 303
    visitor.login()
    assert visitor.get("/admin/users").code == 403
    authority.users.grant("user:bob", "admin")
    assert visitor.get("/admin/users").text == "hello bob"
    assert shop.seen["wheatpaste.identity"]["permissions"] == ["user:*"]
    authority.users.revoke("user:bob", "admin")
    assert visitor.get("/admin/users").code == 403


def test_a_path_that_could_be_read_in_two_ways_is_refused(assemble: Any, shop: Shop) -> None:
    visitor = Visitor(Guard(shop, assemble(rules=RuleOptions(rules={"/*": "everyone"}))))
    assert visitor.get("/a/%00/b", PATH_INFO="/a/\0/b").code == 400
    assert shop.seen == {}


def test_a_form_survives_the_end_of_its_session(assemble: Any, shop: Shop, moved: Clock) -> None:
    visitor = Visitor(Guard(shop, assemble()))
    visitor.login()
    moved.move(3601)
    sent = visitor.post(
        "/orders/new?draft=1", {"item": "ink", "number": "3"}, HTTP_REFERER="http://wiki.example.org/form"
    )
    assert (sent.code, shop.orders) == (303, [])
    back = visitor.fill(visitor.get(sent.location), "/login", username="bob", password=PASSWORD)
    assert back.location == "/-/auth/resume"
    page = visitor.get(back.location)
    assert "/orders/new" in page.words
    assert shop.orders == []
    assert visitor.fill(page, "/resume").text == "hello bob"
    assert [parse_qs(order) for order in shop.orders] == [{b"item": [b"ink"], b"number": [b"3"]}]
    assert (shop.seen["PATH_INFO"], shop.seen["QUERY_STRING"]) == ("/orders/new", "draft=1")
    assert visitor.fill(page, "/resume").code == 404
    assert len(shop.orders) == 1


def test_a_form_that_waits_can_be_thrown_away(assemble: Any, shop: Shop, moved: Clock) -> None:
    visitor = Visitor(Guard(shop, assemble()))
    visitor.login()
    moved.move(3601)
    visitor.post("/orders", {"item": "ink"})
    page = visitor.get(visitor.login().location)
    form = page.forms()[1]
    assert visitor.post(form.pop("action"), form).location == "/"
    assert visitor.fill(page, "/resume").code == 404
    assert shop.orders == []


def test_a_form_of_somebody_else_does_not_go_on(assemble: Any, shop: Shop, moved: Clock) -> None:
    authority = assemble()
    kim = authority.users.create("kim")
    authority.users.set_password(kim.id, authority.passwords.hasher.hash(PASSWORD))
    visitor = Visitor(Guard(shop, authority))
    visitor.login()
    moved.move(3601)
    visitor.post("/orders", {"item": "ink"})
    assert visitor.login("kim").location == "/wall"
    assert visitor.get("/-/auth/resume").location == "/"
    assert shop.orders == []


def test_a_form_is_judged_by_the_rules_once_more(assemble: Any, shop: Shop, moved: Clock) -> None:
    authority = assemble(rules=RuleOptions(rules={"/orders/*": "role buyer", "/*": "everyone"}))
    authority.users.grant("user:bob", "buyer")
    visitor = Visitor(Guard(shop, authority))
    visitor.login()
    moved.move(3601)
    visitor.post("/orders/new", {"item": "ink"})
    page = visitor.get(visitor.login().location)
    authority.users.revoke("user:bob", "buyer")
    assert visitor.fill(page, "/resume").code == 403
    assert shop.orders == []


@pytest.mark.parametrize("path", ["/", "/orders"])
def test_several_methods_at_once(path: str, assemble: Any, shop: Shop) -> None:
    authority = assemble(site={"methods": ("session", "bearer", "digest", "basic")})
    app = Guard(shop, authority)
    token, _ = authority.tokens.create(authority.users.find("bob"), "ci", ["read"], None)
    basic = base64.b64encode(f"bob:{PASSWORD}".encode()).decode()
    as_token = base64.b64encode(f"bob:{token}".encode()).decode()
    for header, kind in ((f"Bearer {token}", "bearer"), (f"Basic {basic}", "basic"), (f"Basic {as_token}", "bearer")):
        assert Visitor(app).get(path, HTTP_AUTHORIZATION=header).text == "hello bob"
        assert shop.seen["AUTH_TYPE"] == kind
    told = Visitor(app).get("/orders", HTTP_SEC_FETCH_MODE="cors", HTTP_ACCEPT="*/*")
    schemes = [value.split()[0] for name, value in told.headers if name == "WWW-Authenticate"]
    assert (told.code, schemes) == (401, ["Bearer", "Digest", "Basic"])


@pytest.mark.parametrize("method", ["basic", "bearer"])
def test_who_is_disabled_is_out_at_once_by_every_method(method: str, assemble: Any, shop: Shop) -> None:
    authority = assemble(site={"methods": ("session", "bearer", "basic")})
    app = Guard(shop, authority)
    account = authority.users.find("bob")
    token, _ = authority.tokens.create(account, "ci", ["read"], None)
    basic = base64.b64encode(f"bob:{PASSWORD}".encode()).decode()
    header = {"basic": f"Basic {basic}", "bearer": f"Bearer {token}"}[method]
    visitor = Visitor(app)
    visitor.login()
    assert visitor.get("/orders").code == Visitor(app).get("/orders", HTTP_AUTHORIZATION=header).code == 200
    authority.users.disable(account.id)
    assert visitor.get("/orders").code == 303
    assert Visitor(app).get("/orders", HTTP_AUTHORIZATION=header).code == 401


def test_basic_does_not_pass_by_the_second_factor(assemble: Any, shop: Shop) -> None:
    authority = assemble(site={"methods": ("session", "basic")}, mfa=MfaOptions(totp="required"))
    basic = base64.b64encode(f"bob:{PASSWORD}".encode()).decode()
    visitor = Visitor(Guard(shop, authority))
    assert visitor.get("/orders", HTTP_AUTHORIZATION=f"Basic {basic}", HTTP_SEC_FETCH_MODE="cors").code == 401
    assert visitor.login().location == "/-/auth/enrol"


def test_headers_that_name_a_user_are_taken_out(assemble: Any, shop: Shop) -> None:
    names = ("HTTP_REMOTE_USER", "HTTP_X_FORWARDED_USER", "HTTP_X_AUTH_REQUEST_USER", "HTTP_REMOTE_GROUPS")
    Visitor(Guard(shop, assemble())).get("/", **dict.fromkeys(names, "admin"))
    assert not set(names) & set(shop.seen)


def test_nobody_gets_in_while_the_database_is_gone(assemble: Any, shop: Shop, tmp_path: Path) -> None:
    authority = assemble()
    visitor = Visitor(Guard(shop, authority))
    visitor.login()
    authority.close()
    for each in tmp_path.glob("auth.db*"):
        each.unlink()
    (tmp_path / "auth.db").write_bytes(b"this is no database" * 1000)
    shop.seen = {}
    reply = visitor.get("/")
    assert (reply.code, shop.seen, "auth.db" in reply.text) == (503, {}, False)


def test_a_user_that_is_deleted_leaves_nothing_behind(assemble: Any, shop: Shop) -> None:
    authority = assemble(site={"methods": ("session", "bearer")})
    account = authority.users.find("bob")
    token, _ = authority.tokens.create(account, "ci", ["read"], None)
    visitor = Visitor(Guard(shop, authority))
    visitor.login()
    link = authority.links.create("reset", account.id)
    authority.users.delete(account.id)
    assert visitor.get("/orders").code == 303
    assert Visitor(visitor.app).get("/orders", HTTP_AUTHORIZATION=f"Bearer {token}").code == 401
    assert authority.links.peek("reset", link) is None
    assert authority.tokens.of(account.id) == []


def test_an_app_may_sign_in_and_out(assemble: Any) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        if environ["PATH_INFO"] == "/in":
            environ["wheatpaste.login"]("bob")
        if environ["PATH_INFO"] == "/out":
            environ["wheatpaste.logout"]()
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [str(environ.get("REMOTE_USER")).encode()]

    visitor = Visitor(Guard(app, assemble()))
    assert visitor.get("/in").text == "None"
    assert visitor.get("/").text == "bob"
    visitor.get("/out")
    assert visitor.get("/").text == "None"


def test_an_app_is_told_that_nobody_can_be_signed_in_where_there_are_no_sessions(assemble: Any, shop: Shop) -> None:
    Visitor(Guard(shop, assemble(site={"methods": ("basic",)}))).get("/")
    with pytest.raises(RuntimeError, match="no sessions"):
        shop.seen["wheatpaste.login"]("bob")


def test_an_app_can_show_how_many_have_signed_in(assemble: Any, shop: Shop) -> None:
    visitor = Visitor(Guard(shop, assemble()))
    visitor.login()
    visitor.get("/")
    assert shop.seen["wheatpaste.auth_events"]() == {"login.ok": 1}


def test_an_app_s_forms_have_tokens_of_their_session(assemble: Any, shop: Shop) -> None:
    app = Guard(shop, assemble())
    visitor, other = Visitor(app), Visitor(app)
    visitor.login()
    visitor.get("/orders")
    token = shop.seen["wheatpaste.csrf_token"]()
    assert shop.seen["wheatpaste.csrf_complaint"](token) is None
    assert (
        shop.seen["wheatpaste.csrf_complaint"](token[:20] + ("A" if token[20] != "A" else "B") + token[21:]) is not None
    )
    other.login()
    other.get("/orders")
    assert shop.seen["wheatpaste.csrf_complaint"](token) is not None


def test_without_a_secret_nothing_starts(shop: Shop) -> None:
    with pytest.raises(OptionError, match="auth FILE init"):
        Auth(shop, parts={"": Site()})


def test_a_page_of_ours_is_not_the_app_s(assemble: Any, shop: Shop) -> None:
    visitor = Visitor(Guard(shop, assemble()))
    assert visitor.get("/-/auth/nothing").code == 404
    assert visitor.get("/-/auth/login").code == 200
    assert shop.seen == {}


@pytest.mark.parametrize(("title", "shown"), [("", "GitHub"), ("Our Octopus", "Our Octopus")])
def test_the_login_page_offers_providers_by_the_names_that_people_know(
    title: str, shown: str, assemble: Any, shop: Shop
) -> None:
    hub = OidcOptions(preset="github", client_id="wiki", client_secret="s", title=title)
    visitor = Visitor(Guard(shop, assemble({"login": ("oidc:hub",)}, oidc__hub=hub)))
    assert shown in visitor.get("/-/auth/login").text


def test_the_address_of_a_login_does_not_lead_away(assemble: Any, shop: Shop) -> None:
    visitor = Visitor(Guard(shop, assemble()))
    for target in ("//evil.example/", "https://evil.example/", "/\\evil.example", "/%0d%0aSet-Cookie: a=b"):
        page = visitor.get(f"/-/auth/login?{urlencode({'next': target})}")
        reply = visitor.fill(page, "/login", username="bob", password=PASSWORD)
        assert reply.location.startswith("/")
        assert "evil" not in reply.location
        visitor.cookies.clear()


def test_a_store_error_is_no_way_in(assemble: Any, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = assemble()

    def down(*given: Any) -> None:
        raise StoreError("the network is down")

    monkeypatch.setattr(authority.store, "get", down)
    reply = Visitor(Guard(shop, authority)).get("/", HTTP_COOKIE="wheatpaste.session=" + "a" * 60)
    assert reply.code in (200, 503)
    assert shop.seen.get("REMOTE_USER") is None
