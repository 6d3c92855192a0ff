"""Serve an app that exists already until SIGTERM or Ctrl-C, in this process or in workers."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ..protocol.wsgi import WSGIApp
from .listeners import close_listeners, remove_socket_files, socket_files

if TYPE_CHECKING:
    from .http_server import HTTPServer


def serve(
    server: HTTPServer,
    app: WSGIApp,
    sockets: Sequence[socket.socket] | None,
    started: Callable[[tuple[str, ...]], object] | None,
    ended: Callable[[], object] | None,
) -> None:
    """See :meth:`HTTPServer.serve`."""
    opened = list(sockets) if sockets is not None else server.bind()
    # Read now: an engine that stops closes the sockets.
    urls = server.urls(opened)
    files = socket_files(opened)

    def ready() -> None:
        if started is not None:
            started(urls)

    try:
        if server.has_parent:
            from .processes.forked_app import serve_forked

            serve_forked(server, app, opened, ready, ended)
        else:
            engine = server.engine(app, opened, on_ready=ready)
            try:
                engine.run()
            finally:
                if ended is not None:
                    ended()
    finally:
        if sockets is None:
            close_listeners(opened)
            remove_socket_files(files)
