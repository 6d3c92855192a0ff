"""Request bodies as they arrive: in memory to begin with, beyond that in a temporary file."""

from __future__ import annotations

import contextlib
import io
import tempfile
from typing import IO

from ..settings import Limits
from .chunks import ChunkDecoder
from .refusals import Refused


class ReceivedBody:
    """A body on its way in. ``file`` is what the app will read, once ``done``."""

    __slots__ = ("_decoder", "_file", "_left", "_limits", "_parts", "length", "received", "started")

    def __init__(self, limits: Limits, length: int | None, started: float) -> None:
        """``length`` is None for a chunked body; ``started`` the moment, for the rate at which it must come."""
        self._limits = limits
        self._decoder = ChunkDecoder(max_trailers=limits.head, max_fields=limits.fields) if length is None else None
        self._left = length or 0
        self._parts: list[bytes] = []
        self._file: IO[bytes] | None = None
        self.length = 0
        """Bytes of the body itself."""
        self.received = 0
        """Bytes on the wire."""
        self.started = started

    @property
    def done(self) -> bool:
        """Whether nothing is missing."""
        return self._decoder.done if self._decoder is not None else not self._left

    @property
    def trailers(self) -> list[tuple[str, str]]:
        """The trailer fields of a chunked body."""
        return self._decoder.trailers if self._decoder is not None else []

    def feed(self, data: bytes) -> bytes:
        """Take more of it; returns what follows the body. Raises ``Refused``."""
        self.received += len(data)
        if self._decoder is None:
            if len(data) <= self._left:
                self._left -= len(data)
                self._store(data)
                return b""
            rest = data[self._left :]
            self._store(data[: self._left])
            self._left = 0
            return rest
        pieces, rest = self._decoder.feed(data)
        for piece in pieces:
            self._store(piece)
        # What is announced counts as well: nobody should send a gigabyte before hearing that it was for nothing.
        if self.length + self._decoder.expected > self._limits.body:
            raise Refused(413, "body", f"exceeds max_body of {self._limits.body}")
        return rest

    def _store(self, piece: bytes) -> None:
        self.length += len(piece)
        try:
            if self._file is not None:
                self._file.write(piece)
                return
            self._parts.append(piece)
            if self.length > self._limits.body_memory:
                self._file = tempfile.TemporaryFile(prefix="wheatpaste-")  # noqa: SIM115 - closed with the request
                for part in self._parts:
                    self._file.write(part)
                self._parts.clear()
        except OSError as error:
            self.close()
            raise Refused(507, "body-storage", "There is no room to store the request body.") from error

    def file(self) -> IO[bytes]:
        """The body, to be read from its beginning. Raises ``Refused`` when it cannot be stored."""
        if self._file is None:
            parts = self._parts
            return io.BytesIO(parts[0] if len(parts) == 1 else b"".join(parts))
        try:
            self._file.seek(0)  # writes what is still buffered
        except OSError as error:
            self.close()
            raise Refused(507, "body-storage", "There is no room to store the request body.") from error
        return self._file

    def close(self) -> None:
        """Free the temporary file of a body that nobody will read."""
        if self._file is not None:
            with contextlib.suppress(OSError):  # its buffer could not be written, which was told before
                self._file.close()
            self._file = None
