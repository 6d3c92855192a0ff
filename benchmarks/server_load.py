"""Load on a server, and what came of it: wrk where it can do it, else the clients of ``server_clients.py``."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

from server_peers import Server, placed

HERE = Path(__file__).resolve().parent
BROWSER = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0 Safari/537.36",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Accept-Language": "en-GB,en;q=0.9,de;q=0.6",
    "Cache-Control": "max-age=0",
    "Connection": "keep-alive",
    "Cookie": "session=8f14e45fceea167a5a36dedd4bea2543; theme=dark",
    "Referer": "http://www.example.com/start",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Site": "same-origin",
    "Upgrade-Insecure-Requests": "1",
}
"""With ``Host`` these are the thirteen that a browser sends."""


class Load(NamedTuple):
    """What clients saw and what the server used: seconds, and the errors of three kinds."""

    requests: int
    seconds: float
    processor: float
    p50: float
    p99: float
    refused: int = 0
    """Answers other than 2xx and 3xx."""
    broken: int = 0
    late: int = 0

    @property
    def rate(self) -> float:
        """Good answers per second."""
        return (self.requests - self.refused) / self.seconds if self.seconds else 0.0

    @property
    def each(self) -> float:
        """Seconds of the server's processor time for one request."""
        return self.processor / self.requests if self.requests else math.nan


def wrk_command(server: Server, path: str, connections: int, seconds: int, headers: dict[str, str]) -> list[str]:
    program = shutil.which("wrk")
    assert program, "wrk is missing; on Debian: apt install wrk"
    argv = [program, "-t1", f"-c{connections}", f"-d{seconds}", "--timeout", "5", "-s", str(HERE / "server_load.lua")]
    for name, value in headers.items():
        argv += ["-H", f"{name}: {value}"]
    return [*argv, server.url(path)]


def wrk(
    server: Server,
    path: str,
    connections: int,
    *,
    seconds: int = 1,
    headers: dict[str, str] | None = None,
    core: int | None = 1,
) -> Load:
    """Ask for a path over so many connections, each as soon as it has its answer."""
    argv = wrk_command(server, path, connections, seconds, headers or {})
    return observed(server, argv, core, lambda done: done.stderr.strip().splitlines()[-1])


def client(server: Server, task: str, *words: object, core: int | None = 1) -> Load:
    """Let a client of our own do one of its tasks."""
    return observed(server, client_command(server, task, *words), core, lambda done: done.stdout)


def client_command(server: Server, task: str, *words: object) -> list[str]:
    return [sys.executable, str(HERE / "server_clients.py"), task, str(server.setup.port), *map(str, words)]


def observed(
    server: Server, argv: Sequence[str], core: int | None, told: Callable[[subprocess.CompletedProcess[str]], str]
) -> Load:
    before = server.processor()
    done = subprocess.run(
        argv, capture_output=True, text=True, check=True, start_new_session=True, preexec_fn=placed(core), timeout=120
    )
    # A worker that was replaced meanwhile takes its past with it.
    return Load(**json.loads(told(done)), processor=max(0.0, server.processor() - before))


@contextmanager
def beside(argv: Sequence[str], core: int | None = 1) -> Iterator[IO[str]]:
    """Something that goes on beside the block; yields what it prints. It is told to end by the end of its input."""
    with subprocess.Popen(
        argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
        preexec_fn=placed(core),
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield process.stdout
        finally:
            process.stdin.close()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
