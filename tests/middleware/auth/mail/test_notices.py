"""What was changed of an account is told to its user by mail."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from auth_mail import MailingSite
from auth_pages import PASSWORD, Visitor

from wheatpaste.middleware.auth.factors import totp
from wheatpaste.middleware.auth.mail.notices import FACTORS, sentence_of

NEW = "paper over the old one"


def signed_in(site: MailingSite, **how: str) -> Visitor:
    visitor = site.visitor(**how)
    visitor.login()
    return visitor


def change_password(visitor: Visitor) -> None:
    page = visitor.get("/-/auth/account/password")
    assert visitor.fill(page, "/password", current=PASSWORD, new=NEW, again=NEW).code == 303


def test_a_new_password_is_told_with_where_it_was_set(site: MailingSite) -> None:
    change_password(signed_in(site))
    (message,) = site.server.wait_for(1)
    text = message.get_content()
    assert message["To"] == "bob@example.org"
    assert message["Subject"] == "Your account at Our wiki was changed"
    assert "The password of your account bob was changed." in text
    assert "When: 15 Jan 2027, 08:00 UTC" in text
    assert "From: 192.0.2.7 (Firefox on Linux)" in text
    assert re.findall(r"https?://\S+", text) == ["https://wiki.example.org/"]  # nothing that lets anybody in


def test_it_speaks_the_language_of_who_has_changed_it(site: MailingSite) -> None:
    change_password(signed_in(site, language="de"))
    (message,) = site.server.wait_for(1)
    assert "Das Passwort Ihres Kontos bob wurde geändert." in message.get_content()


def test_an_app_for_codes_is_told_when_it_comes_and_goes(site: MailingSite) -> None:
    visitor = signed_in(site)
    page = visitor.get("/-/auth/account/totp")
    seed = totp.read_seed(re.search(r"secret=([A-Z2-7]+)", page.text)[1])  # type: ignore[index]
    code = totp.code_at(seed, totp.step_at(site.clock()))
    visitor.fill(page, "/totp", code=code)
    first = site.server.wait_for(1)[0].get_content()
    assert "An app for codes was added to your account bob." in first
    visitor.fill(visitor.get("/-/auth/account/security"), "/totp/remove")
    second = site.server.wait_for(2)[1].get_content()
    assert "The app for codes was removed from your account bob." in second
    assert code not in first + second


def test_what_an_operator_changes_is_told(site: MailingSite) -> None:
    site.authority.audit.note("password.reset", None, site.account(), by="command line: root")
    (message,) = site.server.wait_for(1)
    text = message.get_content()
    assert "By: whoever looks after Our wiki" in text
    assert "root" not in text


@pytest.mark.parametrize(
    "known",
    [{"email": "", "email_verified": False}, {"email_verified": False}],
    ids=["no address", "an address that nobody has confirmed"],
)
def test_it_is_told_to_nobody_where_there_is(known: dict[str, object], make_site: Callable[..., MailingSite]) -> None:
    site = make_site()
    site.add("bob", **known)
    change_password(signed_in(site))
    site.settled()
    assert site.server.messages == []


def test_it_can_be_switched_off(make_site: Callable[..., MailingSite]) -> None:
    site = make_site(mail={"notices": False})
    site.add("bob")
    change_password(signed_in(site))
    site.settled()
    assert site.server.messages == []
    site.forgets("bob")
    site.server.wait_for(1)


def test_who_has_just_accepted_an_invitation_is_not_told_of_it(site: MailingSite) -> None:
    kim = site.add("kim", password=None)
    path = f"/-/auth/invite/{site.authority.links.create('invite', kim.id)}"
    visitor = site.visitor()
    assert visitor.fill(visitor.get(path), path, new=NEW, again=NEW).code == 303
    site.settled()
    assert site.server.messages == []


def test_a_template_that_cannot_be_used_is_no_error_of_a_page(
    tmp_path: Path, make_site: Callable[..., MailingSite], caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / "mail_notice.txt").write_text("{{ nothing.there }}")
    site = make_site(site={"templates": folder})
    site.add("bob")
    change_password(signed_in(site))
    site.settled()
    assert site.server.messages == []
    assert "mail_notice.txt cannot be used" in caplog.text
    assert [each["kind"] for each in site.events("mail.fail")] == ["notice"]


def test_a_mail_server_that_is_away_is_no_error_of_a_page(make_site: Callable[..., MailingSite]) -> None:
    site = make_site(port=1)
    site.add("bob")
    visitor = signed_in(site)
    change_password(visitor)
    assert visitor.get("/wall").code == 200


@pytest.mark.parametrize(
    ("event", "fields", "is_told"),
    [
        ("password.change", {}, True),
        ("password.reset", {"reason": "reset link"}, True),
        ("password.change", {"reason": "invite link"}, False),
        ("user.change", {"changed": "display email"}, True),
        ("user.change", {"changed": "display"}, False),
        ("user.change", {"done": "link made"}, False),
        ("identity.link", {"provider": "corp"}, True),
        ("login.ok", {}, False),
        ("mfa.fail", {"kind": "otp"}, False),
        ("mfa.remove", {"what": "all"}, True),
        *[(event, {"kind": kind}, True) for event, kind in FACTORS],
    ],
)
def test_it_tells_of(event: str, fields: dict[str, str], is_told: bool) -> None:
    assert (sentence_of(event, fields) is not None) is is_told
