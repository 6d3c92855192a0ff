"""From the options of the server to what an engine is told, and to the engine of one process."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ..config.records import replace
from ..protocol.peers import Networks
from ..protocol.wsgi import WSGIApp
from .settings import Deadlines, Forwarding, Limits, Settings

if TYPE_CHECKING:
    from .engine import Engine
    from .http_server import HTTPServer

_USUAL_PROXY_HEADERS = ("x-forwarded-for", "x-forwarded-proto")

LIMITS = {
    "max_request_line": "request_line",
    "max_request_head": "head",
    "max_header_fields": "fields",
    "max_body": "body",
    "body_memory": "body_memory",
    "bodies_memory": "bodies_memory",
    "output_memory": "output_memory",
    "outputs_memory": "outputs_memory",
    "connections": "connections",
    "connections_per_address": "connections_per_address",
    "max_waiting": "waiting",
    "keep_alive_requests": "keep_alive_requests",
}
"""Options and the limits of an engine that they are."""

DEADLINES = {
    "head_timeout": "head",
    "body_grace": "body_grace",
    "body_rate": "body_rate",
    "keep_alive_timeout": "keep_alive",
    "write_timeout": "write",
    "handshake_timeout": "handshake",
    "waiting_timeout": "waiting",
    "drain_timeout": "drain",
    "hung_after": "hung",
    "request_timeout": "request",
}
"""Options and the deadlines of an engine that they are."""

HABITS = {
    "threads": "threads",
    "ident": "ident",
    "url_prefix": "url_prefix",
    "server_name": "server_name",
    "require_host": "require_host",
    "underscore_headers": "header_map",
    "expose_tracebacks": "expose_tracebacks",
    "stream_uploads": "stream_uploads",
    "health_paths": "health_paths",
    "log_socket_errors": "log_socket_errors",
    "poller": "poller",
    "max_requests": "max_requests",
    "max_hung": "max_hung",
    "sendfile": "sendfile",
}
"""Options and the other settings of an engine that they are."""


def settings_of(server: HTTPServer) -> Settings:
    """What an engine is told when it serves with these options."""
    told: dict[str, Any] = {field: getattr(server, name) for name, field in HABITS.items()}
    wraps = server.wraps()
    if wraps is not None:
        from .tls.environ import tls_environ

        told["tls"], told["tls_environ"] = wraps, tls_environ
    return Settings(
        limits=Limits(**{field: getattr(server, name) for name, field in LIMITS.items()}),
        deadlines=Deadlines(**{field: getattr(server, name) for name, field in DEADLINES.items()}),
        url_scheme=server.scheme,
        forwarding=_forwarding(server),
        proxy_protocol=_proxy_protocol(server),
        multiprocess=server.has_parent,
        **told,
    )


def engine_of(
    server: HTTPServer,
    app: WSGIApp,
    sockets: Sequence[socket.socket],
    told: Settings,
    on_ready: Callable[[], object] | None,
    *,
    handle_signals: bool,
) -> Engine:
    """An engine with these settings. Where nobody else answers for it, it answers for itself."""
    from .engine import Engine
    from .processes.told import with_status
    from .server_status import KEY

    if told.max_requests is not None and server.max_requests_jitter:
        import random  # two milliseconds of a check, which draws nothing

        told = replace(told, max_requests=told.max_requests + random.randint(0, server.max_requests_jitter))
    if KEY in told.environ:
        return Engine(app, sockets, told, on_ready=on_ready, handle_signals=handle_signals)
    from .engine_status import EngineStatus

    alone = EngineStatus(server.urls(sockets))
    told = with_status(told, alone)
    alone.engine = Engine(app, sockets, told, on_ready=on_ready, handle_signals=handle_signals)
    return alone.engine


def _forwarding(server: HTTPServer) -> Forwarding | None:
    trusted = Networks(server.trusted_proxies)
    if not trusted and server.clear_untrusted_proxy_headers and not server.log_untrusted_proxy_headers:
        return None
    from .forwarded import make_forwarding

    return make_forwarding(
        trusted,
        count=server.trusted_proxy_count or 1,
        headers=server.trusted_proxy_headers or _USUAL_PROXY_HEADERS,
        clear_untrusted=server.clear_untrusted_proxy_headers,
        log_untrusted=server.log_untrusted_proxy_headers,
    )


def _proxy_protocol(server: HTTPServer) -> Callable[[str], bool] | None:
    if not server.proxy_protocol:
        return None
    from .proxy_protocol import required_from

    return required_from(server.proxy_protocol)
