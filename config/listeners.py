"""Who can reach a server, as its section says; and what must not be reached."""

from __future__ import annotations

import re
from collections.abc import Mapping

from .references import normalise
from .values import FALSE_WORDS, TRUE_WORDS

# Servers that listen everywhere unless told otherwise.
_OPEN_BY_DEFAULT = frozenset(
    {("waitress", "main"), ("pyramid", "wsgiref"), ("pyramid", "cherrypy"), ("cherrypy", "main")}
)
_USUAL = frozenset({"127.0.0.1", "localhost"})
_LOCAL = r"127(?:\.\d+){1,3}|localhost|.+\.localhost|\[?::1\]?|\[?::ffff:127(?:\.\d+){3}\]?|unix:.*|fd:.*|/.*"
_PORT = r"(?P<host>\[[^\]]*\]|[^:]*):(?P<port>\d+)"
_DEBUGGERS = frozenset({("paste", "evalerror"), ("weberror", "evalerror"), ("weberror", "main")})

Listens = tuple[str, str | None]
"""How a person calls the address, and the key that says so (None: a default)."""


def public_address(values: Mapping[str, str], distribution: str = "", entry: str = "") -> Listens | None:
    """The address at which other machines reach a server with these keys, or None. ``distribution#entry`` names it."""
    said = False
    for key in ("host", "listen", "bind"):
        text = values.get(key)
        if text is None:
            continue
        said = True
        for word in re.split(r"[\s,]+", text.strip()) if "," in text else text.split() or [""]:
            if not is_local(word, has_port=key != "host"):
                return word or "every address", key
    if said or "unix_socket" in values or "sockets" in values:
        return None
    if (normalise(distribution), entry) in _OPEN_BY_DEFAULT:
        return "every address, as it does unless told", None
    return None


def hides_proxies(values: Mapping[str, str], distribution: str, entry: str) -> str | None:
    """The key that says of a server with these keys that a proxy stands before it, of which apps then see nothing.

    Waitress removes forwarding headers that do not count. None where no key speaks of a proxy, where the headers stay,
    or where the proxy's word about its clients counts, so that it is seen by their addresses.
    """
    if (normalise(distribution), entry) != ("waitress", "main"):
        return None
    if values.get("clear_untrusted_proxy_headers", "").strip().lower() in FALSE_WORDS:
        return None
    if values.get("trusted_proxy", "").strip():
        named = values.get("trusted_proxy_headers", "").lower().replace(",", " ").split()
        return None if {"x-forwarded-for", "forwarded"} & set(named) else "trusted_proxy"
    if values.get("url_scheme", "").strip() == "https":
        return "url_scheme"
    return "url_prefix" if values.get("url_prefix", "").strip() else None


def is_local(word: str, *, has_port: bool = False) -> bool:
    """Whether an address (or ``address:port``) is reached from the same machine only."""
    found = re.fullmatch(_PORT, word) if has_port else None
    host = found["host"] if found else "" if has_port and word.isdigit() else word
    return host in _USUAL or re.fullmatch(_LOCAL, host.lower()) is not None


def is_debugger(distribution: str, entry: str) -> bool:
    """Whether this runs code for whoever opens its error page."""
    return (normalise(distribution), entry) in _DEBUGGERS


def switches_debugging_on(key: str, text: str) -> bool:
    """Whether this key with this value switches a debug mode on."""
    return (key == "debug" or key.endswith(".debug")) and text.strip().lower() in TRUE_WORDS
