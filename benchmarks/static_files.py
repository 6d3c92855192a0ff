"""What a static file costs, beside its peers: ``python benchmarks/static_files.py [--json] [--rounds N]``.

Two tables. In process, the app is called with an environ as Waitress makes it, without ``wsgi.file_wrapper``, and the
body is read to its end: this is what the app itself costs, in CPU time. Through Waitress, each app has a process of its
own, and one keep-alive connection asks it over loopback: the time that a client sees. One round times each app once,
one after another, so that whatever else the machine does falls on all of them; the median of the rounds counts. The
small file has a ``.gz`` and a ``.br`` beside it, which is what those send that know of them; the large one has 100 MB.
"""

from __future__ import annotations

import argparse
import gzip
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from findings import Findings, arguments, progress
from findings import table as markdown

LARGE = 100 * 1024 * 1024
SMALL = "/css/site.0a1b2c3d.css"
BIG = "/video.bin"
HEADERS = {
    "Host": "www.example.com:8080",
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Accept": "text/css,*/*;q=0.1",
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Accept-Language": "en-US,en;q=0.5",
    "Cookie": "session=0123456789abcdef",
    "Referer": "http://www.example.com:8080/",
}
ENVIRON: dict[str, Any] = {
    "REQUEST_METHOD": "GET",
    "SCRIPT_NAME": "",
    "QUERY_STRING": "",
    "SERVER_NAME": "127.0.0.1",
    "SERVER_PORT": "8080",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "SERVER_SOFTWARE": "waitress",
    "REMOTE_ADDR": "127.0.0.1",
    "REMOTE_PORT": "54321",
    **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in HEADERS.items()},
    "wsgi.version": (1, 0),
    "wsgi.url_scheme": "http",
    "wsgi.input": None,
    "wsgi.errors": None,
    "wsgi.multithread": True,
    "wsgi.multiprocess": False,
    "wsgi.run_once": False,
    "wsgi.input_terminated": True,
}


def not_found(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("404 Not Found", [("Content-Length", "0")])
    return []


def ours_scanned(root: str) -> Any:
    from wheatpaste.apps.static import Static

    return Static(root=(Path(root),), mode="scan")


def ours_live(root: str) -> Any:
    from wheatpaste.apps.static import Static

    return Static(root=(Path(root),), mode="live")


def whitenoise(root: str) -> Any:
    from whitenoise import WhiteNoise

    return WhiteNoise(not_found, root=root)


def whitenoise_live(root: str) -> Any:
    from whitenoise import WhiteNoise

    return WhiteNoise(not_found, root=root, autorefresh=True)


def servestatic(root: str) -> Any:
    from servestatic import ServeStatic

    return ServeStatic(not_found, root=root)


def servestatic_live(root: str) -> Any:
    from servestatic import ServeStatic

    return ServeStatic(not_found, root=root, autorefresh=True)


def webob(root: str) -> Any:
    from webob.static import DirectoryApp

    return DirectoryApp(root)


CONTESTANTS: dict[str, Callable[[str], Any]] = {
    "wheatpaste, scan": ours_scanned,
    "WhiteNoise": whitenoise,
    "ServeStatic": servestatic,
    "wheatpaste, live": ours_live,
    "WhiteNoise, autorefresh": whitenoise_live,
    "ServeStatic, autorefresh": servestatic_live,
    "WebOb FileApp": webob,
}
SHORT = ("wheatpaste, scan", "WhiteNoise", "ServeStatic", "WebOb FileApp")


def make_site(root: Path) -> None:
    """Twenty style sheets with siblings, and the large file."""
    (root / "css").mkdir()
    text = b".card { margin: 0 auto; padding: 1rem; color: #23211c; }\n" * 30
    for number in range(20):
        name = root / "css" / (f"extra{number}.css" if number else "site.0a1b2c3d.css")
        name.write_bytes(text)
        name.with_name(name.name + ".gz").write_bytes(gzip.compress(text))
        name.with_name(name.name + ".br").write_bytes(gzip.compress(text, 9))
    block = random.Random(7).randbytes(1024 * 1024)
    with open(root / "video.bin", "wb") as file:
        for _ in range(LARGE // len(block)):
            file.write(block)


# --- in process ------------------------------------------------------------------------------------------------------


def call(app: Any, environ: dict[str, Any]) -> tuple[str, list[tuple[str, str]], int]:
    answer: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
        answer[:] = [status, headers]

    body = app(environ, start_response)
    size = 0
    for chunk in body:
        size += len(chunk)
    if hasattr(body, "close"):
        body.close()
    return answer[0], answer[1], size


def in_process(apps: dict[str, Any], rounds: int) -> dict[str, dict[str, float]]:
    """Seconds of CPU time per request, the median of the rounds."""
    small = {**ENVIRON, "PATH_INFO": SMALL}
    big = {**ENVIRON, "PATH_INFO": BIG}
    conditional: dict[str, dict[str, Any]] = {}
    for name, app in apps.items():
        status, headers, size = call(app, small.copy())
        assert status.startswith("200"), (name, status)
        assert size, name
        found = {key.lower(): value for key, value in headers}
        validators = {"HTTP_IF_MODIFIED_SINCE": found["last-modified"]}
        if "etag" in found:
            validators["HTTP_IF_NONE_MATCH"] = found["etag"]
        conditional[name] = {**small, **validators}
        assert call(app, conditional[name].copy())[0].startswith("304"), name
        assert call(app, big.copy())[2] == LARGE, name
    times: dict[str, dict[str, list[float]]] = {name: {"small": [], "304": [], "100 MB": []} for name in apps}
    for round_ in range(rounds):
        progress(f"in process: round {round_ + 1} of {rounds}")
        for case, calls in (("small", 100), ("304", 100), ("100 MB", 1)):
            for name, app in apps.items():
                environ = {"small": small, "304": conditional[name], "100 MB": big}[case]
                environs = [environ.copy() for _ in range(calls)]
                begun = process_time()
                for each in environs:
                    call(app, each)
                times[name][case].append((process_time() - begun) / calls)
    return {name: {case: statistics.median(values) for case, values in cases.items()} for name, cases in times.items()}


# --- through Waitress ------------------------------------------------------------------------------------------------


class Connection:
    """Keep-alive requests on one connection, with as little work of our own as can be."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.socket = self.connect()
        self.buffer = bytearray(1024 * 1024)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=60)

    def get(self, path: str, extra: str = "") -> tuple[str, str, int]:
        lines = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())
        self.socket.sendall(f"GET {path} HTTP/1.1\r\n{lines}{extra}\r\n".encode())
        received = b""
        while b"\r\n\r\n" not in received:
            data = self.socket.recv(65536)
            assert data, "the server closed the connection"
            received += data
        head, _, rest = received.partition(b"\r\n\r\n")
        text = head.decode("latin-1")
        length = next((int(line[15:]) for line in text.split("\r\n") if line.lower().startswith("content-length:")), 0)
        if text[9:12] == "304":
            length = 0
        missing = length - len(rest)
        while missing > 0:
            missing -= self.socket.recv_into(self.buffer)
        if "\r\nconnection: close" in text.lower():
            # Waitress does so where an app leaves the length of its answer open; that is part of what it costs.
            self.socket.close()
            self.socket = self.connect()
        return text[9:12], text, length


def serve(name: str, root: str) -> None:
    """The server's process: prints its port."""
    from waitress.server import create_server

    server = create_server(CONTESTANTS[name](root), host="127.0.0.1", port=0, threads=4)
    print(server.socket.getsockname()[1], flush=True)
    server.run()


def through_waitress(names: list[str], root: str, rounds: int) -> dict[str, dict[str, float]]:
    """Seconds per request, the median of the rounds."""
    processes: list[subprocess.Popen[str]] = []
    connections: dict[str, Connection] = {}
    try:
        for name in names:
            argv = [sys.executable, os.path.abspath(__file__), "--serve", name, "--root", root]
            process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
            processes.append(process)
            assert process.stdout is not None
            connections[name] = Connection(int(process.stdout.readline()))
        extra: dict[str, str] = {}
        for name, connection in connections.items():
            status, head, _ = connection.get(SMALL)
            assert status == "200", (name, head)
            found = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:])
            lines = dict(line.split(": ", 1) for line in head.split("\r\n")[1:])
            extra[name] = f"If-Modified-Since: {lines.get('Last-Modified', '')}\r\n"
            if "etag" in found:
                tag = next(value for key, value in lines.items() if key.lower() == "etag")
                extra[name] += f"If-None-Match: {tag}\r\n"
            assert connection.get(SMALL, extra[name])[0] == "304", name
            assert connection.get(BIG)[2] == LARGE, name
        times: dict[str, dict[str, list[float]]] = {name: {"small": [], "304": [], "100 MB": []} for name in names}
        for round_ in range(rounds):
            progress(f"through Waitress: round {round_ + 1} of {rounds}")
            for case, calls in (("small", 50), ("304", 50), ("100 MB", 1)):
                for name, connection in connections.items():
                    begun = perf_counter()
                    for _ in range(calls):
                        connection.get(BIG if case == "100 MB" else SMALL, extra[name] if case == "304" else "")
                    times[name][case].append((perf_counter() - begun) / calls)
        return {
            name: {case: statistics.median(values) for case, values in cases.items()} for name, cases in times.items()
        }
    finally:
        for connection in connections.values():
            connection.socket.close()
        for process in processes:
            process.terminate()
            process.wait(10)


# --- report ----------------------------------------------------------------------------------------------------------


def table(results: dict[str, dict[str, float]]) -> str:
    rows = (
        [name, f"{cases['small'] * 1e6:.1f}", f"{cases['304'] * 1e6:.1f}", f"{cases['100 MB'] * 1e3:.0f}"]
        for name, cases in results.items()
    )
    return markdown(["app", "small file, µs", "304, µs", "100 MB, ms"], rows)


def row(results: dict[str, dict[str, float]], case: str, title: str, unit: str, factor: float) -> tuple[str, str, str]:
    """A row of the short table."""
    ours, *others = (f"{results[name][case] * factor:.0f} {unit}" for name in SHORT)
    return title, ours, ", ".join(f"{name} {other}" for name, other in zip(SHORT[1:], others, strict=True))


def main() -> None:
    parser = arguments(__doc__, 21)
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    parser.add_argument("--root", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve, options.root)
        return
    with tempfile.TemporaryDirectory(prefix="static-bench-") as root:
        make_site(Path(root))
        apps = {name: make(root) for name, make in CONTESTANTS.items()}
        inside = in_process(apps, options.rounds)
        through = through_waitress(list(CONTESTANTS), root, options.rounds)
    Findings(
        text=f"In process, in processor time:\n\n{table(inside)}\n\n"
        f"Through Waitress, as a client sees it:\n\n{table(through)}",
        rows=[
            row(inside, "small", "a small static file, without the server", "µs", 1e6),
            row(inside, "304", "a 304 for it, without the server", "µs", 1e6),
            row(through, "100 MB", "a file of 100 MB, through Waitress", "ms", 1e3),
        ],
        figures={"seconds in process": inside, "seconds through Waitress": through},
    ).print(as_json=options.json)


if __name__ == "__main__":
    main()
