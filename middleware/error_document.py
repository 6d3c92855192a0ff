"""Answer errors with pages of the site: by status, from a file, from the app itself, or from another app.

Where in the stack: outside the filters and apps whose errors get the pages, inside request logs. A page is shown to
whoever would be shown HTML; an API's own error, and the details that developers see, stay what they are. The status
stays, and so does what a client acts on: ``WWW-Authenticate``, ``Retry-After``, ``Allow``, cookies, ids. Where a page
cannot be had the reply stays what it was.

A page is asked for by GET (HEAD for HEAD), in an environ of its own that says what was asked for: in
``wheatpaste.error_document``, whose presence also keeps a page's own error from getting a page, and as Apache does in
``REDIRECT_STATUS``, ``REDIRECT_URL``, ``REDIRECT_QUERY_STRING`` and ``REDIRECT_REQUEST_METHOD``. The environ has
``PATH_INFO``, ``QUERY_STRING``, ``REQUEST_METHOD``, ``CONTENT_LENGTH`` and ``wsgi.input`` of its own, and no condition.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import NamedTuple

from ..config.factories import make_filter_factory
from ..config.options import OptionError, component, option
from ..config.reader import Family
from ..protocol.bodies import close_body
from ..protocol.headers import split_list
from ..protocol.negotiate import wanted_form
from ..protocol.trace import DETAILS_SHOWN, Trace
from ..protocol.wsgi import Body, Environ, ExcInfo, Headers, StartResponse, Write, WSGIApp
from .error_pages import Place, Reply, ask, asking, names_an_app, page_of, read_place

log = logging.getLogger(__name__)

KEY = "wheatpaste.error_document"
_CODE = re.compile(r"[1-5](?:\d\d|xx)")
# RFC 9110: these have no body, or a part of one that headers describe. What is sent anyway would be the next reply.
_WITHOUT_PAGE = re.compile(r"1|204|205|206|304")
# What describes the body that goes, and what says how long it may be kept.
_OF_THE_BODY = frozenset(
    ["accept-ranges", "cache-control", "content-disposition", "content-encoding", "content-language", "content-length"]
    + ["content-location", "content-range", "content-security-policy", "content-type", "etag", "expires"]
    + ["last-modified", "transfer-encoding"]
)
# What a client acts on comes from whoever refused the request, never from the page; nor does a page send it elsewhere.
_OF_THE_STATUS = frozenset(
    ["allow", "location", "proxy-authenticate", "retry-after", "www-authenticate", "x-error-id", "x-request-id"]
)
_OF_THE_CONNECTION = frozenset(["connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"])


class _Page(NamedTuple):
    app: WSGIApp
    path: str


class _Held(NamedTuple):
    """A reply that is not started yet, because a page may take its place."""

    status: str
    headers: Headers
    exc_info: ExcInfo | None
    page: _Page


@component
class ErrorDocument:
    """Answer errors with pages of the site, which keep the status."""

    app: WSGIApp = field(kw_only=False)
    pages: Mapping[str, str | Place] = field(default_factory=dict, repr=False)
    everybody: bool = option(
        default=False,
        doc="Show the pages also to clients that did not ask for HTML, and in place of errors in JSON or XML.",
    )
    _pages: Mapping[str, _Page] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        pages = {}
        for code, text in self.pages.items():
            try:
                if not _CODE.fullmatch(code):
                    raise ValueError("is no status, such as 404 or 5xx")
                if _WITHOUT_PAGE.match(code):
                    raise ValueError(
                        "is a status whose reply has no body, or a part of one: no page can take its place"
                    )
                place = text if isinstance(text, Place) else read_place(text)
                pages[code] = _Page(page_of(place, self.app), place.path)
            except ValueError as error:
                raise OptionError("ErrorDocument", code, str(error)) from error
        object.__setattr__(self, "_pages", pages)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Body:
        """Call the app, and put a page in the place of an error that has one."""
        if KEY in environ or not self._pages:
            return self.app(environ, start_response)
        return _Exchange(self, environ, start_response).run()

    def page_for(self, status: str) -> _Page | None:
        """The page for a status: its own, or that of its class, if a reply of that status can have one."""
        if _WITHOUT_PAGE.match(status):
            return None
        return self._pages.get(status[:3]) or self._pages.get(f"{status[:1]}xx")

    def suits(self, headers: Headers, environ: Environ) -> bool:
        """Whether the client would rather see a page than this reply."""
        if DETAILS_SHOWN in Trace.of(environ).notes:
            return False
        if self.everybody:
            return True
        kind = next((value for name, value in headers if name.lower() == "content-type"), "text/html")
        if not kind.lower().startswith(("text/html", "text/plain", "application/xhtml")):
            return False
        return wanted_form(environ, ("text", "html", "json", "markdown")) == "html"


class _Exchange:
    """One request, until it is known whether a page answers it."""

    def __init__(self, documents: ErrorDocument, environ: Environ, start_response: StartResponse) -> None:
        self._documents = documents
        self._environ = environ
        # As it came: apps leave marks in theirs, and move paths.
        self._came = environ.copy()
        self._forward = start_response
        self._held: _Held | None = None
        self._started = False
        self._written: list[bytes] = []

    def run(self) -> Body:
        body = self._documents.app(self._environ, self._start_response)
        if self.holds:
            return self.settle(body)
        # Generators start their reply with their first piece.
        return body if self._started else _Unstarted(self, body)

    @property
    def holds(self) -> bool:
        """Whether a reply waits for its page."""
        return self._held is not None

    def _start_response(self, status: str, headers: Headers, exc_info: ExcInfo | None = None, /) -> Write:
        page = self._documents.page_for(status)
        # Who starts twice without exc_info hears of it from the server.
        if page is not None and (exc_info is not None or not self._started):
            headers = [*headers, ("Vary", "Accept")] if not self._documents.everybody else headers
            if self._documents.suits(headers, self._environ):
                self._held = _Held(status, headers, exc_info, page)
                return self._written.append
        self._held, self._started = None, True
        self._written.clear()
        return self._pass(status, headers, exc_info)

    def _pass(self, status: str, headers: Headers, exc_info: ExcInfo | None) -> Write:
        headers = _with_one_vary(headers)
        return self._forward(status, headers) if exc_info is None else self._forward(status, headers, exc_info)

    def settle(self, body: Body) -> Body:
        """Start the reply that was held: with its page, or as it was."""
        held, self._held = self._held, None
        if held is None:
            return body
        reply = self._ask(held)
        if reply is None:
            write = self._pass(held.status, held.headers, held.exc_info)
            for piece in self._written:
                write(piece)
            return body
        try:
            close_body(body)
            self._pass(held.status, merge(held.headers, reply.headers), held.exc_info)
        except BaseException:
            close_body(reply.body)
            raise
        if self._came.get("REQUEST_METHOD") == "HEAD":
            # Not every page minds it, nor every server; what is sent all the same is read as the next reply.
            close_body(reply.body)
            return []
        return reply.body

    def _ask(self, held: _Held) -> Reply | None:
        environ = self._came
        child = asking(environ, held.page.path)
        code, reason = held.status[:3], held.status[4:]
        child[KEY] = {
            "status": int(code),
            "reason": reason,
            "method": environ.get("REQUEST_METHOD", ""),
            "script_name": environ.get("SCRIPT_NAME", ""),
            "path_info": environ.get("PATH_INFO", ""),
            "query_string": environ.get("QUERY_STRING", ""),
        }
        child["REDIRECT_STATUS"] = code
        child["REDIRECT_URL"] = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
        child["REDIRECT_QUERY_STRING"] = environ.get("QUERY_STRING", "")
        child["REDIRECT_REQUEST_METHOD"] = environ.get("REQUEST_METHOD", "")
        trace = Trace.of(self._environ)
        mark = trace.mark()
        try:
            reply = ask(held.page.app, child)
        except Exception:
            log.exception("the page for %s could not be made", code)
            return None
        finally:
            trace.rollback(mark)  # the request's record is about what was asked for
        if reply.status[:1] != "2" and reply.status[:3] != code:
            log.error("the page for %s answered %s", code, reply.status)
            close_body(reply.body)
            return None
        return reply


class _Unstarted:
    """A body whose reply starts with its first piece; then it may turn out to be another one."""

    def __init__(self, exchange: _Exchange, body: Body) -> None:
        self._exchange = exchange
        self._body = body
        self._pieces: Iterator[bytes] | None = None
        self._settled = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._pieces is None:
            self._pieces = iter(self._body)
        if self._settled:
            return next(self._pieces)
        ended = False
        piece = b""
        try:
            piece = next(self._pieces)
        except StopIteration:
            ended = True
        if not self._exchange.holds:
            if ended:
                raise StopIteration
            return piece
        self._settled = True
        kept = self._body
        self._body = self._exchange.settle(kept)
        if self._body is kept:  # no page was to be had
            if ended:
                raise StopIteration
            return piece
        self._pieces = iter(self._body)
        return next(self._pieces)

    def close(self) -> None:
        close_body(self._body)


def merge(theirs: Headers, page: Headers) -> Headers:
    """The headers of an error with its page: those of the page, and of the error what is not about its body."""
    of_the_page = [pair for pair in page if pair[0].lower() not in _OF_THE_STATUS | _OF_THE_CONNECTION]
    replaced = {name.lower() for name, _ in of_the_page} - {"set-cookie", "vary"}
    kept = [pair for pair in theirs if pair[0].lower() not in _OF_THE_BODY and pair[0].lower() not in replaced]
    return _with_one_vary([*kept, *of_the_page])


def _with_one_vary(headers: Headers) -> Headers:
    values = [value for name, value in headers if name.lower() == "vary"]
    if len(values) < 2:
        return headers
    names = {name.lower(): name for value in values for name in split_list(value)}
    joined = "*" if "*" in names else ", ".join(names.values())
    return [*((name, value) for name, value in headers if name.lower() != "vary"), ("Vary", joined)]


_FAMILY = Family(
    name="pages",
    takes=lambda key: _CODE.fullmatch(key) is not None,
    parse=read_place,
    key="404, 4xx, …",
    kind="page",
    doc="The page for a status or a class of them: a path of the site, file:page.html, or module:app.",
    sample=("404", "/errors/404"),
    objects=lambda text: [text.strip()] if names_an_app(text) else [],
)


filter_factory = make_filter_factory(ErrorDocument, family=_FAMILY)
paste_filter_factory = make_filter_factory(
    ErrorDocument, family=_FAMILY, defaults={"everybody": True}, unknown="warning"
)
