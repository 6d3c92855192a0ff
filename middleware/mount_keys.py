"""Where an app is mounted, as a person writes it, in one canonical form.

``/wiki``, ``http://example.com:8080/wiki``, ``example.com/wiki``, ``domain example.com port 8080 /wiki`` (Paste's
expression) and the tuple ``("example.com", "/wiki")`` all become a :class:`Place`. Two keys that mean the same
place are then equal, however they were written.
"""

from __future__ import annotations

import re
from typing import NamedTuple, TypeAlias

from ..protocol.hosts import parse_host

Key: TypeAlias = str | tuple[str | None, str]


class Place(NamedTuple):
    """A canonical host pattern and path.

    ``host`` is ``''`` for any, ``example.com`` for every port of it, ``example.com:8080`` or ``*.example.com``.
    ``path`` is text without a slash at its end, ``''`` at the root.
    """

    host: str
    path: str

    def __str__(self) -> str:
        return f"{self.host}{self.path}" if self.host else self.path or "/"


_URL = re.compile(r"(https?)://([^/]*)(.*)", re.IGNORECASE | re.DOTALL)
_SLASHES = re.compile(r"//+")
# The tree of mounts is walked by recursion, and nobody means more than this.
_MOST_SEGMENTS = 100
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_URL_SYNTAX = {
    "?": "a query is no part of a mount; remove '?' and what follows",
    "#": "a fragment never reaches the server; remove '#' and what follows",
    "%": "paths are compared decoded; write the character itself instead of its % escape",
    "\\": "a backslash separates nothing in a URL; write '/'",
}


def merged(path: str) -> str:
    """The path with every run of slashes made one."""
    return _SLASHES.sub("/", path) if "//" in path else path


_DOTS = frozenset({".", ".."})


def normalise_key(key: Key, *, merge_slashes: bool = False) -> Place:
    """Read where an app is to be mounted.

    With ``merge_slashes`` runs of slashes become one, as Paste reads them; otherwise they are a mistake. Raises
    ``ValueError`` with a phrase that says what is wrong and what to write instead.
    """
    if isinstance(key, tuple):
        host, path = key
        return Place(_host(host) if host else "", _path(path, merge_slashes))
    text = key.strip()
    words = text.split()
    if len(words) > 1 and ("domain" in words or "port" in words):
        return _expression(words, merge_slashes)
    if match := _URL.fullmatch(text):
        scheme, host, path = match.groups()
        if not host:
            raise ValueError("there is no host after '//'")
        return Place(_host(host, scheme.lower()), _path(path, merge_slashes))
    if not text or text[0] == "/":
        return Place("", _path(text, merge_slashes))
    host, slash, path = text.partition("/")
    # One word alone is more likely a misspelt option or a forgotten slash than the name of a host.
    if not (slash and (host == "localhost" or any(letter in host for letter in ".:[*"))):
        raise ValueError(f"a path begins with a slash; write '/{text}', or 'http://{text}' for a host")
    return Place(_host(host), _path(slash + path, merge_slashes))


def _expression(words: list[str], merge_slashes: bool) -> Place:
    """Paste's ``domain D port P /path``, in any order."""
    domain = port = path = ""
    rest = iter(words)
    for word in rest:
        if word == "domain":
            if domain:
                raise ValueError("'domain' is given twice")
            domain = next(rest, "")
            if not domain:
                raise ValueError("'domain' must be followed by a host name")
        elif word == "port":
            if port:
                raise ValueError("'port' is given twice")
            port = next(rest, "")
            if not port.isdigit():
                raise ValueError("'port' must be followed by a port number")
        elif path:
            raise ValueError(f"there is more than one path, {path!r} and {word!r}")
        else:
            path = word
    if port and not domain:
        raise ValueError("a port needs a domain; write 'domain HOST port PORT /path'")
    if merge_slashes and domain:  # Paste joins the two with a slash
        path = f"/{path}"
    return Place(_host(f"{domain}:{port}" if port else domain), _path(path, merge_slashes))


def _host(text: str, scheme: str = "") -> str:
    """The canonical pattern; a port that ``scheme`` implies is dropped, as two such URLs are the same."""
    wildcard, name = ("*.", text[2:]) if text.startswith("*.") else ("", text)
    if "*" in name:
        raise ValueError("'*' stands for whole labels at the front of a host; write '*.example.com'")
    found = parse_host(name).without_default_port(scheme)
    if wildcard and found.host[0] == "[":
        raise ValueError("an address has no subdomains; remove '*.'")
    return f"{wildcard}{found}"


def _path(path: str, merge_slashes: bool) -> str:
    if path and path[0] != "/":
        raise ValueError(f"a path begins with a slash; write '/{path}'")
    if merge_slashes:
        path = merged(path)
    elif "//" in path:
        raise ValueError(f"a path has no empty segment; write '{merged(path)}'")
    for letter, why in _URL_SYNTAX.items():
        if letter in path:
            raise ValueError(why)
    if _CONTROL.search(path):
        raise ValueError("a path holds no control characters")
    if not _DOTS.isdisjoint(path.split("/")):
        raise ValueError("a path has no '.' or '..' segment; write where it leads to")
    path = path.rstrip("/")
    if path.count("/") > _MOST_SEGMENTS:
        raise ValueError(f"a mount has at most {_MOST_SEGMENTS} segments; mount it less deep")
    return path


def wire_path(path: str) -> str:
    """The path in the form of a WSGI environ: its UTF-8 bytes, each as the character of that number (PEP 3333)."""
    return path if path.isascii() else path.encode("utf-8").decode("latin-1")
