"""Codes of an app: by the RFC, by other programs, and never twice."""

from __future__ import annotations

import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyotp
import pytest
from auth_pages import Clock
from hypothesis import given
from hypothesis import strategies as st
from prerequisites import lacking

from wheatpaste.middleware.auth.factors import totp
from wheatpaste.middleware.auth.factors.tables import SCHEMA
from wheatpaste.middleware.auth.factors.totp_apps import SEALED, TotpApps
from wheatpaste.middleware.auth.key_file import new_key
from wheatpaste.middleware.auth.reseal import reseal
from wheatpaste.middleware.auth.vault import Vault
from wheatpaste.middleware.storage.database import Database
from wheatpaste.middleware.storage.memory_tables import MemoryTables

RFC_SEED = b"12345678901234567890"
BOB = "local:1"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def apps(clock: Clock) -> TotpApps:
    return TotpApps(MemoryTables(SCHEMA), Vault.temporary(), clock)


def now(clock: Clock) -> int:
    return totp.step_at(clock())


# RFC 6238, appendix B, the last six of eight digits
@pytest.mark.parametrize(
    ("time", "code"),
    [
        (59, "287082"),
        (1111111109, "081804"),
        (1111111111, "050471"),
        (1234567890, "005924"),
        (2000000000, "279037"),
        (20000000000, "353130"),
    ],
)
def test_it_computes_what_the_rfc_says(time: int, code: str) -> None:
    assert totp.code_at(RFC_SEED, totp.step_at(time)) == code


@given(st.binary(min_size=14, max_size=64), st.integers(0, 2**32))
def test_it_agrees_with_pyotp(seed: bytes, time: int) -> None:
    assert totp.code_at(seed, totp.step_at(time)) == pyotp.TOTP(totp.seed_text(seed)).at(time)


def test_it_agrees_with_oathtool() -> None:
    program = shutil.which("oathtool")
    if program is None:
        lacking("oathtool")
    for seed in (totp.new_seed(), b"0123456789"):
        command = [program, "--totp", "--base32", totp.seed_text(seed), "--now", "2027-01-15 08:00:00 UTC"]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        assert totp.code_at(seed, totp.step_at(1_800_000_000)) == said


def test_the_picture_s_address_is_what_other_programs_read() -> None:
    read = pyotp.parse_uri(totp.uri(RFC_SEED, "Brick: & Paste", "ada@example.org"))
    assert isinstance(read, pyotp.TOTP)
    assert (read.secret, read.issuer, read.name) == (totp.seed_text(RFC_SEED), "Brick  & Paste", "ada@example.org")
    assert (read.digits, read.interval) == (6, 30)


@pytest.mark.parametrize(
    "typed", ["gezd gnbv gy3t qojq", "GEZDGNBVGY3TQOJQ", "GEZD-GNBV-GY3T-QOJQ", "GEZDGNBVGY3TQOJQ===="]
)
def test_a_seed_of_80_bits_is_taken_as_people_copy_it(typed: str) -> None:
    assert totp.read_seed(typed) == b"1234567890"


@pytest.mark.parametrize("typed", ["", "ABCDEFGH", "0189" * 8, "Ä" * 32, "A" * 200])
def test_what_is_no_seed_is_refused(typed: str) -> None:
    with pytest.raises(ValueError, match="a seed"):
        totp.read_seed(typed)


@given(st.text(max_size=60))
def test_nothing_that_is_typed_makes_it_fail(text: str) -> None:
    cleaned = totp.cleaned(text)
    assert cleaned is None or (cleaned.isascii() and cleaned.isdigit() and len(cleaned) == 6)


def test_a_code_of_the_app_counts_once(apps: TotpApps, clock: Clock) -> None:
    apps.put(BOB, RFC_SEED)
    code = totp.code_at(RFC_SEED, now(clock))
    assert apps.use(BOB, code)
    assert not apps.use(BOB, code)


@pytest.mark.parametrize(
    ("offset", "counts"), [(-2, False), (-1, True), (0, True), (1, False)], ids=["old", "previous", "present", "future"]
)
def test_the_previous_code_counts_too(offset: int, counts: bool, apps: TotpApps, clock: Clock) -> None:
    apps.put(BOB, RFC_SEED)
    assert apps.use(BOB, totp.code_at(RFC_SEED, now(clock) + offset)) is counts


def test_without_skew_it_is_thirty_seconds(clock: Clock) -> None:
    apps = TotpApps(MemoryTables(SCHEMA), Vault.temporary(), clock, skew=0)
    apps.put(BOB, RFC_SEED)
    assert not apps.use(BOB, totp.code_at(RFC_SEED, now(clock) - 1))
    assert apps.use(BOB, totp.code_at(RFC_SEED, now(clock)))


def test_no_code_counts_that_is_older_than_the_last_one_used(apps: TotpApps, clock: Clock) -> None:
    apps.put(BOB, RFC_SEED)
    assert apps.use(BOB, totp.code_at(RFC_SEED, now(clock)))
    assert not apps.use(BOB, totp.code_at(RFC_SEED, now(clock) - 1))
    clock.move(30)
    assert apps.use(BOB, totp.code_at(RFC_SEED, now(clock)))


def test_of_many_who_use_a_code_at_once_one_does(tmp_path: Path, clock: Clock) -> None:
    tables = Database(tmp_path / "auth.db", SCHEMA)
    vault = Vault.temporary()
    apps = [TotpApps(tables, vault, clock) for _ in range(4)]
    apps[0].put(BOB, RFC_SEED)
    code = totp.code_at(RFC_SEED, now(clock))
    with ThreadPoolExecutor(8) as pool:
        used = list(pool.map(lambda each: apps[each % 4].use(BOB, code), range(32)))
    tables.close()
    assert sum(used) == 1


def test_the_code_that_set_the_app_up_is_used_by_that(apps: TotpApps, clock: Clock) -> None:
    code = totp.code_at(RFC_SEED, now(clock))
    assert not apps.confirm(BOB, RFC_SEED, "000000" if code != "000000" else "000001")
    assert apps.info(BOB) is None
    assert apps.confirm(BOB, RFC_SEED, code)
    assert not apps.use(BOB, code)


def test_the_tables_do_not_tell_the_seed(clock: Clock) -> None:
    tables = MemoryTables(SCHEMA)
    TotpApps(tables, Vault.temporary(), clock).put(BOB, RFC_SEED)
    assert totp.seed_text(RFC_SEED) not in str(tables.query("SELECT * FROM auth_totp"))


def test_a_seed_that_is_moved_to_another_account_stays_shut(clock: Clock) -> None:
    tables = MemoryTables(SCHEMA)
    apps = TotpApps(tables, Vault.temporary(), clock)
    apps.put("local:mallory", b"a seed that mallory knows")
    apps.put(BOB, RFC_SEED)
    stolen = tables.query("SELECT seed FROM auth_totp WHERE account = 'local:mallory'")[0][0]
    tables.query("UPDATE auth_totp SET seed = ? WHERE account = ?", (stolen, BOB))
    assert not apps.use(BOB, totp.code_at(b"a seed that mallory knows", now(clock)))


def test_seeds_are_sealed_anew_after_a_rotation(clock: Clock) -> None:
    tables = MemoryTables(SCHEMA)
    old, new = new_key(), new_key()
    TotpApps(tables, Vault([old]), clock).put(BOB, RFC_SEED)
    assert reseal(tables, Vault([new, old]), SEALED).renewed == 1
    assert TotpApps(tables, Vault([new]), clock).use(BOB, totp.code_at(RFC_SEED, now(clock)))


def test_a_picture_can_be_drawn() -> None:
    drawn = totp.qr_svg(totp.uri(RFC_SEED, "Wiki", "ada"))
    assert drawn.startswith("<svg")
    assert "style=" not in drawn
