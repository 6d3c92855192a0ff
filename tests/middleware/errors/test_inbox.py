"""What every inbox does, in memory and in a file."""

from __future__ import annotations

import gc
import logging
import os
import sqlite3
import stat
import subprocess
import sys
import textwrap
import threading
import time
import tracemalloc
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from error_samples import SAMPLES
from ordinary_rights import ordinary_rights

from wheatpaste.config.problems import ConfigError
from wheatpaste.middleware.errors.catch import Catcher
from wheatpaste.middleware.errors.catch_errors import filter_factory
from wheatpaste.middleware.errors.collect.identity import new_id
from wheatpaste.middleware.errors.desk import Desk
from wheatpaste.middleware.errors.inbox.file import FileInbox
from wheatpaste.middleware.errors.inbox.groups import HOUR
from wheatpaste.middleware.errors.inbox.keeper import Inbox, inbox_complaint, inbox_of
from wheatpaste.middleware.errors.inbox.memory import MemoryInbox
from wheatpaste.middleware.errors.inbox.packing import pack, unpack
from wheatpaste.middleware.errors.record import ErrorRecord
from wheatpaste.middleware.errors.render.text import as_text
from wheatpaste.middleware.storage.store import StoreDamaged, StoreError
from wheatpaste.testing import Client, Clock

NOW = 1_000_000_000.0
SIMPLE = SAMPLES["simple"]()

Make = Callable[..., Inbox]


@pytest.fixture(params=["memory", "file"])
def make(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[Make]:
    made: list[Inbox] = []

    def make_one(size: int = 200, **options: int) -> Inbox:
        if request.param == "memory":
            made.append(MemoryInbox(size, clock=clock.time, **options))
        else:
            made.append(FileInbox(tmp_path / "errors.sqlite", size, clock=clock.time, **options))
        return made[-1]

    yield make_one
    for each in made:
        each.close()


@pytest.fixture
def inbox(make: Make) -> Inbox:
    return make()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "shared.sqlite"


def record(group: str = "E-22222", time: float = NOW, name: str | None = None) -> ErrorRecord:
    return replace(SIMPLE, id=name or new_id(), group=group, time=time)


@pytest.mark.parametrize("name", list(SAMPLES))
def test_a_record_comes_back_as_it_was(inbox: Inbox, name: str):
    kept = SAMPLES[name]()
    inbox.add(kept)
    assert inbox.find(kept.id) == kept
    assert inbox.latest() == kept


@pytest.mark.parametrize("name", list(SAMPLES))
def test_a_packed_record_is_small(name: str):
    packed = pack(SAMPLES[name]())
    assert len(packed) < 12_000
    assert unpack(packed) == SAMPLES[name]()


@pytest.mark.parametrize("packed", [b"", b"nonsense", pack(SIMPLE)[:-9], __import__("zlib").compress(b"[1]")])
def test_what_never_was_a_record_is_refused(packed: bytes):
    with pytest.raises(ValueError, match=r"record|Expecting|Unterminated"):
        unpack(packed)


def test_nothing_is_found_in_an_empty_inbox(inbox: Inbox):
    assert inbox.groups() == []
    assert inbox.latest() is None
    assert inbox.find("E-22222") is None
    assert inbox.group("E-22222") is None
    assert inbox.occurrences("E-22222") == []
    assert not inbox.mark("E-22222", "resolved")
    assert inbox.clear("E-22222") == 0
    assert inbox.clear() == 0


def test_failures_of_a_kind_are_one_group(inbox: Inbox):
    ids = [new_id() for _ in range(3)]
    for number, name in enumerate(ids):
        inbox.add(record(time=NOW + number, name=name))
    (group,) = inbox.groups()
    assert (group.id, group.count, group.kept, group.first, group.last) == ("E-22222", 3, 3, NOW, NOW + 2)
    assert group.latest == ids[-1]
    assert group.headline == SIMPLE.headline
    assert group.type == SIMPLE.raised.type
    assert group.place == f"{SIMPLE.focus.file}:{SIMPLE.focus.line} in {SIMPLE.focus.function}"
    assert [each.id for each in inbox.occurrences("E-22222")] == ids[::-1]
    assert inbox.occurrences("E-22222")[0].url == SIMPLE.request.url


def test_row_41_an_error_is_found_by_its_id_and_by_its_fingerprint(inbox: Inbox):
    first, last = record(name="K7QX-M3PZ"), record(name="7QXK-3PZM")
    inbox.add(first)
    inbox.add(last)
    assert inbox.find("K7QX-M3PZ") == first
    assert inbox.find(" k7qx-m3pz\n") == first  # as people type it
    assert inbox.find("E-22222") == last
    assert inbox.group("k7qx-m3pz") == inbox.group("e-22222") != None  # noqa: E711
    assert inbox.find("K7QX-M3PX") is None


def test_the_group_that_failed_last_comes_first(inbox: Inbox):
    for number, group in enumerate(["E-22222", "E-33333", "E-44444", "E-22222"]):
        inbox.add(record(group, NOW + number))
    assert [group.id for group in inbox.groups()] == ["E-22222", "E-44444", "E-33333"]


def test_row_28_records_are_a_ring_of_as_many_as_asked(make: Make):
    inbox = make(3)
    ids = [new_id() for _ in range(5)]
    for name in ids:
        inbox.add(record(name=name))
    assert [inbox.find(name) is not None for name in ids] == [False, False, True, True, True]
    (group,) = inbox.groups()
    assert (group.count, group.kept) == (5, 3)


def test_a_flood_of_one_kind_leaves_the_others_their_places(make: Make):
    inbox = make(100)
    rare = record("E-33333", name="K7QX-M3PZ")
    inbox.add(rare)
    for _ in range(500):
        inbox.add(record("E-22222"))
    assert inbox.find("K7QX-M3PZ") == rare
    assert [group.count for group in inbox.groups()] == [500, 1]


def test_row_28_records_are_bounded_in_bytes(make: Make):
    most = 3 * len(pack(SIMPLE)) + 200
    inbox = make(100, most_bytes=most)
    for _ in range(20):
        inbox.add(record())
    assert inbox.groups()[0].kept == 3
    large = replace(SAMPLES["rich"](), id="K7QX-M3PZ")
    assert len(pack(large)) < most
    inbox.add(large)
    assert sum(group.kept for group in inbox.groups()) <= 2


def test_the_last_record_is_kept_however_large_it_is(make: Make):
    inbox = make(most_bytes=10)
    inbox.add(record())
    last = record()
    inbox.add(last)
    assert inbox.latest() == last
    assert inbox.groups()[0].kept == 1


def test_a_group_outlives_its_records_with_its_counts(make: Make):
    inbox = make(2)
    inbox.add(record("E-33333"))
    for _ in range(2):
        inbox.add(record("E-22222"))
    group = inbox.group("E-33333")
    assert group is not None
    assert (group.count, group.kept, group.latest) == (1, 0, None)
    assert inbox.find("E-33333") is None


def test_groups_are_bounded_too(make: Make):
    inbox = make(2)
    for number in range(30):
        inbox.add(record(f"E-{number:05}", NOW + number))
    assert [group.id for group in inbox.groups()] == [f"E-{number:05}" for number in range(29, 19, -1)]


def test_the_same_record_twice_is_kept_once(inbox: Inbox):
    same = record(name="K7QX-M3PZ")
    inbox.add(same)
    inbox.add(replace(same, sent=True))
    assert inbox.groups()[0].kept == 1
    assert inbox.find("K7QX-M3PZ") == replace(same, sent=True)


def test_what_is_resolved_comes_back_when_it_fails_again(inbox: Inbox, clock: Clock):
    inbox.add(record())
    assert inbox.mark("E-22222", "resolved")
    (group,) = inbox.groups()
    assert (group.state, group.changed, group.resolved, group.came_back) == (
        "resolved",
        clock.time(),
        clock.time(),
        False,
    )
    inbox.add(record(time=NOW + 50))
    (group,) = inbox.groups()
    assert (group.state, group.changed, group.resolved, group.came_back) == ("open", NOW + 50, clock.time(), True)
    inbox.add(record(time=NOW + 60))
    assert inbox.groups()[0].changed == NOW + 50
    inbox.mark("E-22222", "open")
    assert not inbox.groups()[0].came_back


def test_what_is_ignored_stays_so_and_is_counted(inbox: Inbox):
    inbox.add(record(name="K7QX-M3PZ"))
    assert inbox.mark("k7qx-m3pz", "ignored")  # by one of its occurrences
    inbox.add(record())
    (group,) = inbox.groups()
    assert (group.state, group.count, group.came_back) == ("ignored", 2, False)


def test_it_is_cleared_in_part_or_as_a_whole(inbox: Inbox):
    for group in ("E-22222", "E-33333", "E-44444", "E-44444"):
        inbox.add(record(group))
    assert inbox.clear("e-33333") == 1
    assert {group.id for group in inbox.groups()} == {"E-22222", "E-44444"}
    assert inbox.find("E-33333") is None
    assert inbox.clear() == 2
    assert inbox.groups() == []
    assert inbox.latest() is None
    inbox.add(record())
    assert inbox.groups()[0].count == 1


def test_hours_are_counted_for_a_week(inbox: Inbox):
    start = NOW // HOUR
    for hour in (0, 0, 5, 100, 200):
        inbox.add(record(time=(start + hour) * HOUR + 10))
    (group,) = inbox.groups()
    assert group.count == 5
    assert group.hours[-2:] == ((start + 100, 1), (start + 200, 1))
    assert len(group.hours) <= 4
    for hour in range(400):
        inbox.add(record(time=(start + 300 + hour) * HOUR))
    assert len(inbox.groups()[0].hours) == 168


def test_the_secret_is_the_same_each_time(inbox: Inbox):
    assert len(inbox.secret) == 32
    assert inbox.secret == inbox.secret


def test_texts_that_no_file_can_hold_are_replaced(inbox: Inbox):
    broken = replace(
        record(), exceptions=(replace(SIMPLE.raised, message="half \ud800 a\x00b\nnext"), *SIMPLE.exceptions[1:])
    )
    inbox.add(broken)
    assert inbox.groups()[0].headline.endswith("half ? a\x00b")
    assert inbox.latest() == broken


def test_long_texts_are_cut_in_the_list(inbox: Inbox):
    inbox.add(replace(record(), exceptions=(replace(SIMPLE.raised, message="x" * 100_000),)))
    assert len(inbox.groups()[0].headline) == 300


def test_threads_may_add_at_once(inbox: Inbox):
    def add() -> None:
        for number in range(25):
            inbox.add(record(f"E-2222{number % 3}"))
            inbox.groups()

    threads = [threading.Thread(target=add) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    groups = inbox.groups()
    assert sum(group.count for group in groups) == 150
    assert all(group.kept == 20 for group in groups)


def flood(inbox: Inbox, first: int, last: int) -> int:
    """Add so many small errors of 1,500 kinds; returns the memory in use."""
    bare = SAMPLES["bare"]()
    for number in range(first, last):
        inbox.add(replace(bare, id=f"K7QX-{number:05}", group=f"E-{number % 1500:05}", time=NOW + number))
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def test_row_28_memory_is_flat_after_10_000_errors():
    inbox = MemoryInbox()
    tracemalloc.start()
    try:
        before = flood(inbox, 0, 1500)
        after = flood(inbox, 1500, 10_000)
    finally:
        tracemalloc.stop()
    assert after - before < 200_000
    assert sum(group.kept for group in inbox.groups()) == 200
    assert len(inbox.groups()) == 1000


@pytest.mark.slow
def test_row_28_memory_and_file_are_flat_after_5_000_errors(path: Path):
    inbox = FileInbox(path)
    tracemalloc.start()
    try:
        before = flood(inbox, 0, 1500)
        size = path.stat().st_size
        after = flood(inbox, 1500, 5000)
    finally:
        tracemalloc.stop()
    assert after - before < 200_000
    assert path.stat().st_size < size + 200_000
    assert sum(group.kept for group in inbox.groups()) == 200
    assert len(inbox.groups()) == 1000
    inbox.close()


def test_row_28_nothing_that_failed_is_held(inbox: Inbox):
    class Basket:
        pass

    held: list[weakref.ref[Basket]] = []

    def app(environ: object, start_response: object) -> list[bytes]:
        basket = Basket()
        held.append(weakref.ref(basket))
        raise ValueError(basket)

    desk = Desk(keeper=inbox)
    answered = Client(Catcher(app, desk, lambda record, environ: _plain(record))).get("/")
    assert answered.status == 500
    del answered
    gc.collect()
    assert inbox.latest() is not None
    assert held[0]() is None


def _plain(record: ErrorRecord) -> object:
    from wheatpaste.middleware.errors.answer import STATUS
    from wheatpaste.protocol.answer import Answer

    return Answer(status=STATUS, headers=[("Content-Type", "text/plain")], body=as_text(record).encode())


def test_an_option_names_an_inbox(tmp_path: Path):
    assert inbox_of("none") is None
    assert isinstance(inbox_of("memory", 5), MemoryInbox)
    file = inbox_of(tmp_path / "x.sqlite")
    assert isinstance(file, FileInbox)
    assert not list(tmp_path.iterdir())  # nothing happens before the first error


@pytest.mark.parametrize("word", ["memroy", "memori", "non", "mem"])
def test_a_word_that_was_misspelt_names_no_file(word: str):
    complaint = inbox_complaint(Path("/srv") / word)
    assert complaint is not None
    assert f"would be a file of the name '{word}'; did you mean " in complaint
    with pytest.raises(ConfigError, match="did you mean memory"):
        filter_factory({}, inbox="memroy")(lambda environ, start_response: [])


@pytest.mark.parametrize(
    "where", ["memory", "none", Path("/srv/errors"), Path("/srv/memory.sqlite"), Path("errors.db")]
)
def test_words_and_other_paths_are_fine(where: Any):
    assert inbox_complaint(where) is None


# --- the file --------------------------------------------------------------------------------------------------------


@pytest.fixture
def shared(path: Path, clock: Clock) -> Iterator[FileInbox]:
    made = FileInbox(path, patience=0.1, clock=clock.time)
    yield made
    made.close()


def test_the_file_belongs_to_its_owner_alone(shared: FileInbox, path: Path):
    shared.add(record())
    assert {stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()} == {0o600}


def test_another_process_sees_the_same(shared: FileInbox, path: Path):
    shared.add(record(name="K7QX-M3PZ"))
    other = FileInbox(path)
    assert other.groups() == shared.groups()
    assert other.find("K7QX-M3PZ") == shared.find("K7QX-M3PZ")
    assert other.secret == shared.secret
    other.mark("E-22222", "resolved")
    assert shared.groups()[0].state == "resolved"
    other.clear()
    assert shared.groups() == []
    other.close()


def test_errors_that_cannot_be_written_wait_until_they_can(
    shared: FileInbox, path: Path, caplog: pytest.LogCaptureFixture
):
    shared.add(record("E-33333"))
    lock = sqlite3.connect(path, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    with caplog.at_level(logging.WARNING):
        for number in range(3):
            shared.add(record(time=NOW + number, name=f"K7QX-M3P{number}"))
    assert [each.getMessage().partition(":")[0] for each in caplog.records] == [
        "errors are held in memory, because the inbox cannot be written"
    ]
    assert shared.find("K7QX-M3P1") is not None
    assert shared.find("E-22222").id == shared.latest().id == "K7QX-M3P2"
    assert [group.id for group in shared.groups()] == ["E-33333"]  # what was there can be read all the time
    lock.execute("ROLLBACK")
    lock.close()
    assert [(group.id, group.count) for group in shared.groups()] == [("E-22222", 3), ("E-33333", 1)]
    with caplog.at_level(logging.WARNING):
        shared.add(record(time=NOW + 9))
    assert "can be written again" in caplog.text
    assert shared.groups()[0].count == 4


def test_errors_that_waited_are_marked_and_forgotten_as_all_others(shared: FileInbox, path: Path):
    shared.groups()
    lock = sqlite3.connect(path, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    shared.add(record())
    lock.execute("ROLLBACK")
    assert shared.mark("E-22222", "ignored")
    lock.execute("BEGIN IMMEDIATE")
    shared.add(record(name="22QX-M3PZ"))
    lock.execute("ROLLBACK")
    lock.close()
    assert shared.clear() == 1
    assert shared.groups() == []


def test_the_pages_can_be_shown_while_the_file_cannot_be_written(shared: FileInbox, path: Path):
    shared.add(record())
    lock = sqlite3.connect(path, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    other = FileInbox(path, patience=0.1)
    assert other.secret == shared.secret
    assert other.groups()[0].count == 1
    other.close()
    lock.execute("ROLLBACK")
    lock.close()


def test_a_damaged_file_is_told_and_neither_replaced_nor_lost(
    shared: FileInbox, path: Path, caplog: pytest.LogCaptureFixture
):
    path.write_bytes(b"something else that somebody needs" * 100)
    kept = record(name="K7QX-M3PZ")
    shared.add(kept)
    shared.add(record())
    assert caplog.text.count("is damaged, or no SQLite file") == 1
    assert "move it away" in caplog.text
    assert shared.find("K7QX-M3PZ") == kept
    with pytest.raises(StoreDamaged):
        shared.groups()
    assert path.read_bytes().startswith(b"something else")
    path.unlink()
    assert shared.groups()[0].count == 2


def test_a_folder_that_may_not_be_written_is_told(shared: FileInbox, path: Path, caplog: pytest.LogCaptureFixture):
    path.parent.chmod(0o500)
    try:
        with ordinary_rights():
            shared.add(record())
            with pytest.raises(StoreError):
                shared.groups()
    finally:
        path.parent.chmod(0o700)
    assert "cannot be opened for writing (Permission denied)" in caplog.text
    assert shared.groups()[0].count == 1


def test_what_waits_is_bounded(tmp_path: Path):
    hopeless = FileInbox(tmp_path / "nowhere" / "x.sqlite")
    for number in range(120):
        hopeless.add(record(name=f"K7QX-{number:04}"))
    assert hopeless.find("K7QX-0119") is not None
    assert hopeless.find("K7QX-0070") is not None
    with pytest.raises(StoreError):
        hopeless.find("K7QX-0069")
    hopeless.close()


def test_closing_says_what_could_not_be_written(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    hopeless = FileInbox(tmp_path / "nowhere" / "x.sqlite")
    hopeless.add(record())
    hopeless.close()
    assert "1 errors could not be written to the inbox" in caplog.text


def test_a_record_that_cannot_be_written_is_not_in_the_way_of_others(shared: FileInbox):
    with pytest.raises(sqlite3.IntegrityError):
        shared.add(record(time=float("nan")))
    shared.add(record())
    assert shared.groups()[0].count == 1


@pytest.mark.slow
def test_worker_processes_share_one_inbox(path: Path):
    code = """
        import sys
        sys.path.insert(0, sys.argv[2])
        from dataclasses import replace
        from error_samples import SAMPLES
        from wheatpaste.middleware.errors.collect.identity import new_id
        from wheatpaste.middleware.errors.inbox.file import FileInbox
        inbox = FileInbox(sys.argv[1], patience=30)
        sample = SAMPLES["simple"]()
        sys.stdin.readline()
        for number in range(50):
            inbox.add(replace(sample, id=new_id(), group=f"E-2222{number % 2}"))
        inbox.close()
        """
    kit = Path(__file__).parents[2] / "_kit"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(code), str(path), str(kit)], stdin=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    for process in processes:
        process.communicate("go\n", timeout=90)
        assert process.returncode == 0
    inbox = FileInbox(path)
    assert [group.count for group in inbox.groups()] == [75, 75]
    inbox.close()


def test_adding_takes_little_time(inbox: Inbox):
    samples = [record() for _ in range(100)]
    for each in samples[:10]:
        inbox.add(each)
    before = time.process_time()
    for each in samples[10:]:
        inbox.add(each)
    assert (time.process_time() - before) / 90 < 0.005  # about 0.5 ms in memory and 1 ms in a file


def test_it_is_used_by_a_process_that_was_forked(shared: FileInbox):
    shared.add(record())
    child = os.fork()
    if child == 0:
        try:
            shared.add(record())
            shared.close()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert shared.groups()[0].count == 2
