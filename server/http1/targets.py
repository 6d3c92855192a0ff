"""Request lines: the method, the target in its four forms, and the version (RFC 9112 section 3)."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from .refusals import Refused

_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([\x21-\x7e]+) (HTTP/[0-9]\.[0-9])")
_ABSOLUTE = r"(?is)https?://([^/?#]*)(.*)"  # only proxies are asked like this
# Not ``protocol/hosts``: what HTTP allows is served, `exa%6Dple` and IPvFuture too. That module reads names that can be
# compared, and a Host that it does not know is no reason for a 400: it has no mount, or none of the allowed names.
_AUTHORITY = re.compile(
    r"(?:[A-Za-z0-9._~!$&'()*+,;=%-]*|\[[0-9A-Fa-f:.]+\]|\[v[0-9A-Fa-f]+\.[A-Za-z0-9._~!$&'()*+,;=:-]+\])(?::[0-9]{0,5})?"
)


class RequestLine(NamedTuple):
    """A request line that may be served. ``path`` is decoded to latin-1 as PEP 3333 has it, ``target`` is as sent."""

    method: str
    target: str
    path: str
    query: str
    version: str
    authority: str | None
    """The host of an absolute-form target, which counts instead of the Host field (RFC 9112 section 3.2.2)."""


def is_authority(text: str) -> bool:
    """Whether the text can be a Host (RFC 9110 section 7.2): a name or address and perhaps a port, maybe empty."""
    if _AUTHORITY.fullmatch(text) is None:
        return False
    port = text.rpartition("]")[2].rpartition(":")[2] if ":" in text.rpartition("]")[2] else ""
    return not port or int(port) <= 65535


def read_request_line(line: bytes) -> RequestLine:
    """Read a request line without its end. Raises ``Refused``."""
    match = _LINE.fullmatch(line)
    if match is None:
        raise _explained(line)
    method, target, version = match[1].decode("ascii"), match[2].decode("ascii"), match[3].decode("ascii")
    if version not in ("HTTP/1.1", "HTTP/1.0"):
        raise Refused(505, "version", f"{version} is not spoken here.")
    if method == "CONNECT":
        # What follows would be another protocol, so nothing of it may be read as a request.
        raise Refused(501, "connect", "This server is not a proxy.")
    if method != method.upper():
        # Methods are case-sensitive: rules about GET must not be passed by `get`.
        raise Refused(501, "method", "Methods are written in capitals.")
    authority = None
    rest = target
    if target == "*":
        if method != "OPTIONS":
            raise Refused(400, "target-asterisk", "Only OPTIONS may ask for *.")
    elif not target.startswith("/"):
        absolute = re.fullmatch(_ABSOLUTE, target)
        if absolute is None:
            raise Refused(400, "target", "The request target is neither a path nor a URL.")
        authority, rest = absolute[1], absolute[2]
        if not authority or authority.startswith(":") or not is_authority(authority):
            raise Refused(400, "target-authority", "The request target names no valid host.")
        if not rest.startswith("/"):
            rest = f"/{rest}"
    if "#" in rest:
        raise Refused(400, "target-fragment", "The request target has a fragment.")
    path, _, query = rest.partition("?")
    if "%" in path:
        path = unquote_to_bytes(path).decode("latin-1")
    return RequestLine(method, target, path, query, version, authority)


def _explained(line: bytes) -> Refused:
    if line.startswith(b"\x16\x03"):
        return Refused(400, "tls", "This port speaks plain HTTP, not TLS.")
    last = line.rpartition(b" ")[2]
    if re.fullmatch(rb"HTTP/[0-9]+(?:\.[0-9]+)?", last) and re.fullmatch(rb"[A-Z]+ [\x21-\x7e]+ \S+", line):
        return Refused(400, "version", "The version of the request is malformed.")
    return Refused(400, "request-line", "Start line is invalid")
