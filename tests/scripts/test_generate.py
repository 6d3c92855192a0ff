"""The file that uWSGI and mod_wsgi load, and what to tell them."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from wheatpaste.scripts.main import main

SITE = """
    [app:main]
    use = egg:wheatpaste#echo

    [app:moved]
    use = egg:wheatpaste#redirect
    to = /elsewhere

    [server:main]
    use = egg:wheatpaste#main
    host = 127.0.0.1
    port = 8123
    threads = 7
"""

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def generate(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, str, str]:
        code = main(["generate", "wsgi", *words])
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


def application_of(path: Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Load the file as a server does, in an interpreter of its own and from another folder."""
    code = (
        f"space = {{}}; exec(compile(open({str(path)!r}).read(), 'site.wsgi', 'exec'), space)\n"
        "from wheatpaste.testing import Client; answer = Client(space['application']).get('/')\n"
        "print(answer.status, answer.headers.get('Location', ''))"
    )
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=cwd, timeout=60, check=False
    )


def test_it_writes_a_file_beside_the_ini_file_that_a_server_can_load(
    generate: Run, write_ini: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = write_ini(SITE)
    code, out, _ = generate("site.ini")
    written = path.with_suffix(".wsgi")
    assert (code, out.splitlines()[0]) == (0, "Wrote site.wsgi.")
    done = application_of(written, tmp_path_factory.mktemp("elsewhere"))
    assert done.stdout == "200 \n", done.stderr


def test_it_names_the_app_that_was_asked_for(generate: Run, write_ini: Callable[..., Path], tmp_path: Path) -> None:
    write_ini(SITE)
    assert generate("site.ini#moved", "--output", "moved.wsgi")[0] == 0
    assert application_of(tmp_path / "moved.wsgi", tmp_path).stdout == "308 /elsewhere\n"


def test_it_finds_modules_where_it_was_called(
    generate: Run, write_ini: Callable[..., Path], tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    write_ini("[app:main]\nuse = egg:wheatpaste#wsgi\napp = beside_the_file:app\n")
    (tmp_path / "beside_the_file.py").write_text(
        "def app(environ, start_response):\n    start_response('204 No Content', [])\n    return []\n"
    )
    generate("site.ini")
    done = application_of(tmp_path / "site.wsgi", tmp_path_factory.mktemp("elsewhere"))
    assert done.stdout == "204 \n", done.stderr


def test_it_shows_settings_with_the_address_and_threads_of_the_file(
    generate: Run, write_ini: Callable[..., Path], tmp_path: Path
) -> None:
    write_ini(SITE)
    _, out, _ = generate("site.ini")
    assert f"wsgi-file = {tmp_path}/site.wsgi" in out
    assert "http-socket = 127.0.0.1:8123" in out
    assert "threads = 7" in out
    assert "WSGIDaemonProcess site processes=1 threads=7" in out
    assert f'WSGIScriptAlias / "{tmp_path}/site.wsgi"' in out


ADDRESSES = {
    "an IPv6 address": ("host = ::1", "[::1]:8080"),
    "a host with its port": ("host = 127.0.0.1:81", "127.0.0.1:81"),
    "every interface": ("host = *\nport = 81", ":81"),
    "the first of several": ("listen = 10.0.0.1:81 10.0.0.2:82", "10.0.0.1:81"),
    "the first that is no file": ("listen = unix:/run/site.sock 10.0.0.1:81", "10.0.0.1:81"),
    "what systemd opens": ("listen = systemd", "127.0.0.1:8080"),
    "no number": ("port = many", "127.0.0.1:8080"),
}


@pytest.mark.parametrize(("lines", "shown"), ADDRESSES.values(), ids=ADDRESSES)
def test_it_writes_as_uwsgi_does(lines: str, shown: str, generate: Run, write_ini: Callable[..., Path]) -> None:
    write_ini(f"[app:main]\nuse = egg:wheatpaste#echo\n[server:main]\nuse = egg:wheatpaste#main\n{lines}\n")
    assert f"\nhttp-socket = {shown}\n" in generate("site.ini")[1]


@pytest.mark.parametrize("use", ["wheatpaste#main", "Paste#http", "wheatpaste#granian", "gunicorn#main"])
def test_it_takes_threads_and_processes_from_the_section_of(
    use: str, generate: Run, write_ini: Callable[..., Path]
) -> None:
    threads = "threadpool_workers" if use == "Paste#http" else "threads"
    server = f"[server:main]\nuse = egg:{use}\n{threads} = 7\nworkers = 3\n"
    write_ini(f"[app:main]\nuse = egg:wheatpaste#echo\n{server}")
    assert "processes=3 threads=7 " in generate("site.ini")[1]


@pytest.mark.parametrize("use", ["main", "gunicorn"])
def test_it_says_that_its_settings_speak_no_tls(use: str, generate: Run, write_ini: Callable[..., Path]) -> None:
    site = "[app:main]\nuse = egg:wheatpaste#echo\n[server:main]\nuse = egg:wheatpaste#"
    write_ini(f"{site}{use}\n")
    assert "TLS" not in generate("site.ini")[1]
    write_ini(f"{site}{use}\ntls = dev\n")
    assert "speaks TLS, which these settings do not" in generate("site.ini", "--force")[1]


@pytest.mark.parametrize(
    ("server", "shown", "hidden"),
    [("uwsgi", "[uwsgi]", "WSGIScriptAlias"), ("mod_wsgi", "WSGIScriptAlias", "[uwsgi]")],
)
def test_it_shows_the_settings_of_one_server(
    server: str, shown: str, hidden: str, generate: Run, write_ini: Callable[..., Path]
) -> None:
    write_ini(SITE)
    _, out, _ = generate("site.ini", "--for", server)
    assert shown in out
    assert hidden not in out


def test_it_doubles_the_percent_signs_of_a_path_for_uwsgi(
    generate: Run, write_ini: Callable[..., Path], tmp_path: Path
) -> None:
    write_ini(SITE)
    (tmp_path / "100%").mkdir()
    _, out, _ = generate("site.ini", "--output", "100%/site.wsgi")
    assert f"wsgi-file = {tmp_path}/100%%/site.wsgi" in out
    assert f'WSGIScriptAlias / "{tmp_path}/100%/site.wsgi"' in out


def test_it_prints_the_file_alone(generate: Run, write_ini: Callable[..., Path], tmp_path: Path) -> None:
    write_ini(SITE)
    code, out, _ = generate("site.ini", "--stdout")
    compile(out, "site.wsgi", "exec")
    assert code == 0
    assert not (tmp_path / "site.wsgi").exists()


def test_it_overwrites_nothing_unless_told_to(generate: Run, write_ini: Callable[..., Path], tmp_path: Path) -> None:
    write_ini(SITE)
    (tmp_path / "site.wsgi").write_text("mine")
    code, _, err = generate("site.ini")
    assert (code, "exists; --force overwrites it" in err) == (1, True)
    assert (tmp_path / "site.wsgi").read_text() == "mine"
    assert generate("site.ini", "--force")[0] == 0
    assert "application = " in (tmp_path / "site.wsgi").read_text()


def test_it_writes_a_file_that_a_server_of_another_user_can_read(
    generate: Run, write_ini: Callable[..., Path], tmp_path: Path
) -> None:
    write_ini(SITE)
    mask = os.umask(0o022)
    try:
        generate("site.ini")
    finally:
        os.umask(mask)
    assert stat.S_IMODE((tmp_path / "site.wsgi").stat().st_mode) == 0o644


def test_it_writes_nothing_for_a_file_with_mistakes(
    generate: Run, write_ini: Callable[..., Path], tmp_path: Path
) -> None:
    write_ini("[app:main]\nuse = egg:wheatpaste#echo\nno_such_option = 1\n")
    code, _, err = generate("site.ini")
    assert (code, "no such option" in err) == (1, True)
    assert not (tmp_path / "site.wsgi").exists()


def test_it_minds_no_mistake_about_the_server_that_will_not_serve(
    generate: Run, write_ini: Callable[..., Path]
) -> None:
    write_ini("[app:main]\nuse = egg:wheatpaste#echo\n[server:main]\nuse = egg:wheatpaste#main\nport = many\n")
    assert generate("site.ini")[0] == 0


REFUSED = {
    "an app of Python": (("os:getcwd",), "is no INI file"),
    "a folder to write to": (("site.ini", "--output", "."), "is a folder"),
    "a folder that is not there": (("site.ini", "--output", "none/site.wsgi"), "there is no folder"),
    "what contradicts itself": (("site.ini", "--stdout", "--force"), "leave out the other options"),
}


@pytest.mark.parametrize(("words", "expected"), REFUSED.values(), ids=REFUSED)
def test_it_refuses(words: tuple[str, ...], expected: str, generate: Run, write_ini: Callable[..., Path]) -> None:
    write_ini(SITE)
    code, _, err = generate(*words)
    assert code
    assert expected in err
