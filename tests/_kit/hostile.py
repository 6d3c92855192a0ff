"""Apps that use every freedom of PEP 3333, and some that fail at the worst moment.

``WELL`` holds those that end well and ``FAILING`` those that raise :class:`Planned`, named by what is special about
them. ``Hostile`` makes an app of one and remembers what happened: its environs, and bodies that count their closing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from wsgiref.util import FileWrapper

TEXT = [("Content-Type", "text/plain")]
App = Callable[[dict[str, Any], Any], Any]


class Planned(Exception):
    """The error that a hostile app raises on purpose."""


class Watched:
    """A body that is no list: pieces come one by one, ``closed`` counts, and an error may come where it hurts."""

    def __init__(self, pieces: Iterator[bytes], *, fails_to_close: bool = False) -> None:
        self._pieces = pieces
        self._fails_to_close = fails_to_close
        self.taken = 0
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        piece = next(self._pieces)
        self.taken += 1
        return piece

    def close(self) -> None:
        self.closed += 1
        if self._fails_to_close:
            raise Planned("in close()")


@dataclass
class Hostile:
    """An app that keeps what it returned in ``bodies``, and what it was called with in ``environs``."""

    answer: Callable[[dict[str, Any], Any, Hostile], Any]
    bodies: list[Any] = field(default_factory=list)
    environs: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        self.environs.append(environ)
        body = self.answer(environ, start_response, self)
        self.bodies.append(body)
        return body

    @property
    def watched(self) -> list[Watched]:
        return [body for body in self.bodies if isinstance(body, Watched)]


def _caught() -> Any:
    try:
        raise Planned("reported through exc_info")
    except Planned:
        return sys.exc_info()


def plain(environ: dict[str, Any], start_response: Any, app: Hostile) -> Any:
    start_response("200 OK", [*TEXT, ("Content-Length", "9")])
    return [b"one", b"two", b"six"]


def streamed(environ: dict[str, Any], start_response: Any, app: Hostile) -> Any:
    start_response("200 OK", list(TEXT))
    return Watched(iter([b"one", b"", b"two", b"six"]))


def generator(environ: dict[str, Any], start_response: Any, app: Hostile) -> Any:
    """Calls ``start_response`` only when its first piece is fetched."""
    start_response("200 OK", list(TEXT))
    yield b"one"
    yield b"two"
    yield b"six"


def late(environ: dict[str, Any], start_response: Any, app: Hostile) -> Any:
    """As ``generator``, in a body that can be watched."""
    return Watched(generator(environ, start_response, app))


def empty(environ: dict[str, Any], start_response: Any, app: Hostile) -> Any:
    start_response("204 No Content", [])
    return Watched(iter(()))


def empty_pieces(environ: dict[str, Any], start_response: Any, app: Hostile) -> Any:
    """Nothing but empty pieces, before and after the headers."""

    def pieces() -> Iterator[bytes]:
        start_response("200 OK", list(TEXT))
        yield b""
        yield b""

    return Watched(pieces())


def written(environ: dict[str, Any], start_response: Any, app: Hostile) -> Any:
    write = start_response("200 OK", list(TEXT))
    write(b"one")
    write(b"two")
    return Watched(iter([b"six"]))


def only_written(environ: dict[str, Any], start_response: Any, app: Hostile) -> Any:
    start_response("200 OK", list(TEXT))(b"onetwosix")
    return []


def replaced(environ: dict[str, Any], start_response: Any, app: Hostile) -> Any:
    """Takes its headers back before anything was sent, as error handlers do."""
    start_response("200 OK", [*TEXT, ("X-Old", "1")])
    start_response("500 Internal Server Error", list(TEXT), _caught())
    return Watched(iter([b"one", b"two", b"six"]))


def replaced_late(environ: dict[str, Any], start_response: Any, app: Hostile) -> Any:
    """Takes its headers back while its body is being fetched."""

    def pieces() -> Iterator[bytes]:
        start_response("200 OK", [*TEXT, ("X-Old", "1")])
        yield b""
        start_response("500 Internal Server Error", list(TEXT), _caught())
        yield b"onetwosix"

    return Watched(pieces())


def file(environ: dict[str, Any], start_response: Any, app: Hostile) -> Any:
    """Hands a file to the server, where the server can take one."""
    import io

    start_response("200 OK", [*TEXT, ("Content-Length", "9")])
    return environ.get("wsgi.file_wrapper", FileWrapper)(io.BytesIO(b"onetwosix"), 3)


def fails_before(environ: dict[str, Any], start_response: Any, app: Hostile) -> Any:
    raise Planned("before start_response")


def fails_after_start(environ: dict[str, Any], start_response: Any, app: Hostile) -> Any:
    start_response("200 OK", list(TEXT))
    raise Planned("after start_response")


def fails_at_first_piece(environ: dict[str, Any], start_response: Any, app: Hostile) -> Any:
    def pieces() -> Iterator[bytes]:
        start_response("200 OK", list(TEXT))
        yield b""
        raise Planned("before the first piece")

    return Watched(pieces())


def fails_in_the_middle(environ: dict[str, Any], start_response: Any, app: Hostile) -> Any:
    def pieces() -> Iterator[bytes]:
        start_response("200 OK", list(TEXT))
        yield b"one"
        raise Planned("after the first piece")

    return Watched(pieces())


def reports_too_late(environ: dict[str, Any], start_response: Any, app: Hostile) -> Any:
    """Wants to replace its headers after a piece was sent: ``start_response`` must raise what it is given."""

    def pieces() -> Iterator[bytes]:
        start_response("200 OK", list(TEXT))
        yield b"one"
        start_response("500 Internal Server Error", list(TEXT), _caught())
        yield b"never"

    return Watched(pieces())


def fails_to_close(environ: dict[str, Any], start_response: Any, app: Hostile) -> Any:
    start_response("200 OK", list(TEXT))
    return Watched(iter([b"one", b"two"]), fails_to_close=True)


WELL = {
    "a list": plain,
    "a stream": streamed,
    "a generator": generator,
    "start_response with the first piece": late,
    "no body": empty,
    "only empty pieces": empty_pieces,
    "write() and a stream": written,
    "write() alone": only_written,
    "start_response twice": replaced,
    "start_response twice, late": replaced_late,
    "a file": file,
}

FAILING = {
    "before start_response": fails_before,
    "after start_response": fails_after_start,
    "before the first piece": fails_at_first_piece,
    "after the first piece": fails_in_the_middle,
    "exc_info after the first piece": reports_too_late,
    "in close()": fails_to_close,
}
