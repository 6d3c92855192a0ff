"""The engine: threads that lead in turn.

One thread, the leader, polls the sockets, reads, and runs each request itself, so that a fast one meets no queue and
no other thread. Before a request that is expected to wait, the leader wakes a follower that leads on, and runs the
request as a worker; when one turns out slow that was not expected to, the watchdog lets a follower lead over the old
leader's head. What was polled and not served yet stands in ``events``, which every leader goes on with.
"""

from __future__ import annotations

import contextlib
import logging
import signal
import socket
import struct
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ..protocol.wsgi import Environ, WSGIApp
from .base_environ import listener_environ
from .connection import CLOSED, HANDSHAKING, IDLE, RUNNING, WRITING, Connection
from .engine_snapshot import snapshot_of
from .forecast import WORTH_A_LOOK, Forecast, Pace
from .heads import Fields, Framing, HeadReader
from .intake import Intake
from .listener import Listener
from .opening import Opening
from .poller import READ, WRITE, make_poller
from .refusals import Refused, refusal_bytes
from .reply_lines import ReplyLines
from .response import Response, answer_failure
from .settings import Settings
from .thread_usage import usage
from .timers import Timers
from .watchdog import Watchdog
from .worker_thread import WorkerThread

log = logging.getLogger("wheatpaste.server.engine")

Request = tuple[Environ, Framing, Pace]

_LOOK_EVERY = 1.0
_CERTIFICATES_EVERY = 5.0
_REMEMBERED_FIELDS = 512
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
        self.is_tls = settings.tls is not None
        if settings.tls is not None:
            import ssl

            self.would_block += (ssl.SSLWantReadError, ssl.SSLWantWriteError)
        self.forecast = Forecast()
        self.stopping: float | None = None
        """When it was told to stop."""
        self.wants_replacement: str | None = None
        """Why another process should take over, if one should."""
        self._sockets = list(sockets)
        self._on_ready = on_ready
        self._handle_signals = handle_signals
        # Everything below lives as long as run().
        self.lock = threading.Lock()
        """Held for the few lines that change who leads, who is free, and what is watched."""
        self.poller = make_poller(settings.poller)
        self.events: deque[tuple[int, int]] = deque()
        self.ready: deque[Connection] = deque()
        self.waiting: deque[tuple[Connection, Request, float]] = deque()
        self.jobs: deque[Callable[[], object]] = deque()
        self.connections: dict[int, Connection] = {}
        self.listeners: dict[int, Listener] = {}
        self.threads: list[WorkerThread] = []
        self.followers: list[WorkerThread] = []
        self.leader: WorkerThread | None = None
        self.busy = 0
        """Threads that run a request while another one leads."""
        self.turn = 0
        """Requests that leaders have begun."""
        self.looks = 0
        """How often a leader has looked for something to do; it grows as long as the engine goes on."""
        self.accepted = 0
        self.refusals: Counter[str] = Counter()
        self._addresses: Counter[str] = Counter()
        self._remembering: deque[Connection] = deque()
        self._timers: Timers[Connection] = Timers()
        self._lines = ReplyLines(settings.ident)
        self._intake = Intake(self)
        self._opening = Opening(self)
        self._watchdog = Watchdog(self)
        self._next_look = 0.0
        self._next_certificates = 0.0
        self._claims = settings.deadlines.request is not None
        self._leader_wanted = False
        self._draining = False
        self._forced = False
        self._saturated_told = float("-inf")
        self._gate = threading.Lock()
        self._gate.acquire()
        self.finished = False

    # ---- life ----

    def run(self) -> None:
        """Serve until :meth:`stop`, then until running requests are done or the drain's deadline has passed."""
        with self._signals():
            self._start()
            if self._on_ready is not None:
                self._on_ready()
            self._gate.acquire()
            while not self.finished:
                began = self.stopping
                left = 0.0 if self._forced or began is None else began + self.settings.deadlines.drain - self.clock()
                if left <= 0 or not self._gate.acquire(timeout=left):
                    self._finish()
        self._end()

    def stop(self, *, force: bool = False) -> None:
        """Stop taking connections and finish what runs; with ``force`` do not wait for it. From any thread."""
        if self.stopping is None:
            self.stopping = self.clock()
            self._lines.closing = True
        self._forced = self._forced or force
        self._open_gate()
        self.poller.wake()

    def replace_app(self, app: WSGIApp) -> WSGIApp:
        """Serve another app from the next request on; returns the old one, which may still be running."""
        old, self.app = self.app, app
        return old

    def _start(self) -> None:
        for sock in self._sockets:
            base = listener_environ(sock, self.settings)
            listener = Listener(self, sock, HeadReader(base, self.settings, self.forecast))
            self.listeners[listener.fd] = listener
            listener.open()
        self._lines.refresh(self.clock())
        self._watchdog.start()
        with self.lock:
            first = self._new_thread()
            first.leading = True
            self.leader = first
        first.wake.release()

    def _finish(self) -> None:
        self.finished = True
        self._open_gate()

    def _open_gate(self) -> None:
        with contextlib.suppress(RuntimeError):  # open already
            self._gate.release()

    def _end(self) -> None:
        self.finished = True
        if self.busy:
            log.warning("stopped while %d requests were running", self.busy)
        self.poller.wake()
        self._watchdog.stop()
        for thread in self.threads:
            with contextlib.suppress(RuntimeError):
                thread.wake.release()
        for thread in self.threads:
            if not thread.started and thread.thread is not None:
                thread.thread.join(1)
        for listener in self.listeners.values():
            listener.close()
        for connection in list(self.connections.values()):
            self.drop(connection)
        self.poller.close()

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """SIGTERM and Ctrl-C end the server gently, a second Ctrl-C at once. Only the main thread may listen."""
        if not self._handle_signals or threading.current_thread() is not threading.main_thread():
            yield
            return
        interrupts = 0

        def on_signal(number: int, frame: object) -> None:
            nonlocal interrupts
            if number == signal.SIGINT:
                interrupts += 1
            self.stop(force=interrupts > 1)

        before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        if interrupts > 1:
            raise KeyboardInterrupt

    # ---- threads ----

    def _new_thread(self) -> WorkerThread:
        thread = WorkerThread(f"wheatpaste-{len(self.threads) + 1}")
        self.threads.append(thread)
        thread.thread = threading.Thread(target=self._work, args=(thread,), name=thread.name, daemon=True)
        thread.thread.start()
        return thread

    def _work(self, me: WorkerThread) -> None:
        me.ident = threading.get_ident()
        while True:
            me.wake.acquire()
            if self.finished:
                return
            if me.leading:
                self._lead(me)
            while not self.finished:
                task = self._next_task(me)
                if task is None:
                    break
                if me.leading:
                    self._lead(me)
                else:
                    task()

    def _next_task(self, me: WorkerThread) -> Callable[[], object] | None:
        """What a worker does next; None when it becomes a follower. It leads on where nobody does."""
        with self.lock:
            if self._leader_wanted:
                self._leader_wanted = False
                self.busy -= 1
                me.leading = True
                self.leader = me
                return lambda: None
            if self.jobs:
                return self.jobs.popleft()
            if self.waiting:
                connection, request, _ = self.waiting.popleft()
                return lambda: self._run_waiting(me, connection, request)
            self.busy -= 1
            self.followers.append(me)
            return None

    def _run_waiting(self, me: WorkerThread, connection: Connection, request: Request) -> None:
        _, free = self._serve(me, connection, request, leading=False)
        if free and connection.buffer:
            self._intake.advance(me, connection, connection.buffer, leading=False)

    def _hand_over(self, me: WorkerThread) -> bool:
        """Let another thread lead; the caller, or the leader that the watchdog found stuck, is a worker from now on."""
        with self.lock:
            me.leading = False
            self.busy += 1
            if self.followers:
                follower = self.followers.pop()
            elif len(self.threads) < 2 * self.settings.threads + 2:
                follower = self._new_thread()
            else:
                self._leader_wanted = True
                self.leader = None
                return False
            follower.leading = True
            self.leader = follower
        follower.wake.release()
        return True

    def step_down(self, me: WorkerThread) -> None:
        """To be called by a thread that is about to wait: if it leads, another one leads on."""
        try:
            me.slot.pop()
        except IndexError:
            return
        self._hand_over(me)

    def overtake(self, leader: WorkerThread, turn: int) -> None:
        """The watchdog has seen the leader in the same request for too long."""
        if self.turn != turn:
            return
        try:
            leader.slot.pop()
        except IndexError:
            return
        if leader.pace is not None:
            leader.pace.overrun()
        self._hand_over(leader)

    def run_elsewhere(self, job: Callable[[], object], *, or_refuse: bool = False) -> bool:
        """Have a worker do something that the leader should not wait for.

        When all are busy, whoever is done next does it; with ``or_refuse`` nobody does, and False is returned.
        """
        with self.lock:
            if self.finished or (or_refuse and self.busy >= self.settings.threads):
                return False
            self.jobs.append(job)
            if self.followers:
                follower = self.followers.pop()
            elif len(self.threads) <= self.settings.threads:
                follower = self._new_thread()
            else:
                return True
            self.busy += 1
        follower.wake.release()
        return True

    # ---- the leader ----

    def _lead(self, me: WorkerThread) -> None:
        events, ready, connections, poller = self.events, self.ready, self.connections, self.poller
        readable = self._intake.on_readable
        while not self.finished:
            while events:
                fd, mask = events.popleft()
                connection = connections.get(fd)
                if connection is None:
                    listener = self.listeners.get(fd)
                    if listener is not None:
                        listener.accept()
                elif connection.busy or connection.mask & WRITE or mask & ~READ:
                    if not self._on_rare_event(me, connection, mask):
                        return
                elif not readable(me, connection):
                    return
            if ready:
                connection = ready.popleft()
                is_left = connection.state == IDLE and connection.buffer
                if is_left and not self._intake.advance(me, connection, connection.buffer, leading=True):
                    return
                continue
            self.looks += 1
            now = self.clock()
            if now >= self._next_look or self.stopping is not None:
                self._look_around(now)
            events.extend(poller.poll(self._pause()))

    def _pause(self) -> float | None:
        """How long the poller may wait when nothing happens."""
        if self.stopping is not None:
            return 0.0 if self.finished else _DRAIN_LOOK
        counts = self.settings.max_requests is not None and self.wants_replacement is None
        return _LOOK_EVERY if self.connections or self.waiting or self.busy or counts else None

    def _on_rare_event(self, me: WorkerThread, connection: Connection, mask: int) -> bool:
        """An event of a connection that is not simply read from. Returns whether this thread still leads."""
        if mask & ~(READ | WRITE):  # an error or a hang-up: reading and writing will tell
            mask |= connection.mask
        if connection.mask & mask & WRITE:
            if connection.state == HANDSHAKING:
                self.shake_hands(connection)
            elif connection.output is not None:
                self._flush(connection)
            return True
        if connection.busy:
            # Pipelined bytes or the end of the stream: of no interest before the request is done.
            self.detach(connection)
            return True
        return not connection.mask & READ or self._intake.on_readable(me, connection)

    def _look_around(self, now: float) -> None:
        """Once a second: deadlines, pauses that are over, requests that wait too long, the end of a drain."""
        self._next_look = now + _LOOK_EVERY
        for listener in list(self.listeners.values()):
            if listener.paused_until is not None and listener.paused_until <= now:
                listener.resume()
        for connection in self._timers.take_due(now):
            self._look_at(connection, now)
        self._refuse_overdue(now)
        self._look_at_itself(now)
        if self.stopping is not None:
            self._drain(now)

    def _look_at_itself(self, now: float) -> None:
        most = self.settings.max_requests
        if most is not None and self.wants_replacement is None:
            served = sum(thread.served for thread in self.threads)
            if served >= most:
                self.wants_replacement = f"it has served {served} requests"
        changed = getattr(self.settings.tls, "changed", None)
        if changed is not None and now >= self._next_certificates:
            self._next_certificates = now + _CERTIFICATES_EVERY
            self.run_elsewhere(lambda: changed() and self.settings.tls.reload())  # type: ignore[union-attr]

    def _look_at(self, connection: Connection, now: float) -> None:
        if connection.state == CLOSED:
            return
        if connection.busy:
            soon = _LOOK_EVERY if connection.state == HANDSHAKING else self.settings.deadlines.keep_alive
            self._timers.set(connection, now + soon)
            output = connection.output
            if output and output.taken_at + self.settings.deadlines.write <= now:
                output.fail("the client took nothing for too long")
        elif connection.state == WRITING:
            output = connection.output
            due = (output.taken_at if output is not None else 0) + self.settings.deadlines.write
            if due <= now:
                self.drop(connection)
            else:
                self._timers.set(connection, due)
        elif connection.deadline > now:
            self._timers.set(connection, connection.deadline)
        else:
            self._intake.overdue(connection, now)

    def _refuse_overdue(self, now: float) -> None:
        while self.waiting and self.waiting[0][2] + self.settings.deadlines.waiting <= now:
            with self.lock:
                if not self.waiting:
                    return
                connection, _, _ = self.waiting.popleft()
            connection.busy = False
            self._intake.refuse(connection, _overload())

    def _drain(self, now: float) -> None:
        if not self._draining:
            self._draining = True
            for listener in self.listeners.values():
                listener.close()
            self.listeners.clear()
            for connection in list(self.connections.values()):
                if connection.state == IDLE and not connection.busy:
                    used = connection.deadline - self._patience(connection)
                    connection.deadline = min(connection.deadline, used + _DRAIN_IDLE)
                    self._timers.set(connection, connection.deadline)
        for connection in list(self.connections.values()):
            if connection.state == IDLE and not connection.busy and connection.deadline <= now:
                self.drop(connection)
        if self._forced or not (self.connections or self.busy or self.waiting or self.jobs):
            self._finish()

    def _patience(self, connection: Connection) -> float:
        return self.settings.deadlines.keep_alive if connection.requests else self.settings.deadlines.head

    # ---- connections ----

    def room_for(self, address: object) -> Refused | None:
        """Whether one more connection may come from there."""
        limits = self.settings.limits
        if len(self.connections) >= limits.connections:
            return Refused(503, "connections", "The server has too many connections.", 1)
        most = limits.connections_per_address
        if most is not None and isinstance(address, tuple) and self._addresses[str(address[0])] >= most:
            return Refused(503, "connections-per-address", "Too many connections from this address.", 1)
        return None

    def welcome(self, sock: Any, reader: HeadReader, facts: Environ, *, is_tcp: bool) -> None:
        """Begin with a connection that was accepted."""
        connection = Connection(self, sock, reader, facts, facts["REMOTE_ADDR"])
        self.accepted += 1
        self.connections[connection.fd] = connection
        if self.settings.limits.connections_per_address is not None:
            self._addresses[connection.key] += 1
        self._opening.begin(connection, is_tcp=is_tcp)

    def rename(self, connection: Connection, address: str) -> bool:
        """The client has another address than its proxy. Returns whether one more from there may be served."""
        if self.settings.limits.connections_per_address is not None:
            if self.room_for((address,)) is not None:
                return False
            self._uncount(connection)
            self._addresses[address] += 1
        connection.key = address
        return True

    def _uncount(self, connection: Connection) -> None:
        self._addresses[connection.key] -= 1
        if self._addresses[connection.key] <= 0:
            del self._addresses[connection.key]

    def remember_fields(self, connection: Connection, fields: Fields) -> None:
        """Keep the fields of a connection's request for the next one, for as many connections as there is room."""
        if connection.fields is None:
            if len(self._remembering) >= _REMEMBERED_FIELDS:
                self._remembering.popleft().fields = None
            self._remembering.append(connection)
        connection.fields = fields

    def shake_hands(self, connection: Connection) -> None:
        """Go on with a TLS handshake."""
        self._opening.shake_hands(connection)

    def introduce(self, connection: Connection) -> None:
        """Read who the client of a PROXY protocol connection is."""
        self._opening.introduce(connection)

    def resume_reading(self, connection: Connection) -> None:
        """A worker has done what had to be done first: let the leader read on."""
        connection.deadline = self.clock() + self.settings.deadlines.head
        self.set_mask(connection, READ)
        if connection.is_tls and connection.sock.pending():
            self.later(connection)

    def refuse(self, connection: Connection, refusal: Refused) -> None:
        """Answer what is not served, and close."""
        self._intake.refuse(connection, refusal)

    def drop(self, connection: Connection) -> None:
        """Close a connection now."""
        if connection.state == CLOSED:
            return
        self.connections.pop(connection.fd, None)
        self._timers.forget(connection)
        if self.settings.limits.connections_per_address is not None:
            self._uncount(connection)
        self.poller.forget(connection.fd)
        connection.mask = 0
        closing, connection.on_sent = connection.on_sent, None
        connection.close_socket()
        if closing is not None:
            self.run_elsewhere(closing)

    def set_deadline(self, connection: Connection, seconds: float) -> None:
        """Look at the connection after so many seconds, unless something happens before."""
        connection.deadline = self.clock() + seconds
        self._timers.set(connection, connection.deadline)

    def set_mask(self, connection: Connection, mask: int) -> None:
        """What the poller shall wait for; 0 for nothing, not even errors."""
        with self.lock:
            self._set_mask(connection, mask)

    def _set_mask(self, connection: Connection, mask: int) -> None:
        if connection.mask == mask or connection.state == CLOSED or self.finished:
            return
        before, connection.mask = connection.mask, mask
        if not mask:
            self.poller.forget(connection.fd)
        elif before:
            self.poller.change(connection.fd, mask)
        else:
            self.poller.watch(connection.fd, mask)

    def detach(self, connection: Connection) -> None:
        """Do not watch a connection while one of its requests runs, unless the run is over meanwhile."""
        with self.lock:
            if connection.busy:
                self._set_mask(connection, 0)

    def wait_for_write(self, connection: Connection) -> None:
        """The client did not take everything: go on as soon as it does."""
        self.set_mask(connection, WRITE)

    def later(self, connection: Connection) -> None:
        """Go on with what a connection has sent when others had their turn."""
        self.release(connection)
        self.ready.append(connection)
        self.poller.wake()

    def _flush(self, connection: Connection) -> None:
        output = connection.output
        if output is None:
            return
        try:
            done = output.flush(self.clock)
        except OSError:
            with self.lock:
                if connection.busy:
                    self._set_mask(connection, 0)
                    return
            self.drop(connection)
            return
        if not done:
            return
        with self.lock:
            if connection.busy:
                if not output:
                    self._set_mask(connection, 0)
                return
            if connection.state != WRITING or output:
                return
            connection.state = IDLE
        self.after_reply(connection, keep_alive=connection.keep_alive)

    # ---- requests ----

    def dispatch(
        self, me: WorkerThread, connection: Connection, request: Request, *, leading: bool
    ) -> tuple[bool, bool]:
        """Run a request here, or let it wait. Returns whether this thread leads, and whether the connection is free."""
        pace = request[2]
        if leading and (pace.slow or self.busy >= self.settings.threads or connection.streamed is not None):
            if self.busy >= self.settings.threads and self._must_wait(request):
                if self._enqueue(connection, request):
                    return True, False
            elif pace.slow or connection.streamed is not None:
                self._hand_over(me)
                leading = False
        return self._serve(me, connection, request, leading=leading)

    def _must_wait(self, request: Request) -> bool:
        environ, _, pace = request
        if self.settings.threads == 1:
            return True
        if environ["PATH_INFO"] in self.settings.health_paths:
            return False
        return pace.slow or not pace.known

    def _enqueue(self, connection: Connection, request: Request) -> bool:
        """Let a request wait for a thread; False when one has become free."""
        with self.lock:
            if self.busy < self.settings.threads:
                return False
            room = len(self.waiting) < self.settings.limits.waiting
            if room:
                connection.state = RUNNING
                connection.busy = True
                self.waiting.append((connection, request, self.clock()))
        if not room:
            self._intake.refuse(connection, _overload())
        self._tell_saturated()
        return True

    def _tell_saturated(self) -> None:
        now = self.clock()
        if now >= self._saturated_told + 60:
            self._saturated_told = now
            log.warning("all %d threads are busy, requests wait (said at most once a minute)", self.settings.threads)

    def _serve(self, me: WorkerThread, connection: Connection, request: Request, *, leading: bool) -> tuple[bool, bool]:
        environ, framing, pace = request
        connection.busy = True
        connection.state = RUNNING
        connection.worker = me
        me.environ = environ
        me.pace = pace
        started = me.started = self.clock()
        if started >= self._lines.until:
            self._lines.refresh(started)
        before = usage() if pace.watched else None
        if leading:
            me.slot.append(True)
            self.turn += 1
            if self._watchdog.asleep:
                self._watchdog.wake()
        response = Response(connection, environ, framing, self._lines)
        if self._claims or connection.streamed is not None:
            self._prepare(me, connection, response)
        refusal = None
        failed = False
        try:
            response.run(self.app, environ)
        except BaseException as error:  # noqa: BLE001 - whatever an app raises, SystemExit too, is its request's end
            failed = True
            refusal = answer_failure(environ, response, error, expose=self.settings.expose_tracebacks)
        if leading:
            try:
                me.slot.pop()
            except IndexError:
                leading = False  # the watchdog let another thread lead
        wall = self.clock() - started
        me.started = 0.0
        me.environ = None
        if before is not None:
            after = usage()
            pace.learn(wall, after.cpu - before.cpu, waited=before.waited_until(after))
        else:
            pace.known = True
            if wall > WORTH_A_LOOK:
                pace.watched = True
        me.served += 1
        connection.requests += 1
        connection.worker = None
        if connection.body is not None:
            connection.body.close()
            connection.body = None
        connection.streamed = None
        if failed:
            self._end_failed(connection, response, refusal, is_head=environ["REQUEST_METHOD"] == "HEAD")
            return leading, False
        return leading, self.after_reply(connection, keep_alive=response.keep_alive, leading=leading)

    def _prepare(self, me: WorkerThread, connection: Connection, response: Response) -> None:
        response.streamed = connection.streamed
        if self._claims:
            me.unclaimed = response.unclaimed = [True]
            me.connection = connection

    def give_up(self, thread: WorkerThread) -> bool:
        """Answer a request that takes too long with 504, if nothing was sent. From the watchdog."""
        unclaimed, connection = thread.unclaimed, thread.connection
        if not unclaimed or connection is None:
            return False
        try:
            unclaimed.pop()
        except IndexError:
            return False
        refusal = Refused(504, "request-timeout", "The request took too long.")
        self.count_refusal(refusal)
        with contextlib.suppress(OSError):
            connection.send_now(refusal_bytes(refusal, self.reply_lines().common, self.settings.ident))
            connection.shut_down_writing()
        return True

    def may_stream(self) -> bool:
        """Whether one more thread may wait for a client's upload: never so many that others find none."""
        streaming = sum(each.streamed is not None for each in list(self.connections.values()))
        return streaming < max(self.settings.threads // 4, 1) and self.settings.threads > 1

    def _end_failed(
        self, connection: Connection, response: Response, refusal: Refused | None, *, is_head: bool
    ) -> None:
        if refusal is not None:
            connection.busy = False
            self._intake.refuse(connection, refusal, head_only=is_head)
            return
        if response.ends_with_connection:
            # Nothing but a reset tells the client of an answer without a length that its end is not the end.
            with contextlib.suppress(OSError):
                connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.drop(connection)

    def after_reply(self, connection: Connection, *, keep_alive: bool, leading: bool = False) -> bool:
        """What becomes of a connection when its reply is made. Returns whether this thread may go on with it."""
        if connection.output is not None:
            with self.lock:
                connection.busy = False
                if connection.output:
                    connection.keep_alive = keep_alive
                    connection.state = WRITING
                    self._set_mask(connection, WRITE)
                    self._timers.set(connection, self.clock() + self.settings.deadlines.write)
                    return False
            connection.output = None
            closing, connection.on_sent = connection.on_sent, None
            if closing is not None:
                self.run_elsewhere(closing)
        if not keep_alive:
            connection.busy = False
            self._intake.linger(connection)
            return False
        connection.state = IDLE
        deadline = connection.deadline = self.clock() + self.settings.deadlines.keep_alive
        if deadline < connection.due - 1:
            self._timers.set(connection, deadline)
        if leading:
            connection.busy = False
            if connection.mask != READ:
                self.set_mask(connection, READ)
            return True
        if connection.buffer:
            return True  # it stays with this thread, which goes on with what was sent meanwhile
        self.release(connection)
        return False

    def release(self, connection: Connection) -> None:
        """Give a connection back to whoever leads, to be read from."""
        with self.lock:
            connection.busy = False
            self._set_mask(connection, READ)

    def snapshot(self) -> dict[str, Any]:
        """What it is doing at this moment; see ``engine_snapshot``."""
        return snapshot_of(self)

    def reply_lines(self) -> ReplyLines:
        """The Date and Server lines of now."""
        now = self.clock()
        if now >= self._lines.until:
            self._lines.refresh(now)
        return self._lines

    def count_refusal(self, refusal: Refused) -> None:
        """Remember that a request was refused, by rule."""
        self.refusals[refusal.rule] += 1


def _overload() -> Refused:
    return Refused(503, "overload", "The server is busy. Try again in a moment.", 5)
