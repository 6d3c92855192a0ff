"""A server in a process of its own, watched from outside."""

from __future__ import annotations

import contextlib
import http.client
import os
import random
import re
import select
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_URL = re.compile(r"https?://(?P<host>\[[0-9a-f:]+\]|[\w.-]+):(?P<port>[0-9]+)")


@dataclass(frozen=True)
class Answer:
    """What came back over the socket."""

    status: int
    reason: str
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


class RunningServer:
    """Starts ``argv`` and follows what it prints; ``ready`` before requests are sent.

    Without ``port`` the address is read from the first line that holds a URL; with it the server is ready when the port
    accepts connections.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        port: int | None = None,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self._printed = bytearray()
        self._is_at_end = False
        self._changed = threading.Condition()  # on a lock that its own thread may take again
        self.host = "127.0.0.1"
        self._port = port
        self._process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env={**os.environ, "PYTHONUNBUFFERED": "1", "NO_COLOR": "1", **(env or {})},
            start_new_session=True,  # so that whatever it starts can be ended with it
        )
        assert self._process.stdout is not None
        self._output = self._process.stdout.fileno()
        os.set_blocking(self._output, False)
        self._reader = threading.Thread(target=self._follow, daemon=True)
        self._reader.start()

    def _follow(self) -> None:
        poll = select.poll()
        poll.register(self._output, select.POLLIN)
        while not self._is_at_end:
            poll.poll(1000)
            with self._changed:
                self._take()

    def _take(self) -> None:
        """Take what it has printed so far; with the lock held."""
        with contextlib.suppress(BlockingIOError):
            while not self._is_at_end:
                data = os.read(self._output, 65536)
                self._printed += data
                self._is_at_end = not data
                self._changed.notify_all()

    def _text(self) -> str:
        """All that it has printed, in whole lines as long as it goes on."""
        with self._changed:
            self._take()
            printed = self._printed if self._is_at_end else self._printed[: self._printed.rfind(b"\n") + 1]
            return printed.decode("utf-8", "backslashreplace").replace("\r\n", "\n")

    def wait_until_ready(self, deadline: float = 60) -> RunningServer:
        """Wait until it takes connections. Raises ``RuntimeError`` with its output when it ends or stays silent."""
        if self._port is None:
            found = self.wait_for(_URL, deadline)
            self.host = found["host"].replace("localhost", "127.0.0.1")
            self._port = int(found["port"])
        poll(self._accepts, deadline, self._why_not_ready)
        return self

    def _accepts(self) -> bool:
        if self._process.poll() is not None:
            raise RuntimeError(self._why_not_ready())
        try:
            socket.create_connection((self.host.strip("[]"), self.port), 1).close()
        except OSError:
            return False
        return True

    def _why_not_ready(self) -> str:
        state = "is running" if self._process.poll() is None else f"ended with {self._process.returncode}"
        return f"the server is not ready; it {state} and printed:\n{self.log()}"

    def wait_for(self, pattern: str | re.Pattern[str], deadline: float = 60) -> re.Match[str]:
        """Wait until the output holds the pattern. Raises ``RuntimeError`` with the output when it does not come."""
        expression = re.compile(pattern)
        end = time.monotonic() + deadline
        with self._changed:
            while True:
                found = expression.search(self._text())
                if found:
                    return found
                left = end - time.monotonic()
                if left <= 0 or (self._is_at_end and self._process.poll() is not None):
                    raise RuntimeError(f"{expression.pattern!r} did not come; {self._why_not_ready()}")
                self._changed.wait(min(left, 0.2))

    @property
    def port(self) -> int:
        assert self._port is not None, "the server is not ready"
        return self._port

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit code, negative for a signal, or None while it runs."""
        return self._process.poll()

    def log(self) -> str:
        """What it printed so far, both streams; also what has only just been printed."""
        return self._text()

    def request(
        self,
        method: str = "GET",
        path: str = "/",
        headers: Mapping[str, str] | None = None,
        body: bytes | str | None = None,
        timeout: float = 30,
    ) -> Answer:
        connection = http.client.HTTPConnection(self.host.strip("[]"), self.port, timeout=timeout)
        try:
            connection.request(method, path, body=body, headers=dict(headers or {}))
            response = connection.getresponse()
            return Answer(response.status, response.reason, response.headers, response.read())
        finally:
            connection.close()

    def raw(self, data: bytes, timeout: float = 10) -> bytes:
        """Send bytes as they are, and return everything that comes until the server closes (or is silent too long)."""
        received = []
        with socket.create_connection((self.host.strip("[]"), self.port), timeout) as connection:
            connection.sendall(data)
            try:
                while chunk := connection.recv(65536):
                    received.append(chunk)
            except (TimeoutError, ConnectionResetError):
                pass
        return b"".join(received)

    def stop(self, with_signal: int = signal.SIGTERM, deadline: float = 45) -> int:
        """Send a signal to the server alone and wait for its end; returns the exit code."""
        if self._process.poll() is None:
            self._process.send_signal(with_signal)
        return self.wait(deadline)

    def wait(self, deadline: float = 45) -> int:
        """Wait for the end of a server that was told to end; returns the exit code."""
        code = self._process.wait(deadline)
        self._reader.join(deadline)
        return code

    def kill(self) -> None:
        """End it and everything it started, whatever it is doing."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(20)
        self._reader.join(5)
        with self._changed:
            self._is_at_end = True  # whoever else has its output open goes on without anybody who reads it
        self._reader.join(20)
        if self._process.stdout is not None:
            self._process.stdout.close()


def poll(condition: Callable[[], bool], deadline: float, complaint: Callable[[], str]) -> None:
    """Ask again and again until the condition holds. Raises ``RuntimeError`` after ``deadline`` seconds."""
    end = time.monotonic() + deadline
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError(complaint())
        time.sleep(0.02)


def free_port() -> int:
    """A port that nobody listened on a moment ago, and that the system gives to nobody who asks for any.

    Whoever is told of it listens a second later. One of those that clients get on their side would be some client's by
    then, now and then: many tests run at the same time, and some have a thousand connections.
    """
    chance = random.SystemRandom()  # what others seed must not lead several processes to the same one
    for _ in range(1000):
        port = chance.randrange(20_000, FIRST_OF_CLIENTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no port is free")


def _first_of_clients() -> int:
    with contextlib.suppress(OSError), open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as told:
        first = int(told.read().split()[0])
        if first > 21_000:
            return first
    return 32_768


FIRST_OF_CLIENTS = _first_of_clients()
