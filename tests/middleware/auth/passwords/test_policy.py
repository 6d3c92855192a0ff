"""It accepts every password that guessers do not try first, whatever it is made of."""

import gzip
from pathlib import Path

import django.contrib.auth
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheatpaste.middleware.auth.passwords import policy as policy_module
from wheatpaste.middleware.auth.passwords.policy import Policy

ACCEPTED = {
    "only small letters": "gelbeampelnachts",
    "ten characters": "vqzkmrtplw",
    "only digits": "8301947265",
    "only spaces between": "we met at dusk",
    "other alphabets": "кошка на крыше",
    "characters of four bytes": "🐌🍇🪁🧂🦔🎻🥐🚏🛶🗿",
    "sixty-four characters": "an umbrella in a desert is either optimism or a very good forecast",
    "1024 bytes": "zebra crossing " * 68 + "abcd",
    "a NUL": "half of\0this",
    "a common word that is the smaller part": "monkey-drives-a-tram",
    "something that only begins as a row": "qwerty im Nebelwald",
}


@pytest.mark.parametrize("password", ACCEPTED.values(), ids=ACCEPTED)
def test_it_accepts(password: str) -> None:
    assert Policy().complaint(password, ["bob", "Our wiki", "wiki.example.org"]) is None


REFUSED = {
    "nothing": ("", "at least 10"),
    "nine characters": ("vqzkmrtpl", "at least 10"),
    "nine characters of four bytes": ("🐌🍇🪁🧂🦔🎻🥐🚏🛶", "at least 10"),
    "1025 bytes": ("x y" * 341 + "zz", "at most 1024"),
    "1 MiB": ("xyz " * (1 << 18), "at most 1024"),
    "the most common of this length": ("1234567890", "row"),
    "digits backwards": ("9876543210", "row"),
    "a row of keys": ("qwertyuiop", "row"),
    "a row of other keyboards": ("azertyuiop", "row"),
    "two rows": ("qwertasdfg", "row"),
    "a row and a bit": ("123456789a", "row"),
    "columns of keys": ("1qaz2wsx3edc", "row"),
    "an alphabet": ("ABCDEFGHIJKL", "row"),
    "one character": ("aaaaaaaaaaaa", "row"),
    "two characters": ("ababababab", "row"),
    "three over and over": ("xyzxyzxyzxyzx", "row"),
    "a common password": ("basketball", "first that are tried"),
    "in capitals": ("BASKETBALL", "first that are tried"),
    "with digits behind": ("password2024", "first that are tried"),
    "with signs around": ("!!sunshine!!", "first that are tried"),
    "in disguise": ("P@55w0rd!!", "first that are tried"),
    "said twice": ("dragondragon", "first that are tried"),
    "with a year": ("liverpool2019", "first that are tried"),
    "the user's name": ("bob.builder1", "a name that everybody knows"),
    "the name in other letters": ("B0bBui1der!", "a name that everybody knows"),
    "the mail address": ("bob.builder@example.org", "a name that everybody knows"),
    "the site": ("acmewiki2025", "a name that everybody knows"),
}


@pytest.mark.parametrize(("password", "reason"), REFUSED.values(), ids=REFUSED)
def test_it_refuses(password: str, reason: str) -> None:
    words = ["bob.builder", "bob.builder@example.org", "AcmeWiki", "wiki.acme.example"]
    assert reason in (Policy().complaint(password, words) or "")


def test_the_fewest_characters_are_an_option() -> None:
    assert Policy(min_length=8).complaint("vqzkmrtp") is None
    assert Policy(min_length=20).complaint("vqzkmrtplwvqzkmrtpl") is not None


def test_a_complaint_can_be_translated() -> None:
    complaint = Policy().complaint("short")
    assert complaint is not None
    assert (complaint.template, complaint.values) == ("Use at least %(number)d characters.", {"number": 10})
    assert complaint == "Use at least 10 characters."


def test_it_knows_nearly_all_of_another_list_of_common_passwords() -> None:
    """The rest are keys of leaked databases and names of their sites, which nobody types by themselves."""
    packed = Path(django.contrib.auth.__file__).parent / "common-passwords.txt.gz"
    others = [each for each in gzip.decompress(packed.read_bytes()).decode().split() if len(each) >= 10][:1000]
    known = [each for each in others if Policy().complaint(each) is not None]
    assert len(known) > 0.8 * len(others)


def test_the_list_is_sorted_and_folded_and_has_each_word_once() -> None:
    words = (Path(policy_module.__file__).parent / "common.txt").read_text("utf-8").splitlines()
    assert words == sorted({word.casefold() for word in words})
    assert len(words) > 4000


@given(st.text(max_size=60), st.lists(st.text(max_size=20), max_size=4))
def test_it_raises_for_no_text(password: str, words: list[str]) -> None:
    Policy().complaint(password, words)
