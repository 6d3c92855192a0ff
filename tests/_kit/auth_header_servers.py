"""An app behind the method ``header``, on a server of one's choice: ``python auth_header_servers.py NAME PORT``."""

from __future__ import annotations

import json
import sys
from typing import Any

from auth_named_users import NamedUsers

from wheatpaste.middleware.auth.audit import Audit
from wheatpaste.middleware.auth.authority import Authority
from wheatpaste.middleware.auth.identity import Identity
from wheatpaste.middleware.auth.methods.header import HeaderMethod
from wheatpaste.middleware.auth.methods.header_options import HeaderOptions
from wheatpaste.middleware.auth.site import Site
from wheatpaste.middleware.auth.visit import Visit
from wheatpaste.middleware.storage.memory import MemoryStore

AUTHORITY = Authority(site=Site(), store=MemoryStore(), vault=None, audit=Audit("none"))
METHOD = HeaderMethod(HeaderOptions(preset="authelia"), ["127.0.0.1"], NamedUsers())


def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Who it is, and what the server calls itself."""
    visit = Visit(AUTHORITY, environ)
    raw = environ.get("HTTP_REMOTE_USER")
    METHOD.strip(visit)
    found = METHOD.identify(visit)
    body = {
        "name": found.name if isinstance(found, Identity) else None,
        "reason": None if isinstance(found, Identity) or found is None else found.reason,
        "raw": raw,
        "software": environ.get("SERVER_SOFTWARE"),
    }
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(body).encode()]


def _serve(name: str, port: int) -> None:
    if name == "wsgiref":
        from wsgiref.simple_server import make_server

        make_server("127.0.0.1", port, app).serve_forever()
    elif name == "paste":
        from paste.httpserver import serve

        serve(app, host="127.0.0.1", port=str(port))
    elif name == "cheroot":
        from cheroot.wsgi import Server

        Server(("127.0.0.1", port), app).start()
    elif name == "waitress":
        from waitress import serve

        serve(app, host="127.0.0.1", port=port)
    elif name == "werkzeug":
        from werkzeug.serving import run_simple

        run_simple("127.0.0.1", port, app)
    elif name == "gunicorn":
        from gunicorn.app.wsgiapp import run

        sys.argv = ["gunicorn", "-b", f"127.0.0.1:{port}", "auth_header_servers:app"]
        run()
    else:
        from wheatpaste.server.http_server import HTTPServer

        HTTPServer(host="127.0.0.1", port=port).serve(app)


if __name__ == "__main__":
    _serve(sys.argv[1], int(sys.argv[2]))
