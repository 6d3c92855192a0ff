"""A site in worker processes: an app that can misbehave, its INI file, and the ways to reach what serves it."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from running_server import RunningServer, poll

from wheatpaste.server.processes.control_client import ask

APP = """
import json, os, threading, time

HELD = []

def make(global_conf, say="one"):
    while os.path.exists("hold"):
        open("held", "w").close()
        time.sleep(0.02)

    def app(environ, start_response):
        path = environ["PATH_INFO"]
        body = say
        if path == "/pid":
            body = str(os.getpid())
        elif path == "/uid":
            body = f"{os.getuid()} {os.getgid()}"
        elif path == "/slow":
            open("entered", "w").close()
            while not os.path.exists("leave"):
                time.sleep(0.02)
        elif path == "/eat":
            HELD.append(bytearray(64 * 1024 * 1024))
        elif path == "/log":
            import logging
            logging.getLogger("wares").warning("logged")
            print("printed", flush=True)
        elif path == "/status":
            body = json.dumps(environ["wheatpaste.server"].snapshot())
        elif path == "/stacks":
            body = json.dumps(environ["wheatpaste.server"].request("stacks"))
        elif path == "/pool":
            pool = environ["paste.httpserver.thread_pool"]
            found = {state: len(threads) for state, threads in pool.track_threads().items()}
            body = json.dumps({**found, "nworkers": pool.nworkers})
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
        return [body.encode()]
    return app
"""


BROKEN_APP = "import nowhere_to_be_found\n\ndef make(global_conf, say='one'):\n    return None\n"
"""An app that a check finds nothing wrong with, and that cannot be imported."""


class WorkerSite:
    """The folder of a site whose app is in ``wares.py``; its control socket is ``ctl``."""

    def __init__(self, folder: Path, start: Callable[..., RunningServer]) -> None:
        self.folder = folder
        self._start = start
        self.server: RunningServer
        self.options: dict[str, str] = {}
        self.app: dict[str, str] = {}
        self.logging = ""
        (folder / "wares.py").write_text(APP)

    @property
    def ini(self) -> Path:
        return self.folder / "site.ini"

    def write(self, **options: object) -> None:
        """Write the INI file, with these options of the server besides those from before."""
        self.options.update({name: str(value) for name, value in options.items()})
        lines = [
            "[server:main]",
            "use = egg:wheatpaste#main",
            "control_socket = %(here)s/ctl",
            *(f"{name} = {value}" for name, value in self.options.items()),
            "[app:main]",
            "paste.app_factory = wares:make",
            *(f"{name} = {value}" for name, value in self.app.items()),
        ]
        self.ini.write_text("\n".join(lines) + "\n" + self.logging)

    def start(self, *words: str, wait: bool = True, **options: object) -> RunningServer:
        """Write the INI file and serve it; two workers unless told."""
        self.write(**{"workers": 2, **options})
        self.server = self._start("site.ini", *words, cwd=self.folder, wait=wait, env={"XDG_RUNTIME_DIR": "/nowhere"})
        return self.server

    def ask(self, command: str, timeout: float = 30, **more: Any) -> dict[str, Any]:
        """Put a command to the control socket."""
        return ask(str(self.folder / "ctl"), {"command": command, **more}, timeout)

    def status(self) -> dict[str, Any]:
        result: dict[str, Any] = self.ask("status")["result"]
        return result

    def pids(self, state: str = "ready") -> set[int]:
        """The workers that are in this state."""
        return {process["pid"] for process in self.status()["processes"] if process["state"] == state}

    def wait_for_workers(self, count: int, *, without: Collection[int] = (), deadline: float = 20) -> set[int]:
        """Wait until so many workers are ready and none of ``without`` is left."""

        def is_there() -> bool:
            processes = self.status()["processes"]
            there = {process["pid"] for process in processes}
            ready = {process["pid"] for process in processes if process["state"] == "ready"}
            return len(ready) == count and there.isdisjoint(without)

        poll(is_there, deadline, lambda: f"{count} workers did not come: {self.status()}\n{self.server.log()}")
        return self.pids()

    def hang_up(self) -> None:
        os.kill(self.server.pid, signal.SIGHUP)

    def answer(self, path: str = "/") -> str:
        return self.server.request("GET", path).text

    def wait_for_answer(self, text: str, deadline: float = 20) -> None:
        poll(lambda: self.answer() == text, deadline, lambda: f"{text!r} was not answered\n{self.server.log()}")


def is_alive(pid: int) -> bool:
    """Whether a process runs: a zombie does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def accepts(port: int) -> bool:
    """Whether somebody listens on a port of 127.0.0.1."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
