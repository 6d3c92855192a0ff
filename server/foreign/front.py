"""What our own server does around an app, for servers that do not: proxies, limits of bodies, names and schemes.

Stands directly below the server. Writes ``wheatpaste.peer``, ``wsgi.url_scheme``, ``SCRIPT_NAME``, ``SERVER_NAME`` and
the keys of TLS where the options ask for it; removes forwarding headers that are not believed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ...protocol.bodies import BodyRefused, content_length
from ...protocol.peers import keep_peer, remove_forwarding
from ...protocol.wsgi import Body, Environ, StartResponse, WSGIApp
from ..http_server import HTTPServer
from .request_stream import read_as_file, too_large


class Front:
    """Wraps the app of ``ours``, the options in our words.

    ``limits_bodies`` where the server does not; ``takes_prefix`` where it does not; ``catches_exit`` where an app that
    calls ``sys.exit`` would end the server. ``connection`` is the environ's key for the socket, where it has one, and
    ``server_name`` what SERVER_NAME says unless the options do, where the server says something else.
    """

    def __init__(
        self,
        app: WSGIApp,
        ours: HTTPServer,
        *,
        limits_bodies: bool = False,
        takes_prefix: bool = True,
        catches_exit: bool = False,
        connection: str | None = None,
        server_name: str = "",
    ) -> None:
        settings = ours.settings()
        self._app = _without_exit(app) if catches_exit else app
        self._forwarding = settings.forwarding
        self._scheme = ours.url_scheme
        self._prefix = settings.url_prefix if takes_prefix else ""
        self._server_name = settings.server_name or server_name
        self._most = settings.limits.body if limits_bodies else None
        self._tls_environ = settings.tls_environ
        self._connection = connection

    def __call__(self, environ: Environ, start_response: StartResponse) -> Body:
        """Prepare the environ and call the app, or refuse the request."""
        keep_peer(environ)
        self._name(environ)
        if self._forwarding is None:
            remove_forwarding(environ)
        else:
            complaint = self._forwarding(environ)
            if complaint is not None:
                return _refuse(start_response, "400 Bad Request", complaint)
        if self._most is None:
            return self._app(environ, start_response)
        try:
            _limit(environ, self._most)
            return self._app(environ, start_response)
        except BodyRefused as refused:
            return _refuse(start_response, refused.status, str(refused))

    def _name(self, environ: Environ) -> None:
        if self._scheme is not None:
            environ["wsgi.url_scheme"] = self._scheme
        if self._server_name:
            environ["SERVER_NAME"] = self._server_name
        if self._prefix:
            path = environ.get("PATH_INFO", "")
            environ["SCRIPT_NAME"] = self._prefix
            if path == self._prefix or path.startswith(f"{self._prefix}/"):
                environ["PATH_INFO"] = path[len(self._prefix) :]
        if self._tls_environ is not None and self._connection is not None:
            connection = environ.get(self._connection)
            if hasattr(connection, "getpeercert"):
                environ.update(self._tls_environ(connection))


def _refuse(start_response: StartResponse, status: str, what: str) -> Body:
    body = f"{what}\n".encode()
    start_response(status, [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))])
    return [body]


def _limit(environ: Environ, most: int) -> None:
    """Refuse a body that is announced to be too large; count one whose length is not known. Raises ``BodyRefused``."""
    length = content_length(environ)
    if length is not None:
        if length > most:
            raise too_large(most)
    elif "HTTP_TRANSFER_ENCODING" in environ:
        read_as_file(environ, most)


def _without_exit(app: WSGIApp) -> WSGIApp:
    """The app, whose ``sys.exit`` is an error of this one request, in the call as in the body."""

    def call(environ: Environ, start_response: StartResponse) -> Body:
        body = _survive(lambda: app(environ, start_response))
        return body if isinstance(body, list | tuple) else _Surviving(body)

    return call


class _Surviving:
    def __init__(self, body: Body) -> None:
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        chunks = _survive(lambda: iter(self._body))
        while True:
            try:
                chunk = _survive(lambda: next(chunks))
            except StopIteration:
                return
            yield chunk

    def close(self) -> None:
        close = getattr(self._body, "close", None)
        if close is not None:
            _survive(close)


def _survive(step: Callable[[], Any]) -> Any:
    try:
        return step()
    except SystemExit as stop:
        raise RuntimeError(f"the app called sys.exit({stop.code!r})") from stop
