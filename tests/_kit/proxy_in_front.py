"""A real proxy between the test and a server: nginx or haproxy, with what it believes to have sent."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
from pathlib import Path

from prerequisites import lacking
from running_server import free_port, poll

SERIAL = "X-Serial-4d1c"
"""The header in which a proxy numbers what it sends. Clients of the tests never write it."""


class Proxy:
    """Runs until ``stop()``. ``address`` is where it listens; ``sent()`` is what it logs."""

    def __init__(self, argv: list[str], port: int, log: Path, folder: Path) -> None:
        self.address = ("127.0.0.1", port)
        self._log = log
        self._output = folder / "proxy.out"
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )
        try:
            poll(self._accepts, 20, lambda: f"the proxy does not listen:\n{self._output.read_text()}")
        except BaseException:
            self.stop()
            raise

    def _accepts(self) -> bool:
        if self._process.poll() is not None:
            raise RuntimeError(f"the proxy ended with {self._process.returncode}:\n{self._output.read_text()}")
        try:
            socket.create_connection(self.address, 1).close()
        except OSError:
            return False
        return True

    def sent(self) -> dict[str, list[str]]:
        """What it believes to have sent so far: for each serial number the statuses that came (``-`` for none)."""
        found: dict[str, list[str]] = {}
        for line in self._log.read_text(errors="replace").splitlines():
            match = re.fullmatch(r"serial=(\S+) server=(\S+) status=(.+)", line)
            if match is not None and match[2] not in ("-", "<NOSRV>"):
                found.setdefault(match[1], []).extend(match[3].split(", "))
        return found

    def stop(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(10)


def _program(name: str) -> str:
    program = shutil.which(name) or f"/usr/sbin/{name}"
    if not os.access(program, os.X_OK):
        lacking(name)
    return program


def nginx(folder: Path, server: str, *, http: str = "", location: str = "") -> Proxy:
    """nginx in front of ``server`` (``127.0.0.1:8080`` or ``unix:/path``), with connections that stay open."""
    program, port = _program("nginx"), free_port()
    folder.mkdir(parents=True)
    log, configuration = folder / "requests.log", folder / "nginx.conf"
    log.touch()
    temporary = " ".join(f"{name}_temp_path {folder}/{name};" for name in _TEMPORARY)
    configuration.write_text(
        f"""
        daemon off;
        master_process off;
        pid {folder}/nginx.pid;
        error_log stderr warn;
        events {{ worker_connections 100; }}
        http {{
            log_format counted "serial=$request_id server=$upstream_addr status=$upstream_status";
            access_log {log} counted;
            {temporary}
            {http}
            upstream app {{ server {server}; keepalive 4; }}
            server {{
                listen 127.0.0.1:{port};
                location / {{
                    proxy_pass http://app;
                    proxy_http_version 1.1;
                    proxy_set_header Connection "";
                    proxy_set_header Host $http_host;
                    proxy_set_header {SERIAL} $request_id;
                    proxy_next_upstream off;
                    {location}
                }}
            }}
        }}
        """
    )
    return Proxy([program, "-p", str(folder), "-c", str(configuration)], port, log, folder)


_TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def haproxy(
    folder: Path, server: str, *, bind: str = "", frontend: str = "", backend: str = "", options: str = ""
) -> Proxy:
    """haproxy in front of ``server``, with connections that clients share; ``options`` are those of the server."""
    program, port = _program("haproxy"), free_port()
    folder.mkdir(parents=True)
    configuration = folder / "haproxy.cfg"
    configuration.write_text(
        f"""
global
    maxconn 100
    log stdout format raw local0
defaults
    mode http
    log global
    timeout connect 5s
    timeout client 5s
    timeout server 5s
    option http-keep-alive
    http-reuse always
    retries 0
frontend front
    bind 127.0.0.1:{port} {bind}
    unique-id-format %pid-%rt-%Ts-%cp
    http-request set-header {SERIAL} %[unique-id]
    log-format "serial=%ID server=%s status=%ST"
    {frontend}
    default_backend back
backend back
    {backend}
    server app {server} {options}
"""
    )
    return Proxy([program, "-db", "-f", str(configuration)], port, folder / "proxy.out", folder)
