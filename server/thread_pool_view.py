"""``environ['paste.httpserver.thread_pool']``: this process's threads, in the words of Paste's ``ThreadPool``.

For status pages that were written for Paste's server. No thread can be killed here: what hangs is replaced together
with its process.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ..config.records import record

KEY = "paste.httpserver.thread_pool"
STATES = ("idle", "busy", "hung", "dying", "zombie")
_STATES = {"busy": "busy", "hung": "hung"}  # a thread that leads runs no request at the moment


@record
class PoolThread:
    """A thread as Paste's tracker had it."""

    thread_id: int | None
    name: str


class ThreadPoolView:
    """Looks like Paste's pool of threads. ``snapshot`` is that of the engine of this process."""

    def __init__(
        self, snapshot: Callable[[], dict[str, Any]], nworkers: int, hung_thread_limit: float, max_requests: int = 0
    ) -> None:
        self._snapshot = snapshot
        self.nworkers = nworkers
        self.hung_thread_limit = hung_thread_limit
        self.kill_thread_limit = 0
        self.max_requests = max_requests

    def track_threads(self) -> dict[str, list[PoolThread]]:
        """The threads by state: idle, busy, hung; dying and zombie are always empty."""
        found: dict[str, list[PoolThread]] = {state: [] for state in STATES}
        for thread in self._snapshot()["threads"]:
            found[_STATES.get(thread["state"], "idle")].append(_thread(thread))
        return found

    @property
    def workers(self) -> list[PoolThread]:
        """All threads."""
        return [_thread(thread) for thread in self._snapshot()["threads"]]

    @property
    def idle_workers(self) -> list[int | None]:
        """The numbers of those that have nothing to do."""
        return [thread.thread_id for thread in self.track_threads()["idle"]]

    @property
    def worker_tracker(self) -> dict[int | None, tuple[float, dict[str, str] | None]]:
        """For each thread that runs a request: when that began (seconds since 1970), and its method and path."""
        now = time.time()
        return {
            thread["ident"]: (
                now - thread["age"],
                {"REQUEST_METHOD": thread["method"], "PATH_INFO": thread["path"]},
            )
            for thread in self._snapshot()["threads"]
            if thread["age"] is not None
        }

    @property
    def dying_threads(self) -> dict[int, tuple[float, PoolThread]]:
        """None."""
        return {}

    def kill_worker(self, thread_id: int) -> None:
        """Raises ``RuntimeError``: a thread that is killed leaves locks behind that nobody opens any more."""
        raise RuntimeError("threads are not killed here; set max_hung, and the process is replaced")


def _thread(thread: dict[str, Any]) -> PoolThread:
    return PoolThread(thread["ident"], thread["name"])
