"""Short answers of the apps: a status, a few bytes, and the headers that every answer of ours carries."""

from __future__ import annotations

from ..protocol.wsgi import Body, Environ, Headers, StartResponse

TEXT = "text/plain; charset=utf-8"
JSON = "application/json"


def answer(
    environ: Environ,
    start_response: StartResponse,
    status: str,
    body: bytes,
    kind: str = TEXT,
    headers: Headers | None = None,
) -> Body:
    """Answer with ``body``, which a HEAD request does not get (RFC 9110 section 9.3.2)."""
    start_response(
        status,
        [
            ("Content-Type", kind),
            ("Content-Length", str(len(body))),
            ("X-Content-Type-Options", "nosniff"),
            *(headers or ()),
        ],
    )
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]


def not_found(environ: Environ, start_response: StartResponse) -> Body:
    """404, the same for everything that is absent, hidden, denied or unreadable."""
    return answer(environ, start_response, "404 Not Found", b"There is nothing here.\n")


def bad_request(environ: Environ, start_response: StartResponse, why: str) -> Body:
    """400 with a sentence that quotes nothing of the request."""
    return answer(environ, start_response, "400 Bad Request", f"{why}\n".encode())


def method_not_allowed(environ: Environ, start_response: StartResponse, *allowed: str) -> Body:
    """405 with the methods that are (RFC 9110 section 15.5.6)."""
    headers = [("Allow", ", ".join(allowed))]
    return answer(
        environ, start_response, "405 Method Not Allowed", b"This method has no effect here.\n", TEXT, headers
    )
