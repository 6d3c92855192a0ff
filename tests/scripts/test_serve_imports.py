"""What ``wheatpaste serve`` has imported when it answers: the time to the first request is mostly imports."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from running_server import RunningServer

pytestmark = pytest.mark.slow

WARES = """
import sys

def make(global_conf):
    built = sorted(sys.modules)

    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [" ".join(built if environ["PATH_INFO"] == "/built" else sorted(sys.modules)).encode()]

    return app
"""

NOBODY_ASKED_FOR = {
    "asyncio",
    "configparser",
    "dataclasses",
    "email",
    "importlib.metadata",
    "inspect",
    "json",
    "logging.config",
    "ssl",
    "subprocess",
    "tempfile",
    "waitress",
    "wheatpaste.protocol.secret_texts",
    "wheatpaste.server.daemon",
    "wheatpaste.server.engine_status",
    "wheatpaste.server.file_watch",
    "wheatpaste.server.forwarded",
    "wheatpaste.server.pid_file",
    "wheatpaste.server.privileges",
    "wheatpaste.server.processes.generation",
    "wheatpaste.server.processes.parent",
    "wheatpaste.server.processes.worker",
    "wheatpaste.server.proxy_protocol",
    "wheatpaste.server.reloader",
    "wheatpaste.server.tls.contexts",
    "wheatpaste.server.tls.handshake",
}
# Imported a moment after the start.
LATER = {
    "wheatpaste.server.engine",
    "wheatpaste.server.failures",
    "wheatpaste.server.processes.log_files",
    "wheatpaste.server.processes.reasons",
    "wheatpaste.server.processes.report",
    "wheatpaste.server.processes.snapshot",
    "wheatpaste.server.processes.stacks",
    "wheatpaste.server.processes.stale_code",
    "wheatpaste.server.processes.upgrade",
}


def in_every_interpreter() -> set[str]:
    """What distributions put into every interpreter of the environment."""
    done = subprocess.run(
        [sys.executable, "-c", "import sys; print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


@pytest.fixture
def server(write_ini: Callable[..., Path], running_server: Callable[..., RunningServer]) -> RunningServer:
    """A small site that answers with the names of the modules that are there."""
    write_ini(WARES, "wares.py")
    return running_server(
        write_ini("[server:main]\nuse = egg:wheatpaste#main\n[app:main]\npaste.app_factory = wares:make\n")
    )


def test_it_imports_nothing_that_nobody_asked_for(server: RunningServer) -> None:
    loaded = set(server.request(path="/").text.split())
    assert not (loaded - in_every_interpreter()) & NOBODY_ASKED_FOR
    assert "wheatpaste.server.engine" in loaded


def test_it_imports_later_what_the_start_can_do_without(server: RunningServer) -> None:
    built = set(server.request(path="/built").text.split())
    assert not (built - in_every_interpreter()) & (LATER | NOBODY_ASKED_FOR)


def test_its_own_modules_stay_within_their_number(server: RunningServer) -> None:
    loaded = server.request(path="/").text.split()
    ours = [name for name in loaded if name.partition(".")[0] == "wheatpaste"]
    # Each costs a quarter of a millisecond before it does anything. Three are there for the option that it was given.
    assert len(ours) <= 114, ours
