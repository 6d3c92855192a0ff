"""What people do with their accounts: passwords, factors, devices, tokens."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from auth_pages import PASSWORD, AuthSite, Clock, Visitor, app_of, code_of, codes_in, options_of, passkey_of
from soft_authenticator import SoftAuthenticator

from wheatpaste.middleware.auth.factors import totp
from wheatpaste.middleware.auth.passwords.policy import Policy
from wheatpaste.middleware.auth.visit import Visit

NEW = "flour, water and a wide brush"
PAGES = ("account", "account/password", "account/security", "account/totp", "account/devices", "account/tokens")


@pytest.fixture
def bob(visitor: Visitor) -> Visitor:
    """Bob's browser."""
    visitor.login()
    return visitor


def shown(site: AuthSite, bob: Visitor) -> str:
    """Bob has an app, and has shown it; one of his recovery codes."""
    recovery = app_of(site, site.account())
    bob.fill(bob.get("/-/auth/second"), "/second", code=code_of(site))
    return recovery


def other(site: AuthSite, name: str = "bob", password: str = PASSWORD, **how: str) -> Visitor:
    """Another browser in which somebody is signed in."""
    made = Visitor(site.app, scheme="https", **how)
    made.login(name, password)
    return made


@pytest.mark.parametrize("page", PAGES)
def test_it_is_for_who_is_signed_in(page: str, visitor: Visitor) -> None:
    reply = visitor.get(f"/-/auth/{page}")
    assert reply.location == f"/-/auth/login?next=%2F-%2Fauth%2F{page.replace('/', '%2F')}"


@pytest.mark.parametrize("page", PAGES)
def test_it_says_whose_it_is(page: str, bob: Visitor) -> None:
    reply = bob.get(f"/-/auth/{page}")
    assert reply.code == 200
    assert f'href="/-/auth/{"account/security" if page == "account/totp" else page}" aria-current="page"' in reply.text


@pytest.mark.parametrize(
    "page",
    ["password", "totp", "totp/remove", "codes", "passkeys", "passkeys/rename", "passkeys/remove"]
    + ["devices/end", "tokens", "tokens/revoke"],
)
def test_looking_changes_nothing(page: str, site: AuthSite, bob: Visitor) -> None:
    shown(site, bob)
    before = (
        site.notes.events[:],
        site.factors.of(site.account().id),
        len(site.authority.tokens.of(site.account().id)),
    )
    bob.get(f"/-/auth/account/{page}?id=others&new=x&name=x&scopes=x")
    after = (site.notes.events[:], site.factors.of(site.account().id), len(site.authority.tokens.of(site.account().id)))
    assert before == after


def move(site: AuthSite, seconds: float) -> None:
    assert isinstance(site.clock, Clock)
    site.clock.move(seconds)


# Passwords


def test_the_overview_says_whether_there_is_a_password(site: AuthSite, bob: Visitor) -> None:
    assert "Change your password" in bob.get("/-/auth/account").text
    account = site.add("ann", password=None)
    device = passkey_of(site, account)
    ann = Visitor(site.app, scheme="https")
    page = ann.get("/-/auth/login")
    ann.fill(page, "/login/passkey", credential=device.get(options_of(ann, page, "login")))
    page = ann.get("/-/auth/account")
    assert "You have none. Set one" in page.text
    assert "Change your password" not in page.text


def test_a_new_password_needs_the_current_one(site: AuthSite, bob: Visitor) -> None:
    page = bob.get("/-/auth/account/password")
    reply = bob.fill(page, "/password", current="not this one", new=NEW, again=NEW)
    assert (reply.code, "The current password is wrong" in reply.words) == (422, True)
    assert bob.fill(page, "/password", current=PASSWORD, new=NEW, again=NEW).code == 303
    assert "password.change" in site.notes.names
    assert other(site, password=NEW).get("/wall").code == 200
    assert other(site, address="192.0.2.8").get("/wall").code == 303


def test_a_new_password_ends_all_other_sessions(site: AuthSite, bob: Visitor) -> None:
    elsewhere = other(site)
    before = dict(bob.cookies)
    bob.fill(bob.get("/-/auth/account/password"), "/password", current=PASSWORD, new=NEW, again=NEW)
    assert bob.get("/wall").code == 200
    assert elsewhere.get("/wall").code == 303
    thief = Visitor(site.app, scheme="https")
    thief.cookies = before
    # What was under way with the cookie before has half a minute, but nothing that is important.
    assert thief.get("/-/auth/account/tokens").code == 200
    move(site, 60)
    assert thief.get("/-/auth/account").code == 303


@pytest.mark.parametrize(
    ("new", "again", "complaint"),
    [
        ("short", "short", "Use at least 10 characters."),
        ("", "", "Use at least 10 characters."),
        (NEW, NEW + " ", "The two passwords are not the same."),
        (PASSWORD, PASSWORD, "This is the password that you have already."),
        ("password123", "password123", "among the first that are tried"),
        ("qwertyuiop", "qwertyuiop", "a row or a repetition"),
        ("bob@example.org", "bob@example.org", "little more than a name"),
        ("x" * 1200, "x" * 1200, "Use at most 1024 bytes."),
    ],
)
def test_a_new_password_is_looked_at(new: str, again: str, complaint: str, site: AuthSite, bob: Visitor) -> None:
    reply = bob.fill(bob.get("/-/auth/account/password"), "/password", current=PASSWORD, new=new, again=again)
    assert reply.code == 422
    assert complaint in reply.words
    assert site.notes.names.count("password.change") == 0


@pytest.mark.parametrize("new", [" with spaces around ", "p" * 72 + "q" * 8 + " more", "日本語のパスワードです、はい"])
def test_any_characters_are_fine(new: str, site: AuthSite, bob: Visitor) -> None:
    assert bob.fill(bob.get("/-/auth/account/password"), "/password", current=PASSWORD, new=new, again=new).code == 303
    assert other(site, password=new).get("/wall").code == 200


def test_it_complains_in_german(site: AuthSite) -> None:
    bob = other(site, language="de")
    reply = bob.fill(bob.get("/-/auth/account/password"), "/password", current=PASSWORD, new="kurz", again="kurz")
    assert "Nehmen Sie mindestens 10 Zeichen." in reply.words


def test_where_one_was_going_outlives_a_complaint(site: AuthSite, visitor: Visitor) -> None:
    site.add("kim", must_change=True)
    page = visitor.get(visitor.login("kim", target="/wall?page=2").location)
    again = visitor.fill(page, "/password", current=PASSWORD, new="short", again="short")
    assert visitor.fill(again, "/password", current=PASSWORD, new=NEW, again=NEW).location == "/wall?page=2"


@pytest.mark.parametrize(
    ("least", "advised", "has_app", "is_said"),
    [(10, 15, False, True), (10, 15, True, False), (20, 15, False, False)],
    ids=["more is better", "another factor helps as well", "more is asked for anyway"],
)
def test_a_longer_one_is_advised(least: int, advised: int, has_app: bool, is_said: bool, site: AuthSite) -> None:
    site.authority.passwords.policy = Policy(least, advised)
    if has_app:
        app_of(site, site.account())
    link = site.authority.links.create("reset", site.account().id)
    words = Visitor(site.app, scheme="https").get(f"/-/auth/reset/{link}").words
    assert (f"At least {least} characters" in words, f"With {advised} or more it is strong" in words) == (True, is_said)


def test_who_has_to_change_it_can_do_nothing_else(site: AuthSite, visitor: Visitor) -> None:
    site.add("kim", must_change=True)
    reply = visitor.login("kim")
    assert reply.location == "/-/auth/password?next=%2Fwall"
    assert visitor.get("/-/auth/account/tokens").location.startswith("/-/auth/password?")
    page = visitor.get(reply.location)
    assert "Choose a new password" in page.words
    done = visitor.fill(page, "/password", current=PASSWORD, new=NEW, again=NEW)
    assert done.location == "/wall"
    assert not site.account("kim").must_change_password
    assert visitor.get("/-/auth/account/tokens").code == 200


def test_tokens_can_be_ended_along_with_it(site: AuthSite, bob: Visitor) -> None:
    site.authority.tokens.create(site.account(), "script", ("a",), None)
    page = bob.get("/-/auth/account/password")
    bob.fill(page, "/password", current=PASSWORD, new=NEW, again=NEW, tokens="1")
    assert all(each.revoked for each in site.authority.tokens.of(site.account().id))


def test_links_are_void_after_it(site: AuthSite, bob: Visitor) -> None:
    token = site.authority.links.create("reset", site.account().id)
    bob.fill(bob.get("/-/auth/account/password"), "/password", current=PASSWORD, new=NEW, again=NEW)
    assert site.authority.links.peek("reset", token) is None


# Factors


def test_an_app_is_set_up_and_removed(site: AuthSite, bob: Visitor) -> None:
    page = bob.get("/-/auth/account/totp")
    secret = page.text.split('<p class="secret"><code>')[1].split("<")[0]
    code = totp.code_at(totp.read_seed(secret), totp.step_at(site.clock()))
    assert len(codes_in(bob.fill(page, "/totp", code=code))) == 10
    assert site.account().has_second_factor
    assert "10 of 10 are left." in bob.get("/-/auth/account/security").words
    bob.fill(bob.get("/-/auth/account/security"), "/totp/remove")
    assert not site.account().has_second_factor
    assert site.factors.recovery.left(site.account().id) == 0
    assert [name for name in site.notes.names if name.startswith("mfa.")] == ["mfa.add", "mfa.remove"]


def test_a_session_that_has_set_one_up_has_shown_two(site: AuthSite, bob: Visitor) -> None:
    page = bob.get("/-/auth/account/totp")
    secret = page.text.split('<p class="secret"><code>')[1].split("<")[0]
    before = dict(bob.cookies)
    bob.fill(page, "/totp", code=totp.code_at(totp.read_seed(secret), totp.step_at(site.clock())))
    assert bob.cookies != before
    assert bob.get("/-/auth/second?next=/wall").location == "/wall"


def test_new_recovery_codes_void_the_old_ones(site: AuthSite, bob: Visitor) -> None:
    old = shown(site, bob)
    codes = codes_in(bob.fill(bob.get("/-/auth/account/security"), "/codes"))
    assert len(codes) == 10
    assert not site.factors.recovery.use(site.account().id, old)


def test_recovery_codes_alone_are_not_to_be_had(site: AuthSite, bob: Visitor) -> None:
    token = bob.get("/-/auth/account").form("/logout")["token"]
    assert bob.post("/-/auth/account/codes", {"token": token}).code == 303
    assert site.factors.recovery.left(site.account().id) == 0


def test_a_passkey_is_added_renamed_and_removed(site: AuthSite, bob: Visitor) -> None:
    page = bob.get("/-/auth/account/security")
    answer = SoftAuthenticator().create(options_of(bob, page, "create"))
    done = bob.fill(page, "/passkeys", credential=answer, label="<Blue> key")
    assert len(codes_in(done)) == 10
    page = bob.get("/-/auth/account/security")
    assert "&lt;Blue&gt; key" in page.text
    bob.fill(page, "/rename", label="Red key")
    page = bob.get("/-/auth/account/security")
    assert "Red key" in page.words
    bob.fill(page, "/passkeys/remove")
    assert site.factors.of(site.account().id).passkeys == ()
    assert not site.account().has_second_factor


def test_the_only_way_in_stays(site: AuthSite, visitor: Visitor) -> None:
    account = site.add("ann", password=None)
    device = passkey_of(site, account)
    page = visitor.get("/-/auth/login")
    visitor.fill(page, "/login/passkey", credential=device.get(options_of(visitor, page, "login")))
    reply = visitor.fill(visitor.get("/-/auth/account/security"), "/passkeys/remove")
    assert "the only way into your account" in reply.words
    passkey_of(site, account)
    reply = visitor.fill(visitor.get("/-/auth/account/security"), "/passkeys/remove")
    assert reply.code == 303
    assert len(site.factors.of(account.id).passkeys) == 1


def test_another_user_s_passkey_stays(site: AuthSite, bob: Visitor) -> None:
    eve = site.add("eve")
    passkey_of(site, eve)
    (theirs,) = site.factors.of(eve.id).passkeys
    token = bob.get("/-/auth/account").form("/logout")["token"]
    bob.post("/-/auth/account/passkeys/remove", {"token": token, "id": theirs.id})
    bob.post("/-/auth/account/passkeys/rename", {"token": token, "id": theirs.id, "label": "mine"})
    assert site.factors.of(eve.id).passkeys == (theirs,)


# Devices


def test_devices_are_listed_and_signed_out(site: AuthSite, bob: Visitor) -> None:
    phone = other(site, address="198.51.100.23", agent="Mozilla/5.0 (iPhone) Safari/604.1")
    laptop = other(site)
    page = bob.get("/-/auth/account/devices")
    assert "198.51.100.23" in page.words
    assert page.words.count("This device") == 1
    (theirs,) = [each for each in site.authority.sessions.of(site.account().id) if each.address == "198.51.100.23"]
    token = page.form("/logout")["token"]
    bob.post("/-/auth/account/devices/end", {"token": token, "id": theirs.id})
    assert (phone.get("/wall").code, laptop.get("/wall").code, bob.get("/wall").code) == (303, 200, 200)
    bob.post("/-/auth/account/devices/end", {"token": token, "id": "others"})
    assert (laptop.get("/wall").code, bob.get("/wall").code) == (303, 200)


def test_nobody_ends_another_user_s_session(site: AuthSite, bob: Visitor) -> None:
    site.add("eve")
    eve = other(site, "eve")
    (theirs,) = site.authority.sessions.of(site.account("eve").id)
    token = bob.get("/-/auth/account").form("/logout")["token"]
    bob.post("/-/auth/account/devices/end", {"token": token, "id": theirs.id})
    assert eve.get("/wall").code == 200


def test_sessions_in_cookies_can_be_ended_together(make_site: Callable[..., AuthSite]) -> None:
    site = make_site(site={"public_url": "https://wiki.example.org"}, sessions={"mode": "cookie"})
    site.add()
    bob, elsewhere = other(site), other(site)
    page = bob.get("/-/auth/account/devices")
    assert "does not list devices" in page.words
    token = page.form("/logout")["token"]
    bob.post("/-/auth/account/devices/end", {"token": token, "id": "others"})
    assert elsewhere.get("/wall").code == 303
    assert bob.get("/wall").code == 200
    move(site, 601)
    assert bob.get("/-/auth/account/tokens").location.startswith("/-/auth/confirm")
    assert bob.post("/-/auth/account/devices/end", {"token": token, "id": "others"}).location.startswith(
        "/-/auth/confirm"
    )


@pytest.mark.parametrize("what", ["disable", "delete"])
def test_who_is_gone_is_out_at_once(what: str, site: AuthSite, bob: Visitor) -> None:
    getattr(site.users, what)(site.account().id)
    assert bob.get("/-/auth/account").location.startswith("/-/auth/login")


# Tokens


def test_a_token_is_made_shown_once_and_ended(site: AuthSite, bob: Visitor) -> None:
    page = bob.get("/-/auth/account/tokens")
    made = bob.fill(
        page, "/tokens", name="Backup <script>", scopes="pages:read files:*", days="30", networks="10.0.0.0/8"
    )
    text = made.text.split('<code id="made">')[1].split("<")[0]
    info = site.authority.tokens.find(text)
    assert info is not None
    assert (info.name, info.scopes, info.networks) == ("Backup <script>", ("pages:read", "files:*"), ("10.0.0.0/8",))
    assert info.expires == site.clock() + 30 * 86400
    again = bob.get("/-/auth/account/tokens")
    assert text not in again.text
    assert "Backup &lt;script&gt;" in again.text
    assert text not in str(site.notes.events)
    bob.fill(again, "/revoke")
    assert site.authority.tokens.find(text).complaint(site.clock()) == "token revoked"
    assert {"token.create", "token.revoke"} <= set(site.notes.names)


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "", "scopes": "a"},
        {"name": "x", "scopes": ""},
        {"name": "x", "scopes": 'a"b'},
        {"name": "x", "scopes": "a", "networks": "everywhere"},
        {"name": "x" * 101, "scopes": "a"},
    ],
)
def test_what_makes_no_token_is_explained(fields: dict[str, str], site: AuthSite, bob: Visitor) -> None:
    reply = bob.fill(bob.get("/-/auth/account/tokens"), "/tokens", **fields)
    assert reply.code == 422
    assert 'role="alert"' in reply.text
    assert site.authority.tokens.of(site.account().id) == []


def test_it_explains_it_in_german(site: AuthSite) -> None:
    bob = other(site, language="de")
    site.authority.tokens.scopes = ("pages:read",)
    page = bob.get("/-/auth/account/tokens")
    for fields, words in (
        ({"name": "", "scopes": "pages:read"}, "Geben Sie dem Token einen Namen"),
        ({"name": "x", "scopes": "admin"}, "Die Berechtigung admin gibt es nicht; es gibt: pages:read."),
        ({"name": "x", "scopes": "pages:read", "networks": "there"}, "'there' ist kein Netz wie 10.0.0.0/8."),
    ):
        assert words in bob.fill(page, "/tokens", **fields).words


@pytest.mark.parametrize(
    ("longest", "offered"),
    [(None, ["30", "90", "365", "never"]), (100, ["30", "90"]), (7, ["7"]), (0.5, ["0.5"])],
)
def test_a_token_lives_for_as_long_as_the_site_lets_it(
    longest: float | None, offered: list[str], site: AuthSite, bob: Visitor
) -> None:
    site.authority.tokens.longest = None if longest is None else longest * 86400
    page = bob.get("/-/auth/account/tokens")
    assert re.findall(r'<option value="([^"]+)"', page.text) == offered
    for days in offered:
        assert bob.fill(page, "/tokens", name="x", scopes="a", days=days).code == 200
    lives = {each.expires and each.expires - each.created for each in site.authority.tokens.of(site.account().id)}
    assert lives == {None if days == "never" else float(days) * 86400 for days in offered}


@pytest.mark.parametrize("days", ["", "0", "-1", "99999999999", "x", "1e9"])
def test_a_life_that_is_not_offered_is_ninety_days(days: str, site: AuthSite, bob: Visitor) -> None:
    bob.fill(bob.get("/-/auth/account/tokens"), "/tokens", name="x", scopes="a", days=days)
    (info,) = site.authority.tokens.of(site.account().id)
    assert info.expires == site.clock() + 90 * 86400


def test_nobody_ends_another_user_s_token(site: AuthSite, bob: Visitor) -> None:
    text, theirs = site.authority.tokens.create(site.add("eve"), "x", ("a",), None)
    token = bob.get("/-/auth/account").form("/logout")["token"]
    bob.post("/-/auth/account/tokens/revoke", {"token": token, "id": theirs.id})
    assert site.authority.tokens.find(text).revoked is None


def test_a_token_opens_no_page_of_the_account(site: AuthSite, visitor: Visitor) -> None:
    text, _ = site.authority.tokens.create(site.account(), "x", ("*",), None)
    reply = visitor.get("/-/auth/account", HTTP_AUTHORIZATION=f"Bearer {text}")
    assert reply.location.startswith("/-/auth/login")


# Support


def test_who_acts_in_the_name_of_a_user_changes_nothing(site: AuthSite, visitor: Visitor) -> None:
    visit = Visit(site.authority, {"REQUEST_METHOD": "GET", "wsgi.url_scheme": "https", "REMOTE_ADDR": "192.0.2.7"})
    site.authority.sessions.begin(visit, site.account(), ("pwd",), actor="local:support")
    for _, value in visit.headers:
        name, _, text = value.partition(";")[0].partition("=")
        visitor.cookies[name] = text
    assert visitor.get("/-/auth/account").code == 200
    for page in ("account/password", "account/security", "account/totp", "account/tokens"):
        assert visitor.get(f"/-/auth/{page}").code == 403
    token = visitor.get("/-/auth/account").form("/logout")["token"]
    for page in ("account/password", "account/totp/remove", "account/tokens", "account/devices/end"):
        assert visitor.post(f"/-/auth/{page}", {"token": token}).code == 403
    assert "/-/auth/login" in visitor.get("/-/auth/enrol").location


def test_a_step_back_in_the_clock_makes_nothing_fresh_for_ever(site: AuthSite, bob: Visitor) -> None:
    move(site, 601)
    app_of(site, site.account())
    assert bob.get("/-/auth/account/security").code == 303
    page = bob.get("/-/auth/confirm")
    assert bob.fill(page, "/confirm", password=PASSWORD, code=code_of(site)).code == 303
