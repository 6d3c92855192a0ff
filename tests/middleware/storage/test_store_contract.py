"""What every store does, the same for each driver."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from wheatpaste.middleware.storage.memory_tables import MemoryTables
from wheatpaste.middleware.storage.places import store_of
from wheatpaste.middleware.storage.space import Space
from wheatpaste.middleware.storage.store import Store, StoreError
from wheatpaste.middleware.storage.table_store import SCHEMA, TableStore
from wheatpaste.middleware.storage.tables import Connection
from wheatpaste.testing import Clock

SLOW = pytest.mark.slow
SWEPT = ["memory", "memory tables", "sqlite", pytest.param("postgres", marks=SLOW)]
FORGETS_BY_ITSELF = [pytest.param("redis", marks=SLOW)]


@pytest.fixture(params=[*SWEPT, *FORGETS_BY_ITSELF])
def store(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[Store]:
    made: Store
    match request.param:
        case "memory tables":
            made = TableStore(MemoryTables(SCHEMA), clock.time)
        case "sqlite":
            made = store_of(f"sqlite:///{tmp_path}/store.sqlite", clock.time)
        case "postgres" | "redis":
            made = store_of(request.getfixturevalue(f"{request.param}_server").url(), clock.time)
        case _:
            made = store_of("memory:", clock.time)
    yield made
    made.close()


def test_a_value_is_what_was_put_last(store: Store):
    assert store.get("a", "k") is None
    store.put("a", "k", b"one")
    store.put("a", "k", b"\x00two\xff")
    assert store.get("a", "k") == b"\x00two\xff"


def test_spaces_do_not_see_each_other(store: Store):
    store.put("a", "k", b"one")
    store.put("b", "k", b"two")
    assert store.clear("b") == 1
    assert (store.get("a", "k"), store.get("b", "k")) == (b"one", None)


@pytest.mark.parametrize(
    "key", ["", "a b", "ключ", "%_*?", "x" * 5000, "a\x00b", "'; DROP TABLE entries; --", "a:b\x01", "\ud800", "?%s"]
)
def test_any_text_is_a_key(store: Store, key: str):
    store.put("a", key, b"here")
    assert store.get("a", key) == b"here"
    assert store.get("a", key + "x") is None
    assert store.keys("a") == [key]


def test_a_value_is_absent_once_its_lifetime_is_over(store: Store, clock: Clock):
    store.put("a", "k", b"one", 10)
    clock.advance(9.9)
    assert store.get("a", "k") == b"one"
    clock.advance(0.1)
    assert store.get("a", "k") is None
    assert store.keys("a") == []
    assert store.take("a", "k") is None
    assert not store.expire("a", "k", 10)
    assert not store.swap("a", "k", b"one", b"two")
    assert not store.delete("a", "k")
    assert store.add("a", "k", b"new")


def test_a_new_value_has_a_new_lifetime(store: Store, clock: Clock):
    store.put("a", "k", b"one", 10)
    store.put("a", "k", b"two")
    clock.advance(1e9)
    assert store.get("a", "k") == b"two"


def test_add_sets_what_is_absent_and_nothing_else(store: Store, clock: Clock):
    assert store.add("a", "k", b"one", 10)
    assert not store.add("a", "k", b"two", 99)
    clock.advance(5)
    assert store.get("a", "k") == b"one"
    clock.advance(5)
    assert store.add("a", "k", b"three")
    assert store.get("a", "k") == b"three"


def test_swap_replaces_only_what_is_as_expected(store: Store):
    assert not store.swap("a", "k", b"one", b"two")
    assert store.swap("a", "k", None, b"one")
    assert not store.swap("a", "k", None, b"other")
    assert not store.swap("a", "k", b"two", b"three")
    assert store.swap("a", "k", b"one", b"two")
    assert not store.swap("a", "k", b"one", None)
    assert store.get("a", "k") == b"two"
    assert store.swap("a", "k", b"two", None)
    assert store.get("a", "k") is None
    assert store.swap("a", "k", None, None)


def test_swap_leaves_the_lifetime_as_it_is_unless_told(store: Store, clock: Clock):
    store.put("a", "k", b"one", 10)
    clock.advance(5)
    assert store.swap("a", "k", b"one", b"two")
    clock.advance(5)
    assert store.get("a", "k") is None
    store.put("a", "k", b"one", 10)
    assert store.swap("a", "k", b"one", b"two", 20)
    clock.advance(15)
    assert store.get("a", "k") == b"two"


def test_what_was_taken_is_gone(store: Store):
    store.put("a", "k", b"once")
    assert store.take("a", "k") == b"once"
    assert store.take("a", "k") is None


def test_expire_changes_how_long_a_value_lives(store: Store, clock: Clock):
    store.put("a", "k", b"one", 10)
    assert store.expire("a", "k", 100)
    clock.advance(99)
    assert store.get("a", "k") == b"one"
    assert store.expire("a", "k", None)
    clock.advance(1e6)
    assert store.get("a", "k") == b"one"
    assert not store.expire("a", "other", 1)


def test_a_count_begins_anew_after_its_window(store: Store, clock: Clock):
    assert store.count("a", "k", 0) == (0, None)
    first = store.count("a", "k", seconds=60)
    assert first == (1, clock.time() + 60)
    clock.advance(59)
    assert store.count("a", "k", 4, seconds=60) == (5, first.until)
    assert store.count("a", "k", 0) == (5, first.until)
    clock.advance(1)
    assert store.count("a", "k", 0) == (0, None)
    assert store.count("a", "k", seconds=60) == (1, clock.time() + 60)


def test_a_count_without_a_window_goes_on_for_ever(store: Store, clock: Clock):
    store.count("a", "k")
    clock.advance(1e9)
    assert store.count("a", "k", -3) == (-2, None)


def test_delete_takes_the_value_and_the_count(store: Store):
    store.put("a", "k", b"one")
    store.count("a", "k")
    assert store.delete("a", "k")
    assert store.get("a", "k") is None
    assert store.count("a", "k", 0).number == 0
    assert not store.delete("a", "k")


def test_keys_are_in_order_and_begin_as_asked(store: Store):
    for key in ("user:2", "user:1", "user:10", "USER:1", "users", "other", "user%"):
        store.put("a", key, b"")
    assert store.keys("a", "user:") == ["user:1", "user:10", "user:2"]
    assert store.keys("a", limit=2) == ["USER:1", "other"]
    assert store.keys("b") == []


def test_sweep_removes_what_has_expired(store: Store, clock: Clock):
    store.put("a", "k", b"", 1)
    store.put("a", "stays", b"")
    store.count("a", "k", seconds=1)
    clock.advance(1)
    assert store.sweep() == 2
    assert store.sweep() == 0
    assert store.keys("a") == ["stays"]


@pytest.mark.parametrize("store", SWEPT, indirect=True)
def test_what_expires_is_removed_by_and_by(store: Store, clock: Clock):
    for number in range(1000):
        store.put("nonces", str(number), b"", 1)
        clock.advance(0.1)
    assert store.sweep() < 500


def test_a_sweep_that_fails_costs_no_value(clock: Clock):
    class NeverAlone(MemoryTables):
        def writing(self) -> AbstractContextManager[Connection]:
            raise StoreError("others write without end")

    store = TableStore(NeverAlone(SCHEMA), clock.time)
    for number in range(500):
        store.put("a", str(number), b"", 1)
    assert len(store.keys("a")) == 500
    with pytest.raises(StoreError):
        store.sweep()
    store.close()


def test_of_many_threads_one_wins(store: Store):
    store.put("a", "k", b"prize")
    won: list[bytes] = []
    added: list[bool] = []

    def run() -> None:
        for number in range(20):
            store.count("a", "k")
            added.append(store.add("once", str(number), b""))
        prize = store.take("a", "k")
        if prize is not None:
            won.append(prize)

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert won == [b"prize"]
    assert sum(added) == 20
    assert store.count("a", "k", 0).number == 160


def test_a_space_holds_what_json_knows(store: Store):
    space = Space(store, "sessions")
    value = {"b": [1, 2.5, None, True], "a": "ключ \U0001f511"}
    space.put("k", value, 60)
    assert space.get("k") == value
    assert space.swap("k", {"a": value["a"], "b": value["b"]}, {"n": 1})  # whatever the order of its keys
    assert space.take("k") == {"n": 1}
    assert space.get("k") is None
    assert space.add("k", [])
    assert not space.add("k", [1])
    assert space.expire("k", 5)
    assert space.swap("k", [], None)
    assert space.count("n", 2) == (2, None)
    assert space.keys() == []
    assert space.delete("n")
    with pytest.raises(ValueError, match="JSON"):
        space.put("k", float("nan"))


def test_a_change_is_made_to_what_is_there_then(store: Store, clock: Clock):
    space = Space(store, "sessions")
    space.put("k", 0, 10)

    def add_one(value: int) -> int:
        if len(seen) < 2:  # somebody else is quicker, twice
            space.put("k", value + 10, 10)
        seen.append(value)
        return value + 1

    seen: list[int] = []
    assert space.change("k", add_one) == 21
    assert seen == [0, 10, 20]
    assert space.change("k", lambda value: None) is None
    assert space.get("k") is None
    assert space.change("k", lambda value: [value]) == [None]
    clock.advance(100)
    assert space.get("k") == [None]


def test_a_change_that_never_gets_its_turn_is_an_error(store: Store):
    space = Space(store, "sessions")

    def meddle(value: int | None) -> int:
        space.put("k", (value or 0) + 1)
        return 0

    with pytest.raises(StoreError, match="without end"):
        space.change("k", meddle)


def test_it_can_be_used_after_it_was_closed(store: Store):
    store.close()
    store.put("a", "k", b"one")
    assert store.get("a", "k") == b"one"
