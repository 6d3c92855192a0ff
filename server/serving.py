"""``from wheatpaste import serve``: serve an app from Python, with the keywords of older servers, too."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..config.options import OptionError
from ..config.translation import translate
from ..config.values import parse_bool
from ..protocol.wsgi import WSGIApp
from .http_server import HTTPServer, server_runner
from .listeners import close_listeners, remove_socket_files, socket_files

if TYPE_CHECKING:
    from .engine import Engine

log = logging.getLogger(__name__)

SocketOptions = Iterable[tuple[int, int, int]]
"""What ``socket.setsockopt`` takes: level, option and value."""

_PLACES = ("host", "port", "listen", "unix_socket")


class BoundServer:
    """A server that listens, and answers once :meth:`serve_forever` is called. The attributes are those of Paste's.

    ``server_address`` is host and port of the first socket, or the path of a UNIX socket.
    """

    def __init__(
        self, component: HTTPServer, app: WSGIApp, sockets: Sequence[socket.socket], *, owned: bool = True
    ) -> None:
        self.component = component
        self.sockets = tuple(sockets)
        self.urls = component.urls(self.sockets)
        name = self.sockets[0].getsockname()
        self.server_address: tuple[str, int] | str = name[:2] if isinstance(name, tuple) else name
        self._app = app
        self._owned = owned
        self._files = socket_files(self.sockets)
        self._engine: Engine | None = None
        self._closed = False
        self._lock = threading.Lock()

    @property
    def server_port(self) -> int | None:
        """The port of the first socket; None for a UNIX socket."""
        return self.server_address[1] if isinstance(self.server_address, tuple) else None

    def serve_forever(self) -> None:
        """Answer requests until :meth:`server_close`; in the main thread also until SIGTERM or Ctrl-C."""
        try:
            if self.component.has_parent:
                self.component.serve(self._app, sockets=self.sockets)
                return
            with self._lock:
                if self._closed:
                    return
                self._engine = self.component.engine(self._app, self.sockets)
            log.info("serving on %s", ", ".join(self.urls))
            self._engine.run()
        finally:
            self._closed = True
            self._release()

    def server_close(self) -> None:
        """Take no more connections: running requests finish, then :meth:`serve_forever` returns. Any thread may ask."""
        with self._lock:
            self._closed = True
            engine = self._engine
        if engine is None:
            self._release()
        else:
            engine.stop()

    def _release(self) -> None:
        if self._owned:
            close_listeners(self.sockets)
            remove_socket_files(self._files)


def serve(
    app: WSGIApp,
    *,
    start_loop: bool | str = True,
    sockets: Sequence[socket.socket] | None = None,
    socket_options: SocketOptions = (),
    threadpool_options: Mapping[str, Any] | None = None,
    **options: Any,
) -> BoundServer:
    """Serve an app until SIGTERM or Ctrl-C: ``serve(app, port=8080, threads=8)``.

    ``options`` are those of :class:`HTTPServer`, or the keywords of ``paste.httpserver.serve()`` and of Waitress; text
    counts as it would in an INI file (``max_body="16MB"``). With ``start_loop=False`` it returns at once with a server
    that listens already. ``sockets`` are listening sockets that were opened before, and stay the caller's;
    ``socket_options`` are set on them, and so on the connections that they accept. Raises ``OptionError`` for a wrong
    option, for two that contradict each other, and for an address that cannot be listened on.
    """
    given = {**options, **_pool_options(threadpool_options or {}, options)}
    if sockets:
        for name in _PLACES:
            if given.get(name) is not None:
                raise OptionError(HTTPServer.__name__, name, "cannot stand beside sockets; remove one of them")
    values, remarks = translate(server_runner.reader, given)
    component = HTTPServer(**values)
    for key, remark in remarks.items():
        log.warning("%s: %s", key, remark)
    for note in component.prepare():
        log.info("%s", note)
    opened = list(sockets) if sockets else component.bind()
    for each in opened:
        for level, number, value in socket_options:
            each.setsockopt(level, number, value)
    server = BoundServer(component, app, opened, owned=not sockets)
    if parse_bool(start_loop) if isinstance(start_loop, str) else start_loop:
        server.serve_forever()
    return server


def _pool_options(pool: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """What stands in Paste's dictionary, under the names that an INI has for it."""
    named = {key if key.startswith("threadpool_") else f"threadpool_{key}": value for key, value in pool.items()}
    for key in named:
        if key in options:
            raise OptionError(HTTPServer.__name__, key, "stands in threadpool_options, too; remove one of them")
    return named
