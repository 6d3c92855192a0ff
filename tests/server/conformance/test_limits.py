"""Sizes at their limits: one byte more is refused, one byte less is not, in whatever pieces it comes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from conformance_exchange import Parts, alive, before_lines, by_bytes, cut_at, observe
from conformance_tables import Required
from engine_in_thread import EngineInThread

LIMITS = {"request_line": 120, "head": 300, "fields": 5, "body": 100}
Start = Callable[..., EngineInThread]


def ways(request: bytes) -> Iterator[Parts]:
    yield [request]
    yield list(by_bytes([request]))
    yield list(before_lines([request]))
    yield from (cut_at([request], offset) for offset in range(1, len(request)))


def line_of(size: int) -> bytes:
    start, end = b"GET /", b" HTTP/1.1"
    return start + b"a" * (size - len(start + end)) + end + b"\r\nHost: x\r\n\r\n"


def head_of(size: int) -> bytes:
    """So many bytes up to and with the empty line."""
    start, end = b"GET / HTTP/1.1\r\nHost: x\r\nFoo: ", b"\r\n\r\n"
    return start + b"a" * (size - len(start + end)) + end


def fields_of(number: int) -> bytes:
    return b"GET / HTTP/1.1\r\nHost: x\r\n" + b"".join(b"F%d: 1\r\n" % each for each in range(number - 1)) + b"\r\n"


def body_of(size: int) -> bytes:
    return b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size + b"b" * size


def chunks_of(size: int) -> bytes:
    pieces = b"%x\r\n%b\r\n%x\r\n%b\r\n" % (40, b"c" * 40, size - 40, b"c" * (size - 40))
    return b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + pieces + b"0\r\n\r\n"


@pytest.fixture(scope="module")
def server() -> Iterator[EngineInThread]:
    from conformance_app import ConformanceApp

    from wheatpaste.server.settings import Limits, Settings

    running = EngineInThread(ConformanceApp(), Settings(limits=Limits(**LIMITS)))
    yield running
    running.stop()


@pytest.mark.parametrize(
    ("made", "limit", "status"),
    [
        (line_of, LIMITS["request_line"], 414),
        (head_of, LIMITS["head"], 431),
        (fields_of, LIMITS["fields"], 431),
        (body_of, LIMITS["body"], 413),
        (chunks_of, LIMITS["body"], 413),
    ],
    ids=["a request line", "a head", "the number of fields", "a body with a length", "a body in chunks"],
)
def test_it_is_answered_up_to_its_limit(
    server: EngineInThread, made: Callable[[int], bytes], limit: int, status: int
) -> None:
    for size in (limit - 1, limit, limit + 1):
        required = Required.read("200 kept" if size <= limit else f"{status} closed")
        for parts in ways(made(size)):
            seen = observe(server.unix, parts, required)
            assert required.met(seen.statuses, seen.end), (size, len(parts), parts[:2], str(seen))
    assert alive(server.unix)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /" + b"a" * 200, 414),
        (b"GET / HTTP/1.1\r\nHost: x\r\nFoo: " + b"a" * 400, 431),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"F: 1\r\n" * 100, 431),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 101\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n", 413),
    ],
    ids=["a request line", "a head", "fields", "a length", "a chunk"],
)
def test_what_is_too_much_is_refused_before_its_end(server: EngineInThread, request_: bytes, status: int) -> None:
    """The answer does not wait for what the client may never send."""
    required = Required.read(f"{status} closed")
    for parts in ([request_], list(by_bytes([request_]))):
        seen = observe(server.unix, parts, required)
        assert required.met(seen.statuses, seen.end), str(seen)


def test_a_refusal_can_be_read_while_much_is_still_being_sent(server: EngineInThread) -> None:
    """The server reads on for a moment, so that no reset overtakes its answer."""
    for request, status in (
        (b"GET /" + b"a" * 60_000, 414),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 50000\r\n\r\n" + b"a" * 50_000, 413),
        (b"GET / HTTP/1.1\r\n" + b"a" * 60_000, 431),
    ):
        required = Required.read(f"{status} closed")
        for address in (server.tcp, server.unix):
            for _ in range(5):
                seen = observe(address, [request], required)
                assert required.met(seen.statuses, seen.end), str(seen)


@pytest.mark.parametrize(
    ("size", "outcome"),
    [
        (b"0" * 30 + b"5", "200 kept"),
        (b"0" * 31 + b"5", "200 kept"),
        (b"0" * 32 + b"5", "400 closed or 413 closed"),
        (b"0" * 100 + b"5", "400 closed or 413 closed"),
        (b"f" * 15, "413 closed"),
        (b"f" * 16, "413 closed or 400 closed"),
        (b"f" * 17, "413 closed or 400 closed"),
        (b"f" * 40, "413 closed or 400 closed"),
    ],
)
def test_a_chunk_size_of_any_length_has_one_outcome(server: EngineInThread, size: bytes, outcome: str) -> None:
    request = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + size + b"\r\nhello\r\n0\r\n\r\n"
    required = Required.read(outcome)
    seen = {str(observe(server.unix, parts, required)) for parts in ways(request)}
    assert len(seen) == 1, seen
    statuses, end = seen.pop().split()
    assert required.met((int(statuses),), end), (statuses, end)


def test_extensions_are_counted_over_the_whole_body(server: EngineInThread) -> None:
    chunk = b"1;" + b"a" * 99 + b"\r\nx\r\n"
    start = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    for number, outcome in ((5, "200 kept"), (50, "400 closed")):
        required = Required.read(outcome)
        for parts in ([start + chunk * number + b"0\r\n\r\n"], list(by_bytes([start + chunk * number + b"0\r\n\r\n"]))):
            seen = observe(server.unix, parts, required)
            assert required.met(seen.statuses, seen.end), str(seen)


def test_many_small_chunks_are_one_body(server: EngineInThread) -> None:
    request = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 100 + b"0\r\n\r\n"
    for parts in ([request], list(by_bytes([request])), list(before_lines([request]))):
        server.app.calls.clear()
        assert str(observe(server.unix, parts, Required.read("200 kept"))) == "200 kept"
        assert server.app.calls[0].body == b"x" * 100


def test_eight_thousand_octets_of_target_are_taken_by_default(start: Start) -> None:
    required = Required.read("200 kept")
    request = b"GET /" + b"a" * 8000 + b" HTTP/1.1\r\nHost: x\r\n\r\n"
    for parts in ([request], list(by_bytes([request]))):
        seen = observe(start().unix, parts, required)
        assert str(seen) == "200 kept"
