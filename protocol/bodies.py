"""Bodies: work to do when a response was closed, and request bodies that can be read more than once.

Reads ``wsgi.input``, ``wsgi.input_terminated``, ``wsgi.file_wrapper``, ``CONTENT_LENGTH`` and
``HTTP_TRANSFER_ENCODING``; a replayed environ (a copy) has the first two and ``CONTENT_LENGTH`` written anew.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from typing import IO, Any

from .wsgi import Body, Environ

Callback = Callable[[], object]


def on_close(environ: Environ, body: Body, *callbacks: Callback) -> Body:
    """Return a body that, when closed, closes ``body`` and then runs the callbacks, each exactly once.

    All of them run even when one raises; the last error travels, with the earlier ones as its context. A length
    stays a length (servers make ``Content-Length`` of it). An object of ``wsgi.file_wrapper`` stays itself, or the
    server would no longer send the file by itself.
    """
    wrapper = environ.get("wsgi.file_wrapper")
    if isinstance(wrapper, type) and type(body) is wrapper:
        file_body: Any = body
        try:
            file_body.close = _Closing(body, callbacks).close
        except AttributeError:  # a wrapper written in C may refuse new attributes
            pass
        else:
            return body
    return (_SizedBody if hasattr(body, "__len__") else _ClosingBody)(body, callbacks)


def close_body(body: Body) -> None:
    """Close a body, if it is one that is to be closed (PEP 3333)."""
    close: Callback | None = getattr(body, "close", None)
    if close is not None:
        close()


class _Closing:
    __slots__ = ("_callbacks",)

    def __init__(self, body: Body, callbacks: tuple[Callback, ...]) -> None:
        close: Callback | None = getattr(body, "close", None)
        self._callbacks = (close, *callbacks) if close is not None else callbacks

    def close(self) -> None:
        callbacks, self._callbacks = self._callbacks, ()
        _call_all(iter(callbacks))


def _call_all(callbacks: Iterator[Callback]) -> None:
    for callback in callbacks:
        try:
            callback()
        except BaseException:
            _call_all(callbacks)
            raise


class _ClosingBody(_Closing):
    __slots__ = ("_body",)

    def __init__(self, body: Body, callbacks: tuple[Callback, ...]) -> None:
        super().__init__(body, callbacks)
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        # The inner iterator itself: no cost for each chunk. The server closes what it was given, which is this object.
        return iter(self._body)


class _SizedBody(_ClosingBody):
    __slots__ = ()

    def __len__(self) -> int:
        return len(self._body)  # type: ignore[arg-type]  # chosen only for bodies that have a length


class BodyRefused(Exception):
    """The request's body cannot be taken, by a fault of the client; ``status`` is the answer to give."""

    status = "400 Bad Request"


class InvalidLength(BodyRefused):
    """``CONTENT_LENGTH`` is not a number of bytes (RFC 9110 section 8.6: digits only)."""


class ShortBody(BodyRefused):
    """The client sent less than it announced, or went away."""


class LengthRequired(BodyRefused):
    """The body is chunked and the server cannot say where it ends (no ``wsgi.input_terminated``)."""

    status = "411 Length Required"


class BodyTooLarge(BodyRefused):
    """The body is longer than the limit; where its length was announced, nothing of it was read."""

    status = "413 Content Too Large"


def content_length(environ: Environ) -> int | None:
    """``CONTENT_LENGTH`` in bytes, or None where there is none. Raises ``InvalidLength``."""
    text: str = environ.get("CONTENT_LENGTH") or ""
    if not text:
        return None
    # int() also takes signs, blanks, underscores and other alphabets; 18 digits are more than any file system holds.
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise InvalidLength("The Content-Length of the request is not a number.")
    return int(text)


_CHUNK = 64 * 1024


# The server has such a thing of its own (``http1/received_body``), and it stays another: that one is fed by a thread
# that must not wait, decodes chunks, shares a budget with all other bodies and is read once. This one fetches from any
# server's ``wsgi.input`` and is read as often as there are tries.
class SpooledBody:
    """A request body that was received whole: in memory to begin with, beyond that in a temporary file.

    Make it with ``receive``; ``replay`` gives each try an environ of its own; ``close`` frees the file, after which
    no replay can be read any more.
    """

    def __init__(self) -> None:
        self.length = 0
        self._memory = b""
        self._file: IO[bytes] | None = None
        self._lock = threading.Lock()

    @classmethod
    def receive(cls, environ: Environ, *, limit: int | None = None, memory: int = _CHUNK) -> SpooledBody:
        """Read the body of this request: at most ``limit`` bytes, of which ``memory`` bytes stay in memory.

        Raises ``BodyRefused`` for the client's faults and lets an ``OSError`` of the temporary file travel.
        """
        body = cls()
        chunked = bool(environ.get("HTTP_TRANSFER_ENCODING"))
        terminated = bool(environ.get("wsgi.input_terminated"))
        announced = content_length(environ)
        if chunked:
            if not terminated:
                raise LengthRequired("The server cannot receive a chunked body; send it with a Content-Length.")
            # Whoever decoded the chunks knows the end; a length beside them may be an attempt at smuggling.
            announced = None
        elif announced is None and not terminated:
            return body
        if limit is not None and announced is not None and announced > limit:
            raise BodyTooLarge(f"The request body is larger than {limit} bytes.")
        try:
            body._fill(environ["wsgi.input"], announced, limit, memory)
        except BaseException:
            body.close()
            raise
        return body

    def _fill(self, source: Any, announced: int | None, limit: int | None, memory: int) -> None:
        chunks: list[bytes] = []
        while announced is None or self.length < announced:
            try:
                chunk = source.read(_CHUNK if announced is None else min(_CHUNK, announced - self.length))
            except OSError as error:  # how mod_wsgi and others say that the client went away
                raise ShortBody("The connection ended before the whole request body came.") from error
            if not chunk:
                break
            self.length += len(chunk)
            if limit is not None and self.length > limit:
                raise BodyTooLarge(f"The request body is larger than {limit} bytes.")
            if self._file is None and self.length > memory:
                from tempfile import TemporaryFile  # costly to import, and most bodies are small

                self._file = TemporaryFile()  # noqa: SIM115  # lives until close()
                self._file.writelines(chunks)
                chunks.clear()
            if self._file is None:
                chunks.append(chunk)
            else:
                self._file.write(chunk)
        self._memory = b"".join(chunks)
        if announced is not None and self.length < announced:
            raise ShortBody(f"The request body ended after {self.length} of {announced} bytes.")

    def open(self) -> IO[bytes]:
        """A new reader at the start of the body, independent of all others."""
        if self._file is None:
            return io.BytesIO(self._memory)
        return io.BufferedReader(_FileReplay(self._file, self._lock), _CHUNK)

    def replay(self, environ: Environ) -> Environ:
        """A copy of ``environ`` whose input is this body from its start, with the length that it really has."""
        copy = environ.copy()
        copy["wsgi.input"] = self.open()
        copy["wsgi.input_terminated"] = True
        # The chunks are decoded: with a length as well, an application would see two answers to one question.
        if copy.pop("HTTP_TRANSFER_ENCODING", None) or self.length:
            copy["CONTENT_LENGTH"] = str(self.length)
        return copy

    def close(self) -> None:
        """Free what the body occupies. May be called more than once."""
        self._memory = b""
        if self._file is not None:
            self._file.close()


class _FileReplay(io.RawIOBase):
    """Reads a shared file at a position of its own."""

    def __init__(self, file: IO[bytes], lock: threading.Lock) -> None:
        self._file = file
        self._lock = lock
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        if whence == io.SEEK_END:
            with self._lock:
                offset = self._file.seek(offset, io.SEEK_END)
        elif whence == io.SEEK_CUR:
            offset += self._position
        if offset < 0:
            raise ValueError("negative seek position")
        self._position = offset
        return offset

    def readinto(self, buffer: Any, /) -> int:
        with self._lock:
            self._file.seek(self._position)
            data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)
