"""Reports in the log: the one place where a traceback is logged."""

from __future__ import annotations

import logging
from textwrap import indent

from ..record import ErrorRecord
from ..render.log_line import as_line
from ..render.text import as_text

NAME = __package__.rpartition(".")[0]  # wheatpaste.middleware.errors
logger = logging.getLogger(NAME)


class LoggerReporter:
    """Logs each record at ERROR: its line, and below it, indented, its text.

    Log records have ``error_id``, ``error_group`` and ``error`` (the ``ErrorRecord``) for handlers that want more.
    """

    def report(self, record: ErrorRecord) -> None:
        """Log one record."""
        # Nothing in the text begins a line, so that no message can pretend to be another entry.
        told = {"error_id": record.id, "error_group": record.group, "error": record}
        logger.error("%s\n%s", as_line(record), indent(as_text(record), "  ").rstrip("\n"), extra=told)


def is_heard() -> bool:
    """Whether anybody listens: configurations of logging turn off the loggers that they do not know."""
    return logger.isEnabledFor(logging.ERROR) and (logger.hasHandlers() or logging.lastResort is not None)
