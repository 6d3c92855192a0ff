"""uWSGI, with the file and the settings that ``wheatpaste generate wsgi`` writes for it."""

from __future__ import annotations

import http.client
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hosted_site import visit, write_site
from prerequisites import lacking
from running_server import RunningServer, poll

pytestmark = pytest.mark.slow


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    """Writes the site and what is generated for it, as a deployer does; the command that starts uWSGI with it."""
    beside = Path(sys.executable).with_name("uwsgi")
    program = str(beside) if beside.exists() else shutil.which("uwsgi")
    if program is None:
        lacking("uwsgi (pip install pyuwsgi)")
    done = subprocess.run(
        [sys.executable, "-m", "wheatpaste", "generate", "wsgi", str(write_site(tmp_path)), "--for", "uwsgi"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=60,
        check=True,
    )
    settings = tmp_path / "uwsgi.ini"
    text = done.stdout[done.stdout.index("[uwsgi]") :]
    settings.write_text(text.replace("127.0.0.1:8080", "127.0.0.1:%(port)"))
    return [program, "--set", "port={port}", "--ini", str(settings)]


def test_the_site_is_served_by_uwsgi(command: list[str], running_server: Callable[..., RunningServer]) -> None:
    server = running_server(argv=command)
    visit(server)
    assert server.stop() == 0, "SIGTERM ends it"


def test_chunked_bodies_come_to_the_app_through_uwsgi(
    command: list[str], running_server: Callable[..., RunningServer]
) -> None:
    server = running_server(argv=command)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("POST", "/size", body=iter([b"x" * 1000] * 200), encode_chunked=True)
    assert connection.getresponse().read() == b"200000"
    connection.close()


def test_an_unread_body_is_never_taken_for_a_request_by_uwsgi(
    command: list[str], running_server: Callable[..., RunningServer]
) -> None:
    inner = b"GET /late HTTP/1.1\r\nHost: x\r\n\r\n"
    head = b"POST /shop/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    received = running_server(argv=command).raw(head + b"%x\r\n%s\r\n0\r\n\r\n" % (len(inner), inner))
    assert received.startswith(b"HTTP/1.1 405")
    assert received.count(b"HTTP/1.1 ") == 1


def test_uwsgi_does_not_start_without_the_app(
    command: list[str], running_server: Callable[..., RunningServer], tmp_path: Path
) -> None:
    (tmp_path / "hosted_apps.py").unlink()
    server = running_server(argv=command, wait=False)
    server.wait_for("there is no module 'hosted_apps'")
    poll(lambda: server.returncode is not None, 15, server.log)
    assert server.returncode
