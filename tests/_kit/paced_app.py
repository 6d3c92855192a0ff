"""An app that takes as long as the test says, and remembers who ran what."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

Environ = dict[str, Any]
Answer = Callable[[Environ, Any], Any]


class PacedApp:
    """Sleeps for ``pace(path)`` seconds and answers with its path and the name of its thread.

    ``answers`` has paths of the test's own. ``begun`` lists the paths in the order in which they began, ``running``
    how many are at it, ``most`` how many ever were at the same time.
    """

    def __init__(
        self, pace: Callable[[str], float] = lambda path: 0.0, answers: dict[str, Answer] | None = None
    ) -> None:
        self.pace = pace
        self.answers = answers or {}
        self.begun: list[str] = []
        self.running = self.most = 0
        self._lock = threading.Lock()

    def __call__(self, environ: Environ, start_response: Any) -> Any:
        path = environ["PATH_INFO"]
        with self._lock:
            self.begun.append(path)
            self.running += 1
            self.most = max(self.most, self.running)
        try:
            seconds = self.pace(path)
            if seconds:
                time.sleep(seconds)
            if path in self.answers:
                return self.answers[path](environ, start_response)
            return text(f"{path} {threading.current_thread().name}", start_response)
        finally:
            with self._lock:
                self.running -= 1


def text(body: str, start_response: Any) -> list[bytes]:
    """A whole small reply."""
    data = body.encode("latin-1")
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(data)))])
    return [data]


def get(path: str) -> bytes:
    """A request for it."""
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode("latin-1")
