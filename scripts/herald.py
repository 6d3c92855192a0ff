"""Tells the terminal and systemd how a service goes."""

from __future__ import annotations

import time
from collections.abc import Callable

from ..server.notify import Notifier
from .terminal import Terminal

_STATUS_EVERY = 5.0


class Herald:
    """What a parent, or a process without one, tells about itself. ``started`` is called once, when all is ready."""

    def __init__(
        self,
        terminal: Terminal,
        started: Callable[[], object],
        *,
        quiet: bool = False,
        notifier: Notifier | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._terminal = terminal
        self._started = started
        self._quiet = quiet
        self._notifier = Notifier() if notifier is None else notifier
        self._clock = clock
        self._told = clock()
        self._status = ""
        self._requests = 0

    def ready(self) -> None:
        """Print what is served where, and tell systemd that it is."""
        self._started()
        self._notifier.ready("serving")

    def failed(self, text: str) -> None:
        """Print why nothing serves."""
        self._terminal.line(text.rstrip("\n"))

    def alive(self, totals: dict[str, int]) -> None:
        """Feed the watchdog; every few seconds also say how busy the threads are."""
        if not self._notifier:
            return
        if self._notifier.watchdog_interval is not None:
            self._notifier.alive()
        now = self._clock()
        past = now - self._told
        if past < _STATUS_EVERY:
            return
        # Workers that were replaced take their count with them.
        rate = max(0, totals["requests"] - self._requests) / past
        self._told, self._requests = now, totals["requests"]
        status = status_line(totals, rate)
        if status != self._status:
            self._status = status
            self._notifier.status(status)

    def reloading(self) -> None:
        """Tell systemd that a reload begins."""
        self._notifier.reloading()

    def reloaded(self, generation: int) -> None:
        """Print that the new configuration serves, and tell systemd."""
        self._say(f"reloaded: this is generation {generation}")
        self._notifier.ready(f"serving, generation {generation}")

    def refused(self) -> None:
        """Tell systemd that the old configuration goes on. Why is in the log."""
        self._notifier.ready("the last reload was refused, see the log; serving as before")

    def handed_over(self, pid: int) -> None:
        """Tell systemd that another process is the service from now on."""
        self._say(f"the new program serves with pid {pid}")
        self._notifier.main_pid(pid)

    def stopping(self) -> None:
        """Tell systemd that the service ends."""
        self._notifier.stopping("finishing the running requests")

    def note(self, text: str) -> None:
        """Print a remark."""
        self._terminal.line(f"  {self._terminal.paint(text, 'yellow')}")

    def _say(self, text: str) -> None:
        if not self._quiet:
            self._terminal.line(self._terminal.paint(text, "dim"))


def status_line(totals: dict[str, int], rate: float) -> str:
    """How busy a service is: ``3 of 32 threads busy, 12 requests/s``, and what waits or hangs."""
    parts = [f"{totals['busy']} of {totals['threads']} threads busy", f"{rate:.0f} requests/s"]
    parts += [f"{totals[name]} {name}" for name in ("waiting", "hung") if totals[name]]
    return ", ".join(parts)
