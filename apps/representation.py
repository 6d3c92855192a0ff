"""One file in one content coding, and the HTTP answers that it can give (RFC 9110 sections 8, 13, 14 and 15).

Reads the method, the preconditions, ``HTTP_RANGE`` and ``wsgi.file_wrapper``; writes no environ keys.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from typing import Protocol

from ..protocol.conditional import evaluate, range_applies
from ..protocol.dates import format_http_date
from ..protocol.ranges import ByteRange, parse_range, unsatisfied_range
from ..protocol.wsgi import Body, Environ, Headers, StartResponse
from .answers import TEXT

BLOCK = 64 * 1024
"""Bytes per read; a file that is not larger is sent as one chunk."""

# What a 304 and a 416 say as well, for the caches and origins that ask (section 15.4.5).
_KEPT = frozenset(
    {
        "access-control-allow-origin",
        "cache-control",
        "content-location",
        "etag",
        "expires",
        "vary",
        "x-content-type-options",
    }
)


class FileChanged(Exception):
    """The file is gone or is no longer what was known about it; nothing was sent yet."""


class Source(Protocol):
    """Where the bytes of a representation come from. Whoever holds one calls exactly one of the methods."""

    def take(self) -> int | bytes:
        """All the bytes where they are few, else a descriptor for the caller to close. Raises ``FileChanged``."""

    def discard(self) -> None:
        """The bytes are not needed."""


class Representation:
    """What is known about the bytes before any is read. ``modified`` is in seconds since 1970, ``etag`` in quotes."""

    __slots__ = ("etag", "headers", "kept", "modified", "size")

    def __init__(self, *, kind: str, size: int, modified: float, etag: str, coding: str, common: Headers) -> None:
        # Times before 1970 and after 9999 exist in file systems, and not in HTTP.
        self.modified = min(max(int(modified), 0), 253402300799)
        self.size = size
        self.etag = etag
        self.headers: Headers = [
            ("Content-Type", kind),
            ("Content-Length", str(size)),
            ("ETag", etag),
            ("Last-Modified", format_http_date(self.modified)),
            ("Accept-Ranges", "bytes"),
        ]
        if coding:
            self.headers.append(("Content-Encoding", coding))
        self.headers += common
        self.kept: Headers | None = None

    def kept_headers(self) -> Headers:
        """The headers that a 304 repeats; the representation's own where it is kept, so made once."""
        if self.kept is None:
            self.kept = [header for header in self.headers if header[0].lower() in _KEPT]
        return self.kept


def respond(
    environ: Environ,
    start_response: StartResponse,
    representation: Representation,
    source: Source,
    extra: Headers,
    sendfile: bool,
) -> Body:
    """Answer GET or HEAD. ``extra`` headers join every answer. Raises ``FileChanged`` before anything was sent."""
    outcome = "send"
    if "HTTP_IF_MATCH" in environ or "HTTP_IF_UNMODIFIED_SINCE" in environ:
        outcome = evaluate(environ, etag=representation.etag, last_modified=representation.modified)
    elif environ.get("HTTP_IF_NONE_MATCH") == representation.etag:
        outcome = "not modified"  # by far the most frequent precondition, decided without parsing
    elif "HTTP_IF_NONE_MATCH" in environ or "HTTP_IF_MODIFIED_SINCE" in environ:
        outcome = evaluate(environ, etag=representation.etag, last_modified=representation.modified)
    if outcome == "not modified":
        source.discard()
        start_response("304 Not Modified", (representation.kept or representation.kept_headers()) + extra)
        return []
    if outcome == "precondition failed":
        source.discard()
        return _without(environ, start_response, "412 Precondition Failed", representation.kept_headers() + extra)
    if environ["REQUEST_METHOD"] == "HEAD":
        source.discard()
        start_response("200 OK", representation.headers + extra)
        return []
    if "HTTP_RANGE" in environ and range_applies(
        environ, etag=representation.etag, last_modified=representation.modified
    ):
        ranges = parse_range(environ["HTTP_RANGE"], representation.size)
        if ranges is not None:
            return _send_ranges(environ, start_response, representation, source, ranges, extra)
    content = source.take()
    body: Body
    if isinstance(content, bytes):
        body = [content]
    elif sendfile and "wsgi.file_wrapper" in environ:
        body = environ["wsgi.file_wrapper"](io.FileIO(content, "rb"), BLOCK)
    else:
        body = FileParts(content, [(b"", ByteRange(0, representation.size))])
    start_response("200 OK", representation.headers + extra)
    return body


def _send_ranges(
    environ: Environ,
    start_response: StartResponse,
    representation: Representation,
    source: Source,
    ranges: list[ByteRange],
    extra: Headers,
) -> Body:
    size = representation.size
    if not ranges:
        source.discard()
        headers = [*representation.kept_headers(), ("Content-Range", unsatisfied_range(size)), *extra]
        return _without(environ, start_response, "416 Range Not Satisfiable", headers)
    parts: list[tuple[bytes, ByteRange]]
    if len(ranges) == 1:
        parts = [(b"", ranges[0])]
        replaced = {"content-length": str(ranges[0].stop - ranges[0].start)}
        added = [("Content-Range", ranges[0].content_range(size))]
    else:
        from secrets import token_hex

        boundary = token_hex(16)
        kind = next(value for name, value in representation.headers if name == "Content-Type")
        parts = [
            (
                f"\r\n--{boundary}\r\nContent-Type: {kind}\r\nContent-Range: {part.content_range(size)}\r\n\r\n".encode(
                    "latin-1"
                ),
                part,
            )
            for part in ranges
        ]
        parts.append((f"\r\n--{boundary}--\r\n".encode("latin-1"), ByteRange(0, 0)))
        length = sum(len(head) + part.stop - part.start for head, part in parts)
        replaced = {"content-length": str(length), "content-type": f"multipart/byteranges; boundary={boundary}"}
        added = []
    content = source.take()
    body: Body
    if isinstance(content, bytes):
        body = [b"".join(head + content[part.start : part.stop] for head, part in parts)]
    else:
        # No wsgi.file_wrapper: servers disagree on whether it starts at the file's position, and none knows the end.
        body = FileParts(content, parts)
    headers = [(name, replaced.get(name.lower(), value)) for name, value in representation.headers]
    start_response("206 Partial Content", headers + added + extra)
    return body


def _without(environ: Environ, start_response: StartResponse, status: str, headers: Headers) -> Body:
    body = f"{status[4:]}.\n".encode()
    start_response(status, [("Content-Type", TEXT), ("Content-Length", str(len(body))), *headers])
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]


class FileParts:
    """Iterates over parts of a file, each behind some bytes of its own, and closes the descriptor."""

    __slots__ = ("_descriptor", "_parts")

    def __init__(self, descriptor: int, parts: list[tuple[bytes, ByteRange]]) -> None:
        self._descriptor = descriptor
        self._parts = parts

    def __iter__(self) -> Iterator[bytes]:
        for head, (position, stop) in self._parts:
            if head:
                yield head
            while position < stop:
                data = os.pread(self._descriptor, min(BLOCK, stop - position), position)
                if not data:
                    # Shorter than it was: the length is promised, and the server ends the connection.
                    return
                position += len(data)
                yield data

    def close(self) -> None:
        """Close the file; may be called more than once."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __del__(self) -> None:
        self.close()
