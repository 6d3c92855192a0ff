"""What comes before the first request of a connection: the PROXY protocol's header, and the TLS handshake."""

from __future__ import annotations

import logging
import socket
from functools import cache
from typing import TYPE_CHECKING, Any

from ..http1.refusals import Refused
from .connection import HANDSHAKING, IDLE, INTRODUCED, SHAKING, Connection
from .poller import READ, WRITE

if TYPE_CHECKING:
    from ..tls.handshake import Handshake
    from .engine import Engine

log = logging.getLogger("wheatpaste.server.opening")

_LONGEST_INTRODUCTION = 8192


class Opening:
    """Brings new connections to where they can be read from."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connections = engine.connections
        self._settings = engine.settings

    def begin(self, connection: Connection, *, is_tcp: bool) -> None:
        """Wait for what has to come first.

        A request has mostly come by now, since clients send it as soon as they may: so the leader looks for it before
        the poller does, which then need never hear of a client that wants one reply and no more.
        """
        settings = self._settings
        named = settings.proxy_protocol is not None and settings.proxy_protocol(connection.key)
        if named:
            connection.state = INTRODUCED
            self._connections.set_deadline(connection, settings.deadlines.head)
            self._connections.set_mask(connection, READ)
            return
        if is_tcp and settings.tls is not None:
            self._begin_handshake(connection)
        else:
            connection.deadline = self._engine.clock() + settings.deadlines.head
        self._engine.events.append((connection.fd, READ))

    def introduce(self, connection: Connection) -> None:
        """Read who the client is. Nothing behind the header is taken: it may belong to TLS."""
        from ..proxy_protocol import ProxyProtocolError, proxied_environ, read_proxy_header

        engine = self._engine
        sock: socket.socket = connection.sock
        try:
            data = connection.buffer + sock.recv(_LONGEST_INTRODUCTION, socket.MSG_PEEK)
            header = read_proxy_header(data) if len(data) > len(connection.buffer) else None
            if header is None:
                if len(data) == len(connection.buffer):
                    raise ProxyProtocolError("it ended before its header did")
                connection.buffer += sock.recv(len(data) - len(connection.buffer))
                return
            sock.recv(header.consumed - len(connection.buffer))
        except engine.would_block:
            return
        except ProxyProtocolError as error:
            log.warning("%s must begin with a PROXY protocol header: %s", connection.key or "a local peer", error)
            engine.count_refusal(Refused(400, "proxy-protocol", str(error)))
            self._connections.drop(connection)
            return
        except OSError:
            self._connections.drop(connection)
            return
        connection.buffer = b""
        connection.facts = {**connection.facts, **proxied_environ(header, connection.key)}
        if not self._connections.rename(connection, connection.facts["REMOTE_ADDR"]):
            self._connections.drop(connection)
        elif self._settings.tls is not None and sock.family != getattr(socket, "AF_UNIX", None):
            self._begin_handshake(connection)
            self._engine.events.append((connection.fd, READ))
        else:
            connection.state = IDLE

    def _begin_handshake(self, connection: Connection) -> None:
        tls = self._settings.tls
        if tls is not None:
            connection.handshake = _handshakes().Handshake(connection.sock, tls)
            connection.state = HANDSHAKING
            self._connections.set_deadline(connection, self._settings.deadlines.handshake)

    def shake_hands(self, connection: Connection) -> None:
        """Go on with a handshake, on another thread: signing takes as long as many requests."""
        handshake, sock = connection.handshake, connection.sock
        if handshake is None:
            return
        if handshake.is_silent():
            self._connections.set_mask(connection, READ)
            return
        connection.state = SHAKING
        if getattr(sock, "cipher", bool)():
            self._step(connection, handshake)  # it has signed already; what is left is quick
            if connection.state == IDLE:  # then most clients have sent their request behind it
                self._engine.events.append((connection.fd, READ))
            return
        self._connections.set_mask(connection, 0)
        self._engine.handshakers.take(lambda: self._step(connection, handshake))

    def _step(self, connection: Connection, handshake: Handshake) -> None:
        try:
            self._try_step(connection, handshake)
        except BaseException:  # a mistake of ours; nobody else would ever look at the connection again
            connection.sock = handshake.socket
            self._connections.drop(connection)
            raise

    def _try_step(self, connection: Connection, handshake: Handshake) -> None:
        engine = self._engine
        try:
            wants = handshake.step()
        except _handshakes().SpokePlainHTTP:
            engine.farewell.refuse(connection, Refused(400, "plain-http", "This port speaks https."))
            return
        except _handshakes().HandshakeFailed as failed:
            log.info("no TLS with %s: it %s", connection.key, failed.reason)
            connection.sock = handshake.socket
            engine.farewell.linger(connection)  # or the client loses the alert that tells it why
            return
        connection.sock = handshake.socket
        if wants is not None:
            # Who sends a byte now and then makes its connection busy whenever the leader looks at deadlines.
            if engine.clock() >= connection.deadline:
                self._connections.drop(connection)
                return
            connection.state = HANDSHAKING
            self._connections.look_again(connection, connection.deadline)
            self._connections.set_mask(connection, READ if wants == "read" else WRITE)
            return
        connection.begin_tls(handshake.socket)  # type: ignore[arg-type]  # it speaks TLS now
        if self._settings.tls_environ is not None:
            connection.facts = {**connection.facts, **self._settings.tls_environ(connection.sock)}
        self._connections.set_deadline(connection, self._settings.deadlines.head)
        if connection.sock.pending():
            engine.later(connection)
        else:
            self._connections.release(connection)


@cache  # whoever serves no TLS does not load it
def _handshakes() -> Any:
    from ..tls import handshake

    return handshake
