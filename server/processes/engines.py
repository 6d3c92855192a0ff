"""What is asked of the engine that serves in a process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from ...protocol.wsgi import WSGIApp


class Wakeable(Protocol):
    """What an engine waits in."""

    def wake(self) -> None:
        """Have it look around."""


class Engine(Protocol):
    """What is asked of what serves. Each look around counts as progress."""

    wants_replacement: str | None

    @property
    def poller(self) -> Wakeable:
        """What it waits in while nothing happens."""

    def run(self) -> None:
        """Serve until stopped."""

    def stop(self, *, force: bool = False) -> None:
        """Take no more connections, and end when the running requests did, or at once."""

    def snapshot(self) -> dict[str, Any]:
        """What it is doing."""


class ChangeableEngine(Engine, Protocol):
    """An engine whose app can be exchanged."""

    def replace_app(self, app: WSGIApp) -> WSGIApp:
        """Give requests that come from now on to this app; returns the one before."""

    @property
    def running(self) -> Sequence[object]:
        """The requests that run, each of which is an object of its own."""
