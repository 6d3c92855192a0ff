"""File names in Content-Disposition."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wheatpaste.protocol.disposition import content_disposition
from wheatpaste.protocol.headers import is_header_value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("report.pdf", 'attachment; filename="report.pdf"'),
        ("my report (1).pdf", 'attachment; filename="my report (1).pdf"'),
        ("caf\xe9.txt", "attachment; filename=\"caf_.txt\"; filename*=UTF-8''caf%C3%A9.txt"),
        ("€ rates", "attachment; filename=\"_ rates\"; filename*=UTF-8''%E2%82%AC%20rates"),
        ('a"b', "attachment; filename=\"a_b\"; filename*=UTF-8''a%22b"),
        ("100%41.txt", "attachment; filename=\"100_41.txt\"; filename*=UTF-8''100%2541.txt"),
        ('x"\r\nX: y', "attachment; filename=\"x___X_ y\"; filename*=UTF-8''x%22__X%3A%20y"),
        ("../../etc/passwd", 'attachment; filename="passwd"'),
        ("C:\\dir\\a.txt", 'attachment; filename="a.txt"'),
        ("evil\u202etxt.exe", 'attachment; filename="evil_txt.exe"'),
        ("", "attachment"),
        ("..", "attachment"),
        (None, "attachment"),
    ],
)
def test_it_writes_a_name(name: str | None, value: str) -> None:
    assert content_disposition(name) == value


def test_it_can_be_shown_in_place() -> None:
    assert content_disposition("a.txt", "inline") == 'inline; filename="a.txt"'


@settings(deadline=None)
@given(st.text())
def test_any_name_makes_a_valid_ascii_header(name: str) -> None:
    value = content_disposition(name)
    assert is_header_value(value)
    assert value.isascii()
    assert value.count('"') in (0, 2)
