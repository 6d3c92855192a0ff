"""The page for developers: all that a record knows, and what matters of it first."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

from ....protocol.wsgi import Headers
from ..record import ErrorRecord, Pairs, Request
from .curl import curl_command
from .layout import MOST_EXCEPTIONS, Part, parts
from .links import Links
from .markdown import as_markdown
from .outline import moment, phase_of
from .room import Room
from .source import Sources
from .templates import static, template
from .text import as_text

_SHORT = 200  # characters of a message that stand in the heading, in at most
_LINES = 3
_CELL = 4_000  # characters of a value in a table
_ROW = 100  # bytes of markup around a row
_ROOM_FOR_TABLES = 100_000  # bytes
_ROOM_FOR_COPIES = 100_000
_COPY = 40_000  # characters of each
_LABELS = (("markdown", "Markdown"), ("text", "Text"), ("curl", "curl"))


def new_nonce() -> str:
    """What the page's one style and one script are known by; new for each page."""
    return secrets.token_urlsafe(16)


def page_headers(nonce: str) -> Headers:
    """The headers of every page with details: it loads nothing, runs its one script, and nobody keeps or frames it.

    ``X-Content-Type-Options`` is not among them, because every answer to a failure gets it.
    """
    policy = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )
    return [
        ("Content-Type", "text/html; charset=utf-8"),
        ("Content-Security-Policy", policy),
        ("Cache-Control", "no-store"),
        ("X-Frame-Options", "DENY"),
        ("Referrer-Policy", "no-referrer"),
        ("Cross-Origin-Opener-Policy", "same-origin"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
    ]


def debug_page(record: ErrorRecord, *, nonce: str, links: Links = Links()) -> str:  # noqa: B008 - it cannot be changed
    """The page, as a function of the record alone. It is below a megabyte, whatever the record holds."""
    top = parts(record)
    raised, request = record.raised, record.request
    message, is_cut = _heading(raised.message)
    room = Room(_ROOM_FOR_COPIES)
    copies = {
        "curl": room.cut(curl_command(record), _COPY),
        "text": room.cut(as_text(record), _COPY),
        "markdown": room.cut(as_markdown(record), _COPY),
    }
    return template("page.html").render(
        record=record,
        top=top,
        root=next((part for part in top.walk() if part.root), None),
        hidden=_hidden(top),
        omitted=record.omitted_exceptions + max(0, len(record.exceptions) - MOST_EXCEPTIONS),
        module=raised.type.removesuffix(raised.name),
        message=message,
        message_is_cut=is_cut,
        phase=phase_of(record.phase, sent=record.sent),
        moment=moment(record.time),
        address=request.url.partition("://")[2] or request.url if request else "",
        tables=_Tables(record),
        source=Sources(),
        copies=[(name, label, copies[name]) for name, label in _LABELS if copies[name]],
        editor=links.editor,
        errors=links.errors,
        console=links.console,
        replay=links.replay,
        nonce=nonce,
        style="".join(map(static, _styles(links))),
        script="".join(map(static, _scripts(links))),
    )


def _styles(links: Links) -> Iterator[str]:
    yield from ("colours.css", "page.css")
    if links.console is not None:
        yield "console.css"
    if links.replay is not None:
        yield "replay.css"


def _scripts(links: Links) -> Iterator[str]:
    yield "page.js"
    if links.console is not None:
        yield "console.js"
    if links.replay is not None:
        yield "replay.js"


def _heading(message: str) -> tuple[str, bool]:
    if len(message) <= _SHORT and message.count("\n") < _LINES:
        return message, False
    first = message.lstrip("\n").partition("\n")[0]
    return (first if len(first) <= _SHORT else first[:_SHORT]) + " …", True


def _hidden(top: Part) -> int:
    return sum(part.hidden for part in top.walk())


def _about(request: Request) -> Iterator[tuple[str, str]]:
    yield from (
        (name, text)
        for name, text in (
            (request.method or "URL", request.url),
            ("Mounted at", request.script_name),
            ("Path there", request.path_info if request.script_name else ""),
            ("Client", request.client),
            ("Peer", request.peer if request.peer != request.client else ""),
            ("User", request.user),
            ("Request id", request.request_id),
            ("Protocol", request.protocol),
            *(("Note", note) for note in request.notes),
        )
        if text
    )


class _Tables:
    """The tables below the traceback, with as many rows as there is room for."""

    def __init__(self, record: ErrorRecord) -> None:
        self._room = Room(_ROOM_FOR_TABLES)
        self.left_out = 0
        request = record.request or Request()
        self.about = self._bounded(tuple(_about(request)))
        self.query = self._bounded(request.query)
        self.form = self._bounded(request.form)
        self.cookies = self._bounded(request.cookies)
        self.headers = self._bounded(request.headers)
        process = (("Thread", record.thread), ("Process", str(record.pid or "")), ("Machine", record.host))
        self.versions = self._bounded((*record.versions, *process))
        self.config = self._bounded(record.config)
        self.environ = self._bounded(request.environ)

    def _bounded(self, pairs: Pairs) -> list[tuple[str, str]]:
        rows = []
        for name, text in pairs:
            if not self._room.takes(_ROW):
                self.left_out += 1
            elif name or text:
                rows.append((self._room.cut(name, 200, 40), self._room.cut(text, _CELL)))
        return rows
