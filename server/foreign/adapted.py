"""An app that a server of others imports by itself: what that server lacks of PEP 3333 is put around it."""

from __future__ import annotations

import sys

from ...protocol.wsgi import Body, Environ, StartResponse, WSGIApp
from .granian_app import GranianApp
from .request_stream import read_as_file


def adapted(app: WSGIApp) -> WSGIApp:
    """The app as the server in this process needs it: for granian and cheroot with something around it.

    Which server it is can be told by its modules; none of them is imported here.
    """
    if "granian.wsgi" in sys.modules:
        return GranianApp(app)
    if "cheroot.wsgi" in sys.modules:
        return with_file_bodies(app)
    return app


def with_file_bodies(app: WSGIApp) -> WSGIApp:
    """The app, whose request bodies can be read by lines and in pieces over any server."""

    def call(environ: Environ, start_response: StartResponse) -> Body:
        read_as_file(environ)
        return app(environ, start_response)

    return call
