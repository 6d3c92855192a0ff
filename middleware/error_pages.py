"""Where the pages for errors come from: a path of the site, a file, or an app."""

from __future__ import annotations

import io
import logging
import os
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from ..config.values import import_object
from ..protocol.bodies import close_body, on_close
from ..protocol.headers import check_header
from ..protocol.wsgi import Body, Environ, ExcInfo, Headers, Write, WSGIApp

log = logging.getLogger(__name__)

_MODULE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")
_NOT_IN_A_PATH = re.compile(r"[\x00-\x20\x7f\\#]|[^\x00-\x7f]|^//|(?:^|/)\.\.?(?:[/?]|$)")


class Place(NamedTuple):
    """One of these: a path of the site with its query, a file, or an app and how it was written."""

    path: str = ""
    file: Path | None = None
    app: str | WSGIApp = ""


class Reply(NamedTuple):
    """What a page answered."""

    status: str
    headers: Headers
    body: Body


def read_place(text: str, folder: str | None = None) -> Place:
    """Read ``/path?query``, ``file:page.html`` (relative to ``folder``) or ``module:app``, without importing it.

    Raises ``ValueError`` with a phrase that says what to write.
    """
    text = text.strip()
    if text.startswith("/"):
        if _NOT_IN_A_PATH.search(text):
            raise ValueError("must be a path of the site, percent-encoded, such as /errors/404")
        return Place(path=text)
    if text.startswith("file:"):
        path = Path(os.path.join(folder or "", os.path.expanduser(text[5:].strip())))
        if not path.is_file():
            raise ValueError(f"there is no file {path}")
        return Place(file=path)
    if not _MODULE.fullmatch(text):
        raise ValueError("must be /path of the site, file:page.html, or module:app")
    return Place(app=text)


def names_an_app(text: str) -> bool:
    """Whether this is ``module:app``, whose module is imported when the page is made."""
    return _MODULE.fullmatch(text.strip()) is not None


def page_of(place: Place, site: WSGIApp) -> WSGIApp:
    """The app that answers with the page: ``site`` where the page is a path. Raises ``ValueError`` with a phrase."""
    if place.file is not None:
        return _File(place.file)
    if place.path:
        return site
    app: Any = place.app
    if isinstance(app, str):
        try:
            app = import_object(app)
        except (ImportError, AttributeError) as error:
            raise ValueError(f"cannot be imported ({type(error).__name__}: {error})") from error
    if not callable(app):
        raise ValueError(f"is a {type(app).__name__}, and no WSGI app")
    found: WSGIApp = app
    return found


class _File:
    """Answers with an HTML file, as it is now."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, environ: Environ, start_response: Any) -> Body:
        data = self._path.read_bytes()
        start_response("200 OK", [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(data)))])
        return [data]


def ask(app: WSGIApp, environ: Environ) -> Reply:
    """Call an app and wait for its first piece, so that its headers are there. Raises what the app raises.

    What it writes comes before what it returns. Raises ``RuntimeError`` if it never starts a reply, ``ValueError`` for
    headers that cannot be sent.
    """
    started: list[tuple[str, Headers]] = []
    written: list[bytes] = []

    def start_response(status: str, headers: Headers, exc_info: ExcInfo | None = None, /) -> Write:
        if started and exc_info is None:
            raise RuntimeError("start_response was called twice")
        for name, value in headers:
            check_header(name, value.strip(" \t"))  # or the server would refuse them, when the reply itself is gone
        started[:] = [(status, headers)]
        return written.append

    body = app(environ, start_response)
    try:
        pieces = iter(body)
        first: list[bytes] = []
        for piece in pieces:
            first.append(piece)
            if piece and started:
                break
        if not started:
            raise RuntimeError("no reply was started")
    except BaseException:
        close_body(body)
        raise
    whole: Iterator[bytes] = chain(written, first, pieces)
    return Reply(*started[0], on_close(environ, whole, lambda: close_body(body)))


def asking(environ: Environ, path: str) -> Environ:
    """The environ of a request for a page: GET, without a body and without conditions, at ``path`` if one is given."""
    child = {key: value for key, value in environ.items() if key not in _OF_THE_REQUEST}
    if environ.get("REQUEST_METHOD") != "HEAD":
        child["REQUEST_METHOD"] = "GET"
    child["CONTENT_LENGTH"] = "0"
    child["wsgi.input"] = io.BytesIO()
    if path:
        from urllib.parse import unquote_to_bytes

        path, _, query = path.partition("?")
        child["PATH_INFO"] = unquote_to_bytes(path).decode("latin-1")
        child["QUERY_STRING"] = query
    return child


# Its body, what it was conditional on, and the target as it was sent, which is not that of the page.
_OF_THE_REQUEST = frozenset(
    ["CONTENT_TYPE", "HTTP_IF_MATCH", "HTTP_IF_MODIFIED_SINCE", "HTTP_IF_NONE_MATCH", "HTTP_IF_RANGE"]
    + ["HTTP_IF_UNMODIFIED_SINCE", "HTTP_RANGE", "HTTP_TRANSFER_ENCODING", "HTTP_EXPECT", "REQUEST_URI", "RAW_URI"]
)
