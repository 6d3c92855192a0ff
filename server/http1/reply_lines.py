"""The Date and Server lines, made once a second."""

from __future__ import annotations

import time
from collections.abc import Callable

from ...protocol.dates import format_http_date


class ReplyLines:
    """The header lines that are the same in all replies of one second."""

    __slots__ = ("_wall", "closing", "common", "date", "server", "until")

    def __init__(self, ident: str | None, wall: Callable[[], float] = time.time) -> None:
        self._wall = wall
        self.server = f"Server: {ident}\r\n".encode("latin-1") if ident else b""
        self.date = b""
        self.common = b""
        self.closing = False
        """Whether the server is stopping, so that each reply is the last of its connection."""
        self.until = float("-inf")
        """When they have to be made again, on the clock that ``refresh`` is given."""

    def refresh(self, now: float) -> None:
        """Make them anew; ``now`` is on the monotonic clock, the date is of course the wall's (RFC 9110 5.6.7)."""
        wall = self._wall()
        self.date = f"Date: {format_http_date(int(wall))}\r\n".encode("ascii")
        self.common = self.server + self.date
        self.until = now + 1.0 - wall % 1.0
