"""What ``egg:waitress#main`` is under ``wheatpaste serve``: Waitress, with a gentler end and the peer kept.

Whoever writes that name means Waitress's own options, which are typed here; ``egg:wheatpaste#waitress`` takes those of
our server, and ``waitress_server`` translates them. What both say in the same words is borrowed. The environ keys are
written by ``waitress_engine``.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ...config.factories import make_server_runner
from ...config.mounts import KeyProblem
from ...config.options import OptionError, at_least, component, each, option
from ...config.records import replace
from ...config.values import Seconds, Size
from ...protocol.wsgi import WSGIApp
from ..complaints import PROXY_HEADERS
from . import borrowed
from .borrowed import ADDRESSES, UNTRUSTED, borrows

if TYPE_CHECKING:
    from ..http_server import HTTPServer

_PROXY_HEADERS = [name for name in PROXY_HEADERS if name != "x-forwarded-prefix"]  # which Waitress does not know
_BORROWED = (*ADDRESSES, *UNTRUSTED, "url_prefix", "expose_tracebacks", "log_socket_errors")


def _proxy_header_complaint(name: str) -> str | None:
    return None if name.lower() in _PROXY_HEADERS else f"is none of {', '.join(_PROXY_HEADERS)}"


@component
@borrows(*_BORROWED)
class WaitressInOwnWords:
    """Serve through Waitress: threads in one process, requests read before the app starts, replies buffered."""

    threads: int = option(default=4, doc="How many requests are handled at the same time.", check=at_least(1))
    connection_limit: int = option(
        default=1000, doc="How many connections may be open; further ones wait.", check=at_least(2)
    )
    channel_timeout: Seconds = option(
        default=120, doc="How long a connection may be silent before it is closed.", check=at_least(1)
    )
    cleanup_interval: Seconds = option(
        default=30, doc="How often silent connections are looked for.", check=at_least(1)
    )
    graceful_timeout: Seconds = option(
        default=10, doc="How long running requests may go on when the server is told to stop.", check=at_least(0)
    )
    url_scheme: str = option(default="http", doc="Scheme of the URLs that apps make: https behind a TLS proxy.")
    trusted_proxy: str | None = option(
        default=None, doc="Address of the proxy whose forwarding headers are believed, or * for any peer."
    )
    trusted_proxy_count: int | None = option(
        default=None, doc="How many proxies stand one behind the other.", check=at_least(1)
    )
    trusted_proxy_headers: tuple[str, ...] = option(
        default=(),
        doc="Which headers of the trusted proxy are believed; x-forwarded-proto alone if none is named.",
        check=each(_proxy_header_complaint),
        sample="x-forwarded-for x-forwarded-proto",
    )
    max_request_header_size: Size = option(
        default=262144, doc="Largest head of a request; above it 431.", check=at_least(1024)
    )
    max_request_body_size: Size = option(
        default=1073741824, doc="Largest body of a request; above it 413.", check=at_least(0)
    )
    ident: str | None = option(default=None, doc="The Server header of replies; empty leaves it out.")
    server_name: str = option(default="localhost", doc="SERVER_NAME for requests without a Host header.")
    recv_bytes: Size = option(default=8192, doc="How much is read from a connection at once.", check=at_least(1))
    inbuf_overflow: Size = option(
        default=524288, doc="Request bodies above this size wait in a temporary file.", check=at_least(1)
    )
    outbuf_overflow: Size = option(
        default=1048576, doc="Replies above this size wait in a temporary file.", check=at_least(1)
    )
    outbuf_high_watermark: Size = option(
        default=16777216, doc="An app that is this far ahead of its client has to wait.", check=at_least(1)
    )
    channel_request_lookahead: int = option(
        default=0,
        doc="How many requests of a connection are read ahead; above 0 apps can tell that a client left.",
        check=at_least(0),
    )
    asyncore_loop_timeout: int = option(
        default=1, doc="Longest pause, in seconds, between two looks at the connections.", check=at_least(1)
    )
    asyncore_use_poll: bool = option(
        default=True, doc="Watch connections with poll(), which has no limit of 1024 file descriptors."
    )

    if TYPE_CHECKING:

        def __init__(self, **options: Any) -> None: ...

    addresses, bind, urls, prepare = borrowed.addresses, borrowed.bind, borrowed.urls, borrowed.prepare

    def __post_init__(self) -> None:
        _ = self.ours  # it knows what addresses cannot stand together
        self._check_proxy()

    @cached_property
    def ours(self) -> HTTPServer:
        """Our server, as far as both use the same words in the same sense."""
        return borrowed.ours(self, (*_BORROWED, "url_scheme", "threads"))

    def _check_proxy(self) -> None:
        if self.trusted_proxy is None:
            for name in ("trusted_proxy_count", "trusted_proxy_headers"):
                if getattr(self, name):
                    raise self._refusal(name, "means nothing without trusted_proxy; add `trusted_proxy = ADDRESS`")
        headers = {name.lower() for name in self.trusted_proxy_headers}
        if "forwarded" in headers and len(headers) > 1:
            raise self._refusal("trusted_proxy_headers", "believe either forwarded or the x-forwarded ones, not both")

    def serve(
        self,
        app: WSGIApp,
        *,
        sockets: Sequence[socket.socket] | None = None,
        started: Callable[[tuple[str, ...]], object] | None = None,
        ended: Callable[[], object] | None = None,
    ) -> None:
        """Serve ``app`` until SIGTERM or Ctrl-C; then running requests have ``graceful_timeout`` to finish.

        ``sockets`` are listening sockets that were opened before (they stay the caller's to remove); without them the
        server opens its own. ``started`` is told the URLs once requests can come. Raises ``OptionError`` when an
        address cannot be listened on, ``KeyboardInterrupt`` at a second Ctrl-C.
        """
        from .waitress_engine import serve

        serve(
            self,
            app,
            self._adjustments(),
            grace=self.graceful_timeout,
            sockets=sockets,
            started=started,
            ended=ended,
        )

    def hurried(self, grace: float) -> WaitressInOwnWords:
        """The same server, that at its end waits for running requests no longer than ``grace`` seconds."""
        return replace(self, graceful_timeout=min(grace, self.graceful_timeout))

    def _adjustments(self) -> dict[str, Any]:
        settings: dict[str, Any] = {
            name: getattr(self, name)
            for name in (
                "backlog",
                "threads",
                "connection_limit",
                "channel_timeout",
                "cleanup_interval",
                "url_scheme",
                "url_prefix",
                "trusted_proxy",
                "log_untrusted_proxy_headers",
                "clear_untrusted_proxy_headers",
                "max_request_header_size",
                "max_request_body_size",
                "expose_tracebacks",
                "ident",
                "server_name",
                "log_socket_errors",
                "recv_bytes",
                "inbuf_overflow",
                "outbuf_overflow",
                "outbuf_high_watermark",
                "channel_request_lookahead",
                "asyncore_loop_timeout",
                "asyncore_use_poll",
            )
        }
        if self.trusted_proxy is not None:
            settings["trusted_proxy_count"] = self.trusted_proxy_count or 1
            settings["trusted_proxy_headers"] = list(self.trusted_proxy_headers) or ["x-forwarded-proto"]
        return settings

    def _refusal(self, name: str, what: str) -> OptionError:
        return OptionError(type(self).__name__, name, what)


def _advice(values: Mapping[str, Any]) -> Iterable[KeyProblem]:
    if values.get("expose_tracebacks"):
        yield KeyProblem("expose_tracebacks", "shows the source and the values of the app to every client", "remove it")
    if values.get("trusted_proxy") == "*":
        yield KeyProblem(
            "trusted_proxy", "lets every client choose its address and host", "name the address of the proxy"
        )


server_runner = make_server_runner(
    WaitressInOwnWords,
    ignored={"send_bytes": "Waitress sends output as soon as it can"},
    advice=_advice,
)
