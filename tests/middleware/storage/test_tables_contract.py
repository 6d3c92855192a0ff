"""What tables do, the same in memory, in a file and in PostgreSQL."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from wheatpaste.middleware.storage.memory_tables import MemoryTables
from wheatpaste.middleware.storage.places import tables_of
from wheatpaste.middleware.storage.schema import Schema
from wheatpaste.middleware.storage.store import Conflict, StoreError
from wheatpaste.middleware.storage.tables import Tables

NOTES = Schema(
    "notes",
    (
        (
            "CREATE TABLE notes (id TEXT PRIMARY KEY, text TEXT NOT NULL UNIQUE, size DOUBLE PRECISION, number BIGINT,"
            " raw BYTEA)",
            "CREATE TABLE replies (note TEXT NOT NULL REFERENCES notes ON DELETE CASCADE, text TEXT NOT NULL)",
        ),
    ),
)
LATER = Schema("notes", (*NOTES.steps, ("ALTER TABLE notes ADD COLUMN author TEXT", "UPDATE notes SET author = 'x'")))

Make = Callable[..., Tables]


SHARED = ["sqlite", pytest.param("postgres", marks=pytest.mark.slow)]


@pytest.fixture(params=["memory", *SHARED])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    """Makes tables in one place: each call another object, as another process would have it."""
    match request.param:
        case "sqlite":
            url = f"sqlite:///{tmp_path}/tables.sqlite"
        case "postgres":
            url = request.getfixturevalue("postgres_server").url()
        case _:
            url = "memory:"
    made: list[Tables] = []

    def tables(*schemas: Schema) -> Tables:
        made.append(tables_of(url, *(schemas or (NOTES,))))
        return made[-1]

    yield tables
    for each in made:
        each.close()


@pytest.fixture
def tables(make: Make) -> Tables:
    return make()


def add(tables: Tables, *texts: str) -> None:
    with tables.writing() as connection:
        for text in texts:
            connection.execute("INSERT INTO notes (id, text) VALUES (?, ?)", (f"id of {text}", text))


def texts(tables: Tables) -> list[str]:
    return [row[0] for row in tables.query("SELECT text FROM notes ORDER BY text")]


def test_a_statement_by_itself_has_rows_or_none(tables: Tables):
    assert tables.query("INSERT INTO notes (id, text) VALUES (?, ?)", ("1", "one")) == []
    assert tables.query("SELECT id, text FROM notes WHERE text = ?", ("one",)) == [("1", "one")]
    assert tables.query("DELETE FROM notes WHERE id = ? RETURNING text", ("1",)) == [("one",)]
    assert tables.query("DELETE FROM notes WHERE id = ? RETURNING text", ("1",)) == []


def test_values_come_back_as_they_went_in(tables: Tables):
    row = ("1", "ключ ' ? %s \U0001f511", 0.1 + 0.2, 2**62, b"\x00\xff")
    tables.query("INSERT INTO notes VALUES (?, ?, ?, ?, ?)", row)
    assert tables.query("SELECT * FROM notes") == [row]
    tables.query("UPDATE notes SET size = ?, number = ?, raw = ?", (None, None, None))
    assert tables.query("SELECT size, number, raw FROM notes") == [(None, None, None)]


def test_a_text_with_nul_is_not_found_and_harms_nothing(tables: Tables):
    add(tables, "a")
    assert tables.query("SELECT text FROM notes WHERE text = ?", ("a\0",)) == []
    with tables.writing() as connection:
        assert connection.execute("DELETE FROM notes WHERE id = ?", ("id of a\0",)).rowcount == 0
        connection.execute("INSERT INTO notes (id, text) VALUES (?, ?)", ("2", "b\0"))
    assert len(texts(tables)) == 2
    assert tables.query("SELECT text FROM notes WHERE text = ?", ("b",)) == []


def test_question_marks_and_percents_in_texts_are_texts(tables: Tables):
    found = tables.query("SELECT '?', 'it''s 100%', ? /* ? */ -- what?", ("one",))
    assert found == [("?", "it's 100%", "one")]
    assert tables.query("SELECT '%s?'") == [("%s?",)]


def test_a_result_gives_rows_one_by_one_and_their_number(tables: Tables):
    add(tables, "a", "b", "c")
    with tables.writing() as connection:
        assert connection.execute("UPDATE notes SET number = 1 WHERE text > ?", ("a",)).rowcount == 2
        found = connection.execute("SELECT text FROM notes ORDER BY text")
        assert found.fetchone() == ("a",)
        assert found.fetchall() == [("b",), ("c",)]
        assert found.fetchone() is None


def test_a_transaction_happens_as_a_whole_or_not_at_all(tables: Tables):
    def break_off() -> None:
        with tables.writing() as connection:
            connection.execute("INSERT INTO notes (id, text) VALUES ('1', 'half')")
            raise KeyError

    with pytest.raises(KeyError):
        break_off()
    assert texts(tables) == []
    with pytest.raises(KeyError), tables.reading():
        raise KeyError
    add(tables, "whole")
    assert texts(tables) == ["whole"]


def test_what_is_taken_is_a_conflict_and_undoes_its_transaction(tables: Tables):
    add(tables, "once")
    with pytest.raises(Conflict):
        add(tables, "before", "once", "after")
    with pytest.raises(Conflict):
        tables.query("INSERT INTO notes (id, text) VALUES ('id of once', 'twice')")
    assert texts(tables) == ["once"]


def test_what_belongs_to_nothing_is_a_conflict(tables: Tables):
    with pytest.raises(Conflict):
        tables.query("INSERT INTO replies VALUES ('none', 'text')")
    add(tables, "a")
    tables.query("INSERT INTO replies VALUES ('id of a', 'text')")
    tables.query("DELETE FROM notes")
    assert tables.query("SELECT * FROM replies") == []


def test_nonsense_is_a_mistake_of_the_program_or_of_the_tables_and_never_an_answer(tables: Tables):
    for statement, parameters in (("SELECT ?", ()), ("INSERT INTO notes (id) VALUES ('1')", ())):
        with pytest.raises(Exception, match=".") as caught:
            tables.query(statement, parameters)
        assert not isinstance(caught.value, StoreError | Conflict)
    for statement in ("NO SUCH SQL", "SELECT nothing FROM nowhere"):
        with pytest.raises(StoreError):
            tables.query(statement)
    add(tables, "a")
    assert texts(tables) == ["a"]


def test_of_two_who_write_one_waits_for_the_other(tables: Tables):
    add(tables, "0")
    inside = threading.Barrier(8, timeout=30)

    def count_on() -> None:
        inside.wait()
        for _ in range(5):
            with tables.writing() as connection:
                (number,) = connection.execute("SELECT text FROM notes").fetchone()
                connection.execute("UPDATE notes SET text = ?", (str(int(number) + 1),))

    threads = [threading.Thread(target=count_on) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert texts(tables) == ["40"]


def test_of_many_who_take_one_thing_at_once_one_gets_it(tables: Tables):
    add(tables, *(str(number) for number in range(30)))
    inside = threading.Barrier(8, timeout=30)
    got: list[str] = []

    def take_all() -> None:
        inside.wait()
        for number in range(30):
            rows = tables.query("DELETE FROM notes WHERE text = ? RETURNING text", (str(number),))
            got.extend(row[0] for row in rows)

    threads = [threading.Thread(target=take_all) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(got, key=int) == [str(number) for number in range(30)]


def test_they_can_be_used_after_they_were_closed(tables: Tables):
    tables.close()
    add(tables, "a")
    tables.close()
    tables.close()
    tables.query("INSERT INTO notes (id, text) VALUES ('2', 'b')")
    assert "b" in texts(tables)


@pytest.mark.parametrize("make", SHARED, indirect=True)
class TestInOnePlace:
    """What others see who open the same place; of tables in memory, each has its own."""

    def test_queries_of_one_reading_see_one_state(self, make: Make):
        ours, others = make(), make()
        with ours.reading() as connection:
            assert connection.execute("SELECT count(*) FROM notes").fetchone() == (0,)
            add(others, "meanwhile")
            assert connection.execute("SELECT count(*) FROM notes").fetchone() == (0,)
        assert texts(ours) == ["meanwhile"]

    def test_nobody_sees_what_is_not_complete(self, make: Make):
        ours, others = make(), make()
        with ours.writing() as connection:
            connection.execute("INSERT INTO notes (id, text) VALUES ('1', 'half')")
            assert texts(others) == []
        assert texts(others) == ["half"]

    def test_a_schema_takes_the_steps_that_it_lacks(self, make: Make):
        before = make()
        add(before, "old")
        before.close()
        assert make(LATER).query("SELECT text, author FROM notes") == [("old", "x")]
        with pytest.raises(StoreError, match="its tables of 'notes' are those of a later version"):
            texts(before)

    def test_a_step_that_fails_leaves_what_was_there(self, make: Make):
        add(make(), "old")
        broken = make(Schema("notes", (*NOTES.steps, ("ALTER TABLE notes ADD COLUMN a TEXT", "NO SUCH SQL"))))
        with pytest.raises(StoreError, match="syntax error"):
            texts(broken)
        with pytest.raises(StoreError):
            make().query("SELECT a FROM notes")
        assert texts(make()) == ["old"]

    def test_many_who_begin_at_once_make_the_tables_once(self, make: Make):
        all_of_them = [
            make(NOTES, LATER._replace(name="other", steps=(("CREATE TABLE other (a TEXT)",),))) for _ in range(6)
        ]
        inside = threading.Barrier(len(all_of_them), timeout=30)
        failed: list[BaseException] = []

        def begin(mine: Tables, number: int) -> None:
            inside.wait()
            try:
                add(mine, str(number))
            except BaseException as error:
                failed.append(error)

        threads = [threading.Thread(target=begin, args=(each, number)) for number, each in enumerate(all_of_them)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert not failed
        assert texts(make()) == ["0", "1", "2", "3", "4", "5"]


def test_a_state_that_is_known_is_another_after_each_change(make: Make):
    tables = make()
    others = tables if isinstance(tables, MemoryTables) else make()
    add(tables, "a")
    before = tables.state()
    assert texts(tables) == ["a"]
    assert tables.state() == before
    changes = [
        lambda: add(tables, "b"),
        lambda: tables.query("DELETE FROM notes WHERE text = ? RETURNING 1", ("a",)),
        lambda: add(others, "c"),
        lambda: others.query("UPDATE notes SET text = 'x' WHERE text = ?", ("c",)),
    ]
    for change in changes:
        change()
        time.sleep(0.002)  # what others have changed is known a millisecond later at the most
        after = tables.state()
        assert after is None or after != before
        before = after


def test_a_state_is_another_at_once_after_changes_of_ones_own(tables: Tables):
    add(tables, "a")
    for number in range(50):
        before = tables.state()
        tables.query("UPDATE notes SET number = ? WHERE text = 'a'", (number,))
        between = tables.state()
        with tables.writing() as connection:
            connection.execute("UPDATE notes SET size = ?", (number,))
        after = tables.state()
        assert before is None or len({before, between, after}) == 3
