"""From bytes to requests: heads, bodies, and requests that were sent without waiting for replies.

All of it runs without waiting: what is not here yet is waited for by the poller, and costs memory that is bounded.
Writes ``wsgi.input``, the ``CONTENT_LENGTH`` of chunked bodies and ``wheatpaste.trailers``.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

from ...protocol.peers import remove_forwarding
from ..http1.client_gone import ClientGone
from ..http1.empty_body import EMPTY_BODY
from ..http1.heads import CLOSE, KEEP, Framing, Kind
from ..http1.received_body import ReceivedBody
from ..http1.refusals import Refused
from .connection import CLOSED, HANDSHAKING, IDLE, IN_BODY, IN_HEAD, INTRODUCED, LINGERING, Connection
from .streamed_body import StreamedBody
from .worker_thread import WorkerThread

if TYPE_CHECKING:
    from .engine import Engine

_RECEIVE = 16 * 1024
_RECEIVE_BODY = 256 * 1024
_IN_A_ROW = 16
"""Pipelined requests that are served before others have their turn."""


class Intake:
    """Reads connections. Methods return whether the calling thread still leads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connections = engine.connections
        self._dispatch = engine.exchange.dispatch
        self._serve = engine.exchange.serve
        self._crew = engine.crew
        self._size = engine.settings.threads
        self._would_block = engine.would_block
        self._limits = engine.settings.limits
        self._head_limit = engine.settings.limits.head
        self._deadlines = engine.settings.deadlines
        self._forwarding = engine.settings.forwarding
        self._room = memoryview(bytearray(_RECEIVE_BODY))
        """Where bodies are received; nobody reads while another thread leads."""
        self._is_simple = self._limits.keep_alive_requests is None
        """Whether nothing has to be done with a request that its head does not ask for."""

    def on_readable(self, me: WorkerThread, connection: Connection) -> bool:
        """Take what a client has sent. The leader calls this."""
        state = connection.state
        if state > IN_BODY:
            self._on_other(connection, state)
            return True
        if state == IN_BODY:
            return self._on_body(me, connection)
        try:
            data = connection.recv(_RECEIVE)
            if connection.is_tls and len(data) == _RECEIVE:
                data = _drain_tls(connection, data)
        except self._would_block:
            if not connection.mask:  # it was accepted a moment ago
                self._connections.release(connection)
            return True
        except OSError:
            self._connections.drop(connection)
            return True
        if not data:
            # Half of a request is no request; after a whole one there is nothing left to say.
            self._connections.drop(connection)
            return True
        held = connection.buffer
        if held:
            # What is held of a head was looked at; requests that wait for their turn were not.
            seen = len(held) if state == IN_HEAD else 0
            return self.advance(me, connection, held + data, leading=True, seen=seen)
        return self.advance(me, connection, data, leading=True)

    def _on_other(self, connection: Connection, state: int) -> None:
        engine = self._engine
        if state == LINGERING:
            engine.farewell.on_lingering(connection)
        elif state == HANDSHAKING:
            engine.opening.shake_hands(connection)
        elif state == INTRODUCED:
            engine.opening.introduce(connection)
        elif state != CLOSED:
            # Pipelined bytes or the end of the stream: of no interest before the request is done.
            self._connections.detach(connection)

    def advance(self, me: WorkerThread, connection: Connection, data: bytes, *, leading: bool, seen: int = 0) -> bool:
        """Serve the requests that are complete in ``data``; the rest stays in the connection's buffer.

        The first ``seen`` bytes were looked at before.
        """
        for _ in range(_IN_A_ROW):
            if data[0] == 13:
                # Some clients end a body with an empty line too many (RFC 9112 section 2.2).
                while data.startswith(b"\r\n"):
                    data = data[2:]
                    seen = 0
                if not data:
                    connection.buffer = b""
                    return self._leave(connection, IDLE, leading=leading)
            end = data.find(b"\r\n\r\n", seen - 3 if seen > 3 else 0)
            if end < 0 or end + 4 > self._head_limit:
                return self._await_head(connection, data, seen, leading=leading)
            connection.buffer = data[end + 4 :]
            seen = 0
            try:
                environ, kind, fields = connection.reader.read(data, end, connection.fields, connection.facts)
                framing = fields.framing
                if fields is not connection.fields and framing.keep_alive:
                    self._connections.remember_fields(connection, fields)
                if (framing is KEEP and self._is_simple) or framing == CLOSE:
                    environ["wsgi.input"] = EMPTY_BODY
                else:
                    framing = self._complete(connection, environ, framing)
                    if not self._has_body(connection, environ, framing, kind):
                        return self._leave(connection, IN_BODY, leading=leading)
            except Refused as refusal:
                self._engine.farewell.refuse(connection, refusal, connection.reader.kind_of(data))
                return leading
            request = (environ, framing, kind)
            if leading and (kind.pace.slow or self._crew.busy >= self._size or connection.body is not None):
                leading, free = self._dispatch(me, connection, request, leading=True)
            else:
                leading, free = self._serve(me, connection, request, leading=leading)
            if not free:
                return leading
            data = connection.buffer
            if not data:
                return leading
        self._engine.later(connection)
        return leading

    def _leave(self, connection: Connection, state: int, *, leading: bool) -> bool:
        """Wait for more: under the leader's eyes, whoever has read so far."""
        if connection.state == CLOSED:
            return leading
        if leading and connection.mask:
            connection.state = state
        else:
            self._connections.release(connection, state)
        return leading

    def _await_head(self, connection: Connection, data: bytes, seen: int, *, leading: bool) -> bool:
        try:
            self._check_part(data, seen)
        except Refused as refusal:
            self._engine.farewell.refuse(connection, refusal)
            return leading
        connection.buffer = data
        if connection.state != IN_HEAD:
            self._connections.set_deadline(connection, self._deadlines.head)
        return self._leave(connection, IN_HEAD, leading=leading)

    def _check_part(self, data: bytes, seen: int) -> None:
        """Refuse a head that is not complete, or too large, and can become no good one."""
        limits = self._limits
        first = data.find(b"\r\n")
        if (first if first >= 0 else len(data.removesuffix(b"\r"))) > limits.request_line:
            raise Refused(414, "request-line-size", "The request line is too long.")
        if len(data) >= limits.head:
            raise Refused(431, "head-size", f"exceeds max_header of {limits.head}")
        if not 0x20 < data[0] < 0x7F and data != b"\r":
            if data[0] == 0x16:
                raise Refused(400, "tls", "This port speaks plain HTTP, not TLS.")
            raise Refused(400, "request-line", "Start line is invalid")
        if _stray().search(data, max(seen - 1, 0)):
            raise Refused(400, "line-end", "Lines must end in CR LF.")

    def _complete(self, connection: Connection, environ: dict[str, Any], framing: Framing) -> Framing:
        """Believe or remove what proxies report, and count the connection's requests."""
        if framing.forwarding:
            if self._forwarding is None:
                remove_forwarding(environ)
            elif (complaint := self._forwarding(environ)) is not None:
                raise Refused(400, "forwarding", complaint)
        if connection.requests + 1 == self._limits.keep_alive_requests:
            return framing._replace(keep_alive=False)
        return framing

    def _has_body(self, connection: Connection, environ: dict[str, Any], framing: Framing, kind: Kind) -> bool:
        """Give the environ its body; False while it has to be waited for."""
        if not (framing.length or framing.chunked):
            environ["wsgi.input"] = EMPTY_BODY
            return True
        if self._streams(connection, framing):
            streamed = StreamedBody(connection, None if framing.chunked else framing.length, expects=framing.expects)
            connection.body = streamed
            environ["wsgi.input"] = streamed.file
            return True
        length = None if framing.chunked else framing.length
        engine = self._engine
        body = ReceivedBody(self._limits, length, engine.clock(), engine.bodies, engine.buffers)
        connection.body = body
        data, connection.buffer = connection.buffer, b""
        if data:
            connection.buffer = body.feed(data)
        if body.done:
            _attach(environ, body, framing)
            return True
        connection.pending = (environ, framing, kind)
        self._connections.set_deadline(connection, self._deadlines.body_grace)
        if framing.expects and not data:
            try:
                connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            except ClientGone:
                self._connections.drop(connection)
        return False

    def _streams(self, connection: Connection, framing: Framing) -> bool:
        """Whether the app starts before the body has come, and waits for it when it reads; ``streams`` has one less."""
        is_asked = framing.expects and not connection.buffer  # the app decides whether the body is wanted
        return (is_asked or self._engine.settings.stream_uploads) and self._engine.streams.take(1)

    def _on_body(self, me: WorkerThread, connection: Connection) -> bool:
        body, request = connection.body, connection.pending
        if not isinstance(body, ReceivedBody) or request is None:
            return True
        try:
            while not body.done:
                room = body.room()
                count = connection.sock.recv_into(self._room if room is None else room)
                if not count:
                    self._connections.drop(connection)  # half a body is none
                    return True
                if room is None:
                    connection.buffer = body.feed(self._room[:count])
                else:
                    body.filled(count)
                    room.release()
                if not (connection.is_tls and connection.sock.pending()):
                    break
            if not body.done:
                return True
            _attach(request[0], body, request[1])
        except self._would_block:
            return True
        except Refused as refusal:
            self._engine.farewell.refuse(connection, refusal, request[2])
            return True
        except OSError:
            self._connections.drop(connection)
            return True
        connection.pending = None
        leading, free = self._dispatch(me, connection, request, leading=True)
        if free and connection.buffer:
            return self.advance(me, connection, connection.buffer, leading=leading)
        return leading


@cache
def _stray() -> re.Pattern[bytes]:
    """Finds ends of lines that are none, in heads that come in pieces."""
    return re.compile(rb"\r(?!\n)(?!\Z)|(?<!\r)\n")


def _attach(environ: dict[str, Any], body: ReceivedBody, framing: Framing) -> None:
    environ["wsgi.input"] = body.file()
    if framing.chunked:
        environ["CONTENT_LENGTH"] = str(body.length)
        if body.trailers:
            environ["wheatpaste.trailers"] = tuple(body.trailers)


def _drain_tls(connection: Connection, data: bytes) -> bytes:
    """What TLS has decrypted already will not make the socket readable again."""
    while connection.sock.pending() and len(data) < _RECEIVE_BODY:
        data += connection.recv(_RECEIVE)
    return data
