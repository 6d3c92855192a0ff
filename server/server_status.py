"""``environ['wheatpaste.server']``: what the server knows of itself, and what may be asked of it.

Absent under other servers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Ask = Callable[[str, float], "dict[str, Any] | None"]
"""Puts a command to whoever knows all processes, and waits at most so many seconds for the answer."""

KEY = "wheatpaste.server"
ACTIONS = ("drain", "reload", "stacks")


class ServerUnanswering(RuntimeError):
    """Whoever knows all processes did not answer in time."""


class ServerStatus:
    """The server as an app sees it, in the environ of each request. Threads may share it.

    ``version`` is the version of the schema that :meth:`snapshot` returns.
    """

    version = 1

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def snapshot(self, timeout: float = 3.0) -> dict[str, Any]:
        """All processes at this moment, as documented in ``processes/snapshot.py`` and docs/processes.md.

        Raises ``ServerUnanswering`` when that takes more than ``timeout`` seconds.
        """
        return self._answer("status", timeout)

    def request(self, action: str, timeout: float = 60.0) -> dict[str, Any]:
        """Ask for ``drain`` (end after the running requests), ``reload`` or ``stacks`` (of all threads).

        Returns ``{"ok": True, "result": …}``, or ``{"ok": False, "error": …}`` for what failed. A drain is answered
        at once. A reload is answered when new workers serve, which may be after the asking request: ask for it from a
        request that does not wait, with a small ``timeout``, unless the answer matters. Raises ``ValueError`` for
        another action, ``ServerUnanswering`` after ``timeout`` seconds.
        """
        if action not in ACTIONS:
            raise ValueError(f"action must be one of {', '.join(ACTIONS)}, not {action!r}")
        return self._reply(action, timeout)

    def _answer(self, command: str, timeout: float) -> dict[str, Any]:
        reply = self._reply(command, timeout)
        if not reply.get("ok"):
            raise ServerUnanswering(str(reply.get("error")))
        result: dict[str, Any] = reply["result"]
        return result

    def _reply(self, command: str, timeout: float) -> dict[str, Any]:
        reply = self._ask(command, timeout)
        if reply is None:
            raise ServerUnanswering(f"the server has not answered {command!r} within {timeout:g} seconds")
        return reply
