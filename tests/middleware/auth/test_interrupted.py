"""Forms that an ended session has interrupted: who gets them again, and how often."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from auth_browser import Browser, authority
from hypothesis import given, settings
from hypothesis import strategies as st

from wheatpaste.middleware.auth.desk import Desk
from wheatpaste.middleware.auth.interrupted import COOKIE, MOST, MOST_OF_A_NETWORK, Interrupted, KeptForm
from wheatpaste.middleware.auth.key_file import new_key
from wheatpaste.middleware.auth.vault import Vault
from wheatpaste.middleware.auth.visit import Visit
from wheatpaste.middleware.storage.memory import MemoryStore
from wheatpaste.middleware.storage.places import store_of
from wheatpaste.middleware.storage.store import StoreError

BODY = b"title=Secret+plan&text=..."
FORM = {
    "CONTENT_TYPE": "application/x-www-form-urlencoded",
    "HTTP_SEC_FETCH_SITE": "same-origin",
    "HTTP_SEC_FETCH_MODE": "navigate",
    "HTTP_SEC_FETCH_DEST": "document",
}
BOB, EVE = "local:bob", "local:eve"


class World:
    def __init__(self, clock, store=None, vault=None, most=65536):
        self.clock = clock
        self.store = store or MemoryStore(clock.time)
        self.authority = authority(clock.time, store=self.store, vault=vault)
        self.interrupted = Interrupted(self.store, self.authority.vault, clock.time, most)

    def browser(self, **how):
        return Browser(self.authority, **how)

    def interrupt(self, browser, body=BODY, account=BOB, **request):
        """A form that comes too late; whether it is kept."""
        told = {key: value for key, value in {**FORM, **request}.items() if value is not None}
        visit = browser.visit(method="POST", path="/pages/new", body=body, **told)
        self.interrupted.receive(visit)
        kept = self.interrupted.keep(visit, account)
        browser.keep(visit)
        return kept

    def take(self, browser, account=BOB, **request):
        visit = browser.visit(**{"method": "POST", "path": "/-/auth/resume", "body": b"token=x", **FORM, **request})
        found = self.interrupted.take(visit, account)
        browser.keep(visit)
        return found


@pytest.fixture
def world(clock):
    return World(clock)


def test_a_form_goes_on_as_it_was_sent(world):
    browser = world.browser()
    more = {"QUERY_STRING": "draft=1", "HTTP_REFERER": "https://wiki.example.org/pages/new", "REQUEST_URI": "/x"}
    assert world.interrupt(browser, **more)
    environ = world.take(browser, REQUEST_URI="/-/auth/resume", HTTP_REFERER="https://wiki.example.org/-/auth/resume")
    assert environ["wsgi.input"].read() == BODY
    assert {key: environ[key] for key in ("REQUEST_METHOD", "PATH_INFO", "QUERY_STRING", "CONTENT_LENGTH")} == {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/pages/new",
        "QUERY_STRING": "draft=1",
        "CONTENT_LENGTH": str(len(BODY)),
    }
    assert environ["CONTENT_TYPE"] == "application/x-www-form-urlencoded"
    assert environ["HTTP_REFERER"] == "https://wiki.example.org/pages/new"
    assert environ["REQUEST_URI"] == "/pages/new?draft=1"
    assert environ["wheatpaste.resumed"] is True


def test_the_apps_token_of_the_session_before_is_good_for_it(world):
    browser = world.browser()
    world.interrupt(browser)
    going_on = Desk(Visit(world.authority, world.take(browser)))
    assert going_on.csrf_complaint("of the session before") is None
    assert Desk(browser.visit()).csrf_complaint("of the session before") is not None


def test_it_goes_on_once(world):
    browser = world.browser()
    world.interrupt(browser)
    copy = browser.copy()
    assert world.take(browser) is not None
    assert browser.cookies == {}
    assert world.take(browser) is None
    assert world.take(copy) is None


def test_of_many_who_ask_at_once_one_gets_it(clock, tmp_path):
    world = World(clock, store_of(f"sqlite:///{tmp_path}/posts.db", clock.time))
    browser = world.browser()
    world.interrupt(browser)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: world.take(browser.copy()), range(16)))
    assert sum(each is not None for each in found) == 1
    world.store.close()


def test_it_is_for_the_user_whose_session_had_ended(world):
    browser = world.browser()
    world.interrupt(browser)
    assert world.interrupted.peek(browser.visit(), EVE) is None
    assert world.take(browser, EVE) is None
    assert world.take(browser, BOB) is None
    assert world.store.keys("auth.posts") == []


def test_it_is_for_the_browser_that_has_sent_it(world):
    world.interrupt(world.browser())
    assert world.take(world.browser()) is None
    assert len(world.store.keys("auth.posts")) == 1


def test_it_waits_for_ten_minutes(world, clock):
    browser, late = world.browser(), world.browser()
    world.interrupt(browser)
    world.interrupt(late)
    clock.advance(599)
    assert world.take(browser) is not None
    clock.advance(1)
    assert world.take(late) is None


def test_what_waits_can_be_looked_at(world):
    browser = world.browser()
    world.interrupt(browser)
    assert world.interrupted.peek(browser.visit(), BOB) == KeptForm("/pages/new", len(BODY))
    assert world.interrupted.peek(browser.visit(), BOB) == KeptForm("/pages/new", len(BODY))
    assert world.interrupted.peek(world.browser().visit(), BOB) is None


def test_nobody_can_read_it_without_the_cookie(world):
    browser = world.browser()
    world.interrupt(browser)
    [key] = world.store.keys("auth.posts")
    sealed = world.store.get("auth.posts", key)
    secret = browser.cookies[f"__Host-{COOKIE}"]
    assert BODY not in sealed
    assert b"pages" not in sealed
    assert secret not in key
    for purpose in ("form", "interrupted forms"):
        assert world.authority.vault.open(purpose, sealed) is None


def test_a_form_that_was_moved_to_another_cookie_stays_shut(world):
    mine, theirs = world.browser(), world.browser()
    world.interrupt(mine)
    [bobs] = world.store.keys("auth.posts")
    world.interrupt(theirs, b"harmless=1")
    [other] = set(world.store.keys("auth.posts")) - {bobs}
    world.store.put("auth.posts", other, world.store.get("auth.posts", bobs), 600)
    assert world.take(theirs) is None


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param({"HTTP_SEC_FETCH_SITE": "cross-site"}, id="from another site"),
        pytest.param({"HTTP_SEC_FETCH_SITE": "same-site"}, id="from a neighbour"),
        pytest.param({"HTTP_SEC_FETCH_SITE": None, "HTTP_ORIGIN": "https://evil.example"}, id="of another origin"),
        pytest.param({"HTTP_SEC_FETCH_SITE": None}, id="from nobody says where"),
        pytest.param({"HTTP_SEC_FETCH_MODE": "cors"}, id="sent by a script"),
        pytest.param({"HTTP_SEC_FETCH_DEST": "iframe"}, id="in a frame"),
        pytest.param({"CONTENT_TYPE": "application/json"}, id="no form"),
        pytest.param({"CONTENT_TYPE": ""}, id="of no type"),
        pytest.param({"CONTENT_LENGTH": "65537"}, id="too long"),
        pytest.param({"CONTENT_LENGTH": "+5"}, id="of no length"),
        pytest.param({"CONTENT_LENGTH": ""}, id="of unknown length"),
        pytest.param({"HTTP_TRANSFER_ENCODING": "chunked"}, id="in chunks"),
        pytest.param({"CONTENT_LENGTH": "100"}, id="cut"),
        pytest.param({"REQUEST_METHOD": "PUT"}, id="another method"),
        pytest.param({"QUERY_STRING": "x" * 9000}, id="with a long address"),
    ],
)
def test_it_is_not_kept(world, request_):
    browser = world.browser()
    assert not world.interrupt(browser, **request_)
    assert browser.cookies == {}
    assert world.store.keys("auth.posts") == []


def test_none_is_kept_where_that_is_not_wanted(clock):
    assert not World(clock, most=0).interrupt(World(clock, most=0).browser())


def test_an_older_browser_may_say_its_origin_alone(world):
    silent = dict.fromkeys(("HTTP_SEC_FETCH_SITE", "HTTP_SEC_FETCH_MODE", "HTTP_SEC_FETCH_DEST"))
    told = {"HTTP_ORIGIN": "https://wiki.example.org", "HTTP_ACCEPT": "text/html"}
    assert world.interrupt(world.browser(), **silent, **told)
    assert not world.interrupt(world.browser(), **silent, **told, HTTP_X_REQUESTED_WITH="XMLHttpRequest")


def test_the_app_reads_a_form_that_was_received(world):
    browser = world.browser()
    visit = browser.visit(method="POST", body=BODY, **FORM)
    assert world.interrupted.receive(visit)
    assert visit.environ["wsgi.input"].read() == BODY
    assert world.interrupted.receive(visit)
    assert world.interrupted.keep(visit, BOB)
    browser.keep(visit)
    assert world.take(browser)["wsgi.input"].read() == BODY


def test_a_body_that_cannot_be_kept_is_left_to_the_app(world):
    visit = world.browser().visit(method="POST", body=BODY, **{**FORM, "CONTENT_TYPE": "application/json"})
    assert not world.interrupted.receive(visit)
    assert visit.environ["wsgi.input"].read() == BODY


def test_what_was_not_received_before_is_not_kept(world):
    visit = world.browser().visit(method="POST", body=BODY, **FORM)
    assert not world.interrupted.keep(visit, BOB)


def test_a_form_of_all_bytes_stays_what_it_is(world):
    browser = world.browser()
    body = bytes(range(256)) * 256
    assert world.interrupt(browser, body, CONTENT_TYPE='multipart/form-data; boundary="x\\n"')
    assert world.take(browser)["wsgi.input"].read() == body


def test_a_network_cannot_fill_the_store(world, clock):
    kept = [world.interrupt(world.browser()) for _ in range(MOST_OF_A_NETWORK + 5)]
    assert sum(kept) == MOST_OF_A_NETWORK
    six = [world.interrupt(world.browser(address=f"2001:db8:0:1::{number:x}")) for number in range(1, 20)]
    assert sum(six) == MOST_OF_A_NETWORK
    clock.advance(601)
    assert world.interrupt(world.browser())


def test_many_networks_cannot_fill_the_store(world):
    kept = [
        world.interrupt(world.browser(address=f"198.51.{number // 250}.{number % 250}")) for number in range(MOST + 50)
    ]
    assert sum(kept) == MOST


def test_it_stays_readable_after_a_rotation_of_keys(clock):
    old, new = new_key(), new_key()
    world = World(clock, vault=Vault([old]))
    browser = world.browser()
    world.interrupt(browser)
    after = World(clock, world.store, Vault([new, old]))
    assert after.take(browser) is not None


def test_it_goes_to_the_mount_that_it_was_sent_to(world):
    browser = world.browser()
    world.interrupt(browser, SCRIPT_NAME="/wiki")
    assert world.take(browser, SCRIPT_NAME="/blog") is None


def test_what_others_have_read_of_the_page_is_not_taken_for_the_form(world):
    browser = world.browser()
    world.interrupt(browser)
    environ = world.take(
        browser, **{"webob._parsed_post_vars": "old", "paste.parsed_formvars": "old", "paste.config": 1}
    )
    assert "webob._parsed_post_vars" not in environ
    assert "paste.parsed_formvars" not in environ
    assert environ["paste.config"] == 1


@settings(deadline=None)
@given(st.text(max_size=60))
def test_no_cookie_makes_it_fail(text):
    world = World(_CLOCK)
    for cookies in (f"__Host-{COOKIE}={text}", f"__Host-{COOKIE}={'A' * 43}", text):
        assert world.take(world.browser(), cookies=cookies) is None
        assert world.interrupted.peek(world.browser().visit(cookies=cookies), BOB) is None


class _StandingClock:
    def time(self):
        return 1_700_000_000.0


_CLOCK = _StandingClock()


def test_a_store_that_is_down_is_said(world):
    def fail(*args):
        raise StoreError("it is down")

    browser = world.browser()
    world.interrupt(browser)
    world.store.take = world.store.count = fail
    with pytest.raises(StoreError):
        world.take(browser)
    with pytest.raises(StoreError):
        world.interrupt(browser)
