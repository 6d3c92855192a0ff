"""Passkeys: an honest one, and all that a dishonest one can try."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from auth_pages import Clock
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from soft_authenticator import BACKED_UP, ELIGIBLE, PRESENT, VERIFIED, SoftAuthenticator, raw, text

from wheatpaste.config.options import OptionError
from wheatpaste.middleware.auth.account import Account
from wheatpaste.middleware.auth.factors.challenge import Challenges
from wheatpaste.middleware.auth.factors.options import PasskeyOptions
from wheatpaste.middleware.auth.factors.passkeys import MOST_BYTES, NoPasskey, Passkeys
from wheatpaste.middleware.auth.factors.tables import SCHEMA
from wheatpaste.middleware.auth.vault import Vault
from wheatpaste.middleware.storage.memory import MemoryStore
from wheatpaste.middleware.storage.memory_tables import MemoryTables

BOB = Account("local:1", "bob", "local", "Bob")
EVE = Account("local:2", "eve", "local")
BROWSER = "the-cookie-of-this-browser"


class Site:
    def __init__(self, **options: Any) -> None:
        self.clock = Clock()
        self.tables = MemoryTables(SCHEMA)
        self.store = MemoryStore(self.clock)
        self.challenges = Challenges(self.store, Vault.temporary(), self.clock)
        self.passkeys = Passkeys(
            self.tables,
            self.challenges,
            "https://wiki.example.org",
            PasskeyOptions(**options),
            self.clock,
            title="Wiki",
        )

    def add(self, account: Account = BOB, device: SoftAuthenticator | None = None, **how: Any) -> SoftAuthenticator:
        device = device or SoftAuthenticator()
        options = self.passkeys.creation_options(account, verified=True)
        self.passkeys.add(account, device.create(options, **how), "Laptop", verified=True)
        return device

    def ask(self, **how: Any) -> dict[str, Any]:
        return self.passkeys.request_options("login", BROWSER, verified=True, **how)

    def shown(self, answer: str, **how: Any) -> Any:
        return self.passkeys.shown(answer, "login", [BROWSER], **{"verified": True, **how})


@pytest.fixture
def site() -> Site:
    return Site()


def test_what_was_added_signs_in(site: Site) -> None:
    device = site.add()
    shown = site.shown(device.get(site.ask()))
    assert (shown.passkey.account, shown.passkey.label, shown.amr) == (BOB.id, "Laptop", ("hwk", "user", "mfa"))
    assert site.passkeys.of(BOB.id)[0].used == site.clock()


def test_the_browser_is_asked_for_what_can_do_without_a_password(site: Site) -> None:
    options = site.passkeys.creation_options(BOB, verified=True)
    assert options["rp"] == {"id": "wiki.example.org", "name": "Wiki"}
    assert options["authenticatorSelection"] == {
        "residentKey": "required",
        "requireResidentKey": True,
        "userVerification": "required",
    }
    assert len(raw(options["user"]["id"])) == 64
    assert len(raw(options["challenge"])) >= 32
    assert {each["alg"] for each in options["pubKeyCredParams"]} >= {-7, -8, -257}
    assert json.loads(json.dumps(options)) == options


def test_the_handle_is_the_same_each_time_and_another_for_each_user(site: Site) -> None:
    first, again, other = (
        site.passkeys.creation_options(each, verified=True)["user"]["id"] for each in (BOB, BOB, EVE)
    )
    assert first == again != other


def test_a_device_is_not_asked_for_a_second_one(site: Site) -> None:
    device = site.add()
    options = site.passkeys.creation_options(BOB, verified=True)
    assert [each["id"] for each in options["excludeCredentials"]] == [text(device.id)]


def test_the_question_tells_nobody_who_has_passkeys(site: Site) -> None:
    site.add()
    assert site.ask()["allowCredentials"] == []


def test_a_synchronized_passkey_is_known_as_such(site: Site) -> None:
    device = site.add(flags=PRESENT | VERIFIED | ELIGIBLE)
    shown = site.shown(device.get(site.ask(), flags=PRESENT | VERIFIED | ELIGIBLE | BACKED_UP))
    assert shown.amr == ("swk", "user", "mfa")
    assert site.passkeys.of(BOB.id)[0].is_backed_up


ATTACKS: dict[str, dict[str, Any]] = {
    "a page of another site": {"origin": "https://evil.example"},
    "a page without TLS": {"origin": "http://wiki.example.org"},
    "another port": {"origin": "https://wiki.example.org:8443"},
    "a host below ours": {"origin": "https://evil.wiki.example.org"},
    "a frame in another site": {"crossOrigin": True},
    "a frame, as newer browsers say": {"topOrigin": "https://evil.example"},
    "a frame, said strangely": {"crossOrigin": "true"},
    "an answer to another kind of question": {"type": "webauthn.create"},
    "a challenge of its own": {"challenge": text(bytes(64))},
    "no challenge": {"challenge": ""},
    "a number for a challenge": {"challenge": 7},
    "nobody present": {"flags": VERIFIED},
    "a user that was not verified": {"flags": PRESENT},
    "a broken signature": {"broken": True},
    "no user": {"handle": None},
    "an unknown user": {"handle": text(bytes(64))},
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=list(ATTACKS))
def test_it_is_refused(attack: dict[str, Any], site: Site) -> None:
    device = site.add()
    with pytest.raises(NoPasskey):
        site.shown(device.get(site.ask(), **attack))
    assert site.shown(device.get(site.ask()))


def test_another_domain_s_passkey_is_refused(site: Site) -> None:
    device = site.add()
    device.domain = "evil.example"
    with pytest.raises(NoPasskey, match="RP ID"):
        site.shown(device.get(site.ask()))


def test_a_passkey_that_names_another_user_is_refused(site: Site) -> None:
    bob, eve = site.add(BOB), site.add(EVE)
    with pytest.raises(NoPasskey, match="another user"):
        site.shown(bob.get(site.ask(), handle=eve.handle))


def test_a_second_step_takes_this_user_s_passkey_alone(site: Site) -> None:
    site.add(BOB)
    eve = site.add(EVE)
    with pytest.raises(NoPasskey, match="another user's"):
        site.shown(eve.get(site.ask(account_id=BOB.id)), account_id=BOB.id)


def test_an_answer_counts_once(site: Site) -> None:
    device = site.add()
    answer = device.get(site.ask())
    assert site.shown(answer)
    with pytest.raises(NoPasskey, match="nothing that was asked"):
        site.shown(answer)


def test_of_many_who_send_one_answer_one_gets_in(site: Site) -> None:
    answer = site.add().get(site.ask())

    def tried(_: int) -> bool:
        try:
            site.shown(answer)
        except NoPasskey:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(tried, range(24))) == 1


def test_an_answer_that_failed_cannot_be_mended(site: Site) -> None:
    device = site.add()
    options = site.ask()
    with pytest.raises(NoPasskey):
        site.shown(device.get(options, broken=True))
    with pytest.raises(NoPasskey, match="nothing that was asked"):
        site.shown(device.get(options))


def test_a_question_lives_for_five_minutes(site: Site) -> None:
    device = site.add()
    asked = site.ask()
    site.clock.move(301)
    with pytest.raises(NoPasskey, match="nothing that was asked"):
        site.shown(device.get(asked))


def test_it_cannot_be_replayed_once_it_is_forgotten(site: Site) -> None:
    device = site.add()
    answer = device.get(site.ask())
    site.shown(answer)
    for _ in range(20):
        site.clock.move(30)
        site.store.sweep()
        with pytest.raises(NoPasskey, match="nothing that was asked"):
            site.shown(answer)


def test_another_browser_s_question_is_not_ours(site: Site) -> None:
    device = site.add()
    with pytest.raises(NoPasskey, match="nothing that was asked"):
        site.passkeys.shown(device.get(site.ask()), "login", ["another cookie"], verified=True)


def test_a_question_for_something_else_is_no_login(site: Site) -> None:
    device = site.add()
    options = site.passkeys.request_options("second", BROWSER, account_id=BOB.id, verified=True)
    with pytest.raises(NoPasskey, match="nothing that was asked"):
        site.shown(device.get(options))


def test_without_a_pin_it_is_a_second_factor_alone(site: Site) -> None:
    device = site.add()
    shown = site.shown(device.get(site.ask(account_id=BOB.id), flags=PRESENT), account_id=BOB.id, verified=False)
    assert shown.amr == ("hwk",)


def test_a_copy_is_found_out_by_its_counter(site: Site) -> None:
    device = site.add()
    site.shown(device.get(site.ask(), step=5))
    with pytest.raises(NoPasskey, match="counter"):
        site.shown(device.get(site.ask(), step=-2))


def test_a_wrong_counter_may_only_be_noted() -> None:
    site = Site(counter="note")
    device = site.add()
    site.shown(device.get(site.ask(), step=5))
    assert site.shown(device.get(site.ask(), step=-2)).counter_is_wrong


def test_devices_that_do_not_count_are_fine(site: Site) -> None:
    device = site.add()
    for _ in range(3):
        assert not site.shown(device.get(site.ask(), step=0)).counter_is_wrong


def test_a_passkey_belongs_to_one_user(site: Site) -> None:
    device = site.add(BOB)
    with pytest.raises(NoPasskey, match="kept already"):
        site.add(EVE, device)


@pytest.mark.parametrize(
    "attack",
    [{"origin": "https://evil.example"}, {"crossOrigin": True}, {"type": "webauthn.get"}, {"flags": PRESENT}],
    ids=["another site", "a frame", "another question", "not verified"],
)
def test_it_is_not_added(attack: dict[str, Any], site: Site) -> None:
    with pytest.raises(NoPasskey):
        site.add(**attack)
    assert site.passkeys.of(BOB.id) == []


def test_another_user_s_question_adds_nothing(site: Site) -> None:
    options = site.passkeys.creation_options(EVE, verified=True)
    with pytest.raises(NoPasskey, match="nothing that was asked"):
        site.passkeys.add(BOB, SoftAuthenticator().create(options), "", verified=True)


def test_there_is_a_limit() -> None:
    site = Site(most=2)
    site.add()
    site.add()
    with pytest.raises(ValueError, match="too many"):
        site.add()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.text(max_size=200),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=20),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["id", "rawId", "response", "type", "clientDataJSON"]), inner, max_size=4
                )
            ),
            max_leaves=12,
        ).map(json.dumps),
    )
)
def test_nothing_that_is_sent_makes_it_fail(site: Site, answer: str) -> None:
    with pytest.raises(NoPasskey):
        site.shown(answer)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["clientDataJSON", "authenticatorData", "signature", "userHandle"]),
    st.integers(0, 10_000),
    st.integers(0, 7),
)
def test_nothing_that_is_changed_in_an_answer_gets_in(name: str, place: int, bit: int) -> None:
    site = Site()
    answer = json.loads(site.add().get(site.ask()))
    sent = bytearray(raw(answer["response"][name]))
    sent[place % len(sent)] ^= 1 << bit
    answer["response"][name] = text(bytes(sent))
    with pytest.raises(NoPasskey):
        site.shown(json.dumps(answer))


def test_what_is_too_long_is_not_read(site: Site) -> None:
    with pytest.raises(NoPasskey, match="too long"):
        site.shown("[" * (MOST_BYTES + 1))


def test_the_last_one_can_be_kept(site: Site) -> None:
    site.add()
    site.add()
    first, second = site.passkeys.of(BOB.id)
    assert not site.passkeys.remove(EVE.id, first.id)
    assert site.passkeys.remove(BOB.id, first.id, keep_one=True)
    assert not site.passkeys.remove(BOB.id, second.id, keep_one=True)
    assert site.passkeys.remove(BOB.id, second.id)


def test_a_name_is_one_line(site: Site) -> None:
    site.add()
    (info,) = site.passkeys.of(BOB.id)
    assert site.passkeys.rename(BOB.id, info.id, " my\r\nblue\x00 key " + "x" * 100)
    assert site.passkeys.of(BOB.id)[0].label.startswith("my blue key xxx")
    assert len(site.passkeys.of(BOB.id)[0].label) == 60
    assert not site.passkeys.rename(EVE.id, info.id, "mine")


def test_a_domain_above_ours_may_be_taken() -> None:
    assert Site(domain="example.org").passkeys.domain == "example.org"


@pytest.mark.parametrize("domain", ["example.com", "evil.wiki.example.org", "ki.example.org"])
def test_no_other_domain_may(domain: str) -> None:
    with pytest.raises(OptionError, match="the host of public_url"):
        Site(domain=domain)
