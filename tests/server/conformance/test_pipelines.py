"""Many requests at once, and what is left when a connection ends among them."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable

from conformance_exchange import alive
from engine_in_thread import EngineInThread, wait_for
from raw_http import Wire

Start = Callable[..., EngineInThread]


def path_told(body: bytes) -> str:
    return str(json.loads(body)["environ"]["PATH_INFO"])


def test_a_hundred_requests_in_one_segment_are_answered_in_order(server_under_test: EngineInThread) -> None:
    with Wire(server_under_test.tcp) as wire:
        wire.send(b"".join(b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n" % number for number in range(100)))
        for number in range(100):
            reply = wire.read_reply()
            assert reply is not None
            assert reply.status == 200
            assert path_told(reply.body) == f"/{number}"


def test_mixed_requests_in_one_segment_are_answered_in_order(server_under_test: EngineInThread) -> None:
    kinds = [
        b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /%d HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
        b"POST /%d HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        b"\r\nPUT /%d HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
    ]
    with Wire(server_under_test.tcp) as wire:
        wire.send(b"".join(kinds[number % 4] % number for number in range(100)))
        for number in range(100):
            reply = wire.read_reply()
            assert reply is not None
            assert path_told(reply.body) == f"/{number}"
            assert json.loads(reply.body)["body"] == ("hello" if number % 4 in (1, 2) else "")


def test_slow_and_fast_requests_in_one_segment_are_answered_in_order(start: Start) -> None:
    server = start(threads=4)
    with Wire(server.tcp) as wire:
        wire.send(
            b"".join(b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n" % path for path in (b"1", b"wait", b"2", b"wait", b"3"))
        )
        first = wire.read_reply()
        assert first is not None
        assert path_told(first.body) == "/1"
        assert wire.quiet(0.1)
        server.app.gate.set()
        assert [path_told(wire.read_reply().body) for _ in range(4)] == ["/wait", "/2", "/wait", "/3"]  # type: ignore[union-attr]


def test_a_long_pipeline_is_answered_beside_others(start: Start) -> None:
    server = start(threads=2)
    number = 5000
    answered = []

    def read_all(wire: Wire) -> None:
        for _ in range(number):
            answered.append(wire.read_reply())

    with Wire(server.tcp, 30) as wire:
        reader = threading.Thread(target=read_all, args=(wire,))
        reader.start()
        wire.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * number)
        for _ in range(5):
            assert alive(server.tcp)
        reader.join(60)
    assert len(answered) == number


def test_a_client_that_sends_requests_and_reads_none_holds_nobody_up(start: Start) -> None:
    """Its replies are bounded: the server stops reading it, and whoever waits for it leads no more."""
    server = start(threads=2, limits={"output_memory": 65536}, deadlines={"write": 30})
    with Wire(server.tcp, 0.3) as wire:
        sent = 0
        try:
            for _ in range(2000):
                wire.socket.sendall(b"GET /g/fwplain HTTP/1.1\r\nHost: x\r\n\r\n" * 100)
                sent += 100
        except (TimeoutError, ConnectionError):
            pass
        assert sent < 200_000
        assert alive(server.tcp)
    assert len(server.app.calls) < 2000


def test_what_follows_a_close_is_dropped_without_a_reset(server_under_test: EngineInThread) -> None:
    for _ in range(20):
        with Wire(server_under_test.tcp) as wire:
            wire.send(
                b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" + b"GET /2 HTTP/1.1\r\nHost: x\r\n\r\n" * 500
            )
            statuses = [reply.status for reply in iter(wire.read_reply, None)]
            assert statuses == [200]
            assert wire.ended == "closed"


def test_a_client_that_never_stops_sending_after_its_end_is_cut_off(start: Start) -> None:
    """The lingering close is bounded in bytes and in time."""
    server = start()
    with Wire(server.tcp) as wire:
        wire.send(b"BAD\r\n\r\n")
        reply = wire.read_reply()
        assert reply is not None
        assert reply.status == 400
        wait_for(lambda: not wire.send(b"x" * 10_000), "the server takes no more", deadline=6)
    with Wire(server.tcp) as wire:
        wire.send(b"BAD\r\n\r\n")
        assert wire.read_reply() is not None
        wait_for(lambda: not wire.send(b"x"), "the server takes no more", deadline=8)
    assert alive(server.tcp)


def test_a_number_of_requests_may_be_the_most_for_a_connection(start: Start) -> None:
    server = start(limits={"keep_alive_requests": 3})
    with Wire(server.unix) as wire:
        wire.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 5)
        replies = list(iter(wire.read_reply, None))
    assert [reply.stays for reply in replies] == [True, True, False]
