"""Catching: when a real 500 is given, when the connection is cut, and what is left alone."""

from __future__ import annotations

import contextlib
import io
import threading
from collections.abc import Callable, Iterator
from http.client import HTTPConnection, IncompleteRead
from typing import Any
from wsgiref.util import FileWrapper

import pytest
import waitress
from engine_in_thread import engines, wait_for
from waitress import wasyncore

from wheatpaste.middleware.errors.answer import STATUS
from wheatpaste.middleware.errors.catch import Catcher
from wheatpaste.middleware.errors.catch_errors import CatchErrors
from wheatpaste.middleware.errors.desk import Desk
from wheatpaste.middleware.errors.record import ErrorRecord
from wheatpaste.middleware.http_exceptions import HTTPExceptions
from wheatpaste.protocol.answer import Answer
from wheatpaste.testing import Client

TEXT = [("Content-Type", "text/plain")]


class Reports(list[ErrorRecord]):
    """A reporter that keeps what it is given."""

    def report(self, record: ErrorRecord) -> None:
        self.append(record)


def page(record: ErrorRecord, environ: dict[str, Any]) -> Answer:
    return Answer(status=STATUS, headers=list(TEXT), body=f"the page of {record.headline}".encode())


@pytest.fixture
def reports() -> Reports:
    return Reports()


@pytest.fixture
def catching(reports: Reports) -> Callable[[Any], Catcher]:
    return lambda app: Catcher(app, Desk(reporters=(reports,)), page)


Catching = Callable[[Any], Catcher]


class Body:
    """A body of pieces; an exception among them is raised in its place, and another one by ``close()``."""

    def __init__(self, *pieces: bytes | BaseException, in_close: BaseException | None = None) -> None:
        self._pieces = iter(pieces)
        self._in_close = in_close
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        piece = next(self._pieces)
        if isinstance(piece, BaseException):
            raise piece
        return piece

    def close(self) -> None:
        self.closed += 1
        if self._in_close is not None:
            raise self._in_close


def returning(body: Any, headers: list[tuple[str, str]] | None = None) -> Any:
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", list(headers if headers is not None else TEXT))
        return body

    return app


# Real servers ---------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def by_waitress(app: Any) -> Iterator[tuple[str, int]]:
    channels: dict[int, Any] = {}
    server = waitress.create_server(app, map=channels, host="127.0.0.1", port=0, threads=2)

    def run() -> None:
        with contextlib.suppress(OSError):  # its loop may still look at the socket that is closed below
            server.run()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield ("127.0.0.1", server.effective_port)
    finally:
        server.close()
        server.task_dispatcher.shutdown()
        thread.join(20)
        wasyncore.close_all(channels, ignore_all=True)  # connections whose end it has not seen yet


@contextlib.contextmanager
def by_ours(app: Any) -> Iterator[tuple[str, int]]:
    with engines(lambda: app) as start:
        yield start(app).tcp


every_server = pytest.mark.parametrize("served", [by_ours, by_waitress], ids=["our server", "waitress"])


def ask(address: tuple[str, int], method: str = "GET") -> tuple[int, dict[str, str], bytes]:
    connection = HTTPConnection(*address, timeout=20)
    try:
        connection.request(method, "/")
        response = connection.getresponse()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
    finally:
        connection.close()


def lazily() -> Any:
    def app(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        if environ:
            raise ValueError("boom")
        yield b""

    return app


def after_start() -> Any:
    return returning(Body(ValueError("boom")), [*TEXT, ("Content-Length", "4"), ("Set-Cookie", "a=b"), ("ETag", '"e"')])


@every_server
@pytest.mark.parametrize(
    "make", [lazily, after_start], ids=["row 19 before start_response", "row 20 before the first piece"]
)
def test_rows_19_and_20_a_failure_before_the_first_byte_is_a_real_500(
    served: Any, make: Callable[[], Any], catching: Catching, reports: Reports
) -> None:
    with served(catching(make())) as address:
        status, headers, body = ask(address)
    assert (status, body) == (500, b"the page of ValueError: boom")
    assert headers["content-length"] == str(len(body))
    assert not {"set-cookie", "etag"} & headers.keys()
    (record,) = reports
    assert headers["x-error-id"] == record.id
    assert (record.phase, record.sent) == ("body", False)


@every_server
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_row_21_a_failure_in_the_middle_cuts_the_connection(served: Any, catching: Catching, reports: Reports) -> None:
    app = catching(returning(Body(b"one", ValueError("boom")), [*TEXT, ("Content-Length", "100")]))
    with served(app) as address, pytest.raises(IncompleteRead) as cut:
        ask(address)
    assert cut.value.partial == b"one"
    (record,) = reports
    assert (record.phase, record.sent) == ("body", True)


@every_server
def test_row_22_a_failure_in_close_is_reported_and_the_reply_stays_whole(
    served: Any, catching: Catching, reports: Reports
) -> None:
    body = Body(b"all", in_close=ValueError("late"))
    with served(catching(returning(body, [*TEXT, ("Content-Length", "3")]))) as address:
        assert ask(address)[::2] == (200, b"all")
        wait_for(lambda: reports, "a report, which nobody holds the reply back for")
    assert body.closed == 1
    assert [(record.phase, record.headline) for record in reports] == [("close", "ValueError: late")]


@every_server
def test_row_29_head_gets_headers_only(served: Any, catching: Catching, reports: Reports) -> None:
    with served(catching(lazily())) as address:
        status, headers, body = ask(address, "HEAD")
    assert (status, body) == (500, b"")
    assert "x-error-id" in headers
    assert headers.get("content-length") is None


# In process -----------------------------------------------------------------------------------------------------------


def test_a_failure_in_the_call_is_a_500(catching: Catching, reports: Reports) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        raise LookupError("nothing there")

    response = Client(catching(app), lint=True).get("/")
    assert (response.status, response.text) == (500, "the page of LookupError: nothing there")
    assert [(record.phase, record.sent) for record in reports] == [("call", False)]


def test_row_22_a_failure_in_the_body_and_in_close_are_two_reports(catching: Catching, reports: Reports) -> None:
    body = Body(ValueError("first"), in_close=ValueError("second"))
    assert Client(catching(returning(body)), lint=True).get("/").status == 500
    assert body.closed == 1
    assert [record.headline for record in reports] == ["ValueError: first", "ValueError: second"]


def test_row_23_write_still_works(catching: Catching) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", list(TEXT))(b"written")
        return []

    assert Client(catching(app)).get("/").text == "written"


def test_row_23_what_was_written_cannot_become_a_500(catching: Catching, reports: Reports) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", list(TEXT))(b"written")
        raise ValueError("boom")

    with pytest.raises(ValueError, match="boom"):
        Client(catching(app)).get("/")
    assert [(record.phase, record.sent) for record in reports] == [("call", True)]


def test_row_24_a_stream_stays_a_stream(catching: Catching) -> None:
    taken = []

    def pieces() -> Iterator[bytes]:
        for piece in (b"one", b"two"):
            taken.append(piece)
            yield piece

    with Client(catching(returning(pieces()))).get("/", stream=True) as response:
        assert next(iter(response)) == b"one"
        assert taken == [b"one"]


def test_row_24_a_file_stays_the_servers(catching: Catching) -> None:
    file = FileWrapper(io.BytesIO(b"data"))
    assert Client(catching(returning(file))).get("/").iterable is file


def test_row_24_a_list_stays_itself(catching: Catching) -> None:
    body = [b"data"]
    assert Client(catching(returning(body))).get("/").iterable is body


@pytest.mark.parametrize("leaving", [KeyboardInterrupt(), SystemExit(0), SystemExit(None), GeneratorExit()], ids=repr)
@pytest.mark.parametrize("where", ["call", "body", "close"])
def test_row_25_what_ends_the_program_passes_unreported(
    leaving: BaseException, where: str, catching: Catching, reports: Reports
) -> None:
    with pytest.raises(type(leaving)):
        Client(catching(leaving_in(where, leaving))).get("/")
    assert reports == []


@pytest.mark.parametrize("where", ["call", "body", "close"])
def test_row_25_an_exit_that_means_failure_is_reported_on_its_way(
    where: str, catching: Catching, reports: Reports
) -> None:
    with pytest.raises(SystemExit):
        Client(catching(leaving_in(where, SystemExit("no database")))).get("/")
    assert [record.headline for record in reports] == ["SystemExit: no database"]


def leaving_in(where: str, leaving: BaseException) -> Any:
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        if where == "call":
            raise leaving
        start_response("200 OK", list(TEXT))
        return Body(leaving) if where == "body" else Body(b"one", in_close=leaving)

    return app


def test_row_26_an_outer_catcher_catches(catching: Catching, reports: Reports) -> None:
    inner = Reports()
    nested = Catcher(lazily(), Desk(reporters=(inner,)), page)
    assert Client(catching(nested), lint=True).get("/").status == 500
    assert (len(reports), len(inner)) == (1, 0)


def test_row_26_throw_errors_lets_everything_through(catching: Catching, reports: Reports) -> None:
    with pytest.raises(ValueError, match="boom"):
        Client(catching(lazily()), environ={"paste.throw_errors": True}).get("/")
    assert reports == []


@pytest.mark.parametrize("where", ["call", "body"])
def test_row_26_expected_exceptions_pass(where: str, catching: Catching, reports: Reports) -> None:
    app = catching(leaving_in(where, KeyError("meant for somebody")))
    for expected in ([KeyError], [LookupError], [ValueError, KeyError], [object(), KeyError]):
        with pytest.raises(KeyError):
            Client(app, environ={"paste.expected_exceptions": expected}).get("/")
    assert reports == []


@pytest.mark.parametrize("expected", [[ValueError], [], None, ["KeyError"]], ids=repr)
def test_row_26_others_are_caught(expected: Any, catching: Catching, reports: Reports) -> None:
    app = catching(leaving_in("call", KeyError("boom")))
    assert Client(app, environ={"paste.expected_exceptions": expected}).get("/").status == 500
    assert len(reports) == 1


@pytest.mark.parametrize("where", ["call", "body"])
def test_what_only_somebody_further_in_expects_is_caught(where: str, catching: Catching, reports: Reports) -> None:
    leaving = leaving_in(where, KeyError("boom"))

    def inner(environ: dict[str, Any], start_response: Any) -> Any:
        environ.setdefault("paste.expected_exceptions", []).append(KeyError)
        return leaving(environ, start_response)

    for given in ({}, {"paste.expected_exceptions": []}, {"paste.expected_exceptions": [ValueError]}):
        assert Client(catching(inner), environ=given).get("/").status == 500
    assert len(reports) == 3


@pytest.mark.parametrize("where", ["call", "body"])
def test_an_http_exception_that_fails_at_its_answer_is_caught(where: str, catching: Catching, reports: Reports) -> None:
    class Odd(Exception):
        def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
            raise self

    assert Client(catching(HTTPExceptions(leaving_in(where, Odd("boom"))))).get("/").status == 500
    assert [each.headline for each in reports] == ["Odd: boom"]


def test_a_client_that_leaves_is_no_error(catching: Catching, reports: Reports) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"one"
        yield b"two"

    response = Client(catching(returning(pieces()))).get("/", stream=True)
    assert next(iter(response)) == b"one"
    response.close()
    assert reports == []


@pytest.mark.parametrize("body", [42, None, object()], ids=["a number", "None", "an object"])
def test_a_body_that_is_none_is_an_error_of_the_app(body: Any, catching: Catching, reports: Reports) -> None:
    assert Client(catching(returning(body))).get("/").status == 500
    assert [record.raised.name for record in reports] == ["TypeError"]


async def asynchronous() -> list[bytes]:
    return [b"one"]


def pieces_of_text() -> Iterator[Any]:
    yield "one"


NO_BODIES = [
    pytest.param(lambda: None, "has returned None", id="nothing"),
    pytest.param(asynchronous, "is asynchronous (asynchronous, ", id="a coroutine"),
    pytest.param(lambda: 42, "of the type int", id="a number"),
    pytest.param(lambda: "one", "[text.encode()]", id="text"),
    pytest.param(lambda: b"one", "[data]", id="bytes"),
    pytest.param(lambda: {"one": 1}, "of the type dict", id="a dict"),
    pytest.param(lambda: ["one"], "text.encode()", id="text in a list"),
    pytest.param(lambda: ("one",), "text.encode()", id="text in a tuple"),
    pytest.param(lambda: [b"one", None], "NoneType", id="nothing in a list"),
    pytest.param(lambda: iter([1]), "of the type int", id="a number in an iterator"),
    pytest.param(pieces_of_text, f"made by pieces_of_text, {__file__}:", id="text of a generator"),
]


@every_server
@pytest.mark.parametrize(("make", "told"), NO_BODIES)
def test_what_is_no_body_is_told_in_words_that_help(
    served: Any, make: Callable[[], Any], told: str, reports: Reports
) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        return returning(make())(environ, start_response)

    with served(Catcher(app, Desk(reporters=(reports,)), page, checks=True)) as address:
        status, _, body = ask(address)
    assert status == 500
    assert told in reports[0].headline
    assert body.decode() == f"the page of {reports[0].headline}"


def test_the_developer_is_told_of_text_in_a_list_by_the_filter() -> None:
    app = CatchErrors(returning(["one"]), debug=True)
    answer = Client(app, environ={"wheatpaste.peer": "127.0.0.1", "REMOTE_ADDR": "127.0.0.1"}).get("/")
    assert (answer.status, "text.encode()" in answer.text) == (500, True)
    app.close()


def test_text_after_bytes_cuts_the_connection(catching: Catching, reports: Reports) -> None:
    pieces: list[Any] = [b"one", "two"]
    response = Client(catching(returning(iter(pieces)))).get("/", stream=True)
    rest = iter(response)
    assert next(rest) == b"one"
    with pytest.raises(TypeError, match="encode"):
        next(rest)
    response.close()
    assert [record.sent for record in reports] == [True]


@pytest.mark.parametrize("body", [[bytearray(b"one")], [memoryview(b"one")], iter([bytearray(b"one")])])
def test_what_servers_take_for_bytes_passes(body: Any, catching: Catching, reports: Reports) -> None:
    assert [bytes(piece) for piece in catching(returning(body))({}, lambda *given: None)] == [b"one"]
    assert reports == []


def test_an_app_reports_what_it_has_handled(catching: Catching, reports: Reports) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        try:
            raise ConnectionError("the shop's database is gone")
        except ConnectionError as error:
            found = environ["wheatpaste.errors"].report(error, environ)
        start_response("503 Service Unavailable", list(TEXT))
        return [found.encode()]

    response = Client(catching(app), lint=True).get("/")
    assert response.status == 503
    (record,) = reports
    assert (record.id, record.phase) == (response.text, "reported")


def test_a_page_that_cannot_be_made_is_a_plain_500(reports: Reports, caplog: pytest.LogCaptureFixture) -> None:
    def broken(record: ErrorRecord, environ: dict[str, Any]) -> Answer:
        raise RuntimeError("no template")

    response = Client(Catcher(lazily(), Desk(reporters=(reports,)), broken), lint=True).get("/")
    assert (response.status, response.text) == (500, "Internal Server Error\n")
    assert response.headers["X-Error-ID"] == reports[0].id
    assert "no template" in caplog.text


class Broken:
    def __init__(self, failure: BaseException) -> None:
        self._failure = failure

    def report(self, record: ErrorRecord) -> None:
        raise self._failure


def test_row_18_a_reporter_that_fails_changes_nothing(reports: Reports, caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk(reporters=(Broken(OSError("disk full")), reports))
    response = Client(Catcher(lazily(), desk, page), lint=True).get("/")
    assert (response.status, len(reports)) == (500, 1)
    assert "disk full" in caplog.text


def test_the_record_of_the_request_names_the_error(catching: Catching, reports: Reports) -> None:
    from wheatpaste.protocol.trace import Trace

    response = Client(outer := _Tracing(catching(lazily()))).get("/")
    assert response.headers["X-Error-ID"] == outer.trace.error_id
    assert isinstance(outer.trace, Trace)


class _Tracing:
    def __init__(self, app: Any) -> None:
        self._app = app

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        from wheatpaste.protocol.trace import Trace

        self.trace = Trace.of(environ)
        return self._app(environ, start_response)


def test_an_error_is_freed_with_its_request(catching: Catching) -> None:
    """A catcher keeps records, never exceptions: their frames hold whatever the app had in its hands."""
    import gc
    import weakref

    class Held:
        pass

    kept: list[weakref.ref[Held]] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        held = Held()
        kept.append(weakref.ref(held))
        raise ValueError("boom")

    Client(catching(app)).get("/")
    gc.collect()
    assert kept[0]() is None


def test_an_error_that_lies_about_its_class_is_caught(catching: Catching, reports: Reports) -> None:
    class Lying(Exception):
        @property
        def __class__(self) -> type:
            raise RuntimeError("not telling")

    app = catching(leaving_in("call", Lying("boom")))
    assert Client(app, environ={"paste.expected_exceptions": [KeyError]}).get("/").status == 500
    assert len(reports) == 1
