"""Rules in front of an app that reads paths as carelessly as it can, served by real servers, asked by raw bytes."""

from __future__ import annotations

import re
import secrets
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from running_server import RunningServer

pytestmark = pytest.mark.slow

APP = '''
import posixpath
from urllib.parse import unquote


def careless(environ, start_response):
    """Decodes again, drops parameters and what is not UTF-8, folds case, resolves dots; believes every override."""
    path = unquote(environ["PATH_INFO"].encode("latin-1").decode("utf-8", "ignore")).replace("\\\\", "/")
    path = path.split("#")[0].split("?")[0].split("\\0")[0].casefold()
    path = "/".join(part.split(";")[0].strip(" ") for part in path.split("/"))
    prefix = environ.get("HTTP_X_SCRIPT_NAME", "")
    path = path[len(prefix):] if prefix and path.startswith(prefix) else path
    path = posixpath.normpath("/" + path.lstrip("/"))
    parts = [part.rstrip(". ") for part in path.split("/") if part]
    method = environ["REQUEST_METHOD"]
    for key in ("HTTP_X_HTTP_METHOD_OVERRIDE", "HTTP_X_HTTP_METHOD", "HTTP_X_METHOD_OVERRIDE"):
        method = environ.get(key, method)
    hidden = parts[:1] == ["admin"] or (parts[:1] == ["api"] and method.strip().upper() == "DELETE")
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-Hidden", str(int(hidden)))])
    return [b"secret" if hidden else b"open"]
'''

SITE = """
[composite:main]
use = egg:wheatpaste#urlmap
/ = open-site
/below = mounted-site

[pipeline:open-site]
pipeline = auth careless

[pipeline:mounted-site]
pipeline = auth careless

[filter:auth]
use = egg:wheatpaste#auth

[app:careless]
paste.app_factory = careless_app:make

[auth:main]
secret_file = %(here)s/auth.key

[auth:main:rules]
/admin/* = role admin
DELETE /api/* = role admin
/* = everyone
"""

TARGETS = [
    "/admin",
    "/admin/",
    "/admin/x",
    "/ADMIN",
    "/%61dmin",
    "/%2561dmin",
    "/admin%2f",
    "/admin%2Fx",
    "/x/../admin",
    "/x/%2e%2e/admin",
    "/x/%2e./admin",
    "/x/.%2e/admin",
    "/x/%252e%252e/admin",
    "/x/..;/admin",
    "/x/..;a=b/admin",
    "/./admin",
    "/%2e/admin",
    "//admin",
    "///admin",
    "/x//../admin",
    "/\\admin",
    "/%5cadmin",
    "/x%5c..%5cadmin",
    "/admin;",
    "/admin;x=1",
    "/;x/admin",
    "/admin.",
    "/admin%20",
    "/%20admin",
    "/admin%00",
    "/admin%00.png",
    "/adm%FFin",
    "/adm%C0%ADin",
    "/admin%0a",
    "/admin%09",
    "/admin#",
    "/admin#/x",
    "/admin%23",
    "/admin%3f",
    "/admin?x",
    "/%e2%84%aaadmin/../admin",
    "http://127.0.0.1/admin",
    "http://127.0.0.1//admin",
    "http://other.example/x/../admin",
    "HTTP://127.0.0.1/ADMIN",
    "/adm\u0131n".encode().decode("latin-1"),
]

METHODS = [
    ("DELETE", {}),
    ("delete", {}),
    ("POST", {"X-HTTP-Method-Override": "DELETE"}),
    ("POST", {"X-HTTP-Method-Override": "delete"}),
    ("POST", {"X-HTTP-Method": "DELETE"}),
    ("POST", {"X-Method-Override": "DELETE"}),
    ("POST", {"X_HTTP_Method_Override": "DELETE"}),
    ("GET", {"X-HTTP-Method-Override": "DELETE"}),
    ("HEAD", {"X-HTTP-Method-Override": "DELETE"}),
]


@pytest.fixture(params=["main", "waitress", "gunicorn", "cheroot", "wsgiref"])
def server(
    request: pytest.FixtureRequest, tmp_path: Path, running_server: Callable[..., RunningServer]
) -> RunningServer:
    (tmp_path / "careless_app.py").write_text(APP + "\n\ndef make(global_conf):\n    return careless\n")
    (tmp_path / "site.ini").write_text(SITE)
    (tmp_path / "auth.key").write_text(secrets.token_urlsafe(48))
    (tmp_path / "auth.key").chmod(0o600)
    if request.param == "main":
        server = running_server("site.ini")
    elif request.param == "wsgiref":
        (tmp_path / "serve_it.py").write_text(
            "import sys\nfrom wsgiref.simple_server import make_server\nfrom wheatpaste import loadapp\n"
            "make_server('127.0.0.1', int(sys.argv[1]), loadapp('config:site.ini', relative_to='.')).serve_forever()\n"
        )
        server = running_server(argv=[sys.executable, "serve_it.py", "{port}"])
    else:
        server = running_server("site.ini", "--server", request.param)
    return server


def ask(server: RunningServer, method: str, target: str, headers: dict[str, str] | None = None) -> bytes:
    further = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
    head = f"{method} {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\nConnection: close\r\n{further}\r\n"
    return server.raw(head.encode("latin-1"))


def test_no_way_of_writing_a_request_gets_past_a_rule(server: RunningServer) -> None:
    assert b"open" in ask(server, "GET", "/x")
    assert re.match(rb"HTTP/1\.[01] 401 ", ask(server, "GET", "/admin"))
    for mount in ("", "/below"):
        for target in TARGETS:
            placed = target.replace("/", f"{mount}/", 1) if target[0] == "/" else target
            reply = ask(server, "GET", placed)
            assert b"secret" not in reply, placed
            assert b"X-Hidden: 1" not in ask(server, "HEAD", placed), placed
        assert b"secret" not in ask(server, "GET", f"{mount}/x/admin", {"X-Script-Name": "/x"})
        for method, headers in METHODS:
            reply = ask(server, method, f"{mount}/api/1", headers)
            assert b"secret" not in reply, (method, headers)
            assert b"X-Hidden: 1" not in reply, (method, headers)
