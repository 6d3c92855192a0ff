"""Reports on the error stream of the server, ``wsgi.errors``."""

from __future__ import annotations

from ....protocol.wsgi import Environ
from ..record import ErrorRecord
from ..render.text import as_text
from .logger_reporter import is_heard


class StreamReporter:
    """Writes whole reports to ``wsgi.errors``: all with ``always``, otherwise those that the log would swallow."""

    def __init__(self, *, always: bool = False) -> None:
        self._always = always

    def witness(self, error: BaseException, environ: Environ, record: ErrorRecord) -> None:
        """Write one report to the stream of its request."""
        stream = environ.get("wsgi.errors")
        if stream is not None and (self._always or not is_heard()):
            stream.write(as_text(record))
            stream.flush()
