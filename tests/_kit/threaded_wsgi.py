"""The standard library's WSGI server, with a thread for each connection.

Browsers open connections that they may never use. Where one thread does everything it waits for a request on such a
one, and neither serves anybody else nor ends.
"""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class ThreadedServer(socketserver.ThreadingMixIn, WSGIServer):
    """Listens on a free port of 127.0.0.1; who has one gives it an app (``set_app``)."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Quiet)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Serves meanwhile, and is closed afterwards."""
        thread = threading.Thread(target=self.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield
        finally:
            self.shutdown()
            thread.join()
            self.server_close()


@contextmanager
def serving(app: Any) -> Iterator[str]:
    """An app that is served, by its address."""
    server = ThreadedServer()
    server.set_app(app)
    with server.running():
        yield f"http://127.0.0.1:{server.server_port}"
