"""What is known of a site and its processes at one moment, as data that JSON takes.

The schema, version 1::

    version     1
    state       starting, serving, reloading or draining
    pid         of the parent, or of the one process
    parent      whether there is a parent
    generation  how often the configuration was taken up
    started     seconds since 1970
    uptime      seconds
    listening   URLs or addresses
    wanted      how many workers there should be
    totals      sums over the processes: threads, busy, hung, waiting, connections, requests
    processes   a list, for each one:
        pid, state (starting, ready, draining), generation, age (seconds)
        silent      seconds since it last said that it goes on
        leaving     why it is being replaced, or null
        memory      bytes, or null where that is not known
        engine      the snapshot of its engine, or null where it did not answer in time
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

from .lines import Message
from .memory import resident
from .report import report_of

VERSION = 1


def site_snapshot(
    *,
    state: str,
    pid: int,
    parent: bool,
    generation: int,
    started: float,
    now: float,
    listening: Sequence[str],
    wanted: int,
    totals: Message,
    processes: Sequence[Message],
) -> Message:
    """Put a snapshot together."""
    return {
        "version": VERSION,
        "state": state,
        "pid": pid,
        "parent": parent,
        "generation": generation,
        "started": started,
        "uptime": round(now - started, 3),
        "listening": list(listening),
        "wanted": wanted,
        "totals": totals,
        "processes": list(processes),
    }


def one_process(
    engine: Message, *, state: str, generation: int, started: float, listening: Sequence[str], silent: float
) -> Message:
    """The snapshot of a service that is this process alone; ``engine`` is that of its engine."""
    now = time.time()
    totals = report_of(engine)
    del totals["progress"]
    process = {
        "pid": os.getpid(),
        "state": "draining" if state == "draining" else "ready",
        "generation": generation,
        "age": round(now - started, 3),
        "silent": silent,
        "leaving": None,
        "memory": resident(os.getpid()),
        "engine": engine,
    }
    return site_snapshot(
        state=state,
        pid=os.getpid(),
        parent=False,
        generation=generation,
        started=started,
        now=now,
        listening=listening,
        wanted=1,
        totals=totals,
        processes=[process],
    )
