"""One reply: ``start_response``, the framing of what the app returns, and its way to the client (PEP 3333).

Nothing is sent before the first bytes of the body are known, so an app may fail until then and still get its 500.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from ...protocol.wsgi import Environ, ExcInfo, Headers, Write, WSGIApp
from .client_gone import ClientGone
from .file_wrapper import FileWrapper
from .heads import Kind
from .refusals import Refused
from .reply_lines import ReplyLines
from .response_lines import (
    CONNECTION,
    DATE,
    HOP_BY_HOP,
    LENGTH,
    PLAIN,
    SERVER,
    Status,
    known_lines,
    known_statuses,
    line_of,
    status_of,
)

log = logging.getLogger("wheatpaste.server.response")

_JOIN_BELOW = 64 * 1024
"""Bodies below this are copied behind their head, so that both go in one packet and one call."""


class Sink(Protocol):
    """Where the bytes of a reply go."""

    def send(self, data: bytes) -> None:
        """Send or queue bytes. Raises ``ClientGone``."""

    def send_last(self, data: bytes) -> None:
        """The same for what the end of the connection follows at once."""

    def send_both(self, head: bytes, body: bytes) -> None:
        """Send or queue a head and a large body."""

    def send_file(self, head: bytes, fd: int, offset: int, count: int, close: Callable[[], object] | None) -> None:
        """Send or queue a head and a stretch of a file, and call ``close`` when all of it is sent."""


class Streamed(Protocol):
    """A request body that the app reads while it comes."""

    @property
    def done(self) -> bool:
        """Whether all of it has come."""


class Response:
    """What becomes of one request. After ``run``, ``keep_alive`` says whether the connection can go on."""

    # What is so at the beginning stands once, on the class: one of these is made for each request.
    head_sent = False
    is_rare = False
    """Whether one of the following two is set."""
    streamed: Streamed | None = None
    """The request's body, where the app reads it while it comes."""
    may_keep = False
    """Whether a whole small reply need not be sent at once."""
    kept: bytes | None = None
    """Such a reply, which whoever allowed that has to send."""
    unclaimed: list[bool] | None = None
    """With a deadline for requests: holds something until either the app's answer or a 504 takes it out."""
    _status: Status | None = None
    _length: int | None = None
    _length_line = b""
    _own_date = _own_server = _own_lines = False
    _chunked = _without_body = _overlong = False
    _missing = 0
    _lines: list[bytes]

    def __init__(self, sink: Sink, kind: Kind, keep_alive: bool, reply_lines: ReplyLines) -> None:
        self._sink = sink
        self._kind = kind
        self.keep_alive = keep_alive
        self._reply_lines = reply_lines
        # These are set in nearly every reply. An attribute that the first thirty objects of a class never had costs
        # each later one a dictionary of its own (CPython 3.11), a tenth of a small request.
        self.may_keep = False
        self.kept = None
        self._status = None
        self._length = None

    @property
    def ends_with_connection(self) -> bool:
        """Whether the client takes the end of the connection for the end of the body."""
        return self.head_sent and self._missing < 0 and not self._chunked

    def start(self, status: str, headers: Headers, exc_info: ExcInfo | None = None, /) -> Write:
        """``start_response`` of PEP 3333. Raises ``ValueError`` or ``TypeError`` for what must not be sent."""
        if exc_info is not None:
            try:
                if self.head_sent:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None  # no circle of frames
            self._status = self._length = None
            self._own_date = self._own_server = self._own_lines = False
        elif self._status is not None:
            raise RuntimeError("start_response was called twice without exc_info")
        found = known_statuses(status) if type(status) is str else None
        lines = []
        for header in headers:
            try:
                line = known_lines(header)
            except TypeError:  # a list instead of a tuple, which many servers take
                line = None
            data, kind, number = line if line is not None else line_of(header)
            if kind == PLAIN:
                lines.append(data)
            elif kind == LENGTH and self._length is None:
                self._length = number
                self._length_line = data
            elif not self._is_special(kind, number, header):
                lines.append(data)
        self._lines = lines
        self._status = found if found is not None else status_of(status)
        return self._write

    def _is_special(self, kind: int, number: int, header: Sequence[str]) -> bool:
        """Take note of a header that concerns the server; whether it is not to be sent as it stands."""
        if kind == LENGTH:
            if self._length != number:
                raise ValueError("two different Content-Length headers")
            return True
        if kind == DATE:
            self._own_date = self._own_lines = True
            return False
        if kind == SERVER:
            self._own_server = self._own_lines = True
            return False
        if kind == CONNECTION and "close" in header[1].lower():
            self.keep_alive = False
        elif kind == HOP_BY_HOP or header[1].lower() != "keep-alive":
            log.warning("the app's header %s is the server's business and was dropped", header[0])
        return True

    def run(self, app: WSGIApp, environ: Environ) -> None:
        """Call the app and send what it returns. Raises ``ClientGone``, or whatever the app raises."""
        body: Any = app(environ, self.start)
        kind = type(body)
        if (kind is list or kind is tuple) and len(body) == 1 and not self.head_sent:
            # By far the most frequent, and a list has no close().
            if not self._send_usual(body[0]):
                self._send_whole(body[0])
            return
        try:
            if kind is FileWrapper and self._send_file(body):
                return
            self._send_each(body)
        except BaseException:
            # close() must not hide what went wrong before.
            try:
                _close(body)
            except Exception:
                log.exception("the body's close() failed as well")
            raise
        try:
            _close(body)
        except BaseException:  # the client has its answer, and the connection need not suffer
            log.exception("the body's close() failed")

    def _send_usual(self, chunk: bytes) -> bool:
        """Send what needs no thought, in one go; whether it was that."""
        status, length, reply_lines = self._status, self._length, self._reply_lines
        if (
            status is None
            or not (status.has_body and self._kind.is_plain)
            or type(chunk) is not bytes
            or len(chunk) >= _JOIN_BELOW
            or reply_lines.closing
            or self._own_lines
            or self.is_rare
        ):
            return False
        if length is None:
            line = b"Content-Length: %d\r\n" % len(chunk)
        elif length == len(chunk):
            line = self._length_line
        else:
            return False
        self.head_sent = True
        if not self.keep_alive:
            lines = (status.line_1_1, *self._lines, line, reply_lines.common, b"Connection: close\r\n\r\n", chunk)
            self._sink.send_last(b"".join(lines))
            return True
        data = b"".join((status.line_1_1, *self._lines, line, reply_lines.common, b"\r\n", chunk))
        if self.may_keep:
            self.kept = data
        else:
            self._sink.send(data)
        return True

    def _send_whole(self, chunk: bytes) -> None:
        if type(chunk) is not bytes:
            chunk = _bytes(chunk)
        head = self._head(len(chunk))
        if self._missing < len(chunk):
            self._cut_off()
            chunk = chunk[: self._missing]
        if len(chunk) >= _JOIN_BELOW:
            self._sink.send_both(head, chunk)
        elif self.keep_alive:
            self._sink.send(head + chunk)
        else:
            self._sink.send_last(head + chunk)
        self._missing -= len(chunk)
        self._end()

    def _send_each(self, body: Any) -> None:
        total: int | None = None
        if isinstance(body, list | tuple):
            body = [_bytes(chunk) for chunk in body]
            total = sum(map(len, body))
        elif isinstance(body, bytes | str | None):
            raise TypeError(f"the app returned {type(body).__name__}; it must be an iterable of bytes, such as a list")
        for chunk in body:
            if type(chunk) is not bytes:
                chunk = _bytes(chunk)
            if not chunk:
                continue
            if not self.head_sent:
                self._send_first(chunk, total)
            else:
                self._send_chunk(chunk)
            if self._missing == 0 and (self._without_body or self._overlong):
                break  # HEAD and 304 get no body, however long it would be
        if not self.head_sent:
            self._sink.send(self._head(0))
        self._end()

    def _require_status(self) -> Status:
        if self._status is None:
            raise RuntimeError("the app returned a body without calling start_response")
        return self._status

    def _send_first(self, chunk: bytes, total: int | None) -> None:
        head = self._head(total)
        framed = self._framed(chunk)
        if len(framed) < _JOIN_BELOW:
            self._sink.send(head + framed)
        else:
            self._sink.send_both(head, framed)

    def _send_chunk(self, chunk: bytes) -> None:
        framed = self._framed(chunk)
        if framed:
            self._sink.send(framed)

    def _framed(self, chunk: bytes) -> bytes:
        """What goes on the wire of a chunk."""
        if self._chunked:
            return b"%X\r\n%b\r\n" % (len(chunk), chunk)
        missing = self._missing
        if missing < 0:  # until the connection is closed
            return chunk
        if missing < len(chunk):
            self._cut_off()
            chunk = chunk[:missing]
        self._missing = missing - len(chunk)
        return chunk

    def _cut_off(self) -> None:
        if not self._without_body and not self._overlong:
            self._overlong = True
            log.warning("the app produced more than its Content-Length of %s, the rest was cut off", self._length)

    def _write(self, data: bytes) -> None:
        """The ``write`` callable of PEP 3333: bytes that are sent before those of the iterable."""
        self._require_status()
        data = _bytes(data)
        if not self.head_sent:
            if data:
                self._send_first(data, None)
        elif data:
            self._send_chunk(data)

    def _send_file(self, body: FileWrapper) -> bool:
        """Let the system send the file; False when it has to be read like any other iterable."""
        extent = body.extent()
        if extent is None or self.head_sent:
            return False
        self._require_status()
        fd, offset, count = extent
        if self._length is not None and self._length != count:
            if self._length < count:
                count = self._length
            else:
                log.warning("the app's Content-Length of %s is more than the file holds", self._length)
                self._length = count
        head = self._head(count)
        if self._without_body:
            count = 0
        close: Callable[[], object] | None = getattr(body, "close", None)
        self._missing = 0
        self._sink.send_file(head, fd, offset, count, close)
        return True

    def _head(self, total: int | None) -> bytes:
        """Decide the framing and make the head. ``total`` is the length of the body, where it is known."""
        status = self._require_status()
        if self.unclaimed is not None:
            self._claim(self.unclaimed)
        self.head_sent = True
        code = status.code
        lines = self._lines
        length = self._length
        self._chunked = self._without_body = False
        if code == 204 or code == 304:
            self._without_body = True
            self._missing = 0
            if length is not None and code == 304:
                lines.append(b"Content-Length: %d\r\n" % length)
        else:
            if code == 205:
                length = total = 0
                self._without_body = True
            if self._kind.is_head:
                self._without_body = True
                if not total:
                    total = None  # who leaves the body out for HEAD has not said that it is empty for GET
            if length is None:
                length = self._length = total
            if length is not None:
                self._missing = 0 if self._without_body else length
                lines.append(b"Content-Length: %d\r\n" % length)
            elif self._kind.is_head:
                self._missing = 0
                if not self._kind.is_1_0:
                    lines.append(b"Transfer-Encoding: chunked\r\n")
            elif self._kind.is_1_0:
                self._missing = -1
                self.keep_alive = False
            else:
                self._missing = -1
                self._chunked = True
                lines.append(b"Transfer-Encoding: chunked\r\n")
        if self.streamed is not None and not self.streamed.done:
            self.keep_alive = False  # what is left of the request's body stands in the way of the next request
        reply_lines = self._reply_lines
        if reply_lines.closing:
            self.keep_alive = False
        if self._own_lines:
            if not self._own_server:
                lines.append(reply_lines.server)
            if not self._own_date:
                lines.append(reply_lines.date)
        else:
            lines.append(reply_lines.common)
        if not self.keep_alive:
            lines.append(b"Connection: close\r\n\r\n")
        elif self._kind.is_1_0:
            lines.append(b"Connection: Keep-Alive\r\n\r\n")
        else:
            lines.append(b"\r\n")
        return (status.line_1_0 if self._kind.is_1_0 else status.line_1_1) + b"".join(lines)

    def _claim(self, unclaimed: list[bool]) -> None:
        try:
            unclaimed.pop()
        except IndexError:
            self.head_sent = True
            raise ClientGone("it was answered with 504 before") from None

    def _end(self) -> None:
        if self._chunked:
            self._sink.send(b"0\r\n\r\n")
        elif self._missing > 0:
            log.warning("the app produced %d bytes less than its Content-Length", self._missing)
            self.keep_alive = False
        elif self._missing < 0:
            self.keep_alive = False


def _bytes(chunk: object) -> bytes:
    if isinstance(chunk, bytes):
        return chunk
    if isinstance(chunk, bytearray | memoryview):
        return bytes(chunk)
    raise TypeError(f"the body must be made of bytes, got {type(chunk).__name__}")


def _close(body: Any) -> None:
    close: Callable[[], object] | None = getattr(body, "close", None)
    if close is not None:
        close()


def answer_failure(
    environ: Environ,
    response: Response,
    error: BaseException,
    *,
    expose: bool,
    tell_gone: bool = True,
) -> Refused | None:
    """Log what an app raised; the answer to send, or None when something was sent and the connection must be cut.

    ``expose`` shows the traceback to the client; ``tell_gone`` logs clients that left where anybody reads it.
    """
    where = f"{environ.get('REQUEST_METHOD')} {environ.get('SCRIPT_NAME', '')}{environ.get('PATH_INFO', '')}"
    if isinstance(error, ClientGone):
        log.log(logging.INFO if tell_gone else logging.DEBUG, "the client of %s went away: %s", where, error)
        return None
    if isinstance(error, Refused) and not response.head_sent:
        return error  # by the request's body, which the app was reading
    late = " after part of the answer was sent" if response.head_sent else ""
    log.error("%s failed%s", where, late, exc_info=(type(error), error, error.__traceback__))
    if response.head_sent:
        return None
    what = "The server encountered an unexpected internal server error"
    if expose:
        import traceback

        what = "".join(traceback.format_exception(error)).replace("\n", "\r\n")
    return Refused(500, "app", what)
