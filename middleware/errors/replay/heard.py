"""A request as it came: what its environ said before the app had it, and its body as the app reads it.

Reads ``CONTENT_LENGTH``, ``HTTP_TRANSFER_ENCODING`` and ``wsgi.input_terminated``; replaces ``wsgi.input`` where there
is a body that cannot be read twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ....protocol.bodies import InvalidLength, content_length
from ....protocol.csrf import SAFE_METHODS
from ....protocol.peers import PEER, PROXIED_BY
from ....protocol.wsgi import Environ
from .heard_body import LARGEST_BODY, HeardBody, NotWhole, heard_body

_KEYS = frozenset(
    """REQUEST_METHOD SCRIPT_NAME PATH_INFO PATH_TRANSLATED QUERY_STRING CONTENT_TYPE CONTENT_LENGTH REQUEST_URI RAW_URI
    UNENCODED_URL REQUEST_SCHEME SERVER_NAME SERVER_PORT SERVER_PROTOCOL REMOTE_ADDR REMOTE_HOST REMOTE_IDENT
    REMOTE_PORT REMOTE_USER AUTH_TYPE HTTPS wsgi.url_scheme wheatpaste.client_fingerprint""".split()  # noqa: SIM905
) | {PEER, PROXIED_BY}


def is_of_request(key: str) -> bool:
    """Whether this key of an environ says what the client, or the server for it, has said of the request."""
    # Some servers put the environment of their process beside it.
    return key in _KEYS or key.startswith(("HTTP_", "SSL_"))


@dataclass(frozen=True, slots=True, kw_only=True)
class CameRequest:
    """A whole request: texts of its environ, and its body. Secrets are in it, so it has no repr of them."""

    environ: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False, default=b"")

    @property
    def method(self) -> str:
        """Its method, as it was sent."""
        return self.environ.get("REQUEST_METHOD", "")

    @property
    def is_safe(self) -> bool:
        """Whether it asks for no change (RFC 9110 section 9.2.1)."""
        return self.method in SAFE_METHODS


class Heard:
    """Listens to one request from the moment that it comes."""

    __slots__ = ("_body", "_why", "came")

    def __init__(self, environ: Environ) -> None:
        self.came = {
            key: value
            for key, value in environ.items()
            if type(value) is str and type(key) is str and is_of_request(key)
        }
        self._body: HeardBody | None = None
        self._why = ""
        try:
            self._body = _listen(environ)
        except NotWhole as error:
            self._why = str(error)
        if self._body is not None:
            environ["wsgi.input"] = self._body.input

    def __repr__(self) -> str:
        # It stands in the environ, which people print.
        return "<the request, to be run again>"

    def request(self, *, in_progress: bool = False) -> CameRequest:
        """The whole request; the rest of its body is fetched, unless the app is still at it. Raises ``NotWhole``."""
        if self._why:
            raise NotWhole(self._why)
        body = b"" if self._body is None else self._body.whole(in_progress=in_progress)
        return CameRequest(environ=self.came, body=body)


def _listen(environ: Environ) -> HeardBody | None:
    ends = bool(environ.get("wsgi.input_terminated"))
    try:
        announced = content_length(environ)
    except InvalidLength:
        raise NotWhole("its Content-Length is no number") from None
    if announced is not None and announced > LARGEST_BODY:
        raise NotWhole(f"its body is larger than {LARGEST_BODY // 2**20} MiB")
    if environ.get("HTTP_TRANSFER_ENCODING"):
        if not ends:
            raise NotWhole("its body is chunked, and this server does not tell where it ends")
        # A server that gives a length has received it all; but who else may have sent that number?
        return heard_body(environ["wsgi.input"], None, is_here=announced is not None)
    if announced is None:
        # In HTTP/1 there is no body then; HTTP/2 needs no length.
        without = not ends or environ.get("REQUEST_METHOD") in SAFE_METHODS
        return None if without else heard_body(environ["wsgi.input"], None, is_here=True)
    return heard_body(environ["wsgi.input"], announced, is_here=True) if announced else None
