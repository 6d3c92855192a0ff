"""Which texts may name somebody."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheatpaste.middleware.auth.accounts.naming import email_complaint, line_complaint, name_complaint, word_complaint


@pytest.mark.parametrize(
    "name",
    [
        "bob",
        "Bob Ross",
        "b",
        "bob@example.org",
        "o'neill",
        "b.o-b_1+x~y",
        "Zoë",
        "żółw",
        "Юля",
        "Ελένη",
        "山田",
        "やまだ太郎",
    ]
    + ["yamada山田", "김철수", "שרה", "محمد", "राम", "42", "x" * 128],
)
def test_names_of_people_everywhere_may_be(name: str):
    assert name_complaint(name) is None


@pytest.mark.parametrize(
    ("name", "phrase"),
    [
        ("", "must not be empty"),
        ("x" * 129, "must not be longer than 128"),
        (" bob", "must not begin or end with a blank"),
        ("bob ", "must not begin or end with a blank"),
        ("bob\u00a0", "must not begin or end with a blank"),
        ("b  b", "nor have two in a row"),
        (".bob", "must begin with a letter or digit"),
        ("-rf", "must begin with a letter or digit"),
        ("a:b", "must not hold ':'"),
        ("a,b", "must not hold ','"),
        ("a/b", "must not hold '/'"),
        ('a"b', "must not hold '\"'"),
        ("<b>", "must begin with a letter"),
        ("a\x00b", r"must not hold '\x00'"),
        ("a\nb", r"must not hold '\n'"),
        ("a\x1b[0m", r"must not hold '\x1b'"),
        ("a\u200bb", r"must not hold '\u200b'"),
        ("a\u202eb", r"must not hold '\u202e'"),
        ("a\u00a0b", "variants of others"),
        ("a\u3000b", "variants of others"),
        ("a\ud800b", r"must not hold '\ud800'"),
        ("a\ue000b", r"must not hold '\ue000'"),
        ("a😀", "must not hold"),
        ("ﬁn", "variants of others"),
        ("\uff41dmin", "variants of others"),
        ("admin²", "variants of others"),
        ("аdmin", "must not mix letters of Cyrillic and Latin"),
        ("αdmin", "must not mix letters of Greek and Latin"),
        ("Ελеνη", "must not mix letters of Cyrillic and Greek"),
        ("user１", "variants of others"),
    ],
)
def test_what_would_deceive_or_break_something_may_not_be(name: str, phrase: str):
    assert phrase in (name_complaint(name) or "")


@pytest.mark.parametrize("word", ["staff", "wiki-admins", "a.b+c", "Redaktion", "группа", "ops@corp"])
def test_a_word_names_a_group_or_role(word: str):
    assert word_complaint(word) is None


@pytest.mark.parametrize("word", ["", "two words", "a:b", "a/b", "a,b", "*", "page:*", "o'neill"])
def test_what_is_no_word_names_no_group(word: str):
    assert word_complaint(word) is not None


@pytest.mark.parametrize(
    "address", ["", "bob@example.org", "b.o+b@sub.example.org", "bob@localhost", "юля@пример.рф", "o'n@x-y.org"]
)
def test_a_mail_address_may_be(address: str):
    assert email_complaint(address) is None


@pytest.mark.parametrize(
    "address",
    ["bob", "@x.org", "bob@", "a@b@c", "bob @x.org", "bob@x..org", ".bob@x.org", "bob.@x.org", "bob@.org", "bob@-x.org"]
    + [
        "bob@x.org\r\nBcc: eve@x.org",
        "bob@x.org,eve@x.org",
        "<bob@x.org>",
        "bob@x.org.",
        "bob@x\x00.org",
        "x" * 250 + "@x.org",
    ],
)
def test_what_is_no_mail_address_is_refused(address: str):
    assert email_complaint(address) is not None


@given(st.text())
def test_any_text_is_judged_without_an_error(text: str):
    for complaint in (name_complaint, word_complaint, email_complaint, line_complaint):
        assert complaint(text) is None or complaint(text)
