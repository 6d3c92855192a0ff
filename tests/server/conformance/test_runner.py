"""The runner itself: its pieces arrive as they were cut, and it sees what servers do wrong."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conformance_exchange import before_lines, by_bytes, cut_at, observe
from conformance_tables import Required

GOOD = b"HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 2\r\n\r\nok"
PROBED = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nalive"
LAST = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"

Server = Callable[..., str]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Answers each thing it reads with the next of the given bytes, and closes when there is no more."""
    threads = []
    path = str(tmp_path / "s")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()

    def start(*replies: bytes, read: list[bytes] | None = None, patience: float = 5) -> str:
        def serve() -> None:
            connection, _ = listener.accept()
            connection.settimeout(patience)
            with connection, contextlib.suppress(OSError):
                for reply in replies:
                    piece = connection.recv(1 << 16)
                    if read is not None:
                        read.append(piece)
                    connection.sendall(reply)

        threads.append(threading.Thread(target=serve))
        threads[-1].start()
        return path

    yield start
    for thread in threads:
        thread.join(10)
    listener.close()


REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize(
    "way", [by_bytes, before_lines, lambda parts: cut_at(parts, 9)], ids=["bytes", "lines", "two pieces"]
)
def test_a_server_reads_what_was_cut(server: Server, way: Callable[..., Iterator[bytes]]) -> None:
    pieces = list(way([REQUEST]))
    read: list[bytes] = []
    path = server(*[b""] * (len(pieces) - 1), LAST, read=read)
    assert str(observe(path, pieces, Required.read("200 closed"))) == "200 closed"
    assert read == pieces
    assert b"".join(read) == REQUEST


@pytest.mark.parametrize(
    ("replies", "seen"),
    [
        ([GOOD, PROBED], "200 kept"),
        ([LAST], "200 closed"),
        ([b""], "closed"),
        ([GOOD], "200 said to be kept, but closed"),
        ([GOOD, GOOD], "200 kept, but the next reply is 200 b'ok'"),
        ([LAST + b"more"], "200 followed by b'more'"),
        ([GOOD[:-1]], "200 cut"),
        ([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n"], "200 cut"),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 2\nX: y\r\n\r\nok"], "malformed: a line of a reply ends without CR:"),
        ([b"HTTP/1.1 200 OK\r\nX Y: 1\r\n\r\n"], "malformed: no field line: b'X Y: 1'"),
        (
            [b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx"],
            "malformed: Content-Length came 2 times",
        ),
        (
            [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2 \r\nok\r\n0\r\n\r\n"],
            "malformed: no chunk size: b'2 '",
        ),
        ([b"200 OK\r\n\r\n"], "malformed: no status line: b'200 OK'"),
        ([b"HTTP/1.1 200 OK\r\nContent-L"], "malformed: cut in its head"),
    ],
    ids=lambda value: value[:50] if isinstance(value, str) else "",
)
def test_an_observation_says_what_was_wrong(server: Server, replies: list[bytes], seen: str) -> None:
    assert str(observe(server(*replies), [REQUEST], Required.read("200 kept"))).startswith(seen)


def test_a_silent_server_is_seen(server: Server) -> None:
    path = server(b"", b"", patience=0.6)
    assert str(observe(path, [REQUEST], Required.read("200 kept"), patience=0.2)) == "silent"


def test_required_outcomes_are_no_more_than_they_say() -> None:
    required = Required.read("[100] 200 kept or 400 closed or 500")
    assert required.met((100, 200), "kept")
    assert required.met((200,), "kept")
    assert required.met((500,), "closed")
    assert required.met((500,), "kept")
    assert not required.met((500,), "cut")
    assert not required.met((200,), "closed")
    assert not required.met((400,), "kept")
    assert not required.met((400, 200), "closed")
    assert not Required.read("200 closed").met((200,), "reset")


def test_a_reply_is_linted(server: Server) -> None:
    path = server(GOOD.replace(b"Date", b"X-Date"), PROBED)
    (reply,) = observe(path, [REQUEST], Required.read("200 kept")).replies
    assert reply.complaints() == ["no Date, or a strange one: []"]
