"""``egg:wheatpaste#gunicorn``: the app served by gunicorn, with its threaded workers, from options of ours."""

from __future__ import annotations

import math
import os
import signal
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ...config.factories import make_server_runner
from ...config.mounts import KeyProblem
from ...config.options import component
from ...protocol.wsgi import WSGIApp
from ..advice import advice
from . import borrowed
from .borrowed import EVERYWHERE, TLS, borrows, lacking, opened, require
from .front import Front

if TYPE_CHECKING:
    import ssl

    from ..tls.handshake import Wraps

_LONGEST_LINE = 8190
"""gunicorn takes no longer request lines, and no larger number for them."""

_HEADER_POLICY = {"drop": "drop", "refuse": "refuse", "keep": "dangerous"}


@component
@borrows(
    *EVERYWHERE,
    *TLS,
    *("workers", "max_requests", "max_requests_jitter", "worker_timeout", "max_request_line", "max_header_fields"),
    *("connections", "keep_alive_timeout", "underscore_headers", "sendfile"),
)
class GunicornServer:
    """Serve through gunicorn: worker processes with threads, and one process that watches them.

    The app is built before the workers are forked. SIGHUP starts workers anew, with the app that was built.
    """

    if TYPE_CHECKING:

        def __init__(self, **options: Any) -> None: ...

    ours = cached_property(borrowed.ours)
    addresses, prepare, urls, hurried = borrowed.addresses, borrowed.prepare, borrowed.urls, borrowed.hurried
    problems = borrowed.needs("gunicorn")

    def __post_init__(self) -> None:
        _ = self.ours  # it knows what cannot stand together

    def bind(self) -> list[socket.socket]:
        """Open the listening sockets. Raises ``OptionError``, also where gunicorn is not installed."""
        require("gunicorn", self)
        return self.ours.bind()

    def serve(
        self,
        app: WSGIApp,
        *,
        sockets: Sequence[socket.socket] | None = None,
        started: Callable[[tuple[str, ...]], object] | None = None,
        ended: Callable[[], object] | None = None,
    ) -> None:
        """Serve ``app`` until SIGTERM or Ctrl-C. The sockets are gunicorn's from now on.

        In a worker this raises ``SystemExit`` when its work is done. Raises ``OptionError``, and ``SystemExit`` with
        another code than 0 where the workers cannot be started.
        """
        require("gunicorn", self)
        with opened(self, sockets) as listeners:
            urls = self.urls(listeners)
            front = Front(app, self.ours, limits_bodies=True, catches_exit=True, connection="gunicorn.socket")

            def ready(arbiter: Any) -> None:
                if started is not None:
                    started(urls)
                for each in listeners:  # gunicorn has descriptors of its own, which it closes when it stops accepting
                    each.close()

            def leave(arbiter: Any, worker: Any) -> None:
                if ended is not None:
                    ended()

            hooks = {"when_ready": ready, "post_fork": _begin_worker, "worker_exit": leave}
            application = _application(front, {**self._settings(listeners), **hooks})
            process = os.getpid()
            try:
                application.run()
            except SystemExit as stop:
                if os.getpid() != process or stop.code:
                    raise

    def _settings(self, sockets: Sequence[socket.socket]) -> dict[str, Any]:
        ours = self.ours
        wraps = ours.wraps()
        settings = {
            "bind": [f"fd://{os.dup(each.fileno())}" for each in sockets],
            "backlog": ours.backlog,
            "reuse_port": ours.reuse_port,
            "worker_class": "gthread",
            "threads": ours.threads,
            "workers": ours.workers,
            "worker_connections": max(ours.connections, ours.threads),
            "max_requests": ours.max_requests or 0,
            "max_requests_jitter": ours.max_requests_jitter,
            "timeout": math.ceil(ours.worker_timeout),
            "limit_request_line": min(ours.max_request_line, _LONGEST_LINE),
            "limit_request_fields": ours.max_header_fields,
            "keepalive": math.ceil(ours.keep_alive_timeout),
            "graceful_timeout": math.ceil(ours.drain_timeout),
            "header_map": _HEADER_POLICY[ours.underscore_headers],
            "sendfile": ours.sendfile,
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


def _advice(values: Mapping[str, Any]) -> Iterable[KeyProblem]:
    yield from advice(values)
    if values.get("max_request_line", 0) > _LONGEST_LINE:
        yield KeyProblem(
            "max_request_line", f"gunicorn takes {_LONGEST_LINE} bytes", f"make it {_LONGEST_LINE} or less"
        )


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
    advice=_advice,
)
