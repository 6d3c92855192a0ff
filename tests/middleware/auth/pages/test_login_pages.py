"""Signing in and out on the pages, as people and as attackers do it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

import pytest
from auth_pages import PASSWORD, AuthSite, Clock, Reply, Visitor, options_of, passkey_of

from wheatpaste.middleware.auth.visit import Visit
from wheatpaste.protocol.answer import Answer

SESSION = "__Host-wheatpaste.session"


def test_it_leads_to_the_page_that_was_wanted(visitor: Visitor) -> None:
    sent = visitor.get("/wall?q=1")
    assert (sent.code, sent.location) == (303, "/-/auth/login?next=%2Fwall%3Fq%3D1")
    page = visitor.get(sent.location)
    reply = visitor.fill(page, "/login", username="bob", password=PASSWORD)
    assert (reply.code, reply.location) == (303, "/wall?q=1")
    assert "bob" in visitor.get(reply.location).words


def test_it_works_below_a_mount_and_behind_it(site: AuthSite) -> None:
    visitor = Visitor(site.app, scheme="https", mount="/team one")
    visitor.mount = "/team%20one"
    site_app = site.app

    def mounted(environ: dict[str, object], start_response: object) -> object:
        return site_app({**environ, "SCRIPT_NAME": "/team one"}, start_response)  # type: ignore[arg-type]

    visitor.app = mounted
    page = visitor.follow(visitor.get("/team%20one/wall"))
    assert page.form("/login")["action"] == "/team%20one/-/auth/login"
    assert '"/team%20one/-/auth/static/auth.' in page.text
    reply = visitor.fill(page, "/login", username="bob", password=PASSWORD)
    assert reply.location == "/team%20one/wall"
    assert visitor.get("/team%20one/-/auth/account").code == 200


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "https://evil.example",
        "https:evil.example",
        "http:/evil.example",
        "/\t/evil.example",
        "\t//evil.example",
        "/wall\r\nSet-Cookie: a=b",
        "/%0d%0aSet-Cookie:a=b\n",
        "///evil.example",
        "javascript:alert(1)",
        "//bob@evil.example",
        "/ä",
        "wall",
        "",
        "/" + "a" * 3000,
    ],
)
def test_it_leads_to_this_site_alone(target: str, visitor: Visitor) -> None:
    page = visitor.get(f"/-/auth/login?{urlencode({'next': target})}")
    form = page.form("/login")
    assert "next" not in form
    reply = visitor.post(form["action"], {**form, "username": "bob", "password": PASSWORD, "next": target})
    assert (reply.code, reply.location) == (303, "/")


def differences(one: Reply, other: Reply) -> list[str]:
    """The lines in which two pages differ, but for tokens and nonces."""
    clean = [re.sub(r'(nonce|value)="[^"]*"', "", reply.text) for reply in (one, other)]
    return [line for line, same in zip(clean[0].splitlines(), clean[1].splitlines(), strict=True) if line != same]


def test_who_fails_learns_only_that(site: AuthSite) -> None:
    site.add("ann")
    off = site.add("off")
    site.users.disable(off.id)
    site.add("new", password=None)
    replies = {}
    for name, password in (
        ("ann", "wrong password"),
        ("nobody", PASSWORD),
        ("off", PASSWORD),
        ("new", PASSWORD),
        ("ann", ""),
        ("a\0nn", PASSWORD),
        ("ann", "x" * 2000),
    ):
        visitor = Visitor(site.app, scheme="https", address=f"192.0.2.{len(replies)}")
        replies[name, password[:5]] = visitor.login(name, password)
        assert SESSION not in visitor.cookies
    first = replies["ann", "wrong"]
    assert first.code == 403
    for reply in replies.values():
        assert reply.status == first.status
        assert sorted(name for name, _ in reply.headers) == sorted(name for name, _ in first.headers)
        assert differences(reply, first) == []


def test_who_is_throttled_is_told_the_same(site: AuthSite, visitor: Visitor) -> None:
    replies = [visitor.login("bob", f"wrong {number}") for number in range(8)]
    replies.append(visitor.login("bob", PASSWORD))
    assert "login.throttled" in site.notes.names
    assert {reply.status for reply in replies} == {"403 Forbidden"}
    assert all(differences(reply, replies[0]) == [] for reply in replies)
    assert all(reply.header("Retry-After") == "" for reply in replies)


@pytest.mark.parametrize(
    "password", [" spaces around  ", "ümläut ŝtrangé 密码", "p" * 72 + "q", "UPPER lower & <b>%41"]
)
def test_a_password_stays_as_it_is_typed(password: str, site: AuthSite) -> None:
    site.add("eve", password)
    for wrong in (password.strip() + "x", password[:-1], password.swapcase(), password[:72]):
        if wrong != password:
            assert Visitor(site.app, scheme="https", address="192.0.2.99").login("eve", wrong).code == 403
    assert Visitor(site.app, scheme="https").login("eve", password).code == 303


def test_password_managers_find_their_way(visitor: Visitor) -> None:
    page = visitor.get("/-/auth/login").text
    assert 'name="username" type="text" value="" autocomplete="username webauthn"' in page
    assert 'name="password" type="password" autocomplete="current-password"' in page
    assert "maxlength" not in page
    assert "onpaste" not in page


FOREIGN = [
    {"HTTP_SEC_FETCH_SITE": "cross-site"},
    {"HTTP_SEC_FETCH_SITE": "same-site"},
    {"HTTP_SEC_FETCH_SITE": None, "HTTP_ORIGIN": "https://evil.example"},
    {"HTTP_SEC_FETCH_SITE": None, "HTTP_ORIGIN": "null"},
    {"HTTP_SEC_FETCH_SITE": None, "HTTP_ORIGIN": "http://wiki.example.org"},
]


@pytest.mark.parametrize("request_of", FOREIGN, ids=["cross", "sibling", "origin", "sandbox", "no TLS"])
@pytest.mark.parametrize("page", ["login", "logout", "account/tokens", "account/password", "account/devices/end"])
def test_another_site_s_form_is_refused(
    page: str, request_of: dict[str, str | None], site: AuthSite, visitor: Visitor
) -> None:
    visitor.login()
    token = visitor.get("/-/auth/account").form("/logout")["token"]
    before = list(site.notes.events)
    fields = {"token": token, "username": "bob", "password": PASSWORD, "name": "x", "scopes": "a", "id": "others"}
    assert visitor.post(f"/-/auth/{page}", fields, **request_of).code == 403
    assert site.notes.events == before
    assert visitor.get("/wall").code == 200


@pytest.mark.parametrize("token", ["", "AAAA", "x" * 300])
def test_a_form_needs_its_token(token: str, visitor: Visitor) -> None:
    visitor.get("/-/auth/login")
    reply = visitor.post("/-/auth/login", {"token": token, "username": "bob", "password": PASSWORD})
    assert reply.code == 403
    assert "open for too long" in reply.words


def test_another_browser_s_token_is_none(site: AuthSite, visitor: Visitor) -> None:
    theirs = Visitor(site.app, scheme="https").get("/-/auth/login").form("/login")["token"]
    visitor.get("/-/auth/login")
    assert visitor.post("/-/auth/login", {"token": theirs, "username": "bob", "password": PASSWORD}).code == 403


def test_a_page_that_was_open_for_half_a_day_is_too_old(site: AuthSite, visitor: Visitor) -> None:
    page = visitor.get("/-/auth/login")
    assert isinstance(site.clock, Clock)
    site.clock.move(13 * 3600)
    reply = visitor.fill(page, "/login", username="bob", password=PASSWORD)
    assert reply.code == 403
    assert "/-/auth/login" in reply.text


def test_a_second_page_does_not_void_the_first(visitor: Visitor) -> None:
    first = visitor.get("/-/auth/login")
    visitor.get("/-/auth/login", HTTP_SEC_FETCH_SITE="cross-site")
    assert visitor.fill(first, "/login", username="bob", password=PASSWORD).code == 303


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"a" * 70_000, "application/x-www-form-urlencoded", 413),
        (b"{}", "application/json", 415),
        (b"--x", "multipart/form-data; boundary=x", 415),
        (b"a=\xff\xfe", "application/x-www-form-urlencoded", 400),
        (b"&".join(b"a%d=b" % each for each in range(500)), "application/x-www-form-urlencoded", 400),
        (b"a=%ff", "application/x-www-form-urlencoded", 400),
        (b"", "application/x-www-form-urlencoded", 403),
    ],
    ids=["too long", "JSON", "multipart", "bytes", "many fields", "no UTF-8", "nothing"],
)
def test_what_is_no_form_is_refused(body: bytes, kind: str, status: int, visitor: Visitor) -> None:
    assert visitor.post("/-/auth/login", body, CONTENT_TYPE=kind).code == status


@pytest.mark.parametrize("length", ["-1", "1x", "٣", None])
def test_a_length_that_is_none_is_refused(length: str | None, visitor: Visitor) -> None:
    assert visitor.post("/-/auth/login", b"a=b", CONTENT_LENGTH=length).code in (400, 411)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods_are_not_allowed(method: str, visitor: Visitor) -> None:
    reply = visitor.send(method, "/-/auth/login")
    assert (reply.code, reply.header("Allow")) == (405, "GET, HEAD, POST")


@pytest.mark.parametrize("page", ["login", "logout", "account", "invite/x", "nothing", "static/nothing"])
def test_head_has_no_body(page: str, visitor: Visitor) -> None:
    reply = visitor.send("HEAD", f"/-/auth/{page}")
    assert reply.text == ""
    assert reply.code in (200, 303, 404)


def test_a_session_that_was_planted_is_not_adopted(site: AuthSite, visitor: Visitor) -> None:
    attacker = Visitor(site.app, scheme="https")
    site.add("eve")
    attacker.login("eve")
    visitor.cookies[SESSION] = planted = attacker.cookies[SESSION]
    visitor.get("/-/auth/logout")
    page = visitor.get("/-/auth/login")
    token = page.forms()[0]["token"]
    visitor.post("/-/auth/login", {"token": token, "username": "bob", "password": PASSWORD})
    assert visitor.cookies[SESSION] != planted
    assert "bob" in visitor.get("/wall").words
    assert attacker.get("/wall").code == 303


def test_keep_me_signed_in(site: AuthSite, visitor: Visitor) -> None:
    visitor.login(remember="1")
    (header,) = [each for each in visitor.set if each.startswith(SESSION)]
    assert "Max-Age=2592000" in header
    other = Visitor(site.app, scheme="https")
    other.login()
    (header,) = [each for each in other.set if each.startswith(SESSION)]
    assert "Max-Age" not in header


def test_it_is_not_offered_where_it_cannot_be_had(make_site: Callable[..., AuthSite]) -> None:
    site = make_site(sessions={"remember": 0.0})
    assert "Keep me signed in" not in Visitor(site.app).get("/-/auth/login").words


def test_every_cookie_is_hardened_over_tls(visitor: Visitor) -> None:
    visitor.login(remember="1")
    assert visitor.set
    for header in visitor.set:
        assert header.startswith("__Host-")
        assert "; Secure" in header
        assert "; HttpOnly" in header
        assert "; SameSite=" in header
        assert "Domain" not in header


def test_a_proxy_that_does_not_tell_of_tls_changes_nothing(site: AuthSite) -> None:
    visitor = Visitor(site.app, scheme="http")
    page = visitor.get("/-/auth/login")
    assert all(name.startswith("__Host-") for name in visitor.cookies)
    reply = visitor.fill(page, "/login", username="bob", password=PASSWORD)
    assert reply.code == 303


def test_its_pages_keep_to_themselves(visitor: Visitor) -> None:
    visitor.login()
    for path in ("login", "account", "account/tokens", "logout", "nothing"):
        reply = visitor.get(f"/-/auth/{path}")
        policy = reply.header("Content-Security-Policy")
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "base-uri 'none'" in policy
        assert "unsafe" not in policy
        assert reply.header("Cache-Control") == "no-store"
        assert reply.header("X-Content-Type-Options") == "nosniff"
        assert reply.header("Cross-Origin-Opener-Policy") == "same-origin"
        assert reply.header("Strict-Transport-Security")
        assert reply.header("Referrer-Policy") == "same-origin"
        assert "style=" not in reply.text
        assert visitor.cookies[SESSION] not in reply.text


def test_another_site_cannot_show_or_read_them(visitor: Visitor) -> None:
    framed = {"HTTP_SEC_FETCH_SITE": "cross-site", "HTTP_SEC_FETCH_DEST": "iframe"}
    assert visitor.get("/-/auth/login", **framed).code == 403
    fetched = {"HTTP_SEC_FETCH_SITE": "cross-site", "HTTP_SEC_FETCH_MODE": "no-cors", "HTTP_SEC_FETCH_DEST": "image"}
    assert visitor.get("/-/auth/account", **fetched).code == 403
    assert visitor.get("/-/auth/login", HTTP_SEC_FETCH_SITE="cross-site").code == 200


def test_style_and_script_may_be_kept_for_ever(visitor: Visitor) -> None:
    page = visitor.get("/-/auth/login").text
    found = re.findall(r'"(/-/auth/static/[^"]+)"', page)
    assert len(found) == 2
    for path in found:
        reply = visitor.get(path)
        assert reply.code == 200
        assert "immutable" in reply.header("Cache-Control")
        assert "Set-Cookie" not in dict(reply.headers)


def test_the_title_is_the_host_or_what_the_site_is_called(make_site: Callable[..., AuthSite]) -> None:
    plain = make_site()
    page = Visitor(plain.app, host="wiki.example.org:8080").get("/-/auth/login")
    assert "<title>Sign in · wiki.example.org:8080</title>" in page.text
    named = make_site(site={"title": "<b>Ours</b> & 'more\""})
    page = Visitor(named.app).get("/-/auth/login")
    assert "<title>Sign in · &lt;b&gt;Ours&lt;/b&gt; &amp; &#39;more&#34;</title>" in page.text
    assert "<b>" not in page.text


@pytest.mark.parametrize("host", ["<script>", 'a"onload=x', "evil.example/x", "a b"])
def test_a_strange_host_is_not_repeated(host: str, make_site: Callable[..., AuthSite]) -> None:
    site = make_site()
    page = Visitor(site.app).get("/-/auth/login", HTTP_HOST=host)
    assert host not in page.text


def test_a_name_that_was_typed_is_escaped(visitor: Visitor) -> None:
    reply = visitor.login('"><script>alert(1)</script>', "x")
    assert "<script>alert" not in reply.text
    assert "&#34;&gt;&lt;script&gt;" in reply.text


def test_what_is_offered_stands_in_the_order_of_the_configuration(make_site: Callable[..., AuthSite]) -> None:
    site = make_site(
        site={"public_url": "https://wiki.example.org", "login": ("oidc:corp", "passkey", "password", "oidc:hub")}
    )
    site.authority.providers.update(corp="Example Corp", hub="")
    page = Visitor(site.app, scheme="https").get("/-/auth/login?next=/wall")
    words = page.words
    places = [
        words.index(each)
        for each in ("Sign in with Example Corp", "Sign in with a passkey", "User name", "Sign in with hub")
    ]
    assert places == sorted(places)
    assert 'href="/-/auth/oidc/corp/start?next=%2Fwall"' in page.text


def test_what_is_not_offered_is_not_there(make_site: Callable[..., AuthSite]) -> None:
    site = make_site(site={"login": ("oidc:corp",)})
    site.add()
    visitor = Visitor(site.app)
    page = visitor.get("/-/auth/login")
    assert "Password" not in page.words
    token = visitor.get("/-/auth/login").text
    assert "passkeys." not in token
    issued = site.authority.forms.issue({"HTTP_COOKIE": f"wheatpaste.form={visitor.cookies['wheatpaste.form']}"})
    fields = {"token": issued.token, "username": "bob", "password": PASSWORD, "credential": "{}"}
    assert visitor.post("/-/auth/login", fields).code == 404
    assert visitor.post("/-/auth/login/passkey", fields).code == 404


def test_who_is_signed_in_is_told_so(visitor: Visitor) -> None:
    visitor.login()
    page = visitor.get("/-/auth/login?next=/wall")
    assert "You are signed in" in page.words
    assert 'href="/wall"' in page.text


# Signing out


def test_a_link_signs_nobody_out(visitor: Visitor) -> None:
    visitor.login()
    assert "Sign out?" in visitor.get("/-/auth/logout").words
    assert visitor.get("/wall").code == 200


def test_a_copied_cookie_is_dead_after_the_logout(site: AuthSite, visitor: Visitor) -> None:
    visitor.login()
    copied = dict(visitor.cookies)
    reply = visitor.fill(visitor.get("/-/auth/logout"), "/logout")
    assert reply.location == "/-/auth/login?note=out"
    assert "You are signed out." in visitor.get(reply.location).words
    thief = Visitor(site.app, scheme="https")
    thief.cookies = copied
    assert thief.get("/wall").code == 303
    assert "logout" in site.notes.names


def test_all_devices_can_be_signed_out_at_once(site: AuthSite, visitor: Visitor) -> None:
    other = Visitor(site.app, scheme="https")
    other.login()
    visitor.login()
    visitor.fill(visitor.get("/-/auth/logout"), "/logout", everywhere="1")
    assert other.get("/wall").code == 303


def test_a_provider_is_told_by_a_page_in_between(site: AuthSite, visitor: Visitor) -> None:
    site.authority.leaving = lambda visit: "https://id.example.org/logout?a=1&b=2"
    visitor.login()
    reply = visitor.fill(visitor.get("/-/auth/logout"), "/logout")
    assert reply.code == 200
    assert '<meta http-equiv="refresh" content="0; url=https://id.example.org/logout?a=1&amp;b=2">' in reply.text
    assert visitor.get("/wall").code == 303


# Passkeys


def test_a_passkey_signs_in_without_a_second_step(site: AuthSite, visitor: Visitor) -> None:
    device = passkey_of(site, site.account())
    page = visitor.get("/-/auth/login?next=/wall")
    answer = device.get(options_of(visitor, page, "login"))
    reply = visitor.fill(page, "/login/passkey", credential=answer)
    assert (reply.code, reply.location) == (303, "/wall")
    assert site.notes.events[-1] == ("login.ok", "bob", {"amr": "hwk user mfa"})


def test_a_disabled_user_s_passkey_lets_nobody_in(site: AuthSite, visitor: Visitor) -> None:
    device = passkey_of(site, site.account())
    site.users.disable(site.account().id)
    page = visitor.get("/-/auth/login")
    reply = visitor.fill(page, "/login/passkey", credential=device.get(options_of(visitor, page, "login")))
    assert reply.code == 403
    assert SESSION not in visitor.cookies


def test_a_passkey_s_answer_is_not_another_browser_s(site: AuthSite, visitor: Visitor) -> None:
    device = passkey_of(site, site.account())
    answer = device.get(options_of(visitor, visitor.get("/-/auth/login"), "login"))
    thief = Visitor(site.app, scheme="https")
    reply = thief.fill(thief.get("/-/auth/login"), "/login/passkey", credential=answer)
    assert reply.code == 403


@pytest.mark.parametrize("purpose", ["second", "confirm", "create", "", "else"])
def test_questions_about_nobody_are_not_made(purpose: str, visitor: Visitor) -> None:
    token = visitor.get("/-/auth/login").forms()[0]["token"]
    assert visitor.post("/-/auth/passkey/options", {"token": token, "purpose": purpose}).code == 403


# Messages


@pytest.mark.parametrize("status", ["400 Bad Request", "403 Forbidden", "404 Not Found", "429 Too Many Requests"])
def test_a_message_is_a_page_for_people_and_a_document_for_programs(status: str, site: AuthSite) -> None:
    visitor = Visitor(site.app, scheme="https")
    site.authority.add_routes({"told": lambda visit: told(visit, status)})
    page = visitor.get("/-/auth/told")
    assert page.status == status
    assert "<script>" not in page.text
    assert "&lt;script&gt;" in page.text
    document = visitor.get("/-/auth/told", HTTP_SEC_FETCH_MODE="cors", HTTP_SEC_FETCH_DEST="empty")
    assert document.header("Content-Type") == "application/problem+json"


def told(visit: Visit, status: str) -> Answer:
    return visit.authority.message(visit, status, "<script>")


def test_it_speaks_german(site: AuthSite) -> None:
    visitor = Visitor(site.app, scheme="https", language="de-DE,de;q=0.9,en;q=0.7")
    page = visitor.get("/-/auth/login")
    assert '<html lang="de">' in page.text
    assert "Angemeldet" not in page.words
    assert "Auf diesem Gerät angemeldet bleiben" in page.words


def test_a_template_of_the_site_replaces_ours(make_site: Callable[..., AuthSite], tmp_path: Path) -> None:
    folder = tmp_path
    (folder / "message.html").write_text("<p>ours: {{ text }}</p>")
    (folder / "theme.css").write_text(":root { --accent: rebeccapurple }")
    site = make_site(site={"templates": folder})
    visitor = Visitor(site.app)
    assert visitor.get("/-/auth/nothing").text == "<p>ours: There is no such page here.</p>"
    page = visitor.get("/-/auth/login").text
    (theme,) = re.findall(r'"(/-/auth/static/theme\.[^"]+)"', page)
    assert "rebeccapurple" in visitor.get(theme).text
