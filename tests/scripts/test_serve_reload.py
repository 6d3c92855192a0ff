"""``serve --reload``: the next save counts, the socket stays open, and what is broken shows itself."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from running_server import RunningServer, free_port, poll

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

pytestmark = pytest.mark.slow

Start = Callable[..., RunningServer]
BROWSER = {"Accept": "text/html"}

WARES = """
from text import TEXT

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [TEXT.encode()]

def make(global_conf, say=""):
    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [(TEXT + say).encode()]
    return app
"""

INI = """\
[wheatpaste]
extends = server.ini

[app:main]
paste.app_factory = wares:make
say = one
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "text.py").write_text("TEXT = 'say '\n")
    (tmp_path / "wares.py").write_text(WARES)
    (tmp_path / "server.ini").write_text("[server:main]\nuse = egg:wheatpaste#main\n")
    (tmp_path / "site.ini").write_text(INI)
    return tmp_path


@pytest.fixture
def server(folder: Path, running_server: Start) -> Iterator[RunningServer]:
    server = running_server("site.ini", "--reload", "--reload-interval=0.1")
    said(server, "say one")
    yield server
    if server.returncode is None:
        assert server.stop() == 0
    assert "Traceback" not in server.log()


def text_of(server: RunningServer) -> str:
    return server.request(timeout=20).text


def said(server: RunningServer, text: str) -> None:
    """Wait until the server answers with this."""
    last = [""]

    def is_said() -> bool:
        last[0] = text_of(server)
        return text in last[0]

    poll(is_said, 20, lambda: f"{text!r} was not said but {last[0]!r}; it printed:\n{server.log()}")


def replace(path: Path, old: str, new: str) -> None:
    before = path.read_text()
    assert old in before
    path.write_text(before.replace(old, new))


class TestChanges:
    def test_a_module_that_changes(self, server: RunningServer, folder: Path) -> None:
        replace(folder / "text.py", "say", "spoken:")
        said(server, "spoken: one")
        assert "text.py changed: starting again" in server.log()

    def test_a_module_that_changes_twice_within_a_second_by_nothing_but_a_letter(
        self, folder: Path, running_server: Start
    ) -> None:
        """Its compiled form would be taken for current."""
        compiling = {"PYTHONDONTWRITEBYTECODE": ""}
        server = running_server("site.ini", "--reload", "--reload-interval=0.1", env=compiling)
        said(server, "say one")
        text = folder / "text.py"
        second = (text.stat().st_mtime_ns // 10**9 - 10) * 10**9
        for number in range(1, 4):
            text.write_text(f"TEXT = 'say {number} '\n")
            os.utime(text, ns=(second + number, second + number))
            said(server, f"say {number} one")
        assert list(folder.glob("__pycache__/text.*"))

    def test_an_ini_file_that_changes(self, server: RunningServer, folder: Path) -> None:
        replace(folder / "site.ini", "one", "two")
        said(server, "say two")

    def test_an_included_file_that_changes(self, server: RunningServer, folder: Path) -> None:
        (folder / "server.ini").write_text("[server:main]\nuse = egg:wheatpaste\nident = changed\n")
        poll(lambda: server.request().headers["Server"] == "changed", 20, server.log)

    def test_files_that_the_app_writes_mean_nothing(self, server: RunningServer, folder: Path) -> None:
        (folder / "notes.txt").write_text("data")
        replace(folder / "site.ini", "one", "two")  # seen, so the file before it was seen as well
        said(server, "say two")
        assert server.log().count("starting again") == 1

    def test_the_address_can_change(self, folder: Path, running_server: Start) -> None:
        first, second = free_port(), free_port()
        (folder / "server.ini").write_text(f"[server:main]\nuse = egg:wheatpaste\nport = {first}\n")
        server = running_server(
            argv=[sys.executable, "-m", "wheatpaste", "serve", "site.ini", "--reload", "--reload-interval=0.1"]
        )
        said(server, "say one")
        replace(folder / "server.ini", str(first), str(second))
        server._port = second
        server.wait_for(f":{second}/")
        said(server, "say one")
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", first), 1)

    def test_sighup_starts_anew(self, server: RunningServer) -> None:
        os.kill(server.pid, signal.SIGHUP)
        poll(lambda: server.log().count("serves site.ini") == 2, 20, server.log)
        said(server, "say one")

    @pytest.mark.parametrize("target", ["wares:app", "./wares.py"])
    def test_an_app_of_python(self, target: str, folder: Path, running_server: Start) -> None:
        server = running_server(target, "--reload", "--reload-interval=0.1")
        said(server, "say ")
        replace(folder / "text.py", "say", "spoken")
        said(server, "spoken")
        server.stop()

    @pytest.mark.parametrize("count", [1, 2])
    def test_that_workers_wait_for_another_start_is_told(self, count: int, folder: Path, running_server: Start) -> None:
        server = running_server("site.ini", "--reload", f"--workers={count}")
        said(server, "say one")
        assert server.stop() == 0
        assert ("one process while files are watched" in server.log()) == (count > 1)

    def test_without_watchfiles(self, folder: Path, running_server: Start) -> None:
        (folder / "watchfiles.py").write_text("raise ImportError('not here')\n")
        server = running_server("site.ini", "--reload", "--reload-interval=0.1", env={"PYTHONPATH": str(folder)})
        said(server, "say one")
        replace(folder / "site.ini", "one", "two")
        said(server, "say two")
        server.stop()


class TestBroken:
    """Each is mended by the next save, without anybody starting anything again."""

    @pytest.mark.parametrize(
        ("file", "broken", "message"),
        [
            pytest.param("site.ini", "[app:main", "site.ini", id="an INI file without sense"),
            pytest.param("site.ini", INI.replace("extends", "extnds"), "extnds", id="a setting misspelt"),
            pytest.param("site.ini", INI.replace("wares:", "waers:"), "waers", id="a module misspelt"),
            pytest.param("server.ini", "[server:main]\nuse = egg:wheatpaste\nprot = 1\n", "'port'", id="an include"),
            pytest.param("text.py", "TEXT =\n", "SyntaxError", id="a syntax error"),
            pytest.param("wares.py", WARES.replace("def make(", "def mkae("), "mkae", id="a factory misspelt"),
            pytest.param("text.py", "raise RuntimeError('out of order')\n", "out of order", id="an import that raises"),
            pytest.param("text.py", "import no_such_module\n", "no_such_module", id="a missing import"),
            pytest.param("text.py", "raise SystemExit(3)\n", "sys.exit", id="an import that exits"),
            pytest.param("text.py", "import os\nos._exit(7)\n", "ended with exit code 7", id="a process that ends"),
            pytest.param(
                "text.py", "import os\nos.kill(os.getpid(), 9)\n", "ended by signal 9", id="a process that is killed"
            ),
        ],
    )
    def test_it_shows_itself_until_it_is_mended(
        self, file: str, broken: str, message: str, server: RunningServer, folder: Path
    ) -> None:
        good = (folder / file).read_text()
        (folder / file).write_text(broken)
        said(server, message)
        answer = server.request(headers=BROWSER)
        assert answer.status == 503
        assert answer.text.startswith("<!DOCTYPE html>")
        (folder / file).write_text(good)
        said(server, "say one")

    def test_it_may_be_broken_from_the_start(self, folder: Path, running_server: Start) -> None:
        (folder / "site.ini").write_text("[app:main")
        port = free_port()
        server = running_server("site.ini", "--reload", "--reload-interval=0.1", f"--port={port}", wait=False)
        server._port = port
        server.wait_until_ready()
        said(server, "site.ini:1")
        (folder / "site.ini").write_text(INI)
        said(server, "say one")
        assert server.stop() == 0

    def test_a_module_that_the_check_refused_may_be_broken_from_the_start(
        self, folder: Path, running_server: Start
    ) -> None:
        """It was never imported, only read by the check."""
        (folder / "wares.py").write_text(WARES.replace("def make(", "def mkae("))
        port = free_port()
        server = running_server("site.ini", "--reload", "--reload-interval=0.1", f"--port={port}", wait=False)
        server._port = port
        server.wait_until_ready()
        said(server, "mkae")
        (folder / "wares.py").write_text(WARES)
        said(server, "say one")
        assert server.stop() == 0

    def test_a_file_that_was_missing_may_appear(self, server: RunningServer, folder: Path) -> None:
        replace(folder / "text.py", "TEXT", "from extra import EXTRA\nTEXT")
        said(server, "No module named 'extra'")
        (folder / "extra.py").write_text("EXTRA = 1\n")
        said(server, "say one")

    def test_an_include_that_was_missing_may_appear(self, server: RunningServer, folder: Path) -> None:
        (folder / "server.ini").rename(folder / "away.ini")
        said(server, "server.ini")
        (folder / "away.ini").rename(folder / "server.ini")
        said(server, "say one")


def test_no_connection_is_refused_and_no_request_lost(server: RunningServer, folder: Path) -> None:
    stop = threading.Event()
    failures: list[str] = []
    answers = [0]

    def ask() -> None:
        while not stop.is_set():
            try:
                server.request(timeout=30)
                answers[0] += 1
            except (OSError, http.client.HTTPException) as error:
                failures.append(repr(error))

    clients = [threading.Thread(target=ask) for _ in range(3)]
    for client in clients:
        client.start()
    for round_ in range(4):
        (folder / "text.py").write_text(f"TEXT = 'round {round_} '\n")
        said(server, f"round {round_} ")
    stop.set()
    for client in clients:
        client.join(40)
    assert failures == []
    assert answers[0] > 10


class TestTheEnd:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
    def test_a_signal_ends_parent_and_child(self, number: signal.Signals, server: RunningServer) -> None:
        child = int(re.findall(r"pid (\d+)", server.log())[-1])
        assert child != server.pid
        assert server.stop(number) == 0
        poll(lambda: not _lives(child), 30, lambda: "the child lives on")

    def test_ctrl_c_in_a_terminal_reaches_both_and_is_quiet(self, server: RunningServer) -> None:
        os.killpg(server.pid, signal.SIGINT)
        poll(lambda: server.returncode is not None, 30, server.log)
        assert server.returncode == 0

    def test_the_child_ends_when_the_parent_is_killed(self, server: RunningServer) -> None:
        child = int(re.findall(r"pid (\d+)", server.log())[-1])
        server.stop(signal.SIGKILL)
        poll(lambda: not _lives(child), 30, lambda: "the child lives on")


def _lives(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_server_of_others_is_started_anew(folder: Path, running_server: Start) -> None:
    server = running_server(
        argv=[
            *(sys.executable, "-W", "ignore", "-m", "wheatpaste", "serve", "site.ini", "-s", "gunicorn"),
            *("--port={port}", "--reload", "--reload-interval=0.1"),
        ]
    )

    def says(text: str) -> Callable[[], bool]:
        def ask() -> bool:
            try:
                return text in text_of(server)
            except OSError:
                return False  # this server holds its own socket

        return ask

    poll(says("say one"), 20, server.log)
    replace(folder / "site.ini", "one", "two")
    poll(says("say two"), 20, server.log)
    replace(folder / "site.ini", "wares:", "waers:")
    poll(says("waers"), 20, server.log)
    replace(folder / "site.ini", "waers:", "wares:")
    poll(says("say two"), 20, server.log)
    assert server.stop() == 0


def test_a_server_in_the_app_s_own_module_is_not_imported_by_the_parent(folder: Path, running_server: Start) -> None:
    (folder / "server.ini").write_text("[server:main]\npaste.server_runner = runner:run\nport = 0\n")
    runner = (
        "import os\n"
        "print(f'imported by {os.getpid()}', flush=True)\n"
        "def run(app, global_conf, port):\n"
        "    from wsgiref.simple_server import make_server\n"
        "    server = make_server('127.0.0.1', 0, app)\n"
        "    print(f'at http://127.0.0.1:{server.server_port}/', flush=True)\n"
        "    server.serve_forever()\n"
    )
    (folder / "runner.py").write_text(runner)
    server = running_server(
        argv=[sys.executable, "-m", "wheatpaste", "serve", "site.ini", "--reload", "--reload-interval=0.1"], wait=False
    )
    server.wait_for("at http://")
    (folder / "runner.py").write_text("raise RuntimeError('out of order')\n" + runner)
    server.wait_for("RuntimeError: out of order")
    (folder / "runner.py").write_text(runner)
    poll(lambda: server.log().count("at http://") == 2, 20, server.log)
    assert f"imported by {server.pid}" not in server.log()
    assert server.stop() == 0


def test_the_page_comes_back_by_itself(server: RunningServer, folder: Path, browser: Chrome) -> None:
    replace(folder / "text.py", "TEXT", "TXET")
    said(server, "ImportError")
    browser.get(f"{server.url}/")
    assert "cannot import name" in browser.title
    assert "text" in browser.page_source
    replace(folder / "text.py", "TXET", "TEXT")
    poll(lambda: "say one" in browser.page_source, 20, lambda: browser.page_source)
    severe = [line["message"] for line in browser.get_log("browser") if "Content Security Policy" in line["message"]]
    assert severe == []
