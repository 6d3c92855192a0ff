"""One line per request on the terminal: method, path, status, bytes and time. Writes no environ keys."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from ..protocol.bodies import on_close
from ..protocol.wsgi import Body, Environ, ExcInfo, Headers, StartResponse, Write, WSGIApp
from .terminal import Terminal

_STATUS_STYLES = {"1": "cyan", "2": "green", "3": "cyan", "4": "yellow", "5": "red"}


class RequestLines:
    """Prints each request when its response is complete, and leaves the response as it is."""

    def __init__(self, app: WSGIApp, terminal: Terminal, clock: Callable[[], float] = time.perf_counter) -> None:
        self._app = app
        self._terminal = terminal
        self._clock = clock

    def __call__(self, environ: Environ, start_response: StartResponse) -> Body:
        """Answer as the app does, and print the line when the answer is complete."""
        line = _Line(environ, self._clock)
        body = self._app(environ, line.started(start_response))
        if isinstance(body, (list, tuple)):
            # All there is already. Left as it is, because servers make Content-Length of a list of one.
            line.sent += sum(len(chunk) for chunk in body)
            self._terminal.line(line.text(self._terminal))
            return body
        return on_close(environ, line.counted(environ, body), lambda: self._terminal.line(line.text(self._terminal)))


class _Line:
    __slots__ = ("_begun", "_clock", "_length", "_method", "_path", "_status", "sent")

    def __init__(self, environ: Environ, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._begun = clock()
        self._method = environ["REQUEST_METHOD"]
        # Read now: the apps below move PATH_INFO to SCRIPT_NAME.
        path = (environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")).encode("latin-1", "replace")
        query = environ.get("QUERY_STRING")
        self._path = quote(path, safe="/:@!$&'()*+,;=~-._") + (f"?{query}" if query else "")
        self._status = "-"
        self._length: str | None = None
        self.sent = 0

    def started(self, start_response: StartResponse) -> StartResponse:
        def start(status: str, headers: Headers, exc_info: ExcInfo | None = None) -> Write:
            self._status = status[:3]
            self._length = next((value for name, value in headers if name.lower() == "content-length"), None)
            write = start_response(status, headers, exc_info) if exc_info else start_response(status, headers)

            def counting(data: bytes) -> object:
                self.sent += len(data)
                return write(data)

            return counting

        return start

    def counted(self, environ: Environ, body: Body) -> Body:
        wrapper = environ.get("wsgi.file_wrapper")
        if isinstance(wrapper, type) and isinstance(body, wrapper):
            # The server sends the file by itself; what was announced is what it sends.
            if self._length is not None and self._length.isdecimal():
                self.sent = int(self._length)
            return body
        return _Counted(body, self)

    def text(self, terminal: Terminal) -> str:
        milliseconds = (self._clock() - self._begun) * 1000
        status = terminal.paint(self._status, _STATUS_STYLES.get(self._status[:1], "red"))
        detail = terminal.paint(f"{_size(self.sent)} {milliseconds:.1f} ms", "dim")
        query_begins = self._path.find("?")
        path = self._path
        if query_begins >= 0:
            path = path[:query_begins] + terminal.paint(_safe(path[query_begins:]), "dim")
        return f"{_safe(self._method):<4} {path} {status} {detail}"


class _Counted:
    __slots__ = ("_body", "_line")

    def __init__(self, body: Body, line: _Line) -> None:
        self._body = body
        self._line = line

    def __iter__(self) -> Any:
        for chunk in self._body:
            self._line.sent += len(chunk)
            yield chunk

    def close(self) -> None:
        close = getattr(self._body, "close", None)
        if close is not None:
            close()


def _size(count: int) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count = count / 1000  # type: ignore[assignment]
    return f"{count:.1f} GB"


def _safe(text: str) -> str:
    """The text in ASCII: a client must not write to the terminal of whoever runs the server."""
    return "".join(letter if " " <= letter <= "~" else "?" for letter in text)
