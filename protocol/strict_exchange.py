"""An app called as PEP 3333 has it, by a server that lets no mistake pass: what test clients ask apps with."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from typing import Any
from wsgiref.util import is_hop_by_hop

from .wsgi import Body, Environ, ExcInfo, StartResponse, Write, WSGIApp

_STATUS = re.compile(r"[1-9][0-9]{2} [^\x00-\x1f\x7f]*")
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110 section 5.6.2
_FORBIDDEN_VALUE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]|[^\x00-\xff]")


class ProtocolError(AssertionError):
    """The app broke a rule of PEP 3333."""


class StrictExchange:
    """One request to an app, from the server's side.

    ``status``, ``headers`` and ``chunks`` are what the app has answered so far, ``iterable`` what it returned; without
    ``keep`` chunks are forgotten once :meth:`pieces` has handed them out.
    """

    def __init__(self, environ: Environ) -> None:
        self.environ = environ
        # Kept, because layers may put another stream into the environ.
        self.errors: io.StringIO = environ["wsgi.errors"]
        self.iterable: Body = ()
        self.status = ""
        self.headers: list[tuple[str, str]] = []
        self.chunks: list[bytes] = []
        self.closed = False
        self.keep = True
        self._sent = False
        self._iterator: Iterator[bytes] = iter(())
        self._finished = False

    def run(self, app: WSGIApp) -> None:
        """Call the app, and fetch from its body until the headers are sure. Raises ``ProtocolError``."""
        try:
            start_response: StartResponse = self._start_response
            self.iterable = app(self.environ, start_response)
            returned: object = self.iterable
            if isinstance(returned, bytes | str) or not isinstance(returned, Iterable):
                raise ProtocolError(f"an app returns an iterable of bytes, not {type(returned).__name__}")
            self._iterator = iter(self.iterable)
            while not self._sent and self._fetch():
                pass
            if not self.status:
                raise ProtocolError("the app never called start_response")
        except BaseException:
            self.close()
            raise

    def pieces(self) -> Iterator[bytes]:
        """The chunks from the first one; each is fetched from the app only when it is asked for."""
        index = 0
        while True:
            if index < len(self.chunks):
                if self.keep:
                    yield self.chunks[index]
                    index += 1
                else:
                    yield self.chunks.pop(0)
            elif self.closed or not self._fetch():
                return

    def close(self) -> None:
        """Close what the app returned, once."""
        if not self.closed:
            self.closed = True
            close = getattr(self.iterable, "close", None)
            if close is not None:
                close()

    def check_length(self, length: int) -> None:
        """Raise ``ProtocolError`` unless a whole body of ``length`` bytes is what the headers announced."""
        announced = [value for name, value in self.headers if name.lower() == "content-length"]
        if not announced or self.environ["REQUEST_METHOD"] == "HEAD" or self.status.startswith("304 "):
            return
        if len(set(announced)) > 1 or not announced[0].isdigit() or int(announced[0]) != length:
            raise ProtocolError(f"Content-Length is {', '.join(announced)}, but the body has {length} bytes")

    def _fetch(self) -> bool:
        """Take one chunk from the app; False when there are no more."""
        if self._finished:
            return False
        try:
            chunk = next(self._iterator)
        except StopIteration:
            self._finished = True
            return False
        except BaseException:
            self._finished = True
            self.close()
            raise
        self._send(chunk)
        return True

    def _send(self, chunk: bytes) -> None:
        if type(chunk) is not bytes:
            self.close()
            raise ProtocolError(f"a body is made of bytes, not {type(chunk).__name__}")
        if chunk:
            if not self.status:
                self.close()
                raise ProtocolError("the first chunk came before start_response was called")
            self._sent = True
            self.chunks.append(chunk)

    def _start_response(self, status: str, headers: list[tuple[str, str]], exc_info: ExcInfo | None = None, /) -> Write:
        if exc_info is not None:
            try:
                if self._sent:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None  # or the traceback's frames and this one keep each other alive
        elif self.status:
            raise ProtocolError("start_response was called a second time without exc_info")
        _check_status(status)
        _check_headers(headers)
        self.status = status
        self.headers = list(headers)
        return self._send


def _check_status(status: Any) -> None:
    if type(status) is not str or not _STATUS.fullmatch(status):
        raise ProtocolError(f"a status is text such as '200 OK', not {status!r}")


def _check_headers(headers: Any) -> None:
    if type(headers) is not list:
        raise ProtocolError(f"headers are a list, not {type(headers).__name__}")
    for item in headers:
        if type(item) is not tuple or len(item) != 2 or type(item[0]) is not str or type(item[1]) is not str:
            raise ProtocolError(f"a header is a tuple of two texts, not {item!r}")
        name, value = item
        if not _TOKEN.fullmatch(name) or name.lower() == "status":
            raise ProtocolError(f"{name!r} is not the name of a header")
        if _FORBIDDEN_VALUE.search(value):
            raise ProtocolError(f"the header {name} holds a character that no header may hold: {value!r}")
        if is_hop_by_hop(name):
            raise ProtocolError(f"{name} belongs to the server, not to an app")
