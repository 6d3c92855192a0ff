"""Requests that take too long: reported once, while they run, with what their thread is doing."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any
from wsgiref.util import FileWrapper

import pytest
from engine_in_thread import wait_for

from wheatpaste.middleware.errors.catch_errors import CatchErrors
from wheatpaste.middleware.errors.render.text import as_text
from wheatpaste.middleware.errors.slow import SlowRequests
from wheatpaste.testing import Client, Clock

TEXT = [("Content-Type", "text/plain")]


class Seen(list[tuple[str, str, float]]):
    """What was reported: the function in which the thread was, the path, the seconds."""

    def __call__(self, frame: FrameType, environ: dict[str, Any], seconds: float, thread: str) -> None:
        self.append((frame.f_code.co_name, environ["PATH_INFO"], seconds))


class Held:
    """An app that waits in its call, or before a piece of its body, until the test lets it go on."""

    def __init__(self, where: str) -> None:
        self._where = where
        self.waits = threading.Event()
        self.go_on = threading.Event()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", list(TEXT))
        if self._where == "the call":
            self.hold()
            return [b"one", b"two"]
        return self.pieces()

    def pieces(self) -> Iterator[bytes]:
        yield b""
        if self._where == "the first piece":
            self.hold()
        yield b"one"
        if self._where == "a later piece":
            self.hold()
        yield b"two"

    def hold(self) -> None:
        self.waits.set()
        self.go_on.wait(10)


@pytest.fixture
def seen() -> Seen:
    return Seen()


WATCHES: list[SlowRequests] = []


@pytest.fixture(autouse=True)
def _no_thread_stays() -> Iterator[None]:
    yield
    while WATCHES:
        WATCHES.pop().close()


def watching(app: Any, seen: Any, clock: Clock) -> SlowRequests:
    WATCHES.append(SlowRequests(app, 3600, seen, clock=clock.monotonic))
    return WATCHES[-1]


def while_held(app: Held, watch: SlowRequests, do: Any) -> str:
    answers: list[str] = []
    thread = threading.Thread(target=lambda: answers.append(Client(watch).get("/held").text))
    thread.start()
    try:
        assert app.waits.wait(10)
        wait_for(lambda: waits(thread), "its thread has come to where it waits")
        do()
    finally:
        app.go_on.set()
        thread.join(10)
    return answers[0]


def waits(thread: threading.Thread) -> bool:
    frame = sys._current_frames()[thread.ident or 0]
    return frame.f_code is threading.Condition.wait.__code__


@pytest.mark.parametrize("where", ["the call", "the first piece"])
def test_row_49_a_slow_request_is_reported_once_while_it_runs(where: str, seen: Seen, clock: Clock) -> None:
    app = Held(where)
    watch = watching(app, seen, clock)

    def look() -> None:
        clock.advance(3599)
        watch.look()
        assert seen == []
        clock.advance(2)
        watch.look()
        watch.look()

    assert while_held(app, watch, look) == "onetwo"
    # The frame in which the thread is, which waits in the standard library.
    assert [(path, seconds) for _, path, seconds in seen] == [("/held", 3601)]
    assert seen[0][0] == "wait"


def test_the_end_of_a_slow_request_is_logged(seen: Seen, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    app = Held("the call")
    watch = watching(app, seen, clock)

    def look() -> None:
        clock.advance(4000)
        watch.look()
        clock.advance(1000)

    while_held(app, watch, look)
    assert "after 5000.0 seconds" in caplog.text


def test_a_long_stream_is_not_slow(seen: Seen, clock: Clock) -> None:
    app = Held("a later piece")
    watch = watching(app, seen, clock)

    def look() -> None:
        clock.advance(4000)
        watch.look()

    assert while_held(app, watch, look) == "onetwo"
    assert seen == []


def _list(environ: dict[str, Any], start_response: Any) -> Any:
    start_response("200 OK", list(TEXT))
    return [b"data"]


def _file(environ: dict[str, Any], start_response: Any) -> Any:
    start_response("200 OK", list(TEXT))
    return FileWrapper(io.BytesIO(b"data"))


def _raises(environ: dict[str, Any], start_response: Any) -> Any:
    raise ValueError("boom")


def _raises_in_its_body(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
    start_response("200 OK", list(TEXT))
    yield b""
    raise ValueError("boom")


def _empty(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
    start_response("200 OK", list(TEXT))
    yield from ()


@pytest.mark.parametrize("app", [_list, _file, _raises, _raises_in_its_body, _empty])
def test_what_has_ended_is_forgotten(app: Any, seen: Seen, clock: Clock) -> None:
    watch = watching(app, seen, clock)
    with contextlib.suppress(ValueError):
        Client(watch).get("/")
    clock.advance(4000)
    watch.look()
    assert seen == []


def test_a_client_that_leaves_before_the_first_piece_ends_the_watch(seen: Seen, clock: Clock) -> None:
    watch = watching(lambda environ, start: iter([b"never taken"]), seen, clock)
    body: Any = watch({"PATH_INFO": "/"}, lambda *given: None)
    body.close()
    clock.advance(4000)
    watch.look()
    assert seen == []


def test_a_report_that_fails_is_logged(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    def failing(frame: FrameType, environ: dict[str, Any], seconds: float, thread: str) -> None:
        raise OSError("disk full")

    app = Held("the call")
    watch = watching(app, failing, clock)

    def look() -> None:
        clock.advance(4000)
        watch.look()

    assert while_held(app, watch, look) == "onetwo"
    assert "disk full" in caplog.text


def test_the_thread_of_the_process_looks_by_itself(seen: Seen) -> None:
    app = Held("the call")
    watch = SlowRequests(app, 0.1, seen)
    try:
        while_held(app, watch, lambda: wait_for(lambda: seen, "a report"))
    finally:
        watch.close()
    assert seen[0][1] == "/held"


def test_without_a_thread_to_watch_requests_are_answered_all_the_same(
    seen: Seen, clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    watch = watching(lambda environ, start_response: [b"one"], seen, clock)
    monkeypatch.setattr(threading.Thread, "start", fail)
    assert [watch({}, lambda *given: None) for _ in range(2)] == [[b"one"], [b"one"]]
    assert [record.getMessage() for record in caplog.records] == [
        f"slow requests are not reported in process {os.getpid()}: can't start new thread"
    ]


FORKING = """
import os, sys, threading
from wheatpaste.middleware.errors.catch_errors import CatchErrors
from wheatpaste.middleware.errors.render.text import as_text
from wheatpaste.middleware.errors.slow import SlowRequests
from wheatpaste.testing import Client, Clock

clock, seen, held = Clock(), [], threading.Event()
def app(environ, start_response):
    start_response("200 OK", [])
    if environ["PATH_INFO"] == "/held":
        held.set()
        threading.Event().wait()
    return []
def report(frame, environ, seconds, thread):
    seen.append(environ["PATH_INFO"])
watch = SlowRequests(app, 3600, report, clock=clock.monotonic)
threading.Thread(target=lambda: Client(watch).get("/held"), daemon=True).start()
held.wait()
child = os.fork()
if not child:
    Client(watch).get("/")
clock.advance(4000)
watch.look()
sys.stdout.write(f"{'parent' if child else 'child'} {seen}\\n")
sys.stdout.flush()
if child:
    os.waitpid(child, 0)
os._exit(0)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="only POSIX forks")
def test_a_forked_process_watches_its_own_requests() -> None:
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKING], capture_output=True, text=True, timeout=60, check=True
    )
    assert sorted(ran.stdout.splitlines()) == ["child []", "parent ['/held']"]


def test_row_49_a_slow_request_is_kept_and_reported_like_an_error(caplog: pytest.LogCaptureFixture) -> None:
    """The same record, faces and inbox: only that nothing has failed."""
    app = Held("the call")
    errors = CatchErrors(app, slow_after=0.1)
    inbox = errors._setup._inbox
    answers: list[str] = []
    thread = threading.Thread(target=lambda: answers.append(Client(errors).get("/report?year=2026").text), name="w-1")
    thread.start()
    try:
        record = wait_for(inbox.latest, "a record of the slow request")
    finally:
        app.go_on.set()
        thread.join(10)
        errors.close()
    assert answers == ["onetwo"]
    assert (record.phase, record.raised.type, record.thread) == ("slow", "SlowRequest", "w-1")
    assert record.request.path_info == "/report"
    assert any(frame.function.endswith("Held.hold") for frame in record.raised.frames)
    text = as_text(record)
    assert "GET http://localhost/report?year=2026" in text
    assert "has run for" in text
    assert record.id in caplog.text
