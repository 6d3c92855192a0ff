"""It tells who has the right password, and the others nothing."""

import statistics
import time
from collections.abc import Callable
from typing import Any

import pytest
from auth_guarded_site import CHEAP, GuardedSite, KeptUsers

from wheatpaste.middleware.auth.account import Account
from wheatpaste.middleware.auth.directory import Directory
from wheatpaste.middleware.auth.method import Failed
from wheatpaste.middleware.auth.passwords.checker import Passwords
from wheatpaste.middleware.auth.passwords.hasher import Busy, Hasher
from wheatpaste.middleware.auth.passwords.throttle import Rate
from wheatpaste.middleware.auth.sources.callable_source import CallableSource
from wheatpaste.middleware.storage.store import StoreError

RIGHT = "gelbe Ampel nachts"
APR1 = "$apr1$abcdefgh$QLvgL9Maogn2kBtlvaQ0J."


def people(**more: Any) -> KeptUsers:
    """Bob can log in; Dan is disabled, Eve has no password, Old has one of another program."""
    encoded = Hasher(CHEAP).hash(RIGHT)
    return KeptUsers(
        {"bob": encoded, "dan": encoded, "eve": None, "old": APR1},
        {"dan": {"disabled": True}},
        **more,
    )


def test_the_right_password_is_an_account() -> None:
    site = GuardedSite(people())
    found = site.passwords.check(site.visit(), "bob", RIGHT)
    assert isinstance(found, Account)
    assert found.id == "local:bob"


@pytest.mark.parametrize("name", ["BOB", "Bob"])
def test_the_account_has_the_name_that_is_kept(name: str) -> None:
    site = GuardedSite(people())
    found = site.passwords.check(site.visit(), name, RIGHT)
    assert isinstance(found, Account)
    assert found.name == "bob"


FAILURES: dict[str, tuple[str, str, str]] = {
    "wrong password": ("bob", "falsch", "wrong password"),
    "nobody": ("nobody", RIGHT, "unknown user"),
    "disabled, right password": ("dan", RIGHT, "disabled user"),
    "disabled, wrong password": ("dan", "falsch", "wrong password"),
    "no password": ("eve", RIGHT, "wrong password"),
    "an older hash": ("old", "falsch", "wrong password"),
}


def outcome(site: GuardedSite, name: str, password: str) -> tuple[Failed, int, list[tuple[str, str]]]:
    """What comes of an attempt, how many hashes it costs, and what the answer will carry."""
    before = site.hasher.computations
    visit = site.visit()
    found = site.passwords.check(visit, name, password)
    assert isinstance(found, Failed)
    return found, site.hasher.computations - before, visit.headers


@pytest.mark.parametrize(("name", "password", "reason"), FAILURES.values(), ids=FAILURES)
def test_all_failures_cost_one_hash_and_differ_in_the_audit_log_alone(name: str, password: str, reason: str) -> None:
    site = GuardedSite(people())
    found, cost, headers = outcome(site, name, password)
    assert cost == 1
    assert headers == []
    assert found._replace(reason="") == Failed("")
    assert site.reasons() == [("login.fail", reason)]


def test_a_name_that_waits_costs_one_hash_too_and_its_password_is_not_looked_at() -> None:
    site = GuardedSite(people())
    for _ in range(5):
        outcome(site, "bob", "falsch")
    found, cost, headers = outcome(site, "bob", RIGHT)
    assert (found.reason, found.status, found.retry_after, cost, headers) == ("throttled", 401, 1, 1, [])
    assert site.reasons()[-1] == ("login.throttled", "account")
    site.clock.advance(1)
    assert isinstance(site.passwords.check(site.visit(), "bob", RIGHT), Account)


def test_names_that_nobody_has_wait_like_all_others() -> None:
    site = GuardedSite(people())
    said = [outcome(site, "nobody", "falsch")[0].retry_after for _ in range(6)]
    assert said == [None] * 5 + [1]


def test_once_an_older_hash_was_met_names_that_nobody_has_cost_as_much(monkeypatch: pytest.MonkeyPatch) -> None:
    from wheatpaste.middleware.auth.passwords import legacy

    verified: list[str] = []
    honest = legacy.verify

    def counted(encoded: str, password: bytes) -> bool:
        verified.append(encoded)
        return honest(encoded, password)

    monkeypatch.setattr(legacy, "verify", counted)
    site = GuardedSite(people(keeps_hashes=False))
    outcome(site, "old", "falsch")
    assert len(verified) == 1
    assert outcome(site, "nobody", "falsch")[1] == 1
    assert len(verified) == 2


MALFORMED = {
    "an empty password": ("bob", ""),
    "an empty name": ("", RIGHT),
    "1 MiB of password": ("bob", "x" * (1 << 20)),
    "1 MiB of name": ("x" * (1 << 20), RIGHT),
    "a newline in the name": ("bob\nadmin", RIGHT),
    "half a pair": ("bob", "\ud800secret"),
}


@pytest.mark.parametrize(("name", "password"), MALFORMED.values(), ids=MALFORMED)
def test_what_can_be_nobodys_is_refused_without_work(name: str, password: str) -> None:
    site = GuardedSite(people())
    found, cost, _ = outcome(site, name, password)
    assert (found.reason, cost) == ("malformed", 0)


def test_an_address_that_sends_too_many_wrong_ones_costs_nothing_more() -> None:
    site = GuardedSite(people())
    for number in range(30):
        outcome(site, f"nobody{number}", "falsch")
    found, cost, _ = outcome(site, "bob", RIGHT)
    assert (found.reason, found.retry_after, cost) == ("throttled", 60, 0)
    assert site.reasons()[-1] == ("login.throttled", "address")
    assert isinstance(site.passwords.check(site.visit(REMOTE_ADDR="198.51.100.3"), "bob", RIGHT), Account)


def test_a_login_gives_a_browser_a_cookie_and_a_program_none() -> None:
    site = GuardedSite(people())
    browser, program = site.visit(), site.visit()
    site.passwords.check(browser, "bob", RIGHT)
    site.passwords.check(program, "bob", RIGHT, browser=False)
    assert [name for name, _ in browser.headers] == ["Set-Cookie"]
    assert program.headers == []


def test_a_hash_of_another_kind_is_made_anew_when_its_user_logs_in() -> None:
    users = people()
    site = GuardedSite(users)
    before = site.hasher.computations
    assert isinstance(site.passwords.check(site.visit(), "old", "password1"), Account)
    assert site.hasher.computations - before == 1
    assert (users.hashes["old"] or "").startswith("$argon2id$")
    assert isinstance(site.passwords.check(site.visit(), "old", "password1"), Account)


def test_a_hash_of_an_older_profile_is_made_anew() -> None:
    users = KeptUsers({"bob": Hasher("t=1,m=16,p=1").hash(RIGHT)})
    site = GuardedSite(users)
    site.passwords.check(site.visit(), "bob", RIGHT)
    assert "m=8,t=1,p=1" in (users.hashes["bob"] or "")


def test_a_disabled_users_hash_stays_what_it_is() -> None:
    users = people()
    users.known["old"] = {"disabled": True}
    site = GuardedSite(users)
    assert outcome(site, "old", "password1")[1] == 1
    assert users.hashes["old"] == APR1


def test_where_hashes_are_only_read_the_login_counts_all_the_same() -> None:
    users = people(keeps_hashes=False)
    site = GuardedSite(users)
    assert isinstance(site.passwords.check(site.visit(), "old", "password1"), Account)
    assert users.hashes["old"] == APR1


def test_the_first_source_that_knows_a_name_decides() -> None:
    first, second = people(), people(name="other")
    second.hashes["ann"] = Hasher(CHEAP).hash(RIGHT)
    second.hashes["bob"] = Hasher(CHEAP).hash("another one")
    site = GuardedSite(first, second)
    assert isinstance(site.passwords.check(site.visit(), "bob", "another one"), Failed)
    found = site.passwords.check(site.visit(), "ann", RIGHT)
    assert isinstance(found, Account)
    assert found.id == "other:ann"
    assert site.directory.get("other:bob") == second.find("bob")
    assert site.directory.get("gone:bob") is None


class Broken(KeptUsers):
    """A source whose file or database is gone."""

    def find(self, name: str) -> Account | None:
        raise StoreError("gone")


def test_where_a_source_cannot_be_read_nobody_gets_in_and_nothing_is_counted() -> None:
    site = GuardedSite(Broken(name="file"), people())
    for _ in range(40):
        with pytest.raises(StoreError):
            site.passwords.check(site.visit(), "bob", RIGHT)
    assert site.events == []


class Full(Hasher):
    """A hasher whose queue is full."""

    def verify(self, encoded: str, password: str) -> bool:
        raise Busy

    def pretend(self, password: str, like: str | None = None) -> None:
        raise Busy


@pytest.mark.parametrize("name", ["bob", "nobody", "dan"])
def test_who_comes_while_too_many_wait_is_told_so_and_nothing_is_counted(name: str) -> None:
    site = GuardedSite(people())
    passwords = Passwords(site.directory, Full(CHEAP), site.throttle, site.audit)
    for _ in range(40):
        found = passwords.check(site.visit(), name, RIGHT)
        assert isinstance(found, Failed)
        assert (found.status, found.retry_after) == (503, 2)


def test_a_function_sees_the_request_and_its_no_costs_one_hash() -> None:
    seen: list[tuple[str, str, str]] = []

    def check(environ: Any, username: str, password: str) -> bool:
        seen.append((environ["REMOTE_ADDR"], username, password))
        return password == RIGHT

    site = GuardedSite(CallableSource(check))
    assert isinstance(site.passwords.check(site.visit(), "bob", RIGHT), Account)
    assert outcome(site, "bob", "falsch")[1] == 1
    assert seen == [("192.0.2.7", "bob", RIGHT), ("192.0.2.7", "bob", "falsch")]


def test_no_password_and_no_hash_is_in_the_audit_log() -> None:
    site = GuardedSite(people())
    site.passwords.check(site.visit(), "bob", "falsches-geheimnis")
    site.passwords.check(site.visit(), "nobody", "falsches-geheimnis")
    assert "geheimnis" not in str(site.events)
    assert "argon2" not in str(site.events)


def test_a_new_password_is_kept_and_ends_sessions() -> None:
    users = people()
    told: list[tuple[int, str]] = []
    site = GuardedSite(users)
    passwords = Passwords(
        site.directory, site.hasher, site.throttle, site.audit, changed=lambda a, p: told.append((a.epoch, p))
    )
    bob = site.directory.find("bob")
    assert bob is not None
    assert passwords.change(bob, "ein ganz anderes") is None
    assert told == [(1, "ein ganz anderes")]
    assert isinstance(passwords.check(site.visit(), "bob", RIGHT), Failed)
    assert isinstance(passwords.check(site.visit(), "bob", "ein ganz anderes"), Account)


@pytest.mark.parametrize("new", ["short", "1234567890", "bob bob bob", "acme-intranet"])
def test_a_new_password_that_is_guessed_is_not_kept(new: str) -> None:
    users = people()
    site = GuardedSite(users)
    passwords = Passwords(site.directory, site.hasher, site.throttle, site.audit, words=("ACME Intranet",))
    bob = site.directory.find("bob")
    assert bob is not None
    before = users.hashes["bob"]
    assert passwords.change(bob._replace(display="Bobbob"), new)
    assert users.hashes["bob"] == before


def test_where_no_password_is_kept_none_can_be_changed() -> None:
    site = GuardedSite(CallableSource(lambda environ, name, password: True))
    account = site.directory.find("bob")
    assert account is not None
    assert "cannot be changed here" in (site.passwords.change(account, "ein ganz anderes") or "")


def test_whoever_is_told_of_right_passwords_is_told_of_no_others() -> None:
    told: list[str] = []
    site = GuardedSite(people())
    passwords = Passwords(
        site.directory, site.hasher, site.throttle, site.audit, shown=lambda account, password: told.append(password)
    )
    passwords.check(site.visit(), "bob", "falsch")
    passwords.check(site.visit(), "dan", RIGHT)
    passwords.check(site.visit(), "bob", RIGHT)
    assert told == [RIGHT]


def test_a_password_can_be_asked_for_once_more() -> None:
    site = GuardedSite(people())
    bob = site.directory.find("bob")
    assert bob is not None
    assert site.passwords.verify(bob, RIGHT, {})
    assert not site.passwords.verify(bob, "falsch", {})
    assert site.events == []


@pytest.mark.parametrize("make", [people, lambda: people(name="other")])
def test_two_sources_cannot_have_one_name(make: Callable[[], KeptUsers]) -> None:
    with pytest.raises(ValueError, match="two sources have one name"):
        Directory([make(), make()])


def test_what_is_known_elsewhere_is_added_to_every_account() -> None:
    directory = Directory([people()], lambda account: account._replace(roles=frozenset({"editor"})))
    found, got = directory.find("bob"), directory.get("local:bob")
    assert found == got
    assert found is not None
    assert found.roles == {"editor"}


@pytest.mark.slow
def test_names_that_nobody_has_take_as_much_time_as_wrong_passwords() -> None:
    """ASVS 6.3.8, by the time on the processor: what else the machine does then counts for nothing."""
    source = KeptUsers({"bob": Hasher("t=1,m=2048,p=1").hash(RIGHT)})
    site = GuardedSite(source, throttle={"rate": Rate(10_000, 900), "address_rate": Rate(10_000, 60)})
    passwords = Passwords(site.directory, Hasher("t=1,m=2048,p=1", 1), site.throttle, site.audit)
    spent: dict[str, list[float]] = {"bob": [], "eva": []}
    visit = site.visit()
    for _ in range(200):
        for name, times in spent.items():
            before = time.process_time()
            assert isinstance(passwords.check(visit, name, "falsch"), Failed)
            times.append(time.process_time() - before)
    passwords.close()
    bob, eva = (statistics.median(times) for times in spent.values())
    assert abs(bob - eva) < 0.15 * max(bob, eva), (bob, eva)
