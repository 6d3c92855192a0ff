"""A small site whose apps use what PEP 3333 allows: what it answers is the same through every server."""

from __future__ import annotations

import textwrap
from pathlib import Path

from running_server import RunningServer

MOUNTED = ("shop", "late", "written", "lines", "large", "who", "size", "slow", "exits")
"""The apps of ``hosted_apps``, each below its name."""

HEAD = """
    [wheatpaste]
    python_path = %(here)s

    [server:main]
    use = egg:wheatpaste#main
    port = {port}
    threads = 3
    {options}

    [app:files]
    use = egg:wheatpaste#static
    root = %(here)s/public

    [composite:main]
    use = egg:wheatpaste#urlmap
    / = files
"""

APP = """
    [app:{name}]
    use = egg:wheatpaste#wsgi
    app = hosted_apps:{name}
"""

APPS = """
    import json
    import os
    import time

    import flask

    HERE = os.path.dirname(os.path.abspath(__file__))

    shop = flask.Flask(__name__)


    @shop.get("/<name>")
    def item(name):
        return f"{flask.request.script_root} sells {name}"


    def late(environ, start_response):
        start_response("201 Created", [("Content-Type", "text/plain"), ("X-Late", "yes")])
        yield b"one "
        yield b"two"


    def written(environ, start_response):
        start_response("202 Accepted", [("Content-Type", "text/plain")])(b"written ")
        return [b"and returned"]


    def lines(environ, start_response):
        stream = environ["wsgi.input"]
        found = [stream.readline(), *stream]
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"|".join(line.strip() for line in found)]


    def large(environ, start_response):
        start_response("200 OK", [("Content-Type", "application/octet-stream")])
        return (b"x" * 65536 for _ in range(16))


    def who(environ, start_response):
        start_response("200 OK", [("Content-Type", "application/json")])
        plain = {key: value for key, value in environ.items() if isinstance(value, str | bool)}
        return [json.dumps({**plain, "pid": os.getpid()}).encode()]


    def size(environ, start_response):
        length = len(environ["wsgi.input"].read())
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [str(length).encode()]


    def slow(environ, start_response):
        open(os.path.join(HERE, "began"), "w").close()
        end = time.monotonic() + 20
        while not os.path.exists(os.path.join(HERE, "go")) and time.monotonic() < end:
            time.sleep(0.02)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"slow"]


    def exits(environ, start_response):
        raise SystemExit("out of flour")
"""


def write_site(folder: Path, port: int = 8080, **options: str) -> Path:
    """Write the site into a folder, with more options of its server; returns its INI file."""
    (folder / "public").mkdir()
    (folder / "public" / "index.html").write_text("<p>front</p>")
    (folder / "hosted_apps.py").write_text(textwrap.dedent(APPS))
    lines = "\n    ".join(f"{key} = {text}" for key, text in options.items())
    mounts = "".join(f"    /{name} = {name}\n" for name in MOUNTED)
    apps = "".join(APP.format(name=name) for name in MOUNTED)
    path = folder / "site.ini"
    path.write_text(textwrap.dedent(HEAD.format(port=port, options=lines) + mounts + apps))
    return path


def visit(server: RunningServer) -> None:
    """Ask for everything that the site has, and compare."""
    front = server.request("GET", "/")
    assert (front.status, front.text) == (200, "<p>front</p>")
    assert server.request("GET", "/missing").status == 404
    assert server.request("GET", "/shop/p%C3%A2t%C3%A9").text == "/shop sells pâté"

    late = server.request("GET", "/late")
    assert (late.status, late.headers["X-Late"], late.text) == (201, "yes", "one two")
    written = server.request("GET", "/written")
    assert (written.status, written.text) == (202, "written and returned")
    assert server.request("POST", "/lines", body="first\nsecond\nlast").text == "first|second|last"
    assert len(server.request("GET", "/large").body) == 16 * 65536
