"""What each thread is at."""

from __future__ import annotations

import gc
import sys
from types import FrameType


def current_frames() -> dict[int, FrameType]:
    """The frame that each thread is at now, by its identifier (``sys._current_frames``).

    Without a collection of garbage meanwhile: CPython holds a lock that the end of a ``threading.local`` wants, too, so
    that one which is collected just then would stop the process for ever.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        return sys._current_frames()
    finally:
        if was_on:
            gc.enable()
