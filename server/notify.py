"""Tell systemd how the service is doing (sd_notify(3)): ready, reloading, stopping, alive, and a line of text.

Reads ``NOTIFY_SOCKET``, ``WATCHDOG_USEC`` and ``WATCHDOG_PID``. Nothing is raised: a service must not end because
nobody listens to what it tells. By default systemd believes only the main process of a unit, so it is the one to tell.
"""

from __future__ import annotations

import logging
import os
import re
import socket
import time
from collections.abc import Mapping

log = logging.getLogger("wheatpaste.server.notify")

# A systemd that is this busy will not miss one more message, and we are not made to wait for it.
_PATIENCE = 1.0
_MICROSECONDS = "[0-9]{1,20}"


class Notifier:
    """Messages to the service manager that started this process; does nothing where there is none.

    ``watchdog_interval`` is how many seconds may pass between two calls of :meth:`alive`: half of what the unit's
    ``WatchdogSec`` allows, as sd_watchdog_enabled(3) recommends. It is None where nobody counts.
    """

    def __init__(self, environ: Mapping[str, str] | None = None, pid: int | None = None) -> None:
        environ = os.environ if environ is None else environ
        self._address = _address(environ.get("NOTIFY_SOCKET", ""))
        self.watchdog_interval = _interval(environ, os.getpid() if pid is None else pid) if self._address else None
        self._complained = False

    def __bool__(self) -> bool:
        return self._address is not None

    def ready(self, status: str = "") -> bool:
        """The service serves; also said at the end of a reload. ``status`` is a line for ``systemctl status``."""
        return self._send("READY=1", _status(status))

    def reloading(self, status: str = "") -> bool:
        """A reload begins; :meth:`ready` ends it. Made for ``Type=notify-reload``, harmless with ``Type=notify``."""
        # With it systemd can tell the reload that it asked for from one before.
        return self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}", _status(status))

    def stopping(self, status: str = "") -> bool:
        """The service is about to end."""
        return self._send("STOPPING=1", _status(status))

    def status(self, text: str) -> bool:
        """One line that ``systemctl status`` shows, such as how many requests are running."""
        return self._send(_status(text))

    def alive(self) -> bool:
        """The service makes progress: to be said every ``watchdog_interval`` seconds."""
        return self._send("WATCHDOG=1")

    def main_pid(self, pid: int) -> bool:
        """Another process is the main one from now on."""
        return self._send(f"MAINPID={pid}")

    def _send(self, *lines: str) -> bool:
        """Send what is not empty, in one message; whether it was taken."""
        if self._address is None:
            return False
        message = "\n".join(line for line in lines if line).encode("utf-8", "replace")
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
                channel.settimeout(_PATIENCE)
                channel.connect(self._address)
                channel.sendall(message)
        except (OSError, ValueError) as error:  # ValueError: a path that holds a zero byte
            if not self._complained:
                self._complained = True
                log.warning("systemd cannot be told how the service is doing: %s", error)
            return False
        return True


def _address(text: str) -> str | None:
    """Where to send; None where nobody listens, or by a way that we do not speak (vsock, from virtual machines)."""
    if text.startswith("@"):
        return "\0" + text[1:]
    return text if text.startswith("/") and hasattr(socket, "AF_UNIX") else None


def _interval(environ: Mapping[str, str], pid: int) -> float | None:
    text = environ.get("WATCHDOG_USEC", "")
    if environ.get("WATCHDOG_PID", str(pid)) != str(pid) or not re.fullmatch(_MICROSECONDS, text):
        return None
    return int(text) / 2_000_000 or None


def _status(text: str) -> str:
    # A line break would begin another assignment.
    return f"STATUS={' '.join(text.split())}" if text else ""
