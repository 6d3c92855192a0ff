"""What happens to a failure, in order: it becomes a record, the client is answered, the record is kept and reported.

Whatever stands here may meet broken objects, full disks and reporters that raise. None of that reaches the request:
the fault is logged, once for each kind of fault, and the rest goes on.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TextIO

from ...protocol.trace import KEY as TRACE
from ...protocol.trace import Trace
from ...protocol.wsgi import Environ
from .collect.capture import collect
from .collect.identity import new_id
from .collect.settings import Collecting
from .record import ErrorRecord, Phase, Raised

logger = logging.getLogger(__name__)


class Reporter(Protocol):
    """Anything that carries records to somebody. It is called on the thread of the request: what may wait, queues.

    A reporter may have ``close()``, which sends what is left.
    """

    def report(self, record: ErrorRecord, /) -> object:
        """Carry one record."""


class Keeper(Protocol):
    """Anything that keeps records."""

    def add(self, record: ErrorRecord, /) -> object:
        """Keep one record."""


Witness = Callable[[BaseException, Environ, ErrorRecord], object]
"""Is shown the live exception beside its record, before anybody else is (the console, the replay)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Takes failures in. None of its methods raises."""

    collecting: Collecting = Collecting()
    keeper: Keeper | None = None
    reporters: Sequence[Reporter] = ()
    witnesses: Sequence[Witness] = ()
    clock: Callable[[], float] = time.time

    def collect(self, error: BaseException, environ: Environ, *, phase: Phase) -> ErrorRecord:
        """The record of a failure, whose id is from now on in the request's record."""
        try:
            record = collect(error, environ, settings=self.collecting, phase=phase, clock=self.clock)
        except Exception as fault:  # noqa: BLE001 - a fault of ours must not cost the operator the report
            record = self._least(error, phase, fault)
        trace: Trace | None = environ.get(TRACE)
        if isinstance(trace, Trace):
            trace.error_id = record.id
        return record

    def deliver(self, record: ErrorRecord, error: BaseException, environ: Environ, *, sent: bool = False) -> None:
        """Keep and report a record that :meth:`collect` made; ``sent``: the client got part of another reply."""
        if sent:
            record = replace(record, sent=True)
        for witness in self.witnesses:
            self._try(witness, error, environ, record)
        if self.keeper is not None:
            self._try(self.keeper.add, record)
        for reporter in self.reporters:
            self._try(reporter.report, record)

    def close(self) -> None:
        """Let reporters send what is left, and the keeper let go."""
        for each in (*self.reporters, self.keeper):
            close = getattr(each, "close", None)
            if close is not None:
                self._try(close)

    def _try(self, action: Callable[..., object], *arguments: object) -> None:
        try:
            action(*arguments)
        except Exception:  # noqa: BLE001 - whoever reports must not fail the request, nor keep others from reporting
            try:
                logger.exception("an error could not be passed to %s", getattr(action, "__qualname__", "a reporter"))
            except Exception as fault:  # noqa: BLE001 - logging is configured by others, too
                _last_resort(sys.__stderr__, f"an error could not be reported: {type(fault).__name__}\n")

    def _least(self, error: BaseException, phase: Phase, fault: Exception) -> ErrorRecord:
        logger.error("an error could not be collected in full: %s", type(fault).__name__)
        kind = type(error)
        raised = Raised(type=f"{kind.__module__}.{kind.__qualname__}", message="")
        return ErrorRecord(id=new_id(), group="E-22222", time=self.clock(), phase=phase, exceptions=(raised,))


def _last_resort(stream: TextIO | None, text: str) -> None:
    if stream is not None:
        stream.write(text)
