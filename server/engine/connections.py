"""The open connections: what the poller waits for on each, until when, and whose they are."""

from __future__ import annotations

import contextlib
import socket
from collections import Counter
from collections.abc import Callable
from threading import Lock

from ..http1.heads import Fields
from ..http1.refusals import Refused
from ..settings import Settings
from .connection import CLOSED, IDLE, Connection
from .poller import READ, WRITE, Poller
from .timers import Timers

_REMEMBERED_FIELDS = 512


class Connections:
    """All connections of an engine. Where it is not said otherwise, any thread that owns a connection may call."""

    def __init__(
        self, settings: Settings, poller: Poller, lock: Lock, clock: Callable[[], float], see_to: Callable[..., object]
    ) -> None:
        self.open: dict[int, Connection] = {}
        self.accepted = 0
        self.closed_poller = False
        self._limits = settings.limits
        self._poller = poller
        self._lock = lock
        self._clock = clock
        self._see_to = see_to
        self._timers: Timers[Connection] = Timers()
        self._addresses: Counter[str] = Counter()
        self._counts = settings.limits.connections_per_address is not None
        self._remembering: dict[Connection, None] = {}

    def __len__(self) -> int:
        return len(self.open)

    def room_for(self, address: object) -> Refused | None:
        """Why no further connection may come from there, or None."""
        if len(self.open) >= self._limits.connections:
            return Refused(503, "connections", "The server has too many connections.", 1)
        most = self._limits.connections_per_address
        if most is not None and isinstance(address, tuple) and self._addresses[str(address[0])] >= most:
            return Refused(503, "connections-per-address", "Too many connections from this address.", 1)
        return None

    def add(self, connection: Connection) -> None:
        """Take in a connection that was accepted."""
        self.accepted += 1
        self.open[connection.fd] = connection
        if self._counts:
            self._addresses[connection.key] += 1
        if self.closed_poller:
            self.drop(connection)  # by a leader for whose end nobody has waited

    def rename(self, connection: Connection, address: str) -> bool:
        """The client has another address than its proxy. Returns whether one more from there may be served."""
        if self._counts:
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

    def drop(self, connection: Connection) -> None:
        """Close a connection now."""
        if connection.state == CLOSED:
            return
        self.open.pop(connection.fd, None)
        if connection.due:
            self._timers.forget(connection)
        if connection.fields is not None:
            self._remembering.pop(connection, None)
        if self._counts:
            self._uncount(connection)
        if connection.mask:
            # Before the descriptor is closed: a copy of it in another process would go on to be reported.
            self._poller.forget(connection.fd)
            connection.mask = 0
        closing, connection.on_sent = connection.on_sent, None
        connection.close_socket()
        if closing is not None:
            self._see_to(closing)

    def remember_fields(self, connection: Connection, fields: Fields) -> None:
        """Keep the fields of a connection's request for the next one, for as many connections as there is room."""
        if connection.fields is None:
            if len(self._remembering) >= _REMEMBERED_FIELDS:
                with contextlib.suppress(RuntimeError, StopIteration):  # another thread is at it, too
                    eldest = next(iter(self._remembering))
                    self._remembering.pop(eldest, None)
                    eldest.fields = None
            self._remembering[connection] = None
        connection.fields = fields

    # ---- time ----

    def set_deadline(self, connection: Connection, seconds: float) -> None:
        """Look at the connection after so many seconds, unless something happens before."""
        deadline = connection.deadline = self._clock() + seconds
        # Whoever is looked at before its time is looked at again then.
        if not connection.due or deadline < connection.due - 1:
            self._timers.set(connection, deadline)

    def look_again(self, connection: Connection, when: float) -> None:
        """Look at the connection at that time, whatever its deadline is."""
        self._timers.set(connection, when)

    def due(self, now: float) -> list[Connection]:
        """Take out the connections that are to be looked at now. The leader calls this."""
        return list(self._timers.take_due(now))

    # ---- what is waited for ----

    def set_mask(self, connection: Connection, mask: int) -> None:
        """What the poller shall wait for; 0 for nothing, not even errors."""
        with self._lock:
            if not self.closed_poller:
                self.set_mask_locked(connection, mask)
                return
        if mask:
            self.drop(connection)  # nobody waits for anything any more

    def set_mask_locked(self, connection: Connection, mask: int) -> None:
        """The same, for those who hold the lock already."""
        if connection.mask == mask or connection.state == CLOSED or self.closed_poller:
            return
        before, connection.mask = connection.mask, mask
        if not mask:
            self._poller.forget(connection.fd)
        elif before:
            self._poller.change(connection.fd, mask)
        else:
            self._poller.watch(connection.fd, mask)
            if not connection.due:  # it was not waited for before
                self._timers.set(connection, max(connection.deadline, self._clock()))

    def detach(self, connection: Connection) -> None:
        """Do not watch a connection while one of its requests runs, unless the run is over meanwhile."""
        with self._lock:
            if connection.busy:
                self.set_mask_locked(connection, 0)

    def wait_for_write(self, connection: Connection) -> None:
        """The client did not take everything: go on as soon as it does."""
        self.set_mask(connection, WRITE)

    def release(self, connection: Connection, state: int = IDLE) -> None:
        """Give a connection back to whoever leads, to be read from."""
        with self._lock:
            connection.state = state
            if not self.closed_poller:
                self.set_mask_locked(connection, READ)
                return
        self.drop(connection)  # nobody leads any more

    def close(self) -> None:
        """Close all of them; nothing polls any more. Those of running requests are cut, and closed by their threads."""
        with self._lock:
            self.closed_poller = True
        for connection in list(self.open.values()):
            if connection.busy:
                connection.mask = 0  # so that its thread comes here when it is done
                connection.fail("the server has stopped")
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)
            else:
                self.drop(connection)
