"""What apps are told of the server in each environ: ``wheatpaste.server`` and ``paste.httpserver.thread_pool``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ...config.records import replace
from ..server_status import KEY, ServerStatus
from ..settings import Settings
from ..thread_pool_view import KEY as THREAD_POOL
from ..thread_pool_view import ThreadPoolView

if TYPE_CHECKING:
    from .lines import Message


class Process(Protocol):
    """A process that serves."""

    status: ServerStatus

    def engine_snapshot(self) -> Message:
        """What its engine is doing."""


def with_status(settings: Settings, process: Process) -> Settings:
    """The settings of an engine, with those keys for the environ of each request."""
    pool = ThreadPoolView(process.engine_snapshot, settings.threads, settings.deadlines.hung)
    return replace(settings, environ={**settings.environ, KEY: process.status, THREAD_POOL: pool})
