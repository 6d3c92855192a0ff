"""Reporters of others: any object with ``report(record)``, called on a thread of its own."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from typing import Any

from ....config.values import import_object
from ...delivery.queue import DeliveryQueue
from ..record import ErrorRecord


class ForeignReporter:
    """Passes records to somebody else's reporter, who may be slow, and may raise: then the record is passed again."""

    def __init__(self, reporter: Any, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._reporter = reporter
        name = getattr(reporter, "__name__", None) or type(reporter).__qualname__
        self._queue: DeliveryQueue[ErrorRecord] = DeliveryQueue(reporter.report, f"errors to {name}", clock=clock)

    def report(self, record: ErrorRecord) -> None:
        """Let one record be passed on."""
        self._queue.put(record)

    def close(self) -> None:
        """Pass on what waits, and close the other reporter if it can be."""
        self._queue.close()
        close = getattr(self._reporter, "close", None)
        if callable(close):
            close()


def reporter_of(given: Any) -> Any:
    """The object with ``report(record)`` that is meant: itself, what a class or a function makes, or ``module:name``.

    Raises ``ValueError`` with a phrase if there is none, and whatever the class or function raises.
    """
    if isinstance(given, str):
        try:
            given = import_object(given)
        except (ImportError, AttributeError) as error:
            raise ValueError(f"{given!r} cannot be imported ({type(error).__name__}: {error})") from error
    made = given
    if inspect.isclass(given) or (callable(given) and not callable(getattr(given, "report", None))):
        made = given()
    if not callable(getattr(made, "report", None)):
        raise ValueError(f"{getattr(given, '__name__', made)!r} has no report(record)")
    return made
