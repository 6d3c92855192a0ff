"""Where AuthKit's methods ``forward`` and ``redirect`` let people sign in: pages of the site's own.

Stands around the app, inside of the filter. Where the app asks an anonymous browser for a login, ``Redirect`` sends it
to another address, and ``Forward`` calls the app once more for the path of its own login page, whose reply goes out in
place of the first. A program that asks gets what the app has answered, with the filter's challenges.
``Forward`` writes ``paste.recursive.old_path_info`` and ``paste.recursive.previous_environ``.
"""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlencode

from ....protocol.bodies import BodyRefused, SpooledBody, content_length, on_close
from ....protocol.wsgi import Body, Environ, Headers, StartResponse, WSGIApp
from ..answers import see_other
from ..asker import navigates
from ..auth import VISIT
from ..interception import Interception, Reply
from ..refusals import here
from ..visit import Visit

_MOST_REPLAYED = 64 * 1024
"""Bytes of a form that the login page gets to see as well: of the login form itself, which may be sent to any path."""


class Redirect:
    """Sends anonymous browsers to ``url``, with the page that they wanted as ``next``."""

    def __init__(self, app: WSGIApp, url: str, statuses: Collection[str]) -> None:
        self._app = app
        self._url = url
        self._statuses = frozenset(statuses)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Body:
        """Call the app; its reply, or a redirection in its place."""
        visit: Visit | None = environ.get(VISIT)
        if visit is None or visit.identity is not None or not navigates(environ):
            return self._app(environ, start_response)

        def decide(status: str, headers: Headers) -> Reply | None:
            return see_other(self._location(visit)) if status[:3] in self._statuses else None

        return Interception(environ, start_response, decide, _same).run(self._app)

    def _location(self, visit: Visit) -> str:
        mark = "&" if "?" in self._url else "?"
        return f"{self._url}{mark}{urlencode({'next': here(visit)})}"


class Forward:
    """Shows anonymous browsers the app's own page at ``path`` where the app asks for a login."""

    def __init__(self, app: WSGIApp, path: str, statuses: Collection[str]) -> None:
        self._app = app
        self._path = path
        self._statuses = frozenset(statuses)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Body:
        """Call the app; its reply, or that to a second call."""
        visit: Visit | None = environ.get(VISIT)
        if visit is None or visit.identity is not None or visit.path == self._path or not navigates(environ):
            return self._app(environ, start_response)
        spool = _spooled(environ)
        first = environ.copy() if spool is None else spool.replay(environ)

        def decide(status: str, headers: Headers) -> Reply | None:
            return _Second(self._app, environ, spool, self._path) if status[:3] in self._statuses else None

        if spool is None:
            return Interception(first, start_response, decide, _same).run(self._app)
        try:
            body = Interception(first, start_response, decide, _same).run(self._app)
        except BaseException:
            spool.close()
            raise
        return on_close(environ, body, spool.close)


class _Second:
    """The second call of the app, made when the first reply is out of the way."""

    def __init__(self, app: WSGIApp, environ: Environ, spool: SpooledBody | None, path: str) -> None:
        self._app = app
        self._environ = environ
        self._spool = spool
        self._path = path

    def send(self, environ: Environ, start_response: StartResponse, further: Headers | None = None) -> Body:
        """Call the app for the login page; its body as it makes it."""
        second = self._environ.copy() if self._spool is None else self._spool.replay(self._environ)
        old = second.get("paste.recursive.old_path_info", [])
        second["paste.recursive.old_path_info"] = [*old, self._environ.get("PATH_INFO", "")]
        second["paste.recursive.previous_environ"] = self._environ
        second["PATH_INFO"] = self._path
        # The path that the server was asked for says nothing of this call.
        for key in ("REQUEST_URI", "RAW_URI"):
            second.pop(key, None)
        return self._app(second, start_response)


def _spooled(environ: Environ) -> SpooledBody | None:
    """The form that came along, if it is short enough to be read twice."""
    try:
        length = content_length(environ)
        if not length or length > _MOST_REPLAYED or environ.get("HTTP_TRANSFER_ENCODING"):
            return None
        return SpooledBody.receive(environ, limit=_MOST_REPLAYED)
    except BodyRefused:
        return None  # the app will meet the same, and answers


def _same(headers: Headers) -> Headers:
    return headers
