"""``egg:wheatpaste#cheroot``: the app served by cheroot, threads in one process, from options of ours."""

from __future__ import annotations

import logging
import signal
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ...config.factories import make_server_runner
from ...config.options import component
from ...config.values import Imported, Seconds, Size
from ...protocol.wsgi import Environ, WSGIApp
from ..listeners import Address
from .adapted import with_file_bodies
from .borrowed import as_in_ours, forget_activation, lacking, only, ours_with_options_of, require
from .front import Front

if TYPE_CHECKING:
    import ssl

    from ..http_server import HTTPServer
    from ..tls.handshake import Wraps

log = logging.getLogger(__name__)


@component
class CherootServer:
    """Serve through cheroot: threads in one process, on one address."""

    host: str = as_in_ours("host")
    port: int | None = as_in_ours("port")
    listen: tuple[str, ...] = as_in_ours("listen")
    unix_socket: Path | None = as_in_ours("unix_socket")
    unix_socket_perms: str = as_in_ours("unix_socket_perms")
    unix_socket_owner: str | None = as_in_ours("unix_socket_owner")
    ipv4: bool = as_in_ours("ipv4")
    ipv6: bool = as_in_ours("ipv6")
    backlog: int = as_in_ours("backlog")
    reuse_port: bool = as_in_ours("reuse_port")
    tls: Literal["dev"] | None = as_in_ours("tls")
    tls_certificate: tuple[Path, ...] = as_in_ours("tls_certificate")
    tls_key: tuple[Path, ...] = as_in_ours("tls_key")
    tls_password: str | None = as_in_ours("tls_password")
    tls_minimum: Literal["1.2", "1.3"] = as_in_ours("tls_minimum")
    tls_ciphers: str | None = as_in_ours("tls_ciphers")
    tls_client: Literal["none", "optional", "required"] = as_in_ours("tls_client")
    tls_client_ca: Path | None = as_in_ours("tls_client_ca")
    tls_client_crl: Path | None = as_in_ours("tls_client_crl")
    tls_context: Imported | None = as_in_ours("tls_context")
    user: str | None = as_in_ours("user")
    group: str | None = as_in_ours("group")
    threads: int = as_in_ours("threads")
    max_request_head: Size = as_in_ours("max_request_head")
    max_body: Size = as_in_ours("max_body")
    max_waiting: int = as_in_ours("max_waiting")
    keep_alive_timeout: Seconds = as_in_ours("keep_alive_timeout")
    handshake_timeout: Seconds = as_in_ours("handshake_timeout")
    drain_timeout: Seconds = as_in_ours("drain_timeout")
    trusted_proxies: tuple[str, ...] = as_in_ours("trusted_proxies")
    trusted_proxy_count: int | None = as_in_ours("trusted_proxy_count")
    trusted_proxy_headers: tuple[str, ...] = as_in_ours("trusted_proxy_headers")
    log_untrusted_proxy_headers: bool = as_in_ours("log_untrusted_proxy_headers")
    clear_untrusted_proxy_headers: bool = as_in_ours("clear_untrusted_proxy_headers")
    url_scheme: Literal["http", "https"] | None = as_in_ours("url_scheme")
    url_prefix: str = as_in_ours("url_prefix")
    server_name: str | None = as_in_ours("server_name")
    underscore_headers: Literal["drop", "refuse", "keep"] = as_in_ours("underscore_headers")

    def __post_init__(self) -> None:
        _ = self.ours  # it knows what cannot stand together

    @cached_property
    def ours(self) -> HTTPServer:
        """Our server with these options."""
        return ours_with_options_of(self)

    def addresses(self) -> tuple[Address, ...]:
        """Where the options say to listen."""
        return self.ours.addresses()

    def prepare(self) -> tuple[str, ...]:
        """Read the certificates, as :meth:`HTTPServer.prepare` does. Raises ``OptionError``."""
        return self.ours.prepare()

    def bind(self) -> list[socket.socket]:
        """Open the listening socket. Raises ``OptionError``, also where cheroot is not installed."""
        require("cheroot", self)
        return only(self.ours, "cheroot")

    def urls(self, sockets: Sequence[socket.socket]) -> tuple[str, ...]:
        """The URLs that open what these sockets serve."""
        return self.ours.urls(sockets)

    def hurried(self, grace: float) -> CherootServer:
        """The same server, that at its end waits for running requests no longer than ``grace`` seconds."""
        return replace(self, drain_timeout=min(grace, self.drain_timeout))

    def serve(
        self,
        app: WSGIApp,
        *,
        sockets: Sequence[socket.socket] | None = None,
        started: Callable[[tuple[str, ...]], object] | None = None,
    ) -> None:
        """Serve ``app`` until SIGTERM or Ctrl-C; of several sockets the first counts. Raises ``OptionError``."""
        require("cheroot", self)
        listener, *_ = sockets if sockets is not None else only(self.ours, "cheroot")
        urls = self.ours.urls([listener])
        forget_activation()
        name = listener.getsockname()
        place = str(name[0]) if isinstance(name, tuple) else "localhost"
        front = Front(with_file_bodies(app), self.ours, limits_bodies=True, catches_exit=True, server_name=place)
        server = self._server(front, listener)
        server.prepare()
        stopping = threading.Thread(target=server.stop, name="stop", daemon=True)

        def stop(number: int, frame: object) -> None:
            if stopping.ident is None:  # a second signal does not hurry it
                stopping.start()

        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            if started is not None:
                started(urls)
            server.serve()
            if stopping.ident is not None:
                stopping.join()
        finally:
            server.stop()
            for number, handler in before.items():
                signal.signal(number, handler)

    def _server(self, app: WSGIApp, listener: socket.socket) -> Any:
        from cheroot.server import HTTPConnection, HTTPRequest
        from cheroot.wsgi import Server

        most = self.max_body

        class Request(HTTPRequest):  # type: ignore[misc]  # cheroot has no types
            header_reader = _header_reader(self.underscore_headers)

            def read_request_headers(self) -> bool:
                """Refuse what is announced to be too large, before a byte of it is read."""
                if not super().read_request_headers():
                    return False
                length = self.inheaders.get(b"Content-Length", b"0")
                if not length.isdigit():
                    self.simple_response("400 Bad Request", "The Content-Length of the request is not a number.")
                    return False
                if int(length) > most:
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
            numthreads=self.threads,
            request_queue_size=self.backlog,
            timeout=self.keep_alive_timeout,
            shutdown_timeout=self.drain_timeout,
            accepted_queue_size=self.max_waiting or 1,
            accepted_queue_timeout=0,
        )
        server.max_request_header_size = self.max_request_head
        server.keep_alive_conn_limit = _MANY
        wraps = self.ours.wraps()
        if wraps is not None:
            server.ssl_adapter = _adapter(wraps, self.handshake_timeout)
        return server


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
)
