"""A failure becomes a record, whatever its objects do.

``collect`` takes an exception, ``collect_frame`` a thread that is still running. Nothing that belongs to the app is
kept alive by a record.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import FrameType

from ....protocol.wsgi import Environ
from ..record import ErrorRecord, Phase, Raised
from .configuration import configuration_of
from .identity import fingerprint, new_id
from .layers import layers_among, layers_of
from .redaction import scrub
from .request import request_of
from .settings import Collecting
from .span import moved_spans
from .steps import steps_to
from .survey import Survey
from .texts import clean_line
from .tree import Branch, branches_of
from .values import Budget
from .versions import host_name, versions_of

_MOST_NAME = 200
_FEWEST_FRAMES = 6
_FRAMES_OF_ALL = 4  # times as many frames as one exception may have


def collect(
    error: BaseException,
    environ: Environ | None = None,
    *,
    settings: Collecting = Collecting(),  # noqa: B008 - it cannot be changed
    phase: Phase = "call",
    clock: Callable[[], float] = time.time,
    live: dict[str, FrameType] | None = None,
) -> ErrorRecord:
    """The record of an exception, and of the request if ``environ`` is given.

    ``live`` is filled with the frames themselves, by the ids that pages use: ``0.3`` for the fourth frame of the first
    exception.
    """
    budget = Budget(settings)
    try:
        survey = Survey(settings, budget)
        branches, omitted = branches_of(error, settings.most_exceptions)
        raised = _all_raised(branches, survey, settings.most_frames)
        if live is not None:
            live.update(_live(branches, raised, survey))
        record = _record(raised, omitted, survey, budget, phase, clock())
        if environ is not None:
            record = _with_request(record, environ, budget, error)
        return _without_secrets(record, budget)
    finally:
        budget.close()


def collect_frame(
    frame: FrameType,
    environ: Environ | None = None,
    *,
    thread: str = "",
    message: str = "",
    settings: Collecting = Collecting(),  # noqa: B008 - it cannot be changed
    clock: Callable[[], float] = time.time,
) -> ErrorRecord:
    """The record of a request that is still running, where ``frame`` is the innermost of its thread.

    Its one exception is called ``SlowRequest``, its message says what is wrong, such as how long it has been running.
    ``thread`` is the name of that thread, where it is not the one that asks.
    """
    budget = Budget(settings)
    try:
        survey = Survey(settings, budget)
        steps = steps_to(frame)
        raised = (survey.running(steps, "SlowRequest", message),)
        record = _record(raised, 0, survey, budget, "slow", clock(), thread)
        if environ is not None:
            record = replace(_with_request(record, environ, budget), filters=layers_among(each.frame for each in steps))
        return _without_secrets(record, budget)
    finally:
        budget.close()


def _all_raised(branches: list[Branch], survey: Survey, most_frames: int) -> tuple[Raised, ...]:
    """The arrived exception and its root cause first, so that they get their share of what there is to spend."""
    fewer = min(most_frames, max(_FRAMES_OF_ALL * most_frames // len(branches), _FEWEST_FRAMES))
    first = [0, _root_of(branches)]
    order = dict.fromkeys((*first, *range(len(branches))))
    found = {index: survey.raised(branches[index], most_frames if index in first else fewer) for index in order}
    return tuple(found[index] for index in range(len(branches)))


def _live(branches: list[Branch], raised: tuple[Raised, ...], survey: Survey) -> Iterator[tuple[str, FrameType]]:
    for index, (branch, each) in enumerate(zip(branches, raised, strict=True)):
        frames = survey.live.get(id(branch.error), [])
        if len(frames) == len(each.frames):  # a decorator may have changed what is shown
            yield from ((f"{index}.{place}", frame) for place, frame in enumerate(frames) if frame is not None)


def _root_of(branches: list[Branch]) -> int:
    root = 0
    for index, branch in enumerate(branches):
        if branch.parent == root and branch.relation != "member" and not branch.suppressed:
            root = index
    return root


def _record(
    raised: tuple[Raised, ...], omitted: int, survey: Survey, budget: Budget, phase: Phase, now: float, thread: str = ""
) -> ErrorRecord:
    return ErrorRecord(
        id=new_id(),
        group=fingerprint(raised),
        time=now,
        phase=phase,
        exceptions=raised,
        omitted_exceptions=omitted,
        versions=versions_of(survey.distributions),
        pid=os.getpid(),
        thread=clean_line(thread or threading.current_thread().name, _MOST_NAME),
        host=host_name(),
    )


def _with_request(
    record: ErrorRecord, environ: Environ, budget: Budget, error: BaseException | None = None
) -> ErrorRecord:
    return replace(
        record,
        request=request_of(environ, budget, error),
        config=configuration_of(environ, budget),
        filters=() if error is None else layers_of(error),
    )


def _without_secrets(record: ErrorRecord, budget: Budget) -> ErrorRecord:
    """A secret that was met anywhere is hidden everywhere, which moves what stands behind it in its line."""
    return moved_spans(record, scrub(record, budget.known))
