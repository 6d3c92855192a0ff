"""Keys of a site: what they seal, and who can open it."""

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wheatpaste.config.problems import ConfigError
from wheatpaste.middleware.auth.key_file import make_key_file, new_key, retire, rotate
from wheatpaste.middleware.auth.reseal import Resealed, SealedColumn, reseal
from wheatpaste.middleware.auth.sessions.options import SessionOptions
from wheatpaste.middleware.auth.sessions.sealed import SealedSessions
from wheatpaste.middleware.auth.vault import OVERHEAD, Vault, unpacked
from wheatpaste.middleware.storage.database import Database
from wheatpaste.middleware.storage.schema import Schema

VAULT = Vault.temporary()
SEALED = VAULT.seal("totp", b"seed", "factors/sealed/7")


def test_it_opens_what_it_has_sealed():
    assert VAULT.open("totp", SEALED, "factors/sealed/7") == b"seed"
    assert len(SEALED) == 4 + OVERHEAD
    assert b"seed" not in SEALED


@pytest.mark.parametrize(
    ("purpose", "bound"),
    [
        pytest.param("totp", "factors/sealed/8", id="another row"),
        pytest.param("totp", "", id="no place"),
        pytest.param("digest", "factors/sealed/7", id="another purpose"),
        pytest.param("totpf", "actors/sealed/7", id="the border moved"),
    ],
)
def test_it_opens_nothing_elsewhere(purpose, bound):
    assert VAULT.open(purpose, SEALED, bound) is None


def test_it_seals_the_same_twice_in_different_ways():
    assert VAULT.seal("totp", b"seed") != VAULT.seal("totp", b"seed")


@settings(deadline=None)
@given(st.integers(0, len(SEALED) * 8 - 1))
def test_it_notices_each_flipped_bit(bit):
    flipped = bytearray(SEALED)
    flipped[bit // 8] ^= 1 << bit % 8
    assert VAULT.open("totp", bytes(flipped), "factors/sealed/7") is None


@settings(deadline=None)
@given(st.integers(1, len(SEALED) - 1))
def test_it_notices_a_cut(length):
    for mangled in (SEALED[:-length], SEALED[length:], SEALED[length:] + SEALED[:length]):
        assert VAULT.open("totp", mangled, "factors/sealed/7") is None


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_it_opens_nothing_of_a_strangers(data):
    assert VAULT.open("totp", data) is None


@settings(deadline=None)
@given(st.text(max_size=80))
def test_it_opens_no_strangers_text(text):
    assert VAULT.open_text("totp", text) is None


def test_it_seals_text_as_text():
    sealed = VAULT.seal_text("name", "Grüße", "row")
    assert VAULT.open_text("name", sealed, "row") == "Grüße"
    assert VAULT.open_text("name", sealed, "other") is None


@pytest.mark.parametrize(
    "change", [lambda t: t + "=", lambda t: t + "A", lambda t: "é" + t, lambda t: t[:9] + "!" + t[9:]]
)
def test_it_knows_one_text_for_what_is_sealed(change):
    assert VAULT.open_text("name", change(VAULT.seal_text("name", "x"))) is None


@settings(deadline=None)
@given(st.binary(max_size=20), st.text("ABCDwxyz0189-_=+/ \n", max_size=20))
def test_a_text_is_unpacked_if_it_is_the_one_for_its_bytes(data, noise):
    from base64 import urlsafe_b64encode

    assert unpacked(urlsafe_b64encode(data).decode().rstrip("=")) == data
    found = unpacked(noise)
    assert found is None or urlsafe_b64encode(found).decode().rstrip("=") == noise


def test_purposes_have_keys_of_their_own():
    keys = [VAULT.key("forms"), VAULT.key("device"), VAULT.key("seal totp"), VAULT.keys[0].secret]
    assert len({len(key) for key in keys}) == 1
    assert len(set(keys)) == len(keys)


def test_a_key_for_a_purpose_is_hkdf_of_the_newest_one():
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    expected = HKDF(SHA256(), 32, salt=None, info=b"wheatpaste key forms").derive(VAULT.keys[0].secret)
    assert VAULT.key("forms") == expected


def test_another_site_opens_nothing():
    assert Vault.temporary().open("totp", SEALED, "factors/sealed/7") is None


def test_the_newest_key_seals_and_all_open():
    old, new = new_key(), new_key()
    before, both, after = Vault([old]), Vault([new, old]), Vault([new])
    sealed = before.seal("totp", b"seed")
    assert both.open("totp", sealed) == b"seed"
    assert both.is_current(both.seal("totp", b"x"))
    assert not both.is_current(sealed)
    again = both.resealed("totp", sealed)
    assert after.open("totp", again) == b"seed"
    assert after.open("totp", sealed) is None
    assert after.resealed("totp", sealed) is None


def test_a_running_site_learns_of_a_key_that_another_process_uses(tmp_path):
    path = tmp_path / "auth.key"
    make_key_file(path)
    running = Vault.read(path)
    rotate(path)
    sealed = Vault.read(path).seal("totp", b"seed")
    assert running.open("totp", sealed) == b"seed"


def test_a_running_site_goes_on_when_its_key_file_is_broken(tmp_path):
    path = tmp_path / "auth.key"
    make_key_file(path)
    running = Vault.read(path)
    sealed = running.seal("totp", b"seed")
    path.write_text("nonsense\n")
    assert running.open("totp", Vault.temporary().seal("totp", b"other")) is None
    assert running.open("totp", sealed) == b"seed"
    path.unlink()
    assert running.open("totp", Vault.temporary().seal("totp", b"other")) is None


def test_it_tells_no_secret_of_itself():
    key = new_key()
    for shown in (repr(Vault([key])), repr(key), f"{key}", str([key])):
        assert key.id in shown
        assert key.secret.hex() not in shown
        assert repr(key.secret) not in shown


def test_signing_does_not_import_the_library_for_sealing():
    code = (
        "import sys; from wheatpaste.middleware.auth.vault import Vault; Vault.temporary().key('forms');"
        " assert not any(name.startswith('cryptography') for name in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "need",
    [
        lambda: VAULT.seal("totp", b"seed"),
        lambda: VAULT.open("totp", SEALED, "factors/sealed/7"),
        lambda: SealedSessions(VAULT, SessionOptions(mode="cookie"), lambda: 0.0),
    ],
    ids=["seal", "open", "sessions in cookies"],
)
def test_without_the_library_it_says_what_to_install(monkeypatch, need):
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(ConfigError, match=r"pip install 'wheatpaste\[auth\]'"):
        need()


def test_a_running_site_takes_over_what_is_done_to_its_key_file(tmp_path, clock):
    path = tmp_path / "auth.key"
    first = make_key_file(path)
    running = Vault.read(path, monotonic=clock.monotonic)
    forms, sealed = running.key("forms"), running.seal("totp", b"seed")
    second = rotate(path)
    assert running.key("forms") == forms
    clock.advance(1.1)
    assert running.key("forms") != forms
    assert running.every_key("forms") == (running.key("forms"), forms)
    assert running.is_current(running.seal("totp", b"x"))
    assert running.keys == (second, first)
    retire(path, first.id)
    assert running.open("totp", sealed) == b"seed"
    clock.advance(1.1)
    assert running.open("totp", sealed) is None


def test_a_running_site_says_once_that_its_key_file_is_broken(tmp_path, clock, caplog):
    path = tmp_path / "auth.key"
    make_key_file(path)
    running = Vault.read(path, monotonic=clock.monotonic)
    forms = running.key("forms")
    path.chmod(0o644)
    path.write_text(path.read_text() + "#\n")
    for _ in range(3):
        clock.advance(1.1)
        assert running.key("forms") == forms
    assert caplog.text.count("mode 0644") == 1


SCHEMA = Schema("seeds", (("CREATE TABLE seeds (id TEXT PRIMARY KEY, sealed TEXT)",),))
COLUMN = SealedColumn("seeds", "sealed", ("id",), "totp")


def test_a_column_is_sealed_anew_after_a_rotation(tmp_path):
    old, new = new_key(), new_key()
    tables = Database(tmp_path / "auth.db", SCHEMA)
    before, both = Vault([old]), Vault([new, old])
    rows = [
        ("1", before.seal_text("totp", "one", "seeds/sealed/1")),
        ("2", both.seal_text("totp", "two", "seeds/sealed/2")),
    ]
    # Of 3 no key is left, 4 was moved there from another row, 5 is empty and 6 nobody's.
    rows += [
        ("3", Vault.temporary().seal_text("totp", "x", "seeds/sealed/3")),
        ("4", rows[0][1]),
        ("5", None),
        ("6", "?"),
    ]
    with tables.writing() as connection:
        connection.executemany("INSERT INTO seeds VALUES (?, ?)", rows)
    assert reseal(tables, both, COLUMN) == Resealed(renewed=1, current=1, shut=3)
    assert reseal(tables, both, COLUMN) == Resealed(renewed=0, current=2, shut=3)
    sealed = dict(tables.query("SELECT id, sealed FROM seeds"))
    assert Vault([new]).open_text("totp", sealed["1"], COLUMN.bound_to("1")) == "one"
    assert Vault([new]).open_text("totp", sealed["2"], COLUMN.bound_to("2")) == "two"
    tables.close()


def test_a_column_may_say_what_its_values_are_bound_to():
    assert COLUMN._replace(bound=lambda row: f"totp/{row}").bound_to("1") == "totp/1"
