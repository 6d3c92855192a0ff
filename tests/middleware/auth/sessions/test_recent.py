"""Sessions that are not read again while nothing has changed: nobody may see a difference, but for the time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from auth_browser import People, account
from auth_sessions import COOKIE, World
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from wheatpaste.middleware.auth.accounts.local_users import LocalUsers
from wheatpaste.middleware.auth.accounts.tables import SCHEMA as ACCOUNTS
from wheatpaste.middleware.auth.key_file import make_key_file, read_key_file
from wheatpaste.middleware.auth.sessions import recent
from wheatpaste.middleware.auth.vault import Vault
from wheatpaste.middleware.storage.database import Database
from wheatpaste.middleware.storage.memory_tables import MemoryTables
from wheatpaste.middleware.storage.table_store import SCHEMA, TableStore
from wheatpaste.testing import Clock


class Site(World):
    """A site whose sessions and users are in one SQLite file."""

    def __init__(
        self, clock: Any, path: Path | None, *, remembers: bool = True, vault: Vault | None = None, **limits: float
    ) -> None:
        self.tables = Database(path, ACCOUNTS, SCHEMA) if path is not None else MemoryTables(ACCOUNTS, SCHEMA)
        self.states = 0
        self.users = LocalUsers(self.tables, clock.time)
        for name in ("bob", "eve"):
            self.users.create(name)
        super().__init__(clock, TableStore(self.tables, clock.time), vault)
        self.people = self.users
        self.sessions = self.made(state=self._state if remembers else None, **limits)

    def login(self, browser: Any, name: str = "bob", amr: Any = ("pwd",), **how: Any) -> Any:
        found = self.users.find(name)
        assert found is not None
        visit = browser.visit()
        self.sessions.begin(visit, found, amr, **how)
        browser.keep(visit)
        return found

    def close(self) -> None:
        self.tables.close()

    def _state(self) -> object | None:
        self.states += 1
        return self.tables.state()


@pytest.fixture
def site(clock: Clock, tmp_path: Path) -> Iterator[Site]:
    made = Site(clock, tmp_path / "auth.db")
    yield made
    made.close()


def reads(site: Site, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The statements that are run from now on."""
    statements: list[str] = []
    query = site.tables.query

    def counted(statement: str, parameters: Any = ()) -> Any:
        statements.append(statement)
        return query(statement, parameters)

    monkeypatch.setattr(site.tables, "query", counted)
    return statements


def test_a_session_is_read_once(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = site.browser()
    site.login(browser)
    assert site.name(browser) == "bob"
    asked = reads(site, monkeypatch)
    assert [site.name(browser) for _ in range(5)] == ["bob"] * 5
    assert asked == []


def settle() -> None:
    """Wait until what another process has committed is known: that may take a millisecond."""
    time.sleep(0.002)


def test_what_another_process_changes_counts_a_millisecond_later(site: Site, tmp_path: Path) -> None:
    browser = site.browser()
    bob = site.login(browser)
    other = Database(tmp_path / "auth.db", ACCOUNTS, SCHEMA)
    users = LocalUsers(other)
    users.grant("user:bob", "editor")
    settle()
    assert site.ask(browser).roles == {"editor"}
    users.revoke("user:bob", "editor")
    settle()
    assert site.ask(browser).roles == set()
    users.disable(bob.id)
    settle()
    assert site.reason(browser) == "user disabled"
    other.close()


def test_what_this_process_changes_counts_at_once(site: Site) -> None:
    browser = site.browser()
    bob = site.login(browser)
    for _ in range(20):
        site.users.grant("user:bob", "editor")
        assert site.ask(browser).roles == {"editor"}
        site.users.revoke("user:bob", "editor")
        assert site.ask(browser).roles == set()
    site.users.disable(bob.id)
    assert site.reason(browser) == "user disabled"


def test_users_of_other_sources_are_asked_for_each_time(site: Site) -> None:
    people = People(account("ada")._replace(source="htpasswd"))
    site.people = people
    site.sessions = site.made(state=site.tables.state)
    browser, visit = site.browser(), site.browser().visit()
    site.sessions.begin(visit, people.accounts["local:ada"], ("pwd",))
    browser.keep(visit)
    assert site.name(browser) == "ada"
    people.change("local:ada", groups=frozenset({"staff"}))
    assert site.ask(browser).groups == {"staff"}
    people.change("local:ada", disabled=True)
    assert site.reason(browser) == "user disabled"


def key_files(folder: Path) -> tuple[Path, Path, Path]:
    """A file with an old key, one with a new key, and one with both."""
    old, new, both = (folder / f"{name}.key" for name in ("old", "new", "both"))
    for path in (old, new, both):
        make_key_file(path)
    both.write_text(new.read_text() + old.read_text())
    return old, new, both


def test_a_retired_key_opens_nothing_that_was_known(clock: Clock, tmp_path: Path) -> None:
    old, new, both = key_files(tmp_path)
    site = Site(clock, tmp_path / "auth.db", vault=Vault(read_key_file(old)))
    browser = site.browser()
    site.login(browser)
    now = [0.0]
    site.sessions = site.made(Vault.read(both, monotonic=lambda: now[0]), state=site.tables.state)
    assert [site.name(browser) for _ in range(2)] == ["bob", "bob"]
    both.write_text(new.read_text())
    now[0] = 10.0
    assert site.name(browser) is None
    site.close()


def test_a_key_that_retires_while_a_cookie_is_looked_up_opens_nothing_later(clock: Clock, tmp_path: Path) -> None:
    old, new, both = key_files(tmp_path)
    site = Site(clock, tmp_path / "auth.db", vault=Vault(read_key_file(old)))
    browser = site.browser()
    site.login(browser)
    vault = Vault.read(both)

    def retired() -> object | None:
        # Asked for when the cookie was found to be ours, and before the session is read.
        both.write_text(new.read_text())
        vault.refresh()
        return site.tables.state()

    site.sessions = site.made(vault, state=retired)
    site.name(browser)
    assert site.name(browser) is None
    site.close()


def test_nothing_is_asked_of_the_file_for_cookies_that_are_made_up(site: Site) -> None:
    browser = site.browser()
    for text in ("", "x", "f" * 128, "\udcff", "é" * 3000):
        browser.cookies = {COOKIE: text}
        assert site.name(browser) is None
    assert site.states == 0


def test_no_cookie_is_kept_and_not_without_end(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "_MOST", 3)
    browsers = [site.browser() for _ in range(10)]
    for browser in browsers:
        site.login(browser)
        assert site.name(browser) == "bob"
        known = site.sessions._recent._known
        assert 0 < len(known) <= 3
        assert browser.cookies[COOKIE] not in repr(known)


NUMBERS = st.integers(0, 1)
STEPS = st.one_of(
    st.tuples(st.just("ask"), NUMBERS),
    st.tuples(st.just("wait"), st.sampled_from([-3000, -120, -1, 0.5, 20, 29, 31, 59, 61, 290, 590])),
    st.tuples(st.sampled_from(["ask", "login", "logout", "steal", "copy", "step_up"]), NUMBERS),
    st.tuples(st.sampled_from(["disable", "enable", "password", "end_all"]), st.just(0)),
)


class Wall:
    """A clock on a wall: somebody may put it back."""

    now = 1_800_000_000.0

    def time(self) -> float:
        return self.now


class Play:
    """What happens to one site: two browsers of Bob's, and whoever has their cookies."""

    def __init__(self, path: Path | None, *, remembers: bool) -> None:
        self.clock = Wall()
        limits = {"idle": 600.0, "absolute": 900.0, "rotate": 300.0, "overlap": 30.0, "remember": 0.0}
        self.site = Site(self.clock, path, remembers=remembers, **limits)
        self.bob = self.site.users.find("bob")
        self.browsers = [self.site.browser(agent=f"Browser {number}") for number in range(2)]

    def step(self, what: str, how: Any) -> object:
        site, users = self.site, self.site.users
        match what:
            case "wait":
                self.clock.now += how
            case "login":
                if not users.find("bob").disabled:
                    site.login(self.browsers[how])
            case "logout":
                visit = self.browsers[how].visit()
                site.sessions.end(visit)
                self.browsers[how].keep(visit)
            case "steal":
                return site.name(self.browsers[how].copy(agent="Thief", address="203.0.113.9"))
            case "copy":
                self.browsers[how].cookies = dict(self.browsers[1 - how].cookies)
            case "step_up":
                visit = self.browsers[how].visit()
                try:
                    site.sessions.step_up(visit, ("otp",))
                except LookupError:
                    return "nothing to step up"
                self.browsers[how].keep(visit)
            case "disable":
                users.disable(self.bob.id)
            case "enable":
                users.enable(self.bob.id)
            case "password":
                users.set_password(self.bob.id, "a hash")
            case "end_all":
                return site.sessions.end_all(self.bob.id)
            case "ask":  # the second time nothing has changed
                return [self.seen(self.browsers[how]) for _ in range(2)]
        return None

    def seen(self, browser: Any) -> object:
        """What a request is told, and what is known of the user's sessions after it."""
        visit = browser.visit()
        found = self.site.sessions.identify(visit)
        browser.keep(visit)
        known = sorted((each.seen, each.until, each.amr) for each in self.site.sessions.of(self.bob.id))
        told = (type(found).__name__, getattr(found, "reason", None), getattr(found, "amr", None))
        return told, [name for name, _ in visit.headers], known


ASK, LATER, SOON, MINUTE = ("ask", 0), ("wait", 290), ("wait", 20), ("wait", 61)


@given(steps=st.lists(STEPS, max_size=30))
@example(steps=[ASK, MINUTE, ASK])
@example(steps=[LATER, ASK, SOON, ASK])
@example(steps=[LATER, ASK, ("wait", 590), ASK, ASK, SOON, ASK])
@example(steps=[LATER, ASK, ("copy", 1), SOON, ("ask", 0), ("ask", 1), ("wait", 31), ("ask", 1)])
@example(steps=[ASK, ("wait", -3000), ASK])
@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_happens_the_same_is_seen(steps: list[tuple[str, Any]], tmp_path_factory: Any) -> None:
    file = tmp_path_factory.mktemp("play") / "auth.db"
    plays = [Play(file, remembers=True), Play(None, remembers=True), Play(None, remembers=False)]
    for step in [("login", 0), ("login", 1), *steps]:
        seen = [play.step(*step) for play in plays]
        assert seen[0] == seen[2], f"{step} in a file"
        assert seen[1] == seen[2], f"{step} in memory"
    for play in plays:
        play.site.close()
