"""``egg:Paste#auth_cookie``: values of the environ that come back with the next request, in a signed cookie.

Who signs users in without remembering them stands inside. Everything is signed together, the time as well; what the
cookie holds can be read by its browser. Reads and writes the keys in ``scanlist``, ``AUTH_TYPE`` and
``paste.auth.cookie``, a list to which an app may append names of further keys.
"""

from __future__ import annotations

import hmac
import json
import re
import secrets
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import field

from ....config.factories import make_filter_factory
from ....config.options import OptionError, above, component, option
from ....protocol.csrf import cookies_named
from ....protocol.wsgi import Body, Environ, ExcInfo, Headers, StartResponse, Write, WSGIApp
from ..key_file import secret_complaint
from ..sessions.options import cookie_name_complaint

NAMES = "paste.auth.cookie"
_MOST_COOKIES = 5
_AHEAD = 60
_MAC = 32
_KEY = re.compile(r"[A-Za-z_][\w.-]{0,99}")
# What says where a request came from or what it asks for must not come from a cookie, though we have signed it.
_OWN = ("wsgi.", "wheatpaste.", "HTTP_", "SERVER_", "REQUEST_", "CONTENT_")
_OF_THE_REQUEST = frozenset({"PATH_INFO", "SCRIPT_NAME", "QUERY_STRING", "REMOTE_ADDR", "REMOTE_PORT", NAMES})


def _key_complaint(keys: tuple[str, ...]) -> str | None:
    wrong = next((key for key in keys if not is_kept(key)), None)
    return None if wrong is None else f"{wrong!r} cannot be kept in a cookie"


def is_kept(key: str) -> bool:
    """Whether an environ key is one that a cookie may bring back."""
    return _KEY.fullmatch(key) is not None and not key.startswith(_OWN) and key not in _OF_THE_REQUEST


@component
class AuthCookie:
    """Remember who is signed in, and other keys of the environ, in a signed cookie."""

    app: WSGIApp = field(kw_only=False)
    cookie_name: str = option(
        default="PASTE_AUTH_COOKIE",
        doc="The cookie's name.",
        check=cookie_name_complaint,
    )
    scanlist: tuple[str, ...] = option(
        default=("REMOTE_USER", "REMOTE_SESSION"), doc="Keys of the environ that are kept.", check=_key_complaint
    )
    secret: str | None = option(
        default=None,
        doc="What cookies are signed with; without, they end with the process and count in that one alone.",
        secret=True,
        inherits=True,
    )
    allow_weak_secret: bool = option(default=False, doc="Start with a secret that can be guessed.")
    timeout: int = option(default=30, doc="Minutes after the last request when a cookie ends.", check=above(0))
    maxlen: int = option(default=4096, doc="The longest cookie, in bytes.", check=above(100))
    clock: Callable[[], float] = field(default=time.time, repr=False)
    _key: bytes = field(init=False, repr=False, default=b"")

    def __post_init__(self) -> None:
        complaint = secret_complaint(self.secret) if self.secret is not None else None
        if complaint is not None and not self.allow_weak_secret:
            raise OptionError("AuthCookie", "secret", f"{complaint}; whoever guesses it can sign in as anybody")
        text = secrets.token_hex() if self.secret is None else self.secret
        object.__setattr__(
            self, "_key", hmac.digest(b"paste.auth.cookie " + self.cookie_name.encode(), text.encode(), "sha256")
        )

    def __call__(self, environ: Environ, start_response: StartResponse) -> Body:
        """Bring back what the cookie holds, call the app, and send what there is then."""
        kept, had = self._kept(environ)
        names = list(dict.fromkeys((*self.scanlist, *kept)))
        for key, value in kept.items():
            if key not in environ:
                environ[key] = value
                if key == "REMOTE_USER":
                    environ["AUTH_TYPE"] = "cookie"
        environ[NAMES] = names

        def start(status: str, headers: Headers, exc_info: ExcInfo | None = None, /) -> Write:
            headers = [*headers, *self._cookies(environ, had)]
            return start_response(status, headers) if exc_info is None else start_response(status, headers, exc_info)

        return self.app(environ, start)

    def _kept(self, environ: Environ) -> tuple[dict[str, str], bool]:
        """What the cookie holds, and whether there is one."""
        found = [each for each in cookies_named(environ, self.cookie_name) if each]
        for text in found[:_MOST_COOKIES]:
            kept = self.read(text)
            if kept is not None:
                return kept, True
        return {}, bool(found)

    def read(self, text: str) -> dict[str, str] | None:
        """What the text of a cookie holds, if it is one of ours and its time is not up."""
        if len(text) > self.maxlen:
            return None
        try:
            data = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        except ValueError:
            return None
        mac, said = data[:_MAC], data[_MAC:]
        if not hmac.compare_digest(mac, self._sign(said)):
            return None
        time, kept = json.loads(said)
        if not -_AHEAD <= self.clock() - time < self.timeout * 60:
            return None
        return {str(key): str(value) for key, value in kept.items() if is_kept(key)}

    def write(self, kept: Mapping[str, str]) -> str:
        """The text of a cookie that holds this. Raises ``ValueError`` where it would be too long."""
        said = json.dumps([int(self.clock()), dict(kept)], separators=(",", ":")).encode()
        text = urlsafe_b64encode(self._sign(said) + said).rstrip(b"=").decode("ascii")
        if len(text) > self.maxlen:
            raise ValueError(f"{', '.join(kept)} are too long for a cookie of {self.maxlen} bytes")
        return text

    def _sign(self, said: bytes) -> bytes:
        return hmac.digest(self._key, said, "sha256")

    def _cookies(self, environ: Environ, had: bool) -> Headers:
        kept: dict[str, str] = {}
        for key in environ.get(NAMES, self.scanlist):
            value = environ.get(key)
            if value is None or not is_kept(key):
                continue
            if not isinstance(value, str):
                raise TypeError(f"environ[{key!r}] cannot be kept in a cookie: it is no text")
            kept[key] = value
        if not kept and not had:
            return []
        secure = "; Secure" if environ.get("wsgi.url_scheme") == "https" else ""
        value = self.write(kept) if kept else ""
        ended = "" if kept else "; Max-Age=0"
        return [("Set-Cookie", f"{self.cookie_name}={value}; Path=/; HttpOnly; SameSite=Lax{ended}{secure}")]


paste_filter_factory = make_filter_factory(AuthCookie, unknown="warning")
