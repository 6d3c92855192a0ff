"""What clients meet: an app with a path for each thing that they do, and the site that serves it with some files."""

from __future__ import annotations

import hashlib
import json
import queue
import sys
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from running_server import RunningServer
from webob import Request

Environ = dict[str, Any]

PIECE = bytes(range(256)) * 100
PIECES = 40
STREAM = PIECE * PIECES
"""What ``/stream`` answers, without saying beforehand how much it is."""
BLOB = PIECE * 80
"""What ``/blob`` answers, in one piece; two megabytes."""

INI = """
    [wheatpaste]
    python_path = {kit}

    [server:main]
    use = egg:wheatpaste#main
    {options}

    [composite:main]
    use = egg:wheatpaste#urlmap
    / = app
    /files = files

    [app:app]
    paste.app_factory = client_app:make

    [app:files]
    use = egg:wheatpaste#static
    root = %(here)s/public
"""


def serve_client_app(
    folder: Path,
    *,
    before: Iterable[str | Path] = (),
    listen: str = "127.0.0.1:0",
    env: dict[str, str] | None = None,
    **options: object,
) -> RunningServer:
    """Serve it from ``folder`` with these options of the server; files are in ``public``. The caller ends it.

    ``before`` is what stands in front of the command, for limits and the like.
    """
    (folder / "public").mkdir(exist_ok=True)
    lines = "\n    ".join(f"{name} = {value}" for name, value in {"control_socket": "off", **options}.items())
    ini = folder / "site.ini"
    ini.write_text(textwrap.dedent(INI.format(kit=Path(__file__).parent, options=lines)))
    argv = [*map(str, before), sys.executable, "-m", "wheatpaste", "serve", str(ini), "--listen", listen]
    server = RunningServer(argv, cwd=folder, env=env)
    try:
        return server.wait_until_ready()
    except BaseException:
        server.kill()
        raise


def status(server: RunningServer) -> dict[str, Any]:
    """What the engine says about itself, on a connection of its own."""
    found: dict[str, Any] = json.loads(server.request("GET", "/status").body)["processes"][0]["engine"]
    return found


def others_that_run(server: RunningServer) -> list[str | None]:
    """The paths that threads run, besides the question itself."""
    return [
        thread["path"]
        for thread in status(server)["threads"]
        if thread["state"] in ("busy", "hung") and thread["path"] != "/status"
    ]


def make(global_conf: object) -> Any:
    """Make the app, for ``paste.app_factory``."""
    listening: list[queue.Queue[str]] = []

    def hello(environ: Environ, start_response: Any) -> Any:
        return _text(start_response, "hello")

    def mirror(environ: Environ, start_response: Any) -> Any:
        body = environ["wsgi.input"].read()
        seen = {
            "method": environ["REQUEST_METHOD"],
            "protocol": environ["SERVER_PROTOCOL"],
            "query": environ["QUERY_STRING"],
            "type": environ.get("CONTENT_TYPE"),
            "length": len(body),
            "sha256": hashlib.sha256(body).hexdigest(),
        }
        return _text(start_response, json.dumps(seen), "application/json")

    def stream(environ: Environ, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Type", "application/octet-stream")])
        for _ in range(PIECES):
            yield PIECE

    def blob(environ: Environ, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "application/octet-stream"), ("Content-Length", str(len(BLOB)))])
        return [BLOB]

    def refuse(environ: Environ, start_response: Any) -> Any:
        return _text(start_response, "not you", status="403 Forbidden")

    def nothing(environ: Environ, start_response: Any) -> list[bytes]:
        start_response("204 No Content", [])
        return []

    def fail(environ: Environ, start_response: Any) -> Any:
        raise RuntimeError("on purpose")

    def form(environ: Environ, start_response: Any) -> Any:
        if environ["REQUEST_METHOD"] == "POST":
            name = Request(environ).POST["name"]
            start_response("303 See Other", [("Location", f"/form?name={name}"), ("Content-Length", "0")])
            return []
        greeted = parse_qs(environ["QUERY_STRING"]).get("name", ["nobody"])[0]
        page = f"<title>Hello {greeted}</title><form method=post><input name=name></form>"
        return _text(start_response, page, "text/html; charset=utf-8")

    def upload(environ: Environ, start_response: Any) -> Any:
        if environ["REQUEST_METHOD"] == "POST":
            sent = Request(environ).POST["file"].file.read()
            return _text(start_response, f"{len(sent)} {hashlib.sha256(sent).hexdigest()}")
        page = "<form method=post enctype=multipart/form-data><input type=file name=file></form>"
        return _text(start_response, page, "text/html; charset=utf-8")

    def events(environ: Environ, start_response: Any) -> Iterator[bytes]:
        said: queue.Queue[str] = queue.Queue()
        listening.append(said)
        start_response("200 OK", [("Content-Type", "text/event-stream"), ("Cache-Control", "no-store")])
        word = "welcome"
        try:
            while word != "bye":
                yield f"data: {word}\n\n".encode()
                word = said.get(timeout=30)
        finally:
            listening.remove(said)
        yield b"event: end\ndata: bye\n\n"

    def say(environ: Environ, start_response: Any) -> Any:
        word = environ["wsgi.input"].read().decode()
        for said in list(listening):
            said.put(word)
        return _text(start_response, str(len(listening)))

    def tell_status(environ: Environ, start_response: Any) -> Any:
        return _text(start_response, json.dumps(environ["wheatpaste.server"].snapshot()), "application/json")

    paths = {
        "/": hello,
        "/hello": hello,
        "/mirror": mirror,
        "/stream": stream,
        "/blob": blob,
        "/refuse": refuse,
        "/nothing": nothing,
        "/favicon.ico": nothing,  # which browsers ask for
        "/fail": fail,
        "/form": form,
        "/upload": upload,
        "/events": events,
        "/say": say,
        "/status": tell_status,
    }

    def app(environ: Environ, start_response: Any) -> Any:
        answer = paths.get(environ["PATH_INFO"])
        if answer is None:
            return _text(start_response, "there is nothing here", status="404 Not Found")
        return answer(environ, start_response)

    return app


def _text(start_response: Any, body: str, kind: str = "text/plain", status: str = "200 OK") -> list[bytes]:
    data = body.encode()
    start_response(status, [("Content-Type", kind), ("Content-Length", str(len(data)))])
    return [data]
