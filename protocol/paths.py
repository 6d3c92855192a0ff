"""The path guard, and the ways from a WSGI path to a URI and to a file name.

Everything that compares, joins or redirects paths asks this module, because two layers that read one path
differently are how an access rule gets bypassed. Nothing here resolves or repairs a path: it is accepted as it
stands or refused. Reads ``PATH_INFO``, ``SCRIPT_NAME``, ``QUERY_STRING``, ``REQUEST_METHOD`` and the raw target
(``REQUEST_URI`` or ``RAW_URI``, where the server gives one); writes nothing.
"""

from __future__ import annotations

import os
import re
from enum import StrEnum
from typing import Literal

from .wsgi import Environ

DotPolicy = Literal["reject", "literal"]
EncodedSlashPolicy = Literal["reject", "allow"]


class Refusal(StrEnum):
    """Why a path is not accepted; the text is fit for the 400 answer and quotes nothing of the request."""

    NOT_A_PATH = "The request target is not a path."
    NOT_BYTES = "The path holds a character that no byte stands for."
    CONTROL = "The path holds a control character."
    DOT_SEGMENT = "The path holds a . or .. segment."
    ENCODED_SEPARATOR = "The path holds an encoded slash or backslash."


# Patterns that hardly any request needs are compiled by the first one that does: a start would pay for all of them.
# A ``;`` ends a segment here because some containers strip ``;parameters`` before they resolve dots, and a
# backslash because some file systems take it for a slash.
_DOT_SEGMENT = r"(?:^|[/\\])\.\.?(?:[/\\;]|$)"
_RAW_DOT_SEGMENT = r"(?i:(?:[/\\]|%2f|%5c)(?:\.|%2e){1,2}(?:[/\\;]|%2f|%5c|%3b|$))"
_RAW_SEPARATOR = r"(?i:%(?:2f|5c|00))"
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_ABSOLUTE_FORM = r"(?i:[a-z][a-z0-9+.-]*://[^/?#]*)"


def refusal(
    environ: Environ,
    *,
    dots: DotPolicy = "reject",
    encoded_slash: EncodedSlashPolicy = "reject",
    depth: int | None = None,
) -> Refusal | None:
    """Say why the path of this request must not be matched, or None when it may.

    ``depth`` is how many leading segments of ``PATH_INFO`` the caller compares (None: all of them). An encoded
    separator behind those cannot change the comparison and is the application's own affair. ``OPTIONS *`` is
    accepted: its ``PATH_INFO`` is ``*``, and the caller must not match it as a path.
    """
    path: str = environ.get("PATH_INFO", "")
    raw: str = environ.get("REQUEST_URI") or environ.get("RAW_URI") or ""
    if is_ordinary(path, raw):
        return None
    if found := _refusal_of_path(environ, path, dots):
        return found
    if "%" not in raw and "/." not in raw:
        return None
    return _refusal_of_target(environ, raw, dots, encoded_slash, depth)


def is_ordinary(path: str, raw: str) -> bool:
    """Whether a path and the raw target hold nothing that ``refusal`` has to look at: so with nearly every request.

    ``raw`` is empty where the server gives no raw target. Ask ``refusal``, which begins with this; dispatch counts
    nanoseconds, and has the same tests written out.
    """
    # A lone "." is looked for first: one character is found several times as fast as two, and most paths have none.
    return (
        path[:1] == "/"
        and ("." not in path or "/." not in path)
        and "\\" not in path
        and path.isascii()
        and path.isprintable()
        and "%" not in raw
        and ("." not in raw or "/." not in raw)
    )


def _refusal_of_path(environ: Environ, path: str, dots: DotPolicy) -> Refusal | None:
    if path and path[0] != "/" and not (path == "*" and environ.get("REQUEST_METHOD") == "OPTIONS"):
        return Refusal.NOT_A_PATH
    if not path.isascii() and max(path) > "\xff":
        return Refusal.NOT_BYTES
    if _CONTROL.search(path):
        return Refusal.CONTROL
    if dots == "reject" and re.search(_DOT_SEGMENT, path):
        return Refusal.DOT_SEGMENT
    return None


def _refusal_of_target(
    environ: Environ, raw: str, dots: DotPolicy, encoded_slash: EncodedSlashPolicy, depth: int | None
) -> Refusal | None:
    target = raw_path(raw)
    if "%" not in target and "/." not in target:
        return None
    if dots == "reject" and re.search(_RAW_DOT_SEGMENT, target):
        return Refusal.DOT_SEGMENT
    if encoded_slash == "reject" and (found := re.search(_RAW_SEPARATOR, target)):
        # The target counts from the server's root, PATH_INFO from the mount: the segments of SCRIPT_NAME come first.
        compared = None if depth is None else depth + script_name(environ).count("/")
        if compared is None or target.count("/", 0, found.start()) <= compared:
            return Refusal.ENCODED_SEPARATOR
    return None


def raw_path(target: str) -> str:
    """The path of a request target (RFC 9112 section 3.2) as it was sent, still percent-encoded.

    Takes origin-form and absolute-form; ``*`` and authority-form have no path and come back unchanged.
    """
    if target[:1] != "/" and (authority := re.match(_ABSOLUTE_FORM, target)):
        target = target[authority.end() :]
    return target.partition("?")[0]


def script_name(environ: Environ) -> str:
    """``SCRIPT_NAME`` without slashes at its end, so that adding ``PATH_INFO`` never doubles one (``/`` is ````)."""
    name: str = environ.get("SCRIPT_NAME", "")
    return name.rstrip("/") if name[-1:] == "/" else name


# What RFC 3986 allows in a path, unescaped: pchar and the slash. ``%`` is not among them: a WSGI path is decoded.
_PATH_SAFE = frozenset(b"/:@!$&'()*+,;=-._~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_PLAIN_PATH = re.compile(r"[/:@!$&'()*+,;=\-._~0-9a-zA-Z]*")
_NOT_QUERY = r"[^!$-;=?-~]"


def uri_path(path: str) -> str:
    """Percent-encode a WSGI path (text that stands for latin-1 bytes) for a URI, by RFC 3986 section 3.3.

    Raises ``ValueError`` for a character above U+00FF, which no WSGI path holds.
    """
    if _PLAIN_PATH.fullmatch(path):
        return path
    return "".join(chr(byte) if byte in _PATH_SAFE else f"%{byte:02X}" for byte in path.encode("latin-1"))


def uri_query(query: str) -> str:
    """A query string with everything escaped that may not stand in a header or in a URI; escapes stay as they are."""

    def escaped(found: re.Match[str]) -> str:
        return "".join(f"%{byte:02X}" for byte in found[0].encode("utf-8", "replace"))

    return re.sub(_NOT_QUERY, escaped, query)


def safe_location(path: str, query: str = "") -> str:
    """A ``Location`` for this WSGI path on the same host, whatever the path is.

    Slashes at the front become one: ``//evil.example`` is a host to a browser (RFC 3986 section 4.2), and so are
    ``/\\evil.example`` and ``/<tab>/evil.example`` to the WHATWG URL parser, where backslash and tab arrive escaped.
    """
    location = "/" + uri_path(path).lstrip("/")
    return f"{location}?{uri_query(query)}" if query else location


def slash_location(environ: Environ) -> str:
    """A ``Location`` that adds the missing slash to this request's path and keeps its query.

    Relative to the last segment, so that it is right behind a proxy that strips a prefix of which we know nothing.
    The leading ``./`` keeps a segment such as ``https:evil.example`` from being read as a scheme.
    """
    last = (script_name(environ) + environ.get("PATH_INFO", "")).rstrip("/").rpartition("/")[2]
    query: str = environ.get("QUERY_STRING", "")
    location = f"./{uri_path(last)}/" if last else "./"
    return f"{location}?{uri_query(query)}" if query else location


def text_path(path: str) -> str | None:
    """The text that a WSGI path means (its bytes read as UTF-8), or None where they are not UTF-8."""
    if path.isascii():
        return path
    try:
        return path.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return None


# Win32 file names: the devices, with the superscript digits that Windows takes for 1, 2 and 3.
_DEVICE = r"(?i:con|prn|aux|nul|conin\$|conout\$|clock\$|(?:com|lpt)[0-9\u00b9\u00b2\u00b3])"
_WINDOWS = os.name == "nt"


def is_file_name(name: str, *, windows: bool = _WINDOWS) -> bool:
    """Whether one path segment, as text, names a single entry of a directory and nothing else.

    Refused everywhere: the empty name, ``.``, ``..``, slash, backslash, control characters, lone surrogates and more
    than 255 bytes. On Windows also what Win32 reads as something other than the name: ``:`` (drives and streams), the
    wildcards, devices such as ``NUL.txt``, and a dot or space at the end.
    """
    if name in ("", ".", "..") or "/" in name or "\\" in name or _CONTROL.search(name):
        return False
    try:
        if len(name.encode("utf-8")) > 255:
            return False
    except UnicodeEncodeError:
        return False
    if not windows:
        return True
    if name[-1] in ". " or any(character in name for character in ':*?"<>|'):
        return False
    return not re.fullmatch(_DEVICE, name.partition(".")[0].rstrip(" "))
