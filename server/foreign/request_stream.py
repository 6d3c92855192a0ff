"""A request body that is read as a file is, over servers whose own has less than that. Replaces ``wsgi.input``."""

from __future__ import annotations

import io
from typing import Any

from ...protocol.bodies import BodyTooLarge, content_length
from ...protocol.wsgi import Environ


def read_as_file(environ: Environ, most: int | None = None) -> None:
    """Let the app read lines and pieces; of the server's body ``read(size)`` alone is used.

    Reading raises ``ConnectionAbortedError`` where the client sent less than it announced, and ``BodyTooLarge`` where
    it sent more than ``most`` bytes. Raises ``BodyRefused`` for a length that is none.
    """
    stream = _Stream(environ["wsgi.input"], content_length(environ), most)
    environ["wsgi.input"] = io.BufferedReader(stream, 65536)


def too_large(most: int) -> BodyTooLarge:
    """The error of a body that is larger than ``most`` bytes."""
    return BodyTooLarge(f"The request's body is larger than the {most} bytes that are taken here.")


class _Stream(io.RawIOBase):
    def __init__(self, body: Any, announced: int | None, most: int | None) -> None:
        self._body = body
        self._announced = announced
        self._most = most
        self._taken = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data: bytes = self._body.read(len(buffer))
        self._taken += len(data)
        if self._most is not None and self._taken > self._most:
            raise too_large(self._most)
        if not data and self._announced is not None and self._taken < self._announced:
            raise ConnectionAbortedError("the client left before its request was whole")
        buffer[: len(data)] = data
        return len(data)
