"""Show the request as it arrived: what servers, proxies and filters make of it, and a known answer in tests.

Nothing of the request is shown unescaped or gets into a header; values that look like secrets are shown as their size.
Writes no environ keys.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

from ..config.factories import make_app_factory
from ..config.options import at_least, component, option
from ..config.records import field
from ..config.values import Seconds, Size
from ..protocol.bodies import BodyRefused, SpooledBody
from ..protocol.negotiate import CONTENT_TYPES, wanted_form
from ..protocol.paths import script_name, text_path
from ..protocol.redact import redact_pairs
from ..protocol.secret_texts import redact_text
from ..protocol.wsgi import Body, Environ, Headers, StartResponse
from .answers import TEXT, answer, bad_request
from .pages import CONTENT_SECURITY_POLICY, render

_BLOCK = 64 * 1024
_MOST_CHUNKS = 10_000
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_NUMBER = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,6})?")


class _Refused(ValueError):
    """What the client asked for in the query cannot be done; the text is the answer."""


@component
class Echo:
    """Answer with the request, as HTML, JSON or text.

    The query decides on another answer: ``?status=404``; ``?delay=2`` seconds before it; ``?size=100000`` bytes instead
    of the page; ``?stream=10`` lines one by one, with ``delay`` between them; ``?body`` for the request's own body; and
    where ``debug`` is on, ``?raise=message`` to raise an exception.
    """

    debug: bool = option(default=False, doc="Let requests raise exceptions with ?raise=.", inherits=True)
    max_delay: Seconds = option(
        default=10.0, doc="The longest that a request may make the answer last.", check=at_least(0)
    )
    max_size: Size = option(
        default=10 * 1024 * 1024,
        doc="The largest body that is received, and that ?size= may ask for.",
        check=at_least(0),
    )
    sleep: Callable[[float], object] = field(default=time.sleep, repr=False)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Body:
        """Answer any method."""
        query = dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True))
        try:
            if "raise" in query:
                if not self.debug:
                    raise _Refused("?raise= works only where debug = true is set.")
                wanted = RuntimeError(query["raise"] or "raised because the request asked for it")
                wanted.add_note("?raise= asked for this")  # so that nobody takes it for a mistake of ours
                raise wanted
            status = _status(query)
            chunks = int(_number(query, "stream", _MOST_CHUNKS))
            size = int(_number(query, "size", self.max_size))
            delay = _number(query, "delay", self.max_delay)
            if delay * max(chunks, 1) > self.max_delay:
                raise _Refused(f"All delays together may last {self.max_delay:g} seconds.")
            received = SpooledBody.receive(environ, limit=self.max_size)
        except _Refused as error:
            return bad_request(environ, start_response, str(error))
        except BodyRefused as error:
            return answer(environ, start_response, error.status, f"{error}\n".encode())
        try:
            if status.split()[0] in ("204", "205", "304"):
                self.sleep(delay)
                start_response(status, [] if not status.startswith("205") else [("Content-Length", "0")])
                return []
            if "stream" in query:
                start_response(status, [("Content-Type", TEXT), *_COMMON])
                return [] if environ["REQUEST_METHOD"] == "HEAD" else self._lines(chunks, delay)
            if delay:
                self.sleep(delay)
            if "size" in query:
                headers = [("Content-Type", "application/octet-stream"), ("Content-Length", str(size)), *_COMMON]
                start_response(status, headers)
                return [] if environ["REQUEST_METHOD"] == "HEAD" else _filling(size)
            with received.open() as body:
                content = body.read()
        finally:
            received.close()
        if "body" in query:
            # Never with the type that the client names: a page of its making must not run under this origin.
            return answer(environ, start_response, status, content, "application/octet-stream", _COMMON[1:])
        return self._show(environ, start_response, status, content)

    def _show(self, environ: Environ, start_response: StartResponse, status: str, content: bytes) -> Body:
        form = wanted_form(environ, ("text", "html", "json"))
        report = _report(environ, content)
        headers: Headers = [*_COMMON[1:], ("Vary", "Accept")]
        if form == "json":
            body = json.dumps(report, indent=2, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
        elif form == "html":
            body = render("echo.html", report=report, tables=_tables(report))
            headers.append(("Content-Security-Policy", CONTENT_SECURITY_POLICY))
        else:
            body = _as_text(report).encode("utf-8", "replace")
        return answer(environ, start_response, status, body, CONTENT_TYPES[form], headers)

    def _lines(self, chunks: int, delay: float) -> Iterator[bytes]:
        for number in range(1, chunks + 1):
            if delay:
                self.sleep(delay)
            yield f"line {number} of {chunks}\n".encode()


_COMMON: Headers = [("X-Content-Type-Options", "nosniff"), ("Cache-Control", "no-store")]


def _status(query: dict[str, str]) -> str:
    text = query.get("status", "200")
    if not re.fullmatch(r"[2-5][0-9]{2}", text):
        raise _Refused("?status= takes a number from 200 to 599.")
    try:
        phrase = HTTPStatus(int(text)).phrase
    except ValueError:
        phrase = "Unknown"
    return f"{text} {phrase}"


def _number(query: dict[str, str], name: str, most: float) -> float:
    text = query.get(name)
    if text is None:
        return 0.0
    if not _NUMBER.fullmatch(text) or float(text) > most:
        raise _Refused(f"?{name}= takes a number from 0 to {most:g}.")
    return float(text)


def _filling(size: int) -> Iterator[bytes]:
    block = b"x" * min(size, _BLOCK)
    while size > 0:
        yield block[:size]
        size -= len(block)


def _report(environ: Environ, content: bytes) -> dict[str, Any]:
    """What there is to say about a request, redacted; every leaf is text, a number or a truth value."""
    path: str = environ.get("PATH_INFO", "")
    headers = [
        (name.removeprefix("HTTP_").replace("_", "-").title(), str(value))
        for name, value in environ.items()
        if name.startswith("HTTP_") or (name in ("CONTENT_TYPE", "CONTENT_LENGTH") and value)
    ]
    pairs = parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    body: dict[str, Any] = {"bytes": len(content)}
    if content:
        body["sha256"] = hashlib.sha256(content).hexdigest()
        if environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower() == "application/x-www-form-urlencoded":
            fields = parse_qsl(content.decode("utf-8", "replace"), keep_blank_values=True)
            body["fields"] = [[name, str(value)] for name, value in redact_pairs(fields)]
    return {
        "method": environ["REQUEST_METHOD"],
        "scheme": environ.get("wsgi.url_scheme", ""),
        "protocol": environ.get("SERVER_PROTOCOL", ""),
        "mount": _shown(script_name(environ)),
        "path": _shown(path),
        "query": [[name, str(value)] for name, value in redact_pairs(pairs)],
        "headers": [[name, str(value)] for name, value in redact_pairs(headers)],
        "body": body,
        "client": environ.get("REMOTE_ADDR", ""),
        "server": f"{environ.get('SERVER_NAME', '')}:{environ.get('SERVER_PORT', '')}",
        "wsgi": {
            name: environ.get(f"wsgi.{name}")
            for name in ("multithread", "multiprocess", "run_once", "input_terminated")
            if isinstance(environ.get(f"wsgi.{name}"), bool)
        },
    }


def _shown(path: str) -> str:
    text = text_path(path)
    return redact_text(ascii(path)[1:-1] if text is None else text)


def _tables(report: dict[str, Any]) -> list[tuple[str, list[Any]]]:
    body = report["body"]
    return [
        (
            "Request",
            [
                ("Mounted at", report["mount"] or "/"),
                ("Path below it", report["path"] or "(empty)"),
                ("From", report["client"]),
                ("Server", f"{report['scheme']}://{report['server']}"),
                ("Protocol", report["protocol"]),
            ],
        ),
        ("Query", report["query"]),
        ("Headers", report["headers"]),
        (
            "Body",
            [
                ("Bytes", body["bytes"]),
                *([("SHA-256", body["sha256"])] if body["bytes"] else ()),
                *body.get("fields", ()),
            ],
        ),
        ("WSGI", list(report["wsgi"].items())),
    ]


def _as_text(report: dict[str, Any]) -> str:
    lines = [
        f"{report['method']} {report['mount']}{report['path']} {report['protocol']}",
        f"mounted at: {report['mount'] or '/'}",
        f"from: {report['client']}",
        f"server: {report['scheme']}://{report['server']}",
        "",
        *(f"{name}: {value}" for name, value in report["headers"]),
    ]
    if report["query"]:
        lines += ["", *(f"?{name}={value}" for name, value in report["query"])]
    body = report["body"]
    lines += ["", f"body: {body['bytes']} bytes" + (f", sha256 {body['sha256']}" if body["bytes"] else "")]
    lines += [f"  {name} = {value}" for name, value in body.get("fields", ())]
    # One line for each thing, whatever somebody put into it.
    return "".join(_UNPRINTABLE.sub("?", line) + "\n" for line in lines)


app_factory = make_app_factory(Echo)
paste_app_factory = make_app_factory(Echo, unknown="warning")
