"""The app's reply, until it is known whether another takes its place.

What decides is the status. Generators start their reply with their first piece, so it is waited for; whatever is not
replaced goes on piece by piece as the app makes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from ...protocol.bodies import close_body
from ...protocol.wsgi import Body, Environ, ExcInfo, Headers, StartResponse, Write, WSGIApp


class Reply(Protocol):
    """What can take a reply's place: a whole ``Answer``, or something that makes its answer when it is sent."""

    def send(self, environ: Environ, start_response: StartResponse, further: Headers | None = None) -> Body:
        """Send it, with ``further`` headers."""


Decide = Callable[[str, Headers], Reply | None]
"""``(status, headers) -> the answer in its place, or None``."""

Finish = Callable[[Headers], Headers]
"""Makes the headers that leave of those that the reply has."""


class Interception:
    """One call of an app whose reply may be replaced."""

    __slots__ = ("_answer", "_decide", "_environ", "_exc_info", "_finish", "_forward", "_started")

    def __init__(self, environ: Environ, start_response: StartResponse, decide: Decide, finish: Finish) -> None:
        self._environ = environ
        self._forward = start_response
        self._decide = decide
        self._finish = finish
        self._answer: Reply | None = None
        self._exc_info: ExcInfo | None = None
        self._started = False

    def run(self, app: WSGIApp) -> Body:
        """Call the app and return its body, or that of the answer in its place."""
        body = app(self._environ, self.start_response)
        if self._answer is not None:
            return self.settle(self._answer, body)
        return body if self._started else _Unstarted(self, body)

    @property
    def replacement(self) -> Reply | None:
        """The answer that waits to take the reply's place."""
        return self._answer

    def start_response(self, status: str, headers: Headers, exc_info: ExcInfo | None = None, /) -> Write:
        """What the app calls."""
        if not self._started or exc_info is not None:
            self._answer = self._decide(status, headers)
            if self._answer is not None:
                self._exc_info = exc_info
                return _drop
        self._started = True
        headers = self._finish(headers)
        return self._forward(status, headers) if exc_info is None else self._forward(status, headers, exc_info)

    def settle(self, answer: Reply, body: Body) -> Body:
        """End the app's reply, and send the answer."""
        self._answer = None
        close_body(body)
        # What the app has started, and not sent, can be replaced with the exception that it gave as the reason.
        start: StartResponse = self._restart if self._exc_info is not None else self._forward
        return answer.send(self._environ, start, self._finish([]))

    def _restart(self, status: str, headers: Headers, exc_info: ExcInfo | None = None, /) -> Write:
        return self._forward(status, headers, self._exc_info)


def _drop(data: bytes, /) -> None:
    """Take what an app writes of a reply that nobody gets."""


class _Unstarted:
    """A body whose reply starts with its first piece; then it may turn out to be another one."""

    __slots__ = ("_body", "_interception", "_is_known", "_pieces")

    def __init__(self, interception: Interception, body: Body) -> None:
        self._interception = interception
        self._body = body
        self._pieces: Iterator[bytes] | None = None
        self._is_known = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._pieces is None:
            self._pieces = iter(self._body)
        if self._is_known:
            return next(self._pieces)
        self._is_known = True
        try:
            piece = next(self._pieces)
        except StopIteration:
            if self._interception.replacement is None:
                raise
            piece = b""
        answer = self._interception.replacement
        if answer is None:
            # An empty piece may come before the reply is started; then nothing is known yet.
            self._is_known = piece != b""
            return piece
        self._body = self._interception.settle(answer, self._body)
        self._pieces = iter(self._body)
        return next(self._pieces)

    def close(self) -> None:
        close_body(self._body)
