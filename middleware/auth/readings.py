"""How apps may read a request otherwise than it stands: in capitals, without parameters, by another method.

A rule must not be passed by a spelling that the app takes for the same. What no rule can compare is refused. What is
merely unusual is read a second time, as loosely as any app or file system could, and has to be allowed both ways.
Bodies are not read: where an app believes a form's field ``_method``, the rule for POST has to be as strict as others.
Reads ``QUERY_STRING``, ``HTTP_X_SCRIPT_NAME``, ``HTTP_X_HTTP_METHOD_OVERRIDE``, ``HTTP_X_HTTP_METHOD`` and
``HTTP_X_METHOD_OVERRIDE``.
"""

from __future__ import annotations

import re
from urllib.parse import unquote, unquote_plus

from ...protocol.paths import text_path
from ...protocol.wsgi import Environ
from .names import folded

_UNUSUAL = re.compile(r"[A-Z;%#?\\\x80-\U0010ffff]|//|[. ](?:/|$)|/ ")
_DECODINGS = 3
_CUT = re.compile("[#?]")
_SLASHES = re.compile(r"[/\\]+")
_OVERRIDES = ("HTTP_X_HTTP_METHOD_OVERRIDE", "HTTP_X_HTTP_METHOD", "HTTP_X_METHOD_OVERRIDE")
_TOKEN = re.compile(r"[A-Za-z-]{1,20}")
_IN_QUERY = re.compile(r"_method=([A-Za-z-]{1,20})")


def is_unusual(path: str) -> bool:
    """Whether some app could read a path otherwise than it stands."""
    if "." in path or " " in path or not path.isascii():
        return _UNUSUAL.search(path) is not None
    # The same, many times as fast, for what nearly all paths are.
    return (
        path != path.lower() or "//" in path or ";" in path or "%" in path or "#" in path or "?" in path or "\\" in path
    )


def loose_paths(path: str) -> list[str] | None:
    """The path as the least careful apps would read it; None where that would climb out of its folder.

    Decoded again where it can be, with backslashes and runs of slashes as one slash, each segment as
    :func:`loose_segment` reads it: up to ``#`` or ``?``, and with what follows them, for some apps do this, some that.
    """
    for _ in range(_DECODINGS):
        if "%" not in path:
            break
        path = unquote(path, errors="replace")
    found = []
    for each in dict.fromkeys((_CUT.split(path, maxsplit=1)[0], path)):
        segments = [segment.partition(";")[0].strip(" ") for segment in _SLASHES.split(each)]
        if any(segment in (".", "..") for segment in segments):
            return None
        found.append("/" + "/".join(segment for segment in map(loose_segment, segments) if segment))
    return found


def loose_segment(segment: str) -> str:
    """A segment without letter case, and without the dots and blanks at its end that Windows drops from file names."""
    return folded(segment).rstrip(". ")


def other_paths(environ: Environ, path: str) -> list[str]:
    """The path without what the header ``X-Script-Name`` says that an app should cut off; many do, whoever sent it."""
    prefix = text_path(environ.get("HTTP_X_SCRIPT_NAME", "")) or ""
    if not prefix or not path.startswith(prefix):
        return []
    return ["/" + path[len(prefix) :].lstrip("/")]


def other_methods(environ: Environ) -> list[str]:
    """The methods that a request wants to be read in place of its own: by a header, or ``_method`` in its query."""
    query: str = environ.get("QUERY_STRING", "")
    named: list[str] = []
    for key in _OVERRIDES:
        if key in environ:
            named.append(environ[key])
    if query and ("ethod" in query or "%" in query):
        named += _IN_QUERY.findall(unquote_plus(query))
    if not named:
        return []
    return sorted({each.strip().upper() for each in named if _TOKEN.fullmatch(each.strip())})
