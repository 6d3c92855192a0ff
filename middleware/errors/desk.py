"""What happens to a failure, in order: it becomes a record, the client is answered, the record is kept and reported.

Whatever stands here may meet broken objects, full disks and reporters that raise. None of that reaches the request:
the fault is logged, once for each kind of fault, and the rest goes on.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import FrameType
from typing import Protocol, TextIO

from ...protocol.trace import KEY as TRACE
from ...protocol.trace import Trace
from ...protocol.wsgi import Environ
from .collect.capture import collect, collect_frame
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
"""Is shown the live exception beside its record, before anybody else is."""

OnFrames = Callable[[ErrorRecord, Mapping[str, FrameType], Environ], object]
"""Is given the live frames of an error by their ids, before the client is answered (the console)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Takes failures in. None of its methods raises."""

    collecting: Collecting = Collecting()
    keeper: Keeper | None = None
    reporters: Sequence[Reporter] = ()
    witnesses: Sequence[Witness] = ()
    on_frames: OnFrames | None = None
    clock: Callable[[], float] = time.time
    _faults: set[tuple[str, type]] = field(default_factory=set, repr=False)

    def collect(self, error: BaseException, environ: Environ, *, phase: Phase) -> ErrorRecord:
        """The record of a failure, whose id is from now on in the request's record."""
        live: dict[str, FrameType] | None = None if self.on_frames is None else {}
        try:
            record = collect(error, environ, settings=self.collecting, phase=phase, clock=self.clock, live=live)
        except Exception as fault:  # noqa: BLE001 - a fault of ours must not cost the operator the report
            record = self._least(error, phase, fault)
        trace: Trace | None = environ.get(TRACE)
        if isinstance(trace, Trace):
            trace.error_id = record.id
        if self.on_frames is not None:
            self._try(self.on_frames, record, live, environ)
        return record

    def report_slow(self, frame: FrameType, environ: Environ, seconds: float, thread: str) -> None:
        """Keep and report a request that is still running; see ``slow``."""
        message = f"{environ.get('REQUEST_METHOD', '')} {environ.get('PATH_INFO', '')} has run for {seconds:.1f} s"
        record = collect_frame(
            frame, environ, thread=thread, message=message, settings=self.collecting, clock=self.clock
        )
        self._pass_on(record)

    def deliver(self, record: ErrorRecord, error: BaseException, environ: Environ, *, sent: bool = False) -> None:
        """Keep and report a record that :meth:`collect` made; ``sent``: the client got part of another reply."""
        if sent:
            record = replace(record, sent=True)
        for witness in self.witnesses:
            self._try(witness, error, environ, record)
        self._pass_on(record)

    def _pass_on(self, record: ErrorRecord) -> None:
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
        except Exception as failure:  # noqa: BLE001 - who reports must not fail the request, nor keep others from it
            try:
                self._tell(getattr(action, "__qualname__", "a reporter"), failure)
            except Exception as fault:  # noqa: BLE001 - logging is configured by others, too
                _last_resort(sys.__stderr__, f"an error could not be reported: {type(fault).__name__}\n")

    def _tell(self, whom: str, failure: Exception) -> None:
        # A full disk fails each time: its traceback is of use once.
        kind = (whom, type(failure))
        if kind in self._faults:
            logger.error("an error could not be passed to %s: %s", whom, failure)
            return
        self._faults.add(kind)
        logger.error("an error could not be passed to %s", whom, exc_info=failure)

    def _least(self, error: BaseException, phase: Phase, fault: Exception) -> ErrorRecord:
        logger.error("an error could not be collected in full: %s", type(fault).__name__)
        kind = type(error)
        raised = Raised(type=f"{kind.__module__}.{kind.__qualname__}", message="")
        return ErrorRecord(id=new_id(), group="E-22222", time=self.clock(), phase=phase, exceptions=(raised,))


def _last_resort(stream: TextIO | None, text: str) -> None:
    if stream is not None:
        stream.write(text)
