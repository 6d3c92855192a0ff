"""Whoever has forgotten the password gets a link by mail, and nobody learns from it who has an account."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from auth_mail import HOME, MailingSite, link_in, path_of
from auth_pages import PASSWORD, SEED, Visitor
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mail_server import hang_up, peer

from wheatpaste.middleware.auth.account import Account
from wheatpaste.middleware.auth.directory import Directory
from wheatpaste.middleware.auth.mail.forgotten import MOST_LINKS, Asked, Forgotten
from wheatpaste.middleware.auth.pages.forgot import NO_NAME
from wheatpaste.middleware.auth.sources.options import UserOptions

NEW = "paper over the old one"


def set_password(visitor: Visitor, path: str, new: str = NEW) -> Any:
    page = visitor.get(path)
    return page if page.code != 200 else visitor.fill(page, path, new=new, again=new)


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
    assert browser.get(path).code == 200
    assert set_password(browser, path).code == 303
    other = site.visitor()
    assert other.login(password=PASSWORD).code == 403
    assert other.login(password=NEW).code == 303
    void = browser.get(path)
    assert void.code == 404
    assert 'href="/-/auth/forgot"' in void.text, "whoever is late can ask for another one there"
    assert 'href="/-/auth/forgot"' not in browser.get(path.replace("/reset/", "/invite/")).text
    site.settled()
    found = site.events("password.forgot", "mail.send", "password.reset")
    assert [(each["event"], each.get("kind")) for each in found] == [
        ("password.forgot", None),
        ("mail.send", "reset"),
        ("password.reset", None),
        ("mail.send", "notice"),
    ]


@pytest.mark.parametrize("typed", ["bob", "BOB", " bob ", "bob@example.org", "Bob@Example.ORG"])
def test_a_name_or_an_address_will_do(typed: str, site: MailingSite) -> None:
    site.forgets(typed)
    (message,) = site.server.wait_for(1)
    assert message["To"] == "bob@example.org"


def test_an_address_that_two_have_gets_a_mail_for_each(site: MailingSite) -> None:
    site.add("rob", email="bob@example.org")
    site.add("eve", email="bob@example.org", email_verified=False)
    site.forgets("bob@example.org")
    texts = "".join(each.get_content() for each in site.server.wait_for(2))
    site.settled()
    assert len(site.server.messages) == 2
    assert "account bob" in texts
    assert "account rob" in texts
    assert "eve" not in texts


def test_whoever_types_the_address_of_another_keeps_no_mail_from_them(site: MailingSite) -> None:
    for number in range(30):
        site.add(f"eve{number}", password=None, email="bob@example.org", email_verified=False)
    site.forgets("bob@example.org")
    (message,) = site.server.wait_for(1)
    assert "account bob." in message.get_content()
    site.settled()
    assert [each["name"] for each in site.events("password.forgot")] == ["bob"]


def test_it_speaks_the_language_of_the_browser(site: MailingSite) -> None:
    site.forgets("bob", language="de-AT, en;q=0.5")
    (message,) = site.server.wait_for(1)
    assert message["Subject"] == "Ein neues Passwort für Our wiki"
    assert message["Content-Language"] == "de"
    assert "brauchen Sie nichts zu tun" in message.get_content()
    assert message.defects == []


# Who learns nothing ---------------------------------------------------------------------------------------------------

PEOPLE = {
    "somebody with a confirmed address": "bob",
    "a confirmed address": "bob@example.org",
    "nobody": "nobody",
    "nobody's address": "nobody@example.org",
    "a disabled user": "gone",
    "a user without an address": "plain",
    "a user whose address nobody has confirmed": "typed",
    "an address that nobody has confirmed": "typed@example.org",
    "a user without a password": "invited",
    "another line": "bob\r\nBcc: eve@evil.example",
    "several addresses": "bob@example.org, eve@evil.example",
    "an address with a name": "Bob <bob@example.org>",
    "a very long name": "b" * 5000,
    "what is no text": "\0\ud7ff\u202e",
    "a piece of a statement": "' OR 1=1 --",
}


def populated(site: MailingSite) -> MailingSite:
    site.add("gone", disabled=True)
    site.add("plain", email="", email_verified=False)
    site.add("typed", email_verified=False)
    site.add("invited", password=None)
    return site


def told(reply: Any) -> tuple[Any, ...]:
    """All that an answer says, but for what is another each time."""
    text = re.sub(r'name="token" value="[^"]+"', "", reply.text)
    headers = [(name, re.sub(r"=[^;]{10,};", "=…;", value)) for name, value in reply.headers]
    return reply.status, headers, text


def test_everybody_is_told_the_same(site: MailingSite) -> None:
    populated(site)
    answers = {}
    for number, (who, typed) in enumerate(PEOPLE.items()):
        visitor = site.visitor(address=f"192.0.2.{number}")
        sent = visitor.fill(visitor.get("/-/auth/forgot"), "/forgot", username=typed)
        answers[who] = told(sent), told(visitor.follow(sent))
    assert len({repr(each) for each in answers.values()}) == 1, answers
    site.settled()
    assert [each["To"] for each in site.server.messages] == ["bob@example.org"] * 2
    reasons = {each["name"]: each.get("reason") for each in site.events("password.forgot")}
    assert reasons["gone"] == "disabled user"
    assert reasons["typed"] == "no confirmed address"
    assert reasons["invited"] == "no password"
    assert reasons["nobody"] == "unknown user"
    assert reasons["bob"] is None


class Slow:
    """A source of users that answers when it is let."""

    name = "local"
    keeps_hashes = True

    def __init__(self) -> None:
        self.free = threading.Event()
        self.asked: list[int] = []

    def find(self, name: str) -> Account | None:
        self.asked.append(threading.get_ident())
        self.free.wait(10)
        return None

    def get(self, account_id: str) -> Account | None:
        return None

    def password_hash(self, account: Account) -> str | None:
        return None

    def verify(self, account: Account, password: str) -> bool | None:
        return None

    def keep_hash(self, account: Account, encoded: str) -> bool:
        return False


def forgotten(site: MailingSite, source: Slow, most: int = 200) -> Forgotten:
    authority = site.authority
    assert authority.post is not None
    return Forgotten(
        directory=Directory([source]),
        users=authority.users,
        links=authority.links,
        outbox=authority.post.outbox,
        audit=authority.audit,
        store=authority.store,
        clock=site.clock,
        most=most,
    )


def test_whoever_asks_does_not_wait_for_anything_to_be_looked_up(site: MailingSite) -> None:
    source = Slow()
    it = forgotten(site, source)
    it.ask(Asked("bob", f"{HOME}/-/auth/reset", "en", site.clock()))  # it would hang here
    source.free.set()
    it.close()
    assert source.asked != [threading.get_ident()]
    assert len(source.asked) == 1


def test_no_more_than_a_few_wait_and_the_rest_is_written_down(site: MailingSite) -> None:
    source = Slow()
    it = forgotten(site, source, most=3)
    for number in range(8):
        it.ask(Asked(f"somebody {number}", f"{HOME}/-/auth/reset", "en", site.clock()))
    lost = [each["name"] for each in site.events("password.forgot")]
    source.free.set()
    it.close()
    assert set(lost) <= {f"somebody {number}" for number in range(3, 8)}
    assert len(lost) >= 4
    assert {each["reason"] for each in site.events("password.forgot")} == {"too many wait", "unknown user"}


def test_what_was_asked_for_long_ago_is_not_sent_any_more(site: MailingSite) -> None:
    source = Slow()
    source.free.set()
    it = forgotten(site, source)
    it.ask(Asked("bob", f"{HOME}/-/auth/reset", "en", site.clock() - 3600))
    it.close()
    assert source.asked == []
    assert [each["reason"] for each in site.events("password.forgot")] == ["too late"]


def test_many_who_ask_get_no_threads_of_their_own(site: MailingSite) -> None:
    before = threading.active_count()
    for number in range(20):
        site.forgets(["bob", "nobody"][number % 2], address=f"198.51.100.{number}")
    assert threading.active_count() <= before + 2


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(name=st.text(min_size=1, max_size=400).filter(str.strip))
def test_nothing_that_is_typed_makes_it_fail(name: str, site: MailingSite) -> None:
    site.clock.move(120)
    assert site.forgets(name).code == 303


def test_nothing_that_was_typed_is_said_to_be_so(site: MailingSite) -> None:
    reply = site.forgets("  ")
    assert reply.code == 422
    assert NO_NAME in reply.words


# What others can do with it -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "environ",
    [
        {"HTTP_HOST": "evil.example", "HTTP_ORIGIN": "https://evil.example"},
        {"HTTP_X_FORWARDED_HOST": "evil.example", "HTTP_FORWARDED": "host=evil.example"},
        {"SERVER_NAME": "evil.example", "HTTP_HOST": None, "HTTP_ORIGIN": "https://evil.example"},
    ],
    ids=["Host", "X-Forwarded-Host", "the server's name"],
)
def test_no_request_says_where_a_link_leads(environ: dict[str, Any], site: MailingSite) -> None:
    visitor = site.visitor()
    form = visitor.get("/-/auth/forgot").form("/forgot")
    visitor.post("/-/auth/forgot", {**form, "username": "bob"}, **environ)
    site.settled()
    for message in site.server.messages:
        assert link_in(message).startswith(f"{HOME}/-/auth/reset/")
        assert "evil" not in message.as_string()


def test_a_link_leads_to_where_the_site_is_mounted(site: MailingSite) -> None:
    visitor = site.visitor(mount="/wiki")
    visitor.fill(visitor.get("/wiki/-/auth/forgot"), "/forgot", username="bob")
    (message,) = site.server.wait_for(1)
    assert link_in(message).startswith(f"{HOME}/wiki/-/auth/reset/")


def test_nobody_is_buried_in_mails_and_nobody_kept_out(site: MailingSite) -> None:
    for number in range(10):
        site.forgets("bob", address=f"192.0.2.{number}")
        site.forgets("bob@example.org", address=f"198.51.100.{number}")
    site.settled()
    mails = site.server.messages
    assert len(mails) == MOST_LINKS
    # Each of them counts, however many were asked for after it.
    browser = site.visitor()
    assert {browser.get(path_of(link_in(each))).code for each in mails} == {200}
    site.clock.move(1801)
    site.forgets("bob")
    site.settled()
    assert len(site.server.messages) == MOST_LINKS + 1


def test_one_address_can_not_go_on_for_ever_whomever_it_names(site: MailingSite) -> None:
    statuses = [site.forgets(name).code for name in ["nobody", "bob"] * 20]
    assert statuses == [303] * 30 + [429] * 10
    visitor = site.visitor()
    reply = visitor.fill(visitor.get("/-/auth/forgot"), "/forgot", username="x")
    assert int(reply.header("Retry-After")) > 0
    assert site.forgets("bob", address="203.0.113.9").code == 303


def test_whoever_asks_for_others_slows_no_login_of_theirs(site: MailingSite) -> None:
    for _ in range(25):
        site.forgets("bob", address="203.0.113.9")
    assert site.visitor().login().code == 303


def test_nobody_can_void_what_an_operator_has_made(site: MailingSite) -> None:
    kim = site.add("kim", password=None)
    invite = site.authority.links.create("invite", kim.id)
    reset = site.authority.links.create("reset", site.account().id)
    for name in ("kim", "bob"):
        site.forgets(name)
    site.settled()
    assert len(site.server.messages) == 1
    browser = site.visitor()
    assert browser.get(f"/-/auth/invite/{invite}").code == 200
    assert browser.get(f"/-/auth/reset/{reset}").code == 200


def test_no_other_site_can_send_the_form(site: MailingSite) -> None:
    visitor = site.visitor()
    form = visitor.get("/-/auth/forgot").form("/forgot")
    foreign = {"HTTP_SEC_FETCH_SITE": "cross-site", "HTTP_ORIGIN": "https://evil.example"}
    assert visitor.post("/-/auth/forgot", {**form, "username": "bob"}, **foreign).code == 403
    assert visitor.post("/-/auth/forgot", {"username": "bob"}).code == 403
    site.settled()
    assert site.server.messages == []


# What becomes of the link ---------------------------------------------------------------------------------------------


def asked_link(site: MailingSite, name: str = "bob") -> str:
    number = len(site.server.messages)
    site.forgets(name)
    return path_of(link_in(site.server.wait_for(number + 1)[-1]))


def test_of_two_who_open_it_at_once_one_sets_the_password(site: MailingSite) -> None:
    path = asked_link(site)
    visitors = [site.visitor(address=f"192.0.2.{number}") for number in range(4)]
    pages = [each.get(path) for each in visitors]
    passwords = [f"{NEW} {number}" for number in range(4)]

    def use(number: int) -> int:
        new = passwords[number]
        return int(visitors[number].fill(pages[number], path, new=new, again=new).code)

    with ThreadPoolExecutor(4) as pool:
        codes = list(pool.map(use, range(4)))
    assert sorted(codes) == [303, 404, 404, 404]
    winner = passwords[codes.index(303)]
    assert [site.visitor().login(password=each).code == 303 for each in passwords].count(True) == 1
    assert site.visitor(address="192.0.2.99").login(password=winner).code == 303


def change_password(site: MailingSite) -> None:
    visitor = site.visitor()
    visitor.login()
    page = visitor.get("/-/auth/account/password")
    assert visitor.fill(page, "/password", current=PASSWORD, new=NEW, again=NEW).code == 303


def set_without_a_page(site: MailingSite) -> None:
    site.clock.move(1)
    site.authority.users.set_password(site.account().id, site.authority.passwords.hasher.hash(NEW))


VOIDED: dict[str, Callable[[MailingSite], object]] = {
    "the password was changed": change_password,
    "an app has set another password": set_without_a_page,
    "the user was disabled": lambda site: site.authority.users.disable(site.account().id),
    "the user is gone": lambda site: site.authority.users.delete(site.account().id),
    "the address is another": lambda site: site.authority.users.set_email(site.account().id, "b@example.org", True),
    "the address is not known to be theirs": lambda site: site.authority.users.set_email(
        site.account().id, "bob@example.org", False
    ),
    "half an hour has gone by": lambda site: site.clock.move(1801),
}


@pytest.mark.parametrize("change", VOIDED.values(), ids=VOIDED)
def test_it_is_void_once(change: Callable[[MailingSite], object], site: MailingSite) -> None:
    path = asked_link(site)
    open_already = site.visitor()
    page = open_already.get(path)
    assert page.code == 200
    change(site)
    assert site.visitor().get(path).code == 404
    assert open_already.fill(page, path, new="a third one for bob", again="a third one for bob").code == 404


def test_it_skips_no_second_factor_and_ends_what_has_begun(site: MailingSite) -> None:
    bob = site.account()
    device = site.visitor()
    device.login()
    assert "bob" in device.get("/wall").text
    site.authority.factors.totp.put(bob.id, SEED)
    site.authority.factors.note(bob.id)
    path = asked_link(site)
    browser = site.visitor()
    reply = set_password(browser, path)
    assert (reply.code, reply.location) == (303, "/-/auth/second")
    assert "bob" not in browser.get("/wall").text
    assert "bob" not in device.get("/wall").text


def test_the_page_of_a_link_tells_nobody_its_address(site: MailingSite) -> None:
    reply = site.visitor().get(asked_link(site))
    assert reply.header("Referrer-Policy") == "strict-origin"
    assert "no-store" in reply.header("Cache-Control")


# When the mail server does not do its part ----------------------------------------------------------------------------


def test_nobody_notices_a_mail_server_that_hangs_up(
    make_site: Callable[..., MailingSite], caplog: pytest.LogCaptureFixture
) -> None:
    with peer(hang_up) as port:
        site = make_site(port=port)
        site.add("bob")
        assert site.forgets("bob").code == 303
        site.settled()
    (failed,) = site.events("mail.fail")
    assert (failed["kind"], failed["name"]) == ("reset", "bob")
    assert "they cannot be sent" in caplog.text
    assert re.search(r"[A-Za-z0-9_-]{43}", caplog.text) is None


def test_a_server_that_quotes_the_link_does_not_get_it_into_the_logs(
    make_site: Callable[..., MailingSite], caplog: pytest.LogCaptureFixture
) -> None:
    quoted = f"554 5.7.1 unwanted: {HOME}/-/auth/reset/{'aB3_-' * 8}xyz"
    site = make_site(refuse=lambda command, argument: quoted if command == "DATA" else None)
    site.add("bob")
    assert site.forgets("bob").code == 303
    site.settled()
    (failed,) = site.events("mail.fail")
    assert failed["reason"].startswith("554 5.7.1 unwanted")
    assert "aB3_-aB3" not in caplog.text + str(site.events())
    assert "one was refused" in caplog.text


def test_a_mail_that_is_not_taken_yet_keeps_no_other_waiting(make_site: Callable[..., MailingSite]) -> None:
    site = make_site(
        refuse=lambda command, argument: "451 come again" if command == "RCPT" and "bob" in argument else None
    )
    site.add("bob")
    site.add("kim")
    site.forgets("bob")
    site.forgets("kim")
    (message,) = site.server.wait_for(1)
    assert message["To"] == "kim@example.org"
    assert [each["reason"] for each in site.events("mail.fail")] == ["451 come again"]


def test_what_waits_is_sent_before_a_site_ends(make_site: Callable[..., MailingSite]) -> None:
    slow = threading.Event()

    def take_its_time(command: str, argument: str) -> None:
        slow.wait(0.5)

    site = make_site(refuse=take_its_time)
    site.add("bob")
    site.forgets("bob")
    site.close()
    assert len(site.server.messages) == 1


# Where there is no such page ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("site", "parts"),
    [
        ({"login": ("passkey",)}, {}),
        ({}, {"users": UserOptions(source=("htpasswd",), htpasswd="/dev/null")}),
    ],
    ids=["nobody signs in by a password", "no users of its own"],
)
def test_it_is_not_offered_where(site: Any, parts: Any, make_site: Callable[..., MailingSite]) -> None:
    made = make_site(site=site, **parts)
    visitor = made.visitor()
    assert "forgot" not in visitor.get("/-/auth/login").text
    assert visitor.get("/-/auth/forgot").code == 404
