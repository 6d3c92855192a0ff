"""A whole response, as a value: what is computed first and sent afterwards."""

from __future__ import annotations

from dataclasses import dataclass

from .wsgi import Body, Environ, Headers, StartResponse


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A whole response. ``Content-Length`` is not among ``headers``; it is added when the answer is sent."""

    status: str
    headers: Headers
    body: bytes

    def send(self, environ: Environ, start_response: StartResponse, further: Headers | None = None) -> Body:
        """Send it as the answer to this request, with ``further`` headers; to HEAD without the body."""
        headers = [*self.headers, *(further or ()), ("Content-Length", str(len(self.body)))]
        start_response(self.status, headers)
        return [] if environ.get("REQUEST_METHOD") == "HEAD" else [self.body]
