"""One client's connection: what it has sent, what it has not taken yet, and what it is waited for.

A connection belongs to one thread at a time: to the leader while it is read from or written to, to a worker while that
runs one of its requests.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from ...protocol.wsgi import Environ
from ..http1.client_gone import CLIENT_DISCONNECTED, ClientGone, ClientWatch
from .output import FileStretch, Output

if TYPE_CHECKING:
    from ssl import SSLSocket

    from ..http1.heads import Fields, HeadReader
    from ..http1.received_body import ReceivedBody
    from ..tls.handshake import Handshake
    from .engine import Engine
    from .streamed_body import StreamedBody
    from .worker_thread import Request

IDLE, IN_HEAD, IN_BODY, WRITING, LINGERING, HANDSHAKING, INTRODUCED, CLOSED, RUNNING, SHAKING = range(10)
"""What a connection is doing; INTRODUCED ones have to name their client first (PROXY protocol).

RUNNING and SHAKING ones (and no others) belong to a worker, or wait for one; see ``busy``.
"""
_BEFORE_THE_END = getattr(socket, "MSG_MORE", 0)
STATE_NAMES = (
    "idle",
    "head",
    "body",
    "writing",
    "lingering",
    "handshake",
    "introduction",
    "closed",
    "running",
    "handshake",
)


class Connection:
    """The server's side of a TCP or UNIX connection."""

    __slots__ = (
        "body",
        "buffer",
        "deadline",
        "due",
        "engine",
        "facts",
        "fd",
        "fields",
        "handshake",
        "is_tls",
        "keep_alive",
        "key",
        "lingered",
        "mask",
        "on_sent",
        "output",
        "pending",
        "reader",
        "recv",
        "requests",
        "send_now",
        "sock",
        "state",
    )

    def __init__(self, engine: Engine, sock: Any, reader: HeadReader, facts: Environ, key: str) -> None:
        self.engine = engine
        self.sock = sock
        self.fd: int = sock.fileno()
        self.recv: Callable[[int], bytes] = sock.recv
        self.send_now: Callable[[Any], int] = sock.send
        self.reader = reader
        self.facts = facts
        """The environ keys that all requests of this connection share; to be replaced, not changed."""
        self.key = key
        """The client's address, for the limit per address."""
        self.state = IDLE
        self.buffer = b""
        """What was received and not used yet."""
        self.mask = 0
        """What the poller waits for."""
        self.deadline = 0.0
        self.due = 0
        """The second in which the engine's timers will look at it."""
        self.is_tls = False
        self.handshake: Handshake | None = None
        self.requests = 0
        self.keep_alive = False
        self.lingered = 0
        self.fields: Fields | None = None
        """The header fields of the last request, while the engine has room to remember them."""
        self.body: ReceivedBody | StreamedBody | None = None
        self.pending: Request | None = None
        """The request whose body is being received."""
        self.output: Output | None = None
        self.on_sent: Callable[[], object] | None = None

    @property
    def busy(self) -> bool:
        """Whether it belongs to another thread than the leader, or waits for one."""
        return self.state >= RUNNING

    # What a response sends through:

    def send(self, data: bytes) -> None:
        """Send bytes, or queue what the client does not take. Raises ``ClientGone``."""
        output = self.output
        if output is None or self._is_clear(output):
            try:
                sent = self.send_now(data)
            except self.engine.would_block:
                sent = 0
            except OSError as error:
                raise ClientGone(str(error)) from None
            if sent == len(data):
                return
            self._queue(memoryview(data)[sent:])
            return
        self._wait_for_room(output)
        self._queue(data)

    def send_last(self, data: bytes) -> None:
        """The same for what the end of the connection follows at once: both go in one packet, where the system can."""
        if self.is_tls or self.output is not None:
            self.send(data)
            return
        try:
            sent = self.sock.send(data, _BEFORE_THE_END)
        except self.engine.would_block:
            sent = 0
        except OSError as error:
            raise ClientGone(str(error)) from None
        if sent < len(data):
            self._queue(memoryview(data)[sent:])

    def send_both(self, head: bytes, body: bytes) -> None:
        """Send a head and a body too large to be copied behind it."""
        output = self.output
        if (output is None or self._is_clear(output)) and hasattr(self.sock, "sendmsg") and not self.is_tls:
            try:
                sent = self.sock.sendmsg((head, body))
            except self.engine.would_block:
                sent = 0
            except OSError as error:
                raise ClientGone(str(error)) from None
            if sent >= len(head):
                if sent < len(head) + len(body):
                    self._queue(memoryview(body)[sent - len(head) :])
                return
            self._queue(memoryview(head)[sent:])
            self._queue(body)
            return
        self.send(head)
        self.send(body)

    def send_file(self, head: bytes, fd: int, offset: int, count: int, close: Callable[[], object] | None) -> None:
        """Send a head and a stretch of a file; ``close`` is called when it is sent, by another thread if need be.

        When this raises, ``close`` is the caller's business.
        """
        self.send(head)
        if count:
            output = self._made_output()
            output.add_file(FileStretch(fd, offset, count))
            try:
                output.flush(self.engine.clock)
            except OSError as error:
                raise ClientGone(str(error)) from None
        if self.output:
            self.on_sent = close
            self.engine.connections.wait_for_write(self)
        elif close is not None:
            close()

    def _made_output(self) -> Output:
        if self.output is None:
            self.output = Output(self.sock, self.engine.would_block, self.engine.clock())
        return self.output

    def _is_clear(self, output: Output) -> bool:
        """Whether nothing waits that has to go before. Raises ``ClientGone`` where what waited was given up.

        What is sent after that would be taken for its continuation.
        """
        if output:
            return False
        output.check()
        return True

    def _queue(self, data: bytes | memoryview) -> None:
        self._made_output().add(data)
        self.engine.connections.wait_for_write(self)

    def _wait_for_room(self, output: Output) -> None:
        """Keep an app that is faster than its client waiting; only its own thread waits."""
        limit = self.engine.settings.limits.output_memory
        if output.memory > limit:
            self.engine.crew.step_down()
            output.wait_below(limit, self.engine.settings.deadlines.write)

    def fail(self, reason: str) -> None:
        """Let a thread that writes to this connection know that there is nobody any more."""
        if self.output is not None:
            self.output.fail(reason)

    def free_request(self) -> None:
        """Let go of the request that was received, or half of it."""
        self.pending = None
        if self.body is not None:
            self.body.close()
            self.body = None

    def close_socket(self) -> None:
        """Close the socket, and free what waited for the client."""
        self.state = CLOSED
        self.free_request()
        self.buffer = b""
        if self.output is not None:
            self.output.fail("the connection was closed")
        try:  # noqa: SIM105 - many connections are for one request, and this costs them nothing
            self.sock.close()
        except OSError:
            pass  # it is closed all the same

    def begin_tls(self, sock: SSLSocket) -> None:
        """Go on with the socket that speaks TLS over the same descriptor."""
        self.handshake = None
        self.is_tls = True
        self.sock = sock
        self.recv = sock.recv
        self.send_now = sock.send
        # The socket that it took the descriptor from looks closed.
        self.facts = {**self.facts, CLIENT_DISCONNECTED: ClientWatch(sock)}

    def shut_down_writing(self) -> bool:
        """Tell the client that nothing more comes. False when it is gone already."""
        try:
            if self.is_tls:
                _close_notify()(self.sock)
            # Below TLS: its own shutdown would forget the encrypted connection, and not tell the client anything.
            socket.socket.shutdown(self.sock, socket.SHUT_WR)
        except OSError:
            return False
        return True


@cache  # an import in the place where it is needed costs as much as what it imports
def _close_notify() -> Callable[[SSLSocket], bool]:
    from ..tls.handshake import close_notify

    return close_notify
