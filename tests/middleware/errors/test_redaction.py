"""Secrets that are known by their value are taken out of a whole record, and so is what a terminal would obey."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

import pytest
from error_samples import SAMPLES, poisoned

from wheatpaste.middleware.errors.collect.redaction import Known, scrub
from wheatpaste.middleware.errors.collect.texts import clean_line, clean_text, cut
from wheatpaste.middleware.errors.record import ErrorRecord, Frame, Line, Raised

KEY = "mZ4k9XqP2vT7wR1c"


def known(*texts: str, strength: int = 3) -> Known:
    found = Known()
    for text in texts:
        found.add(text, strength)
    return found


def record(message: str, **more: Any) -> ErrorRecord:
    return ErrorRecord(
        id="K7QX-M3PZ", group="E-7K3QX", time=0.0, exceptions=(Raised(type="E", message=message, **more),)
    )


def test_a3_15_a_known_secret_is_taken_out_of_every_text_of_a_record() -> None:
    poison = f"before {KEY} after"
    found = poisoned(SAMPLES["rich"](), poison)
    assert KEY in json.dumps(found.to_data())
    cleaned = scrub(found, known(KEY))
    assert KEY not in json.dumps(cleaned.to_data())
    assert cleaned.raised.message == "before [redacted: 16 chars] after"


@pytest.mark.parametrize("name", SAMPLES)
def test_a_record_without_secrets_is_returned_as_it_is(name: str) -> None:
    sample = SAMPLES[name]()
    cleaned = scrub(sample, known(KEY))
    if cleaned != sample:  # the hostile ones hold what acts
        assert scrub(cleaned, known(KEY)) is cleaned


@pytest.mark.parametrize(
    ("secret", "text"),
    [
        ('it\'s "x" \\ 1', repr('it\'s "x" \\ 1')),
        ('it\'s "x" 1', json.dumps('it\'s "x" 1')),
        ("a&b<c>d 1", "a&amp;b&lt;c&gt;d 1"),
        ("p/q r+s 1", "p%2Fq%20r%2Bs%201"),
        ("p/q r+s 1", "p%2Fq+r%2Bs+1"),
        ("pässwörd1", "p\\xe4ssw\\xf6rd1"),
        ("pässwörd1", repr("pässwörd1".encode())),
        ("pässwörd1", "pässwörd1".encode().decode("latin-1")),
        ("pässwörd1", "p%C3%A4ssw%C3%B6rd1"),
        ("swordfish-77", "YW5uOnN3b3JkZmlzaC03Nw=="),  # ann:swordfish-77
        ("swordfish-77", "YW5uYTpzd29yZGZpc2gtNzc="),  # anna:swordfish-77
        ("100%25 mine", "100% mine"),
    ],
)
def test_a_secret_is_found_in_other_spellings(secret: str, text: str) -> None:
    cleaned = scrub(record(f"it says {text}!"), known(secret)).raised.message
    assert cleaned.startswith("it says ")
    assert "[redacted: " in cleaned
    assert len(cleaned) < len(f"it says {text}!") + 24
    assert text not in cleaned


@pytest.mark.parametrize(
    ("secret", "strength"),
    [
        ("short", 3),
        ("", 3),
        ("true", 3),
        ("3600", 3),
        ("password", 3),  # a name, which stands all over the source
        ("csrf_token", 3),
        ("------------", 3),
        ("required", 3),
        ("checkout", 2),  # a word behind "token"
        ("product_2024", 1),  # behind "key"
        ("user:ann", 1),
        ("x" * 10_000, 3),
    ],
)
def test_what_is_ordinary_is_not_looked_for(secret: str, strength: int) -> None:
    assert len(known(secret, strength=strength)) == 0


def test_a_password_that_is_a_word_is_hidden_as_a_word_alone() -> None:
    cleaned = scrub(record("sesame opens; sesamestreet does not; 'sesame'"), known("sesame"))
    assert cleaned.raised.message == "[redacted: 6 chars] opens; sesamestreet does not; '[redacted: 6 chars]'"


def test_a_password_that_is_a_word_changes_no_name_of_a_function() -> None:
    frame = Frame(path="/srv/shop/checkout.py", file="checkout.py", module="shop.checkout", function="checkout", line=1)
    cleaned = scrub(record("checkout", frames=(frame,)), known("checkout")).raised
    assert (cleaned.frames[0].module, cleaned.frames[0].function) == ("shop.checkout", "checkout")
    assert cleaned.message == "[redacted: 8 chars]"


def test_the_longest_of_several_secrets_is_hidden_whole() -> None:
    cleaned = scrub(record("abc12345 and abc12345xyz"), known("abc12345", "abc12345xyz"))
    assert cleaned.raised.message == "[redacted: 8 chars] and [redacted: 11 chars]"


@pytest.mark.parametrize("length", [6, 8, 12, 15])
def test_the_beginning_of_a_secret_where_a_text_was_cut_is_hidden(length: int) -> None:
    text = cut("x" * 50 + KEY, 50 + length)
    assert KEY[:6] in text
    assert KEY[:6] not in scrub(record(text), known(KEY)).raised.message


def test_the_secrets_of_the_process_are_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_TOKEN", KEY)
    monkeypatch.setenv("SHOP_DATABASE", "postgresql://ann:swordfish-77@db/shop")
    monkeypatch.setenv("SHOP_COLOUR", "turquoise")
    cleaned = scrub(record(f"{KEY} swordfish-77 turquoise")).raised.message
    assert cleaned == "[redacted: 16 chars] [redacted: 12 chars] turquoise"


def test_a_secret_is_learned_among_hundreds_of_other_keys() -> None:
    found = Known()
    found.learn_variables({"values": {**{f"name{n}": n for n in range(999)}, "password": "sesame-1234"}})
    assert scrub(record("no sesame-1234"), found).exceptions[0].message == "no [redacted: 11 chars]"


def test_no_more_than_a_few_hundred_secrets_are_looked_for() -> None:
    found = Known()
    for number in range(10_000):
        found.add(f"secret-{number:05}-x")
    assert len(found) == 400


def test_scrubbing_a_large_record_takes_no_long_time() -> None:
    lines = tuple(Line(number=n, text=f"    line {n} of {'x' * 60}") for n in range(15))
    frames = tuple(Frame(path=f"/a/{n}.py", file=f"{n}.py", lines=lines, line=n) for n in range(60))
    large = replace(record("x"), exceptions=(record("x" * 8000, frames=frames).raised,) * 50)
    many = known(*(f"secret-{number:03}-x" for number in range(400)))
    began = time.process_time()
    scrub(large, many)
    assert time.process_time() - began < 2


# --- what acts --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "lines"),
    [
        pytest.param("plain é 日本", "plain é 日本", "plain é 日本", id="text"),
        pytest.param("a\r\nb", "a\\r\\nb", "a\nb", id="C3 line breaks"),
        pytest.param("a\rb", "a\\rb", "a\\rb", id="C3 a carriage return that hides what is before it"),
        pytest.param("a\tb", "a\\tb", "a\tb", id="a tab"),
        pytest.param("\x1b[2J\x1b]0;x\x07", "\\x1b[2J\\x1b]0;x\\x07", "\\x1b[2J\\x1b]0;x\\x07", id="C3 escapes"),
        pytest.param("a\x00b\x7f\x9b", "a\\x00b\\x7f\\x9b", "a\\x00b\\x7f\\x9b", id="C3 controls"),
        pytest.param("a\u2028b\u0085c", "a\\u2028b\\x85c", "a\\u2028b\\x85c", id="C3 other line breaks"),
        pytest.param("\u202egnp.exe", "\\u202egnp.exe", "\\u202egnp.exe", id="text that runs backwards"),
        pytest.param("\ud800x\udfff", "\\ud800x\\udfff", "\\ud800x\\udfff", id="halves of surrogate pairs"),
    ],
)
def test_c3_text_does_nothing(text: str, line: str, lines: str) -> None:
    assert clean_line(text) == line
    assert clean_text(text) == lines
    clean_text(text).encode("utf-8")


def test_c3_no_text_of_a_record_acts() -> None:
    cleaned = scrub(poisoned(SAMPLES["rich"](), "a\r\n\x1b[2J\u202e\ud800\x00"))
    for text in _texts(cleaned.to_data()):
        assert clean_text(text) == text
        text.encode("utf-8")


def _texts(data: Any) -> list[str]:
    if isinstance(data, str):
        return [data]
    if isinstance(data, dict):
        data = list(data.values())
    return [text for each in data for text in _texts(each)] if isinstance(data, (list, tuple)) else []


def test_a_long_text_says_how_much_is_missing() -> None:
    assert cut("x" * 10, 10) == "x" * 10
    assert cut("x" * 1234, 10) == "xxxxxxxxxx… (1,224 more characters)"
