"""Processes that are measured: their processor time and memory, children included, and their first answer."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

PATIENCE = 60.0


class Run(NamedTuple):
    """What a whole process took, in seconds."""

    wall: float
    processor: float


def run(argv: Sequence[str], *, cwd: Path, environment: Mapping[str, str]) -> Run:
    """Run a command to its successful end."""
    begun = time.perf_counter()
    with subprocess.Popen(
        argv,
        cwd=cwd,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stderr is not None
        told = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - begun
    assert process.returncode == 0, (argv, told.decode())
    return Run(wall, usage.ru_utime + usage.ru_stime)


class Started(NamedTuple):
    """Seconds from the start of a server to its first answer, what its processes used till then, bytes they hold."""

    wall: float
    processor: float
    pss: float
    rss: float
    processes: int


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def start(argv: Sequence[str], port: int, *, cwd: Path, environment: Mapping[str, str]) -> Started:
    """Start a server, ask until it answers 200, measure, and stop it."""
    log = cwd / "server.log"
    with open(log, "wb") as output:
        begun = time.perf_counter()
        process = subprocess.Popen(
            argv, cwd=cwd, env=dict(environment), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        while not _answers(port):
            assert process.poll() is None, (argv, log.read_text())
            assert time.perf_counter() - begun < PATIENCE, (argv, log.read_text())
            time.sleep(0.001)
        wall = time.perf_counter() - begun
        family = family_of(process.pid)
        used = sum(map(processor_seconds, family))
        pss, rss = (sum(each) for each in zip(*map(memory, family), strict=True))
        return Started(wall, used, pss, rss, len(family))
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            return connection.recv(64).startswith(b"HTTP/1.1 200 ")
    except OSError:
        return False


def family_of(pid: int) -> list[int]:
    """The process and all that came from it (Linux; elsewhere the process alone)."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:  # it ended meanwhile
            continue
    family = [pid]
    for member in family:
        family += [child for child, parent in parents.items() if parent == member]
    return family


def processor_seconds(pid: int) -> float:
    """What a process has used of the processor so far (Linux; 0 elsewhere)."""
    if not sys.platform.startswith("linux"):
        return 0.0
    # Linux numbers the processor clock of each process like this; see clock_getcpuclockid(3).
    return time.clock_gettime(((~pid) << 3) | 2)


def memory(pid: int) -> tuple[float, float]:
    """Bytes that a process holds: its share of what it shares (PSS), and all (RSS) (Linux; 0 elsewhere)."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0.0, 0.0
    kilobytes = {line.split(":")[0]: line.split()[1] for line in text.splitlines()[1:]}
    return int(kilobytes["Pss"]) * 1024.0, int(kilobytes["Rss"]) * 1024.0
