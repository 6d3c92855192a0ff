"""The beginning and the end of a TLS connection, a step at a time, for a server that must not wait.

A poller drives :class:`Handshake`: :meth:`~Handshake.step` whenever the socket is ready for what the last step asked
for. Steps never wait, so a deadline is a matter of closing the socket when it has passed; one step does the arithmetic
and may run on any thread, as long as no other uses the connection meanwhile. A PROXY protocol header has to be read
from the socket before.
"""

from __future__ import annotations

import socket
import ssl
from typing import Literal, Protocol

Wants = Literal["read", "write"]


class Wraps(Protocol):
    """``TLSContexts``, or any server-side ``ssl.SSLContext``."""

    def wrap_socket(  # noqa: D102 - the standard library's method
        self, sock: socket.socket, server_side: bool = ..., do_handshake_on_connect: bool = ...
    ) -> ssl.SSLSocket: ...


class HandshakeFailed(OSError):
    """No encrypted connection came about; ``reason`` is a short phrase for the log. The client's doing, mostly."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class SpokePlainHTTP(HandshakeFailed):
    """The client speaks HTTP without TLS. Nothing was read; the socket is as it was and can be answered in plain."""

    def __init__(self) -> None:
        super().__init__("spoke plain HTTP to a port that speaks https")


class Handshake:
    """The handshake of one accepted, non-blocking socket.

    ``socket`` is what to poll and to close: first the accepted socket, from the client's first byte on the
    ``ssl.SSLSocket`` that took its descriptor over, and after a failure a plain one again.
    """

    __slots__ = ("socket", "_tls", "_wrapped")

    def __init__(self, sock: socket.socket, tls: Wraps) -> None:
        self.socket = sock
        self._tls: Wraps = tls
        self._wrapped: ssl.SSLSocket | None = None

    def is_silent(self) -> bool:
        """Whether the client has neither said anything yet nor left, so that a step could do nothing."""
        if self._wrapped is not None:
            return False
        try:
            self.socket.recv(1, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            return True
        except OSError:
            return False
        return False

    def step(self) -> Wants | None:
        """Go as far as possible. What to wait for, or None when it is done and ``socket`` can be used.

        Raises ``HandshakeFailed`` and :class:`SpokePlainHTTP`. After a failure close ``socket`` as after a last reply:
        writing first, and all of it when the client has nothing more to say, or a reset takes the alert from it that
        would have told it why.
        """
        try:
            if self._wrapped is None:
                if not self._client_speaks():
                    return "read"
                self._wrapped = self.socket = self._tls.wrap_socket(
                    self.socket, server_side=True, do_handshake_on_connect=False
                )
            self._wrapped.do_handshake()
        except ssl.SSLWantReadError:
            return "read"
        except ssl.SSLWantWriteError:
            return "write"
        except HandshakeFailed:
            raise
        except OSError as error:
            self._give_back()
            raise HandshakeFailed(_reason(error)) from error
        return None

    def _give_back(self) -> None:
        """Make ``socket`` a plain one again: TLS is over, its alert is sent, and the rest is a close like any other."""
        if self._wrapped is not None and self._wrapped.fileno() >= 0:
            self.socket = socket.socket(fileno=self._wrapped.detach())
            self.socket.setblocking(False)

    def _client_speaks(self) -> bool:
        try:
            first = self.socket.recv(1, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            return False
        if not first:
            raise HandshakeFailed("left before it said anything")
        if first.isalpha() or first in b"\r\n":
            raise SpokePlainHTTP
        return True


def close_notify(sock: ssl.SSLSocket) -> bool:
    """Tell the peer that nothing more will come (RFC 8446, 6.1), without waiting for its answer.

    Only when all output was sent. False: the socket is not ready to write; call again, or leave it. Raises nothing:
    a peer that is gone needs no farewell.
    """
    try:
        sock.unwrap()
    except ssl.SSLWantWriteError:
        return False
    except ssl.SSLWantReadError:
        return True  # it is sent; the peer's own is what unwrap would wait for
    except (OSError, ValueError):
        return True
    return True


_REASONS = {
    "CERTIFICATE_VERIFY_FAILED": "its certificate is not accepted",
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "showed no certificate",
    "NO_SHARED_CIPHER": "has no cipher in common with this server",
    "UNSUPPORTED_PROTOCOL": "speaks only versions of TLS that are not allowed here",
    "VERSION_TOO_LOW": "speaks only versions of TLS that are not allowed here",
    "WRONG_VERSION_NUMBER": "speaks no TLS",
    "TLSV1_ALERT_UNKNOWN_CA": "does not know the issuer of this server's certificate",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "does not accept this server's certificate",
    "SSLV3_ALERT_BAD_CERTIFICATE": "does not accept this server's certificate",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "finds this server's certificate expired",
    "CALLBACK_FAILED": "asked for a name that is none",
}


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLEOFError | ConnectionError) or "closed before tls" in str(error).casefold():
        return "left during the handshake"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted ({error.verify_message})"
    if isinstance(error, ssl.SSLError) and error.reason:
        return _REASONS.get(error.reason, error.reason.replace("_", " ").lower())
    return error.strerror or str(error)
