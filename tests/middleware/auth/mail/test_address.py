"""A mail address counts once its user has opened the link that went there, and the one before is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from auth_mail import MailingSite, link_in, path_of
from auth_pages import Visitor

from wheatpaste.middleware.auth.mail.post import MOST_CONFIRMATIONS
from wheatpaste.middleware.auth.sources.options import UserOptions

NEW = "robert@example.net"


@pytest.fixture
def site(make_site: Callable[..., MailingSite]) -> MailingSite:
    made = make_site(users=UserOptions(editable=("display", "email")))
    made.add("bob")
    return made


def signed_in(site: MailingSite, name: str = "bob", **how: Any) -> Visitor:
    visitor = site.visitor(**how)
    visitor.login(name)
    return visitor


def ask(visitor: Visitor, email: str = NEW, **more: str) -> Any:
    page = visitor.get("/-/auth/account/profile")
    return visitor.fill(page, "/profile", email=email, **more)


def test_a_new_address_counts_once_its_link_was_opened(site: MailingSite) -> None:
    visitor = signed_in(site)
    reply = ask(visitor)
    assert reply.location == "/-/auth/account/profile?sent=1"
    words = visitor.follow(reply).words
    assert "A mail is on its way to the new address" in words
    assert f"{NEW} waits for you to open the link" in words
    (asked,) = site.server.wait_for(1)
    assert asked["To"] == NEW
    before = site.account()
    assert (before.email, before.email_verified) == ("bob@example.org", True)
    path = path_of(link_in(asked))
    page = visitor.get(path)
    assert page.code == 200
    assert NEW in page.words
    assert site.account().email == "bob@example.org"  # looking changes nothing
    assert visitor.fill(page, path).location == "/-/auth/account/profile?changed=1"
    after = site.account()
    assert (after.email, after.email_verified) == (NEW, True)
    told = site.server.wait_for(2)[-1]
    assert told["To"] == "bob@example.org"
    assert "mail address of your account bob was changed" in told.get_content()
    assert NEW not in told.as_string()
    assert visitor.get(path).code == 404
    assert [each["changed"] for each in site.events("user.change")] == ["email"]


def test_a_link_to_the_old_address_sets_no_password_any_more(site: MailingSite) -> None:
    site.forgets("bob")
    reset = path_of(link_in(site.server.wait_for(1)[0]))
    visitor = signed_in(site)
    ask(visitor)
    path = path_of(link_in(site.server.wait_for(2)[-1]))
    visitor.fill(visitor.get(path), path)
    assert site.visitor().get(reset).code == 404


def test_only_its_user_can_open_it(site: MailingSite) -> None:
    site.add("eve")
    ask(signed_in(site))
    path = path_of(link_in(site.server.wait_for(1)[0]))
    stranger = site.visitor()
    assert stranger.get(path).location.startswith("/-/auth/login?next=")
    eve = signed_in(site, "eve")
    assert eve.get(path).code == 404
    token = eve.get("/-/auth/logout").form("/logout")["token"]
    assert eve.post(path, {"token": token}).code == 404
    assert site.account().email == "bob@example.org"
    assert site.account("eve").email == "eve@example.org"
    bob = signed_in(site)
    assert bob.fill(bob.get(path), path).code == 303  # nobody has used it up


def test_a_further_address_voids_the_link_of_the_one_before(site: MailingSite) -> None:
    visitor = signed_in(site)
    ask(visitor)
    first = path_of(link_in(site.server.wait_for(1)[0]))
    ask(visitor, "third@example.org")
    site.server.wait_for(2)
    assert visitor.get(first).code == 404


def test_a_new_password_voids_it(site: MailingSite) -> None:
    ask(signed_in(site))
    path = path_of(link_in(site.server.wait_for(1)[0]))
    bob = site.account()
    reset = site.authority.links.create("reset", bob.id, voids="none")
    browser = site.visitor()
    page = browser.get(f"/-/auth/reset/{reset}")
    browser.fill(page, f"/reset/{reset}", new="another one for bob", again="another one for bob")
    visitor = site.visitor()
    visitor.login(password="another one for bob")
    assert visitor.get(path).code == 404


def test_an_address_that_was_typed_before_can_be_confirmed(site: MailingSite) -> None:
    site.add("kim", email_verified=False)
    visitor = signed_in(site, "kim")
    assert 'name="confirm"' in visitor.get("/-/auth/account/profile").text
    ask(visitor, "kim@example.org", confirm="1")
    page = visitor.get("/-/auth/account/profile")
    assert "kim@example.org waits" in page.words
    assert 'name="confirm"' in page.text, "a mail that was lost can be asked for again"
    message = site.server.wait_for(1)[0]
    path = path_of(link_in(message))
    visitor.fill(visitor.get(path), path)
    assert site.account("kim").email_verified
    site.settled()
    assert len(site.server.messages) == 1  # nothing was changed that anybody would have to be told


def test_saving_a_name_asks_for_nothing(site: MailingSite) -> None:
    site.add("kim", email_verified=False)
    visitor = signed_in(site, "kim")
    page = visitor.get("/-/auth/account/profile")
    assert visitor.fill(page, "/profile", display="Kim").location.endswith("changed=1")
    site.settled()
    assert site.server.messages == []
    assert site.account("kim").display == "Kim"


def test_an_address_can_be_taken_away_and_is_told(site: MailingSite) -> None:
    ask(signed_in(site), "")
    (message,) = site.server.wait_for(1)
    assert message["To"] == "bob@example.org"
    assert (site.account().email, site.account().email_verified) == ("", False)


def test_nobody_is_buried_in_mails_by_a_user(site: MailingSite) -> None:
    visitor = signed_in(site)
    replies = [ask(visitor, f"victim+{number}@example.net").code for number in range(MOST_CONFIRMATIONS + 2)]
    assert replies == [303] * MOST_CONFIRMATIONS + [422] * 2
    for name in ("eve", "mallory"):
        site.add(name)
        sent = [ask(signed_in(site, name), "victim@example.net").code for _ in range(2)]
        assert sent == ([303, 303] if name == "eve" else [303, 422])


def test_whoever_asks_for_confirmations_keeps_nobody_from_a_reset(site: MailingSite) -> None:
    site.add("eve")
    for _ in range(5):
        ask(signed_in(site, "eve"), "bob@example.org")
    number = MOST_CONFIRMATIONS
    site.forgets("bob")
    messages = site.server.wait_for(number + 1)
    assert "/reset/" in link_in(messages[-1])


@pytest.mark.parametrize(
    "address", ["a@b@c", "bob@example.org\r\nBcc: eve@evil.example", "Bob <b@example.org>", "a b@c"]
)
def test_what_is_no_address_gets_no_mail(address: str, site: MailingSite) -> None:
    assert ask(signed_in(site), address).code == 422
    site.settled()
    assert site.server.messages == []


def test_without_mails_it_stays_as_it_was(tmp_path: Any) -> None:
    from auth_pages import AuthSite

    site = AuthSite(editable=("email",))
    try:
        site.add("bob", email="bob@example.org")
        visitor = Visitor(site.app)
        visitor.login()
        page = visitor.get("/-/auth/account/profile")
        visitor.fill(page, "/profile", email=NEW)
        assert (site.account().email, site.account().email_verified) == (NEW, False)
        assert visitor.get("/-/auth/forgot").code == 404
    finally:
        site.close()
