"""Who asks: a person whose browser goes to a page, or a program. Each is told in its own way who may not go on.

Reads ``REQUEST_METHOD``, ``HTTP_SEC_FETCH_MODE``, ``HTTP_SEC_FETCH_DEST``, ``HTTP_X_REQUESTED_WITH``, ``HTTP_ACCEPT``.
"""

from __future__ import annotations

from ...protocol.negotiate import wanted_form
from ...protocol.wsgi import Environ


def navigates(environ: Environ) -> bool:
    """Whether a browser's window waits for the answer, so that it can be sent to another page.

    Browsers say it themselves (W3C Fetch Metadata). For those that do not, whoever prefers HTML and is no script.
    """
    if environ.get("HTTP_AUTHORIZATION"):
        return False  # it knows how to show who it is without a page
    mode: str | None = environ.get("HTTP_SEC_FETCH_MODE")
    if mode is not None:
        return mode == "navigate" and environ.get("HTTP_SEC_FETCH_DEST") in (None, "document")
    if environ.get("HTTP_X_REQUESTED_WITH"):
        return False
    return wanted_form(environ, ("text", "json", "html")) == "html"
