"""A SQLite file that is shared, broken, full, moved away, or that a process dies upon."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ordinary_rights import ordinary_rights

from wheatpaste.middleware.storage.database import Database
from wheatpaste.middleware.storage.places import store_of
from wheatpaste.middleware.storage.schema import Schema
from wheatpaste.middleware.storage.store import Conflict, StoreDamaged, StoreError
from wheatpaste.middleware.storage.table_store import SCHEMA

NOTES = Schema("notes", (("CREATE TABLE notes (text TEXT NOT NULL UNIQUE)",),))
LATER = Schema("notes", (*NOTES.steps, ("ALTER TABLE notes ADD COLUMN author TEXT", "UPDATE notes SET author = 'x'")))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "shared.sqlite"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    made = Database(path, NOTES, patience=0.2)
    yield made
    made.close()


def add(database: Database, text: str) -> None:
    with database.writing() as connection:
        connection.execute("INSERT INTO notes (text) VALUES (?)", (text,))


def texts(database: Database) -> list[str]:
    with database.reading() as connection:
        return [row[0] for row in connection.execute("SELECT text FROM notes ORDER BY rowid")]


def in_processes(code: str, *arguments: object, count: int = 1) -> list[subprocess.Popen[str]]:
    script = textwrap.dedent(code)
    return [
        subprocess.Popen(
            [sys.executable, "-c", script, *map(str, arguments), str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(count)
    ]


def finish(*processes: subprocess.Popen[str]) -> list[str]:
    said = []
    for process in processes:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        said.append(out)
    return said


WRITER = """
    import sys
    from wheatpaste.middleware.storage.database import Database
    from wheatpaste.middleware.storage.schema import Schema
    notes = Database(sys.argv[1], Schema("notes", (("CREATE TABLE notes (text TEXT NOT NULL UNIQUE)",),)))
    notes.query("INSERT INTO notes (text) VALUES (?)", (sys.argv[2],))
    notes.close()
"""


def test_processes_that_end_leave_the_log_to_who_goes_on(database: Database, path: Path):
    """The locks of a process on a file are gone when it closes the file once, whoever in it has opened it."""
    add(database, "first")
    with database.reading(), database.reading():
        pass
    for text in ("second", "third"):
        finish(*in_processes(WRITER, path, text))
        assert texts(database)[-1] == text
    add(database, "fourth")
    other = Database(path, NOTES)
    assert texts(other) == ["first", "second", "third", "fourth"]
    other.close()


def test_nothing_is_opened_before_it_is_used(database: Database, path: Path):
    assert not path.exists()
    assert texts(database) == []
    assert path.exists()


def test_the_file_and_its_log_belong_to_their_owner_alone(database: Database, path: Path):
    before = os.umask(0)
    try:
        add(database, "secret")
    finally:
        os.umask(before)
    for each in path.parent.iterdir():
        assert stat.S_IMODE(each.stat().st_mode) == 0o600, each
    assert len(list(path.parent.iterdir())) == 3


def test_a_file_that_exists_keeps_its_rights(database: Database, path: Path):
    path.touch()
    path.chmod(0o640)
    add(database, "for a group")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_transaction_happens_as_a_whole_or_not_at_all(database: Database):
    def break_off() -> None:
        with database.writing() as connection:
            connection.execute("INSERT INTO notes VALUES ('half')")
            raise KeyError

    with pytest.raises(KeyError):
        break_off()
    assert texts(database) == []
    with pytest.raises(KeyError), database.reading():
        raise KeyError
    add(database, "whole")
    assert texts(database) == ["whole"]


def test_a_broken_constraint_is_an_answer(database: Database):
    add(database, "once")
    with pytest.raises(Conflict):
        add(database, "once")
    with pytest.raises(sqlite3.ProgrammingError):
        database.query("SELECT ?")
    assert texts(database) == ["once"]


def test_queries_of_one_reading_see_one_state(database: Database, path: Path):
    other = Database(path, NOTES)
    with database.reading() as connection:
        assert connection.execute("SELECT count(*) FROM notes").fetchone() == (0,)
        add(other, "meanwhile")
        assert connection.execute("SELECT count(*) FROM notes").fetchone() == (0,)
    assert texts(database) == ["meanwhile"]
    other.close()


def test_who_waits_too_long_is_told_so(database: Database, path: Path):
    other = Database(path, NOTES)
    with other.writing(), pytest.raises(StoreError, match=r"shared\.sqlite was in use by others for more than 0\.2"):
        add(database, "impatient")
    add(database, "patient")
    assert texts(database) == ["patient"]
    other.close()


def test_a_schema_takes_the_steps_that_it_lacks(database: Database, path: Path):
    add(database, "old")
    database.close()
    later = Database(path, LATER, SCHEMA)
    with later.writing() as connection:
        assert connection.execute("SELECT text, author FROM notes").fetchall() == [("old", "x")]
        assert connection.execute("SELECT schema, step FROM schema_steps ORDER BY 1, 2").fetchall() == [
            ("notes", 1),
            ("notes", 2),
            ("store", 1),
        ]
    later.close()
    with pytest.raises(StoreError, match=r"shared\.sqlite: its tables of 'notes' are those of a later version"):
        texts(database)


def test_a_step_that_fails_leaves_what_was_there(database: Database, path: Path):
    add(database, "old")
    broken = Database(path, Schema("notes", (*NOTES.steps, ("ALTER TABLE notes ADD COLUMN a", "NO SUCH SQL"))))
    with pytest.raises(StoreError, match="syntax error"):
        texts(broken)
    add(database, "new")
    assert texts(database) == ["old", "new"]
    with database.reading() as connection:
        assert [row[1] for row in connection.execute("PRAGMA table_info(notes)")] == ["text"]


@pytest.mark.parametrize("content", [b"this is no database, " * 100, b"SQLite format 3\x00" + b"\xff" * 5000])
def test_a_damaged_file_is_named_and_left_as_it_is(database: Database, path: Path, content: bytes):
    path.write_bytes(content)
    for _ in range(2):
        with pytest.raises(StoreDamaged, match=r"shared\.sqlite is damaged, or no SQLite file .* move it away"):
            add(database, "lost?")
    assert path.read_bytes() == content


def test_a_file_that_is_damaged_in_the_middle_is_told_when_that_is_met(database: Database, path: Path):
    for number in range(300):
        add(database, f"{number} {'x' * 500}")
    database.close()
    content = bytearray(path.read_bytes())
    content[8192:40960] = b"\xee" * 32768
    path.write_bytes(content)
    with pytest.raises(StoreDamaged):
        texts(database)
    assert path.read_bytes() == bytes(content)


def test_a_file_moved_away_is_made_anew(database: Database, path: Path):
    add(database, "before")
    for each in list(path.parent.iterdir()):
        each.rename(each.with_name(f"old-{each.name}"))
    add(database, "after")
    assert texts(database) == ["after"]
    assert path.exists()


def test_who_only_reads_learns_soon_that_a_file_was_moved_away(database: Database, path: Path):
    add(database, "before")
    assert database.query("SELECT text FROM notes") == [("before",)]
    for each in list(path.parent.iterdir()):
        each.rename(each.with_name(f"old-{each.name}"))
    until = time.monotonic() + 20
    while database.query("SELECT text FROM notes"):
        assert time.monotonic() < until
    assert path.exists()


def test_who_reads_after_a_write_to_a_new_file_reads_that_one(database: Database, path: Path):
    add(database, "before")
    with database.reading(), database.reading():
        pass  # two connections wait now
    assert database.query("SELECT text FROM notes") == [("before",)]
    for each in list(path.parent.iterdir()):
        each.rename(each.with_name(f"old-{each.name}"))
    add(database, "after")
    assert database.query("SELECT text FROM notes") == [("after",)]


def test_a_state_is_equal_until_somebody_writes(database: Database, path: Path):
    add(database, "first")
    state = database.state()
    with database.reading(), database.reading():
        assert database.state() == state
    with pytest.raises(Conflict):
        add(database, "first")
    assert database.state() == state
    finish(*in_processes(WRITER, path, "second"))
    assert database.state() != state


def test_a_state_belongs_to_the_file_that_it_was_told_of(database: Database, path: Path):
    states = [database.state()]
    database.close()
    states.append(database.state())
    for each in list(path.parent.iterdir()):
        each.rename(each.with_name(f"old-{each.name}"))
    add(database, "after")
    states.append(database.state())
    assert len(set(states)) == 3


def test_no_state_is_told_of_a_file_that_is_gone(database: Database, path: Path):
    database.state()
    path.unlink()
    path.mkdir()
    time.sleep(0.6)  # who only reads believes for half a second that it is the same file
    with pytest.raises(StoreError, match="cannot be opened for writing"):
        database.state()


def test_a_missing_folder_is_named(tmp_path: Path):
    with pytest.raises(StoreError, match=r"there is no folder .*nowhere; make it"):
        add(Database(tmp_path / "nowhere" / "x.sqlite", NOTES), "x")


def test_a_folder_is_no_file(tmp_path: Path):
    with pytest.raises(StoreError, match="cannot be opened for writing"):
        add(Database(tmp_path, NOTES), "x")


def test_a_folder_that_may_not_be_written_is_told_and_used_again_when_it_may(database: Database, path: Path):
    add(database, "before")
    database.close()
    for each in path.parent.glob("*-*"):
        each.unlink()
    path.chmod(0o400)
    path.parent.chmod(0o500)
    try:
        with ordinary_rights(), pytest.raises(StoreError, match="cannot be opened for writing"):
            add(database, "lost")
    finally:
        path.parent.chmod(0o700)
        path.chmod(0o600)
    add(database, "after")
    assert texts(database) == ["before", "after"]


def test_it_says_when_python_was_built_without_sqlite(database: Database, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "sqlite3", None)
    with pytest.raises(StoreError, match="built without SQLite"):
        texts(database)


def test_threads_do_not_share_a_connection(database: Database):
    inside = threading.Barrier(4, timeout=10)

    def read() -> None:
        with database.reading() as connection:
            inside.wait()
            connection.execute("SELECT * FROM notes").fetchall()

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert not inside.broken


def test_closing_lets_go_of_the_files(database: Database, path: Path):
    with database.reading():
        database.close()  # while one is in use
    folder = Path("/proc/self/fd")
    if folder.exists():
        held = [os.readlink(each) for each in folder.iterdir() if each.is_symlink()]
        assert not [each for each in held if each.startswith(str(path))]
    assert [each.name for each in path.parent.iterdir()] == ["shared.sqlite"]


@pytest.mark.slow
def test_processes_that_begin_at_once_make_one_file(path: Path):
    code = """
        import sys
        from wheatpaste.middleware.storage.places import store_of
        sys.stdin.readline()
        store = store_of("sqlite:///" + sys.argv[1])
        won = sum(store.add("once", str(number), sys.argv[2].encode()) for number in range(50))
        for _ in range(100):
            store.count("a", "hits")
        store.close()
        print(won)
        """
    processes = in_processes(code, path, count=4)
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    assert sum(int(said) for said in finish(*processes)) == 50
    store = store_of(f"sqlite:///{path}")
    assert store.count("a", "hits", 0).number == 400
    store.close()


@pytest.mark.slow
def test_a_process_that_dies_in_the_middle_leaves_the_whole_of_what_was_before(database: Database, path: Path):
    add(database, "before")
    code = """
        import os, sys
        sys.path.insert(0, sys.argv[2])
        from wheatpaste.middleware.storage.database import Database
        with Database(sys.argv[1]).writing() as connection:
            for number in range(20000):
                connection.execute("INSERT INTO notes VALUES (?)", (f"{number} {'x' * 100}",))
            print("written", flush=True)
            sys.stdin.read()
        """
    (process,) = in_processes(code, path, "")
    assert process.stdout is not None
    assert process.stdout.readline() == "written\n"
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)
    assert process.returncode == -signal.SIGKILL
    add(database, "after")
    assert texts(database) == ["before", "after"]


@pytest.mark.slow
def test_a_full_disk_is_told_and_costs_nothing_that_was_there(path: Path):
    code = """
        import resource, signal, sys
        from wheatpaste.middleware.storage.places import store_of
        from wheatpaste.middleware.storage.store import StoreError
        store = store_of("sqlite:///" + sys.argv[1])
        store.put("a", "before", b"here")
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, before[1]))
        try:
            for number in range(1000):
                store.put("a", str(number), b"x" * 10_000)
        except StoreError as error:
            print(error)
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert store.get("a", "before") == b"here"
        store.put("a", "after", b"here")
        store.close()
        """
    (said,) = finish(*in_processes(code, path))
    assert "shared.sqlite cannot be used (" in said
    store = store_of(f"sqlite:///{path}")
    assert (store.get("a", "before"), store.get("a", "after")) == (b"here", b"here")
    store.close()


@pytest.mark.slow
def test_a_fork_takes_no_connection_along(path: Path):
    code = """
        import os, sys
        from wheatpaste.middleware.storage import database as module
        from wheatpaste.middleware.storage.places import store_of
        store = store_of("sqlite:///" + sys.argv[1])
        store.put("a", "parent", b"1")
        state = store._tables.state()
        child = os.fork()
        if child == 0:
            assert store._tables.state() != state
            assert store.get("a", "parent") == b"1"
            store.put("a", "child", b"1")
            store.close()
            assert len(module._inherited) == 2
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert store._tables.state() != state
        assert store.get("a", "child") == b"1"
        store.put("a", "parent", b"2")
        store.close()
        assert not module._inherited
        """
    finish(*in_processes(code, path))
