"""The exceptions of a record: causes, contexts, groups, and what each of them says."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from failing_code import Project, failure_of, texts_of

from wheatpaste.middleware.errors.collect.capture import collect
from wheatpaste.middleware.errors.collect.tree import branches_of
from wheatpaste.middleware.errors.record import ErrorRecord, Raised


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def outline(record: ErrorRecord) -> list[tuple[str, int | None, str, bool]]:
    return [(each.relation, each.parent, each.headline, each.suppressed) for each in record.exceptions]


def only(error: BaseException) -> Raised:
    record = collect(error)
    assert len(record.exceptions) == 1
    return record.raised


def chain(length: int) -> BaseException:
    """As many exceptions, each the cause of the one before; the root says so."""
    error: BaseException = KeyError("the root")
    for number in range(length - 1, 0, -1):
        following = ValueError(f"number {number}")
        following.__cause__ = error
        error = following
    return error


# --- row 4: chains ---------------------------------------------------------------------------------------------------


def test_row_04_a_cause_is_a_branch_of_what_it_caused(project: Project) -> None:
    record = project.record(
        """
        def read():
            raise OSError("no disk")

        try:
            read()
        except OSError as error:
            raise LookupError("no order") from error
        """
    )
    assert outline(record) == [
        ("raised", None, "LookupError: no order", False),
        ("cause", 0, "OSError: no disk", False),
    ]
    assert record.root.headline == "OSError: no disk"
    assert [frame.function for frame in record.root.frames] == ["<module>", "read"]


def test_row_04_a_context_is_a_branch_too(project: Project) -> None:
    record = project.record(
        """
        try:
            {}["a"]
        except KeyError:
            1 / 0
        """
    )
    assert outline(record) == [
        ("raised", None, "ZeroDivisionError: division by zero", False),
        ("context", 0, "KeyError: 'a'", False),
    ]
    assert record.root.name == "KeyError"


@pytest.mark.parametrize("source", ["None", "OSError('why')"])
def test_row_04_a_context_that_python_hides_is_there_and_says_that_it_is_hidden(project: Project, source: str) -> None:
    record = project.record(
        f"""
        try:
            {{}}["a"]
        except KeyError:
            raise ValueError("b") from {source}
        """
    )
    assert ("context", 0, "KeyError: 'a'", True) in outline(record)
    assert record.root.name != "KeyError"


AGAIN = """
def work():
    raise KeyError("it")

def look_for_a_handler():
    raise LookupError("none")
"""


@pytest.mark.parametrize(
    ("source", "later"),
    [
        # As Pyramid does: caught, nobody found who handles it, raised again further in.
        (
            """
            def again(error, trace):
                raise error.with_traceback(trace)
            def handle(error):
                try:
                    look_for_a_handler()
                except LookupError:
                    again(error, error.__traceback__)
            try:
                work()
            except KeyError as error:
                handle(error)
            """,
            True,
        ),
        # In the frame that has caught it.
        (
            """
            try:
                work()
            except KeyError as error:
                try:
                    look_for_a_handler()
                except LookupError:
                    raise error
            """,
            True,
        ),
        # What was being handled when it was raised for the first time has led to it, whoever raises it again.
        (
            """
            def clean_up():
                try:
                    work()
                except KeyError as error:
                    raise error
            try:
                look_for_a_handler()
            except LookupError:
                clean_up()
            """,
            False,
        ),
        (
            """
            try:
                try:
                    look_for_a_handler()
                except LookupError:
                    work()
            except KeyError as error:
                raise error
            """,
            False,
        ),
    ],
    ids=["handed on", "in place", "raised again further in", "raised again further out"],
)
def test_row_04_what_came_later_is_no_cause_of_what_is_raised_again(project: Project, source: str, later: bool) -> None:
    record = project.record(AGAIN + dedent(source))
    assert outline(record) == [("raised", None, "KeyError: 'it'", False), ("context", 0, "LookupError: none", later)]
    assert record.root.type == ("KeyError" if later else "LookupError")


def test_row_04_a_circle_of_causes_ends() -> None:
    first, second = ValueError("a"), ValueError("b")
    first.__cause__, second.__cause__ = second, first
    assert [each.message for each in collect(first).exceptions] == ["a", "b"]


def test_row_04_of_ten_thousand_in_a_chain_both_ends_stay_and_the_rest_is_counted() -> None:
    began = time.process_time()
    record = collect(chain(10_000))
    assert time.process_time() - began < 1
    assert record.headline == "ValueError: number 1"
    assert record.root.headline == "KeyError: 'the root'"
    assert record.omitted_exceptions == 10_000 - len(record.exceptions)
    assert 50 <= len(record.exceptions) <= 64
    assert len(json.dumps(record.to_data())) < 1_000_000


def test_row_04_a_subclass_cannot_hide_its_cause_behind_a_property() -> None:
    class Sly(Exception):
        @property
        def __cause__(self) -> BaseException:  # type: ignore[override]
            raise RuntimeError("none of your business")

    def fail() -> None:
        raise Sly("a") from OSError("b")

    assert [each.name for each in collect(failure_of(fail)).exceptions] == [Sly.__name__, "OSError"]


# --- row 5: groups ---------------------------------------------------------------------------------------------------


def test_row_05_a_group_is_a_tree_whose_leaves_have_their_own_frames(project: Project) -> None:
    record = project.record(
        """
        def job(number):
            raise ValueError(number)

        def jobs():
            failures = []
            for number in range(2):
                try:
                    job(number)
                except ValueError as error:
                    failures.append(error)
            return failures

        raise ExceptionGroup("outer", [ExceptionGroup("inner", jobs()), KeyError("k")])
        """
    )
    assert [(each.parent, each.relation, each.name, each.message) for each in record.exceptions] == [
        (None, "raised", "ExceptionGroup", "outer (2 sub-exceptions)"),
        (0, "member", "ExceptionGroup", "inner (2 sub-exceptions)"),
        (1, "member", "ValueError", "0"),
        (1, "member", "ValueError", "1"),
        (0, "member", "KeyError", "'k'"),
    ]
    assert [each.group for each in record.exceptions] == [True, True, False, False, False]
    leaf = record.exceptions[3].frames[-1]
    assert (leaf.function, texts_of(leaf.variables)["number"]) == ("job", "1")


def test_row_05_a_member_may_have_causes() -> None:
    member = ValueError("a")
    member.__cause__ = OSError("b")
    found = [(each.parent, each.relation) for each in collect(ExceptionGroup("g", [member])).exceptions]
    assert found == [(None, "raised"), (0, "member"), (1, "cause")]


def test_row_05_of_a_large_group_the_members_left_out_are_counted() -> None:
    record = collect(ExceptionGroup("many", [ValueError(number) for number in range(1000)]))
    assert record.raised.omitted_members == record.omitted_exceptions == 1001 - len(record.exceptions)
    assert record.exceptions[1].message == "0"


def test_row_05_of_a_huge_group_not_all_members_are_visited() -> None:
    error = ValueError("the same")
    branches, omitted = branches_of(ExceptionGroup("huge", [ValueError(0), *([error] * 200_000)]), 10)
    assert [branch.relation for branch in branches] == ["raised", "member", "member"]
    assert omitted > 100_000


def test_row_05_in_a_thousand_nested_groups_the_leaf_stays() -> None:
    error: Exception = KeyError("the leaf")
    for _ in range(1000):
        error = ExceptionGroup("g", [error])
    began = time.process_time()
    record = collect(error)
    assert time.process_time() - began < 1
    assert record.exceptions[-1].message == "'the leaf'"
    assert record.omitted_exceptions + len(record.exceptions) == 1001


def test_row_05_members_out_of_one_frame_all_have_its_variables_which_are_read_once(project: Project) -> None:
    record = project.record(
        """
        def import_lines(counted):
            failures = []
            for number in range(20):
                try:
                    int(f"line {number}")
                except ValueError as error:
                    failures.append(error)
            raise ExceptionGroup("no line can be read", failures)

        class Counted:
            asked = 0

            def __repr__(self):
                Counted.asked += 1
                return f"<asked {Counted.asked} times>"

        import_lines(Counted())
        """
    )
    shown = [
        variable.text
        for raised in record.exceptions
        for frame in raised.frames
        for variable in frame.variables
        if variable.name == "counted"
    ]
    assert len(shown) == 21
    # Once for the line that raised the group, and once for the one at which all members failed.
    assert set(shown) == {"<asked 1 times>", "<asked 2 times>"}


def test_row_05_an_exception_that_stands_in_several_groups_is_there_once() -> None:
    shared = ValueError("shared")
    record = collect(ExceptionGroup("a", [shared, ExceptionGroup("b", [shared])]))
    assert [each.name for each in record.exceptions] == ["ExceptionGroup", "ValueError", "ExceptionGroup"]


# --- row 7: notes ----------------------------------------------------------------------------------------------------


def test_row_07_notes_are_texts_of_their_own() -> None:
    error = ValueError("a")
    error.add_note("first\nsecond")
    error.add_note("third")
    assert only(error).notes == ("first\nsecond", "third")


@pytest.mark.parametrize(
    ("notes", "shown"),
    [
        pytest.param([1, None, "text"], ("1", "None", "text"), id="other values in the list"),
        pytest.param("text", ("text",), id="a text instead of a list"),
        pytest.param(42, ("42",), id="a number"),
        pytest.param([], (), id="none"),
    ],
)
def test_row_07_notes_that_are_no_texts_are_shown_all_the_same(notes: Any, shown: tuple[str, ...]) -> None:
    error = ValueError("a")
    error.__notes__ = notes
    assert only(error).notes == shown


def test_row_07_a_note_holds_no_secret_and_is_bounded() -> None:
    error = ValueError("a")
    error.add_note("password=hunter2hunter2")
    error.add_note("x" * 1_000_000)
    for _ in range(100):
        error.add_note("more")
    notes = only(error).notes
    assert "hunter2" not in notes[0]
    assert len(notes[1]) < 10_000
    assert notes[-1] == "… and 82 more notes"


# --- row 16: messages ------------------------------------------------------------------------------------------------


def broken(what: Any) -> Exception:
    class Broken(Exception):
        def __str__(self) -> str:
            return what()  # type: ignore[no-any-return]

    return Broken("argument")


def _raise(error: BaseException) -> Any:
    raise error


@pytest.mark.parametrize(
    ("what", "said"),
    [
        pytest.param(lambda: _raise(RuntimeError("x")), "its __str__ raises RuntimeError", id="raises"),
        pytest.param(lambda: _raise(SystemExit(1)), "its __str__ raises SystemExit", id="exits"),
        pytest.param(lambda: _raise(KeyboardInterrupt()), "its __str__ raises KeyboardInterrupt", id="interrupts"),
        pytest.param(lambda: 42, "its __str__ raises TypeError", id="returns a number"),
        pytest.param(lambda: time.sleep(1) or "late", "its __str__ takes too long", id="hangs"),
    ],
)
def test_row_16_a_broken_str_is_named_and_the_arguments_are_shown(what: Any, said: str) -> None:
    began = time.monotonic()
    message = only(broken(what)).message
    assert said in message
    assert "'argument'" in message
    assert time.monotonic() - began < 2


def test_row_16_a_message_is_bounded() -> None:
    assert len(only(broken(lambda: "x" * 100_000_000)).message) < 10_000
    assert len(only(ValueError("x" * 100_000_000)).message) < 10_000
    assert len(only(ValueError(list(range(1_000_000)))).message) < 10_000


def test_row_16_a_message_holds_no_secret() -> None:
    assert "hunter2" not in only(ValueError("postgres://shop:hunter2@db/orders")).message


@pytest.mark.parametrize(
    ("error", "message"),
    [
        pytest.param(ValueError(), "", id="no arguments"),
        pytest.param(ValueError("a\nb"), "a\nb", id="a text of several lines"),
        pytest.param(ValueError("a", 1), "('a', 1)", id="several arguments"),
        pytest.param(KeyError("k"), "'k'", id="a key, which Python quotes"),
        pytest.param(FileNotFoundError(2, "No such file", "a.txt"), "[Errno 2] No such file: 'a.txt'", id="a system's"),
        pytest.param(SystemExit(3), "3", id="an exit"),
        pytest.param(ValueError("\ud800"), "\\ud800", id="half of a surrogate pair"),
        pytest.param(ValueError("a\x1b[2Jb"), "a\\x1b[2Jb", id="an escape sequence"),
    ],
)
def test_row_16_a_message_reads_as_python_prints_it(error: BaseException, message: str) -> None:
    assert only(error).message == message


def test_row_16_a_hostile_class_is_named_all_the_same() -> None:
    class Meta(type):
        def __getattribute__(cls, name: str) -> Any:
            raise RuntimeError(name)

    class Hostile(Exception, metaclass=Meta):
        @property
        def __class__(self) -> Any:  # type: ignore[override]
            return int

        def __getattribute__(self, name: str) -> Any:
            raise RuntimeError(name)

    raised = only(Hostile("a"))
    assert raised.type.endswith(".Hostile")
    assert raised.message == "a"


# --- attributes ------------------------------------------------------------------------------------------------------


def test_what_an_exception_carries_is_shown_without_secrets() -> None:
    class Refused(Exception):
        pass

    error = Refused("no")
    error.status = 402  # type: ignore[attr-defined]
    error.api_key = "k-9f8e7d6c5b4a"  # type: ignore[attr-defined]
    attributes = texts_of(only(error).attributes)
    assert attributes["status"] == "402"
    assert "9f8e" not in attributes["api_key"]


def test_what_python_keeps_out_of_sight_is_shown_too() -> None:
    assert texts_of(only(FileNotFoundError(2, "No such file", "a.txt")).attributes)["filename"] == "'a.txt'"


@pytest.mark.parametrize("kind", [ImportError, ModuleNotFoundError])
def test_where_modules_were_looked_for_is_shown_with_an_import_that_failed(kind: type[ImportError]) -> None:
    attributes = texts_of(only(kind("no", name="nothing")).attributes)
    assert attributes["name"] == "'nothing'"
    assert sys.path[0] in attributes["sys.path"].split("\n")
