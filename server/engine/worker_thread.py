"""A thread of the crew, and what is known of it: idle, leading, or running a request since when."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, TypeAlias

from ...protocol.wsgi import Environ
from ..http1.heads import Framing, Kind

if TYPE_CHECKING:
    from .connection import Connection

Claim: TypeAlias = "tuple[list[bool], Connection]"
"""What a reply and a 504 compete for, taking it out of the list, and on which connection."""

Request: TypeAlias = tuple[Environ, Framing, Kind]
"""A request that is complete, as far as it has to be before the app starts."""


class WorkerThread:
    """One thread. Between tasks it waits for its ``wake`` lock."""

    __slots__ = (
        "claim",
        "hung_told",
        "ident",
        "leading",
        "name",
        "request",
        "served",
        "slot",
        "started",
        "thread",
        "timed_out",
        "wake",
    )

    def __init__(self, name: str) -> None:
        self.name = name
        self.ident: int | None = None
        self.thread: threading.Thread | None = None
        self.wake = threading.Lock()
        self.wake.acquire()
        self.leading = False
        self.slot: list[bool] = []
        """Holds something while it runs a request as the leader. Whoever takes it out decides: the leader, that the
        request is over; the watchdog, that somebody else leads. Taking out of a list is atomic."""
        self.started = 0.0
        """When the running request began, on the engine's clock; 0 when none is running."""
        self.request: Request | None = None
        self.served = 0
        """Requests that it has run."""
        self.hung_told = self.timed_out = 0.0
        """``started`` of the last request of which the log has said that it hangs, or whose deadline has passed."""
        self.claim: Claim | None = None
        """Of its last request, where requests have a deadline."""

    def forget_request(self) -> None:
        """Run nothing any more, however that came."""
        self.slot.clear()
        self.started = 0.0
        self.request = None

    def leave_slot(self) -> bool:
        """Take out what the slot holds; whether this call did."""
        try:
            self.slot.pop()
        except IndexError:
            return False
        return True
