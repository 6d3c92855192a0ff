"""Answers that the authentication gives by itself, with the headers that keep its pages to themselves."""

from __future__ import annotations

import json
from typing import Any

from ...protocol.answer import Answer
from ...protocol.wsgi import Headers

# A response without a body has a type all the same, since checkers of WSGI want one.
_PLAIN = ("Content-Type", "text/plain; charset=utf-8")
_ALWAYS: Headers = [
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "same-origin"),
]


def see_other(location: str) -> Answer:
    """303 (RFC 9110 section 15.4.4): go there with GET."""
    return Answer(status="303 See Other", headers=[("Location", location), _PLAIN, *_ALWAYS], body=b"")


def problem(status: str, detail: str, headers: Headers | None = None, **members: Any) -> Answer:
    """A problem document (RFC 9457)."""
    code, _, title = status.partition(" ")
    document = {"title": title, "status": int(code), "detail": detail, **members}
    return Answer(
        status=status,
        headers=[("Content-Type", "application/problem+json"), *_ALWAYS, *(headers or ())],
        body=json.dumps(document).encode("ascii"),
    )


def html(status: str, page: str, *, script_nonce: str | None = None, headers: Headers | None = None) -> Answer:
    """A page of ours. Its style is a file of our own; without ``script_nonce`` nothing in it can run."""
    script = "" if script_nonce is None else f"; script-src 'nonce-{script_nonce}'; connect-src 'self'"
    policy = (
        "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none';"
        f" frame-ancestors 'none'{script}"
    )
    return Answer(
        status=status,
        headers=[
            ("Content-Type", "text/html; charset=utf-8"),
            *_ALWAYS,
            ("Content-Security-Policy", policy),
            ("X-Frame-Options", "DENY"),
            ("Cross-Origin-Opener-Policy", "same-origin"),
            *(headers or ()),
        ],
        body=page.encode(),
    )
