"""Answer with HTTP exceptions that apps raise.

Where in the stack: next to the apps, inside whatever reports errors. Caught are WebOb's exceptions, all others that are
WSGI apps themselves (those of Pyramid and Werkzeug, or a program's own), and those of ``paste.httpexceptions`` where an
app has imported them, until the first piece of the body was sent. WebOb's and Paste's pages are HTML, JSON or plain
text, as the client accepts. Everything else passes.

Writes ``paste.httpexceptions`` (this filter) and ``paste.expected_exceptions`` (the classes it answers, for error
catchers).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from typing import Any

from ..config.factories import make_filter_factory
from ..config.options import component
from ..config.records import field
from ..protocol.wsgi import Body, Environ, ExcInfo, Headers, StartResponse, Write, WSGIApp

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
# The page is made anew, so what describes the old one does not hold.
_OF_THE_PAGE = frozenset({"content-type", "content-length", "location"})


@component
class HTTPExceptions:
    """Answer with the HTTP exceptions (not found, forbidden, moved, …) that an app raises."""

    app: WSGIApp = field(kw_only=False)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Body:
        """Call the app, and answer in its place when it raises an HTTP exception."""
        environ["paste.httpexceptions"] = self
        expected = environ.get("paste.expected_exceptions")
        if expected:
            expected += [kind for kind in _kinds() if kind not in expected]
        elif expected is None:
            environ["paste.expected_exceptions"] = [*_kinds()]
        else:
            expected += _kinds()
        try:
            body = self.app(environ, start_response)
        except Exception as error:
            if not _is_answer(error):
                raise
            return _answer(error, environ, start_response)
        kind = type(body)
        if kind is list or kind is tuple:
            return body  # nothing of the app runs any more
        wrapper = environ.get("wsgi.file_wrapper")
        if isinstance(wrapper, type) and kind is wrapper:
            return body
        return (_SizedBody if hasattr(body, "__len__") else _Body)(body, environ, start_response)


class _KindOfAnswering(type):
    def __subclasscheck__(cls, kind: type) -> bool:
        # Looked up on the classes: an instance may answer to every name that it is asked for.
        return Exception in kind.__mro__ and any("__call__" in vars(base) for base in kind.__mro__)

    def __instancecheck__(cls, error: object) -> bool:
        return cls.__subclasscheck__(type(error))


class _Answering(Exception, metaclass=_KindOfAnswering):
    """All exceptions that are WSGI apps: one class for them, because error catchers ask for classes."""


def _kinds() -> tuple[type[Exception], ...]:
    # Nobody raises what nobody imported.
    webobs, pastes = _of_module("webob.exc"), _of_module("paste.httpexceptions")
    if webobs is None:
        return (_Answering,) if pastes is None else (_Answering, pastes)
    return (webobs, _Answering) if pastes is None else (webobs, _Answering, pastes)


def _of_module(name: str) -> type[Exception] | None:
    """The ``HTTPException`` of a module, if it was imported. One that is just being imported may have none yet."""
    kind: type[Exception] | None = getattr(sys.modules.get(name), "HTTPException", None)
    return kind


def _is_answer(error: Exception) -> bool:
    # By its class: ``isinstance`` would also ask the error itself, whose __class__ may be a property.
    return issubclass(type(error), _kinds())


def _answer(error: Exception, environ: Environ, start_response: StartResponse) -> Body:
    """Start the answer that the exception stands for, in place of one that may have been started."""
    kind, pastes, webobs = type(error), _of_module("paste.httpexceptions"), _of_module("webob.exc")
    # Paste makes WebOb's exceptions pass for its own.
    of_paste = pastes is not None and issubclass(kind, pastes) and (webobs is None or not issubclass(kind, webobs))
    answer: Any = _translate(error) if of_paste else error
    given: ExcInfo = (kind, error, error.__traceback__)

    def start(status: str, headers: Headers, exc_info: ExcInfo | None = None, /) -> Write:
        for name, value in [("status", status), *headers]:
            if _CONTROL.search(value) or _CONTROL.search(name):
                # A line break would begin a header of the attacker's choice. Never sent, so the programmer hears of it.
                raise ValueError(f"{type(error).__name__} has a control character in its {name!r}") from error
        return start_response(status, headers, exc_info or given)

    body: Body = answer(environ, start)
    return body


def _translate(error: Any) -> Any:
    """An exception of ``paste.httpexceptions`` as WebOb's of the same code, which escapes and negotiates."""
    from webob.exc import status_map  # for a page to make of it: most programs never raise one

    kind = status_map.get(error.code)
    if kind is None:
        return error
    headers = list(error.headers or ())
    location = next((value for name, value in headers if name.lower() == "location"), None)
    answer = kind(
        detail=_text(error.detail),
        comment=_text(error.comment),
        headers=[(name, value) for name, value in headers if name.lower() not in _OF_THE_PAGE],
        **({} if location is None else {"location": location}),
    )
    answer.status = f"{error.code} {error.title}"
    answer.explanation = error.explanation
    return answer


def _text(words: str | bytes | None) -> str | None:
    return (words.decode("utf-8", "replace") if isinstance(words, bytes) else words) or None


class _Body:
    """A body that may still turn out to be an exception, until its first piece."""

    __slots__ = ("_begun", "_bodies", "_environ", "_iterator", "_start_response")

    def __init__(self, body: Body, environ: Environ, start_response: StartResponse) -> None:
        self._bodies = [body]
        self._environ = environ
        self._start_response = start_response
        self._iterator: Iterator[bytes] | None = None
        self._begun = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._begun and self._iterator is not None:
            return next(self._iterator)
        try:
            if self._iterator is None:
                self._iterator = iter(self._bodies[0])
            chunk = next(self._iterator)
        except Exception as error:
            if not _is_answer(error):
                raise
            answer = _answer(error, self._environ, self._start_response)
            self._bodies.append(answer)
            self._iterator = iter(answer)
            self._begun = True
            return next(self._iterator)
        self._begun = bool(chunk)
        return chunk

    def close(self) -> None:
        _close_all(self._bodies)


def _close_all(bodies: list[Body]) -> None:
    while bodies:
        close: Callable[[], object] | None = getattr(bodies.pop(), "close", None)
        if close is not None:
            try:
                close()
            finally:
                _close_all(bodies)


class _SizedBody(_Body):
    __slots__ = ()

    def __len__(self) -> int:
        return len(self._bodies[0])  # type: ignore[arg-type]  # chosen only for bodies that have a length


filter_factory = make_filter_factory(
    HTTPExceptions, ignored={"warning_level": "no exception of HTTP is passed on, whatever its code"}
)
