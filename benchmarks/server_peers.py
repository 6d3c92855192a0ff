"""The servers that are measured: how each is started with the same app, threads and limits, and what it cannot do."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple, TypeVar

from findings import progress
from processes import family_of, free_port, memory, processor_seconds

HERE = Path(__file__).resolve().parent
BIN = Path(sys.executable).parent
APP = "server_apps:app"
PATIENCE = 20.0

Value = TypeVar("Value")


class Setup(NamedTuple):
    """What a scenario asks of a server. ``certificate`` and ``key`` are files; with them it speaks TLS.

    ``once`` means that each connection is for one request, as its client says.
    """

    port: int = 0
    threads: int = 16
    workers: int = 1
    certificate: str = ""
    key: str = ""
    once: bool = False
    folder: Path = HERE

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"


class Peer(NamedTuple):
    """A server: its name, its command, and whether it has processes and TLS."""

    name: str
    distributions: tuple[str, ...]
    """The names on the index that it can have been installed by."""
    command: Callable[[Setup], list[str]]
    workers: bool = False
    tls: bool = False

    def version(self) -> str | None:
        """The installed version; None where it is not installed."""
        for each in self.distributions:
            with suppress(PackageNotFoundError):
                return version(each)
        return None

    def fits(self, setup: Setup) -> bool:
        return (self.workers or setup.workers == 1) and (self.tls or not setup.certificate)


def wheatpaste(setup: Setup) -> list[str]:
    argv = ["wheatpaste", "serve", APP, "--listen", setup.address, "--quiet"]
    argv += ["--threads", str(setup.threads), "--workers", str(setup.workers), "--connections", "15000"]
    if setup.certificate:
        argv += ["--tls-certificate", setup.certificate, "--tls-key", setup.key]
    return argv


def waitress(setup: Setup) -> list[str]:
    options = ["--connection-limit=15000", "--backlog=2048", "--asyncore-use-poll"]
    return ["waitress-serve", f"--listen={setup.address}", f"--threads={setup.threads}", *options, APP]


def gunicorn(kind: str) -> Callable[[Setup], list[str]]:
    def command(setup: Setup) -> list[str]:
        argv = ["gunicorn", "-k", kind, "-b", setup.address, "-w", str(setup.workers)]
        # With threads it would take the sync worker for the threaded one.
        argv += ["--threads", str(setup.threads)] if kind == "gthread" else []
        argv += ["--backlog", "2048", "--worker-connections", "15000", "--keep-alive", "90", "--log-level", "error"]
        if setup.certificate:
            argv += ["--certfile", setup.certificate, "--keyfile", setup.key]
        return [*argv, APP]

    return command


def launched(name: str) -> Callable[[Setup], list[str]]:
    """A server that is started by the script beside this one."""

    def command(setup: Setup) -> list[str]:
        return ["python", str(HERE / "server_launch.py"), name, str(setup.port), str(setup.threads)]

    return command


def uwsgi(setup: Setup) -> list[str]:
    argv = ["uwsgi", "-w", APP, "--master", "--die-on-term", "--disable-logging", "--listen", "2048"]
    argv += ["--processes", str(setup.workers), "--threads", str(setup.threads), "--need-app"]
    if setup.certificate:
        return [*argv, "--https", f"{setup.address},{setup.certificate},{setup.key}", "--http-keepalive"]
    if setup.once:
        # Where it knows keep-alive it keeps connections also for clients that ask it to close.
        return [*argv, "--http-socket", setup.address, "--add-header", "Connection: close"]
    return [*argv, "--http11-socket", setup.address]


def granian(setup: Setup) -> list[str]:
    argv = ["granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(setup.port), "--http", "1"]
    argv += ["--workers", str(setup.workers), "--blocking-threads", str(setup.threads), "--no-ws"]
    argv += ["--backlog", "2048", "--backpressure", "15000", "--log-level", "error"]
    if setup.certificate:
        argv += ["--ssl-certificate", setup.certificate, "--ssl-keyfile", setup.key]
    return [*argv, APP]


OURS = "wheatpaste"
WAITRESS = "Waitress"
GTHREAD, GEVENT, SYNC = "gunicorn gthread", "gunicorn gevent", "gunicorn sync"
CHEROOT = "cheroot"
UWSGI = "uWSGI"
GRANIAN = "granian"
BJOERN = "bjoern"
PASTE = "paste.httpserver"
PEERS = (
    Peer(OURS, ("wheatpaste",), wheatpaste, workers=True, tls=True),
    Peer(GRANIAN, ("granian",), granian, workers=True, tls=True),
    Peer(UWSGI, ("uWSGI", "pyuwsgi"), uwsgi, workers=True, tls=True),
    Peer(BJOERN, ("bjoern",), launched("bjoern")),
    Peer(WAITRESS, ("waitress",), waitress),
    Peer(CHEROOT, ("cheroot",), launched("cheroot"), tls=True),
    Peer(GTHREAD, ("gunicorn",), gunicorn("gthread"), workers=True, tls=True),
    Peer(GEVENT, ("gevent",), gunicorn("gevent"), workers=True, tls=True),
    Peer(SYNC, ("gunicorn",), gunicorn("sync"), workers=True, tls=True),
    Peer(PASTE, ("Paste",), launched("paste")),
)


def placed(core: int | None) -> Callable[[], None]:
    """For ``preexec_fn``: a process on one core where there are several, or on all (None), before other programs."""

    def place() -> None:
        if core is not None and (os.cpu_count() or 1) > 1 and hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, {core})
        with suppress(OSError):  # only root may, and only Linux groups processes by session
            os.setpriority(os.PRIO_PROCESS, 0, -20)
            Path("/proc/self/autogroup").write_text("-20", encoding="ascii")

    return place


class Usage(NamedTuple):
    """What the processes of a server have used and hold: seconds of processor time, bytes."""

    processor: float
    pss: float
    rss: float


class Server:
    """A running server."""

    def __init__(self, peer: Peer, setup: Setup, process: subprocess.Popen[bytes], log: Path) -> None:
        self.peer, self.setup, self.process, self.log = peer, setup, process, log

    def url(self, path: str) -> str:
        return f"{'https' if self.setup.certificate else 'http'}://{self.setup.address}{path}"

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def processor(self) -> float:
        """Seconds of processor time of all its processes so far."""
        return sum(self._of_each(processor_seconds))

    def usage(self) -> Usage:
        held = list(self._of_each(memory))
        return Usage(self.processor(), sum(pss for pss, _ in held), sum(rss for _, rss in held))

    def _of_each(self, what: Callable[[int], Value]) -> Iterator[Value]:
        for pid in family_of(self.process.pid):
            try:
                yield what(pid)
            except OSError:  # it ended meanwhile
                continue

    def answers(self) -> bool:
        """Whether it says 200 to a small request."""
        try:
            with connect(self.setup, timeout=5) as connection:
                connection.sendall(b"GET /hello HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
                return connection.recv(64)[8:12] == b" 200"
        except OSError:
            return False

    def stop(self) -> None:
        """End it, if ``terminate`` has not done so, and all that it started."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(0.3)
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def connect(setup: Setup, timeout: float) -> socket.socket:
    """A connection to that server, with TLS where it speaks it; its certificate is not looked at."""
    plain = socket.create_connection(("127.0.0.1", setup.port), timeout=timeout)
    if not setup.certificate:
        return plain
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(plain)


@contextmanager
def running(
    peers: Iterable[Peer], setup: Setup, *, core: int | None, environment: Mapping[str, str]
) -> Iterator[dict[str, Server]]:
    """Start these servers beside each other, wait until each answers, and stop them in the end.

    One that does not start is said and left out.
    """
    servers: dict[str, Server] = {}
    try:
        for peer in peers:
            servers[peer.name] = start(peer, setup._replace(port=free_port()), core, environment)
        yield {name: server for name, server in servers.items() if ready(server)}
    finally:
        for server in servers.values():
            server.process.terminate()
        for server in servers.values():
            server.stop()


def start(peer: Peer, setup: Setup, core: int | None, environment: Mapping[str, str]) -> Server:
    command, *words = peer.command(setup)
    variables = {
        **environment,
        # Not all of them look for modules in the working directory.
        "PYTHONPATH": str(HERE),
        "BENCHMARK_CERTIFICATE": setup.certificate,
        "BENCHMARK_KEY": setup.key,
    }
    log = setup.folder / f"{setup.port}.log"
    with open(log, "wb") as output:
        process = subprocess.Popen(
            [str(BIN / command), *words],
            cwd=setup.folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=placed(core),
        )
    return Server(peer, setup, process, log)


def ready(server: Server) -> bool:
    """Wait until it answers; False (and a word why) where it ends or does not within ``PATIENCE``."""
    deadline = time.monotonic() + PATIENCE
    while server.alive and time.monotonic() < deadline:
        if server.answers():
            return True
        time.sleep(0.01)
    progress(f"{server.peer.name} does not answer: {server.log.read_text(errors='replace')[-1000:]}")
    return False
