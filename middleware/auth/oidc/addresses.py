"""Which addresses we would send something to."""

from __future__ import annotations

import re
from urllib.parse import urlsplit


def address_complaint(url: str) -> str | None:
    """Why we would not send anything there, as a phrase that follows "the address …"; None where we would."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "cannot be read"
    if parts.scheme not in ("https", "http") or not host or not url.isascii() or not url.isprintable() or " " in url:
        return "must be an https URL"
    if parts.username is not None or parts.password is not None:
        return "must not hold a user or password"
    if "#" in url or "\\" in url:
        return "must not hold a fragment or a backslash"
    if parts.scheme == "http" and not is_this_machine(host):
        return "must begin with https:// unless the host is this machine"
    return None


def is_this_machine(host: str) -> bool:
    """Whether a host is the loopback interface, by its address or its reserved name (RFC 6761)."""
    return host in ("localhost", "::1") or re.fullmatch(r"127(?:\.[0-9]{1,3}){3}", host) is not None
