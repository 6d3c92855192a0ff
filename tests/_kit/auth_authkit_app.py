"""An app as sites wrote them for AuthKit, and functions and classes that their configurations named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs

_SHOWN = ("REMOTE_USER", "AUTH_TYPE", "REMOTE_USER_TOKENS", "REMOTE_USER_DATA")


def app_factory(global_conf: Mapping[str, str], **local_conf: str) -> Any:
    """A ``paste.app_factory``."""
    return app


def app(environ: dict[str, Any], start_response: Any) -> Any:
    """Public at /, private at /private, forbidden at /forbidden, lazily private at /lazy; signs in at /signin."""
    path = environ["PATH_INFO"]
    user = environ.get("REMOTE_USER")
    if path == "/signin":
        return _sign_in(environ, start_response)
    if path == "/logout":
        environ["paste.auth_tkt.logout_user"]()
    if path == "/lazy":
        return _lazy(environ, start_response)
    if path.startswith("/private") and not user:
        start_response("401 Unauthorized", [("Content-Type", "text/plain")])
        return [b"the app's own refusal"]
    if path == "/forbidden":
        start_response("403 Forbidden", [("Content-Type", "text/plain")])
        return [b"the app's own refusal"]
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)) if path == "/private/echo" else b""
    shown = " ".join(f"{key}={environ[key]}" for key in _SHOWN if key in environ)
    flags = " ".join(key for key in sorted(environ) if key.startswith("authkit.cookie."))
    return [f"{environ['REQUEST_METHOD']} {path} {shown} {flags}".encode(), body]


def _lazy(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
    yield b""
    if not environ.get("REMOTE_USER"):
        start_response("401 Unauthorized", [("Content-Type", "text/plain")])
        yield b"the app's own refusal"
    else:
        start_response("200 OK", [("Content-Type", "text/plain")])
        yield b"private, "
        yield b"piece by piece"


def _sign_in(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """A login page of the app's own, as the method ``forward`` wants it."""
    length = int(environ.get("CONTENT_LENGTH") or 0)
    fields = parse_qs(environ["wsgi.input"].read(length).decode()) if length else {}
    if environ["REQUEST_METHOD"] == "POST" and fields.get("password") == ["open sesame"]:
        environ["paste.auth_tkt.set_user"](fields["username"][0], tokens="editor,staff", user_data="hi")
        start_response("302 Found", [("Location", "/private"), ("Content-Type", "text/plain")])
        return [b""]
    start_response("200 OK", [("Content-Type", "text/html")])
    old = environ.get("paste.recursive.old_path_info")
    return [f"the app's login page, in place of {old}, by {environ['REQUEST_METHOD']}".encode()]


def check(environ: Mapping[str, Any], username: str, password: str) -> bool:
    """A function for ``basic`` and ``form``."""
    return username == password and environ["REQUEST_METHOD"] in ("GET", "POST")


def digest(environ: Mapping[str, Any], realm: str, username: str) -> str | None:
    """A function for ``digest``: whose password is the name."""
    import hashlib

    if environ.get("PATH_INFO") is None or username != "ada":
        return None
    return hashlib.md5(f"{username}:{realm}:{username}".encode(), usedforsecurity=False).hexdigest()


def backwards(password: str, secret: str) -> str:
    """A function for ``user.encrypt``."""
    return password[::-1] + secret


def page(environ: Mapping[str, Any], method: str = "") -> str:
    """A template as an object."""
    return f'<form method={method} action="%s">own page, 100% ours, for {environ["REQUEST_METHOD"]}</form>'


class People:
    """A class for ``user.type``."""

    def __init__(self, data: str, encrypt: Any = None) -> None:
        self.names = data.split()

    def user_exists(self, username: str) -> bool:
        """Whether there is such a user."""
        return username.lower() in self.names

    def user(self, username: str) -> dict[str, Any]:
        """What is known of a user."""
        return {"username": username.lower(), "group": None, "password": "x", "roles": ["admin"]}

    def user_has_password(self, username: str, password: str) -> bool:
        """Whether this is the password of a user."""
        return password == "people"


class PeopleOfARequest:
    """A class for ``user.type`` that sees each request, and goes by it."""

    api_version = "0.4"

    def __init__(self, environ: Mapping[str, Any], data: str, encrypt: Any = None) -> None:
        self._environ = environ

    def user_exists(self, username: str) -> bool:
        """Whether there is such a user."""
        return True

    def user_has_password(self, username: str, password: str) -> bool:
        """Whether this is the password of a user, for this request."""
        return check(self._environ, username, password)
