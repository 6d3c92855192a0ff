"""Replies: what an app returns becomes one well-framed message, or an error that is its own."""

from __future__ import annotations

import io
import logging
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from wheatpaste.server.forecast import Pace
from wheatpaste.server.http1.client_gone import ClientGone
from wheatpaste.server.http1.file_wrapper import FileWrapper
from wheatpaste.server.http1.heads import Kind
from wheatpaste.server.http1.refusals import Refused
from wheatpaste.server.http1.reply_lines import ReplyLines
from wheatpaste.server.http1.response import Response, answer_failure

OK = "200 OK"


class Wire:
    """Where replies go; ``gone_after`` is how many calls the client stays for."""

    def __init__(self, gone_after: int = 1000) -> None:
        self.data = b""
        self.calls = 0
        self.ended = False
        self.closing: Callable[[], object] | None = None
        self._gone_after = gone_after

    def send(self, data: bytes) -> None:
        self.calls += 1
        if self.calls > self._gone_after:
            raise ClientGone("it left")
        self.data += data

    def send_last(self, data: bytes) -> None:
        self.send(data)
        self.ended = True

    def send_both(self, head: bytes, body: bytes) -> None:
        self.send(head + body)

    def send_file(self, head: bytes, fd: int, offset: int, count: int, close: Callable[[], object] | None) -> None:
        with open(fd, "rb", closefd=False) as file:
            file.seek(offset)
            self.send(head + file.read(count))
        self.closing = close


def kind(method: str = "GET", version: str = "HTTP/1.1") -> Kind:
    return Kind({"REQUEST_METHOD": method, "SERVER_PROTOCOL": version}, Pace(), None)


def reply_lines(ident: str | None = "us") -> ReplyLines:
    lines = ReplyLines(ident, wall=lambda: 784111777.0)
    lines.refresh(0.0)
    return lines


DATE = b"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"


def run(
    app: Any, method: str = "GET", version: str = "HTTP/1.1", *, keep: bool = True, wire: Wire | None = None
) -> tuple[Wire, Response]:
    wire = wire or Wire()
    response = Response(wire, kind(method, version), keep, reply_lines())
    response.run(app, {})
    return wire, response


def app(body: Any, *headers: tuple[str, str], status: str = OK, written: tuple[bytes, ...] = ()) -> Any:
    """An app that answers so; a callable body is called."""

    def answer(environ: Any, start_response: Any) -> Any:
        write = start_response(status, list(headers))
        for data in written:
            write(data)
        return body() if callable(body) else body

    return answer


def parse(data: bytes, method: str = "GET") -> tuple[bytes, dict[bytes, bytes], bytes, str]:
    """Status line, fields, decoded body, and how its end is told."""
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    fields = {name.lower(): value for name, value in (line.split(b": ", 1) for line in lines)}
    assert len(fields) == len(lines)
    code = int(first.split()[1])
    if method == "HEAD" or code in (204, 304):
        assert body == b""
        return first, fields, body, "none"
    if fields.get(b"transfer-encoding") == b"chunked":
        decoded = b""
        while True:
            size, _, body = body.partition(b"\r\n")
            count = int(size, 16)
            decoded += body[:count]
            assert body[count : count + 2] == b"\r\n"
            body = body[count + 2 :]
            if not count:
                assert body == b""
                return first, fields, decoded, "chunked"
    if b"content-length" in fields:
        assert len(body) == int(fields[b"content-length"])
        return first, fields, body, "length"
    return first, fields, body, "close"


def test_the_usual_reply_is_sent_in_one_piece() -> None:
    wire, response = run(app([b"hello"], ("Content-Type", "text/plain")))
    assert (
        wire.data
        == b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\nServer: us\r\n" + DATE + b"\r\nhello"
    )
    assert wire.calls == 1
    assert response.keep_alive


pieces = st.lists(st.binary(max_size=6), max_size=5)


@settings(deadline=None)
@given(
    pieces,
    pieces,
    st.sampled_from([list, tuple, iter, deque]),
    st.sampled_from(["GET", "HEAD", "POST"]),
    st.sampled_from(["HTTP/1.1", "HTTP/1.0"]),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["200 OK", "204 No Content", "304 Not Modified", "404 No"]),
)
@example([], [b"x" * 100_000], list, "GET", "HTTP/1.1", True, True, "200 OK")
def test_whatever_the_shape_of_a_body_its_bytes_arrive(
    written: list[bytes],
    body: list[bytes],
    shape: Callable[[list[bytes]], Any],
    method: str,
    version: str,
    says_length: bool,
    keep: bool,
    status: str,
) -> None:
    whole = b"".join(written + body)
    headers = [("Content-Length", str(len(whole)))] if says_length else []
    wire, response = run(
        app(lambda: shape(body), *headers, status=status, written=tuple(written)), method, version, keep=keep
    )
    first, fields, found, framing = parse(wire.data, method)
    assert first == f"{version} {status}".encode()
    if framing != "none":
        assert found == whole
    assert framing != "chunked" or version == "HTTP/1.1"
    assert b"date" in fields
    if framing == "close":
        assert not response.keep_alive
    assert response.keep_alive or fields[b"connection"] == b"close"
    assert keep or not response.keep_alive
    if version == "HTTP/1.0" and response.keep_alive:
        assert fields[b"connection"] == b"Keep-Alive"


@pytest.mark.parametrize("shape", [list, iter])
def test_more_than_was_announced_is_cut_off(shape: Any, caplog: pytest.LogCaptureFixture) -> None:
    """What follows a reply is the next one, so nothing may run over."""
    for body in ([b"hello world"], [b"hel", b"lo wor", b"ld"]):
        wire, response = run(app(shape(body), ("Content-Length", "5")))
        assert parse(wire.data)[2] == b"hello"
        assert response.keep_alive
    assert "more than its Content-Length" in caplog.text


@pytest.mark.parametrize("shape", [list, iter])
def test_less_than_was_announced_ends_the_connection(shape: Any, caplog: pytest.LogCaptureFixture) -> None:
    for body in ([b"hell"], [b"hel", b"l"], []):
        wire, response = run(app(shape(body), ("Content-Length", "5")))
        assert b"Content-Length: 5\r\n" in wire.data
        assert not response.keep_alive
    assert "less than its Content-Length" in caplog.text


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("text", TypeError),
        (b"bytes", TypeError),
        (None, TypeError),
        (5, TypeError),
        (["text"], TypeError),
        ([b"a", "text"], TypeError),
        (lambda: iter(["text"]), TypeError),
        ([None], TypeError),
    ],
)
def test_what_is_no_body_is_the_apps_mistake_and_nothing_is_sent(body: Any, error: type[Exception]) -> None:
    wire = Wire()
    with pytest.raises(error):
        run(app(body), wire=wire)
    assert wire.data == b""


def test_an_app_has_to_call_start_response() -> None:
    for body in ([b"x"], [], iter([b"x"]), iter([])):
        wire = Wire()
        with pytest.raises(RuntimeError):
            run(lambda environ, start_response, body=body: body, wire=wire)
        assert wire.data == b""


def test_start_response_may_be_called_again_with_exc_info_only() -> None:
    def twice(environ: Any, start_response: Any) -> Any:
        start_response(OK, [])
        start_response(OK, [])
        return []

    with pytest.raises(RuntimeError, match="twice"):
        run(twice)

    def mended(environ: Any, start_response: Any) -> Any:
        start_response(OK, [("Content-Length", "99"), ("X-First", "1"), ("Date", "never"), ("Connection", "close")])
        error = ValueError("changed its mind")
        start_response("500 Oh", [("Content-Length", "2")], (ValueError, error, None))
        return [b"oh"]

    wire, _ = run(mended)
    first, fields, body, _ = parse(wire.data)
    assert (first, body) == (b"HTTP/1.1 500 Oh", b"oh")
    assert b"x-first" not in fields
    assert fields[b"date"] == DATE[6:-2]


def test_after_the_head_exc_info_is_raised() -> None:
    def late(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response(OK, [])
        yield b"begun"
        start_response("500 Oh", [], (ValueError, ValueError("too late"), None))

    with pytest.raises(ValueError, match="too late"):
        run(late)


class Body:
    """Counts how often it is closed."""

    def __init__(self, chunks: list[Any], error: BaseException | None = None) -> None:
        self.chunks, self.error, self.closed = iter(chunks), error, 0

    def __iter__(self) -> Iterator[Any]:
        return self.chunks

    def close(self) -> None:
        self.closed += 1
        if self.error is not None:
            raise self.error


@pytest.mark.parametrize("chunks", [[], [b"a"], [b"a", b"b"], ["text"], [b"a", "text"]])
def test_a_body_is_closed_once_whatever_happens(chunks: list[Any]) -> None:
    body = Body(chunks)
    try:
        run(app(body))
    except TypeError:
        assert "text" in chunks
    assert body.closed == 1


def test_a_body_is_closed_when_its_client_leaves() -> None:
    for stays in range(3):
        body = Body([b"a", b"b", b"c", b"d"])
        with pytest.raises(ClientGone):
            run(app(body), wire=Wire(gone_after=stays))
        assert body.closed == 1


@pytest.mark.parametrize("error", [ValueError("close"), SystemExit("close")])
def test_a_close_that_fails_takes_nothing_from_the_reply(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    wire, response = run(app(Body([b"a"], error)))
    assert parse(wire.data)[2] == b"a"
    assert response.keep_alive
    assert "close() failed" in caplog.text


def test_a_close_that_fails_does_not_hide_what_failed_before(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(TypeError):
        run(app(Body(["text"], ValueError("close"))))
    assert "close() failed" in caplog.text


@pytest.mark.parametrize("name", ["Transfer-Encoding", "Connection", "Keep-Alive", "Upgrade", "TE", "Trailer"])
def test_headers_of_the_connection_are_the_servers(name: str, caplog: pytest.LogCaptureFixture) -> None:
    wire, _ = run(app([b"x"], (name, "x")))
    assert f"\r\n{name}:".encode() not in wire.data
    assert name in caplog.text


def test_an_app_may_end_the_connection() -> None:
    wire, response = run(app([b"x"], ("Connection", "close")))
    assert not response.keep_alive
    assert wire.data.count(b"Connection: close\r\n") == 1


def test_own_dates_and_server_names_are_not_doubled() -> None:
    wire, _ = run(app([b"x"], ("Date", "Mon, 01 Jan 2001 00:00:00 GMT"), ("Server", "theirs")))
    _, fields, _, _ = parse(wire.data)
    assert fields[b"date"] == b"Mon, 01 Jan 2001 00:00:00 GMT"
    assert fields[b"server"] == b"theirs"


def test_lengths_may_be_said_twice_but_not_differently() -> None:
    wire, _ = run(app([b"x"], ("Content-Length", "1"), ("content-length", "1")))
    assert wire.data.lower().count(b"content-length") == 1
    with pytest.raises(ValueError, match="Content-Length"):
        run(app([b"x"], ("Content-Length", "1"), ("content-length", "2")))


def test_a_body_that_is_left_out_for_head_has_no_length() -> None:
    """RFC 9110 section 8.6: a length must be that of the reply to GET, which only the app knows."""
    for body in ([], [b""], iter([])):
        wire, _ = run(app(body), "HEAD")
        assert b"content-length" not in parse(wire.data, "HEAD")[1]
    wire, _ = run(app([], ("Content-Length", "5")), "HEAD")
    assert parse(wire.data, "HEAD")[1][b"content-length"] == b"5"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("length", [None, 4, 3, 9])
def test_files_are_sent_from_where_they_stand(tmp_path: Path, method: str, length: int | None) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    file = path.open("rb")
    file.seek(6)
    headers = [("Content-Length", str(length))] if length is not None else []
    wire, _ = run(app(FileWrapper(file), *headers), method)
    _, fields, body, _ = parse(wire.data, method)
    if method == "GET":
        assert body == b"6789"[: length or 4]
    assert int(fields[b"content-length"]) == (3 if length == 3 else 4)
    assert wire.closing is not None
    wire.closing()
    assert file.closed


def test_what_is_no_file_of_the_system_is_read() -> None:
    wire, _ = run(app(FileWrapper(io.BytesIO(b"x" * 20_000), 7000)))
    assert parse(wire.data)[2:] == (b"x" * 20_000, "chunked")


def test_a_reply_may_be_kept_for_whoever_allows_it() -> None:
    wire = Wire()
    response = Response(wire, kind(), True, reply_lines())
    response.may_keep = True
    response.run(app([b"x"]), {})
    assert wire.data == b""
    assert response.kept is not None
    assert parse(response.kept)[2] == b"x"
    # What is not whole, or ends the connection, is never kept.
    for answer in (app(iter([b"x"])), app([b"x"], ("Connection", "close")), app([b"a", b"b"])):
        response = Response(wire, kind(), True, reply_lines())
        response.may_keep = True
        response.run(answer, {})
        assert response.kept is None


@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/1.0"])
@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("fields", [[], [("Date", "now")]], ids=["usual", "own Date"])
def test_what_the_end_follows_is_said_to_be_the_last(version: str, keep: bool, fields: list[tuple[str, str]]) -> None:
    wire = Wire()
    response = Response(wire, kind(version=version), keep, reply_lines())
    response.run(app([b"x"], *fields), {})
    assert parse(wire.data)[2] == b"x"
    assert (wire.calls, wire.ended, (b"Connection: close" in wire.data)) == (1, not keep, not keep)


def failed(error: BaseException, *, sent: bool = False, expose: bool = False) -> Refused | None:
    response = Response(Wire(), kind(), True, reply_lines())
    if sent:
        response.run(app([b"x"]), {})
    return answer_failure({"REQUEST_METHOD": "GET", "PATH_INFO": "/x"}, response, error, expose=expose)


def test_failures_are_told_and_answered(caplog: pytest.LogCaptureFixture) -> None:
    refusal = failed(KeyError("secret"))
    assert refusal is not None
    assert refusal.status == 500
    assert "secret" not in refusal.what
    assert "secret" in caplog.text
    assert "GET /x failed" in caplog.text


def test_what_was_begun_is_not_answered_twice() -> None:
    assert failed(KeyError("x"), sent=True) is None


def test_a_client_that_left_is_nobodys_failure(caplog: pytest.LogCaptureFixture) -> None:
    assert failed(ClientGone("it left")) is None
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_developers_may_see_the_traceback() -> None:
    refusal = failed(KeyError("seen"), expose=True)
    assert refusal is not None
    assert "KeyError: 'seen'" in refusal.what
