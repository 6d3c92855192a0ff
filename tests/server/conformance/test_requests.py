"""Every input of ``requests.toml``, whole and in pieces: the outcome is the required one and the same in any pieces."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from conformance_app import ConformanceApp
from conformance_exchange import Observation, Parts, alive, before_lines, by_bytes, cut_at, observe
from conformance_tables import LIMITS, Input, expanded, inputs
from engine_in_thread import EngineInThread

from wheatpaste.server.settings import Settings

INPUTS = inputs()
ANSWERED = {200, 204, 304}
"""What only the app of these tests answers."""


def facts(app: ConformanceApp) -> list[tuple[Any, ...]]:
    """What the app was called with, but for what differs from connection to connection."""
    return [
        (
            call.body,
            sorted((key, value) for key, value in call.environ.items() if key.isupper() and key != "REMOTE_PORT"),
        )
        for call in app.calls
    ]


def complaints(case: Input, seen: Observation, app: ConformanceApp) -> Iterator[str]:
    if not case.required.met(seen.statuses, seen.end):
        yield f"required are {case.required.alternatives}, seen was {seen}"
    for reply in seen.replies:
        yield from reply.complaints()
        if (
            reply.status >= 400
            and case.methods != ["HEAD"]
            and not (reply.body and reply.get("Content-Type") == "text/plain; charset=utf-8")
        ):
            yield f"the page of a {reply.status} is {reply.get('Content-Type')} of {len(reply.body)} octets"
    answered = sum(reply.status in ANSWERED for reply in seen.replies)
    paths = [call.path for call in app.calls]
    if case.calls is not None and paths != case.calls:
        yield f"the app was called for {paths}"
    if len(paths) != answered:
        yield f"the app was called {len(paths)} times for {answered} replies of its own"
    if not answered:
        return
    if case.bodies is not None and [call.body for call in app.calls] != [body.encode() for body in case.bodies]:
        yield f"the app read {[call.body for call in app.calls]}"
    for call in app.calls:
        length = call.environ.get("CONTENT_LENGTH")
        if call.body is not None and length is not None and int(length) != len(call.body):
            yield f"CONTENT_LENGTH is {length}, the body has {len(call.body)} octets"
        yield from (f"{key} is no text of latin-1" for key, value in call.environ.items() if not _native(key, value))
    environ = app.calls[-1].environ
    for key, value in case.sees.items():
        if environ.get(key) != value:
            yield f"{key} is {environ.get(key)!r} instead of {value!r}"
    yield from (f"{key} is {environ[key]!r}" for key in case.lacks if key in environ)


def _native(key: str, value: Any) -> bool:
    if not key.isupper():
        return True
    return type(value) is str and value.isascii() or (type(value) is str and max(value) <= "\xff")


def outcome(server: EngineInThread, case: Input, parts: Parts) -> tuple[Observation, Any, list[str]]:
    server.app.calls.clear()
    seen = observe(server.unix, parts, case.required, case.methods)
    return seen, facts(server.app), list(complaints(case, seen, server.app))


@pytest.mark.parametrize("case", INPUTS, ids=str)
def test_an_input_has_its_outcome(server_under_test: EngineInThread, case: Input) -> None:
    seen, _, wrong = outcome(server_under_test, case, case.parts)
    assert not wrong, (str(seen), wrong)
    server_under_test.app.calls.clear()
    over_tcp = observe(server_under_test.tcp, case.parts, case.required, case.methods)
    assert not list(complaints(case, over_tcp, server_under_test.app)), str(over_tcp)
    assert alive(server_under_test.tcp)


@pytest.mark.parametrize("case", INPUTS, ids=str)
def test_an_input_has_its_outcome_in_any_pieces(server_under_test: EngineInThread, case: Input) -> None:
    whole, told, _ = outcome(server_under_test, case, case.parts)
    ways: dict[str, Parts] = {
        "byte by byte": list(by_bytes(case.parts)),
        "line by line": list(before_lines(case.parts)),
    }
    if case.size <= 200:
        ways |= {f"cut after {offset}": cut_at(case.parts, offset) for offset in range(1, case.size)}
    for way, parts in ways.items():
        seen, told_now, wrong = outcome(server_under_test, case, parts)
        assert not wrong, (way, str(seen), wrong)
        if not case.required.may_continue:
            assert seen.statuses == whole.statuses, way
        assert seen.end == whole.end, way
        assert told_now == told, way
    assert alive(server_under_test.unix)
    assert server_under_test.running


def test_the_notation_means_what_it_says() -> None:
    assert expanded(r"GET /<3 x a>\x00 1.1|{H}CL: 1~TE : x~~\\{}|<CL>") == (
        b"GET /aaa\x00 HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding : x\r\n\r\n\\{}|<CL>"
    )


def test_no_input_is_listed_twice() -> None:
    assert len({case.id for case in INPUTS}) == len(INPUTS) == 231


@pytest.fixture(scope="module")
def streaming_server() -> Iterator[EngineInThread]:
    server = EngineInThread(ConformanceApp(), Settings(limits=LIMITS, stream_uploads=True))
    yield server
    server.stop()


@pytest.mark.parametrize("case", INPUTS, ids=str)
def test_an_input_is_as_safe_when_bodies_are_streamed(streaming_server: EngineInThread, case: Input) -> None:
    """What is wrong with a body is then an error of reading it: the app has begun, and must not take it for whole."""
    app = streaming_server.app
    for parts in (case.parts, list(by_bytes(case.parts)), list(before_lines(case.parts))):
        app.calls.clear()
        seen = observe(streaming_server.unix, parts, case.required, case.methods)
        broken = [call for call in app.calls if call.trouble is not None]
        if not broken:
            left = case.calls is not None and app.calls and app.calls[-1].path == "/noread" and len(case.calls) > 1
            if not (left and str(seen) == "200 closed"):  # what nobody reads need not be waited for
                assert not list(complaints(case, seen, app)), str(seen)
            continue
        assert all(not reply.complaints() for reply in seen.replies)
        ((statuses, _),) = case.required.alternatives
        assert statuses == () or statuses[-1] >= 400
        assert broken == app.calls[-1:], "the connection went on after a broken body"
        assert sum(reply.status in ANSWERED for reply in seen.replies) == len(app.calls) - 1
        assert seen.statuses[-1:] in ((), (400,), (413,), (431,), (500,)), str(seen)
        assert seen.end == "closed"
    assert alive(streaming_server.unix)
