"""Syntax errors: the place that they tell of is a frame of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from failing_code import Project, failure_of, marked

from wheatpaste.middleware.errors.collect.capture import collect
from wheatpaste.middleware.errors.record import Frame


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def place(project: Project, text: str, name: str = "broken.py") -> Frame:
    path = project.write(text.encode(), name)
    frame = project.collect(failure_of(compile, path.read_bytes(), str(path), "exec")).focus
    assert frame is not None
    return frame


@pytest.mark.parametrize(
    ("text", "line", "part"),
    [
        pytest.param("a = 1\nb = = 2\nc = 3\n", 2, "=", id="one character"),
        pytest.param("a = 1\nf(b for b in c, 1)\n", 2, "b for b in c", id="several characters"),
        pytest.param("ä = 1; ö = 'ü' 1 'é'\n", 1, "1", id="letters of several bytes"),
        pytest.param("a = (1,\n     2\n", 1, "(", id="a bracket that is never closed"),
        pytest.param("a = 'x\n", 1, "'", id="a text that is never closed"),
        pytest.param("if 1:\na = 1\n", 2, "a", id="a block that is missing"),
        pytest.param("if 1\n    a = 1\n", 1, "1", id="something missing at the end of a line"),
    ],
)
def test_row_08_a_syntax_error_is_a_frame_with_its_place(project: Project, text: str, line: int, part: str) -> None:
    frame = place(project, text)
    assert (frame.language, frame.file, frame.line, frame.own) == ("syntax", "broken.py", line, True)
    assert "\n".join(each.text for each in frame.lines) + "\n" == text
    assert marked(frame) == part


def test_row_08_the_message_says_no_more_than_the_frame_does_not(project: Project) -> None:
    path = project.write("b = = 2\n", "broken.py")
    record = project.collect(failure_of(compile, path.read_bytes(), str(path), "exec"))
    assert record.headline == "SyntaxError: invalid syntax"
    assert [frame.language for frame in record.raised.frames][-2:] == ["python", "syntax"]


@pytest.mark.parametrize("kind", ["IndentationError", "TabError"])
def test_row_08_so_are_its_subclasses(project: Project, kind: str) -> None:
    text = {"IndentationError": "if 1:\n    a = 1\n  b = 2\n", "TabError": "if 1:\n\ta = 1\n        b = 2\n"}[kind]
    path = project.write(text.encode(), "broken.py")
    record = project.collect(failure_of(compile, path.read_bytes(), str(path), "exec"))
    assert (record.raised.type, record.raised.frames[-1].language) == (kind, "syntax")


def test_row_08_without_its_file_the_line_that_it_quotes_is_shown() -> None:
    record = collect(failure_of(compile, "a = 1\nb = = 2\n", "<typed>", "exec"))
    frame = record.raised.frames[-1]
    assert (frame.file, frame.line, frame.lines[-1].text) == ("<typed>", 2, "b = = 2")
    assert record.focus == frame
    assert marked(frame) == "="


def test_row_08_a_file_that_has_changed_is_not_taken_for_what_failed(project: Project) -> None:
    path = project.write("b = = 2\n", "broken.py")
    error = failure_of(compile, path.read_bytes(), str(path), "exec")
    project.write("all = 'fine'\n", "broken.py")
    frame = project.collect(error).raised.frames[-1]
    assert [line.text for line in frame.lines] == ["b = = 2"]


@pytest.mark.parametrize(
    "details",
    [
        pytest.param(("f.py", None, None, None), id="nothing"),
        pytest.param(("f.py", 0, 0, "text"), id="line 0"),
        pytest.param(("f.py", -3, 1, "text"), id="a negative line"),
        pytest.param(("f.py", "1", "1", 7), id="other types"),
        pytest.param((object(), [], {}, object()), id="strange types"),
    ],
)
def test_row_08_a_syntax_error_that_tells_nothing_is_like_others(details: Any) -> None:
    record = collect(SyntaxError("odd", details))
    assert (record.raised.message, record.raised.frames) == ("odd", ())


@pytest.mark.parametrize(
    "details",
    [
        pytest.param(("f.py", 1, 0, "text"), id="column 0"),
        pytest.param(("f.py", 1, -1, "text"), id="column -1"),
        pytest.param(("f.py", 1, None, "text"), id="no column"),
        pytest.param(("f.py", 1, 99, "text"), id="a column behind the end"),
        pytest.param(("f.py", 1, 3, "text", 1, 0), id="end column 0"),
        pytest.param(("f.py", 1, 3, "text", 0, 1), id="an end before the beginning"),
        pytest.param(("f.py", 1, 3, "text", 10**9, 5), id="an end far away"),
        pytest.param(("f.py", 10**9, 3, "text"), id="a line far away"),
        pytest.param(("f.py", 1, 3, None), id="no text"),
        pytest.param(("f.py", 1, 3, "x" * 10**6), id="a long text"),
        pytest.param((None, 1, 3, "text"), id="no file"),
        pytest.param(("\ud800\x00", 1, 3, "\ud800"), id="halves of surrogate pairs"),
    ],
)
def test_row_08_whatever_a_syntax_error_tells_the_span_is_within_its_lines(details: Any) -> None:
    frame = collect(SyntaxError("odd", details)).raised.frames[-1]
    assert frame.language == "syntax"
    if frame.span is not None:
        lines = {line.number: line.text for line in frame.lines}
        assert 0 <= frame.span.column < len(lines[frame.span.line])
        assert 0 < frame.span.end_column <= len(lines[frame.span.end_line])


def test_row_08_a_quoted_line_holds_no_secret() -> None:
    record = collect(failure_of(compile, "password = 'swordfish1' = 2 = = 3\n", "<typed>", "exec"))
    assert "swordfish1" not in repr(record)
