"""A login at a provider, and everything that must not be one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest
from hostile_provider import CLIENT, SECRET, HostileProvider, rsa_key, send_json
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc import jwk
from oidc_site import MOUNT, NAVIGATE, RETURN, OidcSite, at_provider, begin, come_back, log_in, options_for

from wheatpaste.config.options import OptionError
from wheatpaste.config.problems import ConfigError
from wheatpaste.middleware.auth.identity import Identity
from wheatpaste.middleware.auth.visit import Visit
from wheatpaste.testing import Client, Clock, Response

Made = Callable[..., OidcSite]
START = f"{MOUNT}/oidc/corp/start"
CALLBACK = f"{MOUNT}/oidc/corp/callback"


def is_in(browser: Client) -> bool:
    return not browser.get("/page").text.startswith("-")


def changed(address: str, **fields: str | None) -> str:
    """The address with other fields in its query; None leaves one out."""
    parts = urlsplit(address)
    query = {**dict(parse_qsl(parts.query)), **fields}
    return parts._replace(query=urlencode({k: v for k, v in query.items() if v is not None})).geturl()


def assert_refused(site: OidcSite, browser: Client, response: Response, status: int = 403) -> None:
    assert response.status == status, response.text
    assert not is_in(browser)
    assert response.headers["Cache-Control"] == "no-store"
    assert "wheatpaste.session" not in browser.cookies


def test_a_login_leads_to_where_the_user_wanted_to_go(site: OidcSite) -> None:
    browser = site.browser()
    response = log_in(browser, target="/page?x=1")
    assert (response.status, response.headers["Location"]) == (303, "/page?x=1")
    assert browser.get("/page").text == "alice "
    assert [each["event"] for each in site.events] == ["user.create", "login.ok"]


def test_the_request_is_bound_by_state_nonce_and_pkce(site: OidcSite) -> None:
    one, other = ({k: v[0] for k, v in parse_qs(urlsplit(begin(site.browser())).query).items()} for _ in "ab")
    assert one["code_challenge_method"] == "S256"
    assert one["response_type"] == "code"
    assert one["redirect_uri"] == f"http://localhost{CALLBACK}"
    for name in ("state", "nonce", "code_challenge"):
        assert len(one[name]) >= 43, f"{name} has 256 bits"
        assert one[name] != other[name]


def test_nothing_that_is_secret_stands_in_an_address_or_in_a_page(site: OidcSite, provider: HostileProvider) -> None:
    browser = site.browser()
    response = log_in(browser)
    session = browser.cookies["wheatpaste.session"]
    told = "".join(map(str, (response.headers, response.text))).replace(session, "")
    assert "access-" not in told
    assert "refresh-1" not in told
    assert session not in response.headers["Location"]


def test_over_https_cookies_are_for_this_host_alone(make_site: Made) -> None:
    site = make_site(public_url="https://wiki.example.org")
    browser = site.browser(host="wiki.example.org", scheme="https")
    response = browser.get(START, headers=NAVIGATE)
    cookie = response.headers.get_all("Set-Cookie") or []
    assert len(cookie) == 1
    assert cookie[0].startswith("__Host-wheatpaste.login=")
    assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie[0].split("; "))
    assert "redirect_uri=https%3A%2F%2Fwiki.example.org" in response.headers["Location"]


def test_without_a_public_address_a_host_that_a_client_names_is_not_believed(site: OidcSite) -> None:
    response = site.browser(host="evil.example").get(START, headers=NAVIGATE)
    assert response.status == 500
    assert "Location" not in response.headers


def test_below_a_mount_point_the_way_back_leads_there(site: OidcSite) -> None:
    browser = site.browser(script_name="/wiki")
    address = browser.get(START, headers=NAVIGATE).headers["Location"]
    assert f"redirect_uri=http%3A%2F%2Flocalhost%2Fwiki{CALLBACK.replace('/', '%2F')}" in address
    back = urlsplit(at_provider(address))
    response = browser.get(f"{back.path.removeprefix('/wiki')}?{back.query}", headers=RETURN)
    assert (response.status, response.headers["Location"]) == (303, "/wiki/")


def test_an_identity_tells_of_its_provider_and_of_no_token(site: OidcSite, provider: HostileProvider) -> None:
    provider.id_claims = {"acr": "gold"}
    browser = site.browser()
    log_in(browser)
    environ: dict[str, Any] = {"HTTP_COOKIE": f"wheatpaste.session={browser.cookies['wheatpaste.session']}"}
    visit = Visit(site.authority, {"REQUEST_METHOD": "GET", "wsgi.url_scheme": "http", **environ})
    found = site.sessions.identify(visit)
    assert isinstance(found, Identity)
    assert found.claims == {"oidc": "corp", "iss": provider.issuer, "sub": "alice-1", "acr": "gold"}
    assert found.amr == ("fed",)
    assert not any(word in repr(found) for word in ("access-", "refresh-", "eyJ"))


@pytest.mark.parametrize("text", ["a\0b", "a\ud800b", "a\r\nb", "a\x1b[31mb", "a\u202eb"])
@pytest.mark.parametrize("name", ["sid", "acr", "name", "preferred_username", "email", "groups", "amr"])
def test_claims_that_nothing_can_hold_are_left_out(
    make_site: Made, provider: HostileProvider, name: str, text: str
) -> None:
    site = make_site(groups_claim="groups", trust_mfa=True)
    provider.user[name] = [text, "mfa"] if name in ("groups", "amr") else text
    browser = site.browser()
    assert log_in(browser).status == 303
    account = site.users.all()[0]
    (session,) = site.sessions.of(account.id)
    told = f"{account!r} {session!r} {browser.get('/page').text}"
    assert text not in told
    assert repr(text)[1:-1] not in told


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=80)
@given(
    page=st.sampled_from(["start", "callback", "logout", "backchannel"]),
    method=st.sampled_from(["GET", "POST"]),
    query=st.lists(st.tuples(st.sampled_from(["state", "code", "iss", "error", "next", "logout_token"]), st.text())),
    rest=st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="#")),
)
def test_whatever_a_client_sends_is_answered(
    site: OidcSite, clock: Clock, page: str, method: str, query: list[tuple[str, str]], rest: str
) -> None:
    clock.advance(60)  # or it would be too many
    text = f"{urlencode(query, errors='surrogatepass')}&{rest}"
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    path = f"{MOUNT}/oidc/corp/{page}"
    browser = site.browser()
    response = (
        browser.get(f"{path}?{text}") if method == "GET" else browser.post(path, body=text.encode(), headers=form)
    )
    assert response.status in (200, 303, 400, 403, 405)
    assert "wheatpaste.session" not in browser.cookies


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example/", "/\\evil", "%0d%0aX:%20y", "/a\tb"])
def test_the_target_stays_on_this_site(site: OidcSite, target: str) -> None:
    browser = site.browser()
    address = browser.get(START + "?" + urlencode({"next": target}), headers=NAVIGATE).headers["Location"]
    assert come_back(browser, at_provider(address)).headers["Location"] == "/"


@pytest.mark.parametrize("where", ["cross-site", "same-site"])
def test_another_site_cannot_begin_a_login(site: OidcSite, provider: HostileProvider, where: str) -> None:
    browser = site.browser()
    response = browser.get(f"{START}?next=/page", headers={**NAVIGATE, "Sec-Fetch-Site": where})
    assert (response.status, response.headers["Location"]) == (303, f"{MOUNT}/login?next=%2Fpage")
    assert provider.asked == []


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
@pytest.mark.parametrize("path", [START, CALLBACK])
def test_other_methods_change_nothing(site: OidcSite, method: str, path: str) -> None:
    assert site.browser().request(method, path).status == 405


def test_whoever_begins_logins_without_end_is_stopped(site: OidcSite, clock: Clock) -> None:
    browser = site.browser(peer="192.0.2.7")
    found = [browser.get(START, headers=NAVIGATE) for _ in range(62)]
    assert [each.status for each in found] == [303] * 60 + [429] * 2
    assert found[-1].headers["Retry-After"] == "60"
    assert len(site.authority.store.keys("auth.logins")) == 1, "a browser has one login at a time"
    assert site.browser(peer="192.0.2.8").get(START, headers=NAVIGATE).status == 303, "others go on"
    clock.advance(60)
    assert browser.get(START, headers=NAVIGATE).status == 303


# ---- whose answer it is


def test_a_callback_without_a_login_is_refused(site: OidcSite, provider: HostileProvider) -> None:
    browser = site.browser()
    assert_refused(site, browser, browser.get(f"{CALLBACK}?code=x&state=y", headers=RETURN), 400)
    assert provider.asked == []


def test_an_answer_in_another_browser_is_refused_and_leaves_the_login_alone(site: OidcSite) -> None:
    browser, other = site.browser(), site.browser()
    answer = at_provider(begin(browser))
    assert_refused(site, other, come_back(other, answer), 400)
    begin(other)  # now it has a login of its own, and the answer is not that one's
    assert_refused(site, other, come_back(other, answer), 400)
    assert come_back(browser, answer).status == 303


@pytest.mark.parametrize(
    "state", [None, "", "x" * 43, "ä", "\ud800".encode("utf-8", "surrogatepass").decode("latin-1")]
)
def test_a_wrong_state_is_refused_and_does_not_end_the_login(site: OidcSite, state: str | None) -> None:
    browser = site.browser()
    answer = at_provider(begin(browser))
    assert_refused(site, browser, come_back(browser, changed(answer, state=state)), 400)
    assert come_back(browser, answer).status == 303


def test_an_answer_counts_once(site: OidcSite) -> None:
    browser = site.browser()
    answer = at_provider(begin(browser))
    cookie = browser.cookies["wheatpaste.login"]
    assert come_back(browser, answer).status == 303
    again = site.browser(headers={"Cookie": f"wheatpaste.login={cookie}"})
    assert come_back(again, answer).status == 400


def test_of_many_who_bring_one_answer_at_once_one_gets_in(
    site: OidcSite, provider: HostileProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = site.browser()
    answer = at_provider(begin(browser))
    cookie = browser.cookies["wheatpaste.login"]
    store, met, found = site.authority.store, threading.local(), []
    read, all_have_read = store.get, threading.Barrier(6)

    def get(space: str, key: str) -> bytes | None:
        value = read(space, key)
        if space == "auth.logins" and not hasattr(met, "once"):
            met.once = True
            all_have_read.wait(10)  # each has seen the login that only one may have
        return value

    def bring() -> None:
        twin = site.browser(headers={"Cookie": f"wheatpaste.login={cookie}"})
        found.append(come_back(twin, answer).status)

    monkeypatch.setattr(store, "get", get)
    threads = [threading.Thread(target=bring) for _ in range(6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(20)
    assert sorted(found) == [303, *[400] * 5]
    assert provider.paths("/token") == 1


def test_an_answer_that_comes_too_late_is_refused(site: OidcSite, clock: Clock) -> None:
    browser = site.browser()
    answer = at_provider(begin(browser))
    clock.advance(601)
    assert_refused(site, browser, come_back(browser, answer), 400)


def test_a_field_that_comes_twice_does_not_count(site: OidcSite) -> None:
    browser = site.browser()
    answer = at_provider(begin(browser))
    assert_refused(site, browser, come_back(browser, answer + "&state=other"), 400)
    assert_refused(site, browser, come_back(browser, answer + "&code=other"), 403)


def test_an_answer_of_one_provider_is_none_of_another(
    make_site: Made, provider: HostileProvider, make_provider: Callable[[], HostileProvider]
) -> None:
    evil = make_provider()
    site = make_site(providers={"corp": provider, "evil": evil})
    browser = site.browser()
    # Mix-up (RFC 9700 section 4.4): the user begins at the evil one, which sends the browser on to the honest one with
    # the evil login's state, so that the honest code would be sent to the evil token endpoint.
    asked = dict(parse_qsl(urlsplit(begin(browser, "evil")).query))
    honest = at_provider(f"{provider.url}/authorize?{urlencode(asked)}")
    assert come_back(browser, honest).status == 403
    assert "oidc: answer of another issuer" in site.reasons()
    assert evil.paths("/token") == 0, "the honest provider's code never goes to the evil one"
    # And with the state of one at the callback of the other.
    begin(browser, "evil")
    answer = at_provider(begin(browser))
    assert come_back(browser, answer.replace("/oidc/corp/", "/oidc/evil/")).status == 400


@pytest.mark.parametrize(
    ("names_itself_as", "says_so", "is_in_after"),
    [
        pytest.param("", True, True, id="it lets in an answer that names its issuer"),
        pytest.param("https://evil.example", True, False, id="it refuses one that names another"),
        pytest.param("https://evil.example", False, False, id="it refuses that also where nothing was announced"),
        pytest.param(None, True, False, id="it refuses one without issuer where the provider always names itself"),
        pytest.param(None, False, True, id="it lets in one without issuer where the provider never does"),
    ],
)
def test_the_issuer_of_an_answer(
    site: OidcSite, provider: HostileProvider, names_itself_as: str | None, says_so: bool, is_in_after: bool
) -> None:
    provider.metadata = {"authorization_response_iss_parameter_supported": says_so}
    provider.names_itself_as = names_itself_as
    browser = site.browser()
    response = log_in(browser)
    assert (response.status == 303) is is_in_after
    assert is_in(browser) is is_in_after
    assert (provider.paths("/token") == 1) is is_in_after


@pytest.mark.parametrize("error", ["access_denied", "login_required", "<script>alert(1)</script>", "a\r\nb", "ä" * 500])
def test_a_provider_that_says_no_signs_nobody_in(site: OidcSite, error: str) -> None:
    browser = site.browser()
    state = parse_qs(urlsplit(begin(browser)).query)["state"][0]
    query = urlencode({"error": error, "state": state, "iss": site.providers.all["corp"].issuer})
    response = browser.get(f"{CALLBACK}?{query}", headers=RETURN)
    assert_refused(site, browser, response)
    assert error not in response.text, "what others write into an address is not shown"


def test_a_refused_code_signs_nobody_in(site: OidcSite, provider: HostileProvider) -> None:
    browser = site.browser()
    assert_refused(site, browser, come_back(browser, changed(at_provider(begin(browser)), code="guessed")))
    assert site.reasons() == ["oidc: invalid_grant"]


# ---- what is in the ID token


def without(name: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda claims: {key: value for key, value in claims.items() if key != name}


def having(**changes: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda claims: {**claims, **changes}


def later(name: str, seconds: float) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda claims: {**claims, name: claims["iat"] + seconds}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param(having(iss="https://evil.example"), "of another issuer", id="it refuses another issuer"),
        pytest.param(lambda c: {**c, "iss": c["iss"] + "/"}, "of another issuer", id="it refuses nearly the issuer"),
        pytest.param(having(iss=["x"]), "of another issuer", id="it refuses an issuer that is a list"),
        pytest.param(without("iss"), "of another issuer", id="it refuses no issuer"),
        pytest.param(having(aud="other"), "for somebody else", id="it refuses a token for another client"),
        pytest.param(having(aud=[]), "for somebody else", id="it refuses a token for nobody"),
        pytest.param(having(aud=None), "no audience", id="it refuses an audience of null"),
        pytest.param(having(aud={"wiki": 1}), "no audience", id="it refuses an audience that is an object"),
        pytest.param(having(aud=[CLIENT, 7]), "no audience", id="it refuses an audience with a number in it"),
        pytest.param(without("aud"), "no audience", id="it refuses no audience"),
        pytest.param(
            having(aud=[CLIENT, "b"]), "for several, and none is named as its party", id="it wants azp of several"
        ),
        pytest.param(having(aud=[CLIENT, "b"], azp="b"), "for another party", id="it refuses the azp of another"),
        pytest.param(having(azp="b"), "for another party", id="it refuses that also beside one audience"),
        pytest.param(having(nonce="x" * 43), "nonce wrong", id="it refuses another nonce"),
        pytest.param(having(nonce=None), "nonce wrong", id="it refuses a nonce of null"),
        pytest.param(having(nonce=["x"]), "nonce wrong", id="it refuses a nonce that is a list"),
        pytest.param(without("nonce"), "nonce wrong", id="it refuses no nonce"),
        pytest.param(later("exp", -61), "expired", id="it refuses what has expired, beyond the leeway"),
        pytest.param(later("exp", -60), "expired", id="it refuses what expires at the end of the leeway"),
        pytest.param(having(exp="9999999999"), "exp is no number", id="it refuses an expiry in words"),
        pytest.param(having(exp=True), "exp is no number", id="it refuses an expiry of true"),
        pytest.param(having(exp=1e300), "exp is out of range", id="it refuses an expiry beyond all time"),
        pytest.param(without("exp"), "no expiry", id="it refuses no expiry"),
        pytest.param(later("iat", 61), "issued in the future", id="it refuses what was issued in the future"),
        pytest.param(without("iat"), "no time of issue", id="it refuses no time of issue"),
        pytest.param(later("nbf", 61), "not valid yet", id="it refuses what is not valid yet"),
        pytest.param(having(sub=""), "no sub", id="it refuses an empty subject"),
        pytest.param(having(sub="a\0b"), "no sub", id="it refuses NUL in a subject"),
        pytest.param(having(sub="a\ud800"), "no sub", id="it refuses half a character in a subject"),
        pytest.param(having(sub="a\r\nb"), "no sub", id="it refuses a line break in a subject"),
        pytest.param(having(sub=7), "no sub", id="it refuses a subject that is a number"),
        pytest.param(having(sub="x" * 256), "no sub", id="it refuses a subject without end"),
        pytest.param(without("sub"), "no sub", id="it refuses no subject"),
        pytest.param(having(at_hash="AAAA"), "beside another access token", id="it refuses another access token"),
        pytest.param(having(at_hash=7), "beside another access token", id="it refuses an at_hash that is a number"),
        pytest.param(
            having(events={"http://schemas.openid.net/event/backchannel-logout": {}}),
            "a logout token",
            id="it refuses a logout token",
        ),
    ],
)
def test_claims_that_are_not_right(site: OidcSite, provider: HostileProvider, change: Any, reason: str) -> None:
    provider.claims_of = change
    browser = site.browser()
    assert_refused(site, browser, log_in(browser))
    assert site.reasons() == [f"oidc: {reason}"]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(later("exp", -59), id="it takes what has expired within the leeway"),
        pytest.param(later("iat", 59), id="it takes a clock that is a little ahead"),
        pytest.param(having(aud=[CLIENT]), id="it takes a list of one audience"),
        pytest.param(having(aud=[CLIENT, "b"], azp=CLIENT), id="it takes several audiences with us as the party"),
        pytest.param(without("at_hash"), id="it takes no hash of the access token"),
        pytest.param(having(further={"a": [1, None]}), id="it takes claims that it does not know"),
    ],
)
def test_claims_that_are_unusual_and_right(site: OidcSite, provider: HostileProvider, change: Any) -> None:
    provider.claims_of = change
    browser = site.browser()
    assert log_in(browser).status == 303
    assert is_in(browser)


def _unsigned(provider: HostileProvider, claims: dict[str, Any]) -> str:
    head, payload, _ = provider.signed(claims).split(".")
    return f"{_packed({'alg': 'none'})}.{payload}."


def _packed(value: Any) -> str:
    import base64
    import json

    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def _mac_with_public_key(provider: HostileProvider, claims: dict[str, Any]) -> str:
    import base64
    import hashlib
    import hmac

    # The classic confusion: the public key, as everybody can read it, as the secret of an HMAC.
    pem = provider.signing.as_pem(private=False)
    text = f"{_packed({'alg': 'HS256', 'kid': provider.signing.kid})}.{_packed(claims)}"
    mac = hmac.digest(pem, text.encode(), hashlib.sha256)
    return f"{text}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"


def _with_own_key(provider: HostileProvider, claims: dict[str, Any]) -> str:
    own = rsa_key("mine")
    return provider.signed(claims, own, kid=None, jwk=own.as_dict(private=False))


def _with_key_elsewhere(provider: HostileProvider, claims: dict[str, Any]) -> str:
    return provider.signed(claims, rsa_key("mine"), jku=f"{provider.url}/evil-jwks", x5u=f"{provider.url}/evil.pem")


def _flipped(provider: HostileProvider, claims: dict[str, Any]) -> str:
    head, _, mac = provider.signed(claims).split(".")
    return f"{head}.{_packed({**claims, 'sub': 'admin'})}.{mac}"


def _truncated(provider: HostileProvider, claims: dict[str, Any]) -> str:
    return provider.signed(claims)[:-2]


def _of_other_algorithm(provider: HostileProvider, claims: dict[str, Any]) -> str:
    key = jwk.generate_key("EC", "P-256", {"kid": provider.signing.kid}, private=True)
    return provider.signed(claims, key, alg="ES256")


@pytest.mark.parametrize(
    "sign",
    [
        pytest.param(_unsigned, id="it refuses alg none"),
        pytest.param(_mac_with_public_key, id="it refuses HS256 with the public key"),
        pytest.param(_with_own_key, id="it refuses a key in the token's head"),
        pytest.param(_with_key_elsewhere, id="it refuses a key that the token's head points to"),
        pytest.param(_flipped, id="it refuses changed claims"),
        pytest.param(_truncated, id="it refuses a truncated signature"),
        pytest.param(_of_other_algorithm, id="it refuses an EC signature under an RSA key's id"),
        pytest.param(lambda p, c: p.signed(c, rsa_key("one")), id="it refuses another key under a known id"),
        pytest.param(lambda p, c: p.signed(c, rsa_key("x"), kid="unknown"), id="it refuses an unknown key"),
        pytest.param(lambda p, c: p.signed(c, alg="RS512"), id="it refuses an algorithm that is not allowed"),
        pytest.param(lambda p, c: p.signed(c, typ="at+jwt"), id="it refuses an access token"),
        pytest.param(lambda p, c: p.signed(c, typ="logout+jwt"), id="it refuses a logout token by its type"),
        pytest.param(lambda p, c: p.signed(c) + ".x", id="it refuses a fourth part"),
        pytest.param(lambda p, c: "", id="it refuses an empty token"),
        pytest.param(lambda p, c: "..", id="it refuses three empty parts"),
        pytest.param(lambda p, c: "[" * 5000 + ".a.b", id="it refuses what is no base64"),
        pytest.param(lambda p, c: f"{_packed('x' * 9000)}.e30.e30", id="it refuses a head without end"),
        pytest.param(lambda p, c: "W" * 100_000, id="it refuses a token without end"),
    ],
)
def test_signatures_that_are_not_right(site: OidcSite, provider: HostileProvider, sign: Any) -> None:
    provider.sign = lambda claims: sign(provider, claims)
    browser = site.browser()
    assert_refused(site, browser, log_in(browser))
    assert provider.paths("/evil-jwks") == provider.paths("/evil.pem") == 0


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"use": "enc"}, id="it refuses a key for encryption"),
        pytest.param({"key_ops": ["sign"]}, id="it refuses a key for signing alone"),
        pytest.param({"alg": "RS512"}, id="it refuses a key of another algorithm"),
        pytest.param({"kty": "oct", "k": "AAAA"}, id="it refuses a shared secret"),
        pytest.param({"n": "AQAB"}, id="it refuses a short key"),
        pytest.param({"n": "A" * 100_000}, id="it refuses an endless key"),
        pytest.param({"n": 7}, id="it refuses a modulus that is a number"),
        pytest.param({"e": "AA"}, id="it refuses an exponent of nothing"),
        pytest.param({"kid": 7}, id="it refuses an id that is a number"),
    ],
)
def test_a_key_that_is_not_one_for_our_purpose(site: OidcSite, provider: HostileProvider, change: Any) -> None:
    listed = {**provider.signing.as_dict(private=False), **change}
    further = rsa_key("further").as_dict(private=False)
    provider.instead["/jwks"] = lambda handler: send_json(handler, 200, {"keys": [None, listed, {"kty": "X"}, further]})
    browser = site.browser()
    assert_refused(site, browser, log_in(browser))


@pytest.mark.parametrize(
    ("algorithm", "make"),
    [
        ("ES256", lambda: jwk.generate_key("EC", "P-256", {"kid": "k"}, private=True)),
        ("PS256", lambda: rsa_key("k")),
        ("EdDSA", lambda: jwk.generate_key("OKP", "Ed25519", {"kid": "k"}, private=True)),
    ],
)
@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
def test_other_signatures_are_read(site: OidcSite, provider: HostileProvider, algorithm: str, make: Any) -> None:
    provider.metadata = {"id_token_signing_alg_values_supported": [algorithm]}
    provider.signing = make()
    provider.published = [provider.signing]
    provider.id_claims = {"at_hash": None}
    provider.sign = lambda claims: provider.signed(claims, alg=algorithm)
    assert log_in(site.browser()).status == 303


def test_an_algorithm_that_the_provider_does_not_announce_is_refused(site: OidcSite, provider: HostileProvider) -> None:
    provider.metadata = {"id_token_signing_alg_values_supported": ["ES256"]}
    browser = site.browser()
    assert_refused(site, browser, log_in(browser))


def test_a_token_without_a_key_id_is_of_the_only_key(site: OidcSite, provider: HostileProvider) -> None:
    provider.sign = lambda claims: provider.signed(claims, kid=None)
    assert log_in(site.browser()).status == 303
    other = OidcSite(site.clock, {"corp": provider})
    provider.published.append(rsa_key("further"))
    browser = other.browser()
    assert_refused(other, browser, log_in(browser))


# ---- how the user has logged in there


@pytest.mark.parametrize(
    ("options", "claims", "status"),
    [
        pytest.param({"require_acr": ("gold",)}, {"acr": "gold"}, 303, id="it takes the class that is demanded"),
        pytest.param({"require_acr": ("gold",)}, {"acr": "tin"}, 403, id="it refuses another class"),
        pytest.param({"require_acr": ("gold",)}, {}, 403, id="it refuses no class"),
        pytest.param({"require_acr": ("gold",)}, {"acr": ["gold"]}, 403, id="it refuses a class that is a list"),
        pytest.param({"require_amr": ("otp",)}, {"amr": ["pwd", "otp"]}, 303, id="it takes the method demanded"),
        pytest.param({"require_amr": ("otp",)}, {"amr": ["pwd"]}, 403, id="it refuses another method"),
        pytest.param({"require_amr": ("otp",)}, {"amr": "otp"}, 403, id="it refuses methods that are no list"),
        pytest.param({"max_age": 60.0}, {}, 303, id="it takes a login that is recent"),
        pytest.param({"max_age": 60.0}, {"auth_time": 1_799_999_879}, 403, id="it refuses a login that is too old"),
        pytest.param({"max_age": 60.0}, {"auth_time": None}, 403, id="it refuses a login of no known time"),
        pytest.param({"max_age": 60.0}, {"auth_time": "now"}, 403, id="it refuses a time in words"),
    ],
)
def test_demands_on_the_login(
    make_site: Made, provider: HostileProvider, options: Any, claims: dict[str, Any], status: int
) -> None:
    site = make_site(**options)
    provider.id_claims = claims
    browser = site.browser()
    assert log_in(browser).status == status
    assert is_in(browser) is (status == 303)


def test_a_second_factor_at_the_provider_counts_where_it_is_trusted(make_site: Made, provider: HostileProvider) -> None:
    provider.id_claims = {"amr": ["pwd", "mfa"]}
    for trusted in (False, True):
        site = make_site(trust_mfa=trusted)
        browser = site.browser()
        log_in(browser)
        session = site.sessions.of(next(iter(site.users.all())).id)[0]
        assert ("mfa" in session.amr) is trusted


def test_a_second_factor_of_ours_is_asked_for_after_the_provider(make_site: Made, provider: HostileProvider) -> None:
    site = make_site()
    log_in(site.browser())
    account = site.users.find("alice")
    assert account is not None
    site.users.set_second_factor(account.id, True)
    provider.id_claims = {"amr": ["mfa"]}
    browser = site.browser()
    assert log_in(browser).headers["Location"] == f"{MOUNT}/second"
    assert not is_in(browser)


def test_who_is_signed_in_and_logs_in_again_has_to_show_it_to_the_provider(
    site: OidcSite, provider: HostileProvider
) -> None:
    browser = site.browser()
    log_in(browser)
    assert "max_age=0" in begin(browser)
    provider.id_claims = {"auth_time": 1_799_990_000}
    assert log_in(browser).status == 403
    provider.id_claims = {}
    assert log_in(browser).status == 303


# ---- the documents of the provider


@pytest.mark.parametrize(
    "metadata",
    [
        pytest.param({"issuer": "https://evil.example"}, id="it refuses another issuer"),
        pytest.param({"issuer": None}, id="it refuses no issuer"),
        pytest.param({"token_endpoint": "http://id.example.org/token"}, id="it refuses a token endpoint without TLS"),
        pytest.param({"token_endpoint": None}, id="it refuses no token endpoint"),
        pytest.param({"authorization_endpoint": "javascript:alert(1)"}, id="it refuses a script"),
        pytest.param({"authorization_endpoint": "https://u:p@id.example.org/"}, id="it refuses a user in an address"),
        pytest.param({"authorization_endpoint": "https://id.example.org/\r\nX: y"}, id="it refuses a line break"),
        pytest.param({"jwks_uri": "file:///etc/passwd"}, id="it refuses a file"),
        pytest.param({"jwks_uri": 7}, id="it refuses a number"),
        pytest.param({"userinfo_endpoint": "http://10.0.0.1/"}, id="it refuses userinfo without TLS"),
        pytest.param({"end_session_endpoint": "http://[::1"}, id="it refuses what is no URL"),
    ],
)
def test_a_configuration_that_cannot_be_used(site: OidcSite, provider: HostileProvider, metadata: Any) -> None:
    provider.metadata = metadata
    response = site.browser().get(START, headers=NAVIGATE)
    assert response.status == 503
    assert "Location" not in response.headers


def test_the_issuer_is_compared_to_the_letter(make_site: Made, provider: HostileProvider) -> None:
    site = make_site(issuer=provider.issuer + "/")
    assert site.browser().get(START, headers=NAVIGATE).status == 503


def test_a_redirect_to_the_keys_is_not_followed(site: OidcSite, provider: HostileProvider) -> None:
    provider.instead["/jwks"] = lambda handler: send_json(handler, 302, {}, Location=f"{provider.url}/evil-jwks")
    browser = site.browser()
    assert_refused(site, browser, log_in(browser), 503)
    assert provider.paths("/evil-jwks") == 0


def test_a_rotated_key_is_found_once_a_minute_at_most(site: OidcSite, provider: HostileProvider, clock: Clock) -> None:
    assert log_in(site.browser()).status == 303
    assert provider.paths("/jwks") == 1
    provider.rotate()
    clock.advance(61)
    assert log_in(site.browser()).status == 303
    assert provider.paths("/jwks") == 2
    provider.sign = lambda claims: provider.signed(claims, kid="made-up")
    for _ in range(3):
        assert log_in(site.browser()).status == 403
    assert provider.paths("/jwks") == 2, "ids that somebody makes up cause no requests"


def test_userinfo_of_another_user_is_refused(site: OidcSite, provider: HostileProvider) -> None:
    provider.userinfo = {"sub": "somebody-else", "email": "root@example.org"}
    browser = site.browser()
    assert_refused(site, browser, log_in(browser))
    assert site.reasons() == ["oidc: userinfo of another user"]


def test_what_the_id_token_says_stands_against_userinfo(make_site: Made, provider: HostileProvider) -> None:
    site = make_site(groups_claim="groups", groups={"staff": ("corp/a",), "admin": ("corp/b",)})
    provider.id_claims = {"groups": ["a"]}
    provider.userinfo = {**provider.user, "groups": ["b"], "preferred_username": "root"}
    browser = site.browser()
    log_in(browser)
    assert browser.get("/page").text == "alice staff"


# ---- variants of the flow


def test_an_answer_as_a_form(make_site: Made, provider: HostileProvider) -> None:
    site = make_site(response_mode="form_post", public_url="https://wiki.example.org")
    browser = site.browser(host="wiki.example.org", scheme="https")
    response = browser.get(START, headers=NAVIGATE)
    assert "response_mode=form_post" in response.headers["Location"]
    assert "; SameSite=None" in response.headers["Set-Cookie"]
    assert "; Secure" in response.headers["Set-Cookie"]
    answer = at_provider(response.headers["Location"])
    assert come_back(browser, answer).status == 405, "as a GET it does not count then"
    form = dict(parse_qsl(urlsplit(answer).query))
    back = {**RETURN, "Origin": provider.url}
    assert browser.post(CALLBACK, form={**form, "state": "x"}, headers=back).status == 400
    assert browser.post(CALLBACK, form=form, headers=back).status == 303
    assert browser.get("/page").text == "alice "


def test_a_provider_that_wants_the_request_beforehand_gets_it(site: OidcSite, provider: HostileProvider) -> None:
    provider.metadata = {"require_pushed_authorization_requests": True}
    browser = site.browser()
    address = begin(browser)
    assert dict(parse_qsl(urlsplit(address).query)) == {"client_id": CLIENT, "request_uri": "urn:pushed"}
    assert come_back(browser, at_provider(address)).status == 303


def _shown(provider: HostileProvider) -> tuple[dict[str, str], dict[str, str]]:
    return next((fields, headers) for _, path, fields, headers in provider.asked if path == "/token")


def test_the_site_shows_its_secret_by_basic(site: OidcSite, provider: HostileProvider) -> None:
    import base64

    log_in(site.browser())
    fields, headers = _shown(provider)
    pair = base64.b64decode(headers["Authorization"].removeprefix("Basic ")).decode()
    assert pair == "wiki:s%3Acret+%25%2B+of+the+wiki", "both halves are form-encoded (RFC 6749 section 2.3.1)"
    assert "client_secret" not in fields


def test_the_site_shows_its_secret_in_the_form(make_site: Made, provider: HostileProvider) -> None:
    log_in(make_site(client_auth="client_secret_post").browser())
    fields, headers = _shown(provider)
    assert fields["client_secret"] == "s:cret %+ of the wiki"
    assert "Authorization" not in headers


def test_the_site_signs_who_it_is(make_site: Made, provider: HostileProvider, tmp_path: Path) -> None:
    from joserfc import jwt

    key = rsa_key("k")
    file = tmp_path / "client.pem"
    file.write_bytes(key.as_pem(private=True))
    file.chmod(0o600)
    site = make_site(client_auth="private_key_jwt", client_key=file, client_key_id="k7", client_secret=None)
    assert log_in(site.browser()).status == 303
    fields, _ = _shown(provider)
    token = jwt.decode(fields["client_assertion"], key, algorithms=["RS256"])
    assert token.header["kid"] == "k7"
    assert (token.claims["iss"], token.claims["sub"], token.claims["aud"]) == (CLIENT, CLIENT, provider.issuer)
    assert token.claims["exp"] - token.claims["iat"] <= 120
    assert "client_secret" not in fields


@pytest.mark.parametrize(
    ("text", "mode", "complaint"),
    [
        pytest.param(None, 0o600, "cannot be read", id="it says that there is no such file"),
        pytest.param("no key", 0o600, "cannot be read as a private key", id="it says that this is no key"),
        pytest.param("no key", 0o644, "chmod 600", id="it says that others can read it"),
    ],
)
def test_a_key_of_the_site_that_cannot_be_used_is_said_at_the_start(
    make_site: Made, tmp_path: Path, text: str | None, mode: int, complaint: str
) -> None:
    file = tmp_path / "client.pem"
    if text is not None:
        file.write_text(text)
        file.chmod(mode)
    with pytest.raises(ConfigError, match=complaint):
        make_site(client_auth="private_key_jwt", client_key=file, client_secret=None)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"issuer": ""}, id="it wants an issuer"),
        pytest.param({"issuer": "http://id.example.org"}, id="it wants https"),
        pytest.param({"issuer": "https://id.example.org/?x"}, id="it wants no query"),
        pytest.param({"client_id": " "}, id="it wants to know its own name"),
        pytest.param({"client_secret": None}, id="it wants a secret"),
        pytest.param({"client_auth": "private_key_jwt"}, id="it wants a key"),
        pytest.param({"scopes": ("profile",)}, id="it wants openid among the scopes"),
        pytest.param({"algorithms": ("HS256",)}, id="it wants no shared secrets"),
        pytest.param({"algorithms": ("none",)}, id="it wants signatures"),
        pytest.param({"allow_groups": ("x",)}, id="it wants to know where groups are"),
        pytest.param({"response_mode": "form_post"}, id="it wants https for forms"),
        pytest.param({"leeway": 3600.0}, id="it wants clocks that are about right"),
    ],
)
def test_options_that_cannot_be(make_site: Made, options: Any) -> None:
    with pytest.raises(OptionError):
        make_site(**options)


def test_the_secret_is_in_no_repr(provider: HostileProvider) -> None:
    assert SECRET not in repr(options_for(provider))


@pytest.mark.parametrize(
    ("id_claims", "userinfo", "email"),
    [
        pytest.param({}, {"email": "a@example.org", "email_verified": True}, ("a@example.org", True), id="of one"),
        pytest.param(
            {"email": "b@example.org"},
            {"email": "a@example.org", "email_verified": True},
            ("b@example.org", False),
            id="it does not mix two addresses",
        ),
        pytest.param(
            {"email": "a@example.org"},
            {"email": "a@example.org", "email_verified": True},
            ("a@example.org", True),
            id="it takes both words on one address together",
        ),
    ],
)
def test_whose_address_is_verified(
    make_site: Made, provider: HostileProvider, id_claims: Any, userinfo: Any, email: tuple[str, bool]
) -> None:
    site = make_site(trust_email=True)
    provider.id_claims = id_claims
    provider.userinfo = {"sub": "alice-1", **userinfo}
    log_in(site.browser())
    account = site.users.find("alice")
    assert account is not None
    assert (account.email, account.email_verified) == email
