"""One request, as everything that has to do with its login sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...protocol.csrf import cookies_named
from ...protocol.peers import peer_of
from ...protocol.wsgi import Environ, Headers
from .identity import Identity
from .method import Failed

if TYPE_CHECKING:
    from .authority import Authority

_LONGEST_COOKIE = 4096


class Visit:
    """One request: what it brings, who it is from, and what its answer will carry besides the app's own headers."""

    __slots__ = (
        "authority",
        "environ",
        "failed",
        "form",
        "headers",
        "identity",
        "is_relayed",
        "path",
        "resumed",
        "script_name",
        "session",
    )

    def __init__(self, authority: Authority, environ: Environ) -> None:
        self.authority = authority
        self.environ = environ
        self.identity: Identity | None = None
        self.session: object = None
        """What the sessions know of this request's, once they have looked."""
        self.form: bytes | None = None
        """A form that was received whole before the app could read it (``interrupted.py``)."""
        self.resumed: Environ | None = None
        """The request that is to go on in place of this one: a form that waited for a login."""
        self.is_relayed = False
        """Whether a proxy gets the answer, which may not hand cookies on: then no secret is replaced."""
        self.failed: dict[str, Failed] = {}
        """What was shown and did not count, by the name of the method."""
        self.headers: Headers = []
        """Headers that whatever answers will carry: cookies, ``Authentication-Info``."""
        # Apps may change these; the path that decides is the one that came.
        self.script_name: str = environ.get("SCRIPT_NAME", "")
        self.path: str = environ.get("PATH_INFO", "")

    @property
    def method(self) -> str:
        """The request method."""
        method: str = self.environ["REQUEST_METHOD"]
        return method

    @property
    def is_secure(self) -> bool:
        """Whether the client came over TLS, as far as the server can tell."""
        return self.environ.get("wsgi.url_scheme") == "https" or self.authority.is_public_secure

    @property
    def address(self) -> str:
        """The client's address: the server has already decided which proxies to believe."""
        return self.environ.get("REMOTE_ADDR") or ""

    @property
    def peer(self) -> str:
        """The address at the other end of the socket, for decisions about who is to be believed."""
        return peer_of(self.environ)

    def header(self, name: str) -> str:
        """The value of a request header, or ``''``."""
        value: str = self.environ.get("HTTP_" + name.upper().replace("-", "_"), "")
        return value

    def cookie_name(self, name: str) -> str:
        """The name under which a cookie of ours travels: over TLS one that no other host can set (RFC 6265bis)."""
        return f"__Host-{name}" if self.is_secure else name

    def cookies(self, name: str) -> list[str]:
        """The values of our cookie of this name; whoever else can set cookies for this host may have added some."""
        return cookies_named(self.environ, self.cookie_name(name))

    def set_cookie(self, name: str, value: str, *, seconds: float | None = None, same_site: str = "Lax") -> None:
        """Give the browser a cookie: for ``seconds``, without them until it is closed.

        Raises ``ValueError`` where browsers would drop it for its length.
        """
        full = self.cookie_name(name)
        if len(full) + len(value) > _LONGEST_COOKIE:
            raise ValueError(f"the cookie {full} is longer than {_LONGEST_COOKIE} bytes")
        age = "" if seconds is None else f"; Max-Age={int(seconds)}"
        secure = "; Secure" if self.is_secure else ""
        self.headers = [each for each in self.headers if not _sets(each, full)]
        self.headers.append(("Set-Cookie", f"{full}={value}; Path=/; HttpOnly; SameSite={same_site}{age}{secure}"))

    def drop_cookie(self, name: str) -> None:
        """Take a cookie away from the browser."""
        self.set_cookie(name, "", seconds=0)


def _sets(header: tuple[str, str], cookie: str) -> bool:
    return header[0] == "Set-Cookie" and header[1].startswith(f"{cookie}=")
