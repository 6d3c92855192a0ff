"""Sessions: how they begin, last and end, and what becomes of cookies that were copied, planted or made up."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from auth_browser import People, account
from auth_sessions import COOKIE, World
from hypothesis import given, settings
from hypothesis import strategies as st

from wheatpaste.middleware.auth.key_file import new_key
from wheatpaste.middleware.auth.sessions.options import SessionOptions
from wheatpaste.middleware.auth.sessions.session import Session
from wheatpaste.middleware.auth.sessions.sessions import Sessions
from wheatpaste.middleware.auth.sessions.stored import SPACE
from wheatpaste.middleware.auth.sessions.token import LENGTH, Token, new_token, read_token
from wheatpaste.middleware.auth.vault import Vault
from wheatpaste.middleware.storage.memory import MemoryStore
from wheatpaste.middleware.storage.places import store_of
from wheatpaste.middleware.storage.store import StoreError


@pytest.fixture
def world(clock):
    return World(clock)


@pytest.fixture(params=["store", "cookie"])
def either(clock, request):
    return World(clock, mode=request.param)


def test_a_login_lasts(either):
    browser = either.browser()
    assert either.ask(browser) is None
    session = either.login(browser)
    found = either.ask(browser)
    assert (found.id, found.name, found.method, found.session) == ("local:bob", "bob", "session", session)
    assert (found.amr, found.auth_time) == (("pwd",), either.clock.time())
    assert found.account == either.people.accounts["local:bob"]


def test_the_account_is_the_one_of_now(either):
    browser = either.browser()
    either.login(browser)
    either.people.change("local:bob", roles=frozenset({"editor"}), display="Bob B.")
    assert either.ask(browser).roles == {"editor"}
    either.people.change("local:bob", roles=frozenset())
    assert either.ask(browser).roles == frozenset()


def test_the_cookie_can_be_read_by_nobody_but_the_site(either):
    browser = either.browser()
    visit = browser.visit()
    either.sessions.begin(visit, either.people.accounts["local:bob"], ("pwd",))
    [(_, cookie)] = visit.headers
    name, _, rest = cookie.partition("=")
    assert name == COOKIE
    assert rest.split("; ")[1:] == ["Path=/", "HttpOnly", "SameSite=Lax", "Secure"]
    assert len(cookie.split(";")[0]) < 4096


def test_over_plain_http_the_cookie_has_a_plain_name(world):
    browser = world.browser(scheme="http")
    world.login(browser)
    assert list(browser.cookies) == ["wheatpaste.session"]
    assert world.name(browser) == "bob"


def test_the_cookie_may_be_strict(clock):
    world = World(clock, same_site="strict", cookie="wiki")
    browser = world.browser()
    visit = browser.visit()
    world.sessions.begin(visit, account(), ())
    assert visit.headers[0][1].startswith("__Host-wiki=")
    assert "SameSite=Strict" in visit.headers[0][1]


def test_the_secret_is_nowhere_in_the_store(world):
    browser = world.browser()
    world.login(browser, data={"refresh": "refresh-token-of-a-provider", "claims": {"locale": "de"}})
    token = read_token(browser.cookies[COOKIE], world.vault)
    kept = b" ".join(
        world.store.get(space, key) for space in (SPACE, "auth.session.lists") for key in world.store.keys(space)
    )
    for secret in (browser.cookies[COOKIE], token.secret.hex(), "refresh-token"):
        assert secret.encode() not in kept
    assert token.digest.encode() in kept


def test_nothing_tells_a_secret_by_its_repr(world):
    browser = world.browser()
    world.login(browser, data={"refresh": "refresh-token-of-a-provider"})
    visit = browser.visit()
    found = world.sessions.identify(visit)
    token = read_token(browser.cookies[COOKIE], world.vault)
    shown = f"{found!r} {visit.session!r} {token!r} {world.sessions!r}"
    for secret in (browser.cookies[COOKIE], token.secret.hex(), repr(token.secret), "refresh-token"):
        assert secret not in shown


def test_tokens_are_long_and_never_the_same(world):
    tokens = {new_token() for _ in range(1000)}
    assert len({token.secret for token in tokens}) == 1000
    assert {len(token.secret) for token in tokens} == {32}
    assert len(new_token().text(world.vault)) == LENGTH


# Time


@pytest.mark.parametrize(("options", "remember"), [({}, False), ({"idle": 300}, False), ({}, True)])
def test_a_session_that_is_not_used_ends(clock, options, remember):
    world = World(clock, **options)
    idle = world.sessions.options.limits.idle[remember]
    browser = world.browser()
    world.login(browser, remember=remember)
    clock.advance(idle - 1)
    assert world.name(browser) == "bob"
    clock.advance(idle)
    assert world.reason(browser) == "session over"
    assert world.sessions.of("local:bob") == []


@pytest.mark.parametrize("mode", ["store", "cookie"])
def test_a_session_that_is_used_ends_after_a_day(clock, mode):
    world = World(clock, mode=mode)
    browser = world.browser()
    world.login(browser)
    for _ in range(23 * 6 + 5):
        clock.advance(600)
        assert world.name(browser) == "bob"
    clock.advance(600)
    assert world.reason(browser) == "session over"


def test_a_remembered_session_outlasts_the_window(world, clock):
    browser = world.browser()
    visit = browser.visit()
    world.sessions.begin(visit, account(), ("pwd",), remember=True)
    assert "Max-Age=2592000" in visit.headers[0][1]
    browser.keep(visit)
    for _ in range(29):
        clock.advance(86400)
        visit = browser.visit()
        assert world.sessions.identify(visit).name == "bob"
        browser.keep(visit)
    assert "Max-Age=86400" in visit.headers[0][1]
    clock.advance(86400)
    assert world.reason(browser) == "session over"


@pytest.mark.parametrize("options", [{"remember": 0}, {"mode": "cookie"}])
def test_nobody_is_remembered_where_that_is_not_offered(clock, options):
    world = World(clock, **options)
    browser = world.browser()
    visit = browser.visit()
    world.sessions.begin(visit, account(), ("pwd",), remember=True)
    assert not world.sessions.options.offers_remember
    assert "Max-Age" not in visit.headers[0][1]
    browser.keep(visit)
    clock.advance(3601)
    assert world.name(browser) is None


def test_a_session_may_be_given_less_time(world, clock):
    browser = world.browser()
    world.login(browser, actor="local:eve", seconds=1800)
    assert world.ask(browser).actor == "local:eve"
    clock.advance(1799)
    assert world.name(browser) == "bob"
    clock.advance(1)
    assert world.name(browser) is None


def test_shorter_times_hold_for_sessions_that_began_before(world, clock):
    browser = world.browser()
    world.login(browser)
    clock.advance(2000)
    assert world.name(browser) == "bob"
    world.sessions = world.made(idle=600, absolute=1200)
    assert world.name(browser) is None


class _FastClock:
    """A clock that can be set right."""

    def __init__(self, clock):
        self.clock = clock
        self.ahead = 7200.0

    def time(self):
        return self.clock.time() + self.ahead

    def advance(self, seconds):
        self.clock.advance(seconds)


def test_a_clock_that_was_wrong_makes_no_session_immortal(clock):
    clock = _FastClock(clock)
    world = World(clock)
    browser = world.browser()
    world.login(browser)
    clock.ahead = 0.0
    assert world.name(browser) == "bob"
    idle = browser.copy()
    clock.advance(3601)
    assert world.name(idle) is None
    world.login(browser)
    for _ in range(71):
        clock.advance(1200)
        assert world.name(browser) == "bob"
    clock.advance(1200)
    assert world.name(browser) is None


def test_most_requests_write_nothing(clock):
    class Counting(MemoryStore):
        writes = 0

        def swap(self, *args):
            self.writes += 1
            return super().swap(*args)

    store = Counting(clock.time)
    world = World(clock, store)
    browser = world.browser()
    world.login(browser)
    store.writes = 0
    for _ in range(59):
        clock.advance(1)
        assert world.name(browser) == "bob"
    assert store.writes == 0
    clock.advance(1)
    assert world.name(browser) == "bob"
    assert world.name(browser) == "bob"
    assert store.writes == 1
    assert world.sessions.of("local:bob")[0].seen == clock.time()


# Ends


def test_a_copied_cookie_is_dead_after_the_logout(world):
    browser = world.browser()
    world.login(browser)
    thief = browser.copy()
    visit = browser.visit()
    world.sessions.end(visit)
    browser.keep(visit)
    assert browser.cookies == {}
    assert world.name(thief) is None
    assert world.sessions.of("local:bob") == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param({"disabled": True}, "user disabled", id="disabled"),
        pytest.param({"epoch": 1}, "signed out everywhere", id="a new epoch"),
    ],
)
def test_what_becomes_of_the_account_counts_at_the_next_request(either, change, reason):
    browser = either.browser()
    either.login(browser)
    before = either.people.accounts["local:bob"]
    either.people.change("local:bob", **change)
    assert either.reason(browser) == reason
    if either.sessions.can_list:
        either.people.accounts["local:bob"] = before
        assert either.name(browser) is None


def test_who_is_deleted_is_out(either):
    browser = either.browser()
    either.login(browser)
    del either.people.accounts["local:bob"]
    assert either.reason(browser) == "user gone"


def test_sessions_are_listed_and_ended(world, clock):
    home, phone, work = world.browser(), world.browser(agent="Mozilla/5.0 (iPhone) Safari/604"), world.browser()
    world.login(home)
    clock.advance(100)
    world.login(phone, remember=True)
    clock.advance(1)
    current = world.login(work)
    world.login(world.browser(), "eve")
    clock.advance(100)
    world.name(home)
    found = world.sessions.of("local:bob", current)
    assert [(each.device, each.is_current, each.is_remembered) for each in found] == [
        ("Firefox on Linux", False, False),
        ("Firefox on Linux", True, False),
        ("Safari on iPhone", False, True),
    ]
    assert found[0].seen == clock.time()
    phones = next(each for each in found if each.is_remembered)
    assert (phones.address, phones.created) == ("192.0.2.7", clock.time() - 101)
    assert not world.sessions.end_one("local:eve", phones.id)
    assert world.sessions.end_one("local:bob", phones.id)
    assert not world.sessions.end_one("local:bob", phones.id)
    assert world.name(phone) is None
    assert world.sessions.end_all("local:bob", but=current) == 1
    assert (world.name(home), world.name(work)) == (None, "bob")
    assert world.sessions.end_all("local:bob") == 1
    assert world.name(work) is None
    assert len(world.sessions.of("local:eve")) == 1


def test_a_login_beyond_the_number_ends_the_oldest(clock):
    world = World(clock, max_sessions=2)
    browsers = [world.browser() for _ in range(4)]
    for browser in browsers:
        world.login(browser)
        clock.advance(1)
    assert [world.name(browser) for browser in browsers] == [None, None, "bob", "bob"]


def test_a_user_who_logs_in_without_end_fills_nothing(clock):
    world = World(clock)
    provider = {"issuer": "https://id.example.org", "sid": "", "subject": "bob"}
    browsers = [world.browser() for _ in range(210)]
    for browser in browsers:
        world.login(browser, data={"provider": provider})
        clock.advance(1)
    assert len(world.sessions.of("local:bob")) == len(world.store.keys(SPACE, limit=2000)) == 200
    assert len(world.sessions.end_by_provider(provider["issuer"], subject="bob")) == 200
    assert world.name(browsers[-1]) is None


def test_parallel_logins_keep_the_number(clock):
    world = World(clock, max_sessions=3)
    browsers = [world.browser() for _ in range(12)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(world.login, browsers))
    assert sum(world.name(browser) == "bob" for browser in browsers) == 3
    assert len(world.sessions.of("local:bob")) == 3


def test_a_provider_ends_what_it_vouched_for(world):
    issuer = "https://id.example.org"
    first, second, third, other = (world.browser() for _ in range(4))
    for browser, sid, subject in ((first, "s1", "bob"), (second, "s2", "bob"), (third, None, "eve")):
        world.login(browser, data={"provider": {"issuer": issuer, "sid": sid, "subject": subject}})
    world.login(other, data={"provider": {"issuer": "https://other.example", "sid": "s1", "subject": "bob"}})
    assert world.sessions.end_by_provider(issuer, sid="s3") == []
    assert world.sessions.end_by_provider(issuer, sid="s1", subject="eve") == []
    [ended] = world.sessions.end_by_provider(issuer, sid="s1", subject="bob")
    assert ended.account == "local:bob"
    assert [world.name(each) for each in (first, second, third, other)] == [None, "bob", "bob", "bob"]
    assert len(world.sessions.end_by_provider(issuer, subject="bob")) == 1
    assert [world.name(each) for each in (first, second, third, other)] == [None, None, "bob", "bob"]
    assert len(world.sessions.end_by_provider(issuer, subject="eve")) == 1
    assert len(world.sessions.of("local:bob")) == 1


def test_everywhere_is_everywhere_although_the_store_fails_in_the_middle(clock):
    class Failing(MemoryStore):
        broken = False

        def delete(self, space, key):
            if self.broken and space == SPACE:
                raise StoreError("the disk is full")
            return super().delete(space, key)

    store = Failing(clock.time)
    world = World(clock, store)
    browser = world.browser()
    world.login(browser)
    store.broken = True
    with pytest.raises(StoreError):
        world.sessions.end_all("local:bob")
    store.broken = False
    assert world.sessions.end_all("local:bob") == 1
    assert world.name(browser) is None


# Rotation, and what was stolen


def rotated(world, browser):
    """A browser whose cookie was just replaced, and one that still has the cookie before."""
    world.login(browser)
    world.clock.advance(901)
    before = browser.copy()
    assert world.name(browser) == "bob"
    assert browser.cookies != before.cookies
    return before


def test_the_secret_is_replaced_every_quarter_of_an_hour(world, clock):
    browser = world.browser()
    world.login(browser)
    cookies = set()
    for _ in range(60):
        clock.advance(59)
        assert world.name(browser) == "bob"
        cookies.add(browser.cookies[COOKIE])
    assert len(cookies) == 4


def test_requests_under_way_may_bring_the_secret_before(world, clock):
    browser = world.browser()
    before = rotated(world, browser)
    assert world.name(browser) == "bob"
    clock.advance(30)
    assert world.name(before) == "bob"
    assert world.name(browser) == "bob"


def test_a_secret_that_was_replaced_ends_the_session_for_all(world, clock):
    browser = world.browser()
    thief = rotated(world, browser)
    assert world.name(browser) == "bob"
    clock.advance(31)
    assert world.reason(thief) == "session reused"
    assert thief.cookies == {}
    assert world.name(browser) is None
    [(event, who, fields)] = world.audit.events
    assert (event, who, fields["reason"]) == ("session.revoke", "local:bob", "secret used again")
    assert world.sessions.of("local:bob") == []


def test_a_thief_that_was_first_is_found_out_by_the_owner(world, clock):
    browser = world.browser()
    world.login(browser)
    thief = browser.copy(address="198.51.100.9")
    clock.advance(901)
    assert world.name(thief) == "bob"
    assert world.name(thief) == "bob"
    clock.advance(31)
    assert world.name(browser) is None
    assert world.name(thief) is None
    assert world.audit.events[0][0] == "session.revoke"


def test_a_thief_in_step_with_the_owner_is_not_told_the_next_secret(world, clock):
    browser = world.browser()
    world.login(browser)
    thief = browser.copy(address="198.51.100.9")
    clock.advance(901)
    assert world.name(browser) == "bob"
    assert world.name(thief) == "bob"
    assert thief.cookies != browser.cookies
    clock.advance(31)
    assert world.name(thief) is None


def test_a_browser_that_missed_the_answer_is_told_again(world, clock):
    browser = world.browser()
    lost = rotated(world, browser)
    told = browser.cookies[COOKIE]
    clock.advance(1000)
    assert world.name(lost) == "bob"
    assert lost.cookies[COOKIE] == told
    assert world.name(lost) == "bob"
    assert world.audit.events == []


def test_who_was_told_late_is_not_told_yet_another_secret_at_once(world, clock):
    browser = world.browser()
    lost = rotated(world, browser)
    clock.advance(1000)
    beside = lost.copy()
    assert world.name(lost) == "bob"
    for _ in range(3):
        clock.advance(5)
        assert world.name(lost) == "bob"
    assert world.name(beside) == "bob"


def test_the_answer_is_told_again_after_a_rotation_of_keys(clock):
    old, new = new_key(), new_key()
    world = World(clock, vault=Vault([old]))
    browser = world.browser()
    lost = rotated(world, browser)
    world.sessions = world.made(vault=Vault([new, old]))
    assert world.name(lost) == "bob"
    assert read_token(lost.cookies[COOKIE], Vault([new])) is not None
    assert world.name(lost) == "bob"
    assert world.name(browser) == "bob"


def test_a_secret_two_rotations_old_ends_the_session(world, clock):
    browser = world.browser()
    oldest = rotated(world, browser)
    clock.advance(1)
    assert world.name(browser) == "bob"
    clock.advance(901)
    assert world.name(browser) == "bob"
    assert world.name(oldest) is None
    assert world.name(browser) is None


def test_who_knows_the_key_of_a_session_can_neither_use_nor_end_it(world):
    browser = world.browser()
    world.login(browser)
    token = read_token(browser.cookies[COOKIE], world.vault)
    forged = world.browser()
    for made in (
        Token(token.key, b"x" * 32).text(Vault.temporary()),
        browser.cookies[COOKIE][:-1] + ("a" if browser.cookies[COOKIE][-1] != "a" else "b"),
        browser.cookies[COOKIE].upper(),
        f"{browser.cookies[COOKIE][:-2]}  ",
    ):
        forged.cookies[COOKIE] = made
        assert world.ask(forged) is None
    assert world.name(browser) == "bob"


def test_parallel_requests_rotate_once(clock, tmp_path):
    world = World(clock, store_of(f"sqlite:///{tmp_path}/sessions.db", clock.time))
    browser = world.browser()
    world.login(browser)
    clock.advance(901)
    copies = [browser.copy() for _ in range(16)]
    barrier = threading.Barrier(8)

    def ask(copy):
        barrier.wait()
        return world.name(copy)

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(ask, copies)) == {"bob"}
    assert len({copy.cookies[COOKIE] for copy in copies} - {browser.cookies[COOKIE]}) == 1
    clock.advance(10)
    assert {world.name(copy) for copy in copies} == {"bob"}
    world.store.close()


def test_a_logout_is_not_undone_by_a_request_beside_it(clock):
    class Racing(MemoryStore):
        then = None

        def swap(self, *args):
            if self.then is not None:
                then, self.then = self.then, None
                then()
            return super().swap(*args)

    store = Racing(clock.time)
    world = World(clock, store)
    browser = world.browser()
    world.login(browser)
    other = browser.copy()
    clock.advance(901)
    store.then = lambda: world.sessions.end(other.visit())
    assert world.name(browser) is None
    assert world.store.keys(SPACE) == []


# Logins and step-up


def test_a_login_begins_a_session_of_its_own(either):
    browser = either.browser()
    either.login(browser, "eve")
    planted = browser.copy()
    either.login(browser, "bob")
    assert browser.cookies[COOKIE] != planted.cookies[COOKIE]
    assert either.name(browser) == "bob"
    if either.sessions.can_list:
        assert either.name(planted) is None
        assert either.sessions.of("local:eve") == []


@pytest.mark.parametrize("planted", ["x", "A" * LENGTH, new_token().text(Vault.temporary())])
def test_a_planted_cookie_is_not_adopted(either, planted):
    browser = either.browser()
    browser.cookies[COOKIE] = planted
    assert either.ask(browser) is None
    either.login(browser)
    assert browser.cookies[COOKIE] != planted
    assert either.name(browser) == "bob"


def test_a_step_up_counts_from_now_with_all_that_was_shown(either, clock):
    browser = either.browser()
    session = either.login(browser)
    clock.advance(500)
    before = browser.copy()
    visit = browser.visit()
    either.sessions.step_up(visit, ("otp", "mfa"))
    browser.keep(visit)
    found = either.ask(browser)
    assert (found.amr, found.auth_time, found.session) == (("pwd", "otp", "mfa"), clock.time(), session)
    lower = either.ask(before)
    assert (lower.amr, lower.auth_time) == (("pwd",), clock.time() - 500)


def test_a_secret_from_before_a_step_up_learns_nothing_of_the_next(world, clock):
    browser = world.browser()
    world.login(browser)
    thief = browser.copy()
    visit = browser.visit()
    world.sessions.step_up(visit, ("mfa",))
    browser.keep(visit)
    assert world.ask(thief).amr == ("pwd",)
    assert thief.cookies != browser.cookies
    assert world.ask(browser).amr == ("pwd", "mfa")
    clock.advance(31)
    assert world.reason(thief) == "session reused"
    assert world.name(browser) is None


def test_a_step_up_in_the_request_that_rotates_is_the_last_word(world, clock):
    browser = world.browser()
    world.login(browser)
    clock.advance(901)
    beside = browser.copy()
    visit = browser.visit()
    assert world.sessions.identify(visit).name == "bob"
    world.sessions.step_up(visit, ("mfa",))
    browser.keep(visit)
    assert [value for name, value in visit.headers if name == "Set-Cookie"] == [
        next(value for _, value in visit.headers if browser.cookies[COOKIE] in value)
    ]
    assert world.ask(beside).amr == ("pwd",)
    assert world.ask(browser).amr == ("pwd", "mfa")


def test_who_changes_the_password_stays_signed_in_and_all_others_are_out(either):
    browser, other = either.browser(), either.browser()
    either.login(browser)
    either.login(other)
    visit = browser.visit()
    assert either.sessions.identify(visit).name == "bob"
    either.people.raise_epoch("local:bob")
    either.sessions.step_up(visit, ("pwd",))
    browser.keep(visit)
    assert (either.name(browser), either.name(other)) == ("bob", None)


def test_without_a_session_there_is_no_step_up(either):
    with pytest.raises(LookupError):
        either.sessions.step_up(either.browser().visit(), ("mfa",))
    browser = either.browser()
    either.login(browser)
    either.people.change("local:bob", disabled=True)
    with pytest.raises(LookupError):
        either.sessions.step_up(browser.visit(), ("mfa",))


def test_who_is_disabled_meanwhile_cannot_step_up(either):
    browser = either.browser()
    either.login(browser)
    visit = browser.visit()
    assert either.sessions.identify(visit).name == "bob"
    either.people.change("local:bob", disabled=True)
    with pytest.raises(LookupError):
        either.sessions.step_up(visit, ("mfa",))


def test_a_session_that_is_ended_meanwhile_cannot_step_up(world):
    browser = world.browser()
    world.login(browser)
    visit = browser.visit()
    assert world.sessions.identify(visit).name == "bob"
    world.sessions.end_all("local:bob")
    with pytest.raises(LookupError):
        world.sessions.step_up(visit, ("mfa",))
    assert not world.sessions.set_data(visit, {"n": 1})


def test_nobody_has_signed_in_later_than_now(either, clock):
    browser = either.browser()
    either.login(browser, auth_time=clock.time() + 300)
    assert either.ask(browser).auth_time == clock.time()


# Data


def test_a_session_keeps_data(either):
    browser = either.browser()
    either.login(browser, data={"id_token": "eyJ…", "claims": {"locale": "de"}})
    visit = browser.visit()
    assert either.sessions.identify(visit).claims == {"locale": "de"}
    assert either.sessions.data(visit) == {"id_token": "eyJ…"}
    assert either.sessions.set_data(visit, {"n": 1})
    assert either.sessions.data(visit) == {"n": 1}
    browser.keep(visit)
    assert either.sessions.data(browser.visit()) == {"n": 1}
    assert either.ask(browser).claims == {"locale": "de"}
    assert either.sessions.data(either.browser().visit()) == {}
    assert not either.sessions.set_data(either.browser().visit(), {"n": 1})


@pytest.mark.parametrize("data", [{"x": object()}, {"x": float("nan")}, {"x": "y" * 40_000}])
def test_a_session_keeps_no_more_than_it_can(either, data):
    with pytest.raises(ValueError, match="session|cookie|JSON"):
        either.login(either.browser(), data=data)
    browser = either.browser()
    either.login(browser)
    with pytest.raises(ValueError, match="session|cookie|JSON"):
        either.sessions.set_data(browser.visit(), data)


def test_a_cookie_that_browsers_would_drop_is_not_sent(clock):
    world = World(clock, mode="cookie")
    with pytest.raises(ValueError, match="longer than 4096"):
        world.login(world.browser(), data={"x": "y" * 3000})
    browser = world.browser()
    world.login(browser, data={"x": "y" * 1200})
    assert len(COOKIE) + len(browser.cookies[COOKIE]) < 4096
    assert world.name(browser) == "bob"


def test_the_longest_cookie_that_a_login_gives_has_room_for_what_comes_later(clock):
    world = World(clock, mode="cookie")
    browser, fits, too_long = world.browser(), 0, 4096
    while too_long - fits > 1:
        size = (fits + too_long) // 2
        try:
            world.login(browser, data={"x": "y" * size})
            fits = size
        except ValueError:
            too_long = size
    world.login(browser, data={"x": "y" * fits})
    clock.advance(61.123456789)
    assert world.name(browser) == "bob"
    visit = browser.visit()
    world.sessions.step_up(visit, ("otp", "hwk", "swk", "user", "mfa"))
    browser.keep(visit)
    assert world.ask(browser).amr[-1] == "mfa"
    assert len(COOKIE) + len(browser.cookies[COOKIE]) <= 4096


def test_parallel_changes_of_data_lose_no_session(clock, tmp_path):
    world = World(clock, store_of(f"sqlite:///{tmp_path}/sessions.db", clock.time))
    browser = world.browser()
    world.login(browser)

    def change(number):
        return world.sessions.set_data(browser.visit(), {"n": number})

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(change, range(20)))
    assert world.sessions.data(browser.visit())["n"] in range(20)
    world.store.close()


# Cookies of others


def test_cookies_that_a_neighbour_has_tossed_do_not_matter(world):
    browser = world.browser()
    world.login(browser)
    good = browser.cookies[COOKIE]
    tossed = "; ".join(
        f"{COOKIE}={value}" for value in ["", "x", "A" * LENGTH, new_token().text(Vault.temporary())] * 5
    )
    assert world.name(browser, cookies=f"{tossed}; {COOKIE}={good}; {tossed}") == "bob"


def test_of_two_users_sessions_none_counts(world):
    bob, eve = world.browser(scheme="http"), world.browser(scheme="http")
    world.login(bob)
    world.login(eve, "eve")
    [(name, mine)], [(_, planted)] = bob.cookies.items(), eve.cookies.items()
    for cookies in (f"{name}={planted}; {name}={mine}", f"{name}={mine}; {name}={planted}"):
        assert world.reason(bob, cookies=cookies) == "several sessions"
    assert world.name(bob) == "bob"


def test_of_two_sessions_of_one_user_the_newer_counts(world, clock):
    one, two = world.browser(), world.browser()
    world.login(one)
    clock.advance(1)
    newer = world.login(two)
    for cookies in ((one, two), (two, one)):
        sent = "; ".join(f"{COOKIE}={each.cookies[COOKIE]}" for each in cookies)
        assert world.ask(one, cookies=sent).session == newer


def test_a_secret_that_was_replaced_counts_for_nothing_beside_the_newer_one(world, clock):
    browser = world.browser()
    before = rotated(world, browser)
    assert world.name(browser) == "bob"
    clock.advance(31)
    for cookies in ((browser, before), (before, browser)):
        sent = "; ".join(f"{COOKIE}={each.cookies[COOKIE]}" for each in cookies)
        assert world.name(browser.copy(), cookies=sent) is None


@settings(deadline=None)
@given(st.text(max_size=200))
def test_no_cookie_makes_it_fail(text):
    world = World(_CLOCK)
    browser = world.browser()
    assert world.name(browser, cookies=f"{COOKIE}={text}") is None
    assert world.name(browser, cookies=text) is None


@settings(deadline=None)
@given(st.integers(0, LENGTH - 1), st.sampled_from("ABCFabcfxyz0189-_ "))
def test_no_letter_of_a_token_can_be_changed(place, letter):
    vault = _VAULT
    text = _TOKEN.text(vault)
    changed = text[:place] + letter + text[place + 1 :]
    assert (read_token(changed, vault) == _TOKEN) is (changed == text)
    assert read_token(text[:place], vault) is None


_VAULT = Vault.temporary()
_TOKEN = new_token()


class _StandingClock:
    def time(self):
        return 1_700_000_000.0


_CLOCK = _StandingClock()


@settings(deadline=None)
@given(st.data())
def test_no_bit_of_a_sealed_cookie_can_be_changed(data):
    world = World(_CLOCK, mode="cookie", vault=_VAULT)
    browser = world.browser()
    world.login(browser)
    text = browser.cookies[COOKIE]
    place = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.sampled_from("ABCXYZabcxyz0189-_"))
    changed = text[:place] + letter + text[place + 1 :]
    browser.cookies[COOKIE] = changed
    assert (world.name(browser) == "bob") is (changed == text)
    browser.cookies[COOKIE] = text[:place]
    assert world.name(browser) is None


# Sessions in cookies


def test_sessions_in_cookies_keep_nothing_in_the_store(clock):
    world = World(clock, mode="cookie")
    browser = world.browser()
    world.login(browser)
    assert world.store.keys(SPACE) == []
    assert not world.sessions.can_list
    assert world.sessions.of("local:bob") == []
    assert not world.sessions.end_one("local:bob", "x")
    assert world.sessions.end_by_provider("https://id.example.org", subject="bob") == []
    world.sessions.forget("local:bob")
    assert world.name(browser) == "bob"


def test_sessions_in_cookies_end_together_by_the_epoch(clock):
    world = World(clock, mode="cookie")
    browser = world.browser()
    world.login(browser)
    world.sessions.end_all("local:bob")
    assert world.name(browser) is None


def test_sessions_in_cookies_cannot_end_together_without_epochs(clock):
    people = People(account())
    sessions = Sessions(MemoryStore(), Vault.temporary(), people, SessionOptions(mode="cookie"), clock.time)
    with pytest.raises(LookupError, match="epochs"):
        sessions.end_all("local:bob")


def test_a_copied_sealed_cookie_ends_when_it_is_idle(clock):
    world = World(clock, mode="cookie")
    browser = world.browser()
    world.login(browser)
    copy = browser.copy()
    for _ in range(10):
        clock.advance(400)
        assert world.name(browser) == "bob"
    assert world.name(copy) is None


# Keys, stores and versions


def test_sessions_outlive_a_rotation_of_the_keys(clock):
    old, new = new_key(), new_key()
    for mode in ("store", "cookie"):
        world = World(clock, vault=Vault([old]), mode=mode)
        browser = world.browser()
        world.login(browser, data={"n": 1})
        world.sessions = world.made(vault=Vault([new, old]), mode=mode)
        assert world.name(browser) == "bob"
        assert world.sessions.data(browser.visit()) == {"n": 1}
        world.sessions = world.made(vault=Vault([new]), mode=mode)
        assert world.name(browser) is None


def test_a_worker_with_the_old_keys_knows_tokens_of_the_new_one(clock, tmp_path):
    from wheatpaste.middleware.auth.key_file import make_key_file, rotate

    path = tmp_path / "auth.key"
    make_key_file(path)
    world = World(clock, vault=Vault.read(path))
    rotate(path)
    running, world.sessions = world.sessions, world.made(vault=Vault.read(path))
    browser = world.browser()
    world.login(browser)
    world.sessions = running
    assert world.name(browser) == "bob"


@pytest.mark.parametrize("broken", ["get", "swap", "put"])
def test_a_store_that_is_down_lets_nobody_in(clock, broken):
    class Broken(MemoryStore):
        down = ""

    def fail(name):
        def call(self, *args, **kwargs):
            if self.down == name:
                raise StoreError("it is down")
            return getattr(MemoryStore, name)(self, *args, **kwargs)

        return call

    for name in ("get", "swap", "put"):
        setattr(Broken, name, fail(name))
    store = Broken(clock.time)
    world = World(clock, store)
    browser = world.browser()
    world.login(browser)
    clock.advance(901)
    store.down = broken
    if broken == "put":
        with pytest.raises(StoreError):
            world.login(world.browser())
    else:
        with pytest.raises(StoreError):
            world.ask(browser)


def test_a_directory_that_is_down_lets_nobody_in(world):
    browser = world.browser()
    world.login(browser)

    def fail(account_id):
        raise StoreError("it is down")

    world.people.get = fail
    with pytest.raises(StoreError):
        world.ask(browser)
    del world.people.get
    assert world.name(browser) == "bob"


def test_a_session_of_another_version_does_not_count(world):
    browser = world.browser()
    world.login(browser)
    [key] = world.store.keys(SPACE)
    fields = json.loads(world.store.get(SPACE, key))
    for changed in ([99, *fields[1:]], fields[:-1]):
        world.store.put(SPACE, key, json.dumps(changed).encode())
        assert world.ask(browser) is None


def test_a_session_is_what_was_written():
    session = Session(
        "id", "local:bob", 3, 1.0, 2.0, 1.5, ("pwd", "otp"), 1.7, "::1", "curl", True, lower=(1.0, ("pwd",)),
        provider=("https://id.example.org", "", "bob"), claims={"ü": [1, None]},
    )  # fmt: skip
    assert Session.read(session.written()) == session
    assert Session.read(session._replace(lower=None, provider=None).written()).lower is None


def test_the_account_of_a_session_that_is_over_is_known(either, clock):
    browser = either.browser()
    either.login(browser)
    assert either.sessions.ended_account(browser.visit()) is None
    clock.advance(3700)
    assert either.sessions.ended_account(browser.visit()) == "local:bob"
    assert either.sessions.ended_account(either.browser().visit()) is None


def test_the_account_of_a_session_that_was_ended_is_not_known(world, clock):
    browser = world.browser()
    world.login(browser)
    world.sessions.end_all("local:bob")
    assert world.sessions.ended_account(browser.visit()) is None


def test_it_has_no_challenge(world):
    assert world.sessions.challenges(world.browser().visit()) == ()
    assert world.sessions.name == "session"


@pytest.mark.parametrize(
    "options",
    [
        {"idle": 90000},
        {"overlap": 1000},
        {"remember": 3600},
        {"idle": 0},
        {"rotate": 1},
        {"max_sessions": -1},
        {"cookie": "a b"},
        {"cookie": ""},
    ],
    ids=str,
)
def test_options_that_make_no_sense_are_refused(options):
    with pytest.raises(ValueError, match="SessionOptions"):
        SessionOptions(**options)
