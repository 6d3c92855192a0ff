"""What is asked of a server by whoever starts it: ours, and those of others that are started in our way."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from typing import Protocol

from ..protocol.wsgi import WSGIApp
from .listeners import Address


class Startable(Protocol):
    """A server whose options are known."""

    @property
    def unix_socket_perms(self) -> str:
        """Permissions of UNIX sockets, in octal digits."""

    def addresses(self) -> tuple[Address, ...]:
        """Where it will listen."""

    def bind(self) -> list[socket.socket]:
        """Open the listening sockets. Raises ``OptionError``."""

    def prepare(self) -> tuple[str, ...]:
        """Read what another user may not; returns lines for whoever starts it. Raises ``OptionError``."""

    def urls(self, sockets: Sequence[socket.socket]) -> tuple[str, ...]:
        """The URLs that open what these sockets serve."""

    def hurried(self, grace: float) -> Startable:
        """The same server, that at its end waits for running requests no longer than ``grace`` seconds."""

    def serve(
        self,
        app: WSGIApp,
        *,
        sockets: Sequence[socket.socket] | None = None,
        started: Callable[[tuple[str, ...]], object] | None = None,
        ended: Callable[[], object] | None = None,
    ) -> None:
        """Serve until it is told to stop; ``started`` is told the URLs once requests can come.

        ``ended`` is called after the last request in each process that has served, and in no other.
        """
