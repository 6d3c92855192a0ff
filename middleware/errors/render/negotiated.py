"""A record in the form that the client asked for: with details for who may see them, otherwise one sentence and an id.

A page goes to browsers alone, a problem document to clients of APIs, Markdown to who names it, and plain text to
everybody else, curl among them. Nothing of it is kept by caches.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qsl

from ....protocol.answer import Answer
from ....protocol.negotiate import CONTENT_TYPES, Form
from ....protocol.wsgi import Environ, Headers
from ..answer import STATUS, wanted
from ..record import ErrorRecord
from . import problem
from .links import Links

SENTENCE = "Something went wrong on our side."
_VARY = ("Vary", "Accept, Sec-Fetch-Dest")
_FRAGMENT_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def details(
    record: ErrorRecord,
    environ: Environ,
    *,
    links: Links = Links(),  # noqa: B008 - it cannot be changed
    xmlhttp_key: str | None = None,
) -> Answer:
    """All that is known, for who may see it. With the parameter ``xmlhttp_key`` in the query, HTML is a fragment."""
    form = wanted(environ)
    if form == "html":
        if is_fragment(environ, xmlhttp_key):
            return _fragment(record, record.headline, with_details=True)
        from .page import debug_page, new_nonce, page_headers

        nonce = new_nonce()
        page = debug_page(record, nonce=nonce, links=links)
        return _answer(page.encode("utf-8", "replace"), page_headers(nonce))
    if form == "json":
        instance = f"{links.errors.rstrip('/')}/{record.id}" if links.errors else ""
        return _answer(problem.debug_problem(record, instance), _of_type(problem.CONTENT_TYPE))
    if form == "markdown":
        from .markdown import as_markdown

        return _answer(as_markdown(record).encode("utf-8", "replace"), _of_type(CONTENT_TYPES["markdown"]))
    from .text import as_text

    return _answer(as_text(record).encode("utf-8", "replace"), _of_type(CONTENT_TYPES["text"]))


def public(
    record: ErrorRecord,
    environ: Environ,
    *,
    message: str | None = None,
    template: Path | None = None,
    xmlhttp_key: str | None = None,
) -> Answer:
    """What everybody is told: ``message`` (plain text) or our own sentence, and the id to quote.

    ``template`` is a page of the site's own, in place of ours.
    """
    form: Form = wanted(environ)
    sentence = message or SENTENCE
    if form == "html":
        if is_fragment(environ, xmlhttp_key):
            return _fragment(record, sentence, with_details=False)
        from .plain_page import plain_headers, plain_page

        page = plain_page(record, environ, message=message, template=template)
        return _answer(page.encode("utf-8", "replace"), plain_headers(page))
    if form == "json":
        return _answer(problem.public_problem(record, sentence), _of_type(problem.CONTENT_TYPE))
    from ....protocol.printable import printable

    text = f"{printable(sentence)}\nIf you ask about it, quote this: {record.id}\n"
    if form == "markdown":
        from .markdown import span

        text = f"{span(sentence)}\n\nIf you ask about it, quote this: {span(record.id)}\n"
    return _answer(text.encode("utf-8", "replace"), _of_type(CONTENT_TYPES[form]))


def is_fragment(environ: Environ, key: str | None) -> bool:
    """Whether the query holds the parameter ``key`` with a value: a script puts the answer into its own page."""
    if not key or key not in environ.get("QUERY_STRING", ""):
        return False
    try:
        return any(name == key and value for name, value in parse_qsl(environ["QUERY_STRING"], max_num_fields=200))
    except ValueError:
        return False


def _fragment(record: ErrorRecord, sentence: str, *, with_details: bool) -> Answer:
    from ....protocol.printable import one_line, printable
    from .outline import where
    from .templates import template

    text = template("fragment.html").render(
        sentence=one_line(sentence, 1000) if with_details else printable(sentence),
        where=where(record) if with_details else "",
        id=record.id,
    )
    headers = [*_of_type(CONTENT_TYPES["html"]), ("Content-Security-Policy", _FRAGMENT_POLICY)]
    return _answer(text.encode("utf-8", "replace"), headers)


def _of_type(content_type: str) -> Headers:
    return [("Content-Type", content_type), ("Cache-Control", "no-store")]


def _answer(body: bytes, headers: Headers) -> Answer:
    return Answer(status=STATUS, headers=[*headers, _VARY], body=body)
