"""The method ``tkt``: tickets exchanged for sessions, shared with other programs, and refused."""

from base64 import b64encode
from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from auth_browser import Browser, Notes, People, account, authority

from wheatpaste.middleware.auth.identity import Identity
from wheatpaste.middleware.auth.method import Failed
from wheatpaste.middleware.auth.methods.tkt import Tkt, TktOptions, last_day, offer
from wheatpaste.middleware.auth.sessions.sessions import Sessions
from wheatpaste.middleware.auth.tkt import Ticket, read_ticket, write_ticket
from wheatpaste.middleware.storage.memory import MemoryStore
from wheatpaste.middleware.storage.store import StoreError

SECRET = "q8JvN2xR7tLw0pKs4YbHd6ZfCm3GaXe9"
COOKIE = "__Host-wheatpaste.session"


class World:
    def __init__(self, clock, **options):
        self.clock = clock
        self.people = People(account("bob", roles=frozenset({"staff"})), account("eve"))
        self.audit = Notes()
        store = MemoryStore(clock.time)
        self.authority = authority(clock.time, store=store, people=self.people, audit=self.audit)
        self.sessions = self.authority.sessions = Sessions(
            store, self.authority.vault, self.people, None, clock.time, self.audit
        )
        self.options = TktOptions(**{"secret": SECRET, **options})
        self.tkt = Tkt(self.options, store, self.people, clock.time)
        self.sessions.ending.append(self.tkt.withdraw)

    def ticket(self, user="bob", age=0, tokens=(), data="", address="0.0.0.0", secret=None):
        ticket = Ticket(user, int(self.clock.time()) - age, tokens, data)
        return write_ticket(secret or self.options.secret, ticket, self.options.digest, address)

    def browser(self, text=None, **how):
        made = Browser(self.authority, **how)
        if text is not None:
            made.cookies["auth_tkt"] = text
        return made

    def ask(self, browser, **request):
        """What a request comes to: by the session, or by a ticket."""
        visit = browser.visit(**request)
        found = self.sessions.identify(visit)
        if not isinstance(found, Identity):
            found = self.tkt.identify(visit)
        visit.identity = found if isinstance(found, Identity) else None
        self.tkt.enter(visit)
        browser.keep(visit)
        return found

    def reason(self, browser):
        found = self.ask(browser)
        return found.reason if isinstance(found, Failed) else found


@pytest.fixture
def world(clock):
    return World(clock)


def test_a_ticket_is_exchanged_for_a_session(world):
    browser = world.browser(world.ticket(age=600, tokens=("editor",), data="hi=1"))
    found = world.ask(browser)
    assert (found.id, found.method, found.auth_time) == ("local:bob", "tkt", world.clock.time() - 600)
    assert list(browser.cookies) == [COOKIE]
    found = world.ask(browser)
    assert (found.id, found.method, found.amr) == ("local:bob", "session", ("tkt",))
    assert found.auth_time == world.clock.time() - 600
    assert found.claims == {"tokens": ["editor"], "userdata": "hi=1"}
    assert [(event, who) for event, who, _ in world.audit.events] == [("login.ok", "local:bob")]


def test_the_old_cookie_goes_wherever_it_was_set(world):
    visit = world.browser(world.ticket()).visit()
    world.tkt.identify(visit)
    dropped = {value for name, value in visit.headers if value.startswith("auth_tkt=")}
    assert dropped == {
        "auth_tkt=; Path=/; Max-Age=0",
        "auth_tkt=; Path=/; Max-Age=0; Domain=wiki.example.org",
        "auth_tkt=; Path=/; Max-Age=0; Domain=example.org",
    }


def test_a_ticket_is_exchanged_once(world, clock):
    text = world.ticket()
    first, beside, thief = (world.browser(text) for _ in range(3))
    assert isinstance(world.ask(first), Identity)
    assert isinstance(world.ask(beside), Identity)
    assert COOKIE not in beside.cookies
    clock.advance(61)
    for form in (text, f'"{text}"', b64encode(text.encode()).decode(), text.replace("bob!", f"{quote('b')}%6Fb!")):
        thief.cookies["auth_tkt"] = form
        assert world.reason(thief) == "ticket used again"
    assert isinstance(world.ask(first), Identity)


def test_a_ticket_is_dead_after_the_logout(world, clock):
    text = world.ticket()
    browser = world.browser(text)
    world.ask(browser)
    clock.advance(61)
    visit = browser.visit()
    world.sessions.end(visit)
    browser.keep(visit)
    browser.cookies["auth_tkt"] = text
    assert world.reason(browser) == "ticket used again"


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({"age": 86400}, "ticket expired"),
        ({"age": -301}, "ticket expired"),
        ({"secret": "another"}, "ticket forged"),
        ({"address": "192.0.2.7"}, "ticket forged"),
        ({"user": "mallory"}, "user of the ticket gone or disabled"),
    ],
    ids=str,
)
def test_a_ticket_that_does_not_count_signs_nobody_in(world, told, reason):
    browser = world.browser(world.ticket(**told))
    assert world.reason(browser) == reason
    assert COOKIE not in browser.cookies


def test_a_disabled_user_has_no_tickets(world):
    world.people.change("local:bob", disabled=True)
    assert world.reason(world.browser(world.ticket())) == "user of the ticket gone or disabled"


def test_a_ticket_is_no_second_factor(world):
    world.people.change("local:bob", has_second_factor=True)
    browser = world.browser(world.ticket())
    assert world.reason(browser) == "a ticket is one factor"
    assert COOKIE not in browser.cookies


def test_a_store_that_is_down_lets_nobody_in(world):
    def fail(*args):
        raise StoreError("it is down")

    world.authority.store.add = fail
    with pytest.raises(StoreError):
        world.ask(world.browser(world.ticket()))


def test_md5_counts_until_a_day(clock):
    clock.advance(datetime(2027, 6, 30, 23, 0, tzinfo=UTC).timestamp() - clock.time())
    world = World(clock, secret="weak", digest="md5", legacy_tickets="accept-until 2027-06-30")
    assert isinstance(world.ask(world.browser(world.ticket())), Identity)
    clock.advance(3600)
    assert world.reason(world.browser(world.ticket("eve"))) == "tickets are not taken any more"


@pytest.mark.parametrize("text", ["", "2027-06-30", "accept-until", "accept-until never", "accept until 2027-06-30"])
def test_the_day_is_written_in_one_way(text):
    with pytest.raises(ValueError, match="accept-until 2027-06-30"):
        last_day(text)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"digest": "md5"}, "digest"),
        ({"secret": "weak"}, "secret"),
        ({"write": True, "exchange": False, "legacy_tickets": "accept-until 2027-06-30"}, "write"),
        ({"write": True}, "exchange"),
        ({"cookie": "a b"}, "cookie"),
        ({"domain": "org"}, "domain"),
        ({"domain": "example.org; Secure"}, "domain"),
        ({"legacy_tickets": "for ever"}, "legacy_tickets"),
        ({"timeout": 0}, "timeout"),
    ],
    ids=str,
)
def test_options_that_are_not_safe_are_refused(options, named):
    with pytest.raises(ValueError, match=f"TktOptions: {named}") as caught:
        TktOptions(**{"secret": SECRET, **options})
    assert SECRET not in str(caught.value)


def test_a_ticket_may_be_for_an_address(clock):
    world = World(clock, include_ip=True)
    text = world.ticket(address="192.0.2.7")
    assert world.reason(world.browser(text, address="192.0.2.8")) == "ticket forged"
    assert world.reason(world.browser(text, address="")) == "ticket for another address"
    assert isinstance(world.ask(world.browser(text, address="::ffff:192.0.2.7")), Identity)
    six = world.ticket("eve", address="2001:db8::1")
    assert isinstance(world.ask(world.browser(six, address="2001:db8:0::1")), Identity)


def test_of_several_tickets_the_good_one_counts(world):
    cookies = f"auth_tkt=; auth_tkt=x; auth_tkt={world.ticket(age=90000)}; auth_tkt={world.ticket()}"
    assert isinstance(world.ask(world.browser(), cookies=cookies), Identity)
    cookies = "; ".join(["auth_tkt=x"] * 5 + [f"auth_tkt={world.ticket()}"])
    assert world.reason(world.browser(None)) is None
    assert isinstance(world.ask(world.browser(), cookies=cookies), Failed)


def test_tickets_may_be_shared_with_other_programs(clock):
    world = World(clock, exchange=False)
    browser = world.browser(world.ticket(age=60, tokens=("editor",), data="x=1"))
    for _ in range(2):
        found = world.ask(browser)
        assert (found.name, found.method, found.auth_time) == ("bob", "tkt", clock.time() - 60)
        assert found.claims == {"tokens": ["editor"], "userdata": "x=1"}
    assert list(browser.cookies) == ["auth_tkt"]
    assert world.authority.store.keys("auth.tickets") == []


def signed_in(world, **how):
    browser = world.browser(**how)
    visit = browser.visit()
    world.sessions.begin(visit, world.people.accounts["local:bob"], ("pwd",))
    browser.keep(visit)
    return browser


def test_tickets_are_handed_out_to_who_is_signed_in(clock):
    world = World(clock, exchange=False, write=True, domain="example.org")
    browser = signed_in(world)
    visit = browser.visit()
    visit.identity = world.sessions.identify(visit)
    world.tkt.enter(visit)
    [(_, cookie)] = visit.headers
    assert cookie.endswith("; Path=/; HttpOnly; SameSite=Lax; Domain=example.org; Secure")
    browser.keep(visit)
    assert read_ticket(SECRET, browser.cookies["auth_tkt"]) == Ticket("bob", int(clock.time()), ("staff",))
    before = browser.cookies["auth_tkt"]
    world.ask(browser)
    assert browser.cookies["auth_tkt"] == before


def test_tickets_are_renewed_and_withdrawn(clock):
    world = World(clock, exchange=False, write=True, timeout=600)
    browser = signed_in(world)
    world.ask(browser)
    before = browser.cookies["auth_tkt"]
    clock.advance(301)
    world.ask(browser)
    assert read_ticket(SECRET, browser.cookies["auth_tkt"]).time == int(clock.time())
    assert browser.cookies["auth_tkt"] != before
    visit = browser.visit()
    world.sessions.end(visit)
    browser.keep(visit)
    assert browser.cookies == {}


def test_a_name_that_no_ticket_can_hold_still_signs_in(clock):
    world = World(clock, exchange=False, write=True)
    world.people.change("local:bob", name="bob!")
    browser = signed_in(world)
    assert world.ask(browser).name == "bob!"
    assert "auth_tkt" not in browser.cookies


def test_who_is_not_signed_in_keeps_no_ticket(clock):
    world = World(clock, exchange=False, write=True)
    browser = world.browser("x")
    world.ask(browser)
    assert browser.cookies == {}


# The functions of Paste


def test_an_app_signs_a_user_in_and_out(world):
    browser = world.browser()
    visit = browser.visit()
    offer(visit)
    assert visit.environ["paste.auth_tkt.set_user"]("BOB", tokens="editor, staff", user_data="x=1") is None
    browser.keep(visit)
    visit = browser.visit()
    visit.identity = found = world.sessions.identify(visit)
    assert (found.name, found.amr, found.claims["userdata"]) == ("bob", ("app",), "x=1")
    offer(visit)
    assert visit.environ["REMOTE_USER_TOKENS"] == "editor,staff"
    assert visit.environ["paste.auth_tkt.timestamp"] == int(world.clock.time())
    visit.environ["paste.auth_tkt.logout_user"]()
    browser.keep(visit)
    assert browser.cookies == {}
    assert world.ask(browser) is None


@pytest.mark.parametrize("user", ["mallory", "", "eve"])
def test_an_app_cannot_sign_in_whom_nobody_knows(world, user):
    world.people.change("local:eve", disabled=True)
    visit = world.browser().visit()
    offer(visit)
    with pytest.raises(LookupError):
        visit.environ["paste.auth_tkt.set_user"](user)
    assert visit.headers == []


def test_a_forged_time_is_taken_out(world):
    visit = world.browser().visit(**{"paste.auth_tkt.timestamp": 1})
    offer(visit)
    assert "paste.auth_tkt.timestamp" not in visit.environ
    assert "REMOTE_USER_TOKENS" not in visit.environ
    assert world.tkt.challenges(visit) == ()
