"""Fixtures of the apps' tests: a folder with everything in it that a folder of files can have, and a real server."""

from __future__ import annotations

import gzip
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from waitress import wasyncore
from waitress.server import create_server

ELEVEN = b"hello world"
BIG = bytes(range(256)) * 1024


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder to serve, with neighbours that must never be reached."""
    root = tmp_path / "static"
    root.mkdir()
    (root / "a.txt").write_bytes(ELEVEN)
    (root / "empty.txt").write_bytes(b"")
    (root / "big.bin").write_bytes(BIG)
    (root / "über uns.txt").write_bytes(b"about")
    (root / "app.js").write_bytes(b"let x = 1;" * 20)
    (root / "app.js.gz").write_bytes(gzip.compress(b"let x = 1;" * 20))
    (root / "app.js.br").write_bytes(b"pretend this is brotli")
    (root / "app.3f2a9bc1d4.js").write_bytes(b"let y;")
    (root / "page").mkdir()
    (root / "page" / "index.html").write_bytes(b"<p>page")
    (root / "page" / ".well-known").mkdir()
    (root / "page" / ".well-known" / "x").write_bytes(b"SECRET")
    (root / "bare").mkdir()
    (root / "bare" / "file.txt").write_bytes(b"bare")
    (root / "x.html").mkdir()
    (root / ".env").write_bytes(b"SECRET")
    (root / ".git").mkdir()
    (root / ".git" / "config").write_bytes(b"SECRET")
    (root / ".well-known").mkdir()
    (root / ".well-known" / "security.txt").write_bytes(b"Contact: x")
    (root / "views.py").write_bytes(b"SECRET")
    (root / "x.pyc").write_bytes(b"SECRET")
    (root / "X.PY").write_bytes(b"SECRET")
    (root / "x.py~").write_bytes(b"SECRET")
    (root / "__pycache__").mkdir()
    (root / "__pycache__" / "index.html").write_bytes(b"SECRET")
    outside = tmp_path / "secret"
    outside.mkdir()
    (outside / "index.html").write_bytes(b"SECRET")
    sibling = tmp_path / "static-secret"
    sibling.mkdir()
    (sibling / "index.html").write_bytes(b"SECRET")
    (sibling / "s.txt").write_bytes(b"SECRET")
    (root / "out.txt").symlink_to(sibling / "s.txt")
    (root / "outdir").symlink_to(sibling, target_is_directory=True)
    (root / "up").symlink_to("..", target_is_directory=True)
    (root / "loop").symlink_to("loop")
    (root / "in.txt").symlink_to("a.txt")
    (root / "indir").symlink_to("page", target_is_directory=True)
    (root / "dangling.txt").symlink_to("nowhere")
    os.mkfifo(root / "pipe.txt")
    with socket.socket(socket.AF_UNIX) as unix:
        here = os.getcwd()
        os.chdir(root)  # the path of a socket is limited to about 100 bytes
        try:
            unix.bind("sock.txt")
        finally:
            os.chdir(here)
    return root


@pytest.fixture
def wire() -> Iterator[Callable[..., Callable[[bytes], bytes]]]:
    """Serves an app with Waitress on a free port; gives a function that sends bytes and returns all that comes back."""
    stops: list[Callable[[], None]] = []

    def serve(app: Any) -> Callable[[bytes], bytes]:
        sockets: dict[int, Any] = {}
        server = create_server(
            app, host="127.0.0.1", port=0, map=sockets, threads=2, clear_untrusted_proxy_headers=True
        )
        stopping = threading.Event()

        def run() -> None:
            # The server's own loop ends only by an exception; the thread that waits on its sockets closes them.
            while not stopping.is_set():
                wasyncore.loop(timeout=1, map=sockets, count=1)
            for each in list(sockets.values()):
                each.close()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        address = server.socket.getsockname()

        def stop() -> None:
            server.task_dispatcher.shutdown(cancel_pending=True, timeout=5)
            stopping.set()
            server.pull_trigger()
            thread.join(20)

        stops.append(stop)

        def exchange(request: bytes) -> bytes:
            with socket.create_connection(address, timeout=10) as connection:
                connection.sendall(request)
                received = b""
                while data := connection.recv(65536):
                    received += data
            return received

        return exchange

    yield serve
    for stop in stops:
        stop()
