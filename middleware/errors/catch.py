"""Catch what an app raises: answer 500 with a page that suits the client, and report it.

Where in the stack: outside everything whose failures are to be caught, inside request logs. Exceptions are caught in
the call, while the body is iterated and in its ``close()``. As long as nothing was sent the client gets a real 500;
after that the exception is reported and raised again, so that the server cuts the connection.

Writes ``paste.throw_errors`` (so that error catchers further in let exceptions through) and ``wheatpaste.errors``
(``report(error, environ)`` for apps that handle an exception and want it known); reads ``paste.throw_errors`` and
``paste.expected_exceptions`` (classes that somebody further out handles). ``KeyboardInterrupt``, ``GeneratorExit`` and
``SystemExit`` pass; a ``SystemExit`` that means failure is reported on its way.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...protocol.answer import Answer
from ...protocol.wsgi import Body, Environ, StartResponse, WSGIApp
from .answer import Render, answer_to
from .desk import Desk
from .record import Phase

KEY = "wheatpaste.errors"
_THROW = "paste.throw_errors"
_EXPECTED = "paste.expected_exceptions"
# PEP 3333 has bytes alone, and servers take the others.
_BYTES = (bytes, bytearray, memoryview)


class Catcher:
    """Stands around an app. ``CatchErrors`` makes one of its options.

    ``checks``: lists are looked through for what is no bytes, which takes its time with each request.
    """

    __slots__ = ("_app", "_checks", "_desk", "_render")

    def __init__(self, app: WSGIApp, desk: Desk, render: Render, *, checks: bool = False) -> None:
        self._app = app
        self._desk = desk
        self._render = render
        self._checks = checks

    def __call__(self, environ: Environ, start_response: StartResponse) -> Body:
        """Call the app; nothing is wrapped around a body that can no longer fail."""
        if _THROW in environ and environ[_THROW]:
            return self._app(environ, start_response)
        expected = expected_in(environ) if _EXPECTED in environ else ()
        environ[_THROW] = True
        environ[KEY] = self
        try:
            body = self._app(environ, start_response)
        except Exception as error:
            if is_expected(error, expected):
                raise
            return self.answer(error, environ, start_response, "call")
        except SystemExit as error:
            self.leaving(error, environ)
            raise
        kind = type(body)
        if kind is list or kind is tuple:
            if self._checks and (wrong := _first_wrong(body)) is not None:
                return self.answer(wrong, environ, start_response, "body")
            return body  # nothing of the app runs any more
        wrapper = environ.get("wsgi.file_wrapper")
        if kind is wrapper and isinstance(wrapper, type):
            return body  # the server sends the file by itself
        return (_SizedBody if hasattr(body, "__len__") else _Body)(body, self, environ, start_response, expected)

    @property
    def inbox(self) -> Any:
        """What keeps the errors, None where nothing does; the app ``errors_inbox`` shows it."""
        return self._desk.keeper

    def report(self, error: BaseException, environ: Environ) -> str:
        """Report an exception that the app has handled; returns the id under which it can be found."""
        record = self._desk.collect(error, environ, phase="reported")
        self._desk.deliver(record, error, environ)
        return record.id

    def answer(self, error: Exception, environ: Environ, start_response: StartResponse, phase: Phase) -> list[bytes]:
        """Replace a reply of which nothing was sent. Raises the error again if something was (PEP 3333)."""
        record = self._desk.collect(error, environ, phase=phase)
        answer: Answer = answer_to(record, environ, self._render)
        sent = True
        try:
            start_response(answer.status, answer.headers, (type(error), error, error.__traceback__))
            sent = False
        finally:
            self._desk.deliver(record, error, environ, sent=sent)
        return [answer.body] if answer.body else []

    def late(self, error: BaseException, environ: Environ, phase: Phase) -> None:
        """Report what the client can no longer be told."""
        self._desk.deliver(self._desk.collect(error, environ, phase=phase), error, environ, sent=True)

    def leaving(self, error: SystemExit, environ: Environ) -> None:
        """Report an exit that means failure: whoever ends a server from a request should be known."""
        if error.code not in (None, 0):
            self.late(error, environ, "call")


def expected_in(environ: Environ) -> tuple[Any, ...]:
    """What those further out have said that they handle. Those further in share the environ, and add to its list."""
    given = environ.get(_EXPECTED)
    return tuple(given) if given else ()


def is_expected(error: Exception, expected: tuple[Any, ...]) -> bool:
    """Whether it is one of these classes of exceptions."""
    # By its class: ``isinstance`` would also ask the error itself, whose __class__ may be a property that raises.
    return bool(expected) and issubclass(type(error), tuple(kind for kind in expected if isinstance(kind, type)))


def _first_wrong(body: Any) -> TypeError | None:
    for piece in body:
        if type(piece) is not bytes and not isinstance(piece, _BYTES):
            return _no_piece(piece, body)
    return None


def _no_piece(piece: Any, body: Any) -> TypeError:
    from .no_body import no_piece  # a mistake that is mended once

    return no_piece(piece, body)


def _told_better(error: Exception, body: Any) -> Exception:
    from .no_body import is_body, no_body

    return error if is_body(body) else no_body(body)


class _Body:
    """A body that is watched while it is made."""

    __slots__ = ("_body", "_catcher", "_environ", "_expected", "_iterator", "_rest", "_sent", "_start_response")

    def __init__(
        self,
        body: Body,
        catcher: Catcher,
        environ: Environ,
        start_response: StartResponse,
        expected: tuple[Any, ...],
    ) -> None:
        self._body = body
        self._catcher = catcher
        self._environ = environ
        self._start_response = start_response
        self._expected = expected
        self._iterator: Iterator[bytes] | None = None
        self._sent = False
        self._rest: Iterator[bytes] | None = None  # our own page, in place of the app's

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._rest is not None:
            return next(self._rest)
        try:
            if self._iterator is None:
                self._iterator = iter(self._body)
            chunk: Any = next(self._iterator)
        except StopIteration:
            raise
        except Exception as error:
            if is_expected(error, self._expected):
                raise
            return self._failed(error if self._iterator is not None else _told_better(error, self._body))
        except SystemExit as error:
            self._catcher.leaving(error, self._environ)
            raise
        if type(chunk) is not bytes and not isinstance(chunk, _BYTES):
            return self._failed(_no_piece(chunk, self._body))
        if chunk:
            self._sent = True
        return chunk  # type: ignore[return-value]

    def _failed(self, error: Exception) -> bytes:
        if self._sent:
            self._catcher.late(error, self._environ, "body")
            try:
                raise error
            finally:
                del error  # or its traceback and this frame keep each other alive
        self._rest = iter(self._catcher.answer(error, self._environ, self._start_response, "body"))
        return next(self._rest)

    def close(self) -> None:
        """Close the app's body. What that raises is reported, and does not touch a reply that is whole."""
        close = getattr(self._body, "close", None)
        if close is None:
            return
        try:
            close()
        except Exception as error:  # noqa: BLE001 - the reply is over; whoever raised is told by the report
            self._catcher.late(error, self._environ, "close")
        except SystemExit as error:
            self._catcher.leaving(error, self._environ)
            raise


class _SizedBody(_Body):
    __slots__ = ()

    def __len__(self) -> int:
        return len(self._body) if self._rest is None else 1  # type: ignore[arg-type]
