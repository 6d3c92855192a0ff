"""Cross-site request forgery: whether a request that changes something was meant by whoever's browser sent it.

A browser says where a request comes from: ``Sec-Fetch-Site`` (W3C Fetch Metadata), which no page can set, and
``Origin`` (RFC 6454), which older ones send too. Requests that say neither come from programs, or from browsers that
are very old: they have to bring a token, which only who could read our page knows. Reads ``REQUEST_METHOD``,
``HTTP_SEC_FETCH_SITE`` (``_MODE``, ``_DEST``), ``HTTP_ORIGIN``, ``HTTP_HOST``, ``HTTP_COOKIE``, ``wsgi.url_scheme``.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Collection, Sequence
from typing import Literal, NamedTuple

from .hosts import read_host
from .wsgi import Environ, Headers

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""Methods that change nothing (RFC 9110 section 9.2.1), which may come from anywhere."""

Provenance = Literal["own", "foreign", "unknown"]

_NONCE = 16
_STAMP = 8
_DIGEST = hashlib.sha256().digest_size
_LONGEST_TOKEN = 200


def provenance(environ: Environ, trusted: Collection[str] = ()) -> Provenance:
    """Where a request comes from: a page of this origin or the person, another site, or nobody says.

    ``trusted`` are origins that count as our own, as ``https://app.example.com``. A request that names several
    sites, or one that cannot be read, is foreign.
    """
    site: str | None = environ.get("HTTP_SEC_FETCH_SITE")
    origin: str | None = environ.get("HTTP_ORIGIN")
    if origin is not None and origin in trusted:
        return "own"
    if site is not None:
        # ``same-site`` is another host of the domain, which somebody else may hold. The origin is not looked at: it is
        # ``null`` for a page that sends no referrer, and a proxy may have changed the host that we know.
        return "own" if site in ("same-origin", "none") else "foreign"
    if origin is not None:
        return "own" if _is_ours(origin, environ) else "foreign"
    return "unknown"


def forgery(environ: Environ, trusted: Collection[str] = ()) -> str | None:
    """Why a request may be a forgery, as a sentence, or None. To be asked where a token is asked for as well.

    Safe methods pass, and so does what says nothing of its origin: no browser of these days sends such a thing.
    """
    if environ.get("REQUEST_METHOD", "").upper() in SAFE_METHODS or provenance(environ, trusted) != "foreign":
        return None
    return "the request was sent by a page of another site"


def intrusion(environ: Environ) -> str | None:
    """Why a page must not be handed out, as a sentence, or None: it is loaded by another site's page, not linked to.

    Links from anywhere pass, and browsers that say nothing. Everything else that another site begins (pictures,
    scripts, frames, ``fetch``) can only be an attempt to measure or read what is not its own.
    """
    site = environ.get("HTTP_SEC_FETCH_SITE")
    if site is None or site in ("same-origin", "none"):
        return None
    if (
        environ.get("HTTP_SEC_FETCH_MODE") == "navigate"
        and environ.get("HTTP_SEC_FETCH_DEST") == "document"
        and environ.get("REQUEST_METHOD") in ("GET", "HEAD")
    ):
        return None
    return "the request was sent by a page of another site"


def _is_ours(origin: str, environ: Environ) -> bool:
    scheme, separator, authority = origin.partition("://")
    theirs = read_host(authority) if separator else None  # "null": a sandbox, a file, a redirect from elsewhere
    ours = read_host(environ.get("HTTP_HOST") or _server(environ))
    if theirs is None or ours is None or scheme not in ("http", "https"):
        return False
    here = environ.get("wsgi.url_scheme", "http")
    if scheme == "http" and here == "https":
        return False  # whoever is on the wire can write such a page
    # Behind a proxy that speaks TLS, and does not say so, a page of ours is https where we see http.
    return theirs.without_default_port(scheme) == ours.without_default_port(scheme) or theirs == ours


def _server(environ: Environ) -> str:
    name, port = environ.get("SERVER_NAME", ""), environ.get("SERVER_PORT", "")
    return f"[{name}]:{port}" if ":" in name else f"{name}:{port}"


class Tokens:
    """Tokens that only the holder of ``secret`` can make, each for one ``binding`` and a time.

    ``binding`` is what a token belongs to: a session, a cookie. Each token is another text, so that a compressed page
    tells nothing of it (BREACH). ``secret`` may be a function, which is called when it is needed; where it returns
    several, the first signs and all of them count, so that a secret can be replaced while forms are out.
    """

    def __init__(
        self,
        secret: bytes | Callable[[], bytes | Sequence[bytes]],
        *,
        purpose: str = "form",
        seconds: float = 12 * 3600,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._secret = secret
        self._purpose = purpose.encode()
        self._seconds = seconds
        self._clock = clock

    def make(self, binding: str) -> str:
        """A new token."""
        head = int(self._clock()).to_bytes(_STAMP, "big") + secrets.token_bytes(_NONCE)
        return urlsafe_b64encode(head + self._sign(self._keys()[0], head, binding)).decode().rstrip("=")

    def complaint(self, token: str | None, binding: str) -> str | None:
        """What is wrong with a token, as a sentence, or None."""
        if not token:
            return "the form has no token"
        raw = _decoded(token)
        head, signature = raw[: _STAMP + _NONCE], raw[_STAMP + _NONCE :]
        if len(raw) != _STAMP + _NONCE + _DIGEST or not any(
            hmac.compare_digest(signature, self._sign(key, head, binding)) for key in self._keys()
        ):
            return "the form's token is not one of this page"
        age = self._clock() - int.from_bytes(head[:_STAMP], "big")
        if not -60 <= age <= self._seconds:
            return "the form is too old"
        return None

    def _keys(self) -> Sequence[bytes]:
        found = self._secret if isinstance(self._secret, bytes) else self._secret()
        return (found,) if isinstance(found, bytes) else found

    def _sign(self, key: bytes, head: bytes, binding: str) -> bytes:
        message = b"\0".join((self._purpose, head, binding.encode("utf-8", "surrogatepass")))
        return hmac.digest(key, message, "sha256")


def _decoded(token: str) -> bytes:
    if len(token) > _LONGEST_TOKEN or not token.isascii():
        return b""
    try:
        return urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except ValueError:
        return b""


class Issued(NamedTuple):
    """A token for the form, and the headers that the page has to have."""

    token: str
    headers: Headers


class Forms:
    """Protects the forms of pages whose visitors have no session: a token in the form belongs to a cookie.

    ``same_site``: Lax where people come to the page from other sites, or each time the cookie would be another one and
    other pages that they have open would be void. ``is_secure``: browsers come over TLS, whatever the server sees.

    The page sends what :meth:`issue` says; whoever receives the form asks :meth:`refusal` first::

        token, headers = forms.issue(environ)
        complaint = forms.refusal(environ, fields.get("token"))
    """

    def __init__(
        self,
        tokens: Tokens,
        *,
        cookie: str = "wheatpaste.form",
        trusted: Collection[str] = (),
        same_site: Literal["Strict", "Lax"] = "Strict",
        is_secure: bool = False,
    ) -> None:
        self._tokens = tokens
        self._cookie = cookie
        self._trusted = trusted
        self._same_site = same_site
        self._is_secure = is_secure

    def issue(self, environ: Environ) -> Issued:
        """A token, bound to the cookie that the browser has or is now given."""
        name = self._name(environ)
        known = next(iter(self.bindings(environ)), None)
        if known is not None:
            return Issued(self._tokens.make(known), [])
        value = secrets.token_urlsafe(24)
        secure = "; Secure" if name != self._cookie else ""
        header = ("Set-Cookie", f"{name}={value}; Path=/; HttpOnly; SameSite={self._same_site}{secure}")
        return Issued(self._tokens.make(value), [header])

    def refusal(self, environ: Environ, token: str | None) -> str | None:
        """Why a form is not taken, as a sentence, or None."""
        complaint = forgery(environ, self._trusted)
        if complaint is not None:
            return complaint
        cookies = self.bindings(environ)
        if not cookies:
            return "the browser did not send the page's cookie"
        complaints = [self._tokens.complaint(token, value) for value in cookies]
        return None if None in complaints else complaints[0]

    def bindings(self, environ: Environ) -> list[str]:
        """The values of the cookie: what else belongs to this browser can be bound to the first, and known by any."""
        found = cookies_named(environ, self._name(environ))
        return [value for value in found if 20 <= len(value) <= _LONGEST_TOKEN][:5]

    def _name(self, environ: Environ) -> str:
        # RFC 6265bis section 4.1.3.2: nobody but this very host can set a cookie of such a name.
        is_secure = self._is_secure or environ.get("wsgi.url_scheme") == "https"
        return f"__Host-{self._cookie}" if is_secure else self._cookie


def cookies_named(environ: Environ, name: str) -> list[str]:
    """The values of all cookies of this name; other hosts of the domain, and other ports of this one, may add some.

    Whatever other cookies look like does not matter: RFC 6265 section 5.4 lets them hold nearly anything.
    """
    found = []
    for pair in environ.get("HTTP_COOKIE", "").split(";"):
        key, _, value = pair.partition("=")
        if key.strip() == name:
            found.append(value.strip())
    return found
