"""What an engine is doing at one moment, as data that JSON takes.

The schema, version 1::

    version      1
    progress     grows for as long as there is a thread that leads
    threads      a list, for each thread:
        name, ident, state (idle, leading, busy, hung)
        age      seconds that its request has been running, or null
        method, path   of that request, or null
        requests       that it has run
    waiting      requests that wait for a thread
    oldest_waiting   seconds that the first of them has waited, or null
    connections  their number by state: idle, head, body, running, writing, lingering, handshake, introduction
    counters     requests, connections, refused (by rule)
    settings     threads, waiting and connections (the limits)
    stopping     whether it was told to stop
    wants_replacement   why another process should take over, or null
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from .connection import STATE_NAMES

if TYPE_CHECKING:
    from .engine import Engine
    from .worker_thread import WorkerThread

VERSION = 1


def snapshot_of(engine: Engine) -> dict[str, Any]:
    """Take a snapshot, from any thread and without stopping anything: figures may be some microseconds apart."""
    now = engine.clock()
    threads = [_thread(thread, now, engine) for thread in list(engine.crew.threads)]
    states = Counter(STATE_NAMES[connection.state] for connection in list(engine.connections.open.values()))
    limits = engine.settings.limits
    return {
        "version": VERSION,
        "progress": engine.looks + engine.crew.turn,
        "threads": threads,
        "waiting": len(engine.crew.waiting),
        "oldest_waiting": engine.exchange.oldest_waiting(now),
        "connections": dict(states),
        "counters": {
            "requests": sum(thread["requests"] for thread in threads),
            "connections": engine.connections.accepted,
            "refused": dict(engine.refusals),
        },
        "settings": {
            "threads": engine.settings.threads,
            "waiting": limits.waiting,
            "connections": limits.connections,
        },
        "stopping": engine.stopping is not None,
        "wants_replacement": engine.wants_replacement,
    }


def _thread(thread: WorkerThread, now: float, engine: Engine) -> dict[str, Any]:
    started, request = thread.started, thread.request
    environ = None if request is None else request[0]
    age = now - started if started else None
    if age is None:
        state = "leading" if thread.leading else "idle"
    else:
        state = "hung" if age > engine.settings.deadlines.hung else "busy"
    return {
        "name": thread.name,
        "ident": thread.ident,
        "state": state,
        "age": None if age is None else round(age, 3),
        "method": None if environ is None else environ.get("REQUEST_METHOD"),
        "path": None if environ is None else f"{environ.get('SCRIPT_NAME', '')}{environ.get('PATH_INFO', '')}",
        "requests": thread.served,
    }
