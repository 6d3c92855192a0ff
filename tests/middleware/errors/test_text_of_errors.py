"""A record as text and as a line of a log: what stands where, and that nothing in it is obeyed."""

from __future__ import annotations

import dataclasses
import re
import time
from typing import Any

import pytest
from error_samples import SAMPLES, chain, frame, group, poisoned, recursion, rich, shown, simple, syntax, template
from error_samples import record as record_of
from hypothesis import given, settings
from hypothesis import strategies as st

from wheatpaste.middleware.errors.collect.capture import collect
from wheatpaste.middleware.errors.record import ErrorRecord, Frame, Gap, Line, Raised, Span
from wheatpaste.middleware.errors.render.log_line import as_line
from wheatpaste.middleware.errors.render.text import as_text
from wheatpaste.protocol.printable import one_line, printable

ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
NASTY = "\x1b[2J\x1b]0;owned\x07\r\x9b31m\x00\x0b\u2028\u202egpj\ud800\n2026-11-26 ERROR forged"


def raised(**more: Any) -> ErrorRecord:
    return record_of(Raised(**{"type": "ValueError", "message": "boom", **more}))


# What stands where ----------------------------------------------------------------------------------------------------


def test_row_34_the_text_tells_what_where_and_which_request() -> None:
    head, _, traceback = as_text(simple()).partition("\n\n")
    assert head.splitlines() == [
        "PriceMissing: no price in SEK for 'BREAD-7'",
        "  at shop/prices.py:18 in price_of",
        "  K7QX-M3PZ, group E-7K3QX, 2026-11-26 02:43:20 UTC",
        "  POST http://localhost:8080/shop/checkout?step=3&token=[redacted: str, 12 chars]",
    ]
    assert traceback.splitlines()[:2] == ["Traceback (most recent call last):", "  ... 3 frames in tinyweb"]
    assert traceback.splitlines()[-1] == "shop.prices.PriceMissing: no price in SEK for 'BREAD-7'"


def test_the_failing_line_stands_among_others_with_its_values() -> None:
    text = as_text(simple())
    assert '  File "/srv/shop/shop/prices.py", line 18, in price_of\n' in text
    assert "       17 |     except KeyError as error:\n  >    18 |         raise PriceMissing(" in text
    assert "        currency = 'SEK'\n        sku = 'BREAD-7'\n" in text


@pytest.mark.parametrize(
    ("line", "failing"),
    [
        pytest.param("    total = price(item)", "price(item)", id="plain"),
        pytest.param("\ttotal = price(item)", "price(item)", id="behind a tab"),
        pytest.param("    s = '日本' + price(item)", "price(item)", id="behind wide letters"),
        pytest.param("    s = '\x1b[2J' + price(item)", "price(item)", id="behind what is written out"),
    ],
)
def test_row_06_carets_stand_below_what_failed(line: str, failing: str) -> None:
    from unicodedata import east_asian_width

    place = frame(line, failing, file="shop/a.py", function="f")
    text = as_text(raised(frames=(place,), focus=0))
    source, carets = text[text.index("  >     1 | ") :].splitlines()[:2]
    columns = "".join(letter * (2 if east_asian_width(letter) in "WF" else 1) for letter in source)
    assert columns[carets.index("^") : carets.rindex("^") + 1] == failing


def test_row_06_carets_stand_below_each_line_of_a_span() -> None:
    source = "x = f(\n    one,\n    two,\n)\n"
    place = dataclasses.replace(
        frame(source, "f(", file="shop/a.py", function="f"), span=Span(line=1, column=4, end_line=4, end_column=1)
    )
    text = as_text(raised(frames=(place,), focus=0))
    assert [line for line in text.splitlines() if "^" in line or line.startswith("  >")] == [
        "  >     1 | x = f(",
        "                ^^",
        "  >     2 |     one,",
        "                ^^^^",
        "  >     3 |     two,",
        "                ^^^^",
        "  >     4 | )",
        "            ^",
    ]


def test_row_04_a_chain_is_told_with_how_each_came_about() -> None:
    text = as_text(chain())
    assert "\ncaused by KeyError: 'SEK'\n" in text
    assert "\nwhile handling (hidden by from) ConnectionResetError: " in text
    assert "  hint: The keys are: 'EUR'.\n" in text


def test_row_05_members_of_groups_are_numbered_and_set_apart() -> None:
    lines = as_text(group(omitted=4)).splitlines()
    assert "  | member 1 of 7 PriceMissing: no price in SEK for 'BREAD-7'" in lines
    assert "  | caused by KeyError: 'SEK'" in lines
    assert "  |   | member 2 of 2 SoldOut: CAKE-1" in lines
    assert "  4 more members are not shown." in lines


def test_row_07_notes_stand_below_the_message() -> None:
    assert (
        "PriceMissing: no price in SEK for 'BREAD-7'\n"
        "  note: The warehouse was asked at 02:43.\n"
        "  note: Prices are imported each night:\n"
        "      shop import-prices\n"
    ) in as_text(chain())


def test_row_08_a_syntax_error_shows_its_place() -> None:
    text = as_text(syntax())
    assert '  File "/srv/shop/shop/vouchers.py", line 2\n' in text
    assert "  >     2 |     rate = RATES[voucher\n                            ^\n" in text


def test_row_09_a_template_shows_its_own_line_and_what_it_tells_of_itself() -> None:
    text = as_text(template())
    assert 'checkout.html", line 5, in render_body (mako)\n' in text
    assert "    expression: item.article.name\n    warning: the template is older than its page\n" in text
    assert "    Template: checkout.html\n" in text
    assert "basket, total, money" not in text, "what is extra is for who asks"


def test_row_10_frames_of_others_are_counted_by_whose_they_are() -> None:
    def of(package: str) -> Frame:
        return Frame(path="/lib/x.py", file="x.py", package=package, line=1)

    own = frame("boom()", "boom()", file="shop/a.py", function="f")
    text = as_text(raised(frames=(of("WebOb"), of("WebOb"), of("Pyramid"), own, of("Python")), focus=3))
    assert "  ... 3 frames: 2 in WebOb, 1 in Pyramid\n" in text
    assert text.index("shop/a.py") < text.index('File "x.py", line 1'), "where it was raised is shown, whoever did"


def test_a_traceback_that_nobody_owns_shows_its_end() -> None:
    frames = tuple(Frame(path=f"/lib/{n}.py", file=f"{n}.py", package="WebOb", line=1) for n in range(9))
    text = as_text(raised(frames=frames, focus=8))
    assert [f"{n}.py" for n in range(9) if f'"{n}.py"' in text] == ["6.py", "7.py", "8.py"]
    assert "  ... 6 frames in WebOb\n" in text


def test_row_14_recursion_is_told_in_a_line() -> None:
    text = as_text(recursion())
    assert "  ... the last 2 frames ran 488 more times\n" in text
    assert text.count("\n") < 70


def test_what_was_left_out_is_told_where_it_was() -> None:
    frames = tuple(frame(f"boom{n}()", f"boom{n}()", file=f"shop/{n}.py", function="f") for n in range(2))
    text = as_text(raised(frames=frames, focus=1, gaps=(Gap(after=0, frames=900),), omitted_frames=900))
    assert text.index("boom0()") < text.index("... 900 frames left out") < text.index("boom1()")
    assert "900 frames were" not in text
    assert "  ... 7 frames were left out\n" in as_text(raised(frames=frames, focus=1, omitted_frames=7))


def test_long_values_are_cut_and_messages_are_not() -> None:
    place = frame("f(x)", "f(x)", file="a.py", function="f", variables=shown(x="'" + "y" * 500 + "'"))
    text = as_text(raised(message="m" * 3000, frames=(place,), focus=0), width=80)
    assert "m" * 3000 in text
    values = [line for line in text.splitlines() if " = " in line]
    assert [len(line) for line in values] == [80]


def test_details_follow_where_they_are_wanted() -> None:
    assert "User-Agent" not in as_text(simple())
    text = as_text(simple(), details=True)
    for known in (
        "\nRequest\n",
        "  user = ada\n",
        "  User-Agent = Mozilla",
        "\nVersions\n",
        "  Python = CPython 3.13.1\n",
    ):
        assert known in text


def test_colour_is_added_and_changes_nothing_else() -> None:
    for make in SAMPLES.values():
        coloured = as_text(make(), colour=True)
        assert ESCAPE.search(coloured)
        assert ESCAPE.sub("", coloured) == as_text(make())


# Nothing is obeyed ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("details", [False, True])
def test_row_45_c7_a_terminal_obeys_nothing_of_a_record(details: bool) -> None:
    text = as_text(poisoned(rich(), NASTY), details=details, colour=True)
    assert not OBEYED.search(ESCAPE.sub("", text))
    assert "\\x1b[2J" in text
    text.encode("utf-8")


def test_c3_no_text_begins_a_line() -> None:
    """Each line is one of ours: who logs the text indented has no line that looks like another entry."""
    for line in as_text(poisoned(rich(), NASTY), details=True).splitlines():
        assert not line.lstrip(" |").startswith("2026-11-26 ERROR forged") or line.startswith(" ")


@pytest.mark.parametrize("make", [simple, chain, rich], ids=lambda make: make.__name__)
def test_row_39_c3_a_line_is_one_line(make: Any) -> None:
    line = as_line(poisoned(make(), NASTY))
    assert not OBEYED.search(line)
    assert line.splitlines() == [line]


def test_c3_a_line_has_a_bound() -> None:
    assert len(as_line(poisoned(simple(), "a" * 100_000))) == 1000


@given(st.text(st.characters(codec=None), max_size=200))
def test_text_of_any_kind_is_made_harmless(text: str) -> None:
    line = one_line(text)
    assert line.splitlines() in ([line], [])
    assert not OBEYED.search(line + printable(text))
    assert printable(line) == line, "what is harmless stays"


def test_harmless_text_stays_as_it_is() -> None:
    text = "Grüße, 日本, 👩\u200d🚀, می\u200cخواهم\tand\nmore"
    assert printable(text) == text
    assert one_line("a\r\nb\tc") == "a\\nb\\tc"
    assert one_line("abcdef", 4) == "abc…"


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_any_record_becomes_text(data: st.DataObject) -> None:
    number = st.integers(-5, 10)
    place = Frame(
        path=data.draw(st.text(max_size=5)),
        file="",
        line=data.draw(number),
        lines=tuple(Line(number=data.draw(number), text=data.draw(st.text(max_size=20))) for _ in range(3)),
        span=Span(**{name: data.draw(number) for name in ("line", "column", "end_line", "end_column")}),
        own=data.draw(st.booleans()),
        hidden=data.draw(st.booleans()),
    )
    parents = [None, *(data.draw(st.none() | st.integers(-1, 9)) for _ in range(4))]
    exceptions = tuple(
        Raised(type="", message="", parent=parent, frames=(place,) * 2, focus=data.draw(st.sampled_from([None, 0, 1])))
        for parent in parents
    )
    record = ErrorRecord(id="", group="", time=data.draw(st.floats(allow_nan=False)), exceptions=exceptions)
    assert as_text(record, details=True).endswith("\n")
    assert as_line(record)


def test_a_record_without_exceptions_is_text_too() -> None:
    record = ErrorRecord(id="K7QX-M3PZ", group="E-7K3QX", time=0)
    assert as_text(record).startswith("Error\n  K7QX-M3PZ")
    assert as_line(record) == "K7QX-M3PZ E-7K3QX error"


# The line of a log ----------------------------------------------------------------------------------------------------


def test_a11_the_line_names_id_group_place_and_request() -> None:
    assert as_line(simple()) == (
        "K7QX-M3PZ E-7K3QX PriceMissing: no price in SEK for 'BREAD-7' at shop/prices.py:18 in price_of "
        "(POST /shop/checkout)"
    )


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"phase": "body"}, "while the body was made"),
        ({"phase": "body", "sent": True}, "while the body was made, after part of the reply was sent"),
        ({"sent": True}, "after part of the reply was sent"),
        ({"phase": "close"}, "when the reply was closed"),
        ({"phase": "reported"}, "handled by the app, which reported it"),
        ({"phase": "slow"}, "while it was still running"),
    ],
)
def test_when_it_happened_is_said_unless_it_is_usual(changed: dict[str, Any], said: str) -> None:
    record = dataclasses.replace(simple(), **changed)
    assert as_line(record).endswith(f"(POST /shop/checkout, {said})")
    assert f"\n  {said}\n" in as_text(record)


def test_large_records_are_quick() -> None:
    large = [recursion(60), group(50), poisoned(rich(), "x" * 400)]
    for record in large:
        as_text(record)
    began = time.process_time()
    for record in large:
        as_text(record, details=True)
        as_line(record)
    assert time.process_time() - began < 0.5


def test_of_many_members_the_first_have_more_lines_of_their_source() -> None:
    """Fifty times the same ten lines help nobody."""
    failures = []
    for number in range(30):
        try:
            int(f"line {number}")
        except ValueError as error:
            failures.append(error)
    try:
        raise ExceptionGroup("30 lines", failures)
    except ExceptionGroup as group:
        record = collect(group)
    text = as_text(record)
    assert text.count("failures = []") == 9  # ten exceptions, of which one is the group
    assert all(f"'line {number}'" in text for number in range(30))
