"""It takes names and passwords, over TLS or from this machine, and as quickly as they come."""

import base64
from typing import Any

import pytest
from auth_guarded_site import CHEAP, GuardedSite, KeptUsers
from hypothesis import given
from hypothesis import strategies as st

from wheatpaste.middleware.auth.account import Account
from wheatpaste.middleware.auth.identity import Identity
from wheatpaste.middleware.auth.method import Failed
from wheatpaste.middleware.auth.methods.basic import Basic, BasicOptions, read_pair
from wheatpaste.middleware.auth.methods.credential_cache import CredentialCache
from wheatpaste.middleware.auth.passwords.hasher import Hasher
from wheatpaste.middleware.auth.visit import Visit
from wheatpaste.testing import Clock

RIGHT = "gelbe Ampel: nachts"


def people(**more: Any) -> KeptUsers:
    encoded = Hasher(CHEAP).hash(RIGHT)
    return KeptUsers(
        dict.fromkeys(("bob", "dan", "mfa", "new", "josé"), encoded),
        {"dan": {"disabled": True}, "mfa": {"has_second_factor": True}, "new": {"must_change_password": True}},
        **more,
    )


class Guarded(GuardedSite):
    """A site with Basic."""

    def __init__(
        self, *sources: Any, options: BasicOptions | None = None, allow_insecure: bool = False, **how: Any
    ) -> None:
        super().__init__(*(sources or (people(),)), allow_insecure=allow_insecure)
        self.users = self.directory.sources[0]
        self.basic = Basic(
            self.passwords,
            "Wiki",
            self.audit,
            options,
            clock=self.clock.time,
            monotonic=self.clock.monotonic,
            **how,
        )

    def ask(self, name: str, password: str, *, encoding: str = "utf-8", **environ: Any) -> Identity | Failed | None:
        """What comes of these credentials over TLS."""
        return self.send(base64.b64encode(f"{name}:{password}".encode(encoding)).decode(), **environ)

    def send(self, text: str, **environ: Any) -> Identity | Failed | None:
        """What comes of this text behind the scheme."""
        environ = {"wsgi.url_scheme": "https", **environ}
        return self.basic.identify(self.visit([("Authorization", f"Basic {text}")], **environ))


def reason(found: Identity | Failed | None) -> str:
    assert isinstance(found, Failed)
    return found.reason


def test_the_right_password_is_an_identity() -> None:
    site = Guarded()
    found = site.ask("BOB", RIGHT)
    assert isinstance(found, Identity)
    assert (found.id, found.name, found.method, found.amr) == ("local:bob", "bob", "basic", ("pwd",))
    assert found.auth_time == site.clock.time()
    assert [event["event"] for event in site.events] == ["login.ok"]


def test_without_credentials_it_has_nothing_to_say() -> None:
    site = Guarded()
    for header in ("", "Bearer abc", "Basic", "Negotiate"):
        assert site.basic.identify(site.visit([("Authorization", header)])) is None
    assert site.events == []


@pytest.mark.parametrize("text", ["", "!!!", "Ym9i", "Ym9i:", "=", "YQ", "a" * 7, "Ym9iOg== extra"])
def test_what_is_no_pair_counts_as_nothing(text: str) -> None:
    assert Guarded().send(text) is None


def test_padding_may_be_missing() -> None:
    assert read_pair(base64.b64encode(b"bob:pass").decode().rstrip("=")) == ("bob", "pass")


@pytest.mark.parametrize("password", ["", "a:b", ":", " x ", "grüße"])
def test_only_the_first_colon_separates(password: str) -> None:
    assert read_pair(base64.b64encode(f"bob:{password}".encode()).decode()) == ("bob", password)


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_names_come_in_utf_8_or_else_in_latin_1(encoding: str) -> None:
    assert isinstance(Guarded().ask("jos\u00e9", RIGHT, encoding=encoding), Identity)


def test_names_come_in_composed_or_decomposed_characters() -> None:
    assert isinstance(Guarded().ask("jose\u0301", RIGHT), Identity)


@pytest.mark.parametrize(
    ("name", "password"), [("b\0ob", RIGHT), ("bob\r\nx", RIGHT), ("bob", RIGHT + "\0"), ("bob", "\x7f")]
)
def test_control_characters_are_refused(name: str, password: str) -> None:
    assert reason(Guarded().ask(name, password)) == "malformed"


FAILURES = {
    "wrong password": ("bob", "falsch", "wrong password"),
    "nobody": ("nobody", RIGHT, "unknown user"),
    "disabled": ("dan", RIGHT, "disabled user"),
    "second factor": ("mfa", RIGHT, "second factor needed"),
    "a password that has to be changed": ("new", RIGHT, "password has to be changed"),
    "an empty password": ("bob", "", "malformed"),
    "1 MiB of password": ("bob", "x" * (1 << 12), "malformed"),
}


@pytest.mark.parametrize(("name", "password", "why"), FAILURES.values(), ids=FAILURES)
def test_all_failures_look_the_same(name: str, password: str, why: str) -> None:
    site = Guarded()
    found = site.ask(name, password)
    assert found == Failed(why)
    assert ("login.fail", why) in site.reasons()
    assert not any(event["event"] == "login.ok" for event in site.events)


def test_a_header_of_a_megabyte_counts_as_nothing() -> None:
    assert Guarded().ask("bob", "x" * (1 << 20)) is None


def test_who_tries_too_often_is_told_to_wait() -> None:
    site = Guarded()
    for _ in range(5):
        site.ask("bob", "falsch")
    found = site.ask("bob", RIGHT)
    assert isinstance(found, Failed)
    assert (found.status, found.retry_after) == (429, 1)


INSECURE = {
    "plain http from elsewhere": ({"REMOTE_ADDR": "192.0.2.7"}, False),
    "plain http from here": ({"REMOTE_ADDR": "127.0.0.1"}, True),
    "plain http from here, IPv6": ({"REMOTE_ADDR": "::1"}, True),
    "through a proxy on this machine": ({"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": "192.0.2.7"}, False),
    "through a proxy that says so": ({"REMOTE_ADDR": "127.0.0.1", "HTTP_VIA": "1.1 proxy"}, False),
    "an address that a proxy has told": ({"REMOTE_ADDR": "127.0.0.1", "wheatpaste.peer": "10.0.0.1"}, False),
    "through a socket of this machine": ({"REMOTE_ADDR": ""}, True),
    "through a proxy and a socket of this machine": ({"REMOTE_ADDR": "", "HTTP_X_FORWARDED_FOR": "::1"}, False),
    "over TLS": ({"wsgi.url_scheme": "https"}, True),
}


@pytest.mark.parametrize(("environ", "is_taken"), INSECURE.values(), ids=INSECURE)
def test_passwords_are_neither_taken_nor_asked_for_where_they_can_be_read(
    environ: dict[str, str], is_taken: bool
) -> None:
    site = Guarded()
    plain = {"wsgi.url_scheme": "http", **environ}
    found = site.ask("bob", RIGHT, **plain)
    assert isinstance(found, Identity) is is_taken
    assert bool(site.basic.challenges(site.visit(**plain))) is is_taken
    if isinstance(found, Failed):
        assert (found.reason, found.status) == ("plain http", 403)
        assert site.hasher.computations == 0
    opened = Guarded(allow_insecure=True)
    assert isinstance(opened.ask("bob", RIGHT, **plain), Identity)
    assert opened.basic.challenges(opened.visit(**plain))


def test_the_challenge_asks_for_utf_8_and_quotes_the_realm() -> None:
    site = GuardedSite(people())
    basic = Basic(site.passwords, 'Bob\'s "wiki"\r\n', site.audit)
    assert basic.challenges(site.visit(**{"wsgi.url_scheme": "https"})) == [
        'Basic realm="Bob\'s \\"wiki\\"", charset="UTF-8"'
    ]


def test_a_password_that_was_right_costs_one_hash_in_a_minute() -> None:
    site = Guarded()
    site.ask("bob", RIGHT)
    before = site.hasher.computations
    for _ in range(100):
        assert isinstance(site.ask("Bob", RIGHT), Identity)
    assert site.hasher.computations == before
    site.clock.advance(60)
    site.ask("bob", RIGHT)
    assert site.hasher.computations == before + 1


def test_a_password_that_is_not_exactly_the_one_that_was_right_is_not_taken_for_it() -> None:
    site = Guarded()
    site.ask("bob", RIGHT)
    for other in (RIGHT + " ", RIGHT.upper(), RIGHT[:-1]):
        assert reason(site.ask("bob", other)) == "wrong password"
    assert reason(site.ask("dan", RIGHT)) == "disabled user"


CHANGES: dict[str, dict[str, Any]] = {
    "disabled": {"disabled": True},
    "signed out everywhere": {"epoch": 1},
    "with a second factor": {"has_second_factor": True},
    "with a password to change": {"must_change_password": True},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_happens_to_an_account_counts_at_the_next_request(change: dict[str, Any]) -> None:
    users = people()
    site = Guarded(users)
    assert isinstance(site.ask("bob", RIGHT), Identity)
    before = site.hasher.computations
    users.known["bob"] = change
    if "epoch" in change:
        users.hashes["bob"] = Hasher(CHEAP).hash("ein neues Passwort")
    assert isinstance(site.ask("bob", RIGHT), Failed)
    # Who is disabled, or has another password, is refused with the work of one hash, as if nothing had been known.
    assert site.hasher.computations - before == int(bool({"epoch", "disabled"} & set(change)))


def test_a_user_who_is_deleted_is_gone_at_the_next_request() -> None:
    users = people()
    site = Guarded(users)
    site.ask("bob", RIGHT)
    del users.hashes["bob"]
    assert reason(site.ask("bob", RIGHT)) == "unknown user"


def test_roles_are_those_of_now() -> None:
    users = people()
    site = Guarded(users)
    site.ask("bob", RIGHT)
    users.known["bob"] = {"roles": frozenset({"editor"})}
    found = site.ask("bob", RIGHT)
    assert isinstance(found, Identity)
    assert found.roles == {"editor"}


def test_who_is_known_goes_on_while_strangers_guess() -> None:
    site = Guarded()
    site.ask("bob", RIGHT)
    for number in range(20):
        site.ask("bob", "falsch", REMOTE_ADDR=f"198.51.100.{number}")
    assert isinstance(site.ask("bob", RIGHT), Identity)
    site.clock.advance(61)
    assert isinstance(site.ask("bob", RIGHT), Identity)
    assert isinstance(site.ask("bob", RIGHT, REMOTE_ADDR="203.0.113.1"), Identity)


def test_nothing_is_remembered_where_it_is_said() -> None:
    site = Guarded(options=BasicOptions(cache=0))
    before = site.hasher.computations
    for _ in range(3):
        site.ask("bob", RIGHT)
    assert site.hasher.computations - before == 3


def test_of_too_many_passwords_the_one_not_asked_for_longest_is_forgotten() -> None:
    clock = Clock()
    cache = CredentialCache(60, 2, clock.monotonic)
    ann, bob, eve = (Account(f"local:{name}", name, "local") for name in ("ann", "bob", "eve"))
    cache.add(ann, b"one")
    cache.add(bob, b"two")
    assert cache.has(ann, b"one")
    cache.add(eve, b"three")
    assert [cache.has(ann, b"one"), cache.has(bob, b"two"), cache.has(eve, b"three")] == [True, False, True]


def test_accounts_and_passwords_that_run_together_are_not_confused() -> None:
    cache = CredentialCache()
    cache.add(Account("local:a", "a", "local", epoch=1), b"2:x")
    assert not cache.has(Account("local:a", "a", "local", epoch=12), b"x")
    assert not cache.has(Account("local:a:1", "a:1", "local", epoch=2), b"x")


def test_an_api_token_may_come_in_the_place_of_the_password() -> None:
    def token(visit: Visit, name: str, text: str) -> Identity | Failed | None:
        if not text.startswith("wp_"):
            return None
        return Identity(f"local:{name}", name, "bearer") if text == "wp_good" else Failed("token expired")

    site = Guarded(token=token)
    found = site.ask("ann", "wp_good")
    assert isinstance(found, Identity)
    assert (found.name, found.method) == ("ann", "bearer")
    assert reason(site.ask("bob", "wp_bad")) == "token expired"
    assert isinstance(site.ask("bob", RIGHT), Identity)
    assert reason(Guarded(token=token, options=BasicOptions(tokens=False)).ask("x", "wp_good")) == "unknown user"


_SITE = Guarded()


@given(st.text(alphabet=st.characters(max_codepoint=255), max_size=120), st.binary(max_size=60))
def test_it_raises_for_no_header(text: str, raw: bytes) -> None:
    for value in (text, f"Basic {text}", "Basic " + base64.b64encode(raw).decode()):
        visit = _SITE.visit([("Authorization", value)], **{"wsgi.url_scheme": "https"})
        assert not isinstance(_SITE.basic.identify(visit), Identity)
