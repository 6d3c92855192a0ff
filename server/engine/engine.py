"""The engine: threads that lead in turn.

One thread, the leader, polls the sockets, reads, and runs each request itself, so that a fast one meets no queue and
no other thread. Before a request that is expected to wait, the leader wakes a follower that leads on, and runs the
request as a worker; when one turns out slow that was not expected to, the watchdog lets a follower lead over the old
leader's head. What was polled and not served yet stands in a queue that every leader goes on with.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Any

from ...protocol.wsgi import Environ, WSGIApp
from ..forecast import Forecast
from ..http1.base_environ import listener_environ
from ..http1.budget import Budget
from ..http1.buffers import BufferPool
from ..http1.heads import HeadReader
from ..http1.refusals import Refused
from ..http1.reply_lines import ReplyLines
from ..settings import Settings
from .connection import HANDSHAKING, IDLE, Connection
from .connections import Connections
from .crew import Crew
from .exchange import HOLD, Exchange
from .farewell import Farewell
from .handshakers import Handshakers
from .intake import Intake
from .listener import Listener
from .opening import Opening
from .poller import READ, WRITE, make_poller
from .snapshot import snapshot_of
from .unsent import Unsent
from .watchdog import Watchdog
from .worker_thread import WorkerThread

log = logging.getLogger("wheatpaste.server.engine")

_LOOK_EVERY = 1.0
_CERTIFICATES_EVERY = 5.0
_DRAIN_LOOK = 0.05
_DRAIN_IDLE = 1.0
"""A connection that was used so recently may be about to be used again, so a stopping server waits for it."""


class Engine:
    """Serves an app on listening sockets that are open already. ``run`` blocks until ``stop`` was called."""

    def __init__(
        self,
        app: WSGIApp,
        sockets: Sequence[socket.socket],
        settings: Settings = Settings(),  # noqa: B008 - immutable
        *,
        on_ready: Callable[[], object] | None = None,
        handle_signals: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.app = app
        self.settings = settings
        self.clock = clock
        self.would_block: tuple[type[BaseException], ...] = (BlockingIOError, InterruptedError)
        if settings.tls is not None:
            import ssl

            self.would_block += (ssl.SSLWantReadError, ssl.SSLWantWriteError)
        self.stopping: float | None = None
        """When it was told to stop."""
        self.wants_replacement: str | None = None
        """Why another process should take over, if one should."""
        self.looks = 0
        """How often a leader has looked for something to do; it grows as long as the engine goes on."""
        self.refusals: Counter[str] = Counter()
        """Requests that were refused, by rule."""
        self.lines = ReplyLines(settings.ident)
        self.bodies = Budget(settings.limits.bodies_memory)
        self.buffers = BufferPool(settings.limits.body_memory, self.bodies)
        self.streams = Budget(max(settings.threads // 4, 1) if settings.threads > 1 else 0)
        """Threads that may wait for clients' uploads: never so many that others find none."""
        self.poller = make_poller(settings.poller)
        self.crew = Crew(settings.threads, self._lead)
        self.connections = Connections(settings, self.poller, self.crew.lock, clock, self.crew.see_to)
        self.events: deque[tuple[int, int]] = deque()
        """What was polled and not served yet."""
        self.unsent = Unsent(settings.limits.outputs_memory)
        self.watchdog = Watchdog(self)
        self.handshakers = Handshakers(settings.threads)
        self.farewell = Farewell(self)
        self.exchange = Exchange(self)
        self.opening = Opening(self)
        self.intake = Intake(self)
        self._sockets = list(sockets)
        self._listeners: dict[int, Listener] = {}
        self._on_ready = on_ready
        self._handle_signals = handle_signals
        self._ready: deque[Connection] = deque()
        self._next_look = self._next_certificates = 0.0
        self._draining = self._forced = False
        self._gate = threading.Lock()
        self._gate.acquire()

    # ---- life ----

    def run(self) -> None:
        """Serve until :meth:`stop`, then until running requests are done or the drain's deadline has passed."""
        if self._handle_signals:
            # Under `serve` another part of the process listens to them.
            from ..stop_signals import stopped_by_signals

            with stopped_by_signals(self.stop):
                self._serve()
        else:
            self._serve()
        self._end()

    def stop(self, *, force: bool = False) -> None:
        """Stop taking connections and finish what runs; with ``force`` do not wait for it. From any thread."""
        if self.stopping is None:
            self.stopping = self.clock()
            self.lines.closing = True
        self._forced = self._forced or force
        self._open_gate()
        self.poller.wake()

    def replace_app(self, app: WSGIApp) -> WSGIApp:
        """Serve another app from the next request on; returns the old one, in which some of :attr:`running` may be."""
        old, self.app = self.app, app
        return old

    @property
    def running(self) -> list[object]:
        """The requests that run, each an object of its own; later ones are in no app that was replaced before."""
        # A thread notes its request before it looks which app there is.
        return [request for thread in list(self.crew.threads) if (request := thread.request) is not None]

    def snapshot(self) -> dict[str, Any]:
        """What it is doing at this moment; see :mod:`.snapshot`."""
        return snapshot_of(self)

    def _serve(self) -> None:
        self._start()
        if self._on_ready is not None:
            self._on_ready()
        while not self._gate.acquire(timeout=_LOOK_EVERY):
            pass  # a signal that comes just before a wait without end would be handled when that is over
        while not self.crew.finished:
            began = self.stopping
            left = 0.0 if self._forced or began is None else began + self.settings.deadlines.drain - self.clock()
            if left <= 0 or not self._gate.acquire(timeout=left):
                self._finish()

    def _start(self) -> None:
        forecast = Forecast()
        for sock in self._sockets:
            listener = Listener(self, sock, HeadReader(listener_environ(sock, self.settings), self.settings, forecast))
            self._listeners[listener.fd] = listener
            listener.open()
        self.lines.refresh(self.clock())
        self.watchdog.start()
        self.crew.start()

    def _finish(self) -> None:
        self.crew.finished = True
        self._open_gate()

    def _open_gate(self) -> None:
        with contextlib.suppress(RuntimeError):  # open already
            self._gate.release()

    def _end(self) -> None:
        if self.crew.busy:
            log.warning("stopped while %d requests were running", self.crew.busy)
        self.crew.finished = True
        self.poller.wake()
        self.watchdog.stop()
        self.crew.end()
        self.handshakers.end()
        self._close_listeners()
        self.connections.close()
        while self.crew.waiting:
            self.connections.drop(self.crew.waiting.popleft().connection)  # nobody will run their requests
        self.poller.close()

    def _close_listeners(self) -> None:
        # A leader that was in the middle of a request may begin to drain at the very end: each is taken out by one.
        while True:
            try:
                _, listener = self._listeners.popitem()
            except KeyError:
                return
            listener.close()

    # ---- the leader ----

    def _lead(self, me: WorkerThread) -> None:
        events, ready, connections = self.events, self._ready, self.connections.open
        readable, poll, crew, exchange = self.intake.on_readable, self.poller.poll, self.crew, self.exchange
        while not crew.finished:
            if exchange.held:
                exchange.send_held()
            connection: Connection | None = None
            try:
                while events:
                    fd, mask = events.popleft()
                    connection = connections.get(fd)
                    if connection is None:
                        listener = self._listeners.get(fd)
                        if listener is not None:
                            listener.accept()
                    elif connection.mask & WRITE or mask & ~READ:
                        if not self._on_rare_event(me, connection, mask):
                            return
                    elif not readable(me, connection):
                        return
                if ready:
                    connection = ready.popleft()
                    is_left = connection.state == IDLE and connection.buffer
                    if is_left and not self.intake.advance(me, connection, connection.buffer, leading=True):
                        return
            except Exception:  # a mistake of ours, which shall cost one client its connection and no more
                log.exception("a connection is dropped, for the server made a mistake")
                if connection is not None:
                    self.connections.drop(connection)
                if not me.leading:
                    return
            if exchange.held:
                exchange.send_held()
            self.looks += 1
            now = self.clock()
            if now >= self._next_look or self.stopping is not None:
                self._look_around(now)
            events.extend(poll(0.0 if ready else self._pause()))
            if len(events) > 1:
                exchange.hold_until = self.clock() + HOLD

    def _pause(self) -> float | None:
        """How long the poller may wait when nothing happens."""
        if self.stopping is not None:
            return 0.0 if self.crew.finished else _DRAIN_LOOK
        if self.connections.open or not self.crew.idle:
            return _LOOK_EVERY
        is_counting = self.settings.max_requests is not None and self.wants_replacement is None
        return _LOOK_EVERY if is_counting or any(each.paused_until for each in self._listeners.values()) else None

    def _on_rare_event(self, me: WorkerThread, connection: Connection, mask: int) -> bool:
        """An event of a connection that is not simply read from. Returns whether this thread still leads."""
        if mask & ~(READ | WRITE):  # an error or a hang-up: reading and writing will tell
            mask |= connection.mask
        if connection.mask & mask & WRITE:
            if connection.state == HANDSHAKING:
                self.opening.shake_hands(connection)
            else:
                self.exchange.flush(connection)
            return True
        return not connection.mask & READ or self.intake.on_readable(me, connection)

    def _look_around(self, now: float) -> None:
        """Once a second: deadlines, pauses that are over, requests that wait too long, the end of a drain."""
        if self.crew.finished:
            return  # whoever ends the engine does not wait for a request that runs, and may be closing all of it
        self._next_look = now + _LOOK_EVERY
        for listener in list(self._listeners.values()):
            if listener.paused_until is not None and listener.paused_until <= now:
                listener.resume()
        for connection in self.connections.due(now):
            self.farewell.look_at(connection, now)
        self.exchange.refuse_overdue(now)
        self.unsent.look()
        self._look_at_itself(now)
        if self.stopping is not None:
            self._drain(now)

    def _look_at_itself(self, now: float) -> None:
        most = self.settings.max_requests
        if most is not None and self.wants_replacement is None:
            served = sum(thread.served for thread in self.crew.threads)
            if served >= most:
                self.wants_replacement = f"it has served {served} requests"
        tls: Any = self.settings.tls
        if hasattr(tls, "changed") and now >= self._next_certificates:
            self._next_certificates = now + _CERTIFICATES_EVERY
            self.crew.run_elsewhere(lambda: tls.changed() and tls.reload())

    def _drain(self, now: float) -> None:
        if not self._draining:
            self._draining = True
            self._close_listeners()
            for connection in list(self.connections.open.values()):
                if connection.state == IDLE:
                    used = connection.deadline - self._patience(connection)
                    connection.deadline = min(connection.deadline, used + _DRAIN_IDLE)
        for connection in list(self.connections.open.values()):
            if connection.state == IDLE:
                if connection.deadline <= now:
                    self.connections.drop(connection)
                else:  # one whose last reply did not know of the stop yet has all its patience
                    connection.deadline = min(connection.deadline, now + _DRAIN_IDLE)
        if self._forced or not (self.connections.open or not self.crew.idle):
            self._finish()

    def _patience(self, connection: Connection) -> float:
        return self.settings.deadlines.keep_alive if connection.requests else self.settings.deadlines.head

    # ---- for its parts ----

    def welcome(self, sock: Any, reader: HeadReader, facts: Environ, *, is_tcp: bool) -> None:
        """Begin with a connection that was accepted."""
        connection = Connection(self, sock, reader, facts, facts["REMOTE_ADDR"])
        self.connections.add(connection)
        self.opening.begin(connection, is_tcp=is_tcp)

    def later(self, connection: Connection) -> None:
        """Go on with what a connection has sent when others had their turn."""
        self.connections.release(connection)
        self._ready.append(connection)
        self.poller.wake()

    def reply_lines(self) -> ReplyLines:
        """The Date and Server lines of now."""
        now = self.clock()
        if now >= self.lines.until:
            self.lines.refresh(now)
        return self.lines

    def count_refusal(self, refusal: Refused) -> None:
        """Remember that a request was refused, by rule."""
        self.refusals[refusal.rule] += 1
