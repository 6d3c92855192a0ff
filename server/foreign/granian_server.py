"""``egg:wheatpaste#granian``: the app served by granian, threads in worker processes, from options of ours."""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import socket
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ...config.factories import make_server_runner
from ...config.options import OptionError, component
from ...config.values import Seconds, Size
from ...protocol.wsgi import WSGIApp
from ..listeners import Address
from .borrowed import as_in_ours, forget_activation, lacking, only, ours_with_options_of, require
from .front import Front
from .granian_app import GranianApp

if TYPE_CHECKING:
    from ..http_server import HTTPServer


@component
class GranianServer:
    """Serve through granian: threads in worker processes, on one address.

    The app is built before the workers are forked. SIGHUP starts workers anew, with the app that was built.
    """

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
    tls_certificate: tuple[Path, ...] = as_in_ours("tls_certificate")
    tls_key: tuple[Path, ...] = as_in_ours("tls_key")
    tls_password: str | None = as_in_ours("tls_password")
    tls_minimum: Literal["1.2", "1.3"] = as_in_ours("tls_minimum")
    tls_client: Literal["none", "optional", "required"] = as_in_ours("tls_client")
    tls_client_ca: Path | None = as_in_ours("tls_client_ca")
    tls_client_crl: Path | None = as_in_ours("tls_client_crl")
    user: str | None = as_in_ours("user")
    group: str | None = as_in_ours("group")
    threads: int = as_in_ours("threads")
    workers: int = as_in_ours("workers")
    max_memory: Size | None = as_in_ours("max_memory")
    max_request_head: Size = as_in_ours("max_request_head")
    max_body: Size = as_in_ours("max_body")
    connections: int = as_in_ours("connections")
    head_timeout: Seconds = as_in_ours("head_timeout")
    drain_timeout: Seconds = as_in_ours("drain_timeout")
    trusted_proxies: tuple[str, ...] = as_in_ours("trusted_proxies")
    trusted_proxy_count: int | None = as_in_ours("trusted_proxy_count")
    trusted_proxy_headers: tuple[str, ...] = as_in_ours("trusted_proxy_headers")
    log_untrusted_proxy_headers: bool = as_in_ours("log_untrusted_proxy_headers")
    clear_untrusted_proxy_headers: bool = as_in_ours("clear_untrusted_proxy_headers")
    url_scheme: Literal["http", "https"] | None = as_in_ours("url_scheme")
    url_prefix: str = as_in_ours("url_prefix")
    server_name: str | None = as_in_ours("server_name")

    def __post_init__(self) -> None:
        _ = self.ours  # it knows what cannot stand together
        if len(self.tls_certificate) > 1:
            raise self._refusal("tls_certificate", "names several files, and granian takes one certificate")
        if self.tls_client == "optional":
            raise self._refusal("tls_client", "cannot be optional with granian; write required, or remove it")

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
        """Open the listening socket. Raises ``OptionError``, also where granian is not installed."""
        require("granian", self)
        return only(self.ours, "granian")

    def urls(self, sockets: Sequence[socket.socket]) -> tuple[str, ...]:
        """The URLs that open what these sockets serve."""
        return self.ours.urls(sockets)

    def hurried(self, grace: float) -> GranianServer:
        """The same server, that at its end waits for running requests no longer than ``grace`` seconds."""
        return replace(self, drain_timeout=min(grace, self.drain_timeout))

    def serve(
        self,
        app: WSGIApp,
        *,
        sockets: Sequence[socket.socket] | None = None,
        started: Callable[[tuple[str, ...]], object] | None = None,
    ) -> None:
        """Serve ``app`` until SIGTERM or Ctrl-C; of several sockets the first counts.

        Raises ``OptionError``, and ``SystemExit`` where a worker ended that was not told to.
        """
        require("granian", self)
        listener, *_ = sockets if sockets is not None else only(self.ours, "granian")
        urls = self.ours.urls([listener])
        forget_activation()
        front = Front(app, self.ours, limits_bodies=True)
        adapted = GranianApp(front, multiprocess=self.workers > 1)
        server = self._server(listener)
        if started is not None:
            server.on_startup(lambda: started(urls))
        # The app cannot be sent to a process that begins from nothing.
        multiprocessing.set_start_method("fork", force=True)
        process = os.getpid()

        def load() -> WSGIApp:
            # A worker that is told to end before it serves would do as its parent does: make a note, and go on.
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            return adapted

        try:
            server.serve(target_loader=load, wrap_loader=False)
        except SystemExit as stop:
            if os.getpid() != process or stop.code:
                raise

    def _server(self, listener: socket.socket) -> Any:
        from granian.constants import HTTPModes, Interfaces, SSLProtocols
        from granian.http import HTTP1Settings
        from granian.log import LogLevels
        from granian.net import SocketHolder
        from granian.server import Server

        is_unix = listener.family == socket.AF_UNIX

        class Listening(Server):  # type: ignore[misc]
            def _init_shared_socket(self) -> None:
                """Begin with the socket that is open already; each worker gets it by the fork."""
                self._sfd = listener.fileno()
                self._shd = SocketHolder(self._sfd, is_unix, self.backlog)
                self._ssp = self._sso = None

            def _drop_shared_socket(self) -> None:
                """Take no more connections while the workers finish."""
                listener.close()

        certificate = self.tls_certificate[0] if self.tls_certificate else None
        return Listening(
            "wheatpaste",
            interface=Interfaces.WSGI,
            http=HTTPModes.http1,
            websockets=False,
            workers=self.workers,
            blocking_threads=self.threads,
            backlog=self.backlog,
            backpressure=max(self.connections, self.threads),
            http1_settings=HTTP1Settings(
                header_read_timeout=max(1, math.ceil(self.head_timeout * 1000)),
                max_buffer_size=max(8192, self.max_request_head),
            ),
            workers_kill_timeout=max(1, math.ceil(self.drain_timeout)),
            workers_max_rss=math.ceil(self.max_memory / 1024**2) if self.max_memory is not None else None,
            respawn_failed_workers=True,
            log_level=LogLevels.error,
            ssl_cert=certificate,
            ssl_key=self.tls_key[0] if self.tls_key else certificate,
            ssl_key_password=self.tls_password,
            ssl_protocol_min=SSLProtocols.tls13 if self.tls_minimum == "1.3" else SSLProtocols.tls12,
            ssl_ca=self.tls_client_ca,
            ssl_crl=[self.tls_client_crl] if self.tls_client_crl else None,
            ssl_client_verify=self.tls_client == "required",
        )

    def _refusal(self, name: str, what: str) -> OptionError:
        return OptionError(type(self).__name__, name, what)


_REFUSED = dict.fromkeys(
    ("tls", "tls_context"), "granian reads certificates from files; name one in tls_certificate instead"
)

server_runner = make_server_runner(
    GranianServer,
    ignored=lacking(
        GranianServer,
        "granian",
        {
            "tls_ciphers": "granian chooses the ciphers",
            "max_requests": "granian replaces workers by their age and memory alone",
            "max_requests_jitter": "granian replaces workers by their age and memory alone",
            "preload": "the app is always built before the workers are forked",
            "max_hung": "granian watches workers, not threads",
            "hung_after": "granian watches workers, not threads",
            "request_timeout": "granian watches workers, not requests",
            "max_request_line": "granian has limits of its own for it",
            "max_header_fields": "granian takes 100",
            "body_memory": "bodies come to the app as the client sends them",
            "stream_uploads": "bodies come to the app as the client sends them",
            "output_memory": "the app waits for its client in any case",
            "ident": "granian names itself in the Server header",
            "control_socket": "`wheatpaste ctl` speaks to our own server alone",
            "proxy_protocol": "let the proxy send X-Forwarded-For, and name it in trusted_proxies",
            "sendfile": "granian sends files as the app reads them",
            "underscore_headers": "granian keeps them",
        },
        refused=_REFUSED,
    ),
    refused=_REFUSED,
)
