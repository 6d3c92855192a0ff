"""The kit itself: servers in processes are watched, stopped and never left behind."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from ordinary_rights import ordinary_rights
from running_server import FIRST_OF_CLIENTS, RunningServer, free_port, poll

pytestmark = pytest.mark.slow

SERVER = """
import sys
from wsgiref.simple_server import WSGIRequestHandler, make_server

class Quiet(WSGIRequestHandler):
    def log_message(self, *args):
        pass

def app(environ, start_response):
    size = int(environ.get("CONTENT_LENGTH") or 0)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["REQUEST_METHOD"].encode(), environ["wsgi.input"].read(size), environ.get("HTTP_X_A", "").encode()]

server = make_server("127.0.0.1", int(sys.argv[1]), app, handler_class=Quiet)
if sys.argv[1] == "0":
    print(f"Serving on http://127.0.0.1:{server.server_port}")
server.serve_forever()
"""

Start = Callable[..., RunningServer]


@pytest.mark.parametrize("port", ["0", "{port}"], ids=["port printed", "port given"])
def test_a_server_answers_when_it_is_ready(port: str, running_server: Start) -> None:
    server = running_server(argv=[sys.executable, "-c", SERVER, port])
    answer = server.request("POST", "/", headers={"X-A": "a"}, body=b"body")
    assert (answer.status, answer.body) == (200, b"POSTbodya")
    assert server.raw(b"GET / HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.0 200 OK\r\n")
    assert server.url == f"http://127.0.0.1:{server.port}"
    assert server.returncode is None


def test_a_server_is_stopped_by_the_signal_of_choice(running_server: Start) -> None:
    server = running_server(argv=[sys.executable, "-c", SERVER, "0"])
    assert server.stop(signal.SIGKILL) == -signal.SIGKILL == server.returncode


def test_a_server_that_dies_says_why(running_server: Start) -> None:
    with pytest.raises(RuntimeError, match=r"(?s)ended with 3 and printed:\nno luck"):
        running_server(argv=[sys.executable, "-c", "print('no luck'); raise SystemExit(3)"])


def test_a_free_port_is_none_that_a_client_may_get_on_its_side() -> None:
    assert len({free_port() for _ in range(50)}) > 40
    for _ in range(50):
        with (
            socket.create_server(("127.0.0.1", free_port())) as server,
            socket.create_connection(server.getsockname(), 10) as client,
        ):
            assert server.getsockname()[1] < FIRST_OF_CLIENTS <= client.getsockname()[1]


def test_what_was_printed_before_an_answer_is_in_the_log_at_once(running_server: Start) -> None:
    telling = SERVER.replace("    size = int", "    print(environ['PATH_INFO'], flush=True)\n    size = int")
    server = running_server(argv=[sys.executable, "-c", telling, "0"])
    for number in range(200):
        server.request(path=f"/{number}")
        assert f"/{number}\n" in server.log()


def test_output_that_does_not_come_is_not_awaited_for_ever(running_server: Start) -> None:
    server = running_server(argv=[sys.executable, "-c", SERVER, "0"])
    with pytest.raises(RuntimeError, match="'never' did not come"):
        server.wait_for("never", deadline=0.1)


PARENT = """
import subprocess, sys, time

child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print("child", child.pid)
time.sleep(60)
"""


def is_gone(pid: int) -> bool:
    """Whether a process has ended; one that nobody has reaped yet (``Z``) has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_what_a_server_started_ends_with_it(tmp_path: Path) -> None:
    server = RunningServer([sys.executable, "-c", PARENT], cwd=tmp_path)
    child = int(server.wait_for(r"child (\d+)\n")[1])
    assert not is_gone(child)
    server.kill()
    poll(lambda: is_gone(child), 30, lambda: f"process {child} is still there")


def test_ordinary_rights_are_those_of_the_owner(tmp_path: Path) -> None:
    mine, denied = tmp_path / "mine", tmp_path / "denied"
    mine.touch(mode=0o600)
    denied.touch(mode=0)
    before = os.access(denied, os.R_OK, effective_ids=True)
    with ordinary_rights():
        mine.read_bytes()
        with pytest.raises(PermissionError):
            denied.read_bytes()
    assert os.access(denied, os.R_OK, effective_ids=True) == before
