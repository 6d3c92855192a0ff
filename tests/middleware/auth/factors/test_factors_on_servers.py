"""The tables of factors and links are the same wherever they are kept."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from auth_pages import Clock
from soft_authenticator import SoftAuthenticator

from wheatpaste.middleware.auth.account import Account
from wheatpaste.middleware.auth.factors.challenge import Challenges
from wheatpaste.middleware.auth.factors.factors import Factors
from wheatpaste.middleware.auth.factors.passkeys import NoPasskey, Passkeys
from wheatpaste.middleware.auth.factors.tables import SCHEMA as FACTORS
from wheatpaste.middleware.auth.factors.totp import code_at, step_at
from wheatpaste.middleware.auth.links import SCHEMA as LINKS
from wheatpaste.middleware.auth.links import Links
from wheatpaste.middleware.auth.vault import Vault
from wheatpaste.middleware.storage.memory import MemoryStore
from wheatpaste.middleware.storage.places import tables_of
from wheatpaste.middleware.storage.tables import Tables

BOB = Account("local:1", "bob", "local")
SEED = b"12345678901234567890"


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.slow)])
def tables(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Tables]:
    match request.param:
        case "postgres":
            url = request.getfixturevalue("postgres_server").url()
        case "sqlite":
            url = f"sqlite:///{tmp_path}/auth.db"
        case _:
            url = "memory:"
    made = tables_of(url, FACTORS, LINKS)
    yield made
    made.close()


def test_all_that_is_done_with_them(tables: Tables) -> None:
    clock = Clock()
    store, vault = MemoryStore(clock), Vault.temporary()
    passkeys = Passkeys(tables, Challenges(store, vault, clock), "https://wiki.example.org", clock=clock)
    factors = Factors(tables, vault, clock, store=store, passkeys=passkeys, recovery_cost=2)
    links = Links(tables, clock)
    factors.forget(BOB.id)

    factors.totp.put(BOB.id, SEED)
    code = code_at(SEED, step_at(clock()))
    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(lambda _: factors.totp.use(BOB.id, code), range(8))) == 1
    (recovery, *_) = factors.recovery.renew(BOB.id)
    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(lambda _: factors.recovery.use(BOB.id, recovery), range(8))) == 1
    token = links.create("reset", BOB.id)
    with ThreadPoolExecutor(4) as pool:
        assert sum(each is not None for each in pool.map(lambda _: links.take("reset", token), range(8))) == 1
    assert links.of(BOB.id) == []

    device = SoftAuthenticator()
    passkeys.add(BOB, device.create(passkeys.creation_options(BOB, verified=True)), "Laptop", verified=True)
    with pytest.raises(NoPasskey, match="kept already"):
        passkeys.add(BOB, device.create(passkeys.creation_options(BOB, verified=True)), "", verified=True)
    shown = passkeys.shown(
        device.get(passkeys.request_options("login", "cookie", verified=True)), "login", ["cookie"], verified=True
    )
    assert shown.passkey.account == BOB.id
    (kept,) = factors.of(BOB.id).passkeys
    assert (kept.label, kept.counter, kept.is_synced) == ("Laptop", 1, False)
    assert passkeys.rename(BOB.id, kept.id, "Blue")
    assert not passkeys.remove(BOB.id, kept.id, keep_one=True)
    assert passkeys.remove(BOB.id, kept.id)
    assert factors.of(BOB.id).recovery_codes == 9
    factors.forget(BOB.id)
    assert factors.of(BOB.id) == (None, 0, (), ())
