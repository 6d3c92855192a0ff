"""Requests that take too long are reported while they run: what their thread is doing, with variables and request.

Where in the stack: inside the catcher, around the app. A request counts as running until the first piece of its reply
is there: long streams are not slow. One thread of each process looks at all of them, a few times in the span that is
allowed; a request costs two operations on a dictionary.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import NamedTuple

from ...protocol.frames import current_frames
from ...protocol.wsgi import Body, Environ, StartResponse, WSGIApp

logger = logging.getLogger(__name__)

Report = Callable[[FrameType, Environ, float, str], object]
"""Is told the frame in which the request's thread is, its environ, for how many seconds it has run, and the thread."""

_LOOKS = 4  # in the span that a request is allowed
_LONGEST_PAUSE = 2.0


class _Running(NamedTuple):
    started: float
    thread: threading.Thread
    environ: Environ


class SlowRequests:
    """Watches an app: each request that runs for more than ``after`` seconds is reported once."""

    def __init__(
        self, app: WSGIApp, after: float, report: Report, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._app = app
        self._after = after
        self._report = report
        self._clock = clock
        self._running: dict[object, _Running] = {}
        self._reported: set[object] = set()
        self._pid = 0
        self._starting = threading.Lock()
        self._closed = threading.Event()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Body:
        """Call the app, and watch it until its reply begins."""
        if self._pid != os.getpid():
            self._start()
        key = object()
        self._running[key] = _Running(self._clock(), threading.current_thread(), environ)
        try:
            body = self._app(environ, start_response)
        except BaseException:
            self.end(key)
            raise
        kind = type(body)
        wrapper = environ.get("wsgi.file_wrapper")
        if kind is list or kind is tuple or (kind is wrapper and isinstance(wrapper, type)):
            self.end(key)
            return body
        return (_SizedBody if hasattr(body, "__len__") else _Body)(body, self, key)

    def end(self, key: object) -> None:
        """A request has its reply, or has failed."""
        run = self._running.pop(key, None)
        if self._reported and run is not None and key in self._reported:
            self._reported.discard(key)
            logger.warning("a slow request has its reply after %.1f seconds", self._clock() - run.started)

    def look(self) -> None:
        """Report every request that has run for too long. The thread does this from time to time."""
        now = self._clock()
        for key, run in list(self._running.items()):
            if now - run.started < self._after or key in self._reported:
                continue
            frame = current_frames().get(run.thread.ident or 0)
            # It may have ended while we looked; then the thread is at something else.
            if frame is None or key not in self._running:
                continue
            self._reported.add(key)
            try:
                self._report(frame, run.environ, now - run.started, run.thread.name)
            except Exception:
                logger.exception("a slow request could not be reported")
            finally:
                del frame

    def close(self) -> None:
        """Watch no longer."""
        self._closed.set()

    def _start(self) -> None:
        with self._starting:
            if self._pid == os.getpid():
                return
            # After a fork, what ran elsewhere is none of ours.
            self._running.clear()
            self._reported.clear()
            self._pid = os.getpid()
            try:
                threading.Thread(target=self._loop, name="wheatpaste-slow-requests", daemon=True).start()
            except RuntimeError as fault:  # too many threads; that must not fail the request, too
                logger.error("slow requests are not reported in process %s: %s", self._pid, fault)

    def _loop(self) -> None:
        while not self._closed.wait(min(self._after / _LOOKS, _LONGEST_PAUSE)):
            self.look()


class _Body:
    """A body that is watched until its first piece."""

    __slots__ = ("_body", "_key", "_pieces", "_watch")

    def __init__(self, body: Body, watch: SlowRequests, key: object) -> None:
        self._body = body
        self._watch = watch
        self._key: object | None = key
        self._pieces: Iterator[bytes] | None = None

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._pieces is None:
            self._pieces = iter(self._body)
        if self._key is None:
            return next(self._pieces)
        chunk = b""
        try:
            chunk = next(self._pieces)
        except BaseException:
            self._end()
            raise
        if chunk:
            self._end()
        return chunk

    def _end(self) -> None:
        key, self._key = self._key, None
        self._watch.end(key)

    def close(self) -> None:
        if self._key is not None:
            self._end()
        close = getattr(self._body, "close", None)
        if close is not None:
            close()


class _SizedBody(_Body):
    __slots__ = ()

    def __len__(self) -> int:
        return len(self._body)  # type: ignore[arg-type]  # chosen only for bodies that have a length
