"""It reads what clients send in Authorization, and dies of nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheatpaste.middleware.auth.methods.auth_params import credentials, extended_text, parameters, quoted, text_of

READ = {
    "tokens and quotes": ('a=b, c="d e"', {"a": "b", "c": "d e"}),
    "blanks where they may be": (' a = b ,\tc = "d" ', {"a": "b", "c": "d"}),
    "names in capitals": ("REALM=x", {"realm": "x"}),
    "quoted pairs": (r'a="b\"c\\d"', {"a": 'b"c\\d'}),
    "commas in quotes": ('a="b, c=d"', {"a": "b, c=d"}),
    "nothing in quotes": ('a=""', {"a": ""}),
    "an unquoted path": ("uri=/a/b", {"uri": "/a/b"}),
    "a comma at the end": ("a=b,", {"a": "b"}),
    "nothing": ("", {}),
}


@pytest.mark.parametrize(("text", "found"), READ.values(), ids=READ)
def test_it_reads_parameters(text: str, found: dict[str, str]) -> None:
    assert parameters(text) == found


UNREADABLE = {
    "one twice": "a=b, A=c",
    "no comma": "a=b c=d",
    "no value": "a=",
    "no name": "=b",
    "an open quote": 'a="b',
    "an open pair": 'a="b\\"',
    "a newline": 'a="b\nc"',
    "a NUL": 'a="b\0c"',
    "something behind quotes": 'a="b"c',
}


@pytest.mark.parametrize("text", UNREADABLE.values(), ids=UNREADABLE)
def test_what_is_no_list_of_parameters_is_none(text: str) -> None:
    assert parameters(text) is None


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("Basic abc=", "abc="),
        ("bAsIc   abc= ", "abc="),
        ("Basic", None),
        ("Basicabc", None),
        ("Bearer abc", None),
        ("", None),
        ("Basic " + "a" * 9000, None),
    ],
)
def test_a_scheme_is_found_in_whatever_letters(header: str, found: str | None) -> None:
    assert credentials(header, "basic") == found


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("UTF-8''J%c3%a4s%C3%B8n%20Doe", "J\u00e4s\u00f8n Doe"),
        ("utf-8'en'bob", "bob"),
        ("ISO-8859-1''b", None),
        ("UTF-8''%FF", None),
        ("UTF-8''a b", None),
        ("bob", None),
        ("UTF-8''%zz", None),
    ],
)
def test_it_reads_extended_values(value: str, text: str | None) -> None:
    assert extended_text(value) == text


def test_what_it_quotes_is_read_back() -> None:
    for text in ('Wiki "of" \\all', "caf\u00e9 \u2013 \u043a\u043e\u0448\u043a\u0430", ""):
        found = parameters(f"realm={quoted(text)}")
        assert found is not None
        assert text_of(found["realm"]) == text
    assert quoted("a\r\nSet-Cookie: b") == '"aSet-Cookie: b"'


@given(st.text(alphabet=st.characters(max_codepoint=255), max_size=300))
def test_it_raises_for_no_header(text: str) -> None:
    for each in (text, f"Digest {text}"):
        found = credentials(each, "digest")
        parameters(each if found is None else found)
    text_of(text)
    extended_text(text)
