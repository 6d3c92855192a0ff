"""What a composition has built, and its end: ``close()`` of each app and filter that has one, the last built first.

``atexit`` would not do. A reload swaps an app out of a process that goes on; a process that has only preloaded an app
for its workers would run the handlers of what it never used; when they run, the interpreter starts no threads any more
and its executors take no work, so that a queue can no longer be flushed; and a handler that hangs keeps the process.

Closed is what factories have made. An object that a module holds (:func:`lend`) is that module's, which may be asked
for it again.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
import weakref
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

PATIENCE = 10.0
"""Seconds that the ``close()`` of all that was built may take together; what hangs then is left behind."""

_LEAST = 0.05

_recording: ContextVar[Built | None] = ContextVar("wheatpaste_recording", default=None)
_living: weakref.WeakSet[Built] = weakref.WeakSet()
_living_lock = threading.Lock()


class Built:
    """What was built, in that order, as far as it has an end.

    A factory that composes something by itself (``loadapp`` within a factory) leaves that with the composition that it
    was called for.
    """

    def __init__(self) -> None:
        self._things: dict[int, Any] = {}
        self._lent: dict[int, Any] = {}
        self._process = os.getpid()
        with _living_lock:
            _living.add(self)

    def add(self, thing: Any) -> None:
        """Remember an object, once, if it has a ``close()`` and is nobody else's."""
        if id(thing) not in self._lent and _has_end(thing):
            self._things.setdefault(id(thing), thing)

    def lend(self, thing: Any) -> None:
        """Never close this object."""
        self._lent[id(thing)] = thing

    def close(self, patience: float = PATIENCE) -> None:
        """Close each object once, the last one first, within ``patience`` seconds.

        What one of them raises is logged, and so is what does not return: a thread is left behind with it. An object
        that something else built in this process holds as well (a factory may return the same one each time) is closed
        with the last of them.
        """
        until = time.monotonic() + patience
        while self._things:
            try:
                _, thing = self._things.popitem()
            except KeyError:  # another thread is closing them, too
                return
            left = max(0.0, until - time.monotonic())
            if isinstance(thing, Built):
                thing.close(left)
            elif not self._is_shared(thing):
                # Half of the time, or one that hangs would take it from all others.
                _end(thing, max(_LEAST, left / 2 if self._things else left))

    def _is_shared(self, thing: Any) -> bool:
        with _living_lock:
            others = [each for each in _living if each is not self and each._process == os.getpid()]
        # What was built before a fork lives on in the process that built it, not in this one.
        return any(id(thing) in each._things for each in others)


@contextlib.contextmanager
def recording(into: Built) -> Iterator[None]:
    """Remember what is built meanwhile; what a build had made that fails is closed at once."""
    outer = _recording.get()
    built = Built()
    token = _recording.set(built)
    try:
        yield
    except BaseException:
        built.close()
        raise
    finally:
        _recording.reset(token)
    into.add(built)
    if outer is not None:
        outer._lent.update(built._lent)
        outer.add(built)


def remember(thing: Any) -> None:
    """Note that an app or filter was made, for the build that is going on."""
    built = _recording.get()
    if built is not None:
        built.add(thing)


def lend(thing: Any) -> None:
    """For a factory that returns what a module holds: it is not closed with what was built."""
    built = _recording.get()
    if built is not None:
        built.lend(thing)


def _has_end(thing: Any) -> bool:
    # Not by getattr: a wrapper that hands on every attribute would give out the close() of what it wraps.
    # And not of a class: those that are apps make a body for each request, and it is the body that has the close().
    if isinstance(thing, type):
        return False
    return callable(getattr(type(thing), "close", None)) or callable(getattr(thing, "__dict__", {}).get("close"))


def _end(thing: Any, patience: float) -> None:
    """Close one thing in a thread of its own, which can be left behind."""
    thread = threading.Thread(target=_close, args=(thing,), name="wheatpaste-close", daemon=True)
    try:
        thread.start()
    except RuntimeError:  # the interpreter is ending, and starts none
        _close(thing)
        return
    thread.join(patience)
    if thread.is_alive():
        _tell("%s: close() has not returned after %.1f seconds, and is left behind", _name(thing), patience)


def _close(thing: Any) -> None:
    try:
        result = thing.close()
    except BaseException:  # noqa: BLE001 - whatever it raises, sys.exit() too, the others have to be closed
        _tell("%s: close() failed", _name(thing), exc_info=True)
        return
    if hasattr(result, "cr_frame"):
        result.close()  # or Python warns that it was never awaited
        _tell("%s: close() is asynchronous, and nothing here awaits it", _name(thing))


def _name(thing: Any) -> str:
    """What it is; a repr may hold anything, and raise."""
    named = thing if hasattr(thing, "__qualname__") else type(thing)
    return f"{named.__module__}.{named.__qualname__}"


def _tell(message: str, *values: object, exc_info: bool = False) -> None:
    import logging  # five milliseconds, which `check` does not need

    logging.getLogger(__name__).error(message, *values, exc_info=exc_info)
