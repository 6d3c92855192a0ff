"""``egg:wheatpaste#main`` and ``#http``: the server, with every option that it has.

Also ``egg:Paste#http``. ``keywords`` translates those of ``paste.httpserver.serve()`` and of Waitress. What an
engine is told follows in ``engine_settings``; nothing of the engine, and nothing of TLS, is imported before it serves.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..config.factories import make_server_runner
from ..config.options import OptionError, above, at_least, between, component, each, option
from ..config.records import field, replace
from ..config.values import Imported, Seconds, Size
from ..protocol.peers import network_complaint
from ..protocol.wsgi import WSGIApp
from .activation import is_activated
from .advice import advice
from .complaints import (
    address_complaint,
    control_complaint,
    ident_complaint,
    owner_complaint,
    path_complaint,
    permissions_complaint,
    prefix_complaint,
    proxy_header_complaint,
    read_workers,
)
from .contradictions import contradictions
from .engine_settings import engine_of, settings_of
from .keywords import KEYWORDS
from .listeners import (
    DEFAULT_PORT,
    Address,
    ListenError,
    open_listeners,
    parse_address,
    url_of,
)
from .settings import Deadlines, Limits, Settings

if TYPE_CHECKING:
    from .engine import Engine
    from .tls.handshake import Wraps

_LIMITS, _DEADLINES, _SETTINGS = Limits(), Deadlines(), Settings()

_HOST = "127.0.0.1"

TLS_PORT = 4443
"""The port with TLS, if none is said."""


@component
class HTTPServer:
    """Serve over HTTP/1.1 with threads, in one process or several; slow clients hold no thread."""

    # Where it listens
    host: str = option(
        default=_HOST,
        doc="Address or name to listen on, or several; 127.0.0.1 is this machine alone, * every interface. "
        "May carry a port.",
    )
    port: int | None = option(
        default=None,
        doc="Port to listen on; 0 takes a free one, empty 8080, or 4443 with TLS.",
        check=between(0, 65535),
    )
    listen: tuple[str, ...] = option(
        default=(),
        doc="Several addresses instead of host and port: host:port, [::1]:port, *:port, unix:/path, unix:@name, "
        "fd:3 or systemd for sockets that are open already.",
        check=each(address_complaint),
        sample="127.0.0.1:8080 [::1]:8080",
    )
    unix_socket: Path | None = option(
        default=None, doc="Path of a UNIX socket to listen on, instead of host and port.", sample="/run/site.sock"
    )
    unix_socket_perms: str = option(
        default="600", doc="Permissions of UNIX sockets, in octal digits.", check=permissions_complaint
    )
    unix_socket_owner: str | None = option(
        default=None,
        doc="Who owns UNIX sockets: user, user:group or :group, by name or number.",
        check=owner_complaint,
        sample=":www-data",
    )
    ipv4: bool = option(default=True, doc="Listen on the IPv4 addresses of a name.")
    ipv6: bool = option(default=True, doc="Listen on the IPv6 addresses of a name.")
    backlog: int = option(default=1024, doc="How many connections may wait to be accepted.", check=at_least(1))
    reuse_port: bool = option(
        default=False, doc="Share the port with other processes of this user, which the kernel chooses between."
    )

    # TLS
    tls: Literal["dev"] | None = option(
        default=None,
        doc="Speak TLS with a certificate that is made for this machine (dev); one of your own switches TLS on by "
        "itself.",
    )
    tls_certificate: tuple[Path, ...] = option(
        default=(),
        doc="PEM files of the certificate with its chain; several are chosen between by the name that the client asks "
        "for.",
        sample="/etc/ssl/site.pem",
    )
    tls_key: tuple[Path, ...] = option(
        default=(),
        doc="PEM files of their private keys, in the same order; empty if the certificates' files hold them.",
    )
    tls_password: str | None = option(default=None, doc="Password of the private keys.", secret=True)
    tls_minimum: Literal["1.2", "1.3"] = option(default="1.2", doc="Oldest version of TLS that is spoken.")
    tls_ciphers: str | None = option(
        default=None, doc="Ciphers for TLS 1.2, as a list for OpenSSL; empty takes a safe one."
    )
    tls_client: Literal["none", "optional", "required"] = option(
        default="none", doc="Whether clients show a certificate of their own; apps find it in the environ."
    )
    tls_client_ca: Path | None = option(
        default=None, doc="PEM file of the authorities whose client certificates count.", sample="/etc/ssl/clients.pem"
    )
    tls_client_crl: Path | None = option(
        default=None, doc="PEM file of the revocation lists of these authorities.", sample="/etc/ssl/clients.crl"
    )
    tls_context: Imported | None = option(
        default=None,
        doc="An ``ssl.SSLContext`` of your own, instead of everything else about TLS.",
        sample="site.tls:context",
    )

    # Threads and processes
    threads: int = option(
        default=_SETTINGS.threads, doc="How many requests each process handles at the same time.", check=at_least(1)
    )
    workers: int = option(
        default=1,
        doc="How many processes serve, watched by one that does not; auto is one for each core.",
        check=at_least(1),
        parse=read_workers,
    )
    max_requests: int | None = option(
        default=None, doc="After so many requests a worker is replaced, without losing one.", check=at_least(1)
    )
    max_requests_jitter: int = option(
        default=0, doc="Up to so many requests more, so that workers are not replaced together.", check=at_least(0)
    )
    max_hung: int | None = option(
        default=None, doc="With so many hung threads a worker is replaced.", check=at_least(1)
    )
    max_memory: Size | None = option(
        default=None, doc="A worker that holds more memory is replaced.", check=at_least(1024**2)
    )
    worker_timeout: Seconds = option(
        default=60,
        doc="A worker that has not shown for so long that it goes on is killed and replaced.",
        check=above(0),
    )
    preload: bool = option(
        default=False, doc="Build the app once, before the workers: saves memory, but a reload keeps the old code."
    )
    user: str | None = option(default=None, doc="The user to become when the sockets are open.", sample="www-data")
    group: str | None = option(default=None, doc="The group to become; empty: that of the user.", sample="www-data")
    control_socket: str | None = option(
        default=None,
        doc="UNIX socket for ``wheatpaste ctl``, or off; empty: one in the user's own runtime folder.",
        check=control_complaint,
        sample="/run/site/control.sock",
    )

    # Limits
    max_request_line: Size = option(
        default=_LIMITS.request_line, doc="Longest request line; above it 414.", check=at_least(64)
    )
    max_request_head: Size = option(
        default=_LIMITS.head, doc="Largest request line and header together; above it 431.", check=at_least(256)
    )
    max_header_fields: int = option(
        default=_LIMITS.fields, doc="Most header fields of a request; above it 431.", check=at_least(1)
    )
    max_body: Size = option(default=_LIMITS.body, doc="Largest body of a request; above it 413.", check=at_least(0))
    body_memory: Size = option(
        default=_LIMITS.body_memory, doc="Request bodies above this size wait in a temporary file.", check=at_least(0)
    )
    bodies_memory: Size = option(
        default=_LIMITS.bodies_memory,
        doc="How much of request bodies a process holds in memory altogether; beyond it all wait in temporary files.",
        check=at_least(0),
    )
    output_memory: Size = option(
        default=_LIMITS.output_memory, doc="An app that is this far ahead of its client has to wait.", check=at_least(1)
    )
    outputs_memory: Size = option(
        default=_LIMITS.outputs_memory,
        doc="How much of large replies waits in memory for slow clients; beyond it the eldest go to temporary files.",
        check=at_least(0),
    )
    connections: int = option(
        default=_LIMITS.connections,
        doc="How many connections may be open; further ones are refused.",
        check=at_least(1),
    )
    connections_per_address: int | None = option(
        default=_LIMITS.connections_per_address, doc="How many of them one address may have.", check=at_least(1)
    )
    keep_alive_requests: int | None = option(
        default=_LIMITS.keep_alive_requests,
        doc="How many requests a connection may carry before it is closed.",
        check=at_least(1),
    )
    max_waiting: int = option(
        default=_LIMITS.waiting,
        doc="How many requests may wait for a thread; further ones are answered with 503.",
        check=at_least(0),
    )
    health_paths: tuple[str, ...] = option(
        default=_SETTINGS.health_paths,
        doc="Paths, each in full, that are answered even when all other requests wait for a thread.",
        check=each(path_complaint),
        sample="/health/livez",
    )

    # Deadlines
    head_timeout: Seconds = option(
        default=_DEADLINES.head, doc="How long the head of a request may take to come; then 408.", check=above(0)
    )
    body_grace: Seconds = option(
        default=_DEADLINES.body_grace, doc="How long a body may be slower than ``body_rate``.", check=at_least(0)
    )
    body_rate: Size = option(
        default=_DEADLINES.body_rate,
        doc="Bytes in a second that a body must reach on average after ``body_grace``, or 408; 0 asks for none.",
        check=at_least(0),
    )
    waiting_timeout: Seconds = option(
        default=_DEADLINES.waiting, doc="How long a request may wait for a thread; then 503.", check=at_least(0)
    )
    hung_after: Seconds = option(
        default=_DEADLINES.hung,
        doc="A request that runs longer counts as hung, and the stack of its thread is logged.",
        check=above(0),
    )
    request_timeout: Seconds | None = option(
        default=_DEADLINES.request,
        doc="A request that runs longer is answered with 504, if nothing was sent.",
        check=above(0),
    )
    write_timeout: Seconds = option(
        default=_DEADLINES.write, doc="How long a client may take nothing of a reply.", check=above(0)
    )
    keep_alive_timeout: Seconds = option(
        default=_DEADLINES.keep_alive, doc="How long a connection may stay open between requests.", check=at_least(0)
    )
    handshake_timeout: Seconds = option(
        default=_DEADLINES.handshake, doc="How long a TLS handshake may take.", check=above(0)
    )
    drain_timeout: Seconds = option(
        default=_DEADLINES.drain,
        doc="How long running requests may go on when the server is told to stop.",
        check=at_least(0),
    )

    # Proxies in front
    trusted_proxies: tuple[str, ...] = option(
        default=(),
        doc="Networks and addresses of proxies whose forwarding headers count; unix for local sockets, * for anybody.",
        check=each(network_complaint),
        inherits=True,
        sample="127.0.0.1 10.0.0.0/8",
    )
    trusted_proxy_count: int | None = option(
        default=None, doc="How many proxies stand one behind the other; 1 if empty.", check=at_least(1)
    )
    trusted_proxy_headers: tuple[str, ...] = option(
        default=(),
        doc="Which of their headers count; x-forwarded-for and x-forwarded-proto if none is named.",
        check=each(proxy_header_complaint),
        sample="x-forwarded-for x-forwarded-proto x-forwarded-host",
    )
    log_untrusted_proxy_headers: bool = option(default=False, doc="Log forwarding headers that do not count.")
    clear_untrusted_proxy_headers: bool = option(
        default=True, doc="Remove forwarding headers that do not count before the app sees them."
    )
    proxy_protocol: tuple[str, ...] = option(
        default=(),
        doc="Networks and addresses whose connections must begin with a PROXY protocol header (version 1 or 2).",
        check=each(network_complaint),
        sample="10.0.0.5",
    )

    # What apps and clients see
    url_scheme: Literal["http", "https"] | None = option(
        default=None, doc="Scheme of the URLs that apps make: https behind a proxy that speaks TLS. Empty: as served."
    )
    url_prefix: str = option(
        default=_SETTINGS.url_prefix,
        doc="Path below which a proxy shows the site.",
        check=prefix_complaint,
        sample="/site",
    )
    server_name: str | None = option(
        default=_SETTINGS.server_name, doc="SERVER_NAME for requests without a Host header; empty: the address."
    )
    ident: str | None = option(
        default=_SETTINGS.ident, doc="The Server header of replies; empty leaves it out.", check=ident_complaint
    )
    require_host: bool = option(
        default=_SETTINGS.require_host, doc="Refuse HTTP/1.1 requests without a Host header, as RFC 9112 demands."
    )
    underscore_headers: Literal["drop", "refuse", "keep"] = option(
        default="drop",
        doc="What happens to headers with an underscore in their name, which apps cannot tell from those with a dash.",
    )
    stream_uploads: bool = option(
        default=_SETTINGS.stream_uploads,
        doc="Start the app before the request's body has come; a slow client then holds its thread.",
    )
    sendfile: bool = option(default=_SETTINGS.sendfile, doc="Let the operating system send files.")
    expose_tracebacks: bool = option(
        default=_SETTINGS.expose_tracebacks,
        doc="Show the traceback of an unhandled exception to the client. Never on a public site.",
    )
    log_socket_errors: bool = option(default=_SETTINGS.log_socket_errors, doc="Log connections that clients broke off.")
    poller: Literal["auto", "epoll", "selectors"] = option(
        default="auto", doc="How connections are watched: auto takes the best that the system has."
    )
    # What :meth:`prepare` has read: a ``PreparedTLS``, or nothing.
    _prepared: list[Any] = field(init=False, repr=False, default_factory=list)

    def __post_init__(self) -> None:
        for name, what in contradictions(self):
            raise OptionError(type(self).__name__, name, what)

    @property
    def speaks_tls(self) -> bool:
        """Whether the TCP sockets speak TLS."""
        return bool(self.tls or self.tls_certificate or self.tls_context is not None)

    @property
    def scheme(self) -> str:
        """``http`` or ``https``: what the listening sockets speak, or what a proxy in front of them does."""
        return self.url_scheme or ("https" if self.speaks_tls else _SETTINGS.url_scheme)

    def addresses(self) -> tuple[Address, ...]:
        """Where the options say to listen."""
        port = self.port if self.port is not None else TLS_PORT if self.speaks_tls else DEFAULT_PORT
        if self.unix_socket is not None:
            return (Address(path=str(self.unix_socket)),)
        if not self.listen and self.port is None and self.host == _HOST and is_activated():
            return (Address(activated=""),)  # nothing is said here, and systemd says something
        return tuple(parse_address(text, port) for text in self.listen or self.host.split())

    def prepare(self) -> tuple[str, ...]:
        """Read what must be read before privileges are given up: certificates and keys, which may be root's alone.

        Returns lines for whoever starts the server: how to trust a certificate for development, what is suspicious
        about one. Raises ``OptionError`` that names the option at fault.
        """
        if self.speaks_tls and not self._prepared:
            from .tls.options import prepare_tls

            self._prepared.append(prepare_tls(self))
        notes: tuple[str, ...] = self._prepared[0].notes if self._prepared else ()
        return notes

    def renew(self) -> None:
        """Read certificates anew, for connections that come from now on; what is wrong with them is logged."""
        for prepared in self._prepared:
            prepared.renew()

    def wraps(self) -> Wraps | None:
        """What turns accepted TCP connections into TLS ones, or None. Raises ``OptionError``."""
        self.prepare()
        wraps: Wraps | None = self._prepared[0].wraps if self._prepared else None
        return wraps

    @property
    def has_parent(self) -> bool:
        """Whether a process of its own watches what serves: for several workers, and for one that may be replaced."""
        return self.workers > 1 or self.preload or bool(self.max_requests or self.max_hung or self.max_memory)

    def bind(self, addresses: Iterable[Address] | None = None) -> list[socket.socket]:
        """Open the listening sockets, or those of some ``addresses``.

        Raises ``OptionError`` that names the option at fault.
        """
        families = [family for family, wanted in ((socket.AF_INET, self.ipv4), (socket.AF_INET6, self.ipv6)) if wanted]
        try:
            return open_listeners(
                self.addresses() if addresses is None else addresses,
                backlog=self.backlog,
                unix_permissions=int(self.unix_socket_perms, 8),
                unix_owner=self.unix_socket_owner,
                reuse_port=self.reuse_port,
                families=families,
            )
        except ListenError as error:
            what = f"{error.what}; {error.fix}" if error.fix else error.what
            raise OptionError(type(self).__name__, self._option_of(error), what) from error

    def urls(self, sockets: Iterable[socket.socket]) -> tuple[str, ...]:
        """The URLs that open what these sockets serve."""
        return tuple(url_of(each, self.scheme, self.url_prefix) for each in sockets)

    def settings(self) -> Settings:
        """What an engine is told."""
        return settings_of(self)

    def engine(
        self,
        app: WSGIApp,
        sockets: Sequence[socket.socket],
        on_ready: Callable[[], object] | None = None,
        *,
        settings: Settings | None = None,
        handle_signals: bool = True,
    ) -> Engine:
        """The engine of one process for these sockets; ``on_ready`` is called when requests can come.

        ``settings`` are those that :meth:`settings` made before, such as by a process that could read private keys.
        """
        told = self.settings() if settings is None else settings
        return engine_of(self, app, sockets, told, on_ready, handle_signals=handle_signals)

    def serve(
        self,
        app: WSGIApp,
        *,
        sockets: Sequence[socket.socket] | None = None,
        started: Callable[[tuple[str, ...]], object] | None = None,
        ended: Callable[[], object] | None = None,
    ) -> None:
        """Serve ``app`` until SIGTERM or Ctrl-C; then running requests have ``drain_timeout`` to finish.

        ``sockets`` are listening sockets that were opened before (they stay the caller's to remove); without them the
        server opens its own. ``started`` is told the URLs once requests can come; ``ended`` is called after the last
        one, in each process that has served. Raises ``OptionError`` when an address cannot be listened on,
        ``KeyboardInterrupt`` at a second Ctrl-C. Where workers have a parent, also ``RuntimeError`` in another thread
        than the main one, and ``SystemExit`` when no worker could be started.
        """
        from .until_stopped import serve

        serve(self, app, sockets, started, ended)

    def hurried(self, grace: float) -> HTTPServer:
        """The same server for the reloader: one process, that waits for running requests at most ``grace`` seconds."""
        return replace(
            self,
            drain_timeout=min(grace, self.drain_timeout),
            workers=1,
            preload=False,
            max_requests=None,
            max_requests_jitter=0,
            max_hung=None,
            max_memory=None,
        )

    def _option_of(self, error: ListenError) -> str:
        if self.listen:
            return "listen"
        if self.unix_socket is not None:
            return "unix_socket"
        return error.about


server_runner = make_server_runner(HTTPServer, **KEYWORDS, advice=advice)
paste_server_runner = make_server_runner(
    HTTPServer, **KEYWORDS, defaults={"threads": 10}, unknown="warning", advice=advice
)
