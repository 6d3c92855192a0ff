"""Clients that left, and a way for apps to ask: who works long on a reply may be doing it for nobody.

Environ key: ``waitress.client_disconnected``, under the name that Waitress gave it.
"""

from __future__ import annotations

import _socket
import select
from socket import MSG_PEEK

CLIENT_DISCONNECTED = "waitress.client_disconnected"
_PEER_IS_DONE = getattr(select, "POLLRDHUP", 0)


class ClientGone(ConnectionError):
    """The client went away, or took nothing for too long; nobody's mistake."""


class ClientWatch:
    """Calling it tells whether the client of a connection has gone: closed it, or said that it sends nothing more.

    It looks when it is called and costs nothing before. It knows the socket and not the connection: that leads to the
    environ in which this is, and a circle would keep both alive.
    """

    __slots__ = ("_sock",)

    def __init__(self, sock: _socket.socket) -> None:
        self._sock = sock

    def __call__(self) -> bool:
        """Whether the client has gone; True once the connection is closed, too."""
        return self._sock.fileno() < 0 or has_left(self._sock)


def is_hung_up(sock: _socket.socket) -> bool:
    """Whether the end of what the peer sends has come, even behind bytes that nobody has read."""
    poll = select.poll()
    poll.register(sock, _PEER_IS_DONE)
    return bool(poll.poll(0))


def is_at_end(sock: _socket.socket) -> bool:
    """The same, for any system; but an end behind bytes that nobody has read is not seen."""
    try:
        # What the type below says, because TLS cannot peek, and need not: its end is that of the bytes it came in.
        return not _socket.socket.recv(sock, 1, MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        return True


has_left = is_hung_up if _PEER_IS_DONE else is_at_end
