"""Entity tags and the preconditions of a request (RFC 9110 sections 8.8.3 and 13)."""

from __future__ import annotations

import re
from typing import Literal

from .dates import parse_http_date
from .wsgi import Environ

_ETAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')
_LIST = r'[ \t,]*(?:(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"[ \t]*(?:,[ \t,]*|$))+'

Outcome = Literal["send", "not modified", "precondition failed"]


def is_etag(value: str) -> bool:
    """Whether this is an entity tag in its quotes, weak (``W/"x"``) or strong (``"x"``)."""
    return _ETAG.fullmatch(value) is not None


def parse_etags(value: str) -> tuple[str, ...]:
    """The entity tags of an ``If-Match`` or ``If-None-Match``; ``('*',)`` for ``*``, and none for a broken list."""
    value = value.strip(" \t")
    if value == "*":
        return ("*",)
    return tuple(_ETAG.findall(value)) if re.fullmatch(_LIST, value) else ()


def matches_weakly(etag: str, other: str) -> bool:
    """Weak comparison (RFC 9110 section 8.8.3.2): the opaque tags are the same."""
    return etag.removeprefix("W/") == other.removeprefix("W/")


def matches_strongly(etag: str, other: str) -> bool:
    """Strong comparison: the same tag, and neither is weak."""
    return etag == other and not etag.startswith("W/")


def evaluate(environ: Environ, *, etag: str | None = None, last_modified: int | None = None) -> Outcome:
    """What the preconditions of this request say about a representation that exists, in the order of section 13.2.2.

    ``etag`` is in quotes, ``last_modified`` in seconds since 1970; None where there is none. ``If-Range`` is not
    looked at: see ``range_applies``. "not modified" means 304 for GET and HEAD, and never comes for other methods.
    """
    reading = environ.get("REQUEST_METHOD") in ("GET", "HEAD")
    if (if_match := environ.get("HTTP_IF_MATCH")) is not None:
        tags = parse_etags(if_match)
        if tags != ("*",) and not (etag is not None and any(matches_strongly(etag, tag) for tag in tags)):
            return "precondition failed"
    elif last_modified is not None:
        since = parse_http_date(environ.get("HTTP_IF_UNMODIFIED_SINCE", ""))
        if since is not None and last_modified > since:
            return "precondition failed"
    if (if_none_match := environ.get("HTTP_IF_NONE_MATCH")) is not None:
        tags = parse_etags(if_none_match)
        if tags == ("*",) or (etag is not None and any(matches_weakly(etag, tag) for tag in tags)):
            return "not modified" if reading else "precondition failed"
    elif reading and last_modified is not None:
        since = parse_http_date(environ.get("HTTP_IF_MODIFIED_SINCE", ""))
        if since is not None and last_modified <= since:
            return "not modified"
    return "send"


def range_applies(environ: Environ, *, etag: str | None = None, last_modified: int | None = None) -> bool:
    """Whether ``Range`` may be answered by a part: no ``If-Range``, or one that means this very representation.

    Strong comparison for tags, exact equality for dates (RFC 9110 section 13.1.5).
    """
    value: str | None = environ.get("HTTP_IF_RANGE")
    if value is None:
        return True
    value = value.strip(" \t")
    if is_etag(value):
        return etag is not None and matches_strongly(etag, value)
    date = parse_http_date(value)
    return date is not None and date == last_modified
