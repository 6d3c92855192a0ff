"""HTTP exceptions become answers while there is nothing sent, and everything else passes."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from typing import Any
from wsgiref.util import setup_testing_defaults

import paste.httpexceptions as old
import pytest
from webob import exc

from wheatpaste.middleware.http_exceptions import HTTPExceptions, filter_factory
from wheatpaste.testing import Client

TEXT = [("Content-Type", "text/plain")]


def raising(error: BaseException, when: str = "in the call") -> Any:
    def pieces(start_response: Any) -> Iterator[bytes]:
        if when == "before start_response":
            raise error
        start_response("200 OK", [*TEXT, ("X-Old", "1")])
        if when == "after an empty piece":
            yield b""
        if when == "after a piece":
            yield b"sent"
        raise error

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        if when == "in the call":
            raise error
        if when == "in the call, after start_response":
            start_response("200 OK", [*TEXT, ("X-Old", "1")])
            raise error
        if when == "in the call, after write()":
            start_response("200 OK", list(TEXT))(b"sent")
            raise error
        return pieces(start_response)

    return app


EARLY = [
    "in the call",
    "in the call, after start_response",
    "before start_response",
    "after start_response",
    "after an empty piece",
]


@pytest.mark.parametrize("when", EARLY)
@pytest.mark.parametrize("error", [exc.HTTPNotFound("gone"), old.HTTPNotFound("gone")], ids=["webob", "paste"])
def test_an_exception_becomes_the_answer_while_nothing_was_sent(
    when: str, error: Exception, client: Callable[..., Client]
) -> None:
    response = client(HTTPExceptions(raising(error, when))).get("/")
    assert response.status == 404
    assert "gone" in response.text
    assert response.headers["X-Old"] is None


@pytest.mark.parametrize("when", ["after a piece", "in the call, after write()"])
def test_an_exception_travels_when_something_was_sent(when: str) -> None:
    with pytest.raises(exc.HTTPNotFound):
        Client(HTTPExceptions(raising(exc.HTTPNotFound(), when))).get("/")


@pytest.mark.parametrize("when", EARLY)
@pytest.mark.parametrize("error", [KeyError("k"), KeyboardInterrupt()], ids=["an error", "an interrupt"])
def test_everything_else_travels(when: str, error: BaseException) -> None:
    with pytest.raises(type(error)):
        Client(HTTPExceptions(raising(error, when))).get("/")


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("text/html", "text/html"),
        ("*/*", "text/html"),
        ("application/json", "application/json"),
        ("text/plain", "text/plain"),
        ("image/png", "text/plain"),
    ],
)
@pytest.mark.parametrize("error", [exc.HTTPForbidden("<b>"), old.HTTPForbidden("<b>")], ids=["webob", "paste"])
def test_the_page_is_of_the_kind_that_the_client_accepts(
    accept: str, content_type: str, error: Exception, client: Callable[..., Client]
) -> None:
    response = client(HTTPExceptions(raising(error))).get("/", headers={"Accept": accept})
    assert response.headers["Content-Type"].partition(";")[0] == content_type
    assert ("&lt;b&gt;" in response.text) == (content_type == "text/html")


def test_head_gets_no_page(client: Callable[..., Client]) -> None:
    response = client(HTTPExceptions(raising(exc.HTTPNotFound()))).head("/")
    assert (response.status, response.body) == (404, b"")


@pytest.mark.parametrize("kind", [exc.HTTPFound, exc.HTTPSeeOther])
def test_redirects_lead_where_they_say(kind: Any, client: Callable[..., Client]) -> None:
    response = client(HTTPExceptions(raising(kind(location="/new")))).get("/old")
    assert (response.status, response.headers["Location"]) == (kind.code, "http://localhost/new")


def test_old_redirects_lead_where_they_say(client: Callable[..., Client]) -> None:
    response = client(HTTPExceptions(raising(old.HTTPFound("/new")))).get("/old")
    assert (response.status, response.headers["Location"]) == (302, "http://localhost/new")


def test_old_exceptions_keep_their_headers_and_words(client: Callable[..., Client]) -> None:
    class Teapot(old.HTTPNotFound):
        title = "No Tea"
        explanation = "There is only coffee."

    error = Teapot(b"sorry", [("WWW-Authenticate", "Basic"), ("Content-Length", "7")], "a comment")
    response = client(HTTPExceptions(raising(error))).get("/")
    assert response.status_line == "404 No Tea"
    assert response.headers["WWW-Authenticate"] == "Basic"
    assert "There is only coffee." in response.text
    assert "sorry" in response.text


def test_an_old_exception_of_an_unknown_code_answers_by_itself() -> None:
    class Odd(old.HTTPException):
        code, title = 499, "Odd"

    assert Client(HTTPExceptions(raising(Odd("why")))).get("/").status_line == "499 Odd"


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: old.HTTPFound("/x\r\nSet-Cookie: a=1"), id="an old redirect"),
        pytest.param(lambda: old.HTTPNotFound("d", [("X-A", "b\r\nSet-Cookie: a=1")]), id="an old header"),
        pytest.param(lambda: exc.HTTPNotFound(headers=[("X-A", "b\r\nSet-Cookie: a=1")]), id="a header"),
        pytest.param(lambda: exc.HTTPFound(headers=[("Location", "/x\x00")]), id="a redirect by header"),
    ],
)
def test_an_answer_with_a_control_character_in_a_header_is_not_sent(make: Callable[[], Exception]) -> None:
    started: list[Any] = []

    def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
        started.append(status)

    environ: dict[str, Any] = {}
    setup_testing_defaults(environ)
    with pytest.raises(ValueError, match="ontrol character"):
        list(HTTPExceptions(raising(make()))(environ, start_response))
    assert started == []


def test_bodies_are_closed_once_also_when_they_were_replaced(client: Callable[..., Client]) -> None:
    closed: list[str] = []

    class Body:
        def __iter__(self) -> Iterator[bytes]:
            return self

        def __next__(self) -> bytes:
            raise exc.HTTPNotFound

        def close(self) -> None:
            closed.append("inner")

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", list(TEXT))
        return Body()

    assert client(HTTPExceptions(app)).get("/").status == 404
    assert closed == ["inner"]


def test_error_reporters_are_told_what_is_expected() -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", list(TEXT))
        return []

    inner = HTTPExceptions(app)
    outer = HTTPExceptions(inner)
    environ = Client(outer, environ={"paste.expected_exceptions": [KeyError]}).get("/").environ
    assert environ["paste.httpexceptions"] is inner
    first, webobs, apps, pastes = environ["paste.expected_exceptions"]
    assert (first, webobs, pastes) == (KeyError, exc.HTTPException, old.HTTPException)
    assert isinstance(Answering("a"), apps)
    assert not isinstance(ValueError("a"), apps)


class Answering(Exception):
    """An exception that is a WSGI app, of a program's own."""

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("418 I'm a teapot", list(TEXT))
        return [str(self).encode()]


@pytest.mark.parametrize("when", EARLY)
def test_any_exception_that_is_an_app_answers(when: str, client: Callable[..., Client]) -> None:
    response = client(HTTPExceptions(raising(Answering("short and stout"), when))).get("/")
    assert (response.status, response.text) == (418, "short and stout")


@pytest.mark.filterwarnings("ignore:pkg_resources is deprecated", "ignore:Deprecated call to `pkg_resources")
@pytest.mark.parametrize(
    "made", ["werkzeug.exceptions:NotFound", "pyramid.httpexceptions:HTTPNotFound"], ids=["werkzeug", "pyramid"]
)
def test_exceptions_of_frameworks_answer(made: str, client: Callable[..., Client]) -> None:
    module, _, name = made.partition(":")
    error = getattr(importlib.import_module(module), name)("gone")
    response = client(HTTPExceptions(raising(error))).get("/")
    assert response.status == 404
    assert "gone" in response.text


class LyingAboutItsClass(ValueError):
    @property
    def __class__(self) -> Any:
        raise LookupError("who knows")


class PretendingToBeAnAnswer(ValueError):
    @property
    def __class__(self) -> Any:
        return exc.HTTPNotFound


@pytest.mark.parametrize("when", EARLY)
@pytest.mark.parametrize("kind", [LyingAboutItsClass, PretendingToBeAnAnswer])
def test_an_error_is_what_its_class_is_and_not_what_it_says(when: str, kind: type[Exception]) -> None:
    caught: list[type] = []

    def outer(environ: dict[str, Any], start_response: Any) -> Any:
        try:
            return list(HTTPExceptions(raising(kind("boom"), when))(environ, start_response))
        except Exception as error:
            caught.append(type(error))
            start_response("500 Internal Server Error", list(TEXT), (ValueError, ValueError(), None))
            return [b"caught"]

    assert (Client(outer).get("/").status, caught) == (500, [kind])


def test_an_instance_that_claims_to_be_an_app_is_none() -> None:
    error = ValueError("boom")
    error.__call__ = lambda environ, start_response: []  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="boom"):
        Client(HTTPExceptions(raising(error))).get("/")


def test_the_old_option_is_accepted_with_a_reason(caplog: pytest.LogCaptureFixture) -> None:
    filter_factory({}, warning_level="500")
    assert "does nothing" in caplog.text


# Paste's filter is the measure for status and place; pages are WebOb's. Ours also answers for the first step of a body,
# replaces headers that were started, and never sends a header with a line break.
@pytest.mark.parametrize("code", [301, 302, 303, 307, 400, 401, 403, 404, 406, 409, 410, 413, 415, 500, 501, 503])
def test_statuses_are_those_of_paste(code: int, client: Callable[..., Client]) -> None:
    error = old.get_exception(code)("http://localhost/there")
    headers = {"Accept": "text/plain", "Content-Type": "text/plain"}
    ours = client(HTTPExceptions(raising(error))).get("/", headers=headers)
    theirs = Client(old.HTTPExceptionHandler(raising(error))).get("/", headers=headers)
    assert ours.status_line == theirs.status_line
    assert ours.headers["Location"] == theirs.headers["Location"]
