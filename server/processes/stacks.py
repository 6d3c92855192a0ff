"""Where each thread of this process is, as data."""

from __future__ import annotations

import threading
import traceback

from ...protocol.frames import current_frames
from .lines import Message

_DEEPEST = 60


def stacks_of_threads() -> list[Message]:
    """For each thread its ``name``, whether it is a ``daemon``, and its ``stack``: lines, the latest call last."""
    frames = current_frames()
    found: list[Message] = []
    for thread in threading.enumerate():
        frame = frames.get(thread.ident or 0)
        stack = traceback.format_stack(frame)[-_DEEPEST:] if frame is not None else []
        lines = "".join(stack).splitlines()
        found.append({"name": thread.name, "daemon": thread.daemon, "stack": lines})
    return found
