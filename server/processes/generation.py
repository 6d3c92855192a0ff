"""A configuration that was found fit to be served, and what its worker processes do."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ..http_server import HTTPServer
    from .worker import Worker


class Habits(NamedTuple):
    """What a parent is told about its workers. Times are seconds, sizes are bytes."""

    workers: int = 1
    drain: float = 30
    """How long a worker's running requests may go on once it is to end."""
    max_memory: int | None = None
    """A worker whose resident memory is above this is replaced."""
    silence: float = 60
    """A worker that has not said for so long that it goes on is killed and replaced."""

    @classmethod
    def of(cls, server: HTTPServer) -> Habits:
        """What the options of a server say."""
        return cls(
            workers=server.workers,
            drain=server.drain_timeout,
            max_memory=server.max_memory,
            silence=server.worker_timeout,
        )


class Generation:
    """One reading of the configuration: the sockets, the habits, and ``work``, which each worker process runs.

    ``work`` is called in the new process and returns its exit code. ``number`` counts from 1. ``urls`` open what the
    sockets serve.
    """

    def __init__(
        self,
        sockets: Sequence[socket.socket],
        habits: Habits,
        work: Callable[[Worker], int],
        number: int = 1,
        urls: Sequence[str] = (),
    ) -> None:
        self.sockets = tuple(sockets)
        self.habits = habits
        self.work = work
        self.number = number
        self.urls = tuple(urls)
