"""``egg:wheatpaste#waitress``: the app served by Waitress, threads in one process, from options of ours."""

from __future__ import annotations

import math
import socket
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ...config.factories import make_server_runner
from ...config.options import component
from ...config.values import Seconds, Size
from ...protocol.wsgi import WSGIApp
from ..listeners import Address
from .borrowed import as_in_ours, lacking, ours_with_options_of
from .front import Front

if TYPE_CHECKING:
    from ..http_server import HTTPServer


@component
class WaitressServer:
    """Serve through Waitress: threads in one process, requests read before the app starts, replies buffered."""

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
    user: str | None = as_in_ours("user")
    group: str | None = as_in_ours("group")
    threads: int = as_in_ours("threads")
    max_request_head: Size = as_in_ours("max_request_head")
    max_body: Size = as_in_ours("max_body")
    body_memory: Size = as_in_ours("body_memory")
    output_memory: Size = as_in_ours("output_memory")
    connections: int = as_in_ours("connections")
    keep_alive_timeout: Seconds = as_in_ours("keep_alive_timeout")
    drain_timeout: Seconds = as_in_ours("drain_timeout")
    trusted_proxies: tuple[str, ...] = as_in_ours("trusted_proxies")
    trusted_proxy_count: int | None = as_in_ours("trusted_proxy_count")
    trusted_proxy_headers: tuple[str, ...] = as_in_ours("trusted_proxy_headers")
    log_untrusted_proxy_headers: bool = as_in_ours("log_untrusted_proxy_headers")
    clear_untrusted_proxy_headers: bool = as_in_ours("clear_untrusted_proxy_headers")
    url_scheme: Literal["http", "https"] | None = as_in_ours("url_scheme")
    url_prefix: str = as_in_ours("url_prefix")
    server_name: str | None = as_in_ours("server_name")
    ident: str | None = as_in_ours("ident")
    expose_tracebacks: bool = as_in_ours("expose_tracebacks")
    log_socket_errors: bool = as_in_ours("log_socket_errors")

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
        """Nothing has to be read before privileges are given up."""
        return ()

    def bind(self) -> list[socket.socket]:
        """Open the listening sockets. Raises ``OptionError``."""
        return self.ours.bind()

    def urls(self, sockets: Sequence[socket.socket]) -> tuple[str, ...]:
        """The URLs that open what these sockets serve."""
        return self.ours.urls(sockets)

    def hurried(self, grace: float) -> WaitressServer:
        """The same server, that at its end waits for running requests no longer than ``grace`` seconds."""
        return replace(self, drain_timeout=min(grace, self.drain_timeout))

    def serve(
        self,
        app: WSGIApp,
        *,
        sockets: Sequence[socket.socket] | None = None,
        started: Callable[[tuple[str, ...]], object] | None = None,
    ) -> None:
        """Serve ``app`` until SIGTERM or Ctrl-C. Raises ``OptionError``, ``KeyboardInterrupt`` at a second Ctrl-C."""
        from ..waitress_engine import Engine

        opened = list(sockets) if sockets is not None else self.ours.bind()
        urls = self.ours.urls(opened)
        front = Front(app, self.ours, takes_prefix=False)
        engine = Engine(front, opened, self._adjustments(), grace=self.drain_timeout)
        if started is not None:
            started(urls)
        engine.run()

    def _adjustments(self) -> dict[str, Any]:
        return {
            "threads": self.threads,
            "connection_limit": max(2, self.connections),
            "channel_timeout": max(1, math.ceil(self.keep_alive_timeout)),
            "cleanup_interval": min(30, max(1, math.ceil(self.keep_alive_timeout))),
            "url_scheme": self.url_scheme or "http",
            "url_prefix": self.url_prefix,
            # Whom to believe is decided in front of the app, in one way for every server.
            "clear_untrusted_proxy_headers": False,
            # These of Waitress are refused themselves.
            "max_request_header_size": self.max_request_head + 1,
            "max_request_body_size": self.max_body + 1,
            "inbuf_overflow": max(1, self.body_memory),
            "outbuf_overflow": self.output_memory,
            "outbuf_high_watermark": self.output_memory,
            "expose_tracebacks": self.expose_tracebacks,
            "ident": self.ident,
            "server_name": self.server_name or "localhost",
            "log_socket_errors": self.log_socket_errors,
            "asyncore_use_poll": True,
        }


_NO_TLS = "Waitress does not speak TLS: put a proxy in front that does, and set url_scheme = https"
_ONE_PROCESS = "Waitress is one process, which nobody replaces"
_SILENCE = "a connection is closed when it was silent for keep_alive_timeout"
_REFUSED = dict.fromkeys(("tls", "tls_certificate", "tls_context"), _NO_TLS)
_ABOUT_TLS = (
    *("tls_key", "tls_password", "tls_minimum", "tls_ciphers", "tls_client", "tls_client_ca", "tls_client_crl"),
    "handshake_timeout",
)
_ABOUT_PROCESSES = (
    *("workers", "max_requests", "max_requests_jitter", "max_hung", "max_memory", "worker_timeout"),
    "preload",
)

server_runner = make_server_runner(
    WaitressServer,
    ignored=lacking(
        WaitressServer,
        "Waitress",
        {
            **dict.fromkeys(_ABOUT_TLS, _NO_TLS),
            **dict.fromkeys(_ABOUT_PROCESSES, _ONE_PROCESS),
            **dict.fromkeys(("head_timeout", "write_timeout", "body_grace", "body_rate"), _SILENCE),
            "max_request_line": "it counts in max_request_head",
            "max_header_fields": "their size counts, in max_request_head",
            "stream_uploads": "bodies are received before the app starts",
            "control_socket": "`wheatpaste ctl` speaks to our own server alone",
            "proxy_protocol": "let the proxy send X-Forwarded-For, and name it in trusted_proxies",
            "sendfile": "Waitress sends files in pieces",
            "underscore_headers": "Waitress drops them in any case",
        },
        refused=_REFUSED,
    ),
    refused=_REFUSED,
)
