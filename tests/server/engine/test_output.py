"""What a client has not taken yet: one thread adds, another sends."""

from __future__ import annotations

import random
import socket
import ssl
import tempfile
import threading
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from wheatpaste.server.engine.output import FileStretch, Output
from wheatpaste.server.http1.client_gone import ClientGone

WOULD_BLOCK = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """The server's end, which does not wait, and the client's."""
    server, client = socket.socketpair()
    server.setblocking(False)
    client.settimeout(10)
    with server, client:
        yield server, client


def output_to(server: socket.socket) -> Output:
    return Output(server, WOULD_BLOCK, time.monotonic())


def read(client: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size and (piece := client.recv(min(size - len(data), 65536))):
        data += piece
    return bytes(data)


def flush_until_sent(output: Output, deadline: float = 10) -> None:
    end = time.monotonic() + deadline
    while not output.flush(time.monotonic):
        assert time.monotonic() < end
        time.sleep(0)


def test_bytes_and_stretches_of_files_arrive_in_order(pair: Pair, tmp_path: Path) -> None:
    server, client = pair
    path = tmp_path / "file"
    path.write_bytes(bytes(range(256)) * 8192)
    chance = random.Random(7)
    output, expected = output_to(server), bytearray()
    with path.open("rb") as file:
        for _ in range(20):
            if chance.random() < 0.5:
                data = chance.randbytes(chance.randrange(1, 200_000))
                output.add(data)
                expected += data
            else:
                offset, count = chance.randrange(1_000_000), chance.randrange(1, 300_000)
                output.add_file(FileStretch(file.fileno(), offset, count))
                expected += path.read_bytes()[offset : offset + count]
        sender = threading.Thread(target=flush_until_sent, args=(output,))
        sender.start()
        assert read(client, len(expected)) == expected
        sender.join(10)
    assert not output
    assert output.memory == 0


def test_memory_counts_what_waits_in_memory(pair: Pair) -> None:
    server, client = pair
    output = output_to(server)
    output.add(b"x" * 3_000_000)
    output.add(memoryview(b"y" * 10))
    assert output.memory == 3_000_010
    assert not output.flush(time.monotonic)
    assert 0 < output.memory < 3_000_010
    reader = threading.Thread(target=read, args=(client, 3_000_010))
    reader.start()
    flush_until_sent(output)
    reader.join(10)
    assert output.memory == 0


def test_a_producer_waits_until_there_is_room(pair: Pair) -> None:
    server, client = pair
    output = output_to(server)
    output.add(b"x" * 2_000_000)
    output.flush(time.monotonic)
    went_on = threading.Event()

    def produce() -> None:
        output.wait_below(100_000, timeout=10)
        went_on.set()

    producer = threading.Thread(target=produce)
    producer.start()
    assert not went_on.wait(0.1)
    reader = threading.Thread(target=read, args=(client, 2_000_000))
    reader.start()
    flush_until_sent(output)
    assert went_on.wait(20)
    producer.join(20)
    reader.join(20)


def test_a_producer_whose_client_takes_nothing_is_let_go(pair: Pair) -> None:
    server, _ = pair
    output = output_to(server)
    output.add(b"x" * 2_000_000)
    output.flush(time.monotonic)
    begun = time.monotonic()
    with pytest.raises(ClientGone):
        output.wait_below(1000, timeout=0.1)
    assert 0.05 < time.monotonic() - begun < 3
    with pytest.raises(ClientGone):
        output.add(b"more")
    assert output.memory == 0


def test_a_producer_hears_of_a_client_that_left(pair: Pair) -> None:
    server, client = pair
    output = output_to(server)
    output.add(b"x" * 2_000_000)
    output.flush(time.monotonic)
    raised: list[ClientGone] = []

    def produce() -> None:
        try:
            output.wait_below(1000, timeout=10)
        except ClientGone as gone:
            raised.append(gone)

    producer = threading.Thread(target=produce)
    producer.start()
    client.close()
    with pytest.raises(OSError, match="."):
        flush_until_sent(output)
    producer.join(20)
    assert len(raised) == 1


def test_a_file_that_becomes_shorter_is_an_error(pair: Pair, tmp_path: Path) -> None:
    server, _ = pair
    path = tmp_path / "file"
    path.write_bytes(b"x" * 100)
    output = output_to(server)
    with path.open("rb") as file:
        output.add_file(FileStretch(file.fileno(), 0, 200))
        with pytest.raises(OSError, match="shorter"):
            flush_until_sent(output)


def test_one_client_does_not_keep_the_sender_from_others(tmp_path: Path) -> None:
    """A client that takes whatever comes still has to give way after some megabytes."""

    class Greedy:
        def send(self, data: memoryview) -> int:
            return len(data)

    output = Output(Greedy(), WOULD_BLOCK, 0.0)
    for _ in range(100):
        output.add(b"x" * 1_000_000)
    rounds = 1
    while not output.flush(time.monotonic):
        rounds += 1
    assert 10 < rounds < 101


def test_what_waits_may_move_to_a_file_while_it_is_sent(pair: Pair, tmp_path: Path) -> None:
    server, client = pair
    chance = random.Random(11)
    path = tmp_path / "file"
    path.write_bytes(b"f" * 1000)
    for stretch in (False, True):
        output, expected = output_to(server), b""
        with path.open("rb") as file:
            for _ in range(8):
                data = chance.randbytes(chance.randrange(1, 400_000))
                output.add(data)
                expected += data
            if stretch:
                output.add_file(FileStretch(file.fileno(), 0, 1000))
                output.add(b"the end")
                expected += b"f" * 1000 + b"the end"
            output.flush(time.monotonic)
            before = output.memory
            sender = threading.Thread(target=flush_until_sent, args=(output,))
            mover = threading.Thread(target=output.move_to_file)
            mover.start()
            sender.start()
            assert read(client, len(expected)) == expected
            for thread in (sender, mover):
                thread.join(10)
        assert before > 0
        assert output.memory == 0
        assert not output


def test_what_moved_to_a_file_is_out_of_memory_and_arrives(pair: Pair) -> None:
    server, client = pair
    output = output_to(server)
    data = random.Random(3).randbytes(3_000_000)
    output.add(data)
    output.flush(time.monotonic)
    output.move_to_file()
    assert output.memory == 0
    assert output
    output.move_to_file()  # once more: there is nothing to move
    sender = threading.Thread(target=flush_until_sent, args=(output,))
    sender.start()
    assert read(client, len(data)) == data
    sender.join(10)


def test_a_file_is_closed_when_its_client_leaves(pair: Pair) -> None:
    server, client = pair
    output = output_to(server)
    output.add(b"x" * 3_000_000)
    output.flush(time.monotonic)
    output.move_to_file()
    output.fail("it left")  # an open file would be complained of as a warning, which is an error here
    output.move_to_file()
    assert not output


def test_without_room_on_the_disk_it_stays_in_memory(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    server, client = pair
    output = output_to(server)
    data = random.Random(3).randbytes(2_000_000)
    output.add(data)
    output.flush(time.monotonic)
    before = output.memory
    full = open("/dev/full", "wb", buffering=0)  # noqa: SIM115 - closed by what could not write to it
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **options: full)
    with pytest.raises(OSError, match="space"):
        output.move_to_file()
    assert full.closed
    assert output.memory == before
    sender = threading.Thread(target=flush_until_sent, args=(output,))
    sender.start()
    assert read(client, len(data)) == data
    sender.join(10)


def test_small_pieces_take_little_more_memory_than_their_bytes(pair: Pair) -> None:
    server, client = pair
    output = output_to(server)
    pieces = [b"%04d " % number for number in range(10_000)]
    tracemalloc.start()
    try:
        for piece in pieces:
            output.add(piece)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert output.memory == 50_000
    assert held < 2 * output.memory
    reader = threading.Thread(target=flush_until_sent, args=(output,))
    reader.start()
    assert read(client, 50_000) == b"".join(pieces)
    reader.join(10)


def test_what_is_added_while_the_rest_moves_to_a_file_is_not_lost(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    server, client = pair
    output, make = output_to(server), tempfile.TemporaryFile

    def slow_disk(**options: Any) -> Any:
        output.add(b"added meanwhile, ")
        return make(**options)

    monkeypatch.setattr(tempfile, "TemporaryFile", slow_disk)
    output.add(b"there before, ")
    output.move_to_file()
    output.add(b"added afterwards")
    flush_until_sent(output)
    assert read(client, 47) == b"there before, added meanwhile, added afterwards"
