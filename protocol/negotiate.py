"""Which form of an answer a client wants, for the pages that wheatpaste writes itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from .headers import media_quality, parse_qualities
from .wsgi import Environ

Form = Literal["html", "text", "json", "markdown"]

_MEDIA_TYPES: dict[Form, tuple[str, ...]] = {
    "text": ("text/plain",),
    "html": ("text/html", "application/xhtml+xml"),
    "json": ("application/json", "application/problem+json"),
    "markdown": ("text/markdown",),
}
CONTENT_TYPES: dict[Form, str] = {
    "text": "text/plain; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "json": "application/json",
    "markdown": "text/markdown; charset=utf-8",
}
"""The ``Content-Type`` of each form."""


def wanted_form(environ: Environ, offers: Sequence[Form] = ("text", "html", "json", "markdown")) -> Form:
    """The form to answer this request in: one of ``offers``, which decide by their order between equals.

    Goes by ``Accept``: browsers name ``text/html``, API clients JSON, and ``*/*`` or no header (curl, health checks)
    gets the first offer, by default text. At the same quality a type that is named beats one that only a wildcard
    takes in, and of two named ones the first. Never fails: a client that accepts none of them gets the first offer.
    An answer that depends on this needs ``Vary: Accept``.
    """
    accept: str = environ.get("HTTP_ACCEPT", "")
    accepted = parse_qualities(accept)
    named = {media_type: -place for place, media_type in enumerate(accepted)}
    unnamed = -len(named)
    best, best_score = offers[0], (0.0, unnamed)
    for form in offers:
        for media_type in _MEDIA_TYPES[form]:
            score = (media_quality(accepted, media_type), named.get(media_type, unnamed))
            # Strictly better only, so that the order of the offers decides between equals.
            if score[0] > 0 and score > best_score:
                best, best_score = form, score
    return best
