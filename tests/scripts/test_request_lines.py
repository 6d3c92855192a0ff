"""One line per request, and the response as it was."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.util import FileWrapper

import pytest

from wheatpaste.scripts.request_lines import RequestLines
from wheatpaste.scripts.terminal import Terminal
from wheatpaste.testing import Client, Clock

App = Callable[..., Iterable[bytes]]


@pytest.fixture
def lines(clock: Clock) -> Callable[[App], tuple[RequestLines, io.StringIO]]:
    def wrap(app: App) -> tuple[RequestLines, io.StringIO]:
        stream = io.StringIO()
        return RequestLines(app, Terminal(stream, color=False), clock.monotonic), stream

    return wrap


def answering(body: Any, headers: list[tuple[str, str]] | None = None, status: str = "200 OK") -> App:
    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        start_response(status, headers or [("Content-Type", "text/plain")])
        return body

    return app


def test_it_prints_method_path_status_bytes_and_time(lines: Any, client: Callable[..., Client], clock: Clock) -> None:
    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        clock.advance(0.0125)
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b"no", b"thing"]

    wrapped, stream = lines(app)
    client(wrapped).get("/a/b?c=1")
    assert stream.getvalue() == "GET  /a/b?c=1 404 7 B 12.5 ms\n"


def test_a_stream_is_printed_when_it_is_closed(lines: Any) -> None:
    def body() -> Iterable[bytes]:
        yield b"one"
        yield b"two"

    wrapped, stream = lines(answering(body()))
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/"}
    result = wrapped(environ, lambda status, headers, exc_info=None: lambda data: None)
    assert list(result) == [b"one", b"two"]
    assert stream.getvalue() == ""
    result.close()
    assert "200 6 B" in stream.getvalue()


def test_a_list_stays_a_list(lines: Any) -> None:
    body = [b"x"]
    wrapped, _ = lines(answering(body))
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/"}
    assert wrapped(environ, lambda status, headers, exc_info=None: lambda data: None) is body


def test_a_file_stays_with_the_server(lines: Any) -> None:
    wrapper = FileWrapper(io.BytesIO(b"x" * 5))
    wrapped, stream = lines(answering(wrapper, [("Content-Length", "5")]))
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/f", "wsgi.file_wrapper": FileWrapper}
    result = wrapped(environ, lambda status, headers, exc_info=None: lambda data: None)
    assert result is wrapper
    result.close()
    assert "GET  /f 200 5 B" in stream.getvalue()


def test_what_is_written_the_old_way_counts(lines: Any, client: Callable[..., Client]) -> None:
    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        write = start_response("200 OK", [("Content-Type", "text/plain")])
        write(b"abc")
        return [b"d"]

    wrapped, stream = lines(app)
    assert client(wrapped).get("/").body == b"abcd"
    assert " 4 B " in stream.getvalue()


def test_the_path_is_that_of_the_client(lines: Any, client: Callable[..., Client]) -> None:
    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        environ["SCRIPT_NAME"], environ["PATH_INFO"] = "/moved", "/away"
        return list(answering([b""])(environ, start_response))

    wrapped, stream = lines(app)
    client(wrapped, lint=False).get("/here")
    assert "/here" in stream.getvalue()


def test_a_client_cannot_write_to_the_terminal(lines: Any) -> None:
    wrapped, stream = lines(answering([b""]))
    environ = {
        "REQUEST_METHOD": "G\x1b[2J",
        "PATH_INFO": "/\x1b]0;x\x07\x9b\n",
        "QUERY_STRING": "\x1b[31m",
    }
    wrapped(environ, lambda status, headers, exc_info=None: lambda data: None)
    assert "\x1b" not in stream.getvalue()
    assert "\x9b" not in stream.getvalue()
    assert stream.getvalue().count("\n") == 1


def test_large_bodies_are_counted_in_larger_units(lines: Any, client: Callable[..., Client]) -> None:
    wrapped, stream = lines(answering([b"x" * 2_500_000]))
    client(wrapped).get("/")
    assert " 2.5 MB " in stream.getvalue()
