"""A thread of the engine, and what is known of it: idle, leading, or running a request since when."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from ..protocol.wsgi import Environ
from .forecast import Pace

if TYPE_CHECKING:
    from .connection import Connection


class WorkerThread:
    """One thread. Between jobs it waits for its ``wake`` lock."""

    __slots__ = (
        "environ",
        "hung_told",
        "connection",
        "ident",
        "leading",
        "name",
        "pace",
        "served",
        "slot",
        "started",
        "thread",
        "timed_out",
        "unclaimed",
        "wake",
    )

    def __init__(self, name: str) -> None:
        self.name = name
        self.ident: int | None = None
        self.wake = threading.Lock()
        self.wake.acquire()
        self.leading = False
        self.slot: list[bool] = []
        """Holds something while it runs a request as the leader. Whoever takes it out decides: the leader, that the
        request is over; the watchdog, that somebody else leads. Taking out of a list is atomic."""
        self.started = 0.0
        """When the running request began, on the engine's clock; 0 when none is running."""
        self.environ: Environ | None = None
        self.pace: Pace | None = None
        self.served = 0
        """Requests that it has run."""
        self.thread: threading.Thread | None = None
        self.hung_told = False
        self.unclaimed: list[bool] | None = None
        self.connection: Connection | None = None
        self.timed_out = False
