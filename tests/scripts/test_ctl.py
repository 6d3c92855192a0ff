"""``wheatpaste ctl``: what it takes, what it prints, and how it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from running_server import RunningServer, poll
from worker_site import WorkerSite

from wheatpaste.scripts.ctl_lines import duration, lines_of, size
from wheatpaste.scripts.main import main


def plain(text: str, *styles: str) -> str:
    return text


SNAPSHOT = {
    "version": 1,
    "state": "serving",
    "pid": 10,
    "parent": True,
    "generation": 2,
    "started": 0,
    "uptime": 3700.0,
    "listening": ["http://127.0.0.1:8080/"],
    "wanted": 3,
    "totals": {"threads": 8, "busy": 1, "hung": 1, "waiting": 4, "connections": 9, "requests": 1234},
    "processes": [
        {
            "pid": 11,
            "state": "ready",
            "generation": 2,
            "age": 3600.0,
            "silent": 0.1,
            "leaving": None,
            "memory": 64 * 1024**2,
            "engine": {
                "threads": [
                    {"name": "w-1", "state": "leading", "age": None, "method": None, "path": None},
                    {"name": "w-2", "state": "busy", "age": 1.25, "method": "GET", "path": "/quick\x1b[31m"},
                    {"name": "w-3", "state": "hung", "age": 75.0, "method": "POST", "path": "/report"},
                ]
            },
        },
        {
            "pid": 12,
            "state": "ready",
            "generation": 1,
            "age": 5000.0,
            "silent": 30.0,
            "leaving": "it holds more memory than 1000 bytes",
            "memory": None,
            "engine": None,
        },
    ],
}


def test_status_shows_the_load_the_processes_and_what_each_thread_does() -> None:
    assert list(lines_of("status", SNAPSHOT, plain)) == [
        "serving for 1 h 1 min, parent 10, generation 2",
        "  http://127.0.0.1:8080/",
        "  2 of 8 threads busy, 1 hung, 4 waiting, 9 connections, 1234 requests",
        "  pid 11       ready  generation 2  up 1 h  64 MiB",
        "  pid 12       ready  generation 1  up 1 h 23 min  ?  "
        "is replaced: it holds more memory than 1000 bytes  silent for 30 s",
        "  1 of 3 workers missing",
        "        75 s  hung  POST /report",
        "       1.2 s  busy  GET /quick\\x1b[31m",
    ]


def test_one_connection_is_no_connections() -> None:
    totals = {**SNAPSHOT["totals"], "connections": 1, "requests": 1}
    assert list(lines_of("status", {**SNAPSHOT, "totals": totals}, plain))[2].endswith(", 1 connection, 1 request")


def test_stacks_are_shown_thread_by_thread() -> None:
    threads = [{"name": "MainThread", "daemon": False, "stack": ['  File "a.py", line 1', "    wait()"]}]
    lines = list(lines_of("stacks", {"processes": [{"pid": 11, "threads": threads}]}, plain))
    assert lines == ["pid 11, MainThread", '  File "a.py", line 1', "    wait()", ""]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (75, "75 s"),
        (100, "1 min"),
        (3599, "59 min"),
        (3600, "1 h"),
        (7800, "2 h 10 min"),
        (86400, "1 d"),
        (273600, "3 d 4 h"),
    ],
)
def test_durations_are_as_exact_as_they_matter(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_size_that_nobody_knows_is_not_made_up() -> None:
    assert (size(64 * 1024**2), size(None)) == ("64 MiB", "?")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param([], "name the INI file", id="no file"),
        pytest.param(["site.ini", "statu"], "did you mean 'status'?", id="a command misspelt"),
        pytest.param(["site.ini", "workers", "many"], "'many' is no number of workers", id="no number"),
        pytest.param(["site.ini", "workers", "+-1"], "'+-1' is no number of workers", id="two signs"),
        pytest.param(["site.ini", "drain", "now"], "drain takes no 'now'", id="a word too many"),
    ],
)
def test_mistakes_in_its_words_are_explained(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ctl", *words]) == 2
    assert said in capsys.readouterr().err


def test_a_service_that_does_not_run_is_said_to(
    write_ini: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_ini(
        """
        [server:main]
        use = egg:wheatpaste#main
        control_socket = %(here)s/ctl

        [app:main]
        use = egg:wheatpaste#health
        """
    )
    assert main(["ctl", str(path)]) == 1
    assert "the service does not run" in capsys.readouterr().err
    path.write_text(path.read_text().replace("%(here)s/ctl", "off"))
    assert main(["ctl", str(path)]) == 1
    assert "has no control socket" in capsys.readouterr().err


def test_a_file_that_is_not_there_is_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ctl", "nowhere.ini"]) == 2
    assert "nowhere.ini" in capsys.readouterr().err


@pytest.fixture
def site(tmp_path: Path, running_server: Callable[..., RunningServer]) -> WorkerSite:
    site = WorkerSite(tmp_path, running_server)
    site.start()
    return site


def ctl(site: WorkerSite, *words: str, cwd: Path | None = None) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "wheatpaste", "ctl", *words],
        cwd=cwd or site.folder,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "NO_COLOR": "1"},
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout, done.stderr


@pytest.mark.slow
def test_it_reaches_the_service_of_a_file_from_anywhere(site: WorkerSite) -> None:
    code, out, _ = ctl(site, "site.ini")
    assert code == 0
    assert out.startswith("serving for ")
    assert f"parent {site.server.pid}" in out
    assert ctl(site, str(site.ini), "status", cwd=Path("/"))[0] == 0
    code, out, _ = ctl(site, "--socket", str(site.folder / "ctl"), "status", "--json")
    assert code == 0
    assert json.loads(out)["pid"] == site.server.pid


@pytest.mark.slow
def test_it_reloads_and_says_what_is_wrong(site: WorkerSite) -> None:
    assert ctl(site, "site.ini", "reload") == (0, "reloaded: this is generation 2\n", "")
    # A mistake of the app's section: the server's own would keep the command from finding the socket.
    site.app["colour"] = "red"
    site.write()
    code, out, err = ctl(site, "site.ini", "reload")
    assert (code, out) == (1, "")
    assert "colour" in err


@pytest.mark.slow
def test_it_shows_stacks_and_changes_the_number_of_workers(site: WorkerSite) -> None:
    code, out, _ = ctl(site, "site.ini", "stacks")
    assert code == 0
    assert "MainThread" in out
    assert ctl(site, "site.ini", "workers", "+1")[0] == 0
    site.wait_for_workers(3)
    assert ctl(site, "site.ini", "workers", "-2")[0] == 0
    site.wait_for_workers(1)
    assert ctl(site, "site.ini", "workers", "2")[0] == 0
    site.wait_for_workers(2)
    _, out, _ = ctl(site, "site.ini", "workers")
    assert out.count("pid ") == 2


@pytest.mark.slow
def test_it_drains(site: WorkerSite) -> None:
    assert ctl(site, "site.ini", "drain") == (0, "draining\n", "")
    poll(lambda: site.server.returncode == 0, 30, site.server.log)
    code, _, err = ctl(site, "site.ini", "status")
    assert code == 1
    assert "the service does not run" in err
