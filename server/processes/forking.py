"""The moment in which a worker process comes to be."""

from __future__ import annotations

import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Collection
from typing import NoReturn

from .generation import Generation
from .leave import leave
from .worker import Worker


def fork_worker(
    generation: Generation,
    signals: Collection[signal.Signals],
    let_go: Callable[[], object],
    reopen: Callable[[], object],
) -> tuple[int, socket.socket]:
    """Fork a worker of a generation; returns its number and the parent's end of their link. Raises ``OSError``.

    ``signals`` are those that the parent handles: none of them is lost in the new process, and none handled there as
    in the parent. ``let_go`` is called in the new process first, to close what is the parent's or a sibling's;
    ``reopen`` opens log files anew. The caller must have no threads.
    """
    ours, theirs = socket.socketpair()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()  # or both processes would write what is in it
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        pid = os.fork()
        if pid == 0:
            _work(generation, signals, let_go, reopen, ours, theirs)
    except OSError:
        ours.close()
        raise
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
        theirs.close()
    return pid, ours


def _work(
    generation: Generation,
    signals: Collection[signal.Signals],
    let_go: Callable[[], object],
    reopen: Callable[[], object],
    ours: socket.socket,
    theirs: socket.socket,
) -> NoReturn:
    code = 1
    try:
        ours.close()
        for number in signals:
            signal.signal(number, signal.SIG_DFL)
        let_go()
        worker = Worker(theirs, reopen)
        worker.start()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
        code = generation.work(worker)
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    except BaseException:  # noqa: BLE001 - the frames below are the parent's, and must never go on here
        traceback.print_exc()
    finally:
        leave(code)
