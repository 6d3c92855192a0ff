"""From bytes to requests: heads, bodies, pipelined requests, refusals and the lingering close.

All of it runs without waiting: what is not here yet is waited for by the poller, and costs memory that is bounded.
"""

from __future__ import annotations

import io
import logging
import re
from typing import TYPE_CHECKING, Any

from ..protocol.peers import remove_forwarding
from .connection import CLOSED, HANDSHAKING, IN_BODY, IN_HEAD, INTRODUCED, LINGERING, Connection
from .output import ClientGone
from .poller import READ
from .received_body import ReceivedBody
from .refusals import Refused, refusal_bytes
from .streamed_body import StreamedBody

if TYPE_CHECKING:
    from .engine import Engine
    from .forecast import Pace
    from .heads import Framing
    from .worker_thread import WorkerThread

log = logging.getLogger("wheatpaste.server.intake")

_RECEIVE = 16 * 1024
_RECEIVE_BODY = 256 * 1024
_IN_A_ROW = 16
"""Pipelined requests that are served before others have their turn."""
_LINGER_BYTES = 64 * 1024
_LINGER_SECONDS = 2.0
_STRAY = re.compile(rb"\r(?!\n)(?!\Z)|(?<!\r)\n")


class Intake:
    """Reads connections on the leader's behalf. Methods return whether the calling thread still leads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._limits = engine.settings.limits
        self._deadlines = engine.settings.deadlines
        self._forwarding = engine.settings.forwarding

    def on_readable(self, me: WorkerThread, connection: Connection) -> bool:
        """Take what a client has sent."""
        state = connection.state
        if state > IN_BODY:
            return self._on_other(connection, state)
        engine = self._engine
        try:
            data = connection.recv(_RECEIVE if state != IN_BODY else _RECEIVE_BODY)
            if connection.is_tls:
                data = _drain_tls(connection, data)
        except engine.would_block:
            return True
        except OSError:
            engine.drop(connection)
            return True
        if not data:
            # Half of a request is no request; after a whole one there is nothing left to say.
            engine.drop(connection)
            return True
        if state == IN_BODY:
            return self._more_body(me, connection, data)
        held = connection.buffer
        return self.advance(me, connection, held + data if held else data, leading=True, seen=len(held))

    def _on_other(self, connection: Connection, state: int) -> bool:
        engine = self._engine
        if state == LINGERING:
            try:
                data = connection.sock.recv(_RECEIVE)
            except engine.would_block:
                return True
            except OSError:
                data = b""
            connection.lingered += len(data)
            if not data or connection.lingered > _LINGER_BYTES:
                engine.drop(connection)
        elif state == HANDSHAKING:
            engine.shake_hands(connection)
        elif state == INTRODUCED:
            engine.introduce(connection)
        elif state != CLOSED:
            engine.detach(connection)
        return True

    def advance(self, me: WorkerThread, connection: Connection, data: bytes, *, leading: bool, seen: int = 0) -> bool:
        """Serve the requests that are complete in ``data``; the rest stays in the connection's buffer.

        The first ``seen`` bytes were looked at before.
        """
        engine = self._engine
        for _ in range(_IN_A_ROW):
            if data[0] == 13:
                # Some clients end a body with an empty line too many (RFC 9112 section 2.2).
                data = _without_empty_lines(data)
                if not data:
                    connection.buffer = b""
                    if not leading:
                        engine.release(connection)
                    return leading
            end = data.find(b"\r\n\r\n", max(seen - 3, 0))
            if end < 0 or end + 4 > self._limits.head:
                try:
                    self._check_part(data, seen)
                except Refused as refusal:
                    self.refuse(connection, refusal)
                    return leading
                connection.buffer = data
                self._await_head(connection)
                if not leading:
                    engine.release(connection)
                return leading
            connection.buffer = data[end + 4 :]
            seen = 0
            try:
                environ, framing, pace, fields = connection.reader.read(data, end, connection.fields)
                environ.update(connection.facts)
                if fields is not connection.fields:
                    engine.remember_fields(connection, fields)
                if framing.forwarding or self._forwarding is not None:
                    self._forward(environ)
                if connection.requests + 1 == self._limits.keep_alive_requests:
                    framing = framing._replace(keep_alive=False)
                if framing.length or framing.chunked:
                    if self._streams(framing, connection):
                        self._stream_body(connection, environ, framing)
                    elif not self._take_body(connection, environ, framing, pace):
                        if not leading:
                            engine.release(connection)
                        return leading
                else:
                    environ["wsgi.input"] = io.BytesIO()
            except Refused as refusal:
                self.refuse(connection, refusal, head_only=data.startswith(b"HEAD "))
                return leading
            leading, free = engine.dispatch(me, connection, (environ, framing, pace), leading=leading)
            if not free:
                return leading
            data = connection.buffer
            if not data:
                return leading
        engine.later(connection)
        return leading

    def _forward(self, environ: dict[str, Any]) -> None:
        if self._forwarding is None:
            remove_forwarding(environ)
            return
        complaint = self._forwarding(environ)
        if complaint is not None:
            raise Refused(400, "forwarding", complaint)

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
        if _STRAY.search(data, max(seen - 1, 0)):
            raise Refused(400, "line-end", "Lines must end in CR LF.")

    def _await_head(self, connection: Connection) -> None:
        if connection.state != IN_HEAD:
            connection.state = IN_HEAD
            self._engine.set_deadline(connection, self._deadlines.head)

    def _streams(self, framing: Framing, connection: Connection) -> bool:
        """Whether the app starts before the body has come, and waits for it when it reads."""
        if framing.expects and not connection.buffer:
            return self._engine.may_stream()
        return self._engine.settings.stream_uploads and self._engine.may_stream()

    def _stream_body(self, connection: Connection, environ: dict[str, Any], framing: Framing) -> None:
        body = StreamedBody(connection, None if framing.chunked else framing.length, expects=framing.expects)
        connection.streamed = body
        environ["wsgi.input"] = body.file

    def _take_body(self, connection: Connection, environ: dict[str, Any], framing: Framing, pace: Pace) -> bool:
        """Begin to receive a body; whether it is complete."""
        body = ReceivedBody(self._limits, None if framing.chunked else framing.length, self._engine.clock())
        connection.body = body
        data, connection.buffer = connection.buffer, b""
        if data:
            connection.buffer = body.feed(data)
        if body.done:
            self._attach(environ, body, framing)
            return True
        connection.pending = (environ, framing, pace)
        connection.state = IN_BODY
        self._engine.set_deadline(connection, self._deadlines.body_grace)
        if framing.expects and not data:
            try:
                connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            except ClientGone:
                self._engine.drop(connection)
        return False

    def _attach(self, environ: dict[str, Any], body: ReceivedBody, framing: Framing) -> None:
        environ["wsgi.input"] = body.file()
        if framing.chunked:
            environ["CONTENT_LENGTH"] = str(body.length)

    def _more_body(self, me: WorkerThread, connection: Connection, data: bytes) -> bool:
        body = connection.body
        if body is None:
            return True
        environ, framing, pace = connection.pending
        try:
            connection.buffer = body.feed(data)
            if not body.done:
                return True
            self._attach(environ, body, framing)
        except Refused as refusal:
            self.refuse(connection, refusal)
            return True
        connection.pending = None
        leading, free = self._engine.dispatch(me, connection, (environ, framing, pace), leading=True)
        if free and connection.buffer:
            return self.advance(me, connection, connection.buffer, leading=leading)
        return leading

    def refuse(self, connection: Connection, refusal: Refused, *, head_only: bool = False) -> None:
        """Answer a request that is not served, and close gently enough that the client can read the answer."""
        engine = self._engine
        level = (
            logging.WARNING
            if refusal.status >= 500 and refusal.status != 501 and refusal.status != 505
            else logging.INFO
        )
        log.log(
            level,
            "refused %s with %d: %s (%s)",
            connection.key or "a client",
            refusal.status,
            refusal.what,
            refusal.rule,
        )
        engine.count_refusal(refusal)
        connection.keep_alive = False
        connection.buffer = b""
        try:
            common = engine.reply_lines().common
            connection.send(refusal_bytes(refusal, common, engine.settings.ident, head_only=head_only))
        except ClientGone:
            engine.drop(connection)
            return
        engine.after_reply(connection, keep_alive=False)

    def linger(self, connection: Connection) -> None:
        """Close so that what was sent arrives: a reset would take it out of the client's hands (RFC 9112 9.6)."""
        if not connection.shut_down_writing():
            self._engine.drop(connection)
            return
        if connection.body is not None:
            connection.body.close()
            connection.body = None
        connection.pending = None
        connection.state = LINGERING
        self._engine.set_deadline(connection, _LINGER_SECONDS)
        self._engine.set_mask(connection, READ)

    def overdue(self, connection: Connection, now: float) -> None:
        """A deadline of a connection has come."""
        engine = self._engine
        if connection.state == IN_BODY and connection.body is not None:
            body = connection.body
            allowed = self._deadlines.body_grace + body.received / max(self._deadlines.body_rate, 1)
            if body.started + allowed > now:
                engine.set_deadline(connection, body.started + allowed - now)
                return
            self.refuse(connection, Refused(408, "body-timeout", "The request body came too slowly."))
        elif connection.state == IN_HEAD and connection.buffer:
            self.refuse(connection, Refused(408, "head-timeout", "The head of the request took too long."))
        else:
            engine.drop(connection)


def _without_empty_lines(data: bytes) -> bytes:
    while data.startswith(b"\r\n"):
        data = data[2:]
    return data


def _drain_tls(connection: Connection, data: bytes) -> bytes:
    """What TLS has decrypted already will not make the socket readable again."""
    while connection.sock.pending() and len(data) < _RECEIVE_BODY:
        data += connection.recv(_RECEIVE)
    return data
