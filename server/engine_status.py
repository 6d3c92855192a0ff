"""What an app is told of a server that nobody operates: one process, started from Python or by the reloader.

As elsewhere, in ``wheatpaste.server`` and ``paste.httpserver.thread_pool``.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .server_status import ServerStatus

if TYPE_CHECKING:
    from .engine import Engine


class EngineStatus:
    """Answers for the engine of this process, once it is known in ``engine``. ``listening`` are its URLs."""

    def __init__(self, listening: Sequence[str]) -> None:
        self._listening = listening
        self.engine: Engine | None = None
        self.status = ServerStatus(self._answer)
        self._born = time.time()

    def engine_snapshot(self) -> dict[str, Any]:
        """What the engine is doing."""
        return {"threads": []} if self.engine is None else self.engine.snapshot()

    def _answer(self, command: str, patience: float) -> dict[str, Any]:
        from .processes.stacks import stacks_of_threads

        engine = self.engine
        if engine is None:
            return {"ok": False, "error": "the server is starting"}
        match command:
            case "status":
                return {"ok": True, "result": self._snapshot(engine)}
            case "stacks":
                return {"ok": True, "result": {"processes": [{"pid": os.getpid(), "threads": stacks_of_threads()}]}}
            case "drain":
                engine.stop()
                return {"ok": True, "result": {"state": "draining"}}
            case _:
                return {"ok": False, "error": "this server takes up nothing anew: end it, and start it again"}

    def _snapshot(self, engine: Engine) -> dict[str, Any]:
        from .processes.snapshot import one_process

        return one_process(
            engine.snapshot(),
            state="draining" if engine.stopping is not None else "serving",
            generation=1,
            started=self._born,
            listening=self._listening,
            silent=0.0,
        )
