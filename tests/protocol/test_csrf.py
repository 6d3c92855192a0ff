"""Requests that somebody else's page makes a browser send, and those that are meant."""

from __future__ import annotations

import base64
import itertools
from typing import Any

import pytest

from wheatpaste.protocol.csrf import Forms, Tokens, forgery, intrusion, provenance
from wheatpaste.testing import Clock

SECRET = b"s" * 32


def environ(host: str = "shop.example", scheme: str = "http", method: str = "POST", **headers: str) -> dict[str, Any]:
    made = {f"HTTP_{name.upper()}": value for name, value in headers.items()}
    return {"REQUEST_METHOD": method, "wsgi.url_scheme": scheme, "HTTP_HOST": host, **made}


OWN: dict[str, dict[str, Any]] = {
    "a form of ours": environ(sec_fetch_site="same-origin", origin="http://shop.example"),
    "a page of ours that sends no referrer": environ(sec_fetch_site="same-origin", origin="null"),
    "behind a proxy that changes the host": environ(
        "127.0.0.1:81", sec_fetch_site="same-origin", origin="https://a.example"
    ),
    "typed or a bookmark": environ(sec_fetch_site="none"),
    "an older browser": environ(origin="http://shop.example"),
    "with the default port": environ(origin="http://shop.example:80"),
    "another default port": environ("shop.example:80", origin="http://shop.example"),
    "in other letters": environ("SHOP.example", origin="http://shop.EXAMPLE"),
    "https": environ(scheme="https", origin="https://shop.example", sec_fetch_site="same-origin"),
    "https before a proxy that does not say so": environ(origin="https://shop.example"),
    "another port, the same": environ("localhost:8080", origin="http://localhost:8080"),
    "IPv6": environ("[::1]:8080", origin="http://[0:0:0:0:0:0:0:1]:8080"),
    "no Host but the server's name": {
        "REQUEST_METHOD": "POST",
        "wsgi.url_scheme": "http",
        "SERVER_NAME": "::1",
        "SERVER_PORT": "80",
        "HTTP_ORIGIN": "http://[::1]",
    },
}

FOREIGN: dict[str, dict[str, Any]] = {
    "a form of another site": environ(sec_fetch_site="cross-site", origin="http://evil.example"),
    "another host of the domain": environ(sec_fetch_site="same-site", origin="http://other.shop.example"),
    "fetch metadata alone": environ(sec_fetch_site="cross-site"),
    "a value that nobody knows": environ(sec_fetch_site="martian"),
    "an empty value": environ(sec_fetch_site=""),
    "two values": environ(sec_fetch_site="same-origin, cross-site"),
    "an origin alone": environ(origin="http://evil.example"),
    "a sandbox": environ(origin="null"),
    "a sandbox of ours": environ(sec_fetch_site="cross-site", origin="null"),
    "another port": environ("localhost:8080", origin="http://localhost:9090"),
    "a port that is the default of the other scheme": environ("shop.example:80", origin="http://shop.example:443"),
    "the same name without TLS": environ(scheme="https", origin="http://shop.example"),
    "a prefix of our name": environ(origin="http://shop.example.evil.example"),
    "our name as a user": environ(origin="http://shop.example@evil.example"),
    "another scheme": environ(origin="ftp://shop.example"),
    "an extension": environ(origin="chrome-extension://shop.example"),
    "no scheme": environ(origin="shop.example"),
    "an empty origin": environ(origin=""),
    "with a path": environ(origin="http://shop.example/"),
    "two origins": environ(origin="http://shop.example http://evil.example"),
    "a broken Host": environ("shop example", origin="http://shop example"),
    "DNS rebinding, seen from the page": environ("127.0.0.1:8080", origin="http://evil.example:8080"),
}


@pytest.mark.parametrize("request_", OWN.values(), ids=list(OWN))
def test_what_comes_from_our_pages_is_our_own(request_: dict[str, Any]):
    assert provenance(request_) == "own"
    assert forgery(request_) is None


@pytest.mark.parametrize("request_", FOREIGN.values(), ids=list(FOREIGN))
def test_what_comes_from_elsewhere_is_foreign(request_: dict[str, Any]):
    assert provenance(request_) == "foreign"
    assert forgery(request_) == "the request was sent by a page of another site"


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "TRACE"])
def test_what_changes_nothing_may_come_from_anywhere(method: str):
    assert forgery(environ(method=method, sec_fetch_site="cross-site")) is None


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "get", "BREW", ""])
def test_every_other_method_is_looked_at(method: str):
    expected = None if method == "get" else "the request was sent by a page of another site"
    assert forgery(environ(method=method, sec_fetch_site="cross-site")) == expected


def test_a_program_says_nothing_of_its_origin():
    assert provenance(environ()) == "unknown"
    assert forgery(environ()) is None


def test_a_trusted_origin_counts_as_our_own():
    login = environ(sec_fetch_site="cross-site", origin="https://login.example")
    assert provenance(login, {"https://login.example"}) == "own"
    assert provenance(login, {"https://login.example.org"}) == "foreign"
    assert provenance(environ(sec_fetch_site="cross-site"), {"https://login.example"}) == "foreign"


def loaded(site: str, mode: str, dest: str, method: str = "GET") -> dict[str, Any]:
    return environ(method=method, sec_fetch_site=site, sec_fetch_mode=mode, sec_fetch_dest=dest)


@pytest.mark.parametrize(
    "request_",
    [
        loaded("cross-site", "navigate", "document"),
        loaded("same-site", "navigate", "document", "HEAD"),
        loaded("same-origin", "cors", "empty"),
        loaded("same-origin", "no-cors", "script"),
        loaded("none", "navigate", "document"),
        environ(method="GET"),
    ],
    ids=["a link", "a link of a neighbour", "our fetch", "our script", "typed", "a program"],
)
def test_a_page_is_handed_out_to_who_was_led_to_it(request_: dict[str, Any]):
    assert intrusion(request_) is None


@pytest.mark.parametrize(
    "request_",
    [
        loaded("cross-site", "no-cors", "script"),
        loaded("cross-site", "no-cors", "image"),
        loaded("cross-site", "navigate", "iframe"),
        loaded("cross-site", "cors", "empty"),
        loaded("same-site", "cors", "empty"),
        loaded("cross-site", "navigate", "document", "POST"),
        loaded("cross-site", "navigate", ""),
        environ(method="GET", sec_fetch_site="cross-site"),
    ],
    ids=["script", "image", "frame", "fetch", "a neighbour's fetch", "a form", "no destination", "nothing more"],
)
def test_a_page_is_not_handed_out_to_a_page_of_another_site(request_: dict[str, Any]):
    assert intrusion(request_) == "the request was sent by a page of another site"


# --- tokens ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def tokens(clock: Clock) -> Tokens:
    return Tokens(SECRET, clock=clock.time)


def test_a_token_is_good_for_what_it_belongs_to(tokens: Tokens):
    token = tokens.make("session 1")
    assert tokens.complaint(token, "session 1") is None
    assert tokens.complaint(token, "session 2") == "the form's token is not one of this page"


def test_no_two_tokens_are_the_same_text(tokens: Tokens):
    assert len({tokens.make("a") for _ in range(50)}) == 50


def test_a_token_ends(tokens: Tokens, clock: Clock):
    token = tokens.make("a")
    clock.advance(12 * 3600)
    assert tokens.complaint(token, "a") is None
    clock.advance(1)
    assert tokens.complaint(token, "a") == "the form is too old"


def test_a_token_of_the_future_is_none(clock: Clock):
    ahead = Clock(clock.time() + 3600)
    token = Tokens(SECRET, clock=ahead.time).make("a")
    assert Tokens(SECRET, clock=clock.time).complaint(token, "a") == "the form is too old"


def test_a_token_of_another_secret_or_purpose_is_none(tokens: Tokens, clock: Clock):
    for other in (Tokens(b"t" * 32, clock=clock.time), Tokens(lambda: SECRET, purpose="logout", clock=clock.time)):
        assert tokens.complaint(other.make("a"), "a") == "the form's token is not one of this page"


def test_a_secret_can_be_replaced_while_forms_are_out(tokens: Tokens, clock: Clock):
    both = Tokens(lambda: (b"n" * 32, SECRET), clock=clock.time)
    assert both.complaint(tokens.make("a"), "a") is None
    assert both.complaint(both.make("a"), "a") is None
    assert tokens.complaint(both.make("a"), "a") is not None


def test_no_part_of_a_token_can_be_changed(tokens: Tokens):
    raw = base64.urlsafe_b64decode(tokens.make("a") + "==")
    for place, bit in itertools.product(range(len(raw)), (1, 128)):
        changed = bytearray(raw)
        changed[place] ^= bit
        assert tokens.complaint(base64.urlsafe_b64encode(changed).decode().rstrip("="), "a") is not None


@pytest.mark.parametrize("token", [None, "", "x", "=" * 50, "é" * 75, "A" * 75, "A" * 10_000_000, "\x00", "!!!!"])
def test_nonsense_is_no_token(tokens: Tokens, token: str | None):
    assert tokens.complaint(token, "a") is not None


# --- forms -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def forms(tokens: Tokens) -> Forms:
    return Forms(tokens)


def issue(forms: Forms, request: dict[str, Any]) -> tuple[str, str]:
    token, headers = forms.issue(request)
    ((name, value),) = headers
    assert name == "Set-Cookie"
    return token, value


def test_a_form_is_taken_with_its_token_and_its_cookie(forms: Forms):
    token, cookie = issue(forms, environ(method="GET"))
    assert cookie.endswith("; Path=/; HttpOnly; SameSite=Strict")
    sent = environ(cookie=f"a=b; {cookie.partition(';')[0]}", origin="http://shop.example")
    assert forms.refusal(sent, token) is None
    assert forms.issue(sent).headers == []  # the cookie that is there goes on to be used
    assert forms.refusal(sent, forms.issue(sent).token) is None


def test_under_tls_nobody_else_can_set_the_cookie(forms: Forms):
    token, cookie = issue(forms, environ(method="GET", scheme="https"))
    assert cookie.startswith("__Host-wheatpaste.form=")
    assert cookie.endswith("; Secure")
    sent = environ(scheme="https", cookie=cookie.partition(";")[0])
    assert forms.refusal(sent, token) is None
    planted = cookie.partition(";")[0].removeprefix("__Host-")
    assert forms.refusal(environ(scheme="https", cookie=planted), token) is not None


def attack(forms: Forms) -> dict[str, tuple[dict[str, Any], str | None]]:
    """What an attacker can have a browser send who has visited the page as well, with a browser of their own."""
    token, cookie = issue(forms, environ(method="GET"))
    mine, theirs = issue(forms, environ(method="GET"))
    pair, their_pair = cookie.partition(";")[0], theirs.partition(";")[0]
    return {
        "from another site, with everything right": (environ(cookie=pair, sec_fetch_site="cross-site"), token),
        "from another host of the domain": (environ(cookie=their_pair, sec_fetch_site="same-site"), mine),
        "without a token": (environ(cookie=pair), None),
        "with a token of the attacker's own": (environ(cookie=pair), mine),
        "without the cookie, which SameSite keeps back": (environ(), token),
        "with an empty cookie": (environ(cookie="wheatpaste.form="), token),
        "with the cookie's value as token": (environ(cookie=pair), pair.partition("=")[2]),
        "behind many planted cookies": (environ(cookie=f"{'; '.join([their_pair] * 9)}; {pair}"), token),
    }


def test_an_attacker_gets_nothing_through(forms: Forms):
    for name, (request, token) in attack(forms).items():
        assert forms.refusal(request, token) is not None, name


def test_a_planted_cookie_does_not_keep_the_owner_out(forms: Forms):
    token, cookie = issue(forms, environ(method="GET"))
    sent = environ(cookie=f"wheatpaste.form=planted; {cookie.partition(';')[0]}", sec_fetch_site="same-origin")
    assert forms.refusal(sent, token) is None


def test_a_cookie_that_is_no_secret_is_replaced(forms: Forms):
    _, cookie = issue(forms, environ(method="GET", cookie="wheatpaste.form=1"))
    assert len(cookie.partition(";")[0]) > 40
