"""``egg:wheatpaste#cheroot``: the app served by cheroot, threads in one process, from options of ours."""

from __future__ import annotations

import logging
import signal
import socket
import threading
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ...config.factories import make_server_runner
from ...config.options import component
from ...protocol.wsgi import Environ, WSGIApp
from ..advice import advice
from . import borrowed
from .adapted import with_file_bodies
from .borrowed import EVERYWHERE, TLS, borrows, lacking, only, opened, require
from .front import Front

if TYPE_CHECKING:
    import ssl

    from ..tls.handshake import Wraps

log = logging.getLogger(__name__)


@component
@borrows(
    *EVERYWHERE,
    *TLS,
    *("max_request_head", "max_waiting", "keep_alive_timeout", "handshake_timeout", "underscore_headers"),
)
class CherootServer:
    """Serve through cheroot: threads in one process, on one address."""

    if TYPE_CHECKING:

        def __init__(self, **options: Any) -> None: ...

    ours = cached_property(borrowed.ours)
    addresses, prepare, urls, hurried = borrowed.addresses, borrowed.prepare, borrowed.urls, borrowed.hurried
    problems = borrowed.needs("cheroot")

    def __post_init__(self) -> None:
        _ = self.ours  # it knows what cannot stand together

    def bind(self) -> list[socket.socket]:
        """Open the listening socket. Raises ``OptionError``, also where cheroot is not installed."""
        require("cheroot", self)
        return only(self, "cheroot")

    def serve(
        self,
        app: WSGIApp,
        *,
        sockets: Sequence[socket.socket] | None = None,
        started: Callable[[tuple[str, ...]], object] | None = None,
        ended: Callable[[], object] | None = None,
    ) -> None:
        """Serve ``app`` until SIGTERM or Ctrl-C; of several sockets the first counts. Raises ``OptionError``."""
        require("cheroot", self)
        with opened(self, sockets) as (listener, *_):
            urls = self.urls([listener])
            name = listener.getsockname()
            place = str(name[0]) if isinstance(name, tuple) else "localhost"
            front = Front(with_file_bodies(app), self.ours, limits_bodies=True, catches_exit=True, server_name=place)
            server = self._server(front, listener)
            server.prepare()
            try:
                _run(server, lambda: None if started is None else started(urls))
            finally:
                if ended is not None:
                    ended()

    def _server(self, app: WSGIApp, listener: socket.socket) -> Any:
        from cheroot.server import HTTPConnection, HTTPRequest
        from cheroot.wsgi import Server

        ours = self.ours

        class Request(HTTPRequest):  # type: ignore[misc]  # cheroot has no types
            header_reader = _header_reader(ours.underscore_headers)

            def read_request_headers(self) -> bool:
                """Refuse what is announced to be too large, before a byte of it is read."""
                if not super().read_request_headers():
                    return False
                length = self.inheaders.get(b"Content-Length", b"0")
                if not length.isdigit():
                    self.simple_response("400 Bad Request", "The Content-Length of the request is not a number.")
                    return False
                if int(length) > ours.max_body:
                    self.simple_response("413 Request Entity Too Large")
                    return False
                return True

            def respond(self) -> None:
                """Leave nothing of a chunked body on the connection, where the next request is expected."""
                super().respond()
                if self.chunked_read:
                    if self.rfile.closed:
                        for _ in self.rfile.read_trailer_lines():
                            pass
                    else:
                        self.close_connection = True

        class Connection(HTTPConnection):  # type: ignore[misc]
            RequestHandlerClass = Request

        class Listening(Server):  # type: ignore[misc]
            ConnectionClass = Connection

            def bind(self, *family: Any) -> None:
                """Take the socket that is open already."""
                self.socket = listener

            bind_unix_socket = bind

            def error_log(self, msg: str = "", level: int = logging.INFO, traceback: bool = False) -> None:
                """Send what it has to say to the log."""
                log.log(level, "%s", msg, exc_info=traceback)

        name = listener.getsockname()
        server = Listening(
            name if isinstance(name, str | bytes) else name[:2],
            app,
            numthreads=ours.threads,
            request_queue_size=ours.backlog,
            timeout=ours.keep_alive_timeout,
            shutdown_timeout=ours.drain_timeout,
            accepted_queue_size=ours.max_waiting or 1,
            accepted_queue_timeout=0,
        )
        server.max_request_header_size = ours.max_request_head
        server.keep_alive_conn_limit = _MANY
        wraps = ours.wraps()
        if wraps is not None:
            server.ssl_adapter = _adapter(wraps, ours.handshake_timeout)
        return server


def _run(server: Any, begin: Callable[[], object]) -> None:
    """Serve until a signal comes, then until the running requests are done."""
    stopping = threading.Thread(target=server.stop, name="stop", daemon=True)

    def stop(number: int, frame: object) -> None:
        if stopping.ident is None:  # a second signal does not hurry it
            stopping.start()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        begin()
        server.serve()
        if stopping.ident is not None:
            stopping.join()
    finally:
        server.stop()
        for number, handler in before.items():
            signal.signal(number, handler)


_MANY = 10_000
"""Connections that may stay open between requests: each costs a descriptor and no thread."""


def _header_reader(underscores: str) -> Any:
    from cheroot.server import HeaderReader

    class Reader(HeaderReader):  # type: ignore[misc]
        def _allow_header(self, key_name: bytes) -> bool:
            if underscores == "keep" or b"_" not in key_name:
                return True
            if underscores == "refuse":
                raise ValueError("Illegal underscore in header name.")
            return False

    return Reader()


def _adapter(wraps: Wraps, timeout: float) -> Any:
    """What cheroot asks for TLS connections, with the certificates that count when one comes."""
    from cheroot.errors import FatalSSLAlert
    from cheroot.ssl.builtin import BuiltinSSLAdapter

    from ..tls.environ import tls_environ

    class Adapter(BuiltinSSLAdapter):  # type: ignore[misc]
        def __init__(self) -> None:
            """There are no files to be read."""

        def wrap(self, sock: socket.socket) -> tuple[ssl.SSLSocket, Environ]:
            patience = sock.gettimeout()
            sock.settimeout(timeout)
            try:
                connection = wraps.wrap_socket(sock, server_side=True, do_handshake_on_connect=True)
            except OSError as error:
                raise FatalSSLAlert(*error.args) from error
            connection.settimeout(patience)
            return connection, {"wsgi.url_scheme": "https", **tls_environ(connection)}

    return Adapter()


server_runner = make_server_runner(
    CherootServer,
    ignored=lacking(
        CherootServer,
        "cheroot",
        {
            "workers": "cheroot is one process",
            **dict.fromkeys(
                ("max_requests", "max_requests_jitter", "max_hung", "max_memory", "worker_timeout", "preload"),
                "cheroot is one process, which nobody replaces",
            ),
            "max_request_line": "it counts in max_request_head",
            "max_header_fields": "their size counts, in max_request_head",
            "head_timeout": "one timeout counts for every step: keep_alive_timeout",
            "write_timeout": "one timeout counts for every step: keep_alive_timeout",
            "body_grace": "one timeout counts for every step: keep_alive_timeout",
            "body_rate": "one timeout counts for every step: keep_alive_timeout",
            "body_memory": "bodies come to the app as the client sends them",
            "stream_uploads": "bodies come to the app as the client sends them",
            "output_memory": "the app waits for its client in any case",
            "ident": "cheroot names itself in the Server header",
            "control_socket": "`wheatpaste ctl` speaks to our own server alone",
            "proxy_protocol": "let the proxy send X-Forwarded-For, and name it in trusted_proxies",
            "sendfile": "cheroot sends files as the app reads them",
        },
    ),
    advice=advice,
)
