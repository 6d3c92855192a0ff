"""The app that other servers import: built from what a variable of the environment names."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hosted_site import visit, write_site
from running_server import RunningServer, poll

from wheatpaste.scripts.hosted import CANNOT_START, host
from wheatpaste.testing import Client

COUNTED = """
    [app:main]
    use = egg:wheatpaste#wsgi
    app = counted:app
    factory = false

    [app:other]
    use = egg:wheatpaste#redirect
    to = /elsewhere
"""


def run(code: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run code in an interpreter of its own, with no more in its environment than it needs."""
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=cwd, env=env, timeout=60, check=False
    )


def test_it_builds_what_the_variable_names_when_it_is_asked_for(write_ini: Callable[..., Path]) -> None:
    path = write_ini(COUNTED)
    (path.parent / "counted.py").write_text("print('imported')\ndef app(environ, start_response): ...\n")
    code = "import wheatpaste; print('so far'); a = wheatpaste.application; print(a is wheatpaste.application)"
    done = run(code, path.parent, WHEATPASTE_CONFIG="site.ini")
    assert (done.returncode, done.stdout.split("\n")) == (0, ["so far", "imported", "True", ""]), done.stderr


def test_it_builds_once_for_threads_that_ask_together(write_ini: Callable[..., Path]) -> None:
    path = write_ini(COUNTED)
    (path.parent / "counted.py").write_text(
        "import time\nprint('imported')\ntime.sleep(.2)\ndef app(environ, start_response): ...\n"
    )
    code = (
        "from concurrent.futures import ThreadPoolExecutor\nfrom wheatpaste.scripts import hosted\n"
        "with ThreadPoolExecutor() as pool:\n"
        "    found = list(pool.map(lambda _: hosted.application, range(8)))\n"
        "print(len(set(map(id, found))))"
    )
    done = run(code, path.parent, WHEATPASTE_CONFIG="site.ini")
    assert done.stdout.split() == ["imported", "1"], done.stderr


def test_it_takes_another_app_of_the_file_by_its_name(write_ini: Callable[..., Path]) -> None:
    app = host(f"{write_ini(COUNTED)}#other")
    assert Client(app).get("/").headers["Location"] == "/elsewhere"


def test_it_takes_an_app_of_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "an_app_to_host.py").write_text("def app(environ, start_response): ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert host("an_app_to_host:app").__name__ == "app"  # type: ignore[attr-defined]


def test_it_looks_for_modules_in_a_folder_that_it_is_told(
    write_ini: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_ini(COUNTED.replace("counted:app", "counted_elsewhere:app"))
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "counted_elsewhere.py").write_text("def app(environ, start_response): ...\n")
    monkeypatch.setattr(sys, "path", list(sys.path))
    assert callable(host(str(path), folder=str(tmp_path / "modules")))


MISTAKES: dict[str, tuple[str, str]] = {
    "a file that does not exist": ("nowhere.ini", "the file nowhere.ini does not exist"),
    "no variable": ("", "the environment variable WHEATPASTE_CONFIG is not set; set it to site.ini#name"),
    "an option that does not exist": ("option.ini", "option.ini:3: [app:main] no_such_option: no such option"),
    "an app that cannot be imported": ("import.ini", "there is no module 'no_such_module_anywhere'"),
}


@pytest.mark.parametrize(("config", "expected"), MISTAKES.values(), ids=MISTAKES)
def test_it_says_what_is_wrong_and_ends_with(
    config: str,
    expected: str,
    write_ini: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_ini("[app:main]\nuse = egg:wheatpaste#echo\nno_such_option = 1\n", "option.ini")
    write_ini("[app:main]\nuse = egg:wheatpaste#wsgi\napp = no_such_module_anywhere:app\n", "import.ini")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    with pytest.raises(SystemExit) as stop:
        host(config)
    told = capsys.readouterr().err
    assert stop.value.code == CANNOT_START
    assert expected in told
    assert "Traceback" not in told
    assert "scripts/hosted.py" not in told


def test_a_mistake_in_a_server_section_is_no_matter(write_ini: Callable[..., Path]) -> None:
    path = write_ini("[app:main]\nuse = egg:wheatpaste#echo\n[server:main]\nuse = egg:wheatpaste#main\nport = many\n")
    assert Client(host(str(path))).get("/").status == 200


def test_it_logs_as_the_file_says(write_ini: Callable[..., Path]) -> None:
    path = write_ini(
        """
        [app:main]
        use = egg:wheatpaste#echo
        [loggers]
        keys = root
        [handlers]
        keys = out
        [formatters]
        keys =
        [logger_root]
        level = INFO
        handlers = out
        [handler_out]
        class = StreamHandler
        args = (sys.stdout,)
        """
    )
    code = "import logging; from wheatpaste import application; logging.getLogger('shop').info('as it says')"
    assert run(code, path.parent, WHEATPASTE_CONFIG="site.ini").stdout == "as it says\n"


def test_it_leaves_logging_to_the_server_where_the_file_says_nothing(write_ini: Callable[..., Path]) -> None:
    path = write_ini("[app:main]\nuse = egg:wheatpaste#echo\n")
    code = "import logging; from wheatpaste import application; print(logging.getLogger().handlers)"
    assert run(code, path.parent, WHEATPASTE_CONFIG="site.ini").stdout == "[]\n"


SERVERS: dict[str, list[str]] = {
    "gunicorn": ["-m", "gunicorn", "--bind", "127.0.0.1:{port}", "--threads", "2", "wheatpaste:application"],
    "gunicorn that preloads": [
        *["-m", "gunicorn", "--bind", "127.0.0.1:{port}", "--threads", "2", "--workers", "2", "--preload"],
        "wheatpaste:application",
    ],
    "waitress-serve": ["-m", "waitress", "--listen", "127.0.0.1:{port}", "wheatpaste:application"],
    "cheroot": ["-m", "cheroot", "--bind", "127.0.0.1:{port}", "wheatpaste:application"],
    "granian": [
        *["-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", "{port}"],
        "wheatpaste:application",
    ],
}


@pytest.mark.slow
@pytest.mark.parametrize("words", SERVERS.values(), ids=SERVERS)
def test_it_is_served_by(words: list[str], running_server: Callable[..., RunningServer], tmp_path: Path) -> None:
    write_site(tmp_path)
    server = running_server(argv=[sys.executable, *words], env={"WHEATPASTE_CONFIG": "site.ini"})
    visit(server)


@pytest.mark.slow
def test_a_mistake_ends_gunicorn_instead_of_starting_workers_for_ever(
    running_server: Callable[..., Any], tmp_path: Path
) -> None:
    server: RunningServer = running_server(
        argv=[sys.executable, *SERVERS["gunicorn"]], env={"WHEATPASTE_CONFIG": "nowhere.ini"}, wait=False
    )
    server.wait_for("nowhere.ini does not exist")
    server.wait_for("Worker failed to boot")
    poll(lambda: server.returncode is not None, 15, server.log)
    assert server.returncode
