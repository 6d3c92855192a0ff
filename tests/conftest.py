"""Fixtures that every room's tests may use."""

from __future__ import annotations

import importlib.util
import shutil
import signal
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings
from prerequisites import lacking
from running_server import RunningServer, free_port
from stored_servers import PostgresServer, RedisServer

from wheatpaste.testing import Client, Clock

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

# How long an example takes says how busy the machine is; what is to be quick is measured where that is tested.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


def pytest_configure() -> None:
    """Hear Ctrl-C, where a shell has begun this in its background: what is started here would ignore it, too."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest."""
    items.sort(key=lambda item: item.get_closest_marker("early") is None)


@pytest.fixture
def client() -> Callable[..., Client]:
    """Makes a test client of an app: ``client(app, script_name="/site")``. Strict unless told ``lint=False``."""

    def make(app: Any, **options: Any) -> Client:
        return Client(app, **{"lint": True, **options})

    return make


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still until the test moves it."""
    return Clock()


@pytest.fixture
def write_ini(tmp_path: Path) -> Callable[..., Path]:
    """Writes an INI, indented as the test's own code is: ``write_ini(text, "site.ini")`` returns its path."""

    def write(text: str, name: str = "site.ini") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")
        return path

    return write


@pytest.fixture
def gatekeeper(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module ``wheatpaste.gatekeeper``, with a filter and an app of ours that have sections of their own."""
    name = "wheatpaste.gatekeeper"
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parent / "_kit" / "gatekeeper.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def running_server(tmp_path: Path) -> Iterator[Callable[..., RunningServer]]:
    """Starts servers and ends all of them after the test.

    ``running_server("site.ini")`` runs ``wheatpaste serve`` on a port of the system's choice, more words are more
    arguments; ``running_server(argv=[...])`` runs anything, with ``{port}`` replaced by a free port. It returns when
    the server takes connections, at once with ``wait=False``.
    """
    servers: list[RunningServer] = []

    def start(
        *words: str | Path,
        argv: list[str] | None = None,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        wait: bool = True,
    ) -> RunningServer:
        port = None
        if argv is None:
            arguments = [str(word) for word in words]
            argv = [sys.executable, "-m", "wheatpaste", "serve", *arguments]
            if not any(word.startswith(("--port", "--listen")) for word in arguments):
                argv += ["--listen", "127.0.0.1:0"]
        elif any("{port}" in word for word in argv):
            port = free_port()
            argv = [word.replace("{port}", str(port)) for word in argv]
        server = RunningServer(argv, port=port, cwd=cwd or tmp_path, env=env)
        servers.append(server)
        return server.wait_until_ready() if wait else server

    yield start
    for server in servers:
        server.kill()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """PostgreSQL, one for all tests; each asks it for an ``url()`` of its own. Mark such tests slow."""
    server = PostgresServer()
    yield server
    server.end()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """Redis or Valkey, one for all tests; each asks it for an ``url()`` of its own. Mark such tests slow."""
    server = RedisServer()
    yield server
    server.end()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """Chromium without a window and with a profile of its own; skips where there is none. Mark such tests slow."""
    driver = shutil.which("chromedriver")
    if driver is None:
        lacking("chromium with its driver")
    from selenium.webdriver import Chrome, ChromeOptions, ChromeService

    options = ChromeOptions()
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for flag in (
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
        f"--user-data-dir={tmp_path_factory.mktemp('profile')}",
    ):
        options.add_argument(flag)
    chrome = Chrome(options=options, service=ChromeService(driver))
    yield chrome
    chrome.quit()
