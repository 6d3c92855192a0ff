"""Whoever has forgotten the password gets a link by mail, and nobody learns from it who has an account."""

from __future__ import annotations

import pytest
from auth_mail import MailingSite, link_in, path_of
from auth_pages import PASSWORD

NEW = "paper over the old one"


def test_a_link_comes_by_mail_and_sets_a_new_password(site: MailingSite) -> None:
    browser = site.visitor()
    login = browser.get("/-/auth/login")
    assert 'href="/-/auth/forgot"' in login.text
    reply = browser.fill(browser.get("/-/auth/forgot"), "/forgot", username="bob")
    assert (reply.code, reply.location) == (303, "/-/auth/forgot?asked=1")
    assert "a message is on its way" in browser.follow(reply).words
    (message,) = site.server.wait_for(1)
    assert message["To"] == "bob@example.org"
    assert message["From"] == "Our wiki <wiki@wiki.example.org>"
    assert message["Subject"] == "A new password for Our wiki"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"].endswith("@wiki.example.org>")
    assert message["Date"] is not None
    assert "192.0.2.7" in message.get_content()
    assert "Firefox on Linux" in message.get_content()
    path = path_of(link_in(message))
    page = browser.get(path)
    assert page.code == 200
    done = browser.fill(page, path, new=NEW, again=NEW)
    assert done.code == 303
    other = site.visitor()
    assert other.login(password=PASSWORD).code == 403
    assert other.login(password=NEW).code == 303
    assert browser.get(path).code == 404
    site.settled()
    assert [each["event"] for each in site.events("password.forgot", "mail.send", "password.reset")] == [
        "password.forgot",
        "mail.send",
        "password.reset",
    ]


@pytest.mark.parametrize("typed", ["bob", "BOB", " bob ", "bob@example.org", "Bob@Example.ORG"])
def test_a_name_or_an_address_will_do(typed: str, site: MailingSite) -> None:
    site.forgets(typed)
    (message,) = site.server.wait_for(1)
    assert message["To"] == "bob@example.org"
