"""Sessions in each store that there is, used by threads and by processes at once."""

import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from auth_sessions import COOKIE, World

from wheatpaste.middleware.auth.interrupted import Interrupted
from wheatpaste.middleware.auth.key_file import make_key_file
from wheatpaste.middleware.auth.methods.tkt import Tkt, TktOptions
from wheatpaste.middleware.auth.tkt import Ticket, write_ticket
from wheatpaste.middleware.auth.vault import Vault
from wheatpaste.middleware.storage.places import store_of

SLOW = pytest.mark.slow
THREADS = 8


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=SLOW), pytest.param("redis", marks=SLOW)])
def url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/auth.db"
    return request.getfixturevalue(f"{request.param}_server").url()


@pytest.fixture
def world(clock, url, tmp_path):
    path = tmp_path / "auth.key"
    make_key_file(path)
    made = World(clock, store_of(url, clock.time), Vault.read(path))
    yield made
    made.store.close()


def at_once(run, each):
    """What all calls return, begun at the same time by threads."""
    items = list(each)
    barrier = threading.Barrier(len(items))

    def wait(item):
        barrier.wait(30)
        return run(item)

    with ThreadPoolExecutor(len(items)) as pool:
        return list(pool.map(wait, items))


def test_a_login_lasts_is_listed_and_ends(world, clock):
    home, work = world.browser(), world.browser()
    world.login(home, data={"n": 1})
    clock.advance(1)
    current = world.login(work, remember=True)
    clock.advance(61)
    assert (world.name(home), world.name(work)) == ("bob", "bob")
    assert world.sessions.data(home.visit()) == {"n": 1}
    assert {each.is_current for each in world.sessions.of("local:bob", current)} == {True, False}
    assert world.sessions.end_all("local:bob", but=current) == 1
    assert (world.name(home), world.name(work)) == (None, "bob")
    clock.advance(30 * 86400)
    assert world.name(work) is None


def test_threads_that_rotate_at_once_tell_one_secret(world, clock):
    browser = world.browser()
    world.login(browser)
    clock.advance(901)
    copies = [browser.copy() for _ in range(THREADS)]
    assert set(at_once(world.name, copies)) == {"bob"}
    assert len({copy.cookies[COOKIE] for copy in copies} - {browser.cookies[COOKIE]}) == 1
    clock.advance(10)
    assert {world.name(copy) for copy in copies} == {"bob"}
    clock.advance(60)
    assert world.name(browser) is None
    assert {world.name(copy) for copy in copies} == {None}
    assert [event for event, _, _ in world.audit.events] == ["session.revoke"]


def test_threads_that_log_in_at_once_keep_the_number(world):
    world.sessions = world.made(max_sessions=3)
    browsers = [world.browser() for _ in range(THREADS)]
    at_once(world.login, browsers)
    assert sum(world.name(browser) == "bob" for browser in browsers) == 3
    assert len(world.sessions.of("local:bob")) == 3


def test_a_logout_beside_requests_is_not_undone(world, clock):
    for _ in range(5):
        browser = world.browser()
        world.login(browser)
        clock.advance(901)
        copies = [browser.copy() for _ in range(THREADS)]

        def ask(copy, last=copies[-1]):
            return world.sessions.end(copy.visit()) if copy is last else world.name(copy)

        at_once(ask, copies)
        assert {world.name(copy) for copy in copies} == {None}
        assert world.sessions.of("local:bob") == []


def test_a_form_goes_on_once(world, clock):
    interrupted = Interrupted(world.store, world.vault, clock.time)
    browser = world.browser()
    told = {"CONTENT_TYPE": "text/plain", "HTTP_SEC_FETCH_SITE": "same-origin", "HTTP_SEC_FETCH_MODE": "navigate"}
    visit = browser.visit(method="POST", body=b"x" * 60_000, **told)
    assert interrupted.receive(visit)
    assert interrupted.keep(visit, "local:bob")
    browser.keep(visit)
    found = at_once(lambda copy: interrupted.take(copy.visit(), "local:bob"), [browser.copy() for _ in range(THREADS)])
    [environ] = [each for each in found if each is not None]
    assert environ["wsgi.input"].read() == b"x" * 60_000


def test_a_ticket_becomes_one_session(world, clock):
    secret = "q8JvN2xR7tLw0pKs4YbHd6ZfCm3GaXe9"
    world.authority.sessions = world.sessions
    tkt = Tkt(TktOptions(secret=secret), world.store, world.people, clock.time)
    browser = world.browser()
    browser.cookies["auth_tkt"] = write_ticket(secret, Ticket("bob", int(clock.time())))
    found = at_once(lambda copy: tkt.identify(copy.visit()), [browser.copy() for _ in range(THREADS)])
    assert {each.name for each in found} == {"bob"}
    assert len(world.sessions.of("local:bob")) == 1


PROGRAM = """
import json, sys
sys.path.insert(0, sys.argv[1])
from auth_sessions import COOKIE, World
from wheatpaste.middleware.auth.vault import Vault
from wheatpaste.middleware.storage.places import store_of

class Clock:
    def time(self):
        return float(sys.argv[4])

world = World(Clock(), store_of(sys.argv[2], Clock().time), Vault.read(sys.argv[3]))
browser = world.browser()
browser.cookies[COOKIE] = sys.stdin.readline().strip()
print("ready", flush=True)
sys.stdin.readline()
copies = [browser.copy() for _ in range(20)]
names = [world.name(copy) for copy in copies]
print(json.dumps([names, sorted({copy.cookies[COOKIE] for copy in copies})]))
world.store.close()
"""


@SLOW
def test_processes_that_rotate_at_once_tell_one_secret(world, url, clock, tmp_path, request):
    browser = world.browser()
    world.login(browser)
    kit = request.config.rootpath / "tests" / "_kit"
    now = clock.time() + 901
    argv = [sys.executable, "-c", PROGRAM, str(kit), url, str(tmp_path / "auth.key"), str(now)]
    running = [
        subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) for _ in range(2)
    ]
    try:
        for each in running:
            each.stdin.write(browser.cookies[COOKIE] + "\n")
            assert each.stdout.readline() == "ready\n"
        for each in running:
            each.stdin.write("go\n")
        told = [json.loads(each.communicate(timeout=60)[0]) for each in running]
    finally:
        for each in running:
            each.kill()
            each.communicate()
    assert {name for names, _ in told for name in names} == {"bob"}
    assert len({cookie for _, cookies in told for cookie in cookies} - {browser.cookies[COOKIE]}) == 1


@SLOW
def test_a_request_asks_redis_once(clock, redis_server):
    world = World(clock, store_of(redis_server.url(), clock.time))
    browser = world.browser()
    world.login(browser)
    world.name(browser)

    def commands():
        import redis

        with redis.Redis.from_url(redis_server.url().partition("?")[0]) as client:
            return {name: each["calls"] for name, each in client.info("commandstats").items()}

    before = commands()
    for _ in range(50):
        assert world.name(browser) == "bob"
    after = commands()
    world.store.close()
    asked = {name: calls - before.get(name, 0) for name, calls in after.items() if calls != before.get(name, 0)}
    own = {"cmdstat_info", "cmdstat_client|setinfo", "cmdstat_auth", "cmdstat_hello", "cmdstat_client"}
    assert {name: calls for name, calls in asked.items() if name not in own} == {"cmdstat_get": 50}
