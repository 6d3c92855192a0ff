"""What comes before the first request of a connection: the PROXY protocol's header, and the TLS handshake."""

from __future__ import annotations

import logging
import socket
from typing import TYPE_CHECKING

from .connection import HANDSHAKING, IDLE, INTRODUCED, Connection
from .poller import READ, WRITE
from .refusals import Refused

if TYPE_CHECKING:
    from .engine import Engine

log = logging.getLogger("wheatpaste.server.opening")

_LONGEST_INTRODUCTION = 8192


class Opening:
    """Brings new connections to where they can be read from."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._settings = engine.settings

    def begin(self, connection: Connection, *, is_tcp: bool) -> None:
        """Wait for what has to come first."""
        engine, settings = self._engine, self._settings
        named = settings.proxy_protocol is not None and settings.proxy_protocol(connection.key)
        connection.state = INTRODUCED if named else IDLE
        if not named and is_tcp and settings.tls is not None:
            self._begin_handshake(connection)
        else:
            engine.set_deadline(connection, settings.deadlines.head)
        engine.set_mask(connection, READ)

    def introduce(self, connection: Connection) -> None:
        """Read who the client is. Nothing behind the header is taken: it may belong to TLS."""
        from .proxy_protocol import ProxyProtocolError, proxied_environ, read_proxy_header

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
            engine.drop(connection)
            return
        except OSError:
            engine.drop(connection)
            return
        connection.buffer = b""
        connection.facts = {**connection.facts, **proxied_environ(header, connection.key)}
        if not engine.rename(connection, connection.facts["REMOTE_ADDR"]):
            engine.drop(connection)
        elif self._settings.tls is not None and sock.family != getattr(socket, "AF_UNIX", None):
            self._begin_handshake(connection)
        else:
            connection.state = IDLE

    def _begin_handshake(self, connection: Connection) -> None:
        from .tls_handshake import Handshake

        tls = self._settings.tls
        if tls is not None:
            connection.handshake = Handshake(connection.sock, tls)
            connection.state = HANDSHAKING
            self._engine.set_deadline(connection, self._settings.deadlines.handshake)

    def shake_hands(self, connection: Connection) -> None:
        """Go on with a handshake, on another thread: signing takes as long as many requests."""
        engine = self._engine
        engine.set_mask(connection, 0)
        connection.busy = True
        if not engine.run_elsewhere(lambda: self._step(connection), or_refuse=True):
            self._step(connection)

    def _step(self, connection: Connection) -> None:
        from .tls_handshake import HandshakeFailed, SpokePlainHTTP

        engine, handshake = self._engine, connection.handshake
        if handshake is None:
            return
        try:
            wants = handshake.step()
        except SpokePlainHTTP:
            connection.busy = False
            engine.refuse(connection, Refused(400, "plain-http", "This port speaks https."))
            return
        except HandshakeFailed as failed:
            log.info("no TLS with %s: it %s", connection.key, failed.reason)
            connection.sock = handshake.socket
            connection.busy = False
            # Gently, or the client loses the alert that tells it why.
            engine.after_reply(connection, keep_alive=False)
            return
        connection.sock = handshake.socket
        connection.busy = False
        if wants is not None:
            if engine.clock() >= connection.deadline:
                # Who sends a byte now and then is always busy when the leader looks.
                engine.drop(connection)
                return
            engine.set_mask(connection, READ if wants == "read" else WRITE)
            return
        connection.begin_tls(handshake.socket)  # type: ignore[arg-type]  # it speaks TLS now
        if self._settings.tls_environ is not None:
            connection.facts = {**connection.facts, **self._settings.tls_environ(connection.sock)}
        connection.state = IDLE
        engine.resume_reading(connection)
