"""``wheatpaste serve`` in processes of its own: what it takes, what it says and how it ends."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prerequisites import lacking
from running_server import RunningServer, free_port, poll

pytestmark = pytest.mark.slow

Start = Callable[..., RunningServer]
Write = Callable[..., Path]

WARES = """
import os, time

def app(environ, start_response):
    if environ["PATH_INFO"] == "/slow":
        open("entered", "w").close()
        while not os.path.exists("leave"):
            time.sleep(0.02)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["SCRIPT_NAME"].encode() + b"|" + environ["PATH_INFO"].encode()]

def make(global_conf, say="", **local_conf):
    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [(say or global_conf.get("say", "")).encode()]
    return app

def serve_by_hand(app, global_conf, host="127.0.0.1", port="0"):
    from wsgiref.simple_server import WSGIRequestHandler, make_server
    class Quiet(WSGIRequestHandler):
        def log_message(self, *args):
            pass
    server = make_server(host, int(port), app, handler_class=Quiet)
    print(f"by hand on http://{host}:{server.server_port}", flush=True)
    server.serve_forever()

def server_factory(global_conf, **conf):
    return lambda app: serve_by_hand(app, global_conf, **conf)

def logs(global_conf):
    import logging
    log = logging.getLogger("wares")
    log.info("made")
    return app
"""


@pytest.fixture
def site(write_ini: Write) -> Path:
    """An INI file that mounts two apps, beside the module that holds them."""
    write_ini(WARES, "wares.py")
    return write_ini(
        """
        [server:main]
        use = egg:wheatpaste#main
        port = 1

        [composite:main]
        use = egg:wheatpaste#urlmap
        / = front
        /shop = shop

        [app:front]
        paste.app_factory = wares:make
        say = front

        [app:shop]
        use = call:wares:make
        say = shop

        [app:other]
        paste.app_factory = wares:make
        say = other
        """
    )


def run(*words: str | Path, cwd: Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "wheatpaste", *map(str, words)],
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=60,
        env={**os.environ, **(env or {})},
    )


class TestTargets:
    def test_an_ini_file_is_served(self, site: Path, running_server: Start) -> None:
        server = running_server(site)
        assert server.request(path="/").text == "front"
        assert server.request(path="/shop/x").text == "shop"

    def test_it_says_what_is_mounted_where_and_which_url_to_open(self, site: Path, running_server: Start) -> None:
        server = running_server(site)
        server.wait_for(rf"serves site.ini, 2 apps, pid {server.pid}\n  {re.escape(server.url)}/\n")
        server.wait_for(r"\n    /shop +shop\n")

    def test_quiet_says_nothing(self, site: Path, running_server: Start) -> None:
        port = free_port()
        server = running_server(site, "-q", f"--port={port}", wait=False)
        server._port = port
        server.wait_until_ready()
        assert server.request().text == "front"
        assert server.log() == ""

    @pytest.mark.parametrize("words", [["-n", "other"], ["--app-name=other"]], ids=" ".join)
    def test_another_app_of_the_file(self, words: list[str], site: Path, running_server: Start) -> None:
        assert running_server(site, *words).request().text == "other"

    def test_another_app_by_its_fragment(self, site: Path, running_server: Start) -> None:
        assert running_server("site.ini#other").request().text == "other"

    @pytest.mark.parametrize("target", ["wares:app", "wares", "./wares.py", "wares.py:app"])
    def test_an_app_of_python(self, target: str, site: Path, running_server: Start) -> None:
        assert running_server(target).request(path="/x").text == "|/x"

    def test_an_executable_file(self, site: Path, running_server: Start, tmp_path: Path) -> None:
        script = Path(sys.executable).parent / "wheatpaste"
        if not script.exists():
            lacking("the installed command")
        site.write_text(f"#!{script}\n" + site.read_text().replace("port = 1", "port = 0"))
        site.chmod(0o755)
        server = running_server(argv=[str(site)])
        assert server.request().text == "front"

    def test_variables_reach_the_app(self, site: Path, running_server: Start) -> None:
        site.write_text(site.read_text().replace("say = front", ""))
        assert running_server(site, "say=hello").request().text == "hello"

    def test_without_a_server_section_it_serves_on_this_machine(self, write_ini: Write, tmp_path: Path) -> None:
        from wheatpaste.scripts.launch import Launch, Wishes
        from wheatpaste.scripts.target import find_target

        launch = Launch(find_target(str(write_ini("[app:main]\nuse = egg:wheatpaste#echo\n"))), Wishes())
        launch.load()
        assert [str(address) for address in launch.listening().addresses] == ["127.0.0.1:8080"]


class TestAddresses:
    def test_the_command_line_beats_the_file(self, site: Path, running_server: Start) -> None:
        port = free_port()
        server = running_server(site, f"--port={port}")
        assert server.port == port

    def test_several_addresses(self, site: Path, running_server: Start, tmp_path: Path) -> None:
        path = tmp_path / "x.sock"
        running_server(site, "--listen", "127.0.0.1:0", "--listen", f"unix:{path}")
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(10)
            client.connect(str(path))
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            answer = b"".join(iter(lambda: client.recv(4096), b""))
        assert answer.endswith(b"front")

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            pytest.param(["--port={taken}"], "--port: is in use by another process (127.0.0.1:{taken})", id="in use"),
            pytest.param(["--host=nosuch.invalid"], "'nosuch.invalid' does not resolve", id="no such host"),
            pytest.param(["--listen=unix:/no/such/x"], "the folder /no/such does not exist", id="no such folder"),
            pytest.param(["--listen=:80"], "names no host", id="no host"),
            pytest.param(["--port=65536"], "must be between 0 and 65535", id="too large"),
        ],
    )
    def test_what_cannot_be_listened_on_is_a_sentence(self, words: list[str], message: str, site: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = str(taken.getsockname()[1])
            done = run("serve", "wares:app", *(word.format(taken=port) for word in words), cwd=site.parent)
        assert done.returncode == 2
        assert message.format(taken=port) in done.stderr
        assert "Traceback" not in done.stderr
        assert "wheatpaste" not in done.stderr

    def test_a_port_in_use_is_named_with_its_line(self, site: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            site.write_text(site.read_text().replace("port = 1", f"port = {port}"))
            done = run("serve", site, cwd=site.parent)
        assert done.returncode == 2
        assert done.stderr.startswith(
            f"site.ini:3: [server:main] port: is in use by another process (127.0.0.1:{port})"
        )

    @pytest.mark.parametrize(
        ("line", "message"),
        [
            pytest.param("user = nosuchuser", "user: there is no user 'nosuchuser'; name", id="no such user"),
            pytest.param(
                "group = nosuchgroup\nuser = nobody", "group: there is no group 'nosuchgroup'; name", id="no such group"
            ),
            pytest.param("control_socket = /no/such/x", "control_socket: cannot be opened (", id="no such folder"),
        ],
    )
    def test_what_the_machine_does_not_have_is_named_with_its_line(self, line: str, message: str, site: Path) -> None:
        site.write_text(site.read_text().replace("port = 1", f"port = 0\n{line}"))
        done = run("serve", site, cwd=site.parent)
        assert done.returncode == 2
        assert done.stderr.startswith(f"site.ini:4: [server:main] {message}")

    def test_a_certificate_that_is_missing_is_told_in_two_lines(self, site: Path) -> None:
        site.write_text(site.read_text().replace("port = 1", "port = 0\ntls_certificate = missing.pem"))
        done = run("serve", site, cwd=site.parent)
        assert done.returncode == 2
        warning, error = done.stderr.splitlines()
        assert warning.startswith("site.ini:4: warning: [server:main] tls_certificate: there is no file missing.pem")
        assert error.startswith("site.ini:4: [server:main] tls_certificate: ")

    def test_a_port_in_use_is_told_before_the_app_is_imported(self, site: Path) -> None:
        (site.parent / "loud.py").write_text("print('imported')\ndef app(e, s): ...\n")
        with socket.create_server(("127.0.0.1", 0)) as taken:
            done = run("serve", "loud:app", f"--port={taken.getsockname()[1]}", cwd=site.parent)
        assert "imported" not in done.stdout


class TestBadInput:
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            pytest.param("[app:main]\nuse = egg:nosuchdist\n", "site.ini:2: [app:main] use", id="a distribution"),
            pytest.param("[app:main\n", "site.ini:1", id="syntax"),
            pytest.param("[app:main]\nuse = main2\n", "main2", id="a reference"),
            pytest.param("\0\1\2", "site.ini", id="binary garbage"),
            pytest.param("[app:main]\nuse = egg:wheatpaste#redirect\n", "[app:main]: to: ", id="an option"),
            pytest.param(
                "[app:main]\npaste.app_factory = bad:none\n", "its factory returned None", id="a factory without an app"
            ),
            pytest.param("[app:main]\npaste.app_factory = bad:co\n", "is async", id="an async factory"),
            pytest.param("[app:main]\npaste.app_factory = exits:make\n", "called sys.exit", id="an import that exits"),
        ],
    )
    def test_a_broken_file_is_sentences_and_exit_code_2(self, text: str, message: str, tmp_path: Path) -> None:
        (tmp_path / "bad.py").write_text("def none(g): ...\nasync def co(g): ...\n")
        (tmp_path / "exits.py").write_text("import sys\nsys.exit(0)\ndef make(g): ...\n")
        (tmp_path / "site.ini").write_text(text)
        done = run("serve", "site.ini", "--port=0", cwd=tmp_path)
        assert done.returncode == 2
        assert message in done.stderr
        assert "Traceback" not in done.stderr

    def test_an_app_that_raises_shows_its_own_lines_and_exit_code_1(self, tmp_path: Path) -> None:
        (tmp_path / "bad.py").write_text("def make(global_conf):\n    raise ValueError('of the app')\n")
        (tmp_path / "site.ini").write_text("[app:main]\npaste.app_factory = bad:make\n")
        done = run("serve", "site.ini", "--port=0", cwd=tmp_path)
        assert done.returncode == 1
        assert done.stderr.splitlines() == [
            "bad.py:2 in make",
            "    raise ValueError('of the app')",
            "ValueError: of the app",
            "  while building [app:main], site.ini:1",
        ]

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            pytest.param(["strat"], "'strat' is no variable; did you mean start?", id="an action misspelt"),
            pytest.param(["novalue"], "write key=value", id="a variable without a value"),
            pytest.param(["-s", "main", "--server-name", "x"], "exclude each other", id="two servers"),
            pytest.param(["--listen=*:1", "--port=2"], "already says host and port", id="two addresses"),
            pytest.param(["--reload", "--daemon"], "does not run in the background", id="reload in the background"),
            pytest.param(["-s", "gunicron"], "did you mean 'gunicorn'?", id="a server misspelt"),
            pytest.param(["--server-name", "mian"], "did you mean 'main'?", id="a server section misspelt"),
            pytest.param(["-n", "frnt"], "did you mean 'front'?", id="an app misspelt"),
            pytest.param(["--user", "nosuchuser"], "there is no user 'nosuchuser'", id="a user that is none"),
        ],
    )
    def test_wrong_words_are_sentences_and_exit_code_2(self, words: list[str], message: str, site: Path) -> None:
        site.write_text(site.read_text().replace("port = 1", "port = 0"))
        done = run("serve", site, *words, cwd=site.parent)
        assert done.returncode == 2
        assert message in done.stderr
        assert "Traceback" not in done.stderr

    def test_a_log_file_that_cannot_be_written_is_a_sentence(self, site: Path) -> None:
        done = run("serve", site, "--log-file=no/x.log", cwd=site.parent)
        assert done.returncode == 1
        assert "the log file no/x.log cannot be written" in done.stderr


class TestTheEnd:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
    def test_a_signal_ends_it_cleanly(self, number: signal.Signals, site: Path, running_server: Start) -> None:
        server = running_server(site)
        server.request()
        assert server.stop(number) == 0
        assert "Traceback" not in server.log()

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
    def test_running_requests_finish(self, number: signal.Signals, site: Path, running_server: Start) -> None:
        server = running_server("wares:app")
        answers: list[Any] = []
        client = threading.Thread(target=lambda: answers.append(server.request(path="/slow")))
        client.start()
        poll((site.parent / "entered").exists, 30, lambda: "the request did not begin")
        os.kill(server.pid, number)
        poll(lambda: not _accepts(server.port), 30, lambda: "it still takes connections")
        (site.parent / "leave").write_text("")
        client.join(10)
        assert [answer.text for answer in answers] == ["|/slow"]
        poll(lambda: server.returncode is not None, 30, lambda: "it did not end")
        assert server.returncode == 0

    def test_a_second_ctrl_c_ends_it_at_once(self, site: Path, running_server: Start) -> None:
        server = running_server("wares:app")
        threading.Thread(target=_ignore, args=(lambda: server.request(path="/slow"),), daemon=True).start()
        poll((site.parent / "entered").exists, 30, lambda: "the request did not begin")
        os.kill(server.pid, signal.SIGINT)
        poll(lambda: not _accepts(server.port), 30, lambda: "it still takes connections")
        assert server.returncode is None
        assert server.stop(signal.SIGINT, deadline=20) == 130
        assert "Traceback" not in server.log()

    def test_ctrl_c_while_the_app_is_made_is_quiet(self, tmp_path: Path, running_server: Start) -> None:
        # In steps: a signal that comes right before a sleep is not seen before its end.
        code = "import time\nprint('importing', flush=True)\nfor _ in range(6000):\n    time.sleep(0.01)\n"
        (tmp_path / "slow.py").write_text(code)
        server = running_server("slow:app", wait=False)
        server.wait_for("importing")
        assert server.stop(signal.SIGINT) == 130
        assert server.log() == "importing\n"


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def _ignore(call: Callable[[], object]) -> None:
    with contextlib.suppress(OSError):
        call()


class TestOutput:
    def test_verbose_prints_each_request(self, site: Path, running_server: Start) -> None:
        server = running_server(site, "-v")
        server.request(path="/shop?a=1")
        server.wait_for(r"GET  /shop\?a=1 200 4 B \d+\.\d ms\n")

    def test_requests_are_not_printed_to_a_file(self, site: Path, running_server: Start) -> None:
        server = running_server(site)
        server.request(path="/shop")
        server.stop()
        assert "GET" not in server.log()

    def test_logging_is_set_up_from_the_file(self, site: Path, running_server: Start) -> None:
        site.write_text(
            textwrap.dedent("""
            [app:main]
            paste.app_factory = wares:logs
            [loggers]
            keys = root
            [handlers]
            keys = file
            [formatters]
            keys = plain
            [logger_root]
            level = %(loglevel)s
            handlers = file
            [handler_file]
            class = FileHandler
            args = ('%(here)s/app.log',)
            formatter = plain
            [formatter_plain]
            format = %(name)s says %(message)s
            """)
        )
        server = running_server(site, "loglevel=INFO")
        server.request()
        assert (site.parent / "app.log").read_text() == "wares says made\n"

    def test_wrong_logging_is_named(self, site: Path) -> None:
        site.write_text(site.read_text() + "[loggers]\nkeys = root\n")
        done = run("serve", site, "--port=0", cwd=site.parent)
        assert done.returncode == 2
        assert re.match(r"site\.ini:\d+: \[loggers\]: logging cannot be set up", done.stderr)

    def test_a_log_file_takes_the_output_and_is_opened_anew(self, site: Path, running_server: Start) -> None:
        log = site.parent / "out.log"
        port = free_port()
        server = running_server(site, f"--port={port}", "--log-file=out.log", wait=False)
        server._port = port
        server.wait_until_ready()
        poll(lambda: "serves site.ini" in log.read_text(), 30, lambda: log.read_text())
        log.rename(log.with_suffix(".1"))
        os.kill(server.pid, signal.SIGHUP)
        poll(log.exists, 30, lambda: "the log was not opened anew")
        assert server.stop() == 0

    def test_a_pid_file_lives_as_long_as_the_server(self, site: Path, running_server: Start) -> None:
        server = running_server(site, "--pid-file=x.pid")
        assert (site.parent / "x.pid").read_text() == f"{server.pid}\n"
        second = run("serve", site, "--port=0", "--pid-file=x.pid", cwd=site.parent)
        assert second.returncode == 1
        assert f"running already with pid {server.pid}" in second.stderr
        server.stop()
        assert not (site.parent / "x.pid").exists()


class TestOtherServers:
    @pytest.mark.parametrize(
        "section",
        [
            pytest.param("paste.server_runner = wares:serve_by_hand", id="a runner"),
            pytest.param("paste.server_factory = wares:server_factory", id="a factory"),
        ],
    )
    def test_a_server_of_somebody_s_is_called(self, section: str, site: Path, running_server: Start) -> None:
        site.write_text(site.read_text().replace("use = egg:wheatpaste#main\nport = 1", section))
        server = running_server(site, "--port=0", wait=False)
        server._port = int(server.wait_for(r"by hand on http://127.0.0.1:(\d+)")[1])
        server.wait_until_ready()
        assert server.request().text == "front"
        server.stop()

    @pytest.mark.parametrize("name", ["Paste#http", "waitress#main", "wheatpaste#http"])
    def test_old_names_serve_with_their_keys(self, name: str, site: Path, running_server: Start) -> None:
        extra = "\nthreadpool_workers = 2\nprotocol_version = HTTP/1.0" if name == "Paste#http" else ""
        site.write_text(site.read_text().replace("egg:wheatpaste#main", f"egg:{name}{extra}", 1))
        server = running_server(site)
        assert server.request().text == "front"
        if extra:
            assert "protocol_version: each client is answered in the version that it speaks" in server.log()
        assert server.stop() == 0

    @pytest.mark.parametrize("server", ["gunicorn", "egg:gunicorn#main", "wsgiref"])
    def test_a_server_by_its_type(self, server: str, site: Path, running_server: Start) -> None:
        running = running_server(
            argv=[sys.executable, "-W", "ignore", "-m", "wheatpaste", "serve", str(site), "-s", server, "--port={port}"]
        )
        assert running.request().text == "front"
        running.stop()

    def test_another_section_of_the_file(self, site: Path, running_server: Start) -> None:
        site.write_text(site.read_text() + "[server:second]\nuse = egg:wheatpaste\nident = second\nport = 1\n")
        server = running_server(site, "--server-name=second")
        assert server.request().headers["Server"] == "second"

    def test_a_section_of_another_file(self, site: Path, write_ini: Write, running_server: Start) -> None:
        write_ini("[server:main]\nuse = egg:wheatpaste\nident = elsewhere\n", "servers.ini")
        server = running_server(site, "--server-name=config:servers.ini")
        assert server.request().headers["Server"] == "elsewhere"


class TestUnderOthers:
    """Our entry points under the loaders and servers of others."""

    @pytest.fixture
    def plain(self, write_ini: Write, tmp_path: Path) -> Path:
        (tmp_path / "files").mkdir()
        (tmp_path / "files" / "a.txt").write_text("a file")
        return write_ini(
            """
            [server:main]
            use = egg:wheatpaste#main
            port = %(http_port)s

            [composite:main]
            use = egg:wheatpaste#urlmap
            / = both
            /echo = echo

            [composite:both]
            use = egg:wheatpaste#cascade
            app1 = files
            app2 = echo

            [app:files]
            use = egg:wheatpaste#static
            root = %(here)s/files

            [app:echo]
            use = egg:wheatpaste#echo
            filter-with = prefix

            [filter:prefix]
            use = egg:wheatpaste#prefix
            """
        )

    @pytest.fixture(
        params=[
            pytest.param(["-m", "pyramid.scripts.pserve", "{ini}", "http_port={port}"], id="pserve"),
            pytest.param(["-m", "gunicorn", "--paste", "{ini}", "-b", "127.0.0.1:{port}"], id="gunicorn --paste"),
            pytest.param(["wsgi.py", "{port}"], id="application = loadapp(…)"),
        ]
    )
    def server(self, request: pytest.FixtureRequest, plain: Path, running_server: Start) -> RunningServer:
        words = [word.replace("{ini}", str(plain)) for word in request.param]
        if "gunicorn" in words:
            plain.write_text(plain.read_text().replace("%(http_port)s", "0"))
        (plain.parent / "wsgi.py").write_text(
            "import sys\nfrom paste.deploy import loadapp\nfrom wsgiref.simple_server import make_server\n"
            f"application = loadapp('config:{plain}', global_conf={{'http_port': '0'}})\n"
            "make_server('127.0.0.1', int(sys.argv[1]), application).serve_forever()\n"
        )
        return running_server(argv=[sys.executable, "-W", "ignore", *words])

    def test_they_run_as_under_ours(self, server: RunningServer) -> None:
        assert server.request(path="/a.txt").text == "a file"
        assert server.request(path="/echo/x").status == 200
        assert server.request(path="/nothing").status == 200
