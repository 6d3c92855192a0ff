"""The pages of an inbox: a list, each group, each error, the same for tools, and what may be done with a group.

They stand wherever they are mounted. Nobody is shown anything before ``allow`` has agreed, and nothing changes but by
a form of these very pages. Reads ``SCRIPT_NAME``, ``PATH_INFO``, ``QUERY_STRING`` and what ``protocol.csrf`` reads;
writes no environ keys.

==========================  =============================================================
``/``                       the list; ``?state=``, ``?q=`` and ``?window=`` say of what
``/index.json``, ``.md``    the same for tools
``/latest``                 leads to the last error; also ``.md`` and ``.json``
``/ID``                     an error as a page (or text, by ``Accept``); ``.md``, ``.json``, ``.txt``
``/E-7K3QX``                a group, with the errors of it that are kept; ``.md``, ``.json``
``/ID/source``              more lines around a frame: ``?frame=0.3&all=function``
==========================  =============================================================
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from ....protocol.answer import Answer
from ....protocol.csrf import Forms, Tokens, intrusion
from ....protocol.hosts import read_host
from ....protocol.negotiate import CONTENT_TYPES, Form
from ....protocol.paths import uri_path
from ....protocol.wsgi import Body, Environ, Headers, StartResponse
from ...storage.store import StoreError
from ..answer import wanted
from ..record import ErrorRecord
from ..render.links import Links
from .faces import group_data, group_markdown, list_data, list_markdown, list_text, occurrence_data
from .groups import Group, State, named
from .keeper import Inbox
from .selection import Selection, selection_of
from .sources import NoSource, source_lines

logger = logging.getLogger(__name__)

_HERE = re.compile(r"/(?P<name>[A-Za-z0-9-]{1,20})(?P<suffix>\.md|\.json|\.txt)?")
_ACTION = re.compile(r"/(?P<name>[A-Za-z0-9-]{1,20})/(?P<action>resolve|ignore|open|delete)")
_SOURCE = re.compile(r"/(?P<name>[A-Za-z0-9-]{1,20})/source")
_STATES: dict[str, State] = {"resolve": "resolved", "ignore": "ignored", "open": "open"}
_SUFFIXES: dict[str, Form] = {".md": "markdown", ".json": "json", ".txt": "text"}
_LARGEST_FORM = 4096

_OK = "200 OK"
_NOT_FOUND = "404 Not Found"
_TEXT = CONTENT_TYPES["text"]
_VARY = ("Vary", "Accept, Sec-Fetch-Dest")

Allow = Callable[[Environ], str | None]
"""Says why somebody may not see the pages, as a sentence, or None."""

LinksOf = Callable[[str, ErrorRecord], Links]
"""What an error's page leads to; is given the address of these pages, and the record."""


class InboxPages:
    """A WSGI app that shows an inbox to whom ``allow`` lets in.

    ``links`` makes what the pages of errors lead to.
    """

    def __init__(
        self,
        inbox: Inbox,
        allow: Allow,
        *,
        links: LinksOf | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._inbox = inbox
        self._allow = allow
        self._links = links or (lambda errors, record: Links(errors=errors))
        self._clock = clock
        self._forms = Forms(Tokens(lambda: inbox.secret, purpose="inbox", clock=clock), cookie="wheatpaste.errors")

    def __call__(self, environ: Environ, start_response: StartResponse) -> Body:
        """Answer a request below the mount."""
        answer = self.answer(environ)
        headers = [*answer.headers, *_guards(answer.headers), ("Content-Length", str(len(answer.body)))]
        start_response(answer.status, headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [answer.body]

    def answer(self, environ: Environ) -> Answer:
        """The whole answer, but for the headers that all of them have."""
        refusal = self._allow(environ) or intrusion(environ)
        if refusal is not None:
            logger.info("the errors are not shown: %s", refusal)
            return _text("403 Forbidden", f"The errors are not shown here: {refusal}.\n")
        try:
            return self._route(environ)
        except StoreError as error:
            logger.error("the inbox cannot be used: %s", error)
            return _text("503 Service Unavailable", f"The inbox cannot be used: {error}.\n")

    def _route(self, environ: Environ) -> Answer:
        path: str = environ.get("PATH_INFO", "")
        method = environ["REQUEST_METHOD"]
        action = _ACTION.fullmatch(path)
        if action is not None or path == "/clear":
            if method != "POST":
                return _text("405 Method Not Allowed", "Only a form of these pages does that.\n", [("Allow", "POST")])
            return self._act(environ, action)
        if method not in ("GET", "HEAD"):
            return _text("405 Method Not Allowed", "These pages are only read.\n", [("Allow", "GET, HEAD")])
        if path == "":
            # Or addresses on the page would lead beside it.
            return _text("301 Moved Permanently", "", [("Location", f"{_mount(environ)}/")])
        if path == "/":
            return self._list(environ, wanted(environ))
        source = _SOURCE.fullmatch(path)
        if source is not None:
            return self._source(environ, source["name"])
        here = _HERE.fullmatch(path)
        if here is None:
            return _nothing(environ)
        form = _SUFFIXES[here["suffix"]] if here["suffix"] else None
        if here["name"] == "index":
            return self._list(environ, form or wanted(environ))
        if here["name"] == "latest":
            return self._latest(environ, form)
        return self._one(environ, here["name"], form or wanted(environ))

    # --- looking ---

    def _list(self, environ: Environ, form: Form) -> Answer:
        everything = self._inbox.groups()
        chosen = selection_of(environ.get("QUERY_STRING", ""))
        groups = chosen.of(everything)
        if form == "json":
            return _json(list_data(groups, everything))
        if form != "html":
            now = self._clock()
            text = list_markdown(groups, now) if form == "markdown" else list_text(groups, now)
            return _answer(_OK, text, CONTENT_TYPES[form], [_VARY])
        from .html import list_page

        return self._page(
            environ,
            lambda nonce, token: list_page(
                groups,
                everything,
                chosen,
                now=self._clock(),
                kept=self._inbox.place,
                site=str(read_host(environ.get("HTTP_HOST", "")) or ""),
                nonce=nonce,
                token=token,
            ),
        )

    def _latest(self, environ: Environ, form: Form | None) -> Answer:
        record = self._inbox.latest()
        if record is None:
            return _nothing(environ, "There is no error here.")
        if form is not None:
            return self._record(environ, record, form)
        return _text("302 Found", f"{record.id}\n", [("Location", record.id)])

    def _one(self, environ: Environ, name: str, form: Form) -> Answer:
        group = self._inbox.group(name)
        if group is None or group.id == named(name):
            return self._group(environ, group, form)
        record = self._inbox.find(name)
        return _nothing(environ) if record is None else self._record(environ, record, form)

    def _group(self, environ: Environ, group: Group | None, form: Form) -> Answer:
        if group is None:
            return _nothing(environ)
        occurrences = self._inbox.occurrences(group.id)
        now = self._clock()
        if form == "json":
            return _json({**group_data(group), "occurrences": [occurrence_data(each) for each in occurrences]})
        if form == "html":
            from .html import group_page

            return self._page(
                environ, lambda nonce, token: group_page(group, occurrences, now=now, nonce=nonce, token=token)
            )
        record = self._inbox.find(group.id)
        if form == "text":
            from ..render.text import as_text

            return _answer(_OK, list_text([group], now) + (f"\n{as_text(record)}" if record else ""), _TEXT, [_VARY])
        from ..render.markdown import as_markdown

        text = group_markdown(group, now) + (as_markdown(record) if record else "")
        return _answer(_OK, text, CONTENT_TYPES["markdown"], [_VARY])

    def _record(self, environ: Environ, record: ErrorRecord, form: Form) -> Answer:
        if form == "json":
            return _json(record.to_data())
        if form == "html":
            from ..render.page import debug_page, new_nonce, page_headers

            nonce = new_nonce()
            page = debug_page(record, nonce=nonce, links=self._links(_mount(environ), record))
            return Answer(status=_OK, headers=[*page_headers(nonce), _VARY], body=page.encode("utf-8", "replace"))
        if form == "markdown":
            from ..render.markdown import as_markdown

            return _answer(_OK, as_markdown(record), CONTENT_TYPES["markdown"], [_VARY])
        from ..render.text import as_text

        return _answer(_OK, as_text(record), _TEXT, [_VARY])

    def _source(self, environ: Environ, name: str) -> Answer:
        asked = dict(parse_qsl(environ.get("QUERY_STRING", "")[:200]))
        record = self._inbox.find(name)
        if record is None:
            return _nothing(environ)
        try:
            lines = source_lines(record, asked.get("frame", ""), "file" if asked.get("all") == "file" else "function")
        except NoSource as error:
            return _json({"error": str(error)}, _NOT_FOUND)
        return _json({"lines": [{"number": line.number, "text": line.text} for line in lines]})

    def _page(self, environ: Environ, make: Callable[[str, str], str]) -> Answer:
        from ..render.page import new_nonce
        from .html import list_headers

        nonce = new_nonce()
        token, cookies = self._forms.issue(environ)
        headers = [*list_headers(nonce), *cookies, _VARY]
        return Answer(status=_OK, headers=headers, body=make(nonce, token).encode("utf-8", "replace"))

    # --- acting ---

    def _act(self, environ: Environ, action: re.Match[str] | None) -> Answer:
        fields = _fields(environ)
        if fields is None:
            return _text("400 Bad Request", "This is no form of these pages.\n")
        refusal = self._forms.refusal(environ, fields.get("token"))
        if refusal is not None:
            logger.warning("a form was refused: %s", refusal)
            return _text("403 Forbidden", f"The form is not taken: {refusal}. Open the page again.\n")
        if action is None:
            self._inbox.clear()
            return _see_other("./")
        name = action["name"]
        if action["action"] == "delete":
            self._inbox.clear(name)
            return _see_other("../")
        if not self._inbox.mark(name, _STATES[action["action"]]):
            return _nothing(environ)
        return _see_other(f"../{name}" if fields.get("back") == "group" else f"../{_list_query(fields)}")


def _list_query(fields: dict[str, str]) -> str:
    """The list as it was; what came with the form is read as any other query."""
    chosen: Selection = selection_of(fields.get("list", ""))
    return chosen.query().removeprefix("./")


def _fields(environ: Environ) -> dict[str, str] | None:
    """What a form says, or None for what no form of ours sends."""
    kind = environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
    length = environ.get("CONTENT_LENGTH") or "0"
    if kind != "application/x-www-form-urlencoded" or not (length.isascii() and length.isdecimal()):
        return None
    if len(length) > 9 or not 0 < int(length) <= _LARGEST_FORM:
        return None
    sent: bytes = environ["wsgi.input"].read(int(length))
    return dict(parse_qsl(sent.decode("utf-8", "replace"), max_num_fields=None))


def _mount(environ: Environ) -> str:
    """The address of the pages, as a path that leads to no other site."""
    mount = environ.get("SCRIPT_NAME", "").rstrip("/")
    # At the root there is a dot, because addresses are made by adding a slash, and two would lead to another host.
    return uri_path(f"/{mount.lstrip('/')}") if mount.lstrip("/") else "/."


def _guards(given: Headers) -> Headers:
    """What every answer has: nobody keeps, frames, guesses at or embeds it."""
    names = {name for name, _ in given}
    guards = (
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
        ("X-Frame-Options", "DENY"),
        ("Referrer-Policy", "no-referrer"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
        ("Content-Security-Policy", "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"),
    )
    return [pair for pair in guards if pair[0] not in names]


def _answer(status: str, text: str, kind: str, headers: Headers | None = None) -> Answer:
    return Answer(
        status=status, headers=[("Content-Type", kind), *(headers or ())], body=text.encode("utf-8", "replace")
    )


def _text(status: str, text: str, headers: Headers | None = None) -> Answer:
    return _answer(status, text, _TEXT, headers)


def _json(data: Any, status: str = _OK) -> Answer:
    return _answer(status, json.dumps(data) + "\n", CONTENT_TYPES["json"], [_VARY])


def _nothing(
    environ: Environ, what: str = "There is no such error here. The oldest ones go when new ones come."
) -> Answer:
    if wanted(environ) != "html":
        return _text(_NOT_FOUND, f"{what}\n", [_VARY])
    from ..render.page import new_nonce
    from .html import list_headers, nothing_page

    nonce = new_nonce()
    page = nothing_page(what, errors=f"{_mount(environ)}/", nonce=nonce)
    return Answer(status=_NOT_FOUND, headers=[*list_headers(nonce), _VARY], body=page.encode())


def _see_other(place: str) -> Answer:
    return _text("303 See Other", "", [("Location", place)])
