"""A request is run again, in this process and through the same filters of the app, and what comes of it is judged.

Its environ is the one that it came with. What the server and filters further out have put beside that, such as a
session, is taken from the request that asks for it. Writes ``wheatpaste.replay`` and ``wheatpaste.trace``.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from dataclasses import dataclass

from ....protocol.bodies import close_body
from ....protocol.trace import KEY as TRACE
from ....protocol.trace import Trace
from ....protocol.wsgi import Environ, ExcInfo, Headers, Write, WSGIApp
from ..catch import expected_in, is_expected
from ..record import ErrorRecord
from .heard import CameRequest, is_of_request

KEY = "wheatpaste.replay"

MOST_BYTES = 2**20
MOST_SECONDS = 10.0

# What frameworks remember in the environ of one request would be wrong in that of another.
_MEMORIES = ("webob.", "werkzeug.", "bottle.", "django.", "paste.parsed_")
_NOT_TAKEN = frozenset({TRACE, KEY, "wsgi.input", "wsgi.input_terminated", "wheatpaste.trailers"})


class Attempt:
    """One time that a request is run again: it stands in the environ, where failures are told to it."""

    __slots__ = ("failures", "request")

    def __init__(self, request: CameRequest) -> None:
        self.request = request
        self.failures: list[ErrorRecord] = []

    def __repr__(self) -> str:
        return "<the request, run again>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of it: the status, ``''`` where the app gave none, and the error if there was one.

    An exception that a filter further out makes an answer of stands in place of the status.

    ``cut``: the reply was longer than one waits for; what came of it was well.
    """

    status: str
    seconds: float
    error: ErrorRecord | None = None
    cut: bool = False


def run(
    app: WSGIApp, request: CameRequest, current: Environ, *, clock: Callable[[], float] = time.monotonic
) -> Outcome:
    """Run a request through ``app``, whose failures are told to the :class:`Attempt` in its environ.

    ``current`` is the environ of the request that asks for it.
    """
    attempt = Attempt(request)
    reply = _Reply()
    started = clock()
    cut = False
    try:
        body = app(_environ(request, current, attempt), reply.start_response)
        try:
            for chunk in body:
                reply.write(chunk)
                if reply.length > MOST_BYTES or clock() - started > MOST_SECONDS:
                    cut = True
                    break
        finally:
            close_body(body)
    except Exception as raised:
        # What broke a reply that had begun was told to the attempt on its way.
        if is_expected(raised, expected_in(current)):
            reply.status = type(raised).__name__
        elif not attempt.failures:
            raise
    error = attempt.failures[-1] if attempt.failures else None
    return Outcome(status=reply.status, seconds=clock() - started, error=error, cut=cut)


def _environ(request: CameRequest, current: Environ, attempt: Attempt) -> Environ:
    environ = {
        key: value
        for key, value in current.items()
        if not is_of_request(key) and key not in _NOT_TAKEN and not key.startswith(_MEMORIES)
    }
    environ.update(request.environ)
    # The body is here, as a whole.
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    environ.pop("HTTP_EXPECT", None)
    if request.body or "CONTENT_LENGTH" in environ:
        environ["CONTENT_LENGTH"] = str(len(request.body))
    environ["wsgi.input"] = io.BytesIO(request.body)
    environ["wsgi.input_terminated"] = True
    environ[KEY] = attempt
    asks = Trace.of(current)
    trace = environ[TRACE] = Trace(mounts=asks.mounts)
    trace.request_id = asks.request_id
    for note in asks.notes:
        trace.note(note)
    return environ


class _Reply:
    """A reply that nobody gets."""

    def __init__(self) -> None:
        self.status = ""
        self.length = 0

    def start_response(self, status: str, headers: Headers, exc_info: ExcInfo | None = None, /) -> Write:
        if exc_info is not None and self.length:
            try:
                raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None  # or the traceback's frames and this one keep each other alive
        self.status = status
        return self.write

    def write(self, data: bytes) -> None:
        self.length += len(data)
