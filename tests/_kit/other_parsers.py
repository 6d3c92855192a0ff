"""Other projects' readers of requests, in this process, with one face: bytes in, messages or a refusal out."""

from __future__ import annotations

import functools
import io
from typing import Any, NamedTuple

import h11
from cheroot.server import Gateway, HTTPConnection, HTTPRequest, HTTPServer
from gunicorn.config import Config
from gunicorn.http.errors import NoMoreData, ParseException
from gunicorn.http.parser import RequestParser
from waitress.adjustments import Adjustments
from waitress.parser import HTTPRequestParser


class Message(NamedTuple):
    method: str
    target: str
    body: bytes


class Reading(NamedTuple):
    """The messages that were whole, and why reading stopped: ``end``, ``cut`` in a message, or what was refused."""

    messages: list[Message]
    stop: str

    @property
    def refused(self) -> bool:
        return self.stop not in ("end", "cut", "close")


def by_h11(data: bytes) -> Reading:
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    connection.receive_data(data)
    connection.receive_data(b"")
    found: list[Message] = []
    try:
        while True:
            event = connection.next_event()
            if isinstance(event, h11.ConnectionClosed):
                return Reading(found, "end")
            if not isinstance(event, h11.Request):
                return Reading(found, "close")
            request, body = event, b""
            while isinstance(event := connection.next_event(), h11.Data):
                body += event.data
            found.append(Message(request.method.decode("latin-1"), request.target.decode("latin-1"), body))
            connection.send(h11.Response(status_code=200, headers=[("Content-Length", "0")]))
            connection.send(h11.EndOfMessage())
            if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
                return Reading(found, "close")
            connection.start_next_cycle()
    except h11.RemoteProtocolError as error:
        early = "peer unexpectedly closed connection" in str(error) or "incomplete message body" in str(error)
        return Reading(found, "cut" if early else str(error))


@functools.cache
def _waitress_settings() -> Adjustments:
    return Adjustments()


@functools.cache
def _gunicorn_settings() -> Config:
    config = Config()
    config.set("http_parser", "python")
    return config


def by_waitress(data: bytes) -> Reading:
    found: list[Message] = []
    while data:
        parser = HTTPRequestParser(_waitress_settings())
        while data and not parser.completed:
            data = data[parser.received(data) :]
        if not parser.completed:
            return Reading(found, "cut")
        if parser.error is not None:
            return Reading(found, parser.error.body)
        if parser.empty:
            continue
        target = parser.request_uri
        body = parser.get_body_stream().read()
        found.append(Message(parser.command, target, body))
        parser.close()
        if parser.connection_close or parser.version != "1.1":
            return Reading(found, "close")
    return Reading(found, "end")


def by_gunicorn(data: bytes) -> Reading:
    found: list[Message] = []
    try:
        for request in RequestParser(_gunicorn_settings(), iter([data]), ("127.0.0.1", 1)):
            found.append(Message(request.method, request.uri, request.body.read()))
            if request.should_close():
                return Reading(found, "close")
    except NoMoreData:
        return Reading(found, "cut")
    except ParseException as error:
        return Reading(found, f"{type(error).__name__}: {error}")
    return Reading(found, "end")


class _Socket:
    """What cheroot reads a connection from: the bytes that came, and a place for what it says."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.said = io.BytesIO()

    def makefile(self, _: Any, mode: str, __: int) -> io.BytesIO:
        return io.BytesIO(self._data) if mode == "rb" else self.said


class _Collecting(Gateway):
    """Takes the place of an app: reads the body, and the trailers, which come before the next request."""

    def respond(self) -> None:
        request: HTTPRequest = self.req
        request.sent_headers = True  # nothing is to be answered
        body = request.rfile.read()
        if request.chunked_read:
            list(request.rfile.read_trailer_lines())
        elif request.rfile.remaining:
            raise EOFError("the body is cut")
        request.server.found.append(Message(request.method.decode("latin-1"), request.uri.decode("latin-1"), body))


@functools.cache
def _cheroot() -> HTTPServer:
    server = HTTPServer(("127.0.0.1", 0), _Collecting)  # binds nothing until it is started
    server.error_log = lambda message="", level=20, traceback=False: server.failures.append(message)
    return server


def by_cheroot(data: bytes) -> Reading:
    server = _cheroot()
    server.found, server.failures = [], []
    sock = _Socket(data)
    connection = HTTPConnection(server, sock, sock.makefile)
    while connection.communicate():
        pass
    if server.failures:
        return Reading(server.found, "cut" if "EOFError" in server.failures[0] else server.failures[0])
    said = sock.said.getvalue().replace(b"HTTP/1.1 100 Continue\r\n\r\n", b"")
    if said:
        head, _, text = said.partition(b"\r\n\r\n")
        status = head.partition(b"\r\n")[0].removeprefix(b"HTTP/1.1 ")
        return Reading(server.found, b": ".join([status, text]).decode("latin-1"))
    return Reading(server.found, "end" if not connection.rfile.read(1) else "close")
