"""The end of a forked process: what the interpreter does at exit, without the frames of the process that forked it."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
import threading
from typing import NoReturn

MOST = 10
"""Seconds that exit handlers and threads of an app may take."""


def leave(code: int) -> NoReturn:
    """End this process: wait for its threads (not for daemons), run exit handlers, flush. Does not return."""
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(MOST)
        # As the interpreter does, and multiprocessing's children do. An app's library may rely on both.
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)
