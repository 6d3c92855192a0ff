"""A record as a problem document (RFC 9457, ``application/problem+json``): for clients of APIs."""

from __future__ import annotations

import json
from typing import Any

from ..record import ErrorRecord, Frame, Raised
from .outline import branches

CONTENT_TYPE = "application/problem+json"
_MOST_FRAMES = 30
# JSON that some browser takes for HTML must still not be any.
_ESCAPES = {ord("<"): "\\u003c", ord(">"): "\\u003e", ord("&"): "\\u0026", 0x2028: "\\u2028", 0x2029: "\\u2029"}


def public_problem(record: ErrorRecord, detail: str) -> bytes:
    """What everybody may know: that it failed, the sentence of the site's owner, and the id to quote."""
    return _document(_outer(record, detail))


def debug_problem(record: ErrorRecord, instance: str = "") -> bytes:
    """The exception with its causes and frames, for who may see them; ``instance`` is where the error is kept.

    ``causes`` are all others of the tree, with their ``relation`` (cause, context, member) to the exception of the
    number ``of``: 0 is ``exception`` itself, the others count in the order of ``causes`` from 1.
    """
    document = _outer(record, record.headline)
    if instance:
        document["instance"] = instance
    document["group"] = record.group
    causes: list[dict[str, Any]] = []
    numbers: dict[int | None, int] = {}
    for branch in branches(record):
        numbers[branch.index] = len(numbers)
        if branch.index:
            relation = {"relation": branch.raised.relation, "of": numbers[branch.raised.parent]}
            causes.append({**relation, **_exception(branch.raised), "frames": _frames(branch.raised)})
        else:
            document["exception"] = _exception(branch.raised)
            document["frames"] = _frames(branch.raised)
    document["causes"] = causes
    return _document(document)


def _outer(record: ErrorRecord, detail: str) -> dict[str, Any]:
    return {
        "type": "about:blank",  # which makes the title the status phrase (section 4.2.1)
        "title": "Internal Server Error",
        "status": 500,
        "detail": detail,
        # A reference to the request's own address: it names this occurrence and leads nowhere (section 3.1.5).
        "instance": f"#{record.id}",
        "error_id": record.id,
    }


def _exception(raised: Raised) -> dict[str, Any]:
    found: dict[str, Any] = {"type": raised.type, "message": raised.message}
    if raised.notes:
        found["notes"] = list(raised.notes)
    if raised.suggestions:
        found["suggestions"] = list(raised.suggestions)
    return found


def _frames(raised: Raised) -> list[dict[str, Any]]:
    """The last frames, the most recent one at the end; values only of the one that matters most."""
    first = max(0, len(raised.frames) - _MOST_FRAMES)
    return [
        _frame(frame, focus=index == raised.focus)
        for index, frame in enumerate(raised.frames)
        if (index >= first or index == raised.focus) and not (frame.hidden and index != raised.focus)
    ]


def _frame(frame: Frame, *, focus: bool) -> dict[str, Any]:
    found: dict[str, Any] = {"file": frame.file or frame.path, "line": frame.line, "function": frame.function}
    source = next((line.text.strip() for line in frame.lines if line.number == frame.line), "")
    if source:
        found["source"] = source
    found["own"] = frame.own
    if frame.package:
        found["package"] = frame.package
    if focus:
        found["focus"] = True
        found["variables"] = {each.name: each.text for each in (*frame.variables, *frame.expressions)}
    return found


def _document(document: dict[str, Any]) -> bytes:
    text = json.dumps(document, ensure_ascii=False, indent=1)
    return text.translate(_ESCAPES).encode("utf-8", "replace")  # a lone surrogate is no text
