"""``egg:wheatpaste#gunicorn``: the app served by gunicorn, with its threaded workers, from options of ours."""

from __future__ import annotations

import math
import os
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ...config.factories import make_server_runner
from ...config.options import component
from ...config.values import Imported, Seconds, Size
from ...protocol.wsgi import WSGIApp
from ..listeners import Address
from .borrowed import as_in_ours, forget_activation, lacking, ours_with_options_of, require
from .front import Front

if TYPE_CHECKING:
    import ssl

    from ..http_server import HTTPServer
    from ..tls.handshake import Wraps

_HEADER_POLICY = {"drop": "drop", "refuse": "refuse", "keep": "dangerous"}


@component
class GunicornServer:
    """Serve through gunicorn: worker processes with threads, and one process that watches them.

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
    workers: int = as_in_ours("workers")
    max_requests: int | None = as_in_ours("max_requests")
    max_requests_jitter: int = as_in_ours("max_requests_jitter")
    worker_timeout: Seconds = as_in_ours("worker_timeout")
    max_request_line: Size = as_in_ours("max_request_line")
    max_header_fields: int = as_in_ours("max_header_fields")
    max_body: Size = as_in_ours("max_body")
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
    underscore_headers: Literal["drop", "refuse", "keep"] = as_in_ours("underscore_headers")
    sendfile: bool = as_in_ours("sendfile")

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
        """Open the listening sockets. Raises ``OptionError``, also where gunicorn is not installed."""
        require("gunicorn", self)
        return self.ours.bind()

    def urls(self, sockets: Sequence[socket.socket]) -> tuple[str, ...]:
        """The URLs that open what these sockets serve."""
        return self.ours.urls(sockets)

    def hurried(self, grace: float) -> GunicornServer:
        """The same server, that at its end waits for running requests no longer than ``grace`` seconds."""
        return replace(self, drain_timeout=min(grace, self.drain_timeout))

    def serve(
        self,
        app: WSGIApp,
        *,
        sockets: Sequence[socket.socket] | None = None,
        started: Callable[[tuple[str, ...]], object] | None = None,
    ) -> None:
        """Serve ``app`` until SIGTERM or Ctrl-C. The sockets are gunicorn's from now on.

        In a worker this raises ``SystemExit`` when its work is done. Raises ``OptionError``, and ``SystemExit`` with
        another code than 0 where the workers cannot be started.
        """
        require("gunicorn", self)
        opened = list(sockets) if sockets is not None else self.ours.bind()
        urls = self.ours.urls(opened)
        forget_activation()
        front = Front(app, self.ours, limits_bodies=True, catches_exit=True, connection="gunicorn.socket")

        def ready(arbiter: Any) -> None:
            if started is not None:
                started(urls)
            for each in opened:  # gunicorn has its own descriptors of them, and closes those when it stops accepting
                each.close()

        hooks = {"when_ready": ready, "post_fork": _begin_worker}
        application = _application(front, {**self._settings(opened), **hooks})
        process = os.getpid()
        try:
            application.run()
        except SystemExit as stop:
            if os.getpid() != process or stop.code:
                raise

    def _settings(self, sockets: Sequence[socket.socket]) -> dict[str, Any]:
        wraps = self.ours.wraps()
        settings = {
            "bind": [f"fd://{os.dup(each.fileno())}" for each in sockets],
            "backlog": self.backlog,
            "reuse_port": self.reuse_port,
            "worker_class": "gthread",
            "threads": self.threads,
            "workers": self.workers,
            "worker_connections": max(self.connections, self.threads),
            "max_requests": self.max_requests or 0,
            "max_requests_jitter": self.max_requests_jitter,
            "timeout": math.ceil(self.worker_timeout),
            "limit_request_line": min(self.max_request_line, 8190),
            "limit_request_fields": self.max_header_fields,
            "keepalive": math.ceil(self.keep_alive_timeout),
            "graceful_timeout": math.ceil(self.drain_timeout),
            "header_map": _HEADER_POLICY[self.underscore_headers],
            "sendfile": self.sendfile,
            # Whom to believe is decided in front of the app, in one way for every server.
            "forwarded_allow_ips": "",
            "secure_scheme_headers": {},
            "forwarder_headers": "",
            "control_socket_disable": True,
            "loglevel": "warning",
            "preload_app": True,
        }
        if wraps is not None:
            context = _Context(wraps)
            # It counts as TLS when it has a file's name; the context says everything else.
            settings |= {"certfile": os.devnull, "ssl_context": lambda config, default: context}
        return settings


def _begin_worker(arbiter: Any, worker: Any) -> None:
    # One that is told to end before it serves would do as its parent does: make a note, and go on.
    for number in (signal.SIGTERM, signal.SIGQUIT, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)


class _Context:
    """What gunicorn asks of an ``ssl.SSLContext``, with the certificates that count when a connection comes."""

    def __init__(self, wraps: Wraps) -> None:
        self._wraps = wraps

    def wrap_socket(self, sock: socket.socket, **how: bool) -> ssl.SSLSocket:
        return self._wraps.wrap_socket(sock, server_side=True, do_handshake_on_connect=how["do_handshake_on_connect"])


def _application(app: WSGIApp, settings: Mapping[str, Any]) -> Any:
    from gunicorn.app.base import BaseApplication

    class Application(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
        def load_config(self) -> None:
            for name, value in settings.items():
                if name in self.cfg.settings:  # older versions have no control socket
                    self.cfg.set(name, value)

        def load(self) -> WSGIApp:
            return app

    return Application()


_STREAMS = "bodies come to the app as the client sends them"

server_runner = make_server_runner(
    GunicornServer,
    ignored=lacking(
        GunicornServer,
        "gunicorn",
        {
            "max_request_head": "gunicorn limits each header field to 8190 bytes, and their number: max_header_fields",
            "body_memory": _STREAMS,
            "body_grace": _STREAMS,
            "body_rate": _STREAMS,
            "stream_uploads": _STREAMS,
            "output_memory": "the app waits for its client in any case",
            "ident": "gunicorn names itself in the Server header",
            "preload": "the app is always built before the workers are forked",
            "max_hung": "gunicorn watches workers, not threads",
            "hung_after": "gunicorn watches workers, not threads",
            "request_timeout": "gunicorn watches workers, not requests",
            "control_socket": "`wheatpaste ctl` speaks to our own server alone",
            "proxy_protocol": "let the proxy send X-Forwarded-For, and name it in trusted_proxies",
        },
    ),
)
