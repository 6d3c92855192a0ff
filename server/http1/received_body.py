"""Request bodies as they arrive: in memory to begin with, beyond that in a temporary file."""

from __future__ import annotations

import contextlib
import io
from typing import IO, TYPE_CHECKING

from ..settings import Limits
from .budget import Budget
from .buffers import BufferPool, HeldBytes
from .chunks import ChunkDecoder
from .refusals import Refused

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer as Buffer

_READ_AT_ONCE = 64 * 1024
_SMALL = 64 * 1024
"""Bodies up to here are cheaper as they come."""


class ReceivedBody:
    """A body on its way in. ``file`` is what the app will read, once ``done``."""

    __slots__ = (
        "_buffer",
        "_budget",
        "_decoder",
        "_file",
        "_held",
        "_left",
        "_limits",
        "_memory",
        "_pool",
        "_reader",
        "_taken",
        "length",
        "received",
        "started",
    )

    def __init__(
        self,
        limits: Limits,
        length: int | None,
        started: float,
        budget: Budget,
        pool: BufferPool,
    ) -> None:
        """``length`` is None for a chunked body; ``started`` the moment, for the rate at which it must come.

        ``budget`` is the memory that it shares with others, ``pool`` has buffers for bodies that are not small.
        """
        self._budget = budget
        self._pool = pool
        self._buffer: bytearray | None = None
        self._held: HeldBytes | None = None
        if length is not None and _SMALL < length <= min(limits.body_memory, pool.size):
            self._buffer = pool.take()
        self._taken = 0
        self._limits = limits
        self._decoder = ChunkDecoder(max_trailers=limits.head, max_fields=limits.fields) if length is None else None
        self._left = length or 0
        self._memory: bytes | bytearray = b""
        self._file: io.FileIO | None = None
        self._reader: io.BufferedReader | None = None
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

    def room(self) -> memoryview | None:
        """Where the next bytes can be received without another copy, None where ``feed`` has to be given them."""
        if self._buffer is None:
            return None
        return memoryview(self._buffer)[self.length : self.length + self._left]

    def filled(self, count: int) -> None:
        """So many bytes were received into the ``room``."""
        self.received += count
        self.length += count
        self._left -= count

    def feed(self, data: bytes | memoryview) -> bytes:
        """Take more of it; returns what follows the body. What is taken is copied. Raises ``Refused``."""
        self.received += len(data)
        if self._decoder is None:
            if len(data) <= self._left:
                self._left -= len(data)
                self._store(data)
                return b""
            rest = bytes(data[self._left :])
            self._store(data[: self._left])
            self._left = 0
            return rest
        pieces, rest = self._decoder.feed(bytes(data))
        for piece in pieces:
            self._store(piece)
        # What is announced counts as well: nobody should send a gigabyte before hearing that it was for nothing.
        if self.length + self._decoder.expected > self._limits.body:
            raise Refused(413, "body", f"exceeds max_body of {self._limits.body}")
        return rest

    def _store(self, piece: bytes | memoryview) -> None:
        if self._buffer is not None:
            self._buffer[self.length : self.length + len(piece)] = piece
            self.length += len(piece)
            return
        self.length += len(piece)
        try:
            if self._file is not None:
                self._write(piece)
                return
            if self._memory:
                # Not a list of pieces, each of which may be a byte that costs forty more.
                if isinstance(self._memory, bytes):
                    self._memory = bytearray(self._memory)
                self._memory += piece
            else:
                self._memory = bytes(piece)
            if self.length <= self._limits.body_memory and self._budget.take(len(piece)):
                self._taken += len(piece)
            else:
                import tempfile  # costs 10 ms, and most bodies are small

                self._file = tempfile.TemporaryFile(prefix="wheatpaste-", buffering=0)  # noqa: SIM115 - closed with the request
                self._write(self._memory)
                self._memory = b""
                self._give_back()
        except OSError as error:
            self.close()
            raise Refused(507, "body-storage", "There is no room to store the request body.") from error

    def file(self) -> IO[bytes]:
        """The body, to be read from its beginning."""
        if self._buffer is not None:
            self._held = HeldBytes(memoryview(self._buffer)[: self.length])
            self._reader = io.BufferedReader(self._held, _READ_AT_ONCE)
            return self._reader
        if self._file is None:
            return io.BytesIO(self._memory)
        self._file.seek(0)
        # Pieces were written as they came; it is reading that comes in lines.
        self._reader = io.BufferedReader(self._file, _READ_AT_ONCE)
        return self._reader

    def _give_back(self) -> None:
        self._budget.give_back(self._taken)
        self._taken = 0

    def _write(self, piece: Buffer) -> None:
        file = self._file
        if file is not None:
            left = memoryview(piece)
            while left:
                left = left[file.write(left) or 0 :]

    def close(self) -> None:
        """Free the temporary file, or the memory."""
        self._give_back()
        if self._reader is not None:
            # An app may have taken the reader apart (detach), which makes closing it a ValueError.
            with contextlib.suppress(OSError, ValueError):
                self._reader.close()
            self._reader = None
        for file in (self._file, self._held):
            if file is not None:
                with contextlib.suppress(OSError):
                    file.close()
        self._file = self._held = None
        buffer, self._buffer = self._buffer, None
        if buffer is not None:
            self._pool.give_back(buffer)
