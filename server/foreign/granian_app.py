"""A WSGI app as granian can call it.

granian takes the status when the call returns, hands on a body object with three methods, and lays the environment of
the process below each environ. Apps written to PEP 3333 expect more: they may call ``start_response`` with the first
chunk, ``write()``, replace a response with ``exc_info``, and read lines. This stands between the two, directly below
the server. Writes no keys; removes those of the process environment.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from ...protocol.wsgi import Body, Environ, ExcInfo, Headers, Write, WSGIApp
from .request_stream import read_as_file

# What PEP 3333 requires or allows a server to set stays, whatever the process environment also says.
_OWN = frozenset(
    {
        "CONTENT_LENGTH",
        "CONTENT_TYPE",
        "GATEWAY_INTERFACE",
        "PATH_INFO",
        "QUERY_STRING",
        "REMOTE_ADDR",
        "REQUEST_METHOD",
        "SCRIPT_NAME",
        "SERVER_NAME",
        "SERVER_PORT",
        "SERVER_PROTOCOL",
        "SERVER_SOFTWARE",
    }
)


class GranianApp:
    """Wraps a WSGI app for granian's WSGI interface. ``multiprocess`` says whether there are several workers."""

    def __init__(self, app: WSGIApp, *, multiprocess: bool = False) -> None:
        self._app = app
        self._multiprocess = multiprocess
        self._process = [(key, value) for key, value in os.environ.items() if key not in _OWN]

    def __call__(self, environ: Environ, start_response: Any) -> Body:
        """Call the app, and return when its status is known: a list where the body is one, otherwise an iterator.

        What ``write()`` was given waits in memory until the app returns.
        """
        self._repair(environ)
        reply = _Reply()
        body = self._app(environ, reply.start)
        if type(body) in (list, tuple) and reply.status is not None:
            start_response(*reply.hand_over())
            return [*reply.written, *body]
        rest = _Rest(body, reply)
        try:
            rest.fetch_first()
            start_response(*reply.hand_over())
        except BaseException:
            rest.close()
            raise
        return rest

    def _repair(self, environ: Environ) -> None:
        for key, value in self._process:
            if environ.get(key) == value:
                del environ[key]
        if environ.get("SERVER_PROTOCOL") == "HTTP/1":
            environ["SERVER_PROTOCOL"] = "HTTP/1.0"
        environ["wsgi.multiprocess"] = self._multiprocess
        read_as_file(environ)


class _Reply:
    """The status and headers of one response, by the rules of ``start_response``."""

    __slots__ = ("_is_handed_over", "headers", "status", "written")

    def __init__(self) -> None:
        self.status: str | None = None
        self.headers: Headers = []
        self.written: list[bytes] = []
        self._is_handed_over = False

    def start(self, status: str, headers: Headers, exc_info: ExcInfo | None = None, /) -> Write:
        if exc_info is not None:
            try:
                if self._is_handed_over or any(self.written):
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None  # no circle through the traceback
        elif self.status is not None:
            raise AssertionError("start_response was called twice, the second time without exc_info")
        self.status, self.headers = status, list(headers)
        return self._write

    def _write(self, data: bytes) -> None:
        if self._is_handed_over:
            raise AssertionError("write() was called after the app had returned")
        self.written.append(data)

    def hand_over(self) -> tuple[str, Headers]:
        if self.status is None:
            raise AssertionError("the app returned a body without calling start_response")
        self._is_handed_over = True
        return self.status, self.headers


class _Rest:
    """A body of which the first chunk was taken already, with what was written before it."""

    def __init__(self, body: Body, reply: _Reply) -> None:
        self._body = body
        self._reply = reply
        self._chunks: Iterator[bytes] | None = None
        self._first: list[bytes] = []

    def fetch_first(self) -> None:
        """Take chunks until one holds something: by then the app must have called ``start_response``."""
        self._chunks = iter(self._body)
        for chunk in self._chunks:
            if chunk:
                self._first = [chunk]
                break
        self._first[:0] = self._reply.written

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._first:
            return self._first.pop(0)
        if self._chunks is None:
            raise StopIteration
        return next(self._chunks)

    def close(self) -> None:
        """Close the app's iterable, which granian asks for once."""
        close = getattr(self._body, "close", None)
        if close is not None:
            close()
