"""The source of a frame: enough of it, nothing cut in two, and the part that failed."""

from __future__ import annotations

import os
import sys
import time
import zipfile
from pathlib import Path

import pytest
from failing_code import Project, failure_of, marked

from wheatpaste.middleware.errors.collect.source import keep_lines, lines_of
from wheatpaste.middleware.errors.record import Frame


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def numbers(frame: Frame) -> list[int]:
    return [line.number for line in frame.lines]


def line_of(frame: Frame) -> str:
    return next(line.text for line in frame.lines if line.number == frame.line)


FILLER = "\n".join(f"a{number} = {number}" for number in range(30))


# --- row 1: context --------------------------------------------------------------------------------------------------


def test_row_01_seven_lines_stand_before_and_after_the_failing_one(project: Project) -> None:
    frame = project.frame(f"{FILLER}\n1 / 0\n{FILLER}\n".encode())
    assert (frame.line, line_of(frame)) == (31, "1 / 0")
    assert numbers(frame) == list(range(24, 39))


def test_row_01_the_number_of_lines_can_be_chosen(project: Project) -> None:
    error = project.failure(f"{FILLER}\n1 / 0\n{FILLER}\n".encode())
    frame = project.collect(error, context=2).focus
    assert frame is not None
    assert numbers(frame) == [29, 30, 31, 32, 33]


@pytest.mark.parametrize(
    ("before", "failing", "after", "expected"),
    [
        pytest.param("a = [\n 1,\n 2,\n 3,\n]\n" + "b = 1\n" * 5, "1 / 0", "", (1, 11), id="a list before"),
        pytest.param("a = 1\n", "1 / 0", "b = 1\n" * 5 + "c = '''\nx\ny\nz\n'''\nd = 1\n", (1, 12), id="a text after"),
        pytest.param("a = 1\n" * 20, "print(\n 1,\n 1 /\n 0,\n 2,\n)", "", (16, 26), id="the failing call"),
        pytest.param(
            "a = 1\n" * 20, "if (\n 1 ==\n 1 / 0\n):\n  pass", "b = 1\n" * 20, (16, 30), id="the header of a block"
        ),
    ],
)
def test_row_01_no_statement_is_cut_in_two(
    project: Project, before: str, failing: str, after: str, expected: tuple[int, int]
) -> None:
    frame = project.frame(f"{before}{failing}\n{after}".encode())
    assert (frame.lines[0].number, frame.lines[-1].number) == expected


def test_row_01_of_a_statement_that_is_longer_than_a_page_only_the_failing_part_is_shown(project: Project) -> None:
    frame = project.frame(("a = [\n" + "  1,\n" * 200 + "  1 / 0,\n" + "  1,\n" * 200 + "]\n").encode())
    assert line_of(frame) == "  1 / 0,"
    assert len(frame.lines) < 40


def test_row_01_the_lines_of_the_function_are_known(project: Project) -> None:
    record = project.record(
        """
        x = 1

        def decorate(function):
            return function

        @decorate
        def compute(
            a,
        ):
            def inner():
                return 1 / a

            return [
                inner()
            ]

        y = compute(0)
        """
    )
    assert [(frame.function, frame.block) for frame in record.raised.frames] == [
        ("<module>", None),
        ("compute", (6, 15)),
        ("compute.<locals>.inner", (10, 11)),
    ]


# --- row 6: spans ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "part"),
    [
        pytest.param("a = None\nb = 1 + a.name + 2\n", "a.name", id="an attribute"),
        pytest.param("a = {}\nb = a['x']['y'] + 1\n", "a['x']", id="a subscript"),
        pytest.param("ä = None\nü = 'öö' + ä.näme + 'x'\n", "ä.näme", id="letters of several bytes"),
        pytest.param("a = 1\nx = 1\nif x:\n\tb = 2 + x.y\n", "x.y", id="behind a tab"),
        pytest.param("def f(a): 1 / a\nb = 1 + f(\n  0\n)\n", "1 / a", id="in a function of one line"),
    ],
)
def test_row_06_the_part_that_failed_is_marked(project: Project, text: str, part: str) -> None:
    assert marked(project.frame(text.encode())) == part


def test_row_06_a_part_may_stand_in_several_lines(project: Project) -> None:
    record = project.record(b"def f(a): 1 / a\nb = 1 + f(\n  0,\n) + 2\n")
    frame = record.raised.frames[0]
    assert marked(frame) == "f(\n  0,\n)"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a = None\na.name\n", id="one line"),
        pytest.param("def f(): 1 / 0\n\nf(\n)\n", id="several lines"),
        pytest.param("a = None\nif 1:\n    a.name  \n", id="blanks around it"),
    ],
)
def test_row_06_nothing_is_marked_where_it_would_be_everything(project: Project, text: str) -> None:
    assert project.record(text.encode()).raised.frames[0].span is None


def test_row_06_without_columns_in_the_code_nothing_is_marked(project: Project) -> None:
    code = compile("a = None\nb = 1 + a.name\n", "x.py", "exec")
    without = code.replace(co_linetable=bytes([(1 << 7) | (13 << 3) | 7, 2]))
    error = failure_of(exec, without, {})
    assert project.collect(error).raised.frames[-1].span is None


# --- what files may be -----------------------------------------------------------------------------------------------


def test_a_file_with_a_byte_order_mark_is_read(project: Project) -> None:
    frame = project.frame(b"\xef\xbb\xbf1 / 0\n")
    assert frame.lines[0].text == "1 / 0"


def test_a_file_is_decoded_as_it_declares(project: Project) -> None:
    frame = project.frame("# coding: latin-1\na = 'é'; b = 1 + a\n".encode("latin-1"))
    assert line_of(frame) == "a = 'é'; b = 1 + a"
    assert marked(frame) == "1 + a"


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"# coding: nonsense\nb\n", id="an encoding that nobody knows"),
        pytest.param(b"\xef\xbb\xbf# coding: latin-1\nb\n", id="two encodings"),
        pytest.param(b"# \xff\xfe\nb\n", id="bytes that are no UTF-8"),
        pytest.param(b"\x00\xff\nb\n", id="no text at all"),
    ],
)
def test_a_file_that_lies_about_its_encoding_has_lines_all_the_same(content: bytes) -> None:
    assert lines_of(content)[-1] == "b"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_are_counted_as_python_counts_them(end: str) -> None:
    assert lines_of(f"a\x0cb{end}c\u2028d{end}".encode()) == ["a\x0cb", "c\u2028d"]


def test_a_line_of_100_kilobytes_is_cut(project: Project) -> None:
    frame = project.frame(b"a = '" + b"x" * 100_000 + b"'; 1 / 0\n")
    assert len(frame.lines[0].text) < 1100
    assert frame.span is None


def test_a_line_is_cut_behind_a_secret_and_not_within_it(project: Project) -> None:
    frame = project.frame(b"a = '" + b"x" * 980 + b"'; password = 'hunter2hunter2hunter2'; 1 / 0\n")
    assert "hunter" not in frame.lines[0].text


def test_a_file_that_was_deleted_has_no_lines(project: Project) -> None:
    error = project.failure(b"1 / 0\n")
    os.remove(project.folder / "shop.py")
    frame = project.collect(error).focus
    assert frame is not None
    assert (frame.line, frame.lines, frame.span) == (1, (), None)


def test_a_file_that_became_shorter_has_the_lines_that_it_has(project: Project) -> None:
    error = project.failure(f"{FILLER}\nx = 1 + None\n".encode())
    project.write(b"a = 1\n")
    frame = project.collect(error).focus
    assert frame is not None
    assert frame.lines == ()


def test_a_file_that_changed_is_read_again(project: Project) -> None:
    assert line_of(project.frame(b"1 / 0\n")) == "1 / 0"
    assert line_of(project.frame(b"2 / 0 # now\n")) == "2 / 0 # now"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names are a thing of POSIX")
def test_a_pipe_in_place_of_a_file_is_not_waited_for(project: Project) -> None:
    error = project.failure(b"1 / 0\n")
    os.remove(project.folder / "shop.py")
    os.mkfifo(project.folder / "shop.py")
    began = time.monotonic()
    assert project.collect(error).raised.frames[0].lines == ()
    assert time.monotonic() - began < 5


def test_a_module_in_a_zip_file_has_its_lines(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with zipfile.ZipFile(tmp_path / "app.zip", "w") as archive:
        archive.writestr("zipped_shop.py", "def fail():\n    return 1 / 0\n")
    monkeypatch.syspath_prepend(str(tmp_path / "app.zip"))
    import zipped_shop  # type: ignore[import-not-found]

    try:
        frame = project.collect(failure_of(zipped_shop.fail)).raised.frames[-1]
    finally:
        del sys.modules["zipped_shop"]
    assert line_of(frame) == "    return 1 / 0"


def test_a_loader_that_fails_costs_the_lines_only(project: Project) -> None:
    class Loader:
        def get_source(self, name: str) -> str:
            raise RuntimeError("no source today")

    code = compile("1 / 0", "/nowhere/at/all.py", "exec")
    error = failure_of(exec, code, {"__name__": "all", "__loader__": Loader()})
    assert project.collect(error).raised.frames[-1].lines == ()


# --- secrets in source -----------------------------------------------------------------------------------------------


def test_secrets_in_source_are_hidden_and_lines_keep_their_numbers(project: Project) -> None:
    frame = project.frame(
        """
        password = "hunter2hunter2"
        key = '''-----BEGIN RSA PRIVATE KEY-----
        MIIEowIBAAKCAQEA1234567890
        -----END RSA PRIVATE KEY-----'''
        after = 1
        url = "postgres://shop:swordfish@db/orders"; 1 / 0
        last = 2
        """
    )
    text = "\n".join(line.text for line in frame.lines)
    assert not any(secret in text for secret in ("hunter2", "MIIEow", "swordfish"))
    assert {line.number: line.text for line in frame.lines}[5] == "after = 1"
    assert {line.number: line.text for line in frame.lines}[7] == "last = 2"


def test_the_mark_moves_with_what_stands_behind_a_secret(project: Project) -> None:
    frame = project.frame(b'password = "hunter2hunter2"; a = 1 + None\n')
    assert "hunter2" not in frame.lines[0].text
    assert marked(frame) == "1 + None"


def test_the_mark_moves_with_a_secret_that_is_known_from_elsewhere(project: Project) -> None:
    frame = project.frame(b'def f(password):\n    return "swordfish9", 1 + None\nf("swordfish9")\n')
    assert "swordfish9" not in "".join(line.text for line in frame.lines)
    assert marked(frame) == "1 + None"


@pytest.mark.parametrize(
    ("original", "redacted", "kept"),
    [
        pytest.param("a b c", "a\nB\nc", "a B c", id="as many lines"),
        pytest.param("a b c d", "a\n*\nd", "a *  d", id="one less"),
        pytest.param("a b c", "*", "*  ", id="only one"),
        pytest.param("a b", "a\nx\ny\nb", "a b", id="more"),
    ],
)
def test_as_many_lines_stay_as_there_were(original: str, redacted: str, kept: str) -> None:
    assert keep_lines(original.split(" "), redacted) == kept.split(" ")
