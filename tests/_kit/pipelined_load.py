"""Requests of all kinds that are sent without waiting, in pieces of any size, and whose replies must come in order."""

from __future__ import annotations

import hashlib
import random
import threading
import time
from typing import Any

from raw_http import Address, Wire

SPEEDS = ("fast", "mid", "slow", "cpu")


class PipelinedApp:
    """``/SPEED/CONNECTION/NUMBER`` answers with its path and the digest of its body, in one of several shapes."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.running: dict[str, int] = {}
        self.overlapped = False
        """Whether two requests of one connection ever ran at the same time."""

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        path = environ["PATH_INFO"]
        speed, connection, number = path[1:].split("/")
        with self.lock:
            running = self.running[connection] = self.running.get(connection, 0) + 1
            self.overlapped = self.overlapped or running > 1
        try:
            wait(speed)
            body = answer_to(path, environ["wsgi.input"].read())
            shape = int(number) % 4
            if shape == 0:
                start_response("200 OK", [("Content-Length", str(len(body)))])
                return [body]
            if shape == 1:
                start_response("200 OK", [])
                return iter([body[:5], body[5:]])
            if shape == 2:
                start_response("200 OK", [])(body)
                return []
            start_response("200 OK", [("Content-Length", str(len(body)))])
            return [body[:1], b"", body[1:]]
        finally:
            with self.lock:
                self.running[connection] -= 1


def wait(speed: str) -> None:
    """Take the time that the word stands for."""
    if speed == "mid":
        time.sleep(0.000_4)
    elif speed == "slow":
        time.sleep(random.uniform(0.002, 0.006))
    elif speed == "cpu":
        end = time.thread_time() + 0.002
        while time.thread_time() < end:
            pass


def answer_to(path: str, body: bytes) -> bytes:
    """What must come back."""
    return f"{path} {hashlib.md5(body, usedforsecurity=False).hexdigest()}".encode()


def requests_of(connection: str, number: int, chance: random.Random) -> tuple[bytes, list[bytes]]:
    """The bytes of so many requests, and the bodies of their replies."""
    sent, expected = [], []
    for each in range(number):
        speed = chance.choices(SPEEDS, (80, 10, 8, 2))[0]
        path = f"/{speed}/{connection}/{each}"
        body = chance.randbytes(chance.choice((1, 10, 3000))) if chance.random() < 0.2 else b""
        head = f"{'POST' if body else 'GET'} {path} HTTP/1.1\r\nHost: x\r\n".encode()
        if not body:
            sent.append(head + b"\r\n")
        elif chance.random() < 0.5:
            sent.append(head + b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        else:
            cut = chance.randrange(len(body))
            chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (body[:cut], body[cut:]) if piece)
            sent.append(head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n")
        expected.append(answer_to(path, body))
    return b"".join(sent), expected


class PipeliningClient(threading.Thread):
    """Sends in pieces while it reads; ``wrong`` says what came instead of what had to come."""

    def __init__(self, address: Address, name: str, number: int, seed: int) -> None:
        super().__init__(daemon=True)
        self._chance = random.Random(seed)
        self._wire = Wire(address, 30)
        self._data, self._expected = requests_of(name, number, self._chance)
        self.right = 0
        self.wrong: str | None = None

    def run(self) -> None:
        """Read all replies while another thread sends."""
        sender = threading.Thread(target=self._send, daemon=True)
        sender.start()
        try:
            for body in self._expected:
                reply = self._wire.read_reply()
                if reply is None or reply.status != 200 or reply.body != body:
                    self.wrong = f"after {self.right} right ones, instead of {body!r}: {reply}"
                    break
                self.right += 1
        except Exception as error:
            self.wrong = f"after {self.right} right ones: {error!r}"
        finally:
            self._wire.close()
            sender.join(10)

    def _send(self) -> None:
        data, at, chance = self._data, 0, self._chance
        try:
            while at < len(data):
                size = chance.choice((1, 2, 7, 40, 200, 1500, 1500, 16384, 60000))
                self._wire.socket.sendall(data[at : at + size])
                at += size
                if chance.random() < 0.3:
                    time.sleep(chance.choice((0, 0.000_1, 0.001)))
        except OSError:
            pass  # the reading side says what is wrong
