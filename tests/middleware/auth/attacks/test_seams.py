"""Attacks on what lies between the parts: what one of them believes of another."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest
from auth_pages import PASSWORD, SEED, Clock, Reply, Visitor

from wheatpaste.config.options import OptionError
from wheatpaste.middleware.auth.auth import Guard
from wheatpaste.middleware.auth.authority import Authority
from wheatpaste.middleware.auth.factors import totp
from wheatpaste.middleware.auth.factors.options import MfaOptions
from wheatpaste.middleware.auth.methods.header_options import HeaderOptions
from wheatpaste.middleware.auth.methods.tkt import TktOptions
from wheatpaste.middleware.auth.oidc.options import OidcOptions
from wheatpaste.middleware.auth.rules import RuleOptions
from wheatpaste.middleware.auth.sessions.options import SessionOptions
from wheatpaste.middleware.auth.tkt import Ticket, write_ticket
from wheatpaste.middleware.storage.store import StoreError

TICKETS = "Zq9!of tickets that nobody guesses, ever 4711"
TEXT = [("Content-Type", "text/plain")]
Assemble = Callable[..., Authority]


def hello(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Wants to know who asks, but for ``/open``."""
    user = environ.get("REMOTE_USER")
    start_response("200 OK" if user or environ["PATH_INFO"] == "/open" else "401 Unauthorized", TEXT)
    return [f"hello {user}".encode()]


def wanting(*headers: tuple[str, str]) -> Any:
    """An app that always answers 401, with these headers."""

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("401 Unauthorized", [*TEXT, *headers])
        return [b""]

    return app


def show_two_factors(visitor: Visitor, authority: Authority) -> Reply:
    """Sign bob in with password and code; the redirect back to where he wanted to go."""
    account = authority.directory.find("bob")
    authority.factors.totp.put(account.id, SEED)
    authority.factors.note(account.id)
    page = visitor.get(visitor.login(target="/pay").location)
    return visitor.fill(page, "/second", code=totp.code_at(SEED, totp.step_at(authority.clock())))


def must_change(authority: Authority) -> None:
    account = authority.users.find("bob")
    authority.users.set_password(account.id, authority.passwords.hasher.hash(PASSWORD), must_change=True)


@pytest.mark.parametrize("way", ["Bearer", "Basic"])
@pytest.mark.parametrize("default", ["app", "authenticated", "deny"])
def test_a_token_counts_nowhere_but_under_the_rules_that_name_scopes(
    default: str, way: str, assemble: Assemble
) -> None:
    site = {"methods": ("session", "bearer", "basic"), "default": default, "trusted_proxies": ("192.0.2.0/24",)}
    rules = {"/metrics": "scope metrics:read", "/open": "everyone", "/all": "authenticated"}
    authority = assemble(site=site, rules=RuleOptions(rules=rules))
    text, _ = authority.tokens.create(authority.users.find("bob"), "found", ["metrics:read"], None)
    shown = f"Bearer {text}" if way == "Bearer" else "Basic " + base64.b64encode(f"bob:{text}".encode()).decode()
    visitor = Visitor(Guard(hello, authority))

    def ask(path: str) -> Reply:
        return visitor.get(path, HTTP_AUTHORIZATION=shown, HTTP_SEC_FETCH_MODE="cors", HTTP_ACCEPT="*/*")

    def asked_by_proxy(path: str) -> Reply:
        original = {"HTTP_X_ORIGINAL_URL": f"http://wiki.example.org{path}", "HTTP_X_ORIGINAL_METHOD": "GET"}
        return visitor.get("/-/auth/verify", HTTP_AUTHORIZATION=shown, HTTP_SEC_FETCH_MODE="cors", **original)

    assert ask("/metrics").text == "hello bob"
    assert ask("/open").text == "hello None"
    assert [ask(path).code for path in ("/all", "/other")] == [403, 403]
    assert "bob" not in ask("/other").text
    told = {path: asked_by_proxy(path) for path in ("/metrics", "/open", "/all", "/other")}
    assert [reply.code for reply in told.values()] == [200, 200, 403, 403]
    assert [reply.header("Remote-User") for reply in told.values()] == ["bob", "", "", ""]


LIKE = {"strasse": "straße", "sam": "\u017fam", "fiona": "\ufb01ona"}
"""Names of ours, and others that folding makes the same: two people, where somebody else tells them apart."""


@pytest.mark.parametrize("ours", LIKE)
@pytest.mark.parametrize("accounts", ["known", "required"])
def test_a_proxy_s_user_is_none_of_ours_by_letters_that_fold(accounts: Any, ours: str, assemble: Assemble) -> None:
    authority = assemble(
        site={"methods": ("session", "header"), "trusted_proxies": ("192.0.2.0/24",)},
        header=HeaderOptions(preset="authelia", accounts=accounts, underscores_dropped=True),
    )
    authority.users.create(ours)
    visitor = Visitor(Guard(hello, authority))

    def ask(name: str) -> str:
        sent = name.encode().decode("latin-1")
        return visitor.get("/open", HTTP_REMOTE_USER=sent, SERVER_SOFTWARE="waitress").text

    assert ask(ours.upper()) == f"hello {ours}"
    assert ask(LIKE[ours]) == "hello None"


@pytest.mark.parametrize("ours", LIKE)
def test_a_ticket_s_user_is_none_of_ours_by_letters_that_fold(ours: str, assemble: Assemble) -> None:
    authority = assemble(site={"methods": ("session", "tkt")}, tkt=TktOptions(secret=TICKETS))
    authority.users.create(ours)

    def ask(name: str) -> str:
        text = write_ticket(TICKETS, Ticket(name, int(authority.clock()), (), ""), "sha512", "0.0.0.0")
        return Visitor(Guard(hello, authority)).get("/open", HTTP_COOKIE=f"auth_tkt={text}").text

    assert ask(ours.upper()) == f"hello {ours}"
    assert ask(LIKE[ours]) == "hello None"


@pytest.mark.parametrize("ours", LIKE)
@pytest.mark.parametrize("key", ["wheatpaste.login", "paste.auth_tkt.set_user"])
def test_an_app_signs_in_nobody_by_letters_that_fold(key: str, ours: str, assemble: Assemble) -> None:
    authority = assemble()
    authority.users.create(ours)

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        with pytest.raises(LookupError, match="there is no user"):
            environ[key](LIKE[ours])
        environ[key](ours.upper())
        return hello(environ, start_response)

    assert Visitor(Guard(app, authority)).get("/open").text == "hello None"


@pytest.mark.parametrize("ours", LIKE)
def test_a_rule_names_nobody_whose_letters_fold_to_it(ours: str, assemble: Assemble) -> None:
    authority = assemble(
        site={"methods": ("header",), "trusted_proxies": ("192.0.2.0/24",), "login": ()},
        header=HeaderOptions(preset="authelia", underscores_dropped=True),
        rules=RuleOptions(rules={"/*": f"user {ours.capitalize()}"}),
    )
    visitor = Visitor(Guard(hello, authority))
    codes = [
        visitor.get("/open", HTTP_REMOTE_USER=name.encode().decode("latin-1"), SERVER_SOFTWARE="waitress").code
        for name in (ours, ours.upper(), LIKE[ours])
    ]
    assert codes == [200, 200, 403]


@pytest.mark.parametrize("acr", ["mfa", "phr", "urn:example:gold"])
def test_more_than_anybody_can_show_is_a_refusal_and_no_circle(acr: str, assemble: Assemble) -> None:
    authority = assemble()
    challenge = f'Bearer error="insufficient_user_authentication", acr_values="{acr}"'
    visitor = Visitor(Guard(wanting(("WWW-Authenticate", challenge)), authority))
    back = show_two_factors(visitor, authority)
    assert back.location == "/pay"
    assert visitor.get(back.location).code == 403
    told = visitor.get(back.location, HTTP_SEC_FETCH_MODE="cors")
    assert (told.code, told.header("WWW-Authenticate")) == (401, challenge)


def test_a_password_that_has_to_be_changed_opens_nothing_else(assemble: Assemble) -> None:
    authority = assemble()
    must_change(authority)
    visitor = Visitor(Guard(hello, authority))
    assert visitor.login(target="/orders").location == "/-/auth/password?next=%2Forders"
    assert visitor.get("/open").text == "hello None"
    assert visitor.get("/orders?page=2").location == "/-/auth/password?next=%2Forders%3Fpage%3D2"
    told = visitor.get("/orders", HTTP_SEC_FETCH_MODE="cors", HTTP_ACCEPT="*/*")
    assert (told.code, "has to be changed" in told.text) == (401, True)
    new = "another brick, another wall"
    page = visitor.get("/-/auth/password?next=%2Forders")
    changed = visitor.fill(page, "/password", current=PASSWORD, new=new, again=new)
    assert changed.location == "/orders"
    assert visitor.get("/orders").text == "hello bob"


@pytest.mark.parametrize("rule", ["authenticated", "user bob", "via session"])
def test_rules_know_nobody_whose_password_has_to_be_changed(rule: str, assemble: Assemble) -> None:
    authority = assemble(rules=RuleOptions(rules={"/*": rule}))
    must_change(authority)
    visitor = Visitor(Guard(hello, authority))
    visitor.login()
    assert visitor.get("/open").location == "/-/auth/password?next=%2Fopen"


def test_a_proxy_is_told_that_the_password_has_to_be_changed(assemble: Assemble) -> None:
    authority = assemble(site={"trusted_proxies": ("192.0.2.0/24",)})
    must_change(authority)
    visitor = Visitor(Guard(hello, authority))
    visitor.login()
    asked = {"HTTP_X_ORIGINAL_URL": "http://wiki.example.org/orders", "HTTP_X_ORIGINAL_METHOD": "GET"}
    told = visitor.get("/-/auth/verify", **asked)
    assert (told.code, told.header("X-Auth-Redirect")) == (401, "/-/auth/password?next=%2Forders")


@pytest.mark.parametrize("exchange", [True, False], ids=["exchanged", "shared"])
def test_a_ticket_is_no_way_around_a_password_that_has_to_be_changed(exchange: bool, assemble: Assemble) -> None:
    authority = assemble(site={"methods": ("session", "tkt")}, tkt=TktOptions(secret=TICKETS, exchange=exchange))
    must_change(authority)
    visitor = Visitor(Guard(hello, authority))
    text = write_ticket(TICKETS, Ticket("bob", int(authority.clock()), (), ""), "sha512", "0.0.0.0")
    assert visitor.get("/open", HTTP_COOKIE=f"auth_tkt={text}").text == "hello None"
    assert visitor.get("/orders", HTTP_COOKIE=f"auth_tkt={text}").location == "/-/auth/login?next=%2Forders"


@pytest.mark.parametrize("who", ["user:bob", "user:Bob", "user:BOB", "group:Finance", "role:Admin"])
def test_who_needs_a_second_factor_may_be_written_otherwise(who: str, assemble: Assemble) -> None:
    authority = assemble(mfa=MfaOptions(require_for=(who,)))
    authority.users.create_group("finance")
    authority.users.add_member("finance", "user:bob")
    authority.users.grant("user:bob", "admin")
    assert Visitor(Guard(hello, authority)).login("BOB").location == "/-/auth/enrol"


def test_a_ticket_that_no_cookie_can_hold_lets_nobody_in(assemble: Assemble) -> None:
    authority = assemble(
        site={"methods": ("session", "tkt")},
        session=SessionOptions(mode="cookie"),
        tkt=TktOptions(secret=TICKETS),
    )
    ticket = Ticket("bob", int(authority.clock()), (), "x" * 2900)
    text = write_ticket(TICKETS, ticket, "sha512", "0.0.0.0")
    reply = Visitor(Guard(hello, authority)).get("/orders", HTTP_COOKIE=f"auth_tkt={text}")
    assert (reply.code, reply.location) == (303, "/-/auth/login?next=%2Forders")


def test_a_form_that_cannot_be_kept_is_not_an_error_of_the_app(
    assemble: Assemble, moved: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = assemble()
    visitor = Visitor(Guard(hello, authority))
    visitor.login()
    moved.move(3601)

    def down(*given: Any) -> None:
        raise StoreError("the network is down")

    monkeypatch.setattr(authority.store, "put", down)
    reply = visitor.post("/orders", {"item": "ink"})
    assert (reply.code, reply.header("Retry-After")) == (503, "10")


def test_tickets_are_not_exchanged_for_sessions_that_nobody_looks_at(assemble: Assemble) -> None:
    with pytest.raises(OptionError, match="must name session, too"):
        assemble(site={"methods": ("tkt",)}, tkt=TktOptions(secret=TICKETS))
    authority = assemble(site={"methods": ("tkt",)}, tkt=TktOptions(secret=TICKETS, exchange=False))
    text = write_ticket(TICKETS, Ticket("bob", int(authority.clock()), (), ""), "sha512", "0.0.0.0")
    assert Visitor(Guard(hello, authority)).get("/", HTTP_COOKIE=f"auth_tkt={text}").text == "hello bob"


def test_nobody_signs_in_at_a_provider_for_a_session_that_nobody_looks_at(assemble: Assemble) -> None:
    with pytest.raises(OptionError, match="must name session"):
        assemble(
            site={"methods": ("basic",), "public_url": "https://wiki.example.org"},
            oidc__corp=OidcOptions(issuer="https://id.example.org", client_id="wiki", client_secret="s" * 40),
        )


def test_a_second_factor_that_nobody_can_add_is_no_circle(assemble: Assemble) -> None:
    authority = assemble(mfa=MfaOptions(totp="off"), rules=RuleOptions(rules={"/*": "mfa"}))
    visitor = Visitor(Guard(hello, authority))
    assert visitor.follow(visitor.login()).code != 303


@pytest.mark.parametrize("challenge", [(), (("WWW-Authenticate", "Basic realm=x"),)], ids=["replaced", "left alone"])
def test_an_order_to_sign_out_is_carried_out_once(challenge: Any, assemble: Assemble) -> None:
    authority = assemble()
    visitor = Visitor(Guard(hello, authority))
    visitor.login()
    noted: list[str] = []
    authority.audit.note = lambda event, *more, **fields: noted.append(event)
    visitor.app = Guard(wanting(("X-Auth-Action", "logout"), *challenge), authority)
    reply = visitor.get("/")
    assert (noted, reply.header("X-Auth-Action")) == (["logout"], "")
    assert "wheatpaste.session" not in visitor.cookies


@pytest.mark.parametrize("name", [None, "bob"])
def test_an_app_s_token_does_not_count_in_the_form_of_another_site(name: str | None, assemble: Assemble) -> None:
    told: list[str] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", TEXT)
        if environ["REQUEST_METHOD"] == "GET":
            return [environ["wheatpaste.csrf_token"]().encode()]
        told.append(environ["wheatpaste.csrf_complaint"](environ["QUERY_STRING"]) or "taken")
        return [b""]

    guard = Guard(app, assemble())
    attacker, victim = Visitor(guard), Visitor(guard)
    if name is not None:
        victim.login(name)
    for token in (attacker.get("/form").text, victim.get("/form").text):
        victim.post(f"/form?{token}", {"a": "b"}, HTTP_SEC_FETCH_SITE="cross-site", HTTP_ORIGIN="https://evil.example")
        victim.post(f"/form?{token}", {"a": "b"}, HTTP_SEC_FETCH_SITE=None, HTTP_ORIGIN="https://evil.example")
    assert "taken" not in told
    victim.post(f"/form?{victim.get('/form').text}", {"a": "b"})
    assert told[-1] == "taken"
