"""What a page of ours sends by script and is answered: JSON by ``POST``, which no other site's page can have sent.

Whoever asks here has looked at the client and at the host before (``Audience``). Reads ``REQUEST_METHOD``,
``CONTENT_TYPE``, ``CONTENT_LENGTH``, ``HTTP_SEC_FETCH_SITE``, ``HTTP_ORIGIN``, ``HTTP_HOST``, ``wsgi.url_scheme``.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from ...protocol.bodies import InvalidLength, content_length
from ...protocol.hosts import read_host
from ...protocol.wsgi import Body, Environ, Headers, StartResponse


def strangeness(environ: Environ) -> str | None:
    """Why a request that changes something does not come from a page of ours (RFC 6454, Fetch metadata), or None."""
    if environ.get("REQUEST_METHOD") != "POST":
        return "it is no POST"
    kind = environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        return f"its type is {kind or 'not said'}, and not application/json"
    site, origin = environ.get("HTTP_SEC_FETCH_SITE"), environ.get("HTTP_ORIGIN")
    if site is not None and site != "same-origin":
        return f"it comes from another site ({site})"
    if origin is None:
        return "it does not say from where it comes (no Origin)"
    if not _same_origin(origin, environ):
        return f"it comes from {origin}"
    return None


def _same_origin(origin: str, environ: Environ) -> bool:
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    scheme = environ.get("wsgi.url_scheme", "http")
    theirs, ours = read_host(parts.netloc), read_host(environ.get("HTTP_HOST", ""))
    if theirs is None or ours is None or parts.scheme != scheme or parts.path or parts.query or parts.fragment:
        return False
    return theirs.without_default_port(scheme) == ours.without_default_port(scheme)


def read_json(environ: Environ, most: int) -> dict[str, Any] | None:
    """The object that was sent, in at most this many bytes; None for whatever else was."""
    try:
        length = content_length(environ)
        if length is None or length > most:
            return None
        asked = json.loads(environ["wsgi.input"].read(length))
    except (InvalidLength, ValueError, RecursionError):
        return None
    return asked if isinstance(asked, dict) else None


def answer_json(start_response: StartResponse, status: str, data: dict[str, Any], more: Headers | None = None) -> Body:
    """Answer with an object that nobody else reads, keeps or takes for a page."""
    body = json.dumps(data).encode("ascii")
    headers = [
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
        ("X-Frame-Options", "DENY"),
        ("Referrer-Policy", "no-referrer"),
        ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
    ]
    start_response(status, [*headers, *(more or [])])
    return [body]
