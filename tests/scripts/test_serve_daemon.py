"""``serve TARGET start|stop|restart|status``: in the background, with paster's words and codes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from running_server import free_port, poll

pytestmark = pytest.mark.slow


class Site:
    """A folder with an INI file, and the commands that act on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        (folder / "site.ini").write_text(
            f"[server:main]\nuse = egg:wheatpaste#main\nport = {self.port}\n\n"
            "[app:main]\npaste.app_factory = wares:make\n"
        )
        self.write("one")

    def write(self, text: str) -> None:
        (self.folder / "wares.py").write_text(
            "def make(global_conf):\n"
            "    print('made', flush=True)\n"
            "    def app(environ, start_response):\n"
            "        start_response('200 OK', [('Content-Type', 'text/plain')])\n"
            f"        return [b'{text}']\n"
            "    return app\n"
        )

    def run(self, *words: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "wheatpaste", "serve", "site.ini", *words],
            capture_output=True,
            text=True,
            cwd=self.folder,
            timeout=60,
        )
        assert "Traceback" not in done.stderr
        assert done.stdout == ""
        return done.returncode, done.stderr

    def get(self) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=10) as answer:
            text: str = answer.read().decode()
            return text

    @property
    def pid(self) -> int:
        return int((self.folder / "wheatpaste.pid").read_text())

    @property
    def log(self) -> str:
        return (self.folder / "wheatpaste.log").read_text()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    for name in ("wheatpaste.pid", "x.pid"):
        if (tmp_path / name).exists():
            site.run("stop", f"--pid-file={name}")


def test_it_runs_from_start_to_stop(site: Site) -> None:
    assert site.run("status") == (1, f"not running: no pid file {site.folder}/wheatpaste.pid\n")
    code, said = site.run("start")
    assert code == 0
    assert f"http://127.0.0.1:{site.port}/" in said
    assert site.get() == "one"  # the command returns when it serves
    pid = site.pid
    assert site.run("status") == (0, f"running with pid {pid}\n")
    assert site.run("stop") == (0, f"stopped pid {pid}\n")
    assert site.run("status")[0] == 1
    assert site.run("stop")[0] == 1
    assert "made" in site.log


@pytest.mark.parametrize(
    ("start", "status", "stop"),
    [
        pytest.param(["start"], ["status"], ["stop"], id="words"),
        pytest.param(["--daemon"], ["--status"], ["--stop-daemon"], id="options"),
    ],
)
def test_the_old_spellings_work(start: list[str], status: list[str], stop: list[str], site: Site) -> None:
    assert [site.run(*words)[0] for words in (start, status, stop, status)] == [0, 0, 0, 1]


def test_it_runs_apart_from_the_terminal(site: Site) -> None:
    site.run("start")
    assert os.getsid(site.pid) != os.getsid(0)
    assert os.readlink(f"/proc/{site.pid}/fd/0") == "/dev/null"


def test_a_second_start_says_that_it_runs_and_fails(site: Site) -> None:
    site.run("start")
    code, said = site.run("start")
    assert code == 1
    assert f"running already with pid {site.pid}" in said
    assert site.get() == "one"


class TestFailures:
    """The command that starts it ends with what went wrong, not with 0."""

    def test_a_broken_file(self, site: Site) -> None:
        ini = site.folder / "site.ini"
        ini.write_text(ini.read_text().replace("port", "prot"))
        code, said = site.run("start")
        assert code == 2
        assert "site.ini:3: [server:main] prot: no such option; did you mean 'port'?" in said
        assert not (site.folder / "wheatpaste.pid").exists()

    def test_an_app_that_raises(self, site: Site) -> None:
        (site.folder / "wares.py").write_text("def make(global_conf):\n    raise ValueError('of the app')\n")
        code, said = site.run("start")
        assert code == 1
        assert "ValueError: of the app" in said
        assert "ValueError: of the app" in site.log

    def test_a_port_in_use(self, site: Site) -> None:
        site.run("start")
        code, said = site.run("start", "--pid-file=x.pid")
        assert code == 2
        assert "is in use by another process" in said

    def test_a_process_that_ends_without_a_word(self, site: Site) -> None:
        (site.folder / "wares.py").write_text("import os\nos._exit(9)\ndef make(g): ...\n")
        code, said = site.run("start")
        assert code == 1
        assert "ended before it could say why" in said

    @pytest.mark.parametrize("option", ["--pid-file", "--log-file"])
    def test_a_file_that_cannot_be_written(self, option: str, site: Site) -> None:
        code, said = site.run("start", f"{option}=no/x")
        assert code == 1
        assert "no/x cannot be written" in said


class TestRestart:
    def test_what_runs_is_replaced(self, site: Site) -> None:
        site.run("start")
        before = site.pid
        site.write("another")  # of another length: within the same second Python would not compile it anew
        assert site.run("restart")[0] == 0
        assert site.pid != before
        assert site.get() == "another"

    def test_nothing_needs_to_run(self, site: Site) -> None:
        assert site.run("restart")[0] == 0
        assert site.get() == "one"

    def test_what_runs_stays_when_the_file_is_broken(self, site: Site) -> None:
        site.run("start")
        before = site.pid
        ini = site.folder / "site.ini"
        ini.write_text(ini.read_text().replace("wares", "waers"))
        assert site.run("restart")[0] == 2
        assert site.pid == before
        assert site.get() == "one"


def test_a_daemon_that_was_killed_leaves_nothing_that_hinders(site: Site) -> None:
    site.run("start")
    os.kill(site.pid, signal.SIGKILL)
    poll(lambda: site.run("status")[0] == 1, 30, lambda: "it lives on")
    assert site.run("start")[0] == 0
    assert site.get() == "one"


def test_its_log_can_be_rotated(site: Site) -> None:
    site.run("start", "-v")
    log = site.folder / "wheatpaste.log"
    log.rename(site.folder / "old.log")
    os.kill(site.pid, signal.SIGHUP)
    poll(log.exists, 30, lambda: "the log was not opened anew")
    poll(lambda: site.get() == "one" and "GET  / 200" in log.read_text(), 20, log.read_text)


def test_running_requests_finish_before_it_stops(site: Site, tmp_path: Path) -> None:
    (tmp_path / "wares.py").write_text(
        "import os, time\n"
        "def make(global_conf):\n"
        "    def app(environ, start_response):\n"
        "        open('entered', 'w').close()\n"
        "        time.sleep(0.5)\n"
        "        start_response('200 OK', [('Content-Type', 'text/plain')])\n"
        "        return [b'finished']\n"
        "    return app\n"
    )
    site.run("start")
    import threading

    answers: list[str] = []
    client = threading.Thread(target=lambda: answers.append(site.get()))
    client.start()
    poll((tmp_path / "entered").exists, 30, lambda: "the request did not begin")
    assert site.run("stop")[0] == 0
    client.join(10)
    assert answers == ["finished"]
