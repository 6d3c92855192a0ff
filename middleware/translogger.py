"""Log each request in Apache's combined format, under the options of the old filter.

Where in the stack: outermost, around everything whose answers are to be counted. A line is written when the response is
closed, with the status and the bytes that were really sent. The client is ``REMOTE_ADDR`` and never what a header says:
behind a proxy, put the ``prefix`` filter with ``trusted_proxies`` inside this one.

Writes no key of the environ.
"""

from __future__ import annotations

import logging
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Literal, TextIO

from ..config.factories import make_filter_factory
from ..config.options import component, not_empty, option
from ..config.records import field
from ..protocol.bodies import on_close
from ..protocol.paths import uri_path
from ..protocol.wsgi import Body, Environ, ExcInfo, Headers, StartResponse, Write, WSGIApp

COMBINED = (
    '%(REMOTE_ADDR)s - %(REMOTE_USER)s [%(time)s] "%(REQUEST_METHOD)s %(REQUEST_URI)s %(HTTP_VERSION)s" '
    '%(status)s %(bytes)s "%(HTTP_REFERER)s" "%(HTTP_USER_AGENT)s"'
)
_KEYS = (
    "REMOTE_ADDR",
    "REMOTE_USER",
    "time",
    "REQUEST_METHOD",
    "REQUEST_URI",
    "HTTP_VERSION",
    "status",
    "bytes",
    "HTTP_REFERER",
    "HTTP_USER_AGENT",
)
# Not strftime's %b, which speaks the language of the process.
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

Level = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]


def _format_complaint(template: str) -> str | None:
    try:
        template % dict.fromkeys(_KEYS, "")
    except KeyError as error:
        return f"has no key {error.args[0]!r}; there are {', '.join(_KEYS)}"
    except (TypeError, ValueError) as error:
        return f"cannot be filled in ({error}); each key is written %(key)s"
    return None


@component
class TransLogger:
    """Log each request in Apache's combined format."""

    app: WSGIApp = field(kw_only=False)
    logger_name: str = option(default="wsgi", doc="Name of the logger that gets the lines.", check=not_empty)
    format: str = option(
        default=COMBINED,
        doc=f"The line, with these keys as %(key)s (in an INI each % is doubled): {', '.join(_KEYS)}.",
        check=_format_complaint,
        parse=lambda text: text.strip() or COMBINED,
    )
    logging_level: Level = option(default="INFO", doc="Level of the lines.")
    setup_console_handler: bool = option(
        default=True, doc="Whether the logger prints to stderr, and nothing passes to the loggers above it."
    )
    set_logger_level: Level | None = option(
        default="DEBUG", doc="Level that the logger is set to at the start; empty leaves it alone."
    )
    clock: Callable[[], float] = field(default=time.time, repr=False)
    _logger: logging.Logger = field(init=False, repr=False, default=logging.root)
    _level: int = field(init=False, repr=False, default=0)

    def __post_init__(self) -> None:
        logger = logging.getLogger(self.logger_name)
        object.__setattr__(self, "_logger", logger)
        object.__setattr__(self, "_level", logging.getLevelNamesMapping()[self.logging_level])
        if self.setup_console_handler:
            if not any(isinstance(handler, _Console) for handler in logger.handlers):
                logger.addHandler(_Console())
            logger.propagate = False
        if self.set_logger_level is not None:
            logger.setLevel(self.set_logger_level)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Body:
        """Call the app, and log the request when its response is closed."""
        if not self._logger.isEnabledFor(self._level):
            return self.app(environ, start_response)
        entry = _Entry(self, environ)

        def start(status: str, headers: Headers, exc_info: ExcInfo | None = None, /) -> Write:
            write = start_response(status, headers) if exc_info is None else start_response(status, headers, exc_info)
            entry.started(status, headers)

            def counted(data: bytes) -> object:
                entry.sent += len(data)
                return write(data)

            return counted

        try:
            body = self.app(environ, start)
        except BaseException:
            entry.failed()
            raise
        wrapper = environ.get("wsgi.file_wrapper")
        if isinstance(wrapper, type) and type(body) is wrapper:
            # The server may send the file by itself, where no one can count: its announced length must do.
            return on_close(environ, body, entry.log_announced)
        return (_SizedBody if hasattr(body, "__len__") else _Body)(body, entry)

    def write(self, values: dict[str, str]) -> None:
        """Log one request, given the value of each key as text."""
        self._logger.log(self._level, "%s", self.format % {key: escape(value) for key, value in values.items()})


class _Entry:
    """What becomes known of one request."""

    def __init__(self, log: TransLogger, environ: Environ) -> None:
        self._log = log
        self._environ = environ
        self._time = log.clock()
        # Layers below may move the prefix and the path.
        self._uri = _uri(environ)
        self._method: str = environ["REQUEST_METHOD"]
        self._status = ""
        self._length: str | None = None
        self._logged = False
        self.sent = 0

    def started(self, status: str, headers: Headers) -> None:
        self._status = status.partition(" ")[0]
        self._length = next((value for name, value in headers if name.lower() == "content-length"), None)

    def failed(self) -> None:
        """Log a request whose app raised: while nothing was sent, servers answer 500."""
        if not self.sent:
            self._status = "500"
        self.log()

    def log_announced(self) -> None:
        self._write(self._length)

    def log(self) -> None:
        self._write(str(self.sent) if self.sent else None)

    def _write(self, size: str | None) -> None:
        if self._logged:
            return
        self._logged = True
        environ = self._environ
        sends_none = self._method == "HEAD" or self._status in ("204", "304")
        self._log.write(
            {
                "REMOTE_ADDR": environ.get("REMOTE_ADDR") or "-",
                "REMOTE_USER": environ.get("REMOTE_USER") or "-",
                "time": timestamp(self._time),
                "REQUEST_METHOD": self._method,
                "REQUEST_URI": self._uri,
                "HTTP_VERSION": environ.get("SERVER_PROTOCOL") or "-",
                "status": self._status or "-",
                "bytes": "-" if size is None or sends_none else size,
                "HTTP_REFERER": environ.get("HTTP_REFERER", "-"),
                "HTTP_USER_AGENT": environ.get("HTTP_USER_AGENT", "-"),
            }
        )


class _Body:
    """A body whose bytes are counted."""

    __slots__ = ("_body", "_entry", "_iterator")

    def __init__(self, body: Body, entry: _Entry) -> None:
        self._body = body
        self._entry = entry
        self._iterator: Iterator[bytes] | None = None

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            if self._iterator is None:
                self._iterator = iter(self._body)
            chunk = next(self._iterator)
        except StopIteration:
            raise
        except BaseException:
            self._entry.failed()
            raise
        self._entry.sent += len(chunk)
        return chunk

    def close(self) -> None:
        close: Callable[[], object] | None = getattr(self._body, "close", None)
        try:
            if close is not None:
                close()
        finally:
            self._entry.log()


class _SizedBody(_Body):
    __slots__ = ()

    def __len__(self) -> int:
        return len(self._body)  # type: ignore[arg-type]  # chosen only for bodies that have a length


class _Console(logging.StreamHandler[TextIO]):
    """Prints bare lines to whatever ``sys.stderr`` is at that moment."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)
        self.setFormatter(logging.Formatter("%(message)s"))

    @property
    def stream(self) -> TextIO:  # type: ignore[override]  # an attribute there, which would keep the first stderr
        return sys.stderr


_UNSAFE = re.compile(r'["\\\x00-\x1f\x7f-\U0010ffff]')
_NAMED = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def escape(text: str) -> str:
    r"""Text as Apache writes it into its logs: ``\"``, ``\\``, ``\n`` and ``\xhh``; never a second line."""
    return _UNSAFE.sub(_escaped, text) if _UNSAFE.search(text) else text


def _escaped(found: re.Match[str]) -> str:
    character = found[0]
    if character in _NAMED:
        return _NAMED[character]
    # A WSGI string holds bytes; a layer that put real text there gets its UTF-8.
    raw = character.encode("latin-1") if character <= "\xff" else character.encode("utf-8", "backslashreplace")
    return "".join(f"\\x{byte:02x}" for byte in raw)


def timestamp(seconds: float) -> str:
    """A moment as Apache writes it, in local time: ``25/Nov/2026:20:15:00 +0100``."""
    local = time.localtime(seconds)
    date = f"{local.tm_mday:02}/{_MONTHS[local.tm_mon - 1]}/{local.tm_year}"
    sign = "-" if local.tm_gmtoff < 0 else "+"
    hours, minutes = divmod(abs(local.tm_gmtoff) // 60, 60)
    return f"{date}:{local.tm_hour:02}:{local.tm_min:02}:{local.tm_sec:02} {sign}{hours:02}{minutes:02}"


def _uri(environ: Environ) -> str:
    path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    query: str = environ.get("QUERY_STRING", "")
    with suppress(ValueError):  # no WSGI string; it will be escaped like everything else
        path = uri_path(path)
    return f"{path}?{query}" if query else path


filter_factory = make_filter_factory(TransLogger)
# The old factory took a level only as a number, and failed on names; it never named an unknown key.
paste_filter_factory = make_filter_factory(TransLogger, unknown="warning")
