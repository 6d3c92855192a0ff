"""An app that a server of others imports by itself: what that server lacks of PEP 3333 is put around it.

Replaces ``wsgi.input``, and writes ``wsgi.input_terminated`` where it makes that true.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from ...protocol.wsgi import Body, Environ, StartResponse, WSGIApp
from .granian_app import GranianApp
from .request_stream import read_as_file


def adapted(app: WSGIApp) -> WSGIApp:
    """The app as the server in this process needs it: for granian, cheroot and uWSGI with something around it.

    Which server it is can be told by its modules; none of them is imported here.
    """
    if "granian.wsgi" in sys.modules:
        return GranianApp(app)
    if "cheroot.wsgi" in sys.modules:
        return with_file_bodies(app)
    if "uwsgi" in sys.modules:
        return with_chunked_bodies(app, sys.modules["uwsgi"])
    return app


def with_file_bodies(app: WSGIApp) -> WSGIApp:
    """The app, whose request bodies can be read by lines and in pieces over any server."""

    def call(environ: Environ, start_response: StartResponse) -> Body:
        read_as_file(environ)
        return app(environ, start_response)

    return call


def with_chunked_bodies(app: WSGIApp, uwsgi: Any) -> WSGIApp:
    """The app, which finds chunked request bodies where others are; ``uwsgi`` has them behind a function of its own."""

    def call(environ: Environ, start_response: StartResponse) -> Body:
        if environ.get("HTTP_TRANSFER_ENCODING", "").lower() == "chunked" and not environ.get("CONTENT_LENGTH"):
            environ["wsgi.input"] = _Chunks(uwsgi.chunked_read)
            environ["wsgi.input_terminated"] = True
            read_as_file(environ)
        return app(environ, start_response)

    return call


class _Chunks:
    """Chunks that are fetched one after the other, read in pieces of any size."""

    def __init__(self, fetch: Callable[[], bytes]) -> None:
        self._fetch = fetch
        self._rest = b""
        self._ended = False

    def read(self, size: int) -> bytes:
        if not self._rest and not self._ended:
            self._rest = self._fetch()
            self._ended = not self._rest
        data, self._rest = self._rest[:size], self._rest[size:]
        return data
