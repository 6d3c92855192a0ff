"""Clients that wrk cannot be: ``server_clients.py TASK PORT …``; each task says below what it does and prints."""

from __future__ import annotations

import json
import resource
import select
import selectors
import socket
import statistics
import sys
import time
from collections.abc import Iterator

MIB = 1024 * 1024
HOST = "127.0.0.1"


def head(method: str, path: str, length: int | None = None) -> bytes:
    field = "" if length is None else f"Content-Length: {length}\r\n"
    return f"{method} {path} HTTP/1.1\r\nHost: {HOST}\r\n{field}\r\n".encode()


class Exchange:
    """One connection that sends the same request again and again and reads each answer to its end."""

    def __init__(self, port: int, request: bytes) -> None:
        self.port, self.request = port, request
        self.times: list[float] = []
        self.refused = self.broken = 0
        self.connect()

    def connect(self) -> None:
        self.socket = socket.create_connection((HOST, self.port), timeout=10)
        # As HTTP clients do; without it the end of a body waits for a delayed acknowledgement.
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        self.socket.setblocking(False)
        self.begin()

    def begin(self) -> None:
        self.unsent = memoryview(self.request)
        self.start = b""
        self.missing = -1
        """Bytes of the body; -1 before its head has come."""
        self.last = False
        self.begun = time.perf_counter()

    def wants(self) -> int:
        return selectors.EVENT_READ | (selectors.EVENT_WRITE if self.unsent else 0)

    def send(self) -> None:
        try:
            self.unsent = self.unsent[self.socket.send(self.unsent[:MIB]) :]
        except BlockingIOError:
            return

    def receive(self, buffer: memoryview) -> bool:
        """Read what is there; whether the connection is a new one now."""
        try:
            size = self.socket.recv_into(buffer)
        except BlockingIOError:
            return False
        except ConnectionError:
            size = 0
        if not size:
            self.broken += 1
            self.socket.close()
            self.connect()
            return True
        if self.missing < 0:
            self.start += bytes(buffer[:size])
            top, end, rest = self.start.partition(b"\r\n\r\n")
            if not end:
                return False
            lines = top.decode("latin-1").lower().split("\r\n")
            if lines[0][9:12] == "100":
                self.start = rest
                return False
            fields = dict(line.split(":", 1) for line in lines[1:])
            self.missing = int(fields.get("content-length", "0")) - len(rest)
            self.last = "close" in fields.get("connection", "") or (
                lines[0].startswith("http/1.0") and "keep-alive" not in fields.get("connection", "")
            )
            self.refused += lines[0][9] not in "23"
        else:
            self.missing -= size
        if self.missing > 0:
            return False
        self.times.append(time.perf_counter() - self.begun)
        if not self.last:
            self.begin()
            return False
        self.socket.close()
        self.connect()
        return True


def exchange(port: int, method: str, path: str, size: int, connections: int, seconds: float) -> None:
    """Requests with a body of so many bytes; prints what came of them, as ``Load`` takes it."""
    request = head(method, path, size or None) + b"x" * size
    buffer = memoryview(bytearray(4 * MIB))
    begun = time.perf_counter()
    with selectors.DefaultSelector() as poller:
        every = [Exchange(port, request) for _ in range(connections)]
        for each in every:
            poller.register(each.socket, each.wants(), each)
        # What was begun in time is waited for: a part of a large answer would count for the server and not for us.
        while poller.get_map() and (now := time.perf_counter() - begun) < seconds + 10:
            for key, ready in poller.select(0.2):
                each, was = key.data, key.events
                if ready & selectors.EVENT_WRITE:
                    each.send()
                if ready & selectors.EVENT_READ:
                    known, answers = each.socket, len(each.times)
                    is_new = each.receive(buffer)
                    if now >= seconds and len(each.times) > answers:
                        poller.unregister(known)
                        continue
                    if is_new:
                        poller.unregister(known)
                        poller.register(each.socket, each.wants(), each)
                        continue
                if each.wants() != was:
                    poller.modify(each.socket, each.wants(), each)
    passed = time.perf_counter() - begun
    times = sorted(taken for each in every for taken in each.times) or [0.0]
    found = {
        "requests": sum(len(each.times) for each in every),
        "seconds": passed,
        "p50": statistics.median(times),
        "p99": times[int(len(times) * 0.99)],
        "refused": sum(each.refused for each in every),
        "broken": sum(each.broken for each in every),
    }
    print(json.dumps(found))


def opened(port: int, count: int, small: bool = False) -> list[socket.socket]:
    """That many connections, with a small buffer for what comes or the usual one."""
    allow_descriptors()
    every = []
    for _ in range(count):
        connection = socket.socket()
        if small:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(5)
        connection.connect((HOST, port))
        connection.setblocking(False)
        every.append(connection)
    return every


def allow_descriptors() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def until_told(interval: float) -> Iterator[None]:
    """Yields at that interval, until standard input ends."""
    while not select.select([sys.stdin], [], [], interval)[0]:
        yield


def slow_senders(port: int, count: int) -> None:
    """Half of them send a head, half a body, a byte each 100 ms; says ``ready`` when all have begun."""
    heads = head("GET", "/hello").replace(b"\r\n\r\n", b"\r\nX-Slow: " + b"s" * 10_000)
    bodies = b"x" * 10_000
    queue = []
    for number, connection in enumerate(opened(port, count)):
        if number % 2:
            queue.append((connection, heads))
        else:
            connection.send(head("POST", "/upload", len(bodies)))
            queue.append((connection, bodies))
    print("ready", flush=True)
    for place, _ in enumerate(until_told(0.1)):
        for connection, text in queue:
            try:
                connection.send(text[place : place + 1])
            except OSError:  # refused or full, which is the server's right
                continue


def slow_readers(port: int, count: int) -> None:
    """Each asks for a mebibyte and takes a kibibyte of it each 100 ms; says ``ready`` when all have asked."""
    every = opened(port, count, small=True)
    for connection in every:
        connection.send(head("GET", "/large"))
    print("ready", flush=True)
    for _ in until_told(0.1):
        for connection in every:
            try:
                connection.recv(1024)
            except OSError:
                continue


def idle(port: int, count: int) -> None:
    """Each connection asks once and stays; prints how many have an answer when all have one or no more come."""
    allow_descriptors()
    deadline = time.monotonic() + 15
    progressed = time.monotonic()
    request = head("GET", "/hello")
    every: list[socket.socket] = []
    answered: set[int] = set()
    with selectors.DefaultSelector() as poller:
        while len(answered) < count and progressed + 1 > (now := time.monotonic()) < deadline:
            while len(every) < count and len(every) - len(answered) < 200:
                connection = socket.socket()
                connection.settimeout(0.5)
                every.append(connection)
                try:
                    connection.connect((HOST, port))
                    connection.send(request)
                except OSError:
                    break
                poller.register(connection, selectors.EVENT_READ)
            for key, _ in poller.select(0.1):
                assert isinstance(key.fileobj, socket.socket)
                try:
                    if b" 200 " in key.fileobj.recv(4096):
                        answered.add(key.fd)
                        progressed = now
                except OSError:
                    pass
                poller.unregister(key.fileobj)
    closed = sum(select_closed(connection) for connection in every if connection.fileno() in answered)
    print(len(answered) - closed, flush=True)
    for _ in until_told(3600):
        pass


def select_closed(connection: socket.socket) -> bool:
    """Whether the server has ended it, as one does that knows no keep-alive."""
    connection.setblocking(False)
    try:
        return connection.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


TASKS = {"exchange": exchange, "slow_senders": slow_senders, "slow_readers": slow_readers, "idle": idle}

if __name__ == "__main__":
    _, task, port_, *words = sys.argv
    values = [
        word if not word.replace(".", "", 1).isdigit() else float(word) if "." in word else int(word) for word in words
    ]
    TASKS[task](int(port_), *values)  # type: ignore[operator]
