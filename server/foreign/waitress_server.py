"""``egg:wheatpaste#waitress``: the app served by Waitress, threads in one process, from options of ours.

``waitress_own_words`` is the same server for sections of ``egg:waitress#main``, which say Waitress's own options.
"""

from __future__ import annotations

import math
import socket
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ...config.factories import make_server_runner
from ...config.options import component
from ...protocol.wsgi import WSGIApp
from ..advice import advice
from . import borrowed
from .borrowed import EVERYWHERE, borrows, lacking
from .front import Front


@component
@borrows(
    *EVERYWHERE,
    *("max_request_head", "body_memory", "output_memory", "connections", "keep_alive_timeout"),
    *("ident", "expose_tracebacks", "log_socket_errors"),
)
class WaitressServer:
    """Serve through Waitress: threads in one process, requests read before the app starts, replies buffered."""

    if TYPE_CHECKING:

        def __init__(self, **options: Any) -> None: ...

    ours = cached_property(borrowed.ours)
    bind = borrowed.bind
    addresses, prepare, urls, hurried = borrowed.addresses, borrowed.prepare, borrowed.urls, borrowed.hurried

    def __post_init__(self) -> None:
        _ = self.ours  # it knows what cannot stand together

    def serve(
        self,
        app: WSGIApp,
        *,
        sockets: Sequence[socket.socket] | None = None,
        started: Callable[[tuple[str, ...]], object] | None = None,
        ended: Callable[[], object] | None = None,
    ) -> None:
        """Serve ``app`` until SIGTERM or Ctrl-C. Raises ``OptionError``, ``KeyboardInterrupt`` at a second Ctrl-C."""
        from .waitress_engine import serve

        serve(
            self,
            Front(app, self.ours, takes_prefix=False),
            self._adjustments(),
            grace=self.ours.drain_timeout,
            sockets=sockets,
            started=started,
            ended=ended,
        )

    def _adjustments(self) -> dict[str, Any]:
        ours = self.ours
        return {
            "threads": ours.threads,
            "connection_limit": max(2, ours.connections),
            "channel_timeout": max(1, math.ceil(ours.keep_alive_timeout)),
            "cleanup_interval": min(30, max(1, math.ceil(ours.keep_alive_timeout))),
            "url_scheme": ours.url_scheme or "http",
            "url_prefix": ours.url_prefix,
            # Whom to believe is decided in front of the app, in one way for every server.
            "clear_untrusted_proxy_headers": False,
            # These of Waitress are refused themselves.
            "max_request_header_size": ours.max_request_head + 1,
            "max_request_body_size": ours.max_body + 1,
            "inbuf_overflow": max(1, ours.body_memory),
            "outbuf_overflow": ours.output_memory,
            "outbuf_high_watermark": ours.output_memory,
            "expose_tracebacks": ours.expose_tracebacks,
            "ident": ours.ident,
            "server_name": ours.server_name or "localhost",
            "log_socket_errors": ours.log_socket_errors,
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
    advice=advice,
)
