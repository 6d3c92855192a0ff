"""A failure becomes a record, whatever its objects do."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

from ....protocol.redact import redact_text
from ....protocol.wsgi import Environ
from ..record import ErrorRecord, Frame, Phase, Raised
from .identity import fingerprint, new_id
from .settings import Collecting


def collect(
    error: BaseException,
    environ: Environ | None = None,
    *,
    settings: Collecting = Collecting(),  # noqa: B008 - it cannot be changed
    phase: Phase = "call",
    clock: Callable[[], float] = time.time,
) -> ErrorRecord:
    """The record of an exception, and of the request if ``environ`` is given. Never raises."""
    frames = []
    step = error.__traceback__
    while step is not None:
        code = step.tb_frame.f_code
        frames.append(
            Frame(path=code.co_filename, file=code.co_filename, function=code.co_qualname, line=step.tb_lineno)
        )
        step = step.tb_next
    kind = type(error)
    raised = Raised(
        type=f"{kind.__module__}.{kind.__qualname__}",
        message=redact_text(str(error)),
        frames=tuple(frames),
        focus=len(frames) - 1 if frames else None,
    )
    return ErrorRecord(
        id=new_id(),
        group=fingerprint((raised,)),
        time=clock(),
        phase=phase,
        exceptions=(raised,),
        pid=os.getpid(),
        thread=threading.current_thread().name,
    )
