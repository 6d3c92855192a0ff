"""Reports through the Sentry SDK that the program has set up.

The SDK makes an event of the exception, with all that the program has told it (release, user, breadcrumbs); what the
event says of the exception itself is then the record's, in which no secret stands. Its event has the group as
fingerprint and the ids as tags.
"""

from __future__ import annotations

import logging
from typing import Any

from ....protocol.wsgi import Environ
from ..record import ErrorRecord
from .logger_reporter import NAME
from .sentry_event import exceptions_of, frames_of, without_secrets

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
            frames = frames_of(record.raised)
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

    def rewrite(event: dict[str, Any], hint: dict[str, Any]) -> dict[str, Any]:
        # Called before the SDK's own scrubbers, which look at the names of keys alone.
        if "exception" in event:
            event["exception"] = exceptions_of(record)
        return without_secrets(event)

    scope.add_event_processor(rewrite)
