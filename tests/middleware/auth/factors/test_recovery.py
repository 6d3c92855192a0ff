"""Codes on paper, each good for one login."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from auth_pages import Clock
from hypothesis import given
from hypothesis import strategies as st

from wheatpaste.middleware.auth.factors.attempts import Attempts
from wheatpaste.middleware.auth.factors.recovery import NUMBER, RecoveryCodes, cleaned, new_codes
from wheatpaste.middleware.auth.factors.tables import SCHEMA
from wheatpaste.middleware.storage.database import Database
from wheatpaste.middleware.storage.memory import MemoryStore
from wheatpaste.middleware.storage.memory_tables import MemoryTables

BOB, EVE = "local:1", "local:2"


@pytest.fixture
def recovery() -> RecoveryCodes:
    return RecoveryCodes(MemoryTables(SCHEMA), cost=2)


def test_there_are_ten_of_fifty_bits() -> None:
    codes = new_codes()
    assert len(set(codes)) == NUMBER == 10
    assert all(len(code) == 11 and code[5] == "-" for code in codes)
    assert len({code for _ in range(50) for code in new_codes()}) == 500


def test_each_counts_once(recovery: RecoveryCodes) -> None:
    codes = recovery.renew(BOB)
    assert [recovery.use(BOB, code) for code in (codes[0], codes[0], codes[9])] == [True, False, True]
    assert recovery.left(BOB) == 8


@pytest.mark.parametrize(
    "change", [str.lower, lambda code: code.replace("-", ""), lambda code: f" {code[:5]} {code[6:]} "]
)
def test_it_is_taken_as_people_type_it(change: object, recovery: RecoveryCodes) -> None:
    code = recovery.renew(BOB)[3]
    assert recovery.use(BOB, change(code))  # type: ignore[operator]


def test_it_is_nobody_else_s(recovery: RecoveryCodes) -> None:
    codes = recovery.renew(BOB)
    recovery.renew(EVE)
    assert not recovery.use(EVE, codes[0])
    assert recovery.left(BOB) == 10


def test_new_ones_void_those_before(recovery: RecoveryCodes) -> None:
    old = recovery.renew(BOB)
    recovery.renew(BOB)
    assert not any(recovery.use(BOB, code) for code in old)
    assert recovery.left(BOB) == 10


def test_of_many_who_use_one_at_once_one_does(tmp_path: Path) -> None:
    tables = Database(tmp_path / "auth.db", SCHEMA)
    recovery = RecoveryCodes(tables, cost=2)
    code = recovery.renew(BOB)[0]
    with ThreadPoolExecutor(8) as pool:
        used = list(pool.map(lambda _: recovery.use(BOB, code), range(32)))
    tables.close()
    assert sum(used) == 1


def test_the_tables_do_not_tell_them() -> None:
    tables = MemoryTables(SCHEMA)
    codes = RecoveryCodes(tables, cost=2).renew(BOB)
    kept = str(tables.query("SELECT * FROM auth_recovery"))
    assert not any(code in kept or code.replace("-", "") in kept for code in codes)


def test_the_usual_cost_can_be_paid() -> None:
    recovery = RecoveryCodes(MemoryTables(SCHEMA))
    assert recovery.use(BOB, recovery.renew(BOB)[0])


@given(st.text(max_size=60))
def test_nothing_that_is_typed_makes_it_fail(text: str) -> None:
    found = cleaned(text)
    assert found is None or len(found) == 10


def test_ten_wrong_codes_an_hour_are_enough() -> None:
    clock = Clock()
    attempts = Attempts(MemoryStore(clock))
    assert [attempts.admit(BOB) for _ in range(12)] == [True] * 10 + [False] * 2
    assert attempts.admit(EVE)
    clock.move(3601)
    assert attempts.admit(BOB)


def test_a_right_code_is_no_wrong_one() -> None:
    attempts = Attempts(MemoryStore(Clock()))
    for _ in range(30):
        assert attempts.admit(BOB)
        attempts.succeeded(BOB)
