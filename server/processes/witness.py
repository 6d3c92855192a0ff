"""Who is told how a service goes: the terminal, systemd, or nobody."""

from __future__ import annotations

from typing import Protocol

from .lines import Message


class Witness(Protocol):
    """Told about each turn in the life of a service. None of it may wait."""

    def ready(self) -> None:
        """Everything answers that was to be started."""

    def failed(self, text: str) -> None:
        """Nothing serves, for this reason, and the process ends."""

    def alive(self, totals: Message) -> None:
        """Called each second while requests make progress, with the sums over the processes."""

    def reloading(self) -> None:
        """The configuration is being taken up anew."""

    def reloaded(self, generation: int) -> None:
        """That is done; ``generation`` counts from 1."""

    def refused(self) -> None:
        """That failed, and the old one goes on. The reasons are in the log."""

    def stopping(self) -> None:
        """No more requests are taken."""
