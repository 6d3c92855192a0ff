"""The signals that end a server which is alone in its process, whichever engine it has."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def stopped_by_signals(stop: Callable[..., object]) -> Iterator[None]:
    """SIGTERM and Ctrl-C call ``stop(force=False)``; a second Ctrl-C calls ``stop(force=True)``.

    Only the main thread may listen to signals; in another one nothing happens. Afterwards the handlers are as before.
    Raises ``KeyboardInterrupt`` after a second Ctrl-C.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    interrupts = 0

    def on_signal(number: int, frame: object) -> None:
        nonlocal interrupts
        if number == signal.SIGINT:
            interrupts += 1
        stop(force=interrupts > 1)

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if interrupts > 1:
        raise KeyboardInterrupt
