"""Serve an app that exists already in several processes, for callers from Python."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ...protocol.wsgi import WSGIApp
from .generation import Generation, Habits
from .log_files import reopen_log_files
from .parent import Parent
from .told import with_status
from .worker import Worker

if TYPE_CHECKING:
    from ..http_server import HTTPServer

log = logging.getLogger(__name__)


def serve_forked(
    component: HTTPServer,
    app: WSGIApp,
    sockets: Sequence[socket.socket],
    started: Callable[[], object],
    ended: Callable[[], object] | None = None,
) -> None:
    """Serve in as many workers as the server asks for, until SIGTERM or Ctrl-C. The main thread calls this.

    ``ended`` is called in each worker after its last request.
    SIGHUP replaces the workers; the app is the same, because this process has built it. Raises ``RuntimeError`` in
    another thread, ``KeyboardInterrupt`` at a second Ctrl-C and ``SystemExit`` when no worker could be started.
    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("several workers can only be served from the main thread, which gets the signals")
    settings = component.settings()

    def work(worker: Worker) -> int:
        engine = component.engine(
            app, sockets, worker.ready, settings=with_status(settings, worker), handle_signals=False
        )
        try:
            worker.run(engine)
        finally:
            if ended is not None:
                ended()
        return 0

    first = Generation(sockets, Habits.of(component), work, urls=component.urls(sockets))
    code = Parent(
        first,
        lambda before: Generation(before.sockets, before.habits, before.work, before.number + 1, before.urls),
        witness=_Caller(started),
        reopen=reopen_log_files,
        in_child=lambda: None,
    ).run()
    if code == 130:
        raise KeyboardInterrupt
    if code:
        raise SystemExit(code)


class _Caller:
    """Only wants to know when requests are answered; the log has the rest."""

    def __init__(self, started: Callable[[], object]) -> None:
        self._started = started

    def ready(self) -> None:
        self._started()

    def failed(self, text: str) -> None:
        log.error("nothing serves: %s", text)

    def alive(self, totals: dict[str, Any]) -> None: ...

    def reloading(self) -> None: ...

    def reloaded(self, generation: int) -> None: ...

    def refused(self) -> None: ...

    def stopping(self) -> None: ...
