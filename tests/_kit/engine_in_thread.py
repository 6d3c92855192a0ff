"""The engine in a thread of the test's process, on a TCP port and a UNIX socket of its own."""

from __future__ import annotations

import contextlib
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from wheatpaste.server.engine import Engine
from wheatpaste.server.settings import Deadlines, Limits, Settings


class EngineInThread:
    """Runs until ``stop()``. ``tcp`` and ``unix`` are its addresses, ``failure`` what ``run()`` raised."""

    def __init__(self, app: Any, settings: Settings, *, backlog: int = 1024) -> None:
        self.app = app
        self._folder = tempfile.TemporaryDirectory(prefix="wheatpaste-")
        self.unix = str(Path(self._folder.name) / "s")
        on_tcp, on_unix = socket.socket(), socket.socket(socket.AF_UNIX)
        on_tcp.bind(("127.0.0.1", 0))
        on_unix.bind(self.unix)
        for listener in (on_tcp, on_unix):
            listener.listen(backlog)
        self._listeners = on_tcp, on_unix
        self.tcp: tuple[str, int] = on_tcp.getsockname()
        self.failure: BaseException | None = None
        accepting = threading.Event()
        self.engine = Engine(app, [on_tcp, on_unix], settings, on_ready=accepting.set)
        self.thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self.thread.start()
        if not accepting.wait(20):
            raise RuntimeError(f"the engine is not ready: {self.failure!r}")

    def _run(self) -> None:
        try:
            self.engine.run()
        except BaseException as failure:
            self.failure = failure

    @property
    def running(self) -> bool:
        return self.thread.is_alive()

    def close_listeners(self) -> None:
        for listener in self._listeners:
            listener.close()

    def stop(self, *, force: bool = False, deadline: float = 20) -> None:
        """Stop and wait for the end. Raises ``RuntimeError`` when it does not come, or what ``run()`` raised."""
        if self.running:
            self.engine.stop(force=force)
            self.thread.join(deadline)
        self.close_listeners()
        self._folder.cleanup()
        if self.running:
            raise RuntimeError(f"the engine runs {deadline} seconds after stop()")
        if self.failure is not None:
            raise self.failure


@contextlib.contextmanager
def engines(default_app: Callable[[], Any]) -> Iterator[Callable[..., EngineInThread]]:
    """Gives what starts engines: ``start(app, threads=2, limits={"head": 500}, deadlines={"head": 0.3})``.

    All of them are ended with the block, without patience.
    """
    started: list[EngineInThread] = []

    def start(
        app: Any = None,
        *,
        limits: dict[str, Any] | None = None,
        deadlines: dict[str, Any] | None = None,
        **settings: Any,
    ) -> EngineInThread:
        told = Settings(limits=Limits(**(limits or {})), deadlines=Deadlines(**(deadlines or {})), **settings)
        started.append(EngineInThread(app or default_app(), told))
        return started[-1]

    try:
        yield start
    finally:
        for engine in started:
            engine.stop(force=True)


def wait_for(condition: Callable[[], Any], what: str, deadline: float = 20) -> Any:
    """Ask again and again; the first true answer is returned. Raises ``AssertionError`` after the deadline."""
    end = time.monotonic() + deadline
    while not (answer := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"within {deadline} seconds not: {what}")
        time.sleep(0.002)
    return answer
