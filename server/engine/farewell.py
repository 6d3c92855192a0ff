"""The end of a connection: refusals, the lingering close, and deadlines that have passed."""

from __future__ import annotations

import contextlib
import logging
import socket
import struct
from typing import TYPE_CHECKING

from ..http1.client_gone import ClientGone
from ..http1.refusals import Refused, refusal_bytes
from .connection import IN_BODY, IN_HEAD, LINGERING, WRITING, Connection
from .poller import READ

if TYPE_CHECKING:
    from ..http1.heads import Kind
    from .engine import Engine

log = logging.getLogger("wheatpaste.server.farewell")

_LINGER_BYTES = 64 * 1024 * 1024
"""Most clients send all of an upload before they look for an answer, also for one that says that it is too large."""
_LINGER_SECONDS = 2.0
_RECEIVE = 64 * 1024
_CLIENTS_MISTAKES = (501, 505)


class Farewell:
    """Ends connections, gently where somebody may still read."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connections = engine.connections
        self._deadlines = engine.settings.deadlines

    def refuse(self, connection: Connection, refusal: Refused, kind: Kind | None = None) -> None:
        """Answer a request that is not served, and close so that the client can read the answer.

        ``kind`` is what its request line says, where that could be read.
        """
        engine = self._engine
        # Overload is told by whoever sees it, now and then; a line for each request would add to it.
        is_ours = refusal.status >= 500 and refusal.status not in _CLIENTS_MISTAKES and refusal.rule != "overload"
        log.log(
            logging.WARNING if is_ours else logging.INFO,
            "refused %s with %d: %s (%s)",
            connection.key or "a local client",
            refusal.status,
            refusal.what.partition("\r\n")[0],
            refusal.rule,
        )
        engine.count_refusal(refusal)
        connection.buffer = b""
        try:
            common = engine.reply_lines().common
            is_head, is_1_0 = (kind.is_head, kind.is_1_0) if kind is not None else (False, False)
            ident = engine.settings.ident
            connection.send(refusal_bytes(refusal, common, ident, head_only=is_head, is_1_0=is_1_0))
        except ClientGone:
            self._connections.drop(connection)
            return
        engine.exchange.after_reply(connection, keep_alive=False, leading=False)

    def linger(self, connection: Connection, *, leading: bool = False) -> None:
        """Close so that what was sent arrives: a reset would take it out of the client's hands (RFC 9112 9.6).

        Also where the client has said that it sends no more: it may do so all the same. But most are gone by the time
        at which ``leading``, the leader, has served what else there is: so it looks for their end before the poller
        does, which need not hear of a connection that it does not watch yet.
        """
        connection.free_request()
        if not connection.shut_down_writing():
            self._connections.drop(connection)
        elif leading and not connection.mask:
            connection.deadline = self._engine.clock() + _LINGER_SECONDS
            connection.state = LINGERING
            self._engine.events.append((connection.fd, READ))
        else:
            self._connections.set_deadline(connection, _LINGER_SECONDS)
            self._connections.release(connection, LINGERING)

    def on_lingering(self, connection: Connection) -> None:
        """Drop what still comes, until the client has closed or has sent enough."""
        try:
            data = connection.sock.recv(_RECEIVE)
        except self._engine.would_block:
            self._connections.release(connection, LINGERING)
            return
        except OSError:
            data = b""
        connection.lingered += len(data)
        if not data or connection.lingered > _LINGER_BYTES:
            self._connections.drop(connection)
        elif not connection.mask:
            self._connections.release(connection, LINGERING)

    def cut(self, connection: Connection, *, by_reset: bool) -> None:
        """Close in the middle of a reply. A reset, where the end of the connection would seem to be its end."""
        if by_reset:
            with contextlib.suppress(OSError):
                connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._connections.drop(connection)

    def look_at(self, connection: Connection, now: float) -> None:
        """The second has come in which this connection was to be looked at. The leader calls this."""
        deadlines, connections = self._deadlines, self._connections
        output = connection.output
        if connection.busy:
            connections.look_again(connection, now + deadlines.keep_alive)
            if output and output.taken_at + deadlines.write <= now:
                output.fail("the client took nothing for too long")
        elif connection.state == WRITING:
            due = (output.taken_at if output is not None else 0.0) + deadlines.write
            if due <= now:
                self.cut(connection, by_reset=True)  # of what the client has not taken it may not know the length
            else:
                connections.look_again(connection, due)
        elif connection.deadline > now:
            connections.look_again(connection, connection.deadline)
        elif connection.state == IN_BODY and connection.body is not None:
            body = connection.body
            due = body.started + deadlines.body_grace + body.received / max(deadlines.body_rate, 1)
            if due > now:
                connections.set_deadline(connection, due - now)
            else:
                self.refuse(connection, Refused(408, "body-timeout", "The request body came too slowly."))
        elif connection.state == IN_HEAD and connection.buffer:
            self.refuse(connection, Refused(408, "head-timeout", "The head of the request took too long."))
        else:
            connections.drop(connection)
