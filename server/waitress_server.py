"""What ``egg:waitress#main`` is under ``wheatpaste serve``: Waitress, with a gentler end and the peer kept.

The options are Waitress's own, typed, with defaults that suit a site behind a proxy or on a developer's machine. The
environ keys are written by ``waitress_engine``.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..config.factories import make_server_runner
from ..config.mounts import KeyProblem
from ..config.options import OptionError, at_least, between, component, each, option
from ..config.values import Seconds, Size
from ..protocol.wsgi import WSGIApp
from .complaints import address_complaint, permissions_complaint, prefix_complaint
from .listeners import (
    Address,
    ListenError,
    close_listeners,
    open_listeners,
    parse_address,
    remove_socket_files,
    socket_files,
    url_of,
)

PROXY_HEADERS = (
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-forwarded-port",
    "x-forwarded-by",
    "forwarded",
)


def _proxy_header_complaint(name: str) -> str | None:
    return None if name.lower() in PROXY_HEADERS else f"is none of {', '.join(PROXY_HEADERS)}"


@component
class WaitressServer:
    """Serve through Waitress: threads in one process, requests read before the app starts, replies buffered."""

    host: str = option(
        default="127.0.0.1",
        doc="Address or name to listen on; 127.0.0.1 is this machine alone, * every interface. May carry a port.",
    )
    port: int = option(default=8080, doc="Port to listen on; 0 takes a free one.", check=between(0, 65535))
    listen: tuple[str, ...] = option(
        default=(),
        doc="Several addresses instead of host and port: host:port, [::1]:port, *:port or unix:/path.",
        check=each(address_complaint),
        sample="127.0.0.1:8080 [::1]:8080",
    )
    unix_socket: Path | None = option(
        default=None, doc="Path of a UNIX socket to listen on, instead of host and port.", sample="/run/site.sock"
    )
    unix_socket_perms: str = option(
        default="600", doc="Permissions of UNIX sockets, in octal digits.", check=permissions_complaint
    )
    ipv4: bool = option(default=True, doc="Listen on the IPv4 addresses of a name.")
    ipv6: bool = option(default=True, doc="Listen on the IPv6 addresses of a name.")
    backlog: int = option(default=1024, doc="How many connections may wait to be accepted.", check=at_least(1))
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
    url_prefix: str = option(
        default="", doc="Path below which a proxy shows the site.", check=prefix_complaint, sample="/site"
    )
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
    log_untrusted_proxy_headers: bool = option(default=False, doc="Log forwarding headers that are not believed.")
    clear_untrusted_proxy_headers: bool = option(
        default=True, doc="Remove forwarding headers that are not believed before the app sees them."
    )
    max_request_header_size: Size = option(
        default=262144, doc="Largest head of a request; above it 431.", check=at_least(1024)
    )
    max_request_body_size: Size = option(
        default=1073741824, doc="Largest body of a request; above it 413.", check=at_least(0)
    )
    expose_tracebacks: bool = option(
        default=False, doc="Show the traceback of an unhandled exception to the client. Never on a public site."
    )
    ident: str | None = option(default=None, doc="The Server header of replies; empty leaves it out.")
    server_name: str = option(default="localhost", doc="SERVER_NAME for requests without a Host header.")
    log_socket_errors: bool = option(default=True, doc="Log connections that clients broke off.")
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

    def __post_init__(self) -> None:
        self._check_address()
        self._check_proxy()

    def _check_address(self) -> None:
        if self.listen and self.unix_socket:
            raise self._refusal("unix_socket", "cannot stand beside listen; write unix:/path in listen instead")
        for name, default in (("host", "127.0.0.1"), ("port", 8080)):
            if getattr(self, name) != default:
                for other in ("listen", "unix_socket"):
                    if getattr(self, other):
                        raise self._refusal(name, f"cannot stand beside {other}; remove one of them")
        if not (self.ipv4 or self.ipv6):
            raise self._refusal("ipv6", "one of ipv4 and ipv6 must be true")
        if not self.host:
            raise self._refusal("host", "must not be empty; write * for every interface")
        try:
            address = parse_address(self.host, self.port)
        except ValueError as error:
            raise self._refusal("host", str(error)) from error
        if address.port != self.port and self.port != 8080:
            raise self._refusal("port", f"differs from the port in host = {self.host}; remove one of them")

    def _check_proxy(self) -> None:
        if self.trusted_proxy is None:
            for name in ("trusted_proxy_count", "trusted_proxy_headers"):
                if getattr(self, name):
                    raise self._refusal(name, "means nothing without trusted_proxy; add `trusted_proxy = ADDRESS`")
        headers = {name.lower() for name in self.trusted_proxy_headers}
        if "forwarded" in headers and len(headers) > 1:
            raise self._refusal("trusted_proxy_headers", "believe either forwarded or the x-forwarded ones, not both")

    def addresses(self) -> tuple[Address, ...]:
        """Where the options say to listen."""
        if self.listen:
            return tuple(parse_address(text) for text in self.listen)
        if self.unix_socket is not None:
            return (Address(path=str(self.unix_socket)),)
        return (parse_address(self.host, self.port),)

    def bind(self) -> list[socket.socket]:
        """Open the listening sockets. Raises ``OptionError`` that names the option at fault."""
        families = [family for family, wanted in ((socket.AF_INET, self.ipv4), (socket.AF_INET6, self.ipv6)) if wanted]
        try:
            return open_listeners(
                self.addresses(),
                backlog=self.backlog,
                unix_permissions=int(self.unix_socket_perms, 8),
                families=families,
            )
        except ListenError as error:
            what = f"{error.what}; {error.fix}" if error.fix else error.what
            raise self._refusal(self._option_of(error), what) from error

    def urls(self, sockets: Iterable[socket.socket]) -> tuple[str, ...]:
        """The URLs that open what these sockets serve."""
        return tuple(url_of(each, self.url_scheme, self.url_prefix) for each in sockets)

    def serve(
        self,
        app: WSGIApp,
        *,
        sockets: Sequence[socket.socket] | None = None,
        started: Callable[[tuple[str, ...]], object] | None = None,
    ) -> None:
        """Serve ``app`` until SIGTERM or Ctrl-C; then running requests have ``graceful_timeout`` to finish.

        ``sockets`` are listening sockets that were opened before (they stay the caller's to remove); without them the
        server opens its own. ``started`` is told the URLs once requests can come. Raises ``OptionError`` when an
        address cannot be listened on, ``KeyboardInterrupt`` at a second Ctrl-C.
        """
        from .waitress_engine import Engine

        opened = list(sockets) if sockets is not None else self.bind()
        # Read now: an engine that stops closes the sockets.
        urls = self.urls(opened)
        files = socket_files(opened)
        try:
            engine = Engine(app, opened, self._adjustments(), grace=self.graceful_timeout)
            if started is not None:
                started(urls)
            engine.run()
        finally:
            if sockets is None:
                close_listeners(opened)
                remove_socket_files(files)

    def hurried(self, grace: float) -> WaitressServer:
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

    def _option_of(self, error: ListenError) -> str:
        if self.listen:
            return "listen"
        if self.unix_socket is not None:
            return "unix_socket"
        return error.about

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
    WaitressServer,
    ignored={"send_bytes": "Waitress sends output as soon as it can"},
    advice=_advice,
)
