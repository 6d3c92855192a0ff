"""A request's body that the app reads, and that is known as a whole afterwards.

Nothing is read before the app reads it, so one that streams is served as ever. Most servers have received a small body
when the app begins, and let it be read twice; the app has the server's own object then. Otherwise it reads through
another, which remembers.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any, Protocol

LARGEST_BODY = 2**20
_PIECE = 64 * 1024


class NotWhole(Exception):
    """The request cannot be kept, for the reason that the message says."""


class HeardBody(Protocol):
    """``input`` is what the app is to read."""

    @property
    def input(self) -> Any:
        """The ``wsgi.input`` for the app."""

    def whole(self, *, in_progress: bool) -> bytes:
        """The whole body, at most ``LARGEST_BODY`` bytes; ``in_progress``: the app still reads. Raises ``NotWhole``."""


def heard_body(source: Any, announced: int | None, *, is_here: bool) -> HeardBody:
    """The body from ``source``, of so many bytes, or up to its end.

    ``is_here``: one may ask for all of it without waiting for what a client sends when it likes.
    """
    try:
        start: int = source.tell() if source.seekable() else -1
    except (AttributeError, OSError, ValueError):
        start = -1
    return RewoundBody(source, start, announced) if start >= 0 else OverheardBody(source, announced, is_here=is_here)


class RewoundBody:
    """A body that the server lets read again."""

    def __init__(self, source: Any, start: int, announced: int | None) -> None:
        self.input = source
        self._start = start
        self._announced = announced

    def whole(self, *, in_progress: bool) -> bytes:
        """The whole body; who reads goes on where he was."""
        most = LARGEST_BODY + 1 if self._announced is None else self._announced
        try:
            here = self.input.tell()
            self.input.seek(self._start)
            data: bytes = self.input.read(most)
            self.input.seek(here)
        except (OSError, ValueError):
            raise NotWhole("the app has closed its body") from None
        return _checked(data, self._announced)


class OverheardBody(io.BufferedIOBase):
    """A body that remembers what was read of it; it is its own ``input``."""

    def __init__(self, source: Any, announced: int | None, *, is_here: bool) -> None:
        self._source = source
        self._announced = announced
        self._is_here = is_here
        self._heard: list[bytes] | None = []  # None: it was too much
        self._length = 0
        self._ended = False

    def __repr__(self) -> str:
        return "<the body of the request>"

    @property
    def input(self) -> OverheardBody:
        """The ``wsgi.input`` for the app."""
        return self

    def readable(self) -> bool:
        """It is."""
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        """Read so many bytes, or all."""
        if size is None or size < 0:
            data = self._hear(self._source.read(), size)
            self._ended = True
            return data
        return self._hear(self._source.read(size), size)

    def read1(self, size: int = -1, /) -> bytes:
        """Read at most so many bytes."""
        return self.read(size if size >= 0 else _PIECE)

    def readline(self, size: int | None = -1, /) -> bytes:
        """Read a line, or the beginning of it."""
        whole = size is None or size < 0
        return self._hear(self._source.readline() if whole else self._source.readline(size), size)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.readline, b"")

    def _hear(self, data: bytes, size: int | None) -> bytes:
        if not data:
            self._ended = self._ended or size != 0
            return data
        self._length += len(data)
        if self._length > LARGEST_BODY:
            self._heard = None
        elif self._heard is not None:
            self._heard.append(data)
        return data

    def whole(self, *, in_progress: bool) -> bytes:
        """The whole body; what the app has left is fetched."""
        if self._is_here and not in_progress:
            self._fetch()
        if self._heard is not None and not self._ended and self._length != self._announced:
            raise NotWhole("the app had not read its body to the end")
        return _checked(None if self._heard is None else b"".join(self._heard), self._announced)

    def _fetch(self) -> None:
        while not self._ended and self._heard is not None and self._length != self._announced:
            try:
                self.read(_PIECE if self._announced is None else min(_PIECE, self._announced - self._length))
            except OSError:
                raise NotWhole("its body did not come to the end") from None


def _checked(data: bytes | None, announced: int | None) -> bytes:
    if data is None or len(data) > LARGEST_BODY:
        raise NotWhole(f"its body is larger than {LARGEST_BODY // 2**20} MiB")
    if announced is not None and len(data) != announced:
        raise NotWhole("its body did not come to the end")
    return data
