"""The record of one request, shared by everything that handles it.

``environ['wheatpaste.trace']`` is made by whoever comes first and travels with every copy of the environ, because a
child's environ is a copy: without a shared record the outer layers would never learn which mount took the request.
Writes ``wheatpaste.trace``. One request is handled by one thread at a time, so there is no lock.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any, NamedTuple

from .wsgi import Environ

KEY = "wheatpaste.trace"

DETAILS_SHOWN = "the client was shown the details of an error"
"""The note in the record of a request that a developer's page has answered: nobody should put another in its place."""

Clock = Callable[[], float]


class Mount(NamedTuple):
    """One step of dispatch: the prefix that was taken, the host pattern ('' for any), and ``file:line`` or ''."""

    prefix: str
    host: str = ""
    origin: str = ""


class Mark(NamedTuple):
    """How far the record had come; see ``Trace.rollback``."""

    mounts: int
    notes: int
    identity: dict[str, Any] | None
    error_id: str | None


class Trace:
    """What became known of a request. Readers look when the body is closed; until then anything may change.

    ``timings`` maps a name to seconds since the record was made, on a clock that never goes back.
    """

    # One is made for every request, and most say little: what nobody sets stands once, on the class.
    request_id: str | None = None
    identity: dict[str, Any] | None = None
    error_id: str | None = None
    _notes: tuple[str, ...] = ()
    _timings: dict[str, float] | None = None
    _clock: Clock = monotonic

    def __init__(self, clock: Clock | None = None, mounts: tuple[Mount, ...] = ()) -> None:
        self.mounts = mounts
        if clock is None:
            self.started = monotonic()
        else:
            self._clock = clock
            self.started = clock()

    @classmethod
    def of(cls, environ: Environ, clock: Clock | None = None) -> Trace:
        """The record of this request, made now if there is none."""
        trace: Trace | None = environ.get(KEY)
        if trace is None:
            trace = environ[KEY] = cls(clock)
        return trace

    def take(self, mount: Mount) -> None:
        """Append a mount that dispatch has just taken."""
        self.mounts = (*self.mounts, mount)

    @property
    def notes(self) -> tuple[str, ...]:
        """What layers wish to tell others, such as that forwarding headers were stripped; each once, in order."""
        return self._notes

    def note(self, text: str) -> None:
        """Add a note, unless it is there."""
        if text not in self._notes:
            self._notes = (*self._notes, text)

    @property
    def timings(self) -> dict[str, float]:
        """Seconds from the start to each moment that was timed; a copy."""
        return dict(self._timings or ())

    def time(self, name: str) -> float:
        """Remember that this moment was reached now, and return the seconds since the start."""
        elapsed = self.elapsed()
        if self._timings is None:
            self._timings = {}
        self._timings[name] = elapsed
        return elapsed

    def elapsed(self) -> float:
        """Seconds since the record was made."""
        return self._clock() - self.started

    def mark(self) -> Mark:
        """Where the record stands, before a try that may be taken back."""
        return Mark(len(self.mounts), len(self._notes), self.identity, self.error_id)

    def rollback(self, mark: Mark) -> None:
        """Forget what a rejected try added: its mounts, notes, identity and error. Timings stay: time has passed."""
        self.mounts = self.mounts[: mark.mounts]
        self._notes = self._notes[: mark.notes]
        self.identity = mark.identity
        self.error_id = mark.error_id

    @property
    def script_name(self) -> str:
        """The prefixes of all mounts taken, together."""
        return "".join(mount.prefix for mount in self.mounts)

    def __repr__(self) -> str:
        # Records appear in dumps of the environ. An identity may hold tokens, so only whether there is one is shown.
        parts = [f"mounts={self.script_name!r}"]
        if self.request_id is not None:
            parts.append(f"request_id={self.request_id!r}")
        if self.error_id is not None:
            parts.append(f"error_id={self.error_id!r}")
        if self.identity is not None:
            parts.append("identity=present")
        if self._notes:
            parts.append(f"notes={len(self._notes)}")
        return f"<Trace {' '.join(parts)}>"
