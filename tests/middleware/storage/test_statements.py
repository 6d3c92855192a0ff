"""Our SQL in the words of a driver."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheatpaste.middleware.storage.statements import with_percent_s


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("SELECT 1", "SELECT 1"),
        ("SELECT a FROM b WHERE c = ? AND d = ?", "SELECT a FROM b WHERE c = %s AND d = %s"),
        ("SELECT '?' , ?", "SELECT '?' , %s"),
        ("SELECT 'it''s ?' , ?", "SELECT 'it''s ?' , %s"),
        ("SELECT '' , ?, ''", "SELECT '' , %s, ''"),
        ('SELECT "a?" , ?', 'SELECT "a?" , %s'),
        ("SELECT 10 % 3, 'a%', ?", "SELECT 10 %% 3, 'a%%', %s"),
        ("SELECT ? -- what?\n, ?", "SELECT %s -- what?\n, %s"),
        ("SELECT /* ? * \n ? */ ?", "SELECT /* ? * \n ? */ %s"),
        ("SELECT '-- ' , ?", "SELECT '-- ' , %s"),
        ("SELECT a - -? ", "SELECT a - -%s "),
    ],
)
def test_a_question_mark_is_a_parameter_where_sql_says_so(ours: str, theirs: str):
    assert with_percent_s(ours) == theirs


@given(st.lists(st.sampled_from(["?", "'?'", '"?"', "'%'", "%", " ", "a", "/*?*/", "--?\n", "''''"]), max_size=12))
def test_only_parameters_become_parameters(pieces: list[str]):
    made = with_percent_s("".join(f" {piece} " for piece in pieces))
    assert made.replace("%%", "").count("%s") == pieces.count("?")
    assert made.replace("%%", "").count("%") == pieces.count("?")
