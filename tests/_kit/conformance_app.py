"""An app that tells what it saw, and answers in every way that PEP 3333 allows, and in some that it forbids.

``/g/NAME`` answers as ``ANSWERS[NAME]`` does; ``/i/NAME`` reads its body as ``READINGS[NAME]`` does; ``/-/probe``
proves that the server lives, and is not recorded; ``/noread`` leaves its body alone; ``/wait`` answers when the test
opens the gate; ``/204`` has nothing to say. Any other path reads its body and tells, in JSON, what came.
"""

from __future__ import annotations

import io
import json
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

Environ = dict[str, Any]
TEXT = ("Content-Type", "text/plain")
PROBE = b"alive"


@dataclass
class Call:
    """One call of the app: its environ, the body that it read or what reading raised, and the closing of its reply."""

    environ: Environ
    body: bytes | None = None
    trouble: BaseException | None = None
    closed: int = 0
    taken: int = 0

    @property
    def path(self) -> str:
        return str(self.environ["SCRIPT_NAME"] + self.environ["PATH_INFO"])


class Watched:
    """An iterator whose ``close()`` is counted."""

    def __init__(self, call: Call, pieces: Iterator[Any], trouble: BaseException | None = None) -> None:
        self._call, self._pieces, self._trouble = call, pieces, trouble

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        piece = next(self._pieces)
        self._call.taken += 1
        return piece

    def close(self) -> None:
        self._call.closed += 1
        if self._trouble:
            raise self._trouble


class WatchedList(list[Any]):
    """A list with a ``close()`` that is counted."""

    def __init__(self, call: Call, pieces: list[Any]) -> None:
        super().__init__(pieces)
        self._call = call

    def close(self) -> None:
        self._call.closed += 1


class LyingList(WatchedList):
    """Says that it has one piece, and has more."""

    def __len__(self) -> int:
        return 1


class NoFile:
    """Something to read that is no file of the system."""

    def __init__(self, data: bytes, call: Call) -> None:
        self._data, self._call = io.BytesIO(data), call

    def read(self, size: int = -1) -> bytes:
        return self._data.read(size)

    def close(self) -> None:
        self._call.closed += 1


class Planned(Exception):
    """What the app raises on purpose."""


@dataclass
class ConformanceApp:
    """Keeps its ``calls``; ``gate`` holds back the answers of ``/wait``; ``hooks`` adds paths of the test's own."""

    calls: list[Call] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)
    hooks: dict[str, Callable[[Environ, Any, Call], Any]] = field(default_factory=dict)

    def __call__(self, environ: Environ, start_response: Any) -> Any:
        path = environ["PATH_INFO"]
        if path == "/-/probe":
            start_response("200 OK", [TEXT, ("Content-Length", str(len(PROBE)))])
            return [PROBE]
        call = Call(dict(environ))
        self.calls.append(call)
        if path in self.hooks:
            return self.hooks[path](environ, start_response, call)
        if path.startswith("/g/"):
            return ANSWERS[path[3:]](environ, start_response, call)
        if path.startswith("/i/"):
            return read_as(path[3:], environ, start_response, call)
        if path == "/wait":
            self.gate.wait(20)
            return tell(call, start_response)
        if path == "/noread":
            start_response("200 OK", [TEXT, ("Content-Length", "6")])
            return [b"unread"]
        try:
            call.body = environ["wsgi.input"].read()
        except BaseException as trouble:
            call.trouble = trouble
            raise
        if path == "/204":
            start_response("204 No Content", [])
            return []
        return tell(call, start_response)


def tell(call: Call, start_response: Any) -> list[bytes]:
    facts = {key: value for key, value in call.environ.items() if isinstance(value, str | bool | int)}
    text = json.dumps({"environ": facts, "body": (call.body or b"").decode("latin-1")}).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(text)))])
    return [text]


READINGS: dict[str, Callable[[Any], Any]] = {
    "readline": lambda stream: [stream.readline(), stream.readline(), stream.readline()],
    "readlinen": lambda stream: [stream.readline(3), stream.readline(100), stream.readline(4), stream.readline(4)],
    "iterinput": list,
    "readlines": lambda stream: stream.readlines(),
    "readhint": lambda stream: [stream.readlines(1), stream.read()],
    "readneg": lambda stream: [stream.read(-1), stream.read(-1)],
    "readall": lambda stream: [stream.read(), stream.read()],
    "readpast": lambda stream: [stream.read(100), stream.read(100), stream.read(1)],
    "readsome": lambda stream: [stream.read(4), stream.read(0), stream.readline(), stream.read(1)],
}


def _shown(value: Any) -> Any:
    return value.decode("latin-1") if isinstance(value, bytes) else [_shown(item) for item in value]


def read_as(name: str, environ: Environ, start_response: Any, call: Call) -> list[bytes]:
    text = json.dumps(_shown(READINGS[name](environ["wsgi.input"]))).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(text)))])
    return [text]


def _answer(status: Any, fields: Any, pieces: Any) -> Callable[..., Any]:
    """An answer of fixed things; a function as ``pieces`` makes them anew, with the closing watched."""

    def answer(environ: Environ, start_response: Any, call: Call) -> Any:
        start_response(status, fields if isinstance(fields, tuple) else list(fields))
        return Watched(call, iter(pieces())) if callable(pieces) else pieces

    return answer


def _raising(*pieces: bytes, fields: Any = (TEXT,)) -> Callable[..., Any]:
    """Yields the pieces, then raises."""

    def answer(environ: Environ, start_response: Any, call: Call) -> Any:
        def body() -> Iterator[bytes]:
            start_response("200 OK", list(fields))
            yield from pieces
            raise Planned("in the middle")

        return Watched(call, body())

    return answer


def _caught() -> Any:
    try:
        raise Planned("told through exc_info")
    except Planned:
        return sys.exc_info()


def late(environ: Environ, start_response: Any, call: Call) -> Any:
    def body() -> Iterator[bytes]:
        start_response("201 Created", [TEXT])
        yield b"one"
        yield b""
        yield b"two"

    return Watched(call, body())


def fails_before(environ: Environ, start_response: Any, call: Call) -> Any:
    raise Planned("before start_response")


def fails_after_start(environ: Environ, start_response: Any, call: Call) -> Any:
    start_response("200 OK", [TEXT, ("X-Old", "1")])
    raise Planned("after start_response")


def exits(environ: Environ, start_response: Any, call: Call) -> Any:
    raise SystemExit(3)


def interrupts(environ: Environ, start_response: Any, call: Call) -> Any:
    raise KeyboardInterrupt


def exits_in_body(environ: Environ, start_response: Any, call: Call) -> Any:
    def body() -> Iterator[bytes]:
        start_response("200 OK", [TEXT])
        yield b"one"
        raise SystemExit(3)

    return Watched(call, body())


def writes(environ: Environ, start_response: Any, call: Call) -> Any:
    write = start_response("200 OK", [TEXT])
    write(b"one")
    write(b"two")
    return Watched(call, iter([b"six"]))


def writes_with_length(environ: Environ, start_response: Any, call: Call) -> Any:
    write = start_response("200 OK", [TEXT, ("Content-Length", "9")])
    write(b"one")
    write(b"two")
    return Watched(call, iter([b"six"]))


def starts_twice(environ: Environ, start_response: Any, call: Call) -> Any:
    start_response("200 OK", [TEXT])
    start_response("201 Created", [TEXT])
    return Watched(call, iter([b"twice"]))


def replaces(environ: Environ, start_response: Any, call: Call) -> Any:
    start_response("200 OK", [TEXT, ("X-Old", "1"), ("Content-Length", "2")])
    start_response("503 Service Unavailable", [TEXT, ("X-New", "1")], _caught())
    return Watched(call, iter([b"replaced"]))


def replaces_too_late(environ: Environ, start_response: Any, call: Call) -> Any:
    def body() -> Iterator[bytes]:
        start_response("200 OK", [TEXT])
        yield b"one"
        start_response("500 Internal Server Error", [TEXT], _caught())
        yield b"never"

    return Watched(call, body())


def never_starts(environ: Environ, start_response: Any, call: Call) -> Any:
    return Watched(call, iter([b"never started"]))


def returns_none(environ: Environ, start_response: Any, call: Call) -> Any:
    start_response("200 OK", [TEXT])


def fails_to_close(environ: Environ, start_response: Any, call: Call) -> Any:
    start_response("200 OK", [TEXT])
    return Watched(call, iter([b"one", b"two"]), Planned("in close()"))


def one_watched(environ: Environ, start_response: Any, call: Call) -> Any:
    start_response("200 OK", [TEXT])
    return WatchedList(call, [b"one"])


def lies_about_its_length(environ: Environ, start_response: Any, call: Call) -> Any:
    start_response("200 OK", [TEXT])
    return LyingList(call, [b"one", b"two"])


def endless(environ: Environ, start_response: Any, call: Call) -> Any:
    def body() -> Iterator[bytes]:
        while True:
            yield b"x" * 8192

    start_response("200 OK", [TEXT])
    return Watched(call, body())


def _file(size: int | None = 10, *, offset: int = 2, length: int | None = None) -> Callable[..., Any]:
    """A file of so many digits, read from ``offset`` on."""

    def answer(environ: Environ, start_response: Any, call: Call) -> Any:
        handle = tempfile.TemporaryFile()  # noqa: SIM115 the server closes it
        handle.write(b"0123456789" * ((size or 0) // 10 + 1))
        handle.truncate(size)
        handle.seek(offset)
        fields = [TEXT] if length is None else [TEXT, ("Content-Length", str(length))]
        start_response("200 OK", fields)
        return environ["wsgi.file_wrapper"](CountingFile(handle, call))

    return answer


class CountingFile:
    """A real file, with ``fileno``, whose closing is counted."""

    def __init__(self, handle: Any, call: Call) -> None:
        self._handle, self._call = handle, call

    def __getattr__(self, name: str) -> Any:
        return getattr(self._handle, name)

    def close(self) -> None:
        self._call.closed += 1
        self._handle.close()


def plain_file(environ: Environ, start_response: Any, call: Call) -> Any:
    """The usual case: what ``open`` returns, nothing wrapped around it."""
    handle = tempfile.TemporaryFile()  # noqa: SIM115 the server closes it
    handle.write(b"0123456789" * 20_000)
    handle.seek(5)
    start_response("200 OK", [TEXT])
    return environ["wsgi.file_wrapper"](handle, 4096)


def no_file(environ: Environ, start_response: Any, call: Call) -> Any:
    start_response("200 OK", [TEXT])
    return environ["wsgi.file_wrapper"](NoFile(b"0123456789", call), 3)


def no_file_with_length(environ: Environ, start_response: Any, call: Call) -> Any:
    start_response("200 OK", [TEXT, ("Content-Length", "10")])
    return environ["wsgi.file_wrapper"](NoFile(b"0123456789", call), 3)


_INJECTED = "a\r\nX-Injected: 1"

ANSWERS: dict[str, Callable[..., Any]] = {
    "204": _answer("204 No Content", [], []),
    "204body": _answer("204 No Content", [], lambda: [b"xx"]),
    "204cl": _answer("204 No Content", [("Content-Length", "2")], lambda: [b"xx"]),
    "304": _answer("304 Not Modified", [("ETag", '"e"')], []),
    "304cl": _answer("304 Not Modified", [("Content-Length", "5")], []),
    "304body": _answer("304 Not Modified", [], lambda: [b"yy"]),
    "205": _answer("205 Reset Content", [], []),
    "205body": _answer("205 Reset Content", [], lambda: [b"zz"]),
    "100": _answer("100 Continue", [], []),
    "103": _answer("103 Early Hints", [("Link", "</a.css>; rel=preload")], lambda: [b"x"]),
    "clshort": _answer("200 OK", [TEXT, ("Content-Length", "10")], lambda: [b"abc"]),
    "cllong": _answer("200 OK", [TEXT, ("Content-Length", "3")], lambda: [b"abcdef"]),
    "cllong2": _answer("200 OK", [TEXT, ("Content-Length", "3")], lambda: [b"ab", b"cdef"]),
    "cl0": _answer("200 OK", [TEXT, ("Content-Length", "0")], lambda: [b"surplus"]),
    "gen": late,
    "nocl1": _answer("200 OK", [TEXT], [b"one"]),
    "nocl1watched": one_watched,
    "nocl2": _answer("200 OK", [TEXT], lambda: [b"one", b"two"]),
    "list2": _answer("200 OK", [TEXT], [b"one", b"two"]),
    "tuple1": _answer("200 OK", [TEXT], (b"one",)),
    "empty": _answer("200 OK", [TEXT], []),
    "emptylist": _answer("200 OK", [TEXT], [b""]),
    "emptyit": _answer("200 OK", [TEXT], lambda: [b""]),
    "lyinglen": lies_about_its_length,
    "errbefore": fails_before,
    "errafterstart": fails_after_start,
    "errfirst": _raising(),
    "errmid": _raising(b"one"),
    "errmidcl": _raising(b"one", fields=[TEXT, ("Content-Length", "100")]),
    "sysexit": exits,
    "kbint": interrupts,
    "sysexitmid": exits_in_body,
    "write": writes,
    "writecl": writes_with_length,
    "twice": starts_twice,
    "twiceexc": replaces,
    "excaftersent": replaces_too_late,
    "nostart": never_starts,
    "badclose": fails_to_close,
    "endless": endless,
    "crlfval": _answer("200 OK", [TEXT, ("X-A", _INJECTED)], lambda: [b"x"]),
    "lfval": _answer("200 OK", [TEXT, ("X-A", "a\nX-Injected: 1")], lambda: [b"x"]),
    "crval": _answer("200 OK", [TEXT, ("X-A", "a\rX-Injected: 1")], lambda: [b"x"]),
    "crlfname": _answer("200 OK", [TEXT, ("X-A\r\nX-Injected", "1")], lambda: [b"x"]),
    "crlfstatus": _answer("200 OK\r\nX-Injected: 1", [TEXT], lambda: [b"x"]),
    "nulval": _answer("200 OK", [TEXT, ("X-A", "a\0b")], lambda: [b"x"]),
    "badname": _answer("200 OK", [TEXT, ("X A", "1")], lambda: [b"x"]),
    "emptyname": _answer("200 OK", [TEXT, ("", "1")], lambda: [b"x"]),
    "colonname": _answer("200 OK", [TEXT, ("X-A:", "1")], lambda: [b"x"]),
    "hopconn": _answer("200 OK", [TEXT, ("Connection", "close")], [b"one"]),
    "hopka": _answer("200 OK", [TEXT, ("Keep-Alive", "timeout=99")], [b"one"]),
    "hopte": _answer("200 OK", [TEXT, ("Transfer-Encoding", "chunked")], lambda: [b"3\r\none\r\n", b"0\r\n\r\n"]),
    "hopupgrade": _answer("200 OK", [TEXT, ("Upgrade", "h2c"), ("Connection", "Upgrade")], [b"one"]),
    "status_u": _answer("200 \u20ac", [TEXT], [b"x"]),
    "status_l": _answer("200 Tr\u00e8s bien", [TEXT], [b"one"]),
    "status_short": _answer("200", [TEXT], [b"one"]),
    "status_999": _answer("999 Weird", [TEXT], [b"one"]),
    "status_bad": _answer("abc Bad", [TEXT], [b"x"]),
    "status_long": _answer("2000 Too many digits", [TEXT], [b"x"]),
    "status_int": _answer(200, [TEXT], [b"x"]),
    "status_bytes": _answer(b"200 OK", [TEXT], [b"x"]),
    "hdr_u": _answer("200 OK", [TEXT, ("X-A", "\u20ac")], [b"x"]),
    "hdr_l": _answer("200 OK", [TEXT, ("X-A", "caf\u00e9")], [b"one"]),
    "hdr_bytes": _answer("200 OK", [TEXT, ("X-A", b"bytes")], [b"x"]),
    "hdr_int": _answer("200 OK", [TEXT, ("X-A", 1)], [b"x"]),
    "hdr_tuple": _answer("200 OK", (TEXT,), [b"one"]),
    "strbody": _answer("200 OK", [TEXT], ["text"]),
    "strlate": _answer("200 OK", [TEXT], lambda: [b"one", "text"]),
    "bytesbody": _answer("200 OK", [TEXT, ("Content-Length", "3")], b"abc"),
    "none": returns_none,
    "dupcl": _answer("200 OK", [TEXT, ("Content-Length", "1"), ("Content-Length", "1")], [b"x"]),
    "dupcl2": _answer("200 OK", [TEXT, ("Content-Length", "1"), ("Content-Length", "2")], [b"x"]),
    "badcl": _answer("200 OK", [TEXT, ("Content-Length", "x")], [b"x"]),
    "pluscl": _answer("200 OK", [TEXT, ("Content-Length", "+1")], [b"x"]),
    "listcl": _answer("200 OK", [TEXT, ("Content-Length", "1, 1")], [b"x"]),
    "mydate": _answer(
        "200 OK",
        [TEXT, ("Date", "Sun, 06 Nov 1994 08:49:37 GMT"), ("Server", "app"), ("X-Own-Date", "1")],
        [b"one"],
    ),
    "cookies": _answer("200 OK", [TEXT, ("Set-Cookie", "b=2"), ("Set-Cookie", "a=1")], [b"one"]),
    "fw": _file(),
    "fwcl": _file(length=8),
    "fwcllow": _file(length=4),
    "fwclhigh": _file(length=20),
    "fwplain": plain_file,
    "fwempty": _file(0, offset=0),
    "nofw": no_file,
    "nofwcl": no_file_with_length,
}
