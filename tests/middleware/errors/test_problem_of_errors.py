"""A record as a problem document: what RFC 9457 asks for, and who is told what."""

from __future__ import annotations

import json

import pytest
from error_samples import MARKUP, SAMPLES, chain, group, poisoned, rich, simple

from wheatpaste.middleware.errors.render.problem import debug_problem, public_problem


def test_row_35_everybody_is_told_that_it_failed_and_an_id() -> None:
    assert json.loads(public_problem(simple(), "We are sorry.")) == {
        "type": "about:blank",
        "title": "Internal Server Error",
        "status": 500,
        "detail": "We are sorry.",
        "instance": "#K7QX-M3PZ",
        "error_id": "K7QX-M3PZ",
    }


@pytest.mark.parametrize("name", SAMPLES)
def test_row_35_without_debug_nothing_of_the_record_comes_out(name: str) -> None:
    text = public_problem(poisoned(SAMPLES[name](), "INNER-MATTER"), "Sorry.").decode()
    assert "INNER-MATTER" not in text.replace('"#INNER-MATTER"', "").replace('"error_id": "INNER-MATTER"', "")
    assert set(json.loads(text)) == {"type", "title", "status", "detail", "instance", "error_id"}


def test_row_35_debug_tells_exception_frames_and_causes() -> None:
    document = json.loads(debug_problem(chain(), "/.errors/K7QX-M3PZ"))
    assert document["detail"] == "PriceMissing: no price in SEK for 'BREAD-7'"
    assert document["instance"] == "/.errors/K7QX-M3PZ"
    assert document["group"] == "E-7K3QX"
    assert document["exception"]["type"] == "shop.prices.PriceMissing"
    assert document["exception"]["notes"][0] == "The warehouse was asked at 02:43."
    assert [frame["function"] for frame in document["frames"]][-1] == "price_of"
    assert document["frames"][-1]["variables"]["currency"] == "'SEK'"
    assert [(each["relation"], each["of"], each["type"]) for each in document["causes"]] == [
        ("cause", 0, "KeyError"),
        ("context", 0, "ConnectionResetError"),
    ]


def test_row_05_the_tree_can_be_put_together_again() -> None:
    causes = json.loads(debug_problem(group()))["causes"]
    assert [(each["relation"], each["of"]) for each in causes] == [
        ("member", 0),
        ("cause", 1),
        ("member", 0),
        ("member", 3),
        ("member", 3),
        ("member", 0),
    ]


def test_hidden_frames_are_left_out() -> None:
    assert len(json.loads(debug_problem(chain()))["frames"]) == 5


@pytest.mark.parametrize("nasty", [MARKUP, "\u2028\u2029", "\ud800", "\x00\x1b", '"\\'], ids=range(5))
def test_row_45_c7_it_is_json_that_is_no_html(nasty: str) -> None:
    for body in (debug_problem(poisoned(rich(), nasty)), public_problem(poisoned(rich(), nasty), nasty)):
        assert json.loads(body.decode("utf-8"))["status"] == 500
        assert not {b"<", b">", b"&"} & {bytes([byte]) for byte in body}
        assert nasty.replace("\ud800", "?") in json.loads(body)["detail"]
