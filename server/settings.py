"""What an engine is told: limits, deadlines and habits, all of them decided.

The options of ``http_server`` are the deployer's side of this; the engine reads nothing else. Times are seconds,
sizes are bytes; ``None`` means "no limit" where a field allows it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ..config.records import record
from ..protocol.wsgi import Environ

if TYPE_CHECKING:
    from .tls.handshake import Wraps

Forwarding = Callable[[Environ], "str | None"]
"""Believes or removes the forwarding headers of a request, in its environ; returns a complaint for a 400, or None."""


@record
class Limits:
    """How large things may become."""

    request_line: int = 8 * 1024
    head: int = 64 * 1024
    fields: int = 100
    body: int = 1024**3
    body_memory: int = 1024 * 1024
    """Request bodies above this wait in a temporary file."""
    bodies_memory: int = 64 * 1024 * 1024
    """All request bodies together; further ones wait in temporary files, however small they are."""
    output_memory: int = 1024 * 1024
    """What an app has produced and its client has not taken; above it the app waits."""
    outputs_memory: int = 64 * 1024 * 1024
    """All replies that are larger than that and wait for their clients; the eldest wait in temporary files."""
    connections: int = 10_000
    connections_per_address: int | None = None
    waiting: int = 1000
    """Requests that wait for a thread; further ones are answered with 503."""
    keep_alive_requests: int | None = None
    """Requests on one connection, after which it is closed."""


@record
class Deadlines:
    """How long things may take."""

    head: float = 10
    """From the first byte of a head (or the connection) to its end."""
    body_grace: float = 30
    """A body may be slower than ``body_rate`` for so long."""
    body_rate: int = 1024
    """Bytes per second that a body must reach on average, after the grace."""
    keep_alive: float = 30
    write: float = 60
    """How long a client may take nothing of a reply."""
    handshake: float = 10
    waiting: float = 30
    """How long a request may wait for a thread before it is answered with 503."""
    drain: float = 30
    """How long running requests may go on when the server stops."""
    hung: float = 30
    """A request that runs longer is logged with the stack of its thread."""
    request: float | None = None
    """A request that runs longer is answered with 504, if nothing was sent."""


@record
class Settings:
    """Everything that an engine is told."""

    limits: Limits = Limits()
    deadlines: Deadlines = Deadlines()
    threads: int = 16
    ident: str | None = "wheatpaste"
    """The Server header; None leaves it out."""
    url_scheme: str = "http"
    url_prefix: str = ""
    server_name: str | None = None
    """SERVER_NAME where a request has no Host; None is the address of the listener."""
    forwarding: Forwarding | None = None
    """None removes forwarding headers, with a note in the request's record."""
    tls: Wraps | None = None
    """What is spoken on the TCP listeners: a server-side ``ssl.SSLContext``, or the ``TLSContexts`` of ``tls``."""
    tls_environ: Callable[[Any], Environ] | None = None
    """The environ keys that a TLS connection (an ``ssl.SSLSocket``) adds to each of its requests."""
    proxy_protocol: Callable[[str], bool] | None = None
    """Which peers (their address, '' for UNIX sockets) must begin with a PROXY protocol header."""
    require_host: bool = True
    header_map: str = "drop"
    """What happens to header names with an underscore: drop, refuse or keep."""
    expose_tracebacks: bool = False
    stream_uploads: bool = False
    """Start the app as soon as the head is here; its reads wait for the client."""
    health_paths: tuple[str, ...] = ()
    """Paths that are answered even when requests wait for threads."""
    log_socket_errors: bool = True
    multiprocess: bool = False
    poller: str = "auto"
    """auto, epoll or selectors."""
    max_requests: int | None = None
    """After so many requests the engine asks to be replaced."""
    max_hung: int | None = None
    """With so many hung threads the engine asks to be replaced."""
    sendfile: bool = True
    environ: Mapping[str, Any] = MappingProxyType({})
    """Further keys of each request's environ."""
