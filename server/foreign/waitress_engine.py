"""Waitress, running: one loop over sockets that are already open, and an end that lets requests finish.

Writes ``wheatpaste.peer`` and, when forwarding headers of an untrusted peer came, a note in ``wheatpaste.trace``.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.server import TcpWSGIServer, UnixWSGIServer
from waitress.task import ThreadedTaskDispatcher, WSGITask
from waitress.utilities import queue_logger

from ...protocol.peers import FORWARDING_REMOVED, keep_peer
from ...protocol.trace import Trace
from ...protocol.wsgi import Body, Environ, StartResponse, WSGIApp
from ..stop_signals import stopped_by_signals
from .borrowed import opened

# A connection that was accepted a moment ago and has said nothing yet is probably about to speak.
_NEWBORN = 0.5


def serve(
    server: Any,
    app: WSGIApp,
    settings: Mapping[str, Any],
    *,
    grace: float,
    sockets: Sequence[socket.socket] | None,
    started: Callable[[tuple[str, ...]], object] | None,
    ended: Callable[[], object] | None,
) -> None:
    """What the ``serve`` of a component does, with ``settings`` in Waitress's words. See ``Startable.serve``."""
    with opened(server, sockets) as listeners:
        urls = server.urls(listeners)  # read now: an engine that stops closes the sockets
        engine = Engine(app, listeners, settings, grace=grace)
        if started is not None:
            started(urls)
        try:
            engine.run()
        finally:
            if ended is not None:
                ended()


class Engine:
    """Serves ``app`` on open sockets until :meth:`stop`; then running requests have ``grace`` seconds to finish."""

    def __init__(
        self, app: WSGIApp, sockets: Sequence[socket.socket], settings: Mapping[str, Any], *, grace: float
    ) -> None:
        self._grace = grace
        self._map: dict[int, Any] = {}
        self._stopping: float | None = None
        self._forced = False
        # Without `listen` it would look up an address that nobody listens on.
        adjustments = Adjustments(listen=[], **settings)
        if queue_logger.level == logging.NOTSET:
            # A warning for each request that had to wait says nothing that a deployer could act on.
            queue_logger.setLevel(logging.ERROR)
        self._timeout = adjustments.asyncore_loop_timeout
        self._use_poll = adjustments.asyncore_use_poll
        self._dispatcher = ThreadedTaskDispatcher()
        self._dispatcher.set_thread_count(adjustments.threads)
        self._servers = [self._server(app, each, adjustments) for each in sockets]

    def _server(self, app: WSGIApp, listener: socket.socket, adjustments: Adjustments) -> Any:
        kind = UnixWSGIServer if listener.family == socket.AF_UNIX else TcpWSGIServer
        server = kind(
            app,
            self._map,
            True,
            listener,
            dispatcher=self._dispatcher,
            adj=adjustments,
            bind_socket=False,
            sockinfo=(listener.family, listener.type, listener.proto, listener.getsockname()),
        )
        server.channel_class = _Channel
        # Outside of Waitress' own rewriting of REMOTE_ADDR.
        server.application = _remember_peer(server.application, adjustments)
        return server

    def run(self) -> None:
        """Serve until stopped, in this thread."""
        try:
            with stopped_by_signals(self.stop):
                while not self._is_done():
                    wasyncore.loop(timeout=self._tick(), map=self._map, use_poll=self._use_poll, count=1)
        finally:
            if self._forced:
                self._dispatcher.set_thread_count(0)
            else:
                self._dispatcher.shutdown(timeout=1)
            wasyncore.close_all(self._map, ignore_all=True)

    def stop(self, *, force: bool = False) -> None:
        """Take no more connections and end when the running requests did, or at once. Any thread may call it."""
        if self._stopping is None:
            self._stopping = time.monotonic()
        self._forced = self._forced or force
        with contextlib.suppress(OSError):
            self._servers[0].trigger.pull_trigger()

    def _tick(self) -> float:
        return float(self._timeout) if self._stopping is None else 0.05

    def _is_done(self) -> bool:
        if self._stopping is None:
            return not self._map
        if self._forced or time.monotonic() - self._stopping > self._grace:
            return True
        busy = False
        for server in self._servers:
            if server.accepting:
                server.accepting = False
                # The queue of a socket that another process also holds stays open for that process.
                server.del_channel()
                server.socket.close()
            for channel in list(server.active_channels.values()):
                if _is_busy(channel):
                    busy = True
                else:
                    channel.will_close = True
        return not busy


class _Task(WSGITask):  # type: ignore[misc]  # waitress has no types
    def execute(self) -> None:
        try:
            super().execute()
        except SystemExit as stop:
            # Nobody below catches it, in the call, the body or its close(): the client would wait for ever.
            raise RuntimeError(f"the app called sys.exit({stop.code!r})") from stop


class _Channel(HTTPChannel):  # type: ignore[misc]
    task_class = _Task


def _is_busy(channel: Any) -> bool:
    if channel.requests or channel.request is not None or channel.total_outbufs_len:
        return True
    silent: bool = channel.last_activity == channel.creation_time
    return silent and time.time() - channel.creation_time < _NEWBORN


# Those that Waitress removes unless they count.
_REMOVABLE = frozenset(
    ("HTTP_FORWARDED", *(f"HTTP_X_FORWARDED_{word}" for word in ("FOR", "HOST", "PROTO", "PORT", "BY")))
)


def _remember_peer(app: WSGIApp, adjustments: Adjustments) -> WSGIApp:
    trusted: str | None = adjustments.trusted_proxy
    strips: bool = adjustments.clear_untrusted_proxy_headers
    counted = {f"HTTP_{each.upper().replace('-', '_')}" for each in adjustments.trusted_proxy_headers or ()}
    # With this one, it looks at no other.
    of_a_proxy = _REMOVABLE - (counted & {"HTTP_FORWARDED"} or counted)

    def remember(environ: Environ, start_response: StartResponse) -> Body:
        keep_peer(environ)
        if strips:
            believed = trusted == "*" or environ.get("REMOTE_ADDR") == trusted
            if not (of_a_proxy if believed else _REMOVABLE).isdisjoint(environ):
                Trace.of(environ).note(FORWARDING_REMOVED)
        return app(environ, start_response)

    return remember
