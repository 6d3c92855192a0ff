"""A client that sends bytes as they are, in pieces of the test's choice, and reads replies strictly.

It corrects nothing: whatever is malformed in a reply raises :class:`BadReply`. On UNIX sockets each piece is on its way
alone: the next one is sent when the server has taken the one before, so a segmentation is what the server really sees.
"""

from __future__ import annotations

import array
import contextlib
import email.utils
import fcntl
import os
import re
import select
import socket
import struct
import termios
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

Address = Any
"""A path (UNIX) or a pair of host and port, as ``socket.connect`` wants it."""

_STATUS_LINE = re.compile(rb"(HTTP/1\.[01]) ([0-9]{3}) ([\t\x20-\x7e\x80-\xff]*)")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,16})")


class BadReply(Exception):
    """The bytes that came are no HTTP reply."""


@dataclass(frozen=True)
class Reply:
    """One reply. ``framing`` says how its end was told: length, chunked, close or none (a status without a body)."""

    version: str
    status: int
    reason: str
    fields: tuple[tuple[str, str], ...]
    body: bytes = b""
    framing: str = "none"
    complete: bool = True

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def get(self, name: str) -> str | None:
        values = self.all(name)
        if len(values) > 1:
            raise BadReply(f"{name} came {len(values)} times: {values}")
        return values[0] if values else None

    @property
    def interim(self) -> bool:
        return self.status < 200

    @property
    def stays(self) -> bool:
        """Does it leave the connection open, by what it says? RFC 9112 section 9.3."""
        wishes = {word.strip().lower() for value in self.all("Connection") for word in value.split(",")}
        if not self.complete or self.framing == "close" or "close" in wishes:
            return False
        return self.version == "HTTP/1.1" or "keep-alive" in wishes

    def complaints(self) -> list[str]:
        """What a client may hold against it, whatever was asked."""
        found = []
        for name in ("Date", "Server", "Content-Length", "Transfer-Encoding", "Content-Type", "Connection"):
            if len(self.all(name)) > 1:
                found.append(f"{name} came {len(self.all(name))} times")
        if self.interim:
            return found
        date = self.all("Date")
        if not date or not re.fullmatch(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT", date[0]):
            found.append(f"no Date, or a strange one: {date}")
        elif abs(
            email.utils.parsedate_to_datetime(date[0]).timestamp() - time.time()
        ) > 30 and "X-Own-Date" not in dict(self.fields):
            found.append(f"the Date is not now: {date}")
        if self.all("Content-Length") and self.all("Transfer-Encoding"):
            found.append("Content-Length and Transfer-Encoding together")
        if self.status == 204 and (self.all("Content-Length") or self.all("Transfer-Encoding")):
            found.append("a 204 with framing")
        if self.version == "HTTP/1.0" and self.all("Transfer-Encoding"):
            found.append("Transfer-Encoding in HTTP/1.0")
        if self.status >= 400 and self.body and not self.all("Content-Type"):
            found.append("an error page without Content-Type")
        return found


@dataclass
class Wire:
    """One connection. ``ended`` tells what reading found at its end: closed or reset."""

    address: Address
    patience: float = 20.0
    ended: str | None = None
    refused_bytes: bool = False
    _held: bytearray = field(default_factory=bytearray)

    def __post_init__(self) -> None:
        self._unix = isinstance(self.address, str)
        self.socket = socket.socket(socket.AF_UNIX if self._unix else socket.AF_INET)
        self.socket.settimeout(self.patience)
        if not self._unix:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self.socket.connect(self.address)
        except OSError:
            self.socket.close()
            raise

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()

    def reset(self) -> None:
        """Close so that the server gets a reset (TCP)."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def send(self, data: bytes) -> bool:
        """Send; False when the server takes no more."""
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            self.refused_bytes = True
            return False
        return True

    def send_pieces(self, pieces: Iterable[bytes]) -> bool:
        """Send each piece when the one before was taken (UNIX), or one after the other (TCP)."""
        for number, piece in enumerate(pieces):
            if number:
                self.wait_until_taken()
            if not self.send(piece):
                return False
        return True

    def wait_until_taken(self, deadline: float = 0.25) -> bool:
        """Wait until the server has read what was sent; UNIX sockets only, elsewhere it cannot be known."""
        if not self._unix:
            return False
        pending = array.array("i", [0])
        end = time.monotonic() + deadline
        while True:
            fcntl.ioctl(self.socket, termios.TIOCOUTQ, pending, True)
            if not pending[0]:
                return True
            if time.monotonic() > end:
                return False  # it runs an app, or it has answered and is not going to read on
            os.sched_yield()

    def finish(self) -> None:
        """Say that nothing more will be sent."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)

    def _more(self) -> bool:
        """Read once; False at the end. Raises ``TimeoutError`` when nothing comes."""
        if self.ended:
            return False
        try:
            data = self.socket.recv(1 << 18)
        except (ConnectionResetError, BrokenPipeError):
            self.ended = "reset"
            return False
        if not data:
            self.ended = "closed"
            return False
        self._held += data
        return True

    def _line(self) -> bytes | None:
        while True:
            at = self._held.find(b"\n")
            if at >= 0:
                line = bytes(self._held[: at + 1])
                del self._held[: at + 1]
                if line[-2:] != b"\r\n":
                    raise BadReply(f"a line of a reply ends without CR: {line!r}")
                return line[:-2]
            if not self._more():
                return None

    def exactly(self, size: int) -> tuple[bytes, bool]:
        """So many bytes, and whether all of them came before the end."""
        while len(self._held) < size and self._more():
            pass
        data = bytes(self._held[:size])
        del self._held[:size]
        return data, len(data) == size

    def read_head(self) -> Reply | None:
        """Read a status line and fields; None when the server closed instead."""
        line = self._line()
        if line is None:
            if self._held:
                raise BadReply(f"cut in its head: {bytes(self._held[:200])!r}")
            return None
        start = _STATUS_LINE.fullmatch(line)
        if start is None:
            raise BadReply(f"no status line: {line[:200]!r}")
        fields = []
        while line := self._line():
            found = _FIELD.fullmatch(line)
            if found is None:
                raise BadReply(f"no field line: {line[:200]!r}")
            fields.append((found[1].decode("latin-1"), found[2].decode("latin-1")))
        if line is None:
            raise BadReply("cut in its head")
        return Reply(start[1].decode(), int(start[2]), start[3].decode("latin-1"), tuple(fields))

    def read_reply(self, method: str = "GET") -> Reply | None:
        """Read one reply, an interim one too; None when the server closed instead."""
        reply = self.read_head()
        if reply is None:
            return None
        if method == "HEAD" or reply.interim or reply.status in (204, 304):
            return reply
        body, framing, complete = self._body(reply)
        return Reply(reply.version, reply.status, reply.reason, reply.fields, body, framing, complete)

    def _body(self, reply: Reply) -> tuple[bytes, str, bool]:
        coding = reply.get("Transfer-Encoding")
        length = reply.get("Content-Length")
        if coding is not None:
            if coding.lower() != "chunked":
                raise BadReply(f"Transfer-Encoding: {coding}")
            body, complete = self.chunks()
            return body, "chunked", complete
        if length is not None:
            if not re.fullmatch("[0-9]+", length):
                raise BadReply(f"Content-Length: {length}")
            body, complete = self.exactly(int(length))
            return body, "length", complete
        while self._more():
            pass
        body, _ = self.exactly(len(self._held))
        return body, "close", self.ended == "closed"

    def chunks(self) -> tuple[bytes, bool]:
        """A chunked body from here on, and whether its end came."""
        pieces = []
        while True:
            line = self._line()
            if line is None:
                return b"".join(pieces), False
            if not _CHUNK.fullmatch(line):
                raise BadReply(f"no chunk size: {line[:200]!r}")
            size = int(line, 16)
            data, complete = self.exactly(size)
            pieces.append(data)
            if not complete:
                return b"".join(pieces), False
            end = self._line()
            if end is None:
                return b"".join(pieces), False
            if end:
                raise BadReply(f"a chunk, or the last one, is followed by {end[:200]!r}")
            if not size:
                return b"".join(pieces), True

    def read_rest(self) -> bytes:
        """Everything until the server closes. Raises ``TimeoutError`` when it does not."""
        while self._more():
            pass
        return self.exactly(len(self._held))[0]

    def quiet(self, seconds: float) -> bool:
        """Does nothing come, not even an end, for so long?"""
        if self._held:
            return False
        return not select.select([self.socket], [], [], seconds)[0]
