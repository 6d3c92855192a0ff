"""Who needs a second factor, and what an account has."""

from __future__ import annotations

from typing import Any

import pytest
from auth_pages import Clock

from wheatpaste.config.options import OptionError
from wheatpaste.middleware.auth.account import Account
from wheatpaste.middleware.auth.factors.factors import Factors
from wheatpaste.middleware.auth.factors.options import MfaOptions, PasskeyOptions
from wheatpaste.middleware.auth.factors.tables import SCHEMA
from wheatpaste.middleware.auth.factors.totp import code_at, step_at
from wheatpaste.middleware.auth.vault import Vault
from wheatpaste.middleware.storage.memory import MemoryStore
from wheatpaste.middleware.storage.memory_tables import MemoryTables

BOB = Account("local:1", "bob", "local", roles=frozenset({"editor"}), groups=frozenset({"staff"}))
SEED = b"12345678901234567890"


@pytest.mark.parametrize(
    ("options", "needs"),
    [
        ({}, False),
        ({"totp": "required"}, True),
        ({"require_for": ("role:editor",)}, True),
        ({"require_for": ("group:staff",)}, True),
        ({"require_for": ("user:bob",)}, True),
        ({"require_for": ("role:staff", "group:editor", "user:eve")}, False),
    ],
)
def test_it_goes_by_roles_groups_and_names(options: dict[str, Any], needs: bool) -> None:
    assert MfaOptions(**options).needs_second_factor(BOB) is needs


def test_who_has_one_is_asked_for_it() -> None:
    assert MfaOptions(totp="off").needs_second_factor(BOB._replace(has_second_factor=True))


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"require_for": ("admin",)}, "role:NAME"),
        ({"require_for": ("role:",)}, "role:NAME"),
        ({"skew": 3}, "between"),
        ({"fresh": 5}, "between"),
        ({"per_hour": 1000}, "between"),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, Any], word: str) -> None:
    with pytest.raises(OptionError, match=word):
        MfaOptions(**options)


@pytest.mark.parametrize("domain", ["Example.org", "https://example.org", "", "-x.org", "a b"])
def test_a_domain_is_a_host_name(domain: str) -> None:
    with pytest.raises(OptionError, match="host name"):
        PasskeyOptions(domain=domain)


@pytest.mark.parametrize("origin", ["http://example.org", "https://example.org/", "example.org", "https://", "null"])
def test_an_origin_is_one(origin: str) -> None:
    with pytest.raises(OptionError, match="origin"):
        PasskeyOptions(origins=(origin,))


class Site:
    def __init__(self) -> None:
        self.clock = Clock()
        self.noted: list[tuple[str, bool]] = []
        self.factors = Factors(
            MemoryTables(SCHEMA),
            Vault.temporary(),
            self.clock,
            store=MemoryStore(self.clock),
            changed=lambda account, has: self.noted.append((account, has)),
            recovery_cost=2,
        )

    def code(self) -> str:
        return code_at(SEED, step_at(self.clock()))


@pytest.fixture
def site() -> Site:
    return Site()


def test_the_account_is_told_when_it_has_one(site: Site) -> None:
    assert not site.factors.note(BOB.id)
    site.factors.totp.put(BOB.id, SEED)
    assert site.factors.note(BOB.id)
    assert site.noted == [(BOB.id, False), (BOB.id, True)]


def test_recovery_codes_alone_are_no_second_factor(site: Site) -> None:
    site.factors.recovery.renew(BOB.id)
    assert not site.factors.has_second_factor(BOB.id)
    site.factors.note(BOB.id)
    assert site.factors.recovery.left(BOB.id) == 0


def test_it_says_by_what_it_was_shown(site: Site) -> None:
    site.factors.totp.put(BOB.id, SEED)
    (recovery, *_) = site.factors.recovery.renew(BOB.id)
    assert site.factors.use_code(BOB.id, site.code()) == "otp"
    assert site.factors.use_code(BOB.id, recovery) == "recovery"
    assert site.factors.use_code(BOB.id, recovery) is None


def test_a_right_code_after_too_many_wrong_ones_is_not_looked_at(site: Site) -> None:
    site.factors.totp.put(BOB.id, SEED)
    for _ in range(10):
        site.factors.use_code(BOB.id, "000000")
    assert site.factors.use_code(BOB.id, site.code()) is None
    site.clock.move(3601)
    assert site.factors.use_code(BOB.id, site.code()) == "otp"


def test_a_reset_takes_everything_away(site: Site) -> None:
    site.factors.totp.put(BOB.id, SEED)
    site.factors.recovery.renew(BOB.id)
    site.factors.reset(BOB.id)
    assert site.factors.of(BOB.id) == (None, 0, (), ())
    assert site.noted == [(BOB.id, False)]
