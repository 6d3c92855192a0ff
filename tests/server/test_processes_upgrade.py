"""A new program takes over from the running one, sockets, pid file and all, and no request is lost."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from running_server import RunningServer, poll
from steady_load import SteadyLoad
from worker_site import WorkerSite, is_alive

pytestmark = pytest.mark.slow


@pytest.fixture
def site(tmp_path: Path, running_server: Callable[..., RunningServer]) -> Iterator[WorkerSite]:
    site = WorkerSite(tmp_path, running_server)
    yield site
    # What took over is in the session of what was started, and ends with it; unless that was gone first.
    pid = site.folder / "site.pid"
    if pid.exists() and pid.read_text().strip():
        os.kill(int(pid.read_text()), signal.SIGTERM)


def number_in(file: Path) -> int:
    return int(file.read_text() or 0)


@pytest.mark.parametrize("workers", [2, 1], ids=["workers", "one process"])
def test_the_new_program_takes_over_without_losing_a_request(site: WorkerSite, workers: int) -> None:
    server = site.start("--pid-file", "site.pid", workers=workers)
    pid_file = site.folder / "site.pid"
    assert number_in(pid_file) == server.pid
    with SteadyLoad(server.port) as load:
        poll(lambda: load.seen("one") > 50, 20, server.log)
        code = site.folder / "wares.py"
        code.write_text(code.read_text().replace("body = say", "body = 'new ' + say"))
        os.kill(server.pid, signal.SIGUSR2)
        poll(lambda: load.seen("new one") > 50, 30, server.log)
        poll(lambda: server.returncode is not None, 30, server.log)
        fresh = load.seen("new one")
        poll(lambda: load.seen("new one") > fresh + 50, 20, server.log)
        count = load.seen("one")  # by now, who had it before the end has counted it
        poll(lambda: load.seen("new one") > fresh + 100, 20, server.log)
    assert not load.failures
    assert load.seen("one") == count
    assert server.returncode == 0
    successor = number_in(pid_file)
    assert successor != server.pid
    assert is_alive(successor)
    assert site.status()["pid"] == successor
    # And so on.
    os.kill(successor, signal.SIGUSR2)
    poll(lambda: number_in(pid_file) not in (0, successor), 30, server.log)
    poll(lambda: not is_alive(successor), 30, server.log)
    last = number_in(pid_file)
    assert site.ask("drain")["ok"]
    poll(lambda: not is_alive(last), 20, server.log)
    assert not pid_file.exists()
    assert not (site.folder / "ctl").exists()


def test_a_new_program_that_does_not_start_changes_nothing(site: WorkerSite) -> None:
    server = site.start("--pid-file", "site.pid")
    before = site.pids()
    site.write(threads="many")
    with SteadyLoad(server.port) as load:
        os.kill(server.pid, signal.SIGUSR2)
        server.wait_for("the new program ended before it served")
        count = load.seen("one")
        poll(lambda: load.seen("one") > count + 50, 20, server.log)
    assert not load.failures
    assert "threads = many" in server.log()
    assert site.pids() == before
    assert number_in(site.folder / "site.pid") == server.pid
    site.write(threads="4")
    os.kill(server.pid, signal.SIGUSR2)
    poll(lambda: server.returncode == 0, 30, server.log)
    assert site.answer() == "one"


def test_a_service_in_a_unix_socket_keeps_its_file(
    tmp_path: Path, running_server: Callable[..., RunningServer]
) -> None:
    argv = [sys.executable, "-m", "wheatpaste", "serve", "site.ini", "--pid-file", "site.pid"]
    site = WorkerSite(tmp_path, lambda *_, **options: running_server(argv=argv, **options))
    server = site.start(unix_socket=tmp_path / "web", wait=False)
    server.wait_for("2 workers")

    def ask() -> bytes:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            connection.connect(str(tmp_path / "web"))
            connection.sendall(b"GET / HTTP/1.0\r\nHost: x\r\n\r\n")
            data = b""
            while chunk := connection.recv(4096):
                data += chunk
        return data

    assert ask().endswith(b"one")
    os.kill(server.pid, signal.SIGUSR2)
    poll(lambda: server.returncode == 0, 30, server.log)
    assert ask().endswith(b"one")
    successor = number_in(tmp_path / "site.pid")
    os.kill(successor, signal.SIGTERM)
    poll(lambda: not is_alive(successor), 30, server.log)
    assert not (tmp_path / "web").exists()
