"""Invitations and resets by links."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from auth_pages import PASSWORD, AuthSite, Clock, Reply, Visitor, app_of, code_of, codes_in
from soft_authenticator import PRESENT, SoftAuthenticator

NEW = "flour, water and a wide brush"
SESSION = "__Host-wheatpaste.session"


@pytest.fixture
def invited(site: AuthSite) -> str:
    """The page of an invitation for Jo, who has no password yet."""
    jo = site.add("jo", password=None, display="Jo March")
    return f"/-/auth/invite/{site.authority.links.create('invite', jo.id)}"


@pytest.fixture
def reset(site: AuthSite) -> str:
    """The page on which Bob can set a new password."""
    return f"/-/auth/reset/{site.authority.links.create('reset', site.account().id)}"


def test_an_invitation_leads_in(invited: str, site: AuthSite, visitor: Visitor) -> None:
    page = visitor.get(invited)
    assert "Welcome, Jo March" in page.words
    reply = visitor.post(invited, {**page.forms()[0], "new": NEW, "again": NEW})
    assert (reply.code, reply.location) == (303, "/")
    assert "jo" in visitor.get("/wall").words
    assert Visitor(site.app, scheme="https").login("jo", NEW).code == 303


def test_looking_does_not_use_it_up(invited: str, site: AuthSite, visitor: Visitor) -> None:
    for _ in range(3):
        Visitor(site.app, scheme="https").get(invited, HTTP_SEC_FETCH_SITE="cross-site")
        Visitor(site.app, scheme="https").send("HEAD", invited)
    page = visitor.get(invited)
    assert visitor.post(invited, {**page.forms()[0], "new": NEW, "again": NEW}).code == 303


def test_it_counts_once(invited: str, site: AuthSite, visitor: Visitor) -> None:
    page = visitor.get(invited)
    visitor.post(invited, {**page.forms()[0], "new": NEW, "again": NEW})
    other = Visitor(site.app, scheme="https")
    assert "not valid any more" in other.get(invited).words
    form = other.get("/-/auth/login").forms()[0]
    assert other.post(invited, {**form, "new": "another good password", "again": "another good password"}).code == 404
    assert Visitor(site.app, scheme="https").login("jo", NEW).code == 303


def test_of_many_who_send_it_at_once_one_gets_in(invited: str, site: AuthSite) -> None:
    visitors = [Visitor(site.app, scheme="https") for _ in range(8)]
    forms = [each.get(invited).forms()[0] for each in visitors]

    def send(number: int) -> int:
        password = f"{NEW} {number}"
        return visitors[number].post(invited, {**forms[number], "new": password, "again": password}).code

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(send, range(8))).count(303) == 1


@pytest.mark.parametrize(
    ("new", "again"), [("short", "short"), (NEW, NEW + "!"), ("qwertyuiop", "qwertyuiop"), ("", "")]
)
def test_a_password_that_is_refused_leaves_the_link(new: str, again: str, invited: str, visitor: Visitor) -> None:
    page = visitor.get(invited)
    reply = visitor.post(invited, {**page.forms()[0], "new": new, "again": again})
    assert reply.code == 422
    assert SESSION not in visitor.cookies
    assert visitor.post(invited, {**reply.forms()[0], "new": NEW, "again": NEW}).code == 303


def test_a_reset_does_not_skip_the_second_step(reset: str, site: AuthSite, visitor: Visitor) -> None:
    app_of(site, site.account())
    page = visitor.get(reset)
    reply = visitor.post(reset, {**page.forms()[0], "new": NEW, "again": NEW})
    assert reply.location == "/-/auth/second"
    assert SESSION not in visitor.cookies
    assert visitor.fill(visitor.get(reply.location), "/second", code=code_of(site)).location == "/"


def test_a_reset_ends_what_the_old_password_began(reset: str, site: AuthSite, visitor: Visitor) -> None:
    old = Visitor(site.app, scheme="https")
    old.login()
    page = visitor.get(reset)
    visitor.post(reset, {**page.forms()[0], "new": NEW, "again": NEW})
    assert old.get("/wall").code == 303
    assert Visitor(site.app, scheme="https").login("bob", PASSWORD).code == 403
    assert "password.reset" in site.notes.names
    assert NEW not in str(site.notes.events)


def test_it_is_too_old_after_half_an_hour(reset: str, site: AuthSite, visitor: Visitor) -> None:
    page = visitor.get(reset)
    assert isinstance(site.clock, Clock)
    site.clock.move(1801)
    assert visitor.get(reset).code == 404
    assert visitor.post(reset, {**page.forms()[0], "new": NEW, "again": NEW}).code == 404


def test_a_disabled_user_s_link_is_void(reset: str, site: AuthSite, visitor: Visitor) -> None:
    page = visitor.get(reset)
    site.users.disable(site.account().id)
    assert visitor.get(reset).code == 404
    assert visitor.post(reset, {**page.forms()[0], "new": NEW, "again": NEW}).code == 404


def test_nobody_is_told_its_address(reset: str, visitor: Visitor) -> None:
    reply = visitor.get(reset)
    assert reply.header("Referrer-Policy") == "strict-origin"
    assert reply.header("Cache-Control") == "no-store"
    assert "http" not in reply.text.replace("http-equiv", "")
    assert visitor.get("/-/auth/reset/" + "A" * 43).header("Referrer-Policy") == "strict-origin"


@pytest.mark.parametrize("token", ["", "x", "A" * 43, "A" * 5000, "..%2flogin", "%00", "\u00e4"])
def test_what_is_no_link_is_void(token: str, visitor: Visitor) -> None:
    assert visitor.get(f"/-/auth/invite/{token}").code == 404


def test_another_site_cannot_send_its_form(reset: str, visitor: Visitor) -> None:
    page = visitor.get(reset)
    fields = {**page.forms()[0], "new": NEW, "again": NEW}
    assert visitor.post(reset, fields, HTTP_SEC_FETCH_SITE="cross-site").code == 403
    assert visitor.post(reset, {**fields, "token": ""}).code == 403
    assert visitor.get(reset).code == 200


def test_one_kind_is_not_the_other(reset: str, visitor: Visitor) -> None:
    assert visitor.get(reset.replace("/reset/", "/invite/")).code == 404


# With a passkey


def asked(visitor: Visitor, page: Reply, link: str, purpose: str = "create") -> Reply:
    fields = {"token": page.forms()[0]["token"], "purpose": purpose, "link": link.rpartition("/")[2]}
    return visitor.post("/-/auth/passkey/options", fields, HTTP_SEC_FETCH_MODE="cors")


def test_an_invitation_can_be_accepted_with_a_passkey(invited: str, site: AuthSite, visitor: Visitor) -> None:
    page = visitor.get(invited)
    options = json.loads(asked(visitor, page, invited).text)
    assert options["user"]["name"] == "jo"
    device = SoftAuthenticator()
    form = {**page.forms()[0], "credential": device.create(options)}
    done = visitor.post(invited, form)
    assert len(codes_in(done)) == 10
    assert "jo" in visitor.get("/wall").words
    assert site.notes.events[-1] == ("login.ok", "jo", {"amr": "hwk user mfa"})
    assert Visitor(site.app, scheme="https").get(invited).code == 404


def test_a_passkey_that_is_refused_leaves_the_link(invited: str, site: AuthSite, visitor: Visitor) -> None:
    page = visitor.get(invited)
    options = json.loads(asked(visitor, page, invited).text)
    for answer in (SoftAuthenticator().create(options, flags=PRESENT), "{}", "x"):
        assert visitor.post(invited, {**page.forms()[0], "credential": answer}).code == 422
    assert SESSION not in visitor.cookies
    assert site.factors.of(site.account("jo").id).passkeys == ()
    assert visitor.get(invited).code == 200


def test_a_reset_is_no_way_to_a_passkey(reset: str, site: AuthSite, visitor: Visitor) -> None:
    page = visitor.get(reset)
    assert asked(visitor, page, reset).code == 403
    assert visitor.post(reset, {**page.forms()[0], "credential": "{}"}).code == 404
    assert visitor.get(reset).code == 200


def test_an_invitation_is_no_way_around_a_second_factor(invited: str, site: AuthSite, visitor: Visitor) -> None:
    page = visitor.get(invited)
    options = json.loads(asked(visitor, page, invited).text)
    app_of(site, site.account("jo"))
    assert asked(visitor, page, invited).code == 403
    assert "passkey" not in visitor.get(invited).words
    assert visitor.post(invited, {**page.forms()[0], "credential": SoftAuthenticator().create(options)}).code == 404
    assert SESSION not in visitor.cookies
    reply = visitor.post(invited, {**page.forms()[0], "new": NEW, "again": NEW})
    assert reply.location == "/-/auth/second"


@pytest.mark.parametrize("link", ["x", "A" * 43, "\0"])
def test_nobody_s_link_asks_for_nothing(link: str, visitor: Visitor) -> None:
    assert asked(visitor, visitor.get("/-/auth/login"), link).code == 403


def test_where_passkeys_are_all_there_is_no_password_is_asked_for(make_site: Callable[..., AuthSite]) -> None:
    site = make_site(site={"public_url": "https://wiki.example.org", "login": ("passkey",)})
    jo = site.add("jo", password=None)
    page = Visitor(site.app, scheme="https").get(f"/-/auth/invite/{site.authority.links.create('invite', jo.id)}")
    assert 'type="password"' not in page.text
    assert "Add a passkey, and you are in." in page.words
