"""Chunked bodies, decoded (RFC 9112 section 7.1): sizes, extensions and trailers by the letter, and bounded."""

from __future__ import annotations

import re
from functools import cache

from .refusals import Refused

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_QUOTED = rb'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*"'
_SIZE = rb"([0-9A-Fa-f]{1,32})((?:;[ \t]*" + _TOKEN + rb"(?:[ \t]*=[ \t]*(?:" + _TOKEN + rb"|" + _QUOTED + rb"))?)*)"
_DIGITS = rb"[0-9A-Fa-f]{1,32}"
_TRAILER = rb"(" + _TOKEN + rb"):[ \t]*([\t\x20-\x7e\x80-\xff]*)"
_MOST_EXTENSIONS = 1024
_LONGEST_LINE = 4096
# Fields that say how a message is framed, routed or authenticated mean nothing behind it (RFC 9110 section 6.5.1).
_FORBIDDEN = frozenset(
    (
        b"transfer-encoding",
        b"content-length",
        b"host",
        b"trailer",
        b"te",
        b"connection",
        b"content-encoding",
        b"content-type",
        b"content-range",
        b"authorization",
        b"cookie",
        b"expect",
        b"upgrade",
    )
)

_IN_SIZE, _IN_DATA, _AFTER_DATA, _IN_TRAILERS, _DONE = range(5)


@cache
def _compiled(pattern: bytes) -> re.Pattern[bytes]:
    return re.compile(pattern)  # when the first chunked body comes: many sites never see one


class ChunkDecoder:
    """Takes the bytes of a chunked body as they come, and gives the decoded ones.

    ``trailers`` holds the trailer fields, which never become fields of the head.
    """

    def __init__(self, *, max_trailers: int, max_fields: int) -> None:
        self.trailers: list[tuple[str, str]] = []
        self._max_trailers, self._max_fields = max_trailers, max_fields
        self._size, self._digits, self._trailer = _compiled(_SIZE), _compiled(_DIGITS), _compiled(_TRAILER)
        self._state = _IN_SIZE
        self._left = 0
        self._line = b""
        self._extensions = 0
        self._trailer_bytes = 0

    @property
    def done(self) -> bool:
        """Whether the body has come to its end."""
        return self._state == _DONE

    def feed(self, data: bytes) -> tuple[list[bytes], bytes]:
        """Decode more. Returns what it holds of the body, and what follows the body. Raises ``Refused``."""
        found: list[bytes] = []
        position, end = 0, len(data)
        while position < end and self._state != _DONE:
            if self._state == _IN_DATA:
                piece = data[position : position + self._left]
                found.append(piece)
                position += len(piece)
                self._left -= len(piece)
                if not self._left:
                    self._state = _AFTER_DATA
                continue
            line, position = self._take_line(data, position)
            if line is None:
                break
            if self._state == _IN_SIZE:
                self._read_size(line)
            elif self._state == _AFTER_DATA:
                if line:
                    raise Refused(400, "chunk-end", "Chunk not properly terminated")
                self._state = _IN_SIZE
            else:
                self._read_trailer(line)
        return found, data[position:]

    def _take_line(self, data: bytes, position: int) -> tuple[bytes | None, int]:
        """One line without its end, or None when it is not complete; what there is of it is then kept."""
        end = data.find(b"\n", position)
        if end < 0:
            self._line += data[position:]
            self._check_part()
            return None, len(data)
        line = self._line + data[position : end + 1]
        self._line = b""
        if not line.endswith(b"\r\n") or b"\r" in line[:-2]:
            raise self._malformed(line)
        return line[:-2], end + 1

    def _check_part(self) -> None:
        """Refuse what can become no valid line, at once: the client may never send the rest."""
        part = self._line
        if b"\r" in part[:-1]:
            raise self._malformed(part)
        if self._state == _AFTER_DATA:
            if part != b"\r":
                raise self._malformed(part)
        elif self._state == _IN_SIZE:
            digits = part.partition(b";")[0].rstrip(b"\r")
            if len(part) > _LONGEST_LINE or (part != b"\r" and self._digits.fullmatch(digits) is None):
                raise self._malformed(part)
        elif self._trailer_bytes + len(part) > self._max_trailers:
            raise Refused(431, "trailers", "The trailers of the request are too large.")

    def _malformed(self, line: bytes) -> Refused:
        if self._state == _AFTER_DATA:
            return Refused(400, "chunk-end", "Chunk not properly terminated")
        if self._state == _IN_SIZE:
            digits = self._digits.match(line)
            if digits is not None and line[digits.end() :].startswith(b";"):
                return Refused(400, "chunk-extension", "Invalid chunk extension")
            return Refused(400, "chunk-size", "Invalid chunk size")
        return Refused(400, "trailer", "The trailers of the request are malformed.")

    def _read_size(self, line: bytes) -> None:
        match = self._size.fullmatch(line) if len(line) <= _LONGEST_LINE else None
        if match is None:
            raise self._malformed(line)
        self._extensions += len(match[2])
        if self._extensions > _MOST_EXTENSIONS:
            raise Refused(400, "chunk-extension", "Invalid chunk extension")
        digits = match[1].lstrip(b"0")
        if len(digits) > 15:
            raise Refused(413, "chunk-size", "The request body is too large.")
        self._left = int(digits or b"0", 16)
        self._state = _IN_DATA if self._left else _IN_TRAILERS

    def _read_trailer(self, line: bytes) -> None:
        if not line:
            self._state = _DONE
            return
        self._trailer_bytes += len(line) + 2
        if self._trailer_bytes > self._max_trailers or len(self.trailers) >= self._max_fields:
            raise Refused(431, "trailers", "The trailers of the request are too large.")
        match = self._trailer.fullmatch(line)
        if match is None or match[1].lower() in _FORBIDDEN:
            raise self._malformed(line)
        self.trailers.append((match[1].decode("ascii"), match[2].rstrip(b" \t").decode("latin-1")))

    @property
    def expected(self) -> int:
        """Bytes of the running chunk that are still to come."""
        return self._left
