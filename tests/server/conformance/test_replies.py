"""Every behaviour of ``replies.toml``: what reaches the client, and that the app's iterable is closed exactly once."""

from __future__ import annotations

import datetime
import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from conformance_app import ConformanceApp
from conformance_exchange import Observation, alive, observe
from conformance_tables import Answer, Required, answers, readings
from engine_in_thread import EngineInThread, wait_for
from raw_http import Reply, Wire

ANSWERS = answers()
READINGS = readings()
BODY = b"line1\nrest"


def complaints(case: Answer, seen: Observation) -> Iterator[str]:
    if not case.required.met(seen.statuses, seen.end):
        yield f"required are {case.required.alternatives}, seen was {seen}"
    for reply in seen.replies:
        yield from reply.complaints()
        if reply.status == 500 and case.method != "HEAD" and b"Planned" in reply.body:
            yield "the page tells of the app"
        if reply.status == 500:
            return
    if len(seen.replies) != 1:
        return
    (reply,) = seen.replies
    if case.body is not None and reply.body != case.body:
        yield f"the body is {reply.body!r}"
    if case.framing is not None and reply.framing != case.framing:
        yield f"the framing is {reply.framing}"
    for name, value in case.has.items():
        if reply.all(name) != [value]:
            yield f"{name} is {reply.all(name)}"
    yield from (f"{name} is {reply.all(name)}" for name in case.lacks if reply.all(name))


@pytest.mark.parametrize("case", ANSWERS, ids=str)
def test_an_answer_reaches_the_client(server_under_test: EngineInThread, case: Answer) -> None:
    for address in (server_under_test.unix, server_under_test.tcp):
        server_under_test.app.calls.clear()
        seen = observe(address, [case.request], case.required, [case.method])
        assert not list(complaints(case, seen)), str(seen)
        (call,) = server_under_test.app.calls
        wait_for(lambda call=call: call.closed >= case.closes, "the iterable is closed")
        assert call.closed == case.closes
    assert alive(server_under_test.tcp)
    assert server_under_test.running


@pytest.mark.parametrize("case", [case for case in ANSWERS if case.required.alternatives == (((500,), None),)], ids=str)
def test_an_error_of_the_app_is_told_in_plain_text(server_under_test: EngineInThread, case: Answer) -> None:
    (reply,) = observe(server_under_test.unix, [case.request], case.required, [case.method]).replies
    assert reply.reason == "Internal Server Error"
    assert reply.get("Content-Type") == "text/plain; charset=utf-8"
    assert case.method == "HEAD" or reply.body.startswith(b"Internal Server Error")


def one(server: EngineInThread, answer: str, method: str = "GET", required: str = "200 kept") -> Reply:
    seen = observe(server.unix, [f"{method} /g/{answer} HTTP/1.1\r\nHost: x\r\n\r\n".encode()], Required.read(required))
    assert len(seen.replies) == 1, str(seen)
    return seen.replies[0]


def test_cookies_keep_their_order(server_under_test: EngineInThread) -> None:
    assert one(server_under_test, "cookies").all("Set-Cookie") == ["b=2", "a=1"]


def test_equal_lengths_are_sent_once(server_under_test: EngineInThread) -> None:
    reply = one(server_under_test, "dupcl", required="200 kept or 500")
    assert reply.status == 500 or (reply.all("Content-Length"), reply.body) == (["1"], b"x")


def test_bytes_as_a_reply_are_whole_where_they_are_taken(server_under_test: EngineInThread) -> None:
    reply = one(server_under_test, "bytesbody", required="200 kept or 500")
    assert reply.status == 500 or reply.body == b"abc"


def test_a_latin_reason_is_sent_as_it_is(server_under_test: EngineInThread) -> None:
    assert one(server_under_test, "status_l").reason == "Tr\u00e8s bien"


def test_a_large_file_arrives_whole(server_under_test: EngineInThread) -> None:
    reply = one(server_under_test, "fwplain")
    assert reply.body == (b"0123456789" * 20_000)[5:]


def test_a_file_longer_than_the_length_is_cut_and_one_shorter_is_told(server_under_test: EngineInThread) -> None:
    low = one(server_under_test, "fwcllow")
    assert low.body in (b"2345", b"23456789")  # the app's length, or the file's put right
    assert low.complete
    high = one(server_under_test, "fwclhigh")
    assert high.complete == (high.get("Content-Length") == "8")


def test_a_lie_about_the_number_of_pieces_sends_whole_pieces_or_a_cut(server_under_test: EngineInThread) -> None:
    reply = one(server_under_test, "lyinglen")
    assert reply.body in (b"one", b"onetwo")


def test_the_date_is_now(server_under_test: EngineInThread) -> None:
    for path in ("/", "/g/204", "/g/errbefore"):
        request = f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        (reply,) = observe(server_under_test.unix, [request], Required.read("200 kept or 204 kept or 500")).replies
        date = datetime.datetime.strptime(reply.get("Date") or "", "%a, %d %b %Y %H:%M:%S GMT")
        now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
        assert abs((now - date).total_seconds()) < 5


@pytest.mark.parametrize("way", ["with a length", "in chunks"])
@pytest.mark.parametrize("case", READINGS, ids=lambda case: case["says"])
def test_a_body_is_read_like_a_file(server_under_test: EngineInThread, case: dict[str, Any], way: str) -> None:
    start = f"POST /i/{case['name']} HTTP/1.1\r\nHost: x\r\n".encode()
    if way == "with a length":
        parts = [start + b"Content-Length: 10\r\n\r\n" + BODY[:4], BODY[4:]]
    else:
        parts = [
            start + b"Transfer-Encoding: chunked\r\n\r\n4\r\n" + BODY[:4] + b"\r\n6\r\n",
            BODY[4:] + b"\r\n0\r\n\r\n",
        ]
    seen = observe(server_under_test.unix, parts, Required.read("200 kept"))
    assert str(seen) == "200 kept"
    assert json.loads(seen.replies[0].body) == case["gets"]


def test_reading_an_absent_body_gives_nothing(server_under_test: EngineInThread) -> None:
    for name, empty in (("readall", ["", ""]), ("readline", ["", "", ""]), ("iterinput", []), ("readlines", [])):
        seen = observe(
            server_under_test.unix, [f"GET /i/{name} HTTP/1.1\r\nHost: x\r\n\r\n".encode()], Required.read("200 kept")
        )
        assert json.loads(seen.replies[0].body) == empty


@pytest.mark.parametrize("ident", ["something/1", None])
def test_the_server_field_is_the_deployers(start: Callable[..., EngineInThread], ident: str | None) -> None:
    server = start(ident=ident)
    for path in ("/-/probe", "/g/errbefore"):
        with Wire(server.unix) as wire:
            wire.send(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            reply = wire.read_reply()
            assert reply is not None
            assert reply.get("Server") == ident
    with Wire(server.unix) as wire:
        wire.send(b"BAD\r\n\r\n")
        reply = wire.read_reply()
        assert reply is not None
        assert reply.get("Server") == ident


def test_a_traceback_is_shown_only_when_asked_for(start: Callable[..., EngineInThread]) -> None:
    assert b"Planned" in one(start(expose_tracebacks=True), "errbefore", required="500").body
    assert b"Planned" not in one(start(), "errbefore", required="500").body


def test_an_app_that_leaves_early_is_closed_for_every_client(start: Callable[..., EngineInThread]) -> None:
    """The iterable is closed when the client goes away in the middle, too."""
    app = ConformanceApp()
    server = start(app, limits={"output_memory": 65536})
    for leave in (Wire.close, Wire.reset):
        app.calls.clear()
        wire = Wire(server.tcp)
        wire.send(b"GET /g/endless HTTP/1.1\r\nHost: x\r\n\r\n")
        wire.read_head()
        leave(wire)
        wait_for(lambda: app.calls and app.calls[0].closed, "close() of an endless body")
        assert app.calls[0].closed == 1
    assert alive(server.tcp)


def test_combinations_follow_each_other_on_one_connection(server_under_test: EngineInThread) -> None:
    """Whatever keeps the connection may stand before whatever keeps the connection."""
    kept = [
        case for case in ANSWERS if case.required.alternatives[0][1] == "kept" and len(case.required.alternatives) == 1
    ]
    kept = [case for case in kept if case.version == "1.1"]
    with Wire(server_under_test.unix) as wire:
        for first, second in itertools.pairwise([*kept, *reversed(kept)]):
            wire.send(first.request + second.request)
            for case in (first, second):
                reply = wire.read_reply(case.method)
                assert reply is not None, case
                assert ((reply.status,), "kept") in case.required.alternatives, case
                assert case.body is None or reply.body == case.body, case
