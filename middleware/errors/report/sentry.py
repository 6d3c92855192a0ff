"""Reports through the Sentry SDK that the program has set up.

The SDK is shown the live exception, because it knows more than a record; what it has made of it is redacted before it
leaves. Its event has the group as fingerprint and the ids as tags.
"""

from __future__ import annotations

import logging
from typing import Any

from ....protocol.redact import redact, redact_text
from ....protocol.wsgi import Environ
from ..record import ErrorRecord
from .logger_reporter import NAME

logger = logging.getLogger(__name__)


class SentryReporter:
    """Captures exceptions, and slow requests, with the Sentry SDK, once ``sentry_sdk.init`` has been called."""

    def __init__(self) -> None:
        self._ready = False
        self._absent = False

    def witness(self, error: BaseException, environ: Environ, record: ErrorRecord) -> None:
        """Capture the exception of a record."""
        if not self._can():
            return
        import sentry_sdk

        with sentry_sdk.new_scope() as scope:
            _describe(scope, record)
            sentry_sdk.capture_exception(error)

    def report(self, record: ErrorRecord) -> None:
        """Capture a record that has no exception: a request that takes long."""
        if record.phase != "slow" or not self._can():
            return
        import sentry_sdk

        with sentry_sdk.new_scope() as scope:
            _describe(scope, record)
            frames = [
                {"filename": frame.file, "abs_path": frame.path, "function": frame.function, "lineno": frame.line}
                | {"in_app": frame.own, "vars": {each.name: each.text for each in frame.variables}}
                for frame in record.raised.frames
            ]
            sentry_sdk.capture_event(
                {
                    "level": "warning",
                    "message": record.headline,
                    "threads": {"values": [{"name": record.thread, "stacktrace": {"frames": frames}}]},
                }
            )

    def close(self) -> None:
        """Send what the SDK has not sent yet, for two seconds."""
        if self._ready:
            import sentry_sdk

            sentry_sdk.flush(timeout=2.0)

    def _can(self) -> bool:
        try:
            import sentry_sdk
        except ImportError:
            self._say("sentry-sdk is not installed: pip install sentry-sdk")
            return False
        if not sentry_sdk.get_client().is_active():
            self._say("the program has not called sentry_sdk.init yet")
            return False
        if not self._ready:
            from sentry_sdk.integrations.logging import ignore_logger

            ignore_logger(NAME)  # or each error would arrive twice: by this, and as the line in the log
            self._ready = True
        return True

    def _say(self, why: str) -> None:
        if not self._absent:
            self._absent = True
            logger.error("errors to Sentry: none is sent, because %s", why)


def _describe(scope: Any, record: ErrorRecord) -> None:
    scope.fingerprint = [record.group]
    scope.set_tag("error_id", record.id)
    scope.set_tag("error_group", record.group)
    scope.set_tag("error_phase", record.phase)
    if record.request is not None and record.request.request_id:
        scope.set_tag("request_id", record.request.request_id)
    scope.add_event_processor(_redacted)


def _redacted(event: dict[str, Any], hint: dict[str, Any]) -> dict[str, Any]:
    """The event without secrets. Called before the SDK's own scrubbers, which look at the names of keys alone."""
    for name in ("request", "extra", "contexts", "user", "tags", "breadcrumbs"):
        if name in event:
            event[name] = _clean(event[name])
    for kind in ("exception", "threads"):
        for value in (event.get(kind) or {}).get("values") or ():
            if isinstance(value.get("value"), str):
                value["value"] = redact_text(value["value"])
            for frame in (value.get("stacktrace") or {}).get("frames") or ():
                if "vars" in frame:
                    frame["vars"] = _clean(frame["vars"])
                for part in ("context_line", "pre_context", "post_context"):
                    if part in frame:
                        frame[part] = _clean(frame[part])
    for name in ("message", "transaction"):
        if isinstance(event.get(name), str):
            event[name] = redact_text(event[name])
    return event


def _clean(value: Any) -> Any:
    if isinstance(value, dict) and isinstance(value.get("values"), list):
        return {**value, "values": [_clean(each) for each in value["values"]]}
    if isinstance(value, dict) and "timestamp" in value:  # a breadcrumb, whose time must stay one
        return {**redact({key: each for key, each in value.items() if key != "timestamp"}, depth=20)} | {
            "timestamp": value["timestamp"]
        }
    return redact(value, depth=20)
