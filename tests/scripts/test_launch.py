"""What the command line says over the file, and what is said at the start."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from wheatpaste.config.problems import ConfigError
from wheatpaste.scripts.launch import Launch, Listening, Wishes
from wheatpaste.scripts.start_lines import mounts_of, print_start
from wheatpaste.scripts.target import find_target
from wheatpaste.scripts.terminal import Terminal

Write = Callable[..., Path]


@pytest.fixture
def listening(write_ini: Write) -> Callable[..., Listening]:
    """What is listened on for a server section and the wishes of a command line."""

    def choose(section: str, **wishes: object) -> Listening:
        path = write_ini("[app:main]\nuse = egg:wheatpaste#echo\n" + section)
        launch = Launch(find_target(str(path)), Wishes(**wishes))  # type: ignore[arg-type]
        launch.load()
        return launch.listening()

    return choose


OURS = "[server:main]\nuse = egg:wheatpaste\n"
PASTE = "[server:main]\nuse = egg:Paste#http\n"
WAITRESS = "[server:main]\nuse = egg:waitress\n"
OTHER = "[server:main]\npaste.server_runner = some:one\n"


@pytest.mark.parametrize(
    ("section", "wishes", "addresses"),
    [
        pytest.param("", {}, ["127.0.0.1:8080"], id="no section"),
        pytest.param("", {"port": 1}, ["127.0.0.1:1"], id="no section, a port"),
        pytest.param("", {"listen": ("[::1]:1", "*:2")}, ["[::1]:1", "*:2"], id="no section, two addresses"),
        pytest.param(OURS + "port = 5\n", {}, ["127.0.0.1:5"], id="the section alone"),
        pytest.param(OURS + "host = a\nport = 5\n", {"port": 6}, ["a:6"], id="the port alone"),
        pytest.param(OURS + "host = a\nport = 5\n", {"host": "b"}, ["b:5"], id="the host alone"),
        pytest.param(OURS + "host = a:5\n", {"port": 6}, ["a:6"], id="the port of a host with a port"),
        pytest.param(OURS + "listen = a:5 b:5\n", {"port": 6}, ["a:6"], id="the port over listen"),
        pytest.param(OURS + "listen = a:5\n", {"listen": ("b:6",)}, ["b:6"], id="listen over listen"),
        pytest.param(OURS + "unix_socket = /x\n", {"port": 6}, ["127.0.0.1:6"], id="the port over a UNIX socket"),
        pytest.param(OURS + "port = 5\n", {"port": 0}, ["127.0.0.1:0"], id="port 0"),
        pytest.param(PASTE + "host = a:5\n", {"port": 6}, ["a:6"], id="Paste's host with a port"),
        pytest.param(WAITRESS, {}, ["0.0.0.0:8080"], id="Waitress' own default"),
        pytest.param(WAITRESS + "listen = a:5\n", {}, ["a:5"], id="Waitress' listen"),
        pytest.param(WAITRESS, {"port": 6}, ["0.0.0.0:6"], id="a port over Waitress' default"),
        pytest.param("", {"server_type": "waitress"}, ["127.0.0.1:8080"], id="Waitress, no section"),
        pytest.param(
            OURS + "host = 127.0.0.3\nport = 5\n",
            {"server_type": "waitress"},
            ["127.0.0.3:5"],
            id="Waitress in the place of ours",
        ),
        pytest.param(
            OURS + "listen = 127.0.0.3:5 127.0.0.4:5\n",
            {"server_type": "wsgiref", "port": 6},
            ["127.0.0.3:6"],
            id="another in the place of ours, and a port",
        ),
    ],
)
def test_the_command_line_beats_the_section(
    section: str, wishes: dict[str, object], addresses: list[str], listening: Callable[..., Listening]
) -> None:
    assert [str(address) for address in listening(section, **wishes).addresses] == addresses


@pytest.mark.parametrize(
    ("section", "threads"),
    [(OURS + "threads = 2\n", 9), (PASTE + "threadpool_workers = 2\n", 9)],
    ids=["ours", "Paste"],
)
def test_threads_too(section: str, threads: int, listening: Callable[..., Listening]) -> None:
    component = listening(section, threads=threads).component
    assert component is not None
    assert component.threads == threads


def test_a_wish_that_is_wrong_is_not_blamed_on_the_file(listening: Callable[..., Listening]) -> None:
    with pytest.raises(ConfigError) as caught:
        listening(OURS + "port = 5\n", threads=0)
    (problem,) = caught.value.problems
    assert problem.file is None
    assert problem.key == "threads"


def test_words_that_only_a_file_could_use_are_named() -> None:
    launch = Launch(find_target("wsgiref.simple_server:demo_app"), Wishes(app_name="blog", variables={"colour": "red"}))
    launch.load()
    launch.check()
    assert [problem.key for problem in launch.warnings] == ["colour=red", "--app-name blog"]


class TestStartLines:
    def mounts(self, path: Path) -> list[tuple[str, str]]:
        launch = Launch(find_target(str(path)), Wishes())
        launch.load()
        assert launch.composition is not None
        return mounts_of(launch.composition)

    def test_mounts_are_found_behind_filters(self, write_ini: Write) -> None:
        path = write_ini(
            """
            [pipeline:main]
            pipeline = f map
            [filter:f]
            use = egg:wheatpaste#prefix
            [composite:map]
            use = egg:wheatpaste#urlmap
            / = a
            domain x.example /b = b
            [app:a]
            use = egg:wheatpaste#echo
            [app:b]
            use = egg:wheatpaste#echo
            """
        )
        assert sorted(self.mounts(path)) == [("/", "a"), ("x.example/b", "b")]

    def test_one_app_is_one_mount(self, write_ini: Write) -> None:
        assert self.mounts(write_ini("[app:main]\nuse = egg:wheatpaste#echo\n")) == [("/", "main")]

    @pytest.mark.parametrize(("count", "lines"), [(1, 2), (2, 4), (12, 14), (13, 14), (200, 14)])
    def test_many_mounts_are_shown_in_part(self, count: int, lines: int) -> None:
        stream = io.StringIO()
        mounts = [(f"/{number}", "app") for number in range(count)]
        print_start(Terminal(stream, color=False), "site.ini", ["http://127.0.0.1:1/"], mounts)
        assert len(stream.getvalue().splitlines()) == lines
        if count > 12:
            assert f"… and {count - 11} more: wheatpaste show site.ini" in stream.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize("target", ["site.ini", "listing:app"])
def test_a_start_imports_nothing_that_it_does_not_need(target: str, tmp_path: Path) -> None:
    """Each of these costs between 5 and 70 ms."""
    (tmp_path / "listing.py").write_text(
        "import os, sys\n"
        "def make(global_conf):\n    return app\n"
        "def app(environ, start_response):\n"
        "    start_response('200 OK', [('Content-Type', 'text/plain')])\n"
        "    return [' '.join(sys.modules).encode()]\n"
    )
    (tmp_path / "site.ini").write_text("[app:main]\npaste.app_factory = listing:make\n")
    server = subprocess.Popen(
        [sys.executable, "-m", "wheatpaste", "serve", target, "--port=0"],
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    try:
        assert server.stderr is not None
        first, second = server.stderr.readline(), server.stderr.readline()
        assert first.startswith("wheatpaste"), first + server.stderr.read()
        import urllib.request

        with urllib.request.urlopen(second.strip(), timeout=10) as answer:
            loaded = set(answer.read().decode().split())
    finally:
        server.kill()
        server.communicate()
    costly = {
        *(
            "asyncio",
            "difflib",
            "encodings.idna",
            "importlib.metadata",
            "jinja2",
            "json",
            "logging.config",
        ),
        *("paste.deploy", "pkg_resources", "setuptools", "watchfiles", "webob", "wheatpaste.server.failures"),
    }
    assert sorted(costly & loaded) == []
