"""``egg:wheatpaste#granian``: the app served by granian, threads in worker processes, from options of ours."""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ...config.factories import make_server_runner
from ...config.mounts import KeyProblem
from ...config.options import OptionError, component
from ...protocol.wsgi import WSGIApp
from ..advice import advice
from . import borrowed
from .borrowed import CERTIFICATES, EVERYWHERE, borrows, lacking, only, opened, require
from .front import Front
from .granian_app import GranianApp

_SMALLEST_HEAD = 8192
"""granian holds at least so much of a connection in memory, and refuses no head below it."""


@component
@borrows(
    *EVERYWHERE,
    *CERTIFICATES,
    *("workers", "max_memory", "max_request_head", "connections", "head_timeout"),
)
class GranianServer:
    """Serve through granian: threads in worker processes, on one address.

    The app is built before the workers are forked. SIGHUP starts workers anew, with the app that was built.
    """

    if TYPE_CHECKING:

        def __init__(self, **options: Any) -> None: ...

    ours = cached_property(borrowed.ours)
    addresses, prepare, urls, hurried = borrowed.addresses, borrowed.prepare, borrowed.urls, borrowed.hurried
    problems = borrowed.needs("granian")

    def __post_init__(self) -> None:
        if len(self.ours.tls_certificate) > 1:
            raise self._refusal("tls_certificate", "names several files, and granian takes one certificate")
        if self.ours.tls_client == "optional":
            raise self._refusal("tls_client", "cannot be optional with granian; write required, or remove it")

    def bind(self) -> list[socket.socket]:
        """Open the listening socket. Raises ``OptionError``, also where granian is not installed."""
        require("granian", self)
        return only(self, "granian")

    def serve(
        self,
        app: WSGIApp,
        *,
        sockets: Sequence[socket.socket] | None = None,
        started: Callable[[tuple[str, ...]], object] | None = None,
        ended: Callable[[], object] | None = None,
    ) -> None:
        """Serve ``app`` until SIGTERM or Ctrl-C; of several sockets the first counts.

        granian reads certificates itself, as the user who serves, whatever :meth:`prepare` has read before. Raises
        ``OptionError``, and ``SystemExit`` where a worker ended that was not told to.
        """
        require("granian", self)
        with opened(self, sockets) as (listener, *_):
            urls = self.urls([listener])
            front = Front(app, self.ours, limits_bodies=True)
            adapted = GranianApp(front, multiprocess=self.ours.workers > 1)
            try:
                server = self._server(listener)
            except OSError as error:
                what = f"cannot be read once more by granian, with its key ({error.strerror or error})"
                fix = "the user who serves must be allowed to read them"
                raise self._refusal("tls_certificate", f"{what}; {fix}") from error
            if started is not None:
                server.on_startup(lambda: started(urls))
            _run(server, adapted, ended)

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

        ours = self.ours
        certificate = ours.tls_certificate[0] if ours.tls_certificate else None
        return Listening(
            "wheatpaste",
            interface=Interfaces.WSGI,
            http=HTTPModes.http1,
            websockets=False,
            workers=ours.workers,
            blocking_threads=ours.threads,
            backlog=ours.backlog,
            backpressure=max(ours.connections, ours.threads),
            http1_settings=HTTP1Settings(
                header_read_timeout=max(1, math.ceil(ours.head_timeout * 1000)),
                max_buffer_size=max(_SMALLEST_HEAD, ours.max_request_head),
            ),
            workers_kill_timeout=max(1, math.ceil(ours.drain_timeout)),
            workers_max_rss=math.ceil(ours.max_memory / 1024**2) if ours.max_memory is not None else None,
            respawn_failed_workers=True,
            log_level=LogLevels.error,
            ssl_cert=certificate,
            ssl_key=ours.tls_key[0] if ours.tls_key else certificate,
            ssl_key_password=ours.tls_password,
            ssl_protocol_min=SSLProtocols.tls13 if ours.tls_minimum == "1.3" else SSLProtocols.tls12,
            ssl_ca=ours.tls_client_ca,
            ssl_crl=[ours.tls_client_crl] if ours.tls_client_crl else None,
            ssl_client_verify=ours.tls_client == "required",
        )

    def _refusal(self, name: str, what: str) -> OptionError:
        return OptionError(type(self).__name__, name, what)


def _run(server: Any, app: WSGIApp, ended: Callable[[], object] | None) -> None:
    """Serve until a signal comes. Raises ``SystemExit`` where a worker ended that was not told to."""
    # The app cannot be sent to a process that begins from nothing.
    multiprocessing.set_start_method("fork", force=True)
    process = os.getpid()

    def load() -> WSGIApp:
        # A worker that is told to end before it serves would do as its parent does: make a note, and go on.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if ended is not None:
            from multiprocessing.util import Finalize

            Finalize(None, ended, exitpriority=0)  # the process runs it when it ends
        return app

    try:
        server.serve(target_loader=load, wrap_loader=False)
    except SystemExit as stop:
        if os.getpid() != process or stop.code:
            raise


def _advice(values: Mapping[str, Any]) -> Iterable[KeyProblem]:
    yield from advice(values)
    if values.get("max_request_head", _SMALLEST_HEAD) < _SMALLEST_HEAD:
        yield KeyProblem("max_request_head", f"granian takes {_SMALLEST_HEAD} bytes", "make it 8KB or more")


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
    advice=_advice,
)
