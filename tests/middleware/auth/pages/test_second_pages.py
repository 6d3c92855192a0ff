"""The second step of a login: codes, recovery codes, passkeys, setting one up, showing it once more."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from auth_pages import (
    PASSWORD,
    SEED,
    AuthSite,
    Clock,
    Reply,
    Visitor,
    app_of,
    code_of,
    codes_in,
    options_of,
    passkey_of,
)
from soft_authenticator import PRESENT, SoftAuthenticator

from wheatpaste.middleware.auth.factors import totp
from wheatpaste.middleware.auth.visit import Visit

SESSION = "__Host-wheatpaste.session"


@pytest.fixture
def recovery(site: AuthSite) -> str:
    """Bob has an app; one of his recovery codes."""
    return app_of(site, site.account())


def move(site: AuthSite, seconds: float) -> None:
    assert isinstance(site.clock, Clock)
    site.clock.move(seconds)


def half_way(visitor: Visitor) -> Reply:
    """After the password."""
    sent = visitor.login()
    assert sent.location == "/-/auth/second"
    assert SESSION not in visitor.cookies
    return visitor.get(sent.location)


def test_a_code_completes_the_login(recovery: str, site: AuthSite, visitor: Visitor) -> None:
    reply = visitor.fill(half_way(visitor), "/second", code=code_of(site))
    assert (reply.code, reply.location) == (303, "/wall")
    assert site.notes.events[-2:] == [("mfa.ok", "bob", {"kind": "otp"}), ("login.ok", "bob", {"amr": "pwd otp mfa"})]


def test_a_recovery_code_completes_it_once(recovery: str, site: AuthSite, visitor: Visitor) -> None:
    assert visitor.fill(half_way(visitor), "/second", code=recovery.lower()).code == 303
    other = Visitor(site.app, scheme="https")
    assert other.fill(half_way(other), "/second", code=recovery).code == 403


def test_a_code_that_was_used_is_no_code(recovery: str, site: AuthSite, visitor: Visitor) -> None:
    code = code_of(site)
    visitor.fill(half_way(visitor), "/second", code=code)
    other = Visitor(site.app, scheme="https")
    assert other.fill(half_way(other), "/second", code=code).code == 403
    assert SESSION not in other.cookies


def test_keep_me_signed_in_outlives_the_second_step(recovery: str, site: AuthSite, visitor: Visitor) -> None:
    visitor.login(remember="1")
    visitor.fill(visitor.get("/-/auth/second"), "/second", code=code_of(site))
    assert any(each.startswith(SESSION) and "Max-Age" in each for each in visitor.set)


@pytest.mark.parametrize("page", ["/wall", "/-/auth/account", "/-/auth/account/tokens", "/-/auth/confirm"])
def test_a_password_alone_opens_nothing(page: str, recovery: str, visitor: Visitor) -> None:
    half_way(visitor)
    assert visitor.get(page).location.startswith("/-/auth/login?")


def test_another_factor_is_not_to_be_had_by_a_password_alone(recovery: str, site: AuthSite, visitor: Visitor) -> None:
    page = half_way(visitor)
    assert visitor.get("/-/auth/enrol").location == "/-/auth/second"
    token = page.forms()[0]["token"]
    for target in ("enrol", "enrol/passkey"):
        reply = visitor.post(f"/-/auth/{target}", {"token": token, "seed": "x", "code": "1", "credential": "{}"})
        assert reply.location == "/-/auth/second"
    assert visitor.post("/-/auth/passkey/options", {"token": token, "purpose": "create"}).code == 403


def test_five_wrong_codes_end_the_login(recovery: str, site: AuthSite, visitor: Visitor) -> None:
    page = half_way(visitor)
    for _ in range(5):
        assert visitor.fill(page, "/second", code="000000").code == 403
    reply = visitor.fill(page, "/second", code=code_of(site))
    assert reply.location == "/-/auth/login?note=many&next=%2Fwall"
    assert "Too many wrong codes" in visitor.get(reply.location).words
    assert SESSION not in visitor.cookies


def test_ten_wrong_codes_in_an_hour_are_all_that_an_account_has(
    recovery: str, site: AuthSite, visitor: Visitor
) -> None:
    for number in range(12):
        each = Visitor(site.app, scheme="https", address=f"192.0.2.{number}")
        page = half_way(each)
        each.fill(page, "/second", code="000000")
    assert visitor.fill(half_way(visitor), "/second", code=code_of(site)).code == 403
    move(site, 3601)
    assert visitor.fill(half_way(visitor), "/second", code=code_of(site)).code == 303


@pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef", "١٢٣٤٥٦", "0" * 5000, "\0\0\0\0\0\0"])
def test_what_is_no_code_is_a_wrong_one(code: str, recovery: str, visitor: Visitor) -> None:
    assert visitor.fill(half_way(visitor), "/second", code=code).code == 403


def test_it_has_to_be_done_within_ten_minutes(recovery: str, site: AuthSite, visitor: Visitor) -> None:
    page = half_way(visitor)
    move(site, 601)
    reply = visitor.fill(page, "/second", code=code_of(site))
    assert "note=over" in reply.location


@pytest.mark.parametrize("what", ["disable", "raise_epoch", "delete"])
def test_who_may_not_log_in_any_more_cannot_complete_it(
    what: str, recovery: str, site: AuthSite, visitor: Visitor
) -> None:
    page = half_way(visitor)
    getattr(site.users, what)(site.account().id)
    assert "/-/auth/login?" in visitor.fill(page, "/second", code=code_of(site)).location
    assert SESSION not in visitor.cookies


def test_one_login_s_second_step_is_not_another_browser_s(recovery: str, site: AuthSite, visitor: Visitor) -> None:
    half_way(visitor)
    other = Visitor(site.app, scheme="https")
    assert other.get("/-/auth/second").location.startswith("/-/auth/login?")


def test_a_passkey_is_a_second_step(site: AuthSite, visitor: Visitor) -> None:
    device = passkey_of(site, site.account())
    page = half_way(visitor)
    assert "Code" not in page.words
    answer = device.get(options_of(visitor, page, "second"), flags=PRESENT)
    assert visitor.fill(page, "/second/passkey", credential=answer).location == "/wall"
    assert site.notes.events[-1] == ("login.ok", "bob", {"amr": "pwd hwk mfa"})


def test_another_user_s_passkey_is_none(site: AuthSite, visitor: Visitor) -> None:
    passkey_of(site, site.account())
    theirs = passkey_of(site, site.add("eve"))
    page = half_way(visitor)
    answer = theirs.get(options_of(visitor, page, "second"))
    assert visitor.fill(page, "/second/passkey", credential=answer).code == 403
    assert "mfa.fail" in site.notes.names


def test_a_passkey_may_be_no_second_factor(make_site: Callable[..., AuthSite]) -> None:
    site = make_site(site={"public_url": "https://wiki.example.org"}, mfa={"passkeys": False})
    passkey_of(site, site.add())
    assert Visitor(site.app, scheme="https").login().location == "/wall"


def test_a_passkey_that_is_none_is_not_asked_for_besides_a_code(make_site: Callable[..., AuthSite]) -> None:
    site = make_site(site={"public_url": "https://wiki.example.org"}, mfa={"passkeys": False})
    device = passkey_of(site, site.add())
    app_of(site, site.account())
    visitor = Visitor(site.app, scheme="https")
    page = half_way(visitor)
    assert "passkey" not in page.text
    token = page.forms()[0]["token"]
    assert visitor.post("/-/auth/passkey/options", {"token": token, "purpose": "second"}).code == 403
    assert site.factors.passkeys is not None
    account = site.account()
    asked = site.factors.passkeys.request_options("second", account.id, account_id=account.id, verified=True)
    sent = visitor.post("/-/auth/second/passkey", {"token": token, "credential": device.get(asked)})
    assert sent.location.startswith("/-/auth/login?")
    assert SESSION not in visitor.cookies
    visitor.fill(visitor.get("/-/auth/second"), "/second", code=code_of(site))
    assert "On: app and passkey" not in visitor.get("/-/auth/account").words


@pytest.mark.parametrize("purpose", ["login", "second", "confirm"])
def test_a_passkey_that_may_be_a_copy_is_noted_wherever_it_is_shown(
    purpose: str, make_site: Callable[..., AuthSite]
) -> None:
    site = make_site(
        site={"public_url": "https://wiki.example.org", "login": ("password", "passkey")}, passkeys={"counter": "note"}
    )
    device = passkey_of(site, site.add())
    visitor = Visitor(site.app, scheme="https")
    steps = iter((5, -2))
    page = visitor.get("/-/auth/login")
    if purpose != "login":
        page = half_way(visitor)
    if purpose == "confirm":
        answer = device.get(options_of(visitor, page, "second"), step=next(steps))
        visitor.fill(page, "/second/passkey", credential=answer)
        page = visitor.get("/-/auth/confirm")
    else:
        assert site.factors.passkeys is not None
        asked = site.factors.passkeys.request_options("test", "", account_id=site.account().id, verified=True)
        answer = device.get(asked, step=next(steps))
        site.factors.passkeys.shown(answer, "test", [""], account_id=site.account().id, verified=True)
    answer = device.get(options_of(visitor, page, purpose), step=next(steps))
    assert visitor.fill(page, f"/{purpose}/passkey", credential=answer).code == 303
    assert ("mfa.fail", "bob", {"reason": "passkey counter did not grow"}) in site.notes.events


# Setting one up


@pytest.fixture
def strict(make_site: Callable[..., AuthSite]) -> AuthSite:
    """A site where Bob needs a second factor and has none."""
    made = make_site(
        site={"public_url": "https://wiki.example.org", "login": ("password", "passkey")},
        mfa={"require_for": ("user:bob", "role:admin", "group:staff")},
    )
    made.add("bob")
    return made


@pytest.fixture
def fresh(strict: AuthSite) -> Visitor:
    return Visitor(strict.app, scheme="https")


def seed_in(page: Reply) -> bytes:
    found = re.search(r'<p class="secret"><code>([A-Z2-7 ]+)</code>', page.text)
    assert found is not None
    return totp.read_seed(found[1])


def test_who_needs_one_sets_it_up_at_the_login(strict: AuthSite, fresh: Visitor) -> None:
    sent = fresh.login()
    assert sent.location == "/-/auth/enrol"
    assert SESSION not in fresh.cookies
    page = fresh.get(sent.location)
    code = totp.code_at(seed_in(page), totp.step_at(strict.clock()))
    done = fresh.fill(page, "/enrol", code=code)
    assert done.code == 200
    assert len(codes_in(done)) == 10
    assert 'href="/wall"' in done.text
    assert fresh.get("/wall").code == 200
    assert strict.account().has_second_factor
    assert "mfa.add" in strict.notes.names
    other = Visitor(strict.app, scheme="https")
    assert other.login().location == "/-/auth/second"


def test_a_wrong_code_shows_the_same_picture_again(strict: AuthSite, fresh: Visitor) -> None:
    fresh.login()
    page = fresh.get("/-/auth/enrol")
    again = fresh.fill(page, "/enrol", code="000000")
    assert (again.code, seed_in(again)) == (403, seed_in(page))
    assert SESSION not in fresh.cookies
    assert not strict.account().has_second_factor


def test_a_seed_of_somebody_s_own_is_not_taken(strict: AuthSite, fresh: Visitor) -> None:
    eve = strict.add("eve")
    fresh.login()
    page = fresh.get("/-/auth/enrol")
    vault = strict.authority.vault
    for sealed in (
        totp.seed_text(SEED),
        vault.seal_text("new totp seed", f"{strict.clock()} {totp.seed_text(SEED)}", eve.id),
        vault.seal_text("totp seed", f"{strict.clock()} {totp.seed_text(SEED)}", strict.account().id),
        vault.seal_text("new totp seed", f"{strict.clock() - 1801} {totp.seed_text(SEED)}", strict.account().id),
    ):
        reply = fresh.fill(page, "/enrol", seed=sealed, code=code_of(strict))
        assert reply.code == 303
    assert not strict.account().has_second_factor


def test_a_passkey_can_be_set_up_instead(strict: AuthSite, fresh: Visitor) -> None:
    fresh.login()
    page = fresh.get("/-/auth/enrol")
    answer = SoftAuthenticator().create(options_of(fresh, page, "create"))
    done = fresh.fill(page, "/enrol/passkey", credential=answer)
    assert len(codes_in(done)) == 10
    assert fresh.get("/wall").code == 200


def test_who_has_just_set_one_up_is_who_it_was(strict: AuthSite, fresh: Visitor) -> None:
    fresh.login()
    page = fresh.get("/-/auth/enrol")
    strict.users.disable(strict.account().id)
    code = totp.code_at(seed_in(page), totp.step_at(strict.clock()))
    assert "/-/auth/login" in fresh.fill(page, "/enrol", code=code).location
    assert SESSION not in fresh.cookies


@pytest.mark.parametrize("subject", ["role", "group"])
def test_roles_and_groups_may_need_one(subject: str, strict: AuthSite) -> None:
    strict.add("ann")
    visitor = Visitor(strict.app, scheme="https")
    assert visitor.login("ann").location == "/wall"
    if subject == "role":
        strict.users.grant("user:ann", "admin")
    else:
        strict.users.create_group("staff")
        strict.users.add_member("staff", "user:ann")
    assert Visitor(strict.app, scheme="https").login("ann").location == "/-/auth/enrol"


def test_everybody_may_need_one(make_site: Callable[..., AuthSite]) -> None:
    site = make_site(mfa={"totp": "required"})
    site.add()
    assert Visitor(site.app).login().location == "/-/auth/enrol"


def test_who_has_an_app_is_asked_where_it_is_not_offered_any_more(make_site: Callable[..., AuthSite]) -> None:
    site = make_site(mfa={"totp": "off"})
    app_of(site, site.add())
    visitor = Visitor(site.app)
    assert visitor.login().location == "/-/auth/second"
    assert visitor.fill(visitor.get("/-/auth/second"), "/second", code=code_of(site)).location == "/wall"
    assert visitor.get("/-/auth/account/totp").code == 404


# While a session lasts


def test_who_comes_to_need_one_is_asked_at_once(strict: AuthSite) -> None:
    strict.add("ann")
    visitor = Visitor(strict.app, scheme="https")
    visitor.login("ann")
    assert visitor.get("/wall").code == 200
    strict.users.grant("user:ann", "admin")
    sent = visitor.get("/wall?page=2")
    assert sent.location == "/-/auth/second?next=%2Fwall%3Fpage%3D2"
    told = visitor.get("/wall", HTTP_SEC_FETCH_MODE="cors")
    assert (told.code, "A second factor has to be shown first." in told.text) == (401, True)
    assert "nobody" in visitor.get("/public").text
    page = visitor.follow(sent)
    code = totp.code_at(seed_in(page), totp.step_at(strict.clock()))
    assert 'href="/wall?page=2"' in visitor.fill(page, "/enrol", code=code).text
    assert "ann" in visitor.get("/wall").text


@pytest.mark.parametrize("page", ["account", "account/password", "account/tokens", "account/devices", "password"])
def test_until_then_no_page_of_the_account_opens(page: str, site: AuthSite, visitor: Visitor) -> None:
    visitor.login()
    assert visitor.get(f"/-/auth/{page}").code == 200
    app_of(site, site.account())
    assert visitor.get(f"/-/auth/{page}").location.startswith("/-/auth/second?next=%2F-%2Fauth%2F")
    visitor.fill(visitor.get("/-/auth/second"), "/second", code=code_of(site))
    assert visitor.get(f"/-/auth/{page}").code == 200


def test_a_session_that_is_not_fresh_says_who_it_is_before_it_sets_one_up(strict: AuthSite) -> None:
    strict.add("ann")
    visitor = Visitor(strict.app, scheme="https")
    visitor.login("ann")
    strict.users.grant("user:ann", "admin")
    move(strict, 601)
    asked = visitor.follow(visitor.get("/wall"))
    page = visitor.follow(visitor.fill(asked, "/confirm", password=PASSWORD))
    code = totp.code_at(seed_in(page), totp.step_at(strict.clock()))
    assert 'href="/wall"' in visitor.fill(page, "/enrol", code=code).text
    assert "ann" in visitor.get("/wall").text


def test_the_second_factor_comes_before_a_new_password(strict: AuthSite) -> None:
    strict.add("ann", must_change=True)
    visitor = Visitor(strict.app, scheme="https")
    assert visitor.login("ann").location == "/-/auth/password?next=%2Fwall"
    strict.users.grant("user:ann", "admin")
    assert visitor.get("/wall").location == "/-/auth/second?next=%2Fwall"
    page = visitor.follow(visitor.get("/-/auth/password?next=/wall"))
    code = totp.code_at(seed_in(page), totp.step_at(strict.clock()))
    assert 'href="/-/auth/password?next=%2Fwall"' in visitor.fill(page, "/enrol", code=code).text
    assert visitor.get("/wall").location == "/-/auth/password?next=%2Fwall"
    assert visitor.get("/-/auth/password?next=/wall").code == 200


@pytest.mark.parametrize(
    ("amr", "actor", "opens"),
    [
        (("pwd",), None, False),
        (("federated",), None, False),
        (("federated", "mfa"), None, True),
        (("app",), None, True),
        (("pwd",), "local:support", True),
    ],
    ids=["password", "provider", "provider's second factor", "by the app", "support"],
)
def test_who_is_not_asked(amr: tuple[str, ...], actor: str | None, opens: bool, strict: AuthSite) -> None:
    visit = Visit(strict.authority, {"REQUEST_METHOD": "GET", "wsgi.url_scheme": "https", "REMOTE_ADDR": "192.0.2.7"})
    strict.authority.sessions.begin(visit, strict.account(), amr, actor=actor)
    visitor = Visitor(strict.app, scheme="https")
    for _, value in visit.headers:
        name, _, text = value.partition(";")[0].partition("=")
        visitor.cookies[name] = text
    assert (visitor.get("/wall").code == 200) is opens
    assert (visitor.get("/-/auth/account").code == 200) is opens


# Showing it once more


def signed_in(site: AuthSite, visitor: Visitor) -> None:
    visitor.login()
    visitor.fill(visitor.get("/-/auth/second"), "/second", code=code_of(site))


def test_a_session_of_one_factor_can_show_the_other_one_later(site: AuthSite, visitor: Visitor) -> None:
    visitor.login()
    before = visitor.cookies[SESSION]
    app_of(site, site.account())
    page = visitor.get("/-/auth/second?next=/wall")
    reply = visitor.fill(page, "/second", code=code_of(site))
    assert reply.location == "/wall"
    assert visitor.cookies[SESSION] != before
    assert visitor.get("/-/auth/second?next=/wall").location == "/wall"


@pytest.mark.parametrize("page", ["account/password", "account/security", "account/totp", "account/tokens"])
def test_what_is_important_asks_again_after_ten_minutes(
    page: str, recovery: str, site: AuthSite, visitor: Visitor
) -> None:
    signed_in(site, visitor)
    assert visitor.get(f"/-/auth/{page}").code == 200
    move(site, 601)
    sent = visitor.get(f"/-/auth/{page}")
    assert sent.location == f"/-/auth/confirm?next=%2F-%2Fauth%2F{page.replace('/', '%2F')}"
    asked = visitor.get(sent.location)
    before = visitor.cookies[SESSION]
    reply = visitor.fill(asked, "/confirm", password=PASSWORD, code=code_of(site))
    assert reply.location == f"/-/auth/{page}"
    assert visitor.cookies[SESSION] != before
    assert visitor.get(reply.location).code == 200


@pytest.mark.parametrize(
    "page",
    [
        "account/totp",
        "account/totp/remove",
        "account/codes",
        "account/passkeys",
        "account/passkeys/rename",
        "account/passkeys/remove",
        "account/password",
        "account/tokens",
        "account/tokens/revoke",
    ],
)
def test_no_form_does_it_either(page: str, recovery: str, site: AuthSite, visitor: Visitor) -> None:
    signed_in(site, visitor)
    move(site, 601)
    token = visitor.get("/-/auth/account").form("/logout")["token"]
    before = list(site.notes.events)
    fields = {"token": token, "name": "x", "scopes": "a", "id": "x", "label": "y", "current": PASSWORD}
    reply = visitor.post(f"/-/auth/{page}", fields)
    assert reply.location.startswith("/-/auth/confirm?next=")
    assert visitor.get(visitor.get(reply.location).form("/confirm")["next"]).code in (200, 303)
    assert site.notes.events == before


@pytest.mark.parametrize(
    ("password", "code"),
    [("wrong password", True), (PASSWORD, False), ("", True), ("wrong password", False)],
    ids=["code alone", "password alone", "nothing and code", "neither"],
)
def test_half_of_it_is_not_enough(password: str, code: bool, recovery: str, site: AuthSite, visitor: Visitor) -> None:
    signed_in(site, visitor)
    move(site, 601)
    page = visitor.get("/-/auth/confirm?next=/-/auth/account/tokens")
    reply = visitor.fill(page, "/confirm", password=password, code=code_of(site) if code else "000000")
    assert reply.code == 403
    assert visitor.get("/-/auth/account/tokens").code == 303


def test_a_passkey_is_enough(site: AuthSite, visitor: Visitor) -> None:
    device = passkey_of(site, site.account())
    visitor.login()
    page = visitor.get("/-/auth/second")
    visitor.fill(page, "/second/passkey", credential=device.get(options_of(visitor, page, "second")))
    move(site, 601)
    page = visitor.get("/-/auth/confirm?next=/-/auth/account/tokens")
    unverified = device.get(options_of(visitor, page, "confirm"), flags=PRESENT)
    assert visitor.fill(page, "/confirm/passkey", credential=unverified).code == 403
    answer = device.get(options_of(visitor, page, "confirm"))
    assert visitor.fill(page, "/confirm/passkey", credential=answer).location == "/-/auth/account/tokens"


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example", ""])
def test_it_leads_back_to_this_site(target: str, site: AuthSite, visitor: Visitor) -> None:
    visitor.login()
    page = visitor.get("/-/auth/confirm")
    reply = visitor.fill(page, "/confirm", password=PASSWORD, next=target)
    assert reply.location == "/-/auth/account"


def test_guesses_are_counted_here_too(site: AuthSite, visitor: Visitor) -> None:
    visitor.login()
    page = visitor.get("/-/auth/confirm")
    for number in range(6):
        visitor.fill(page, "/confirm", password=f"wrong {number}")
    assert visitor.fill(page, "/confirm", password=PASSWORD).code == 403
    assert "login.throttled" in site.notes.names
