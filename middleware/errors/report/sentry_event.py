"""A record in the words of a Sentry event, and what else an event holds, without secrets."""

from __future__ import annotations

from typing import Any

from ....protocol.redact import redact
from ....protocol.secret_texts import redact_text
from ..collect.redaction import scrub_data
from ..record import ErrorRecord, Frame, Raised

_DATA = ("request", "extra", "contexts", "user", "tags", "breadcrumbs")
_TEXTS = ("message", "transaction")
_SOURCES = {"cause": "__cause__", "context": "__context__"}


def exceptions_of(record: ErrorRecord) -> dict[str, Any]:
    """The tree of exceptions, the one that arrived last, as Sentry wants it."""
    values = [_value(record, index, raised) for index, raised in enumerate(record.exceptions)]
    return {"values": values[::-1]}


def frames_of(raised: Raised) -> list[dict[str, Any]]:
    """The frames of a traceback, the last call last."""
    return [_frame(frame) for frame in raised.frames]


def without_secrets(event: dict[str, Any]) -> dict[str, Any]:
    """What the program and the SDK have put into an event besides the exception, as it may be sent."""
    kept = {name: event[name] for name in (*_DATA, *_TEXTS) if name in event}
    # First what is quoted elsewhere, as long as it stands behind its names.
    for name, value in scrub_data(kept).items():
        event[name] = redact_text(value) if isinstance(value, str) else _clean(value)
    return event


def _value(record: ErrorRecord, index: int, raised: Raised) -> dict[str, Any]:
    mechanism: dict[str, Any] = {"type": "chained" if index else "generic", "handled": True, "exception_id": index}
    if raised.parent is not None:
        mechanism["parent_id"] = raised.parent
        siblings = [place for place, each in enumerate(record.exceptions) if each.parent == raised.parent]
        mechanism["source"] = _SOURCES.get(raised.relation, f"exceptions[{siblings.index(index)}]")
    if raised.group:
        mechanism["is_exception_group"] = True
    module = raised.type.rpartition(".")[0]
    value = {"type": raised.name, "module": module or None, "value": raised.message, "mechanism": mechanism}
    return {**value, "stacktrace": {"frames": frames_of(raised)}} if raised.frames else value


def _frame(frame: Frame) -> dict[str, Any]:
    lines = {line.number: line.text for line in frame.lines}
    found: dict[str, Any] = {
        "filename": frame.file,
        "abs_path": frame.path,
        "function": frame.function,
        "module": frame.module or None,
        "lineno": frame.line,
        "in_app": frame.own,
        "vars": {each.name: each.text for each in frame.variables},
    }
    if frame.line in lines:
        found["pre_context"] = [text for number, text in lines.items() if number < frame.line]
        found["context_line"] = lines[frame.line]
        found["post_context"] = [text for number, text in lines.items() if number > frame.line]
    return found


def _clean(value: Any) -> Any:
    if isinstance(value, dict) and isinstance(value.get("values"), list):
        return {**value, "values": [_clean(each) for each in value["values"]]}
    if isinstance(value, dict) and "timestamp" in value:  # a breadcrumb, whose time must stay one
        rest = {key: each for key, each in value.items() if key != "timestamp"}
        return {**redact(rest, depth=20), "timestamp": value["timestamp"]}
    return redact(value, depth=20)
