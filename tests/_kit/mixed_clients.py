"""Clients of every kind: those that behave, and those that leave, stall, reset and lie."""

from __future__ import annotations

import hashlib
import random
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable

from paced_app import get
from raw_http import Address, BadReply, Wire
from tls_wire import tls_wire

BLOB = hashlib.shake_256(b"wheatpaste").digest(3_000_000)


class MixedClient(threading.Thread):
    """Does one thing after the other until ``over``; ``done`` counts what, ``wrong`` says what must not have come."""

    def __init__(self, plain: Address, tls: Address, over: threading.Event, seed: int) -> None:
        super().__init__(daemon=True)
        self._plain, self._tls, self._over = plain, tls, over
        self._chance = random.Random(seed)
        self.done: Counter[str] = Counter()
        self.wrong: list[str] = []
        self._things: list[Callable[[Wire], None]] = [
            self.ask_on_a_kept_connection,
            self.ask_on_a_kept_connection,
            self.pipeline,
            self.download,
            self.upload,
            self.upload_chunked,
            self.half_close,
            self.leave_in_the_middle_of_a_head,
            self.leave_in_the_middle_of_a_body,
            self.leave_in_the_middle_of_a_reply,
            self.be_refused,
            self.stall,
            self.expect,
        ]

    def run(self) -> None:
        while not self._over.is_set():
            thing = self._chance.choice(self._things)
            try:
                if self._chance.random() < 0.05:
                    self.spoil_a_handshake()
                is_tls = self._chance.random() < 0.3
                with tls_wire(self._tls, 20) if is_tls else Wire(self._plain, 20) as wire:
                    thing(wire)
                self.done[thing.__name__] += 1
            except (AssertionError, BadReply, OSError) as error:
                self.wrong.append(f"{thing.__name__}: {error!r}")

    def _ask(self, wire: Wire, request: bytes, body: bytes, status: int = 200) -> None:
        wire.send(request)
        reply = wire.read_reply()
        assert reply is not None, "closed instead"
        assert reply.status == status, reply.status
        assert reply.complete
        if status == 200:
            assert reply.body == body, reply.body[:50]

    def ask_on_a_kept_connection(self, wire: Wire) -> None:
        for _ in range(self._chance.randrange(1, 40)):
            if self._chance.random() < 0.1:
                self._ask(wire, get("/nap"), b"awake")
            else:
                self._ask(wire, get("/"), b"hello")

    def pipeline(self, wire: Wire) -> None:
        number = self._chance.randrange(2, 60)
        wire.send(get("/") * number + get("/nap") + get("/"))
        for body in [b"hello"] * number + [b"awake", b"hello"]:
            reply = wire.read_reply()
            assert reply is not None, "closed in a pipeline"
            assert reply.body == body

    def download(self, wire: Wire) -> None:
        for path in ("/file", "/pieces", "/blob"):
            self._ask(wire, get(path), BLOB)

    def _body(self) -> tuple[bytes, bytes]:
        body = BLOB[: self._chance.choice((1, 1000, 90_000, 150_000, 1_000_000))]
        return body, hashlib.sha256(body).hexdigest().encode()

    def upload(self, wire: Wire) -> None:
        body, digest = self._body()
        self._ask(wire, b"POST /digest HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body, digest)

    def upload_chunked(self, wire: Wire) -> None:
        body, digest = self._body()
        chunks = [body[at : at + 70_000] for at in range(0, len(body), 70_000)]
        data = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in [*chunks, b""])
        self._ask(wire, b"POST /digest HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + data, digest)

    def expect(self, wire: Wire) -> None:
        wire.send(b"POST /digest HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        reply = wire.read_reply()
        assert reply is not None
        assert reply.status == 100
        self._ask(wire, b"hello", hashlib.sha256(b"hello").hexdigest().encode())

    def half_close(self, wire: Wire) -> None:
        wire.send(get("/nap"))
        if not isinstance(wire.socket, ssl.SSLSocket):  # TLS has no half of a connection
            wire.finish()
        reply = wire.read_reply()
        assert reply is not None
        assert reply.body == b"awake"

    def leave(self, wire: Wire) -> None:
        if self._chance.random() < 0.5:
            wire.reset()

    def leave_in_the_middle_of_a_head(self, wire: Wire) -> None:
        wire.send(get("/")[: self._chance.randrange(1, 25)])
        self.leave(wire)

    def leave_in_the_middle_of_a_body(self, wire: Wire) -> None:
        size = self._chance.choice((10, 90_000, 500_000))
        wire.send(b"POST /digest HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (size + 1) + BLOB[:size])
        self.leave(wire)

    def leave_in_the_middle_of_a_reply(self, wire: Wire) -> None:
        wire.send(get(self._chance.choice(("/file", "/pieces", "/blob", "/nap"))))
        if self._chance.random() < 0.7:
            wire.read_head()
        self.leave(wire)

    def be_refused(self, wire: Wire) -> None:
        wire.send(self._chance.choice((b"BAD\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", get("/fail"))))
        reply = wire.read_reply()
        assert reply is not None
        assert reply.status in (400, 500)
        assert not reply.stays

    def stall(self, wire: Wire) -> None:
        """Begin something and let the server end it."""
        if self._chance.random() < 0.6:
            return
        wire.send(self._chance.choice((b"", b"GET / HT", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx")))
        end = time.monotonic() + 15
        while not wire.ended and time.monotonic() < end:
            wire.read_rest()
        assert wire.ended, "the server holds a connection that says nothing"

    def spoil_a_handshake(self) -> None:
        with socket.create_connection(self._tls, 10) as sock:
            sock.sendall(self._chance.choice((b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/1.1\r\n\r\n", b"\x00" * 50)))
