"""One request and its reply: who runs it, when it has to wait, and what becomes of the connection afterwards."""

from __future__ import annotations

import contextlib
import logging
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from ..forecast import WORTH_A_LOOK
from ..http1.client_gone import ClientGone
from ..http1.refusals import Refused, refusal_bytes
from ..http1.response import Response, answer_failure
from .connection import IDLE, RUNNING, WRITING, Connection
from .poller import READ, WRITE
from .streamed_body import StreamedBody
from .thread_usage import usage
from .worker_thread import Claim, Request, WorkerThread

if TYPE_CHECKING:
    from .engine import Engine
    from .output import Output

log = logging.getLogger("wheatpaste.server.exchange")

_TELL_FULL_EVERY = 60.0


HOLD = 0.000_5
"""Seconds for which replies may be held back."""


class WaitingRequest(NamedTuple):
    """A request that waits for a thread, since a moment of the engine's clock."""

    exchange: Exchange
    connection: Connection
    request: Request
    since: float

    def run(self, me: WorkerThread) -> None:
        """Run it, and what was sent behind it."""
        engine, connection = self.exchange.engine, self.connection
        try:
            _, free = self.exchange.serve(me, connection, self.request, leading=False)
            if free:
                engine.intake.advance(me, connection, connection.buffer, leading=False)
        except BaseException:
            engine.connections.drop(connection)  # nobody else would
            raise


class Exchange:
    """Runs requests. Methods that may change who leads return whether the calling thread still does."""

    def __init__(self, engine: Engine) -> None:
        settings = engine.settings
        self.engine = engine
        self._clock = engine.clock
        self._crew = engine.crew
        self._connections = engine.connections
        self._lines = engine.lines
        self._watchdog = engine.watchdog
        self._limits = settings.limits
        self._deadlines = settings.deadlines
        self._health_paths = settings.health_paths
        self._size = settings.threads
        self._tells_gone = settings.log_socket_errors
        self._expose = settings.expose_tracebacks
        self._claims = settings.deadlines.request is not None
        self._full_told = float("-inf")
        self._events = engine.events
        self.held: deque[tuple[Connection, bytes]] = deque()
        """Replies that are ready and shall leave together, see ``send_held``."""
        self.hold_until = 0.0

    def dispatch(
        self, me: WorkerThread, connection: Connection, request: Request, *, leading: bool
    ) -> tuple[bool, bool]:
        """Run a request here, or let it wait. Returns whether this thread leads, and may go on with the connection."""
        if leading:
            crew = self._crew
            is_slow = request[2].pace.slow or type(connection.body) is StreamedBody
            must_wait = crew.busy >= self._size and self._must_wait(request, is_slow=is_slow)
            if must_wait and self._enqueue(connection, request):
                return True, False
            if is_slow:
                # First, or the new leader would read from a connection that is not its own any more.
                connection.state = RUNNING
                crew.hand_over(me)
                leading = False
        return self.serve(me, connection, request, leading=leading)

    def _must_wait(self, request: Request, *, is_slow: bool) -> bool:
        """Whether a request may not run beside as many as may run: one more may, if it is known to be fast."""
        if self._size == 1:
            return True  # which promises that the app is never entered twice
        if request[0]["PATH_INFO"] in self._health_paths:
            return False
        return is_slow or not request[2].pace.known

    def _enqueue(self, connection: Connection, request: Request) -> bool:
        """Let a request wait for a thread; False when one has become free."""
        crew = self._crew
        with crew.lock:
            if crew.busy < self._size:
                return False
            room = len(crew.waiting) < self._limits.waiting
            if room:
                connection.state = RUNNING
                crew.waiting.append(WaitingRequest(self, connection, request, self._clock()))
        if not room:
            self.engine.farewell.refuse(connection, _overload(), request[2])
        self._tell_full()
        return True

    def _tell_full(self) -> None:
        now = self._clock()
        if now >= self._full_told + _TELL_FULL_EVERY:
            self._full_told = now
            log.warning("all %d threads are busy, requests wait (said at most once a minute)", self._size)

    def oldest_waiting(self, now: float) -> float | None:
        """Seconds that the first request has waited for a thread, None when none waits."""
        try:
            return round(now - self._crew.waiting[0].since, 3)
        except IndexError:
            return None

    def refuse_overdue(self, now: float) -> None:
        """Answer with 503 what has waited for a thread too long."""
        waiting = self._crew.waiting
        while True:
            with self._crew.lock:
                if not waiting or waiting[0].since + self._deadlines.waiting > now:
                    return
                overdue = waiting.popleft()
            self.engine.farewell.refuse(overdue.connection, _overload(), overdue.request[2])

    def serve(self, me: WorkerThread, connection: Connection, request: Request, *, leading: bool) -> tuple[bool, bool]:
        """Run a request in this thread. Returns whether it leads, and whether it may go on with the connection."""
        environ, framing, kind = request
        pace = kind.pace
        connection.state = RUNNING
        me.request = request
        started = me.started = self._clock()
        if started >= self._lines.until:
            self._lines.refresh(started)
        before = usage() if pace.watched else None
        if leading:
            me.slot.append(True)
            self._crew.turn += 1
            if self._watchdog.asleep:
                self._watchdog.wake()
        elif self._watchdog.off_duty:
            self._watchdog.wake()
        response = Response(connection, kind, framing.keep_alive, self._lines)
        if leading and pace.quick and self._events and started < self.hold_until and not connection.buffer:
            # Not where more was sent without waiting: another thread may answer that, and earlier.
            response.may_keep = True
        elif self.held and leading:
            self.send_held()
        if self._claims or connection.body is not None:
            self._prepare(me, connection, response)
        failure: BaseException | None = None
        try:
            response.run(self.engine.app, environ)
        except BaseException as error:  # noqa: BLE001 - whatever an app raises, SystemExit too, is its request's end
            failure = error
        if leading:
            try:
                me.slot.pop()
            except IndexError:
                leading = False  # the watchdog has let another thread lead
            if response.kept is not None:
                if leading:
                    self.held.append((connection, response.kept))
                else:
                    failure = self._send_kept(connection, response.kept)
        ended = self._clock()
        me.started = 0.0
        me.request = None
        if before is not None:
            after = usage()
            pace.learn(ended - started, after.cpu - before.cpu, waited=before.waited_until(after))
        elif not pace.quick or ended - started > WORTH_A_LOOK:
            pace.look_at(ended - started)
        me.served += 1
        connection.requests += 1
        if connection.body is not None:
            connection.free_request()
        if failure is not None:
            self._end_failed(connection, response, request, failure)
            return leading, False
        if connection.output is None and leading and response.keep_alive:
            # What after_reply would come to, for most requests.
            connection.state = IDLE
            deadline = connection.deadline = ended + self._deadlines.keep_alive
            if deadline >= connection.due - 1 and connection.mask == READ:
                return True, True
        return leading, self.after_reply(connection, keep_alive=response.keep_alive, leading=leading)

    def _send_kept(self, connection: Connection, data: bytes) -> ClientGone | None:
        """Send at once what was to wait for others: whoever leads now may be waiting for something to happen."""
        try:
            connection.send(data)
        except ClientGone as gone:
            return gone
        return None

    def send_held(self) -> None:
        """Send the replies that were held back.

        Those to requests that came together leave together, after ``HOLD`` seconds at the latest: to wake a process
        on the other side costs as much as half a request, and is due only once then. Nothing is held back while a
        request runs that may take long, and nothing while the leader waits.
        """
        held = self.held
        self.hold_until = self._clock() + HOLD
        while held:
            try:
                connection, data = held.popleft()
            except IndexError:
                return  # a new leader is at it, too
            try:
                connection.send(data)
            except ClientGone:
                self._connections.drop(connection)
            else:
                if connection.output is not None:
                    self.after_reply(connection, keep_alive=True, leading=True)

    def _prepare(self, me: WorkerThread, connection: Connection, response: Response) -> None:
        body = connection.body
        if isinstance(body, StreamedBody):
            response.streamed = body
            response.is_rare = True
        if self._claims:
            response.is_rare = True
            response.unclaimed = [True]
            me.claim = response.unclaimed, connection

    def _end_failed(self, connection: Connection, response: Response, request: Request, failure: BaseException) -> None:
        refusal = answer_failure(request[0], response, failure, expose=self._expose, tell_gone=self._tells_gone)
        farewell = self.engine.farewell
        if refusal is not None:
            farewell.refuse(connection, refusal, request[2])
        else:
            farewell.cut(connection, by_reset=response.ends_with_connection)

    def after_reply(self, connection: Connection, *, keep_alive: bool, leading: bool) -> bool:
        """What becomes of a connection when its reply is made. Returns whether this thread may go on with it."""
        if connection.output is not None:
            with self._crew.lock:
                if connection.output:
                    connection.keep_alive = keep_alive
                    connection.state = WRITING
                    self._connections.set_mask_locked(connection, WRITE)
                    self._connections.look_again(connection, self._clock() + self._deadlines.write)
                    self.engine.unsent.add(connection.output)
                    return False
            output, connection.output = connection.output, None
            closing, connection.on_sent = connection.on_sent, None
            if closing is not None:
                self._crew.see_to(closing)
            if not self._is_sent(output):
                self.engine.farewell.cut(connection, by_reset=True)
                return False
        if not keep_alive:
            self.engine.farewell.linger(connection, leading=leading)
            return False
        deadline = connection.deadline = self._clock() + self._deadlines.keep_alive
        if deadline < connection.due - 1:
            self._connections.look_again(connection, deadline)
        if connection.buffer and not leading:
            return True  # it stays with this thread, which goes on with what was sent meanwhile
        self._connections.release(connection)
        return leading

    def _is_sent(self, output: Output) -> bool:
        """Whether what waited was sent, and not given up: then another reply would be taken for the rest of it."""
        try:
            output.check()
        except ClientGone:
            return False
        return True

    def flush(self, connection: Connection) -> None:
        """The client takes more of a reply. The leader calls this, perhaps while a worker still adds to it."""
        output = connection.output
        if output is None:
            return
        try:
            done = output.flush(self._clock)
        except OSError:
            with self._crew.lock:
                if connection.busy:
                    self._connections.set_mask_locked(connection, 0)
                    return
            self._connections.drop(connection)
            return
        if not done:
            return
        with self._crew.lock:
            if connection.busy:
                if not output:
                    self._connections.set_mask_locked(connection, 0)
                return
            if connection.state != WRITING or output:
                return
        if self.after_reply(connection, keep_alive=connection.keep_alive, leading=True) and connection.buffer:
            self.engine.later(connection)

    def give_up(self, claim: Claim | None) -> bool:
        """Answer a request that takes too long with 504, if nothing was sent; whether it was. From the watchdog."""
        if claim is None:
            return False
        unclaimed, connection = claim
        try:
            unclaimed.pop()
        except IndexError:
            return False
        engine = self.engine
        refusal = Refused(504, "request-timeout", "The request took too long.")
        engine.count_refusal(refusal)
        with contextlib.suppress(OSError):
            connection.send_now(refusal_bytes(refusal, engine.reply_lines().common, engine.settings.ident))
            connection.shut_down_writing()
        return True


def _overload() -> Refused:
    return Refused(503, "overload", "The server is busy. Try again in a moment.", 5)
