"""Whether another server's request may pass: what nginx (``auth_request``), Traefik and Caddy ask before they go on.

``verify`` is for nginx, which sends the request in question as ``X-Original-URL`` and ``X-Original-Method`` and knows
three answers: 2xx, 401 and 403. ``forward`` is for Traefik and Caddy, which send ``X-Forwarded-Uri``, ``-Method``,
``-Host`` and ``-Proto`` and hand any other answer to the client. Who may pass is told with ``Remote-User``,
``Remote-Name``, ``Remote-Email`` and ``Remote-Groups``, all four always, so that a proxy that copies them overwrites
what a client has sent.

Only peers in ``trusted_proxies`` are answered, and only what the one endpoint is asked by counts: a header of the other
kind may come from the client. The rules see the path as the app will see it; paths that two servers might read in two
ways pass nowhere.
"""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple
from urllib.parse import unquote_to_bytes

from ...protocol.answer import Answer
from ...protocol.hosts import read_host
from ...protocol.paths import refusal
from ...protocol.peers import Networks
from ...protocol.wsgi import Environ, Headers
from .account import NOBODY, OWN
from .allowed import note_denial
from .answers import problem
from .auth import asked_for, identify, keep_to_scopes
from .refusals import remedied
from .visit import Visit

if TYPE_CHECKING:
    from .authority import Authority
    from .identity import Identity

log = logging.getLogger(__name__)

Kind = Literal["verify", "forward"]

_METHOD = re.compile(r"[A-Z][A-Z-]{0,31}")  # RFC 9110 section 9.1; others are read in capitals by some, not by others
_URL = re.compile(r"(https?)://([^/?#\s]+)(/[^#\s]*)")
_TARGET = re.compile(r"/[!\"$-\[\]-~]*")
_LONGEST = 8000
# What our pages are called, and nothing that any server behind the proxy could take for a way up.
_BELOW = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*/?")
_ESCAPES = re.compile(r"%(?![0-9A-Fa-f]{2})")
# What some servers decode once more, or fold into one.
_AMBIGUOUS = re.compile(r"//|%(?:2e|2f|5c|00)", re.IGNORECASE)
_OF_THE_BODY = ("CONTENT_LENGTH", "CONTENT_TYPE", "HTTP_TRANSFER_ENCODING", "HTTP_CONTENT_LENGTH", "RAW_URI")


class Original(NamedTuple):
    """The request that another server asks about."""

    method: str
    scheme: str
    host: str
    target: str


def routes(authority: Authority) -> Mapping[str, Callable[[Visit], Answer]]:
    """The two endpoints below the mount; none where no proxy is trusted, since they would answer nobody."""
    if not authority.site.trusted_proxies:
        return {}
    return {kind: ForwardAuth(authority, kind) for kind in ("verify", "forward")}


class ForwardAuth:
    """One of the endpoints."""

    def __init__(self, authority: Authority, kind: Kind) -> None:
        self._authority = authority
        self._kind = kind
        self._trusted = Networks(authority.site.trusted_proxies)
        self._has_complained = False

    def __call__(self, visit: Visit) -> Answer:
        """The answer to whether the request that ``visit`` asks about may pass."""
        if not self._trusted.holds_peer(visit.environ):
            self._complain(
                "%s is no trusted proxy, and asked whether a request may pass", visit.peer or "a UNIX socket"
            )
            return problem("403 Forbidden", "Only proxies that this site trusts are answered.")
        asked = self._original(visit.environ)
        if asked is None:
            return self._unclear("It is not said what is asked about, or not so that only one thing can be meant.")
        inner = Visit(self._authority, environ_of(visit.environ, asked))
        inner.is_relayed = True
        if refusal(inner.environ) is not None or _AMBIGUOUS.search(inner.path):
            return self._unclear("The path could be read in more than one way.")
        answer = self._decide(inner)
        visit.headers += inner.headers
        return self._translated(answer)

    def _decide(self, inner: Visit) -> Answer:
        authority = self._authority
        if self._is_page(inner.path):
            # Who is sent to the login must get there.
            return _passed(None)
        answer = identify(inner)
        if answer is not None:
            return answer
        verdict = authority.decide(inner)
        if verdict is not None and verdict.refusal is not None:
            return self._unclear(verdict.refusal)
        if verdict is not None and verdict.allowed:
            keep_to_scopes(inner, verdict)
        if verdict is None or (verdict.rule is None and authority.site.default == "app"):
            # The app behind the proxy cannot answer 401 to us: what it would decide has to be decided here.
            return asked_for(inner) if inner.identity is None else _passed(inner.identity, authority.editable)
        if verdict.allowed:
            return _passed(inner.identity, authority.editable)
        note_denial(inner, verdict.remedies, verdict.reason)
        return remedied(inner, verdict.remedies, verdict.max_age)

    def _is_page(self, path: str) -> bool:
        """Whether a path is one of our own pages: no rule is about those."""
        mount = self._authority.site.mount
        return path.startswith(mount) and _BELOW.fullmatch(path, len(mount)) is not None

    def _original(self, environ: Environ) -> Original | None:
        if self._kind == "verify":
            method = environ.get("HTTP_X_ORIGINAL_METHOD", "")
            found = _URL.fullmatch(environ.get("HTTP_X_ORIGINAL_URL", ""))
            if found is None:
                self._complain("nginx does not say what it asks about: set X-Original-URL and X-Original-Method")
                return None
            scheme, host, target = found.groups()
        else:
            method = environ.get("HTTP_X_FORWARDED_METHOD", "")
            scheme = environ.get("HTTP_X_FORWARDED_PROTO") or environ.get("wsgi.url_scheme", "")
            host = environ.get("HTTP_X_FORWARDED_HOST") or environ.get("HTTP_HOST", "")
            target = environ.get("HTTP_X_FORWARDED_URI", "")
            if not target:
                self._complain("the proxy does not say what it asks about: X-Forwarded-Uri and -Method are missing")
        read = read_host(host)
        if (
            not _METHOD.fullmatch(method)
            or scheme not in ("http", "https")
            or read is None
            or len(target) > _LONGEST
            or not _TARGET.fullmatch(target)
            or _ESCAPES.search(target.partition("?")[0])
        ):
            return None
        return Original(method, scheme, str(read), target)

    def _unclear(self, detail: str) -> Answer:
        return problem("403 Forbidden" if self._kind == "verify" else "400 Bad Request", detail)

    def _translated(self, answer: Answer) -> Answer:
        """The answer in the three words that nginx knows. Where to sign in stands in ``X-Auth-Redirect``."""
        code = answer.status[:3]
        if self._kind == "forward" or code in ("200", "401", "403"):
            return answer
        location = next((value for name, value in answer.headers if name == "Location"), None)
        if location is None:
            return forbidden_as(answer)
        headers: Headers = [("X-Auth-Redirect", location), ("WWW-Authenticate", 'Cookie realm="login"')]
        return problem("401 Unauthorized", "Sign in.", headers)

    def _complain(self, text: str, *values: object) -> None:
        if not self._has_complained:
            self._has_complained = True
            log.warning(f"{text} (said once)", *values)


def forbidden_as(answer: Answer) -> Answer:
    """An answer that nginx does not know, as one that lets nobody in: 503 stays what it is, an error."""
    if answer.status.startswith("5"):
        return answer
    return Answer(status="403 Forbidden", headers=answer.headers, body=answer.body)


def environ_of(environ: Environ, asked: Original) -> Environ:
    """The environ that the request in question would have here: its own head, and no body."""
    path, _, query = asked.target.partition("?")
    inner = {key: value for key, value in environ.items() if key not in _OF_THE_BODY}
    for key in ("HTTP_X_ORIGINAL_URL", "HTTP_X_ORIGINAL_METHOD", "HTTP_X_FORWARDED_URI", "HTTP_X_FORWARDED_METHOD"):
        inner.pop(key, None)
    inner |= {
        "REQUEST_METHOD": asked.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "REQUEST_URI": asked.target,
        "HTTP_HOST": asked.host,
        "wsgi.url_scheme": asked.scheme,
        "wsgi.input": io.BytesIO(),
    }
    return inner


def _passed(identity: Identity | None, editable: frozenset[str] = NOBODY) -> Answer:
    address = "" if identity is None else identity.email
    account = None if identity is None else identity.account
    if "email" in editable and account is not None and account.source == OWN and not account.email_verified:
        address = ""  # its user may have typed it, and programs behind a proxy tell users apart by it
    known = {
        "Remote-User": "" if identity is None else identity.name,
        "Remote-Name": "" if identity is None else identity.display or identity.name,
        "Remote-Email": address,
        # Group names with a comma in them would be read as two.
        "Remote-Groups": ""
        if identity is None
        else ",".join(sorted(each for each in identity.groups if "," not in each)),
    }
    headers = [(name, _value(text)) for name, text in known.items()]
    return Answer(
        status="200 OK", headers=[*headers, ("Content-Type", "text/plain"), ("Cache-Control", "no-store")], body=b""
    )


def _value(text: str) -> str:
    """Text as a header's value: UTF-8, without what would end it."""
    clean = "".join(letter for letter in text if letter.isprintable()).strip()
    return clean.encode("utf-8", "ignore").decode("latin-1")
