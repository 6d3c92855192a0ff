"""Connections that speak TLS.

How a wrapped, non-blocking socket behaves, for whoever drives it:

``do_handshake()``
    Raises ``SSLWantReadError`` or ``SSLWantWriteError``: call it again when the socket is readable or writable. The
    call that has the whole ClientHello signs with the private key (about 0.2 ms for P-256, 1 ms for RSA of 2048 bits),
    without holding the interpreter's lock.
``recv(n)``
    ``b""`` at the end, with or without the peer's close_notify (HTTP's own framing tells a truncated message).
    ``SSLWantReadError``: nothing now, although the socket was readable (half a record, a session ticket). One call
    returns at most one record, 16 KiB; decrypted bytes that did not fit in ``n`` are counted by ``pending()`` and do
    not make the socket readable: ask again before polling, or read 16 KiB or more at once.
``send(data)``
    Sends all of ``data`` or raises ``SSLWantWriteError``. Part of it may be on its way then, so the next ``send`` must
    begin with the same bytes and may only be longer. Records are 16 KiB; 64 KiB to 256 KiB at once is a good measure.
``SSLWantReadError`` from ``send``, ``SSLWantWriteError`` from ``recv``
    Possible in principle (TLS 1.3 key update): wait for that direction and repeat the same call.
``OSError``
    ``ssl.SSLError`` is one. Whatever else is raised ends the connection; nothing can be sent any more.
closing
    ``close_notify()`` of :mod:`.handshake`, then ``shutdown`` and ``close`` as for any socket.

``sendfile`` of the system cannot be used: it would send plain bytes.
"""

from __future__ import annotations

import ssl
import threading
from socket import socket
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class TLSSocket(ssl.SSLSocket):
    """A connection that speaks TLS, and knows the name that its client asked for (in lower case, or None).

    One thread may receive while another sends: their calls take turns. OpenSSL's state of a connection does not stand
    two threads, and before Python 3.13 nothing else keeps them apart. Closing takes its turn, too: one ``send`` is many
    system calls, and the descriptor may be another connection's as soon as it is closed.
    """

    server_name: str | None = None
    suppress_ragged_eofs: bool
    _sslobj: Any
    _turn: threading.Lock

    def __new__(cls, *arguments: Any, **keywords: Any) -> Self:  # noqa: D102 - wrap_socket makes it without __init__
        made = super().__new__(cls)
        made._turn = threading.Lock()
        return made

    def getpeername(self) -> Any:
        """The peer's address, or "" when the peer is gone.

        A failure would make ``wrap_socket`` fail and close the descriptor, whose number its server still knows as this
        connection and another thread may get for a new one. Like this the handshake fails, as any other.
        """
        try:
            return super().getpeername()
        except OSError:
            return ""

    def do_handshake(self, block: bool = False) -> None:  # noqa: D102
        with self._turn:
            super().do_handshake(block)

    def recv(self, buflen: int = 16384, flags: int = 0) -> bytes:  # noqa: D102
        with self._turn:
            spoken = self._sslobj
            if spoken is None or flags:
                return super().recv(buflen, flags)
            # As the standard library's, without its five frames for each call.
            try:
                received: bytes = spoken.read(buflen)
            except ssl.SSLEOFError:
                if self.suppress_ragged_eofs:
                    return b""
                raise
            return received

    def send(self, data: ReadableBuffer, flags: int = 0) -> int:  # noqa: D102
        with self._turn:
            spoken = self._sslobj
            if spoken is None or flags:
                return super().send(data, flags)
            sent: int = spoken.write(data)
            return sent

    def unwrap(self) -> socket:  # noqa: D102
        with self._turn:
            return super().unwrap()

    def close(self) -> None:  # noqa: D102
        with self._turn:
            super().close()


def own_context(context: ssl.SSLContext) -> ssl.SSLContext:
    """Prepare a context that the deployer made, to be used instead of what :func:`make_tls` makes.

    All its rules stay; its connections become :class:`TLSSocket` unless it has a class of its own for them.
    """
    if context.sslsocket_class is ssl.SSLSocket:
        context.sslsocket_class = TLSSocket
    return context
