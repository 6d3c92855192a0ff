"""One line for each request, true and unforgeable."""

from __future__ import annotations

import io
import logging
import re
import time
from collections.abc import Callable, Iterator
from typing import Any
from wsgiref.util import FileWrapper

import pytest
from paste.translogger import TransLogger as OldTransLogger

from wheatpaste.config.problems import ConfigError
from wheatpaste.middleware.translogger import TransLogger, filter_factory, paste_filter_factory, timestamp
from wheatpaste.testing import Client, Clock

TEXT = [("Content-Type", "text/plain")]


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """The lines that the logger ``wsgi`` got."""
    caplog.set_level(logging.DEBUG, "wsgi")
    return lambda: [record.getMessage() for record in caplog.records if record.name == "wsgi"]


@pytest.fixture(autouse=True)
def _clean_loggers() -> Iterator[None]:
    def clean() -> None:
        for name in ("wsgi", "other"):
            logger = logging.getLogger(name)
            logger.handlers[:] = []
            logger.propagate = True
            logger.setLevel(logging.NOTSET)

    clean()  # of what sites of other tests have set up
    yield
    clean()


def answering(body: Any, headers: Any = (), status: str = "200 OK") -> Any:
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response(status, [*TEXT, *headers])
        return body

    return app


def quiet(app: Any, **options: Any) -> TransLogger:
    """A logger whose lines reach pytest instead of the console."""
    return TransLogger(app, setup_console_handler=False, **options)


def test_a_line_has_apaches_combined_format(lines: Callable[[], list[str]], clock: Clock) -> None:
    app = quiet(answering([b"hello"]), clock=clock.time)
    client = Client(app, script_name="/s", headers={"User-Agent": "test/1", "Referer": "http://localhost/"}, lint=True)
    client.post("/a b?q=1", body=b"", environ={"REMOTE_USER": "ada"})
    expected = re.compile(
        r'127\.0\.0\.1 - ada \[09/Sep/2001:\d\d:46:40 [+-]\d{4}\] "POST /s/a%20b\?q=1 HTTP/1\.1" '
        r'200 5 "http://localhost/" "test/1"'
    )
    assert expected.fullmatch(lines()[0])


def test_what_is_unknown_is_a_dash(lines: Callable[[], list[str]]) -> None:
    Client(quiet(answering([])), environ={"REMOTE_ADDR": "", "SERVER_PROTOCOL": ""}).get("/")
    assert re.fullmatch(r'- - - \[.*\] "GET / -" 200 - "-" "-"', lines()[0])


def test_a_line_comes_when_the_response_is_closed(lines: Callable[[], list[str]]) -> None:
    pieces = iter([b"one", b"two", b"three"])
    with Client(quiet(answering(pieces), format="%(status)s %(bytes)s")).get("/", stream=True) as response:
        next(iter(response))
        assert lines() == []
    assert lines() == ["200 3"], "a client that went away got three bytes"


@pytest.mark.parametrize(
    ("app", "line"),
    [
        pytest.param(answering([b"12345"], [("Content-Length", "5")]), "200 5", id="a length"),
        pytest.param(answering([b"123", b"45"]), "200 5", id="counted"),
        pytest.param(answering([b"12345"], [("Content-Length", "9")]), "200 5", id="the length was wrong"),
        pytest.param(answering([]), "200 -", id="nothing"),
        pytest.param(answering([], status="304 Not Modified"), "304 -", id="not modified"),
    ],
)
def test_the_bytes_are_those_that_were_sent(app: Any, line: str, lines: Callable[[], list[str]]) -> None:
    Client(quiet(app, format="%(status)s %(bytes)s")).get("/")
    assert lines() == [line]


def test_what_is_written_counts(lines: Callable[[], list[str]]) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", list(TEXT))(b"123")
        return [b"45"]

    Client(quiet(app, format="%(bytes)s")).get("/")
    assert lines() == ["5"]


def test_head_sends_no_bytes(lines: Callable[[], list[str]]) -> None:
    Client(quiet(answering([b"12345"], [("Content-Length", "5")]), format="%(bytes)s")).head("/")
    assert lines() == ["-"]


def test_a_file_for_the_server_stays_itself(lines: Callable[[], list[str]]) -> None:
    file = FileWrapper(io.BytesIO(b"12345"))
    app = quiet(answering(file, [("Content-Length", "5")]), format="%(bytes)s")
    assert Client(app).get("/").iterable is file
    assert lines() == ["5"]


def test_the_last_status_counts(lines: Callable[[], list[str]]) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", list(TEXT))
        try:
            raise KeyError
        except KeyError as error:
            start_response("502 Bad Gateway", list(TEXT), (KeyError, error, error.__traceback__))
        return [b"sorry"]

    assert Client(quiet(app, format="%(status)s")).get("/").status == 502
    assert lines() == ["502"]


def failing(when: str) -> Any:
    def pieces() -> Iterator[bytes]:
        if when == "later":
            yield b"one"
        raise OSError("disk")

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        if when == "before":
            raise OSError("disk")
        start_response("200 OK", list(TEXT))
        if when == "in the call":
            raise OSError("disk")
        return pieces()

    return app


@pytest.mark.parametrize(
    ("when", "line"), [("before", "500 -"), ("in the call", "500 -"), ("first", "500 -"), ("later", "200 3")]
)
def test_a_request_that_fails_is_logged_once(when: str, line: str, lines: Callable[[], list[str]]) -> None:
    with pytest.raises(OSError, match="disk"):
        Client(quiet(failing(when), format="%(status)s %(bytes)s")).get("/")
    assert lines() == [line]


@pytest.mark.parametrize(
    ("agent", "logged"),
    [
        pytest.param('x" 200 99 "-" "fake', 'x\\" 200 99 \\"-\\" \\"fake', id="quotes"),
        pytest.param("x\r\n10.0.0.1 - - ", "x\\r\\n10.0.0.1 - - ", id="a second line"),
        pytest.param("\x1b[2J\x00\x7f", "\\x1b[2J\\x00\\x7f", id="a terminal's orders"),
        pytest.param("back\\slash", "back\\\\slash", id="a backslash"),
        pytest.param("caf\u00c3\u00a9", "caf\\xc3\\xa9", id="bytes"),
        pytest.param("\u2028\ud800", "\\xe2\\x80\\xa8\\x5c\\x75\\x64\\x38\\x30\\x30", id="text where bytes belong"),
        pytest.param("%(bytes)s %s", "%(bytes)s %s", id="a format"),
    ],
)
def test_no_header_forges_a_line(agent: str, logged: str, lines: Callable[[], list[str]]) -> None:
    app = quiet(answering([]), format='"%(HTTP_USER_AGENT)s"')
    Client(app).get("/", headers={"User-Agent": agent})
    assert lines() == [f'"{logged}"']


@pytest.mark.parametrize(
    ("path", "logged"),
    [
        ("/a%0Ab", "/a%0Ab"),
        ("/caf%C3%A9", "/caf%C3%A9"),
        ("/a%20%22b", "/a%20%22b"),
        ("/a?b=%22", "/a?b=%22"),
    ],
)
def test_the_path_is_logged_as_a_uri(path: str, logged: str, lines: Callable[[], list[str]]) -> None:
    Client(quiet(answering([]), format="%(REQUEST_URI)s")).get(path)
    assert lines() == [logged]


def test_a_raw_quote_in_the_query_is_escaped(lines: Callable[[], list[str]]) -> None:
    Client(
        quiet(answering([]), format="%(REQUEST_URI)s"), environ={"QUERY_STRING": 'a"b\n', "PATH_INFO": "/\u20ac"}
    ).get()
    assert lines() == ['/\\xe2\\x82\\xac?a\\"b\\n']


def test_the_client_is_not_whom_a_header_names(lines: Callable[[], list[str]]) -> None:
    Client(quiet(answering([]), format="%(REMOTE_ADDR)s")).get("/", headers={"X-Forwarded-For": "203.0.113.9"})
    assert lines() == ["127.0.0.1"]


def test_the_client_is_whom_a_filter_inside_made_it(lines: Callable[[], list[str]]) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        environ["REMOTE_ADDR"], environ["REMOTE_USER"] = "203.0.113.9", "ada"
        environ["SCRIPT_NAME"], environ["PATH_INFO"] = "", "/moved"
        return answering([])(environ, start_response)  # type: ignore[no-any-return]

    Client(quiet(app, format="%(REMOTE_ADDR)s %(REMOTE_USER)s %(REQUEST_URI)s")).get("/x")
    assert lines() == ["203.0.113.9 ada /x"]


@pytest.mark.parametrize(
    ("zone", "offset"), [("XXX-5:30", "+0530"), ("XXX+3:30", "-0330"), ("UTC", "+0000"), ("XXX-12:45", "+1245")]
)
@pytest.mark.skipif(not hasattr(time, "tzset"), reason="only UNIX lets a process change its time zone")
def test_the_time_zone_is_right(zone: str, offset: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert timestamp(0).endswith(f" {offset}")
    finally:
        monkeypatch.undo()
        time.tzset()


def test_it_is_not_in_the_way_when_nobody_listens(lines: Callable[[], list[str]]) -> None:
    body = [b"x"]
    app = quiet(answering(body), logging_level="DEBUG", set_logger_level="INFO")
    assert Client(app).get("/").iterable is body
    assert lines() == []


def test_the_console_gets_bare_lines_once(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        app = TransLogger(answering([b"x"]), format="line %(status)s")
    Client(app).get("/")
    assert capsys.readouterr().err == "line 200\n"
    assert logging.getLogger("wsgi").propagate is False


def test_another_logger_and_level(caplog: pytest.LogCaptureFixture) -> None:
    app = filter_factory(
        {},
        logger_name="other",
        logging_level="warning",
        set_logger_level="",
        setup_console_handler="no",
        format="%(status)s",
    )(answering([]))
    Client(app).get("/")
    assert [(record.name, record.levelno) for record in caplog.records] == [("other", logging.WARNING)]
    assert logging.getLogger("other").level == logging.NOTSET


def test_an_empty_format_is_the_default() -> None:
    app = filter_factory({}, format="")(answering([]))
    assert app.format.startswith("%(REMOTE_ADDR)s - ")


@pytest.mark.parametrize(
    ("option", "value", "complaint"),
    [
        ("format", "%(REMOTE_ADR)s", "no key 'REMOTE_ADR'"),
        ("format", "%(status)", "cannot be filled in"),
        ("format", "%s %s", "cannot be filled in"),
        ("logging_level", "loud", "DEBUG or INFO"),
        ("logger_name", "", "must not be empty"),
    ],
)
def test_a_wrong_option_stops_the_start(option: str, value: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(complaint)):
        filter_factory({}, **{option: value})


def test_the_old_name_warns_of_unknown_options(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ConfigError, match="did you mean 'logger_name'"):
        filter_factory({}, loger_name="x")
    paste_filter_factory({}, loger_name="x")
    assert "did you mean 'logger_name'" in caplog.text


# Paste's filter is the measure for lines in which nothing is strange. Ours differs where that one believes
# X-Forwarded-For, copies quotes and line breaks, encodes paths twice, escapes more of a path than a URI needs, has
# wrong half hours, logs the announced length instead of the sent one, and logs nothing of a request that fails.
@pytest.mark.parametrize(
    "request_",
    [
        {"path": "/"},
        {"path": "/a/b%20c?x=1&y=2", "headers": {"User-Agent": "test/1 (x; y)", "Referer": "http://localhost/?a=b"}},
        {"path": "/x", "environ": {"REMOTE_USER": "ada"}},
    ],
    ids=["bare", "headers", "a user"],
)
@pytest.mark.parametrize("script_name", ["", "/s"])
def test_lines_are_those_of_paste(
    request_: dict[str, Any], script_name: str, lines: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = answering([b"12345"], [("Content-Length", "5")])
    monkeypatch.setenv("TZ", "XXX-2")
    time.tzset()
    now = time.time()
    monkeypatch.setattr(time, "localtime", lambda seconds=now, real=time.localtime: real(now))
    for wrapped in (quiet(app), OldTransLogger(app, setup_console_handler=False)):
        Client(wrapped, script_name=script_name).get(**request_)
    monkeypatch.undo()
    time.tzset()
    ours, theirs = lines()
    assert ours == theirs
