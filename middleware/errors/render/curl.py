"""A request as a ``curl`` command that sends it again, for a shell of the POSIX kind."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from urllib.parse import quote, urlencode

from ..record import ErrorRecord, Request

PLACEHOLDER = "REDACTED"
"""Stands where the record keeps a secret to itself."""

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 section 5.6.2
_REDACTED = re.compile(r"\[redacted[^\]]*\]")
# What a terminal may obey when the command is pasted, and what would begin another header.
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
# curl says these by itself, or differently: ``--compressed`` asks for what it can undo.
_CURL_SAYS = {"host", "content-length", "connection", "accept-encoding", "transfer-encoding", "expect"}


def curl_command(record: ErrorRecord) -> str:
    """The command, of several lines; empty for a record without a request that could be sent again."""
    request = record.request
    if request is None or not request.url or not _TOKEN.fullmatch(request.method or "GET"):
        return ""
    words = " \\\n  ".join(_words(request))
    notes = ["# Put your own values where it says REDACTED."] if PLACEHOLDER in words else []
    if not request.form and _has_body(request):
        notes.append("# The request had a body, which is not kept here: add --data-binary @FILE.")
    return "\n".join((*notes, words))


def _words(request: Request) -> Iterator[str]:
    method = request.method or "GET"
    options = ["curl", "--include", "--compressed"]
    if method == "HEAD":
        options[1] = "--head"
    elif method != ("POST" if request.form else "GET"):
        options += ["--request", shlex.quote(method)]
    url = _UNSEEN.sub(lambda found: quote(found[0], errors="replace"), _REDACTED.sub(PLACEHOLDER, request.url))
    if any(sign in url for sign in "[]{}"):
        options.append("--globoff")
    yield f"{' '.join(options)} --url {shlex.quote(url)}"
    multipart = False
    for name, value in request.headers:
        if not _TOKEN.fullmatch(name) or name.lower() in _CURL_SAYS:
            continue
        if name.lower() == "content-type" and value.lower().startswith("multipart/"):
            multipart = True  # its boundary is of a body that is gone
            continue
        # curl takes "Name:" for "send no such header", and "Name;" for an empty one.
        yield f"--header {shlex.quote(f'{name}: {_shown(value)}' if value else f'{name};')}"
    for name, value in request.form:
        yield _field(name, _REDACTED.sub(PLACEHOLDER, value), multipart)


def _field(name: str, value: str, multipart: bool) -> str:
    plain = not (_UNSEEN.search(name) or _UNSEEN.search(value))
    if multipart:
        return f"--form-string {shlex.quote(f'{_shown(name)}={_shown(value)}')}"
    if plain and not re.search(r"[=@&%+ ]", name):
        return f"--data-urlencode {shlex.quote(f'{name}={value}')}"
    return f"--data-raw {shlex.quote(urlencode([(name, value)], errors='replace'))}"


def _shown(text: str) -> str:
    return _UNSEEN.sub(" ", _REDACTED.sub(PLACEHOLDER, text))


def _has_body(request: Request) -> bool:
    known = dict(request.environ)
    return known.get("CONTENT_LENGTH", "0").strip() not in ("", "0") or "HTTP_TRANSFER_ENCODING" in known
