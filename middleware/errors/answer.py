"""What the client is told: the details where it may see them, otherwise one plain sentence and an id to quote."""

from __future__ import annotations

import logging
from collections.abc import Callable

from ...protocol.answer import Answer
from ...protocol.negotiate import Form
from ...protocol.wsgi import Environ
from .record import ErrorRecord

logger = logging.getLogger(__name__)

STATUS = "500 Internal Server Error"
ERROR_ID = "X-Error-ID"
_LAST_RESORT = b"Internal Server Error\n"

Render = Callable[[ErrorRecord, Environ], Answer]


def answer_to(record: ErrorRecord, environ: Environ, render: Render) -> Answer:
    """The answer to a request that failed. Never raises: where rendering fails, a few static bytes are the answer."""
    try:
        answer = render(record, environ)
    except Exception:
        logger.exception("the page of error %s could not be made", record.id)
        answer = Answer(status=STATUS, headers=[("Content-Type", "text/plain; charset=utf-8")], body=_LAST_RESORT)
    # What was said of the failed reply (cookies, ETag, caching) goes with it.
    headers = [*answer.headers, ("X-Content-Type-Options", "nosniff"), (ERROR_ID, record.id)]
    if environ.get("REQUEST_METHOD") == "HEAD":
        # The length of the page for GET would cost making it, and says nothing.
        return Answer(status=answer.status, headers=headers, body=b"")
    return Answer(status=answer.status, headers=[*headers, ("Content-Length", str(len(answer.body)))], body=answer.body)


def wanted(environ: Environ) -> Form:
    """HTML only for who names it or is a browser's window; then JSON, Markdown; and plain text for everybody else."""
    from ...protocol.negotiate import wanted_form

    if environ.get("HTTP_SEC_FETCH_DEST") in ("document", "iframe", "frame"):
        return "html"
    return wanted_form(environ, ("text", "html", "json", "markdown"))
