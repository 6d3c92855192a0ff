"""The login form of AuthKit: the site's own page, or a plain one, with the fields ``username`` and ``password``.

It is shown and received at the filter's own address, so that no password passes through the app, and the app's request
is not the one that carries it.
"""

from __future__ import annotations

import html
import inspect
import re
import secrets
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode

from ....protocol.answer import Answer
from ....protocol.bodies import BodyRefused, content_length
from ....protocol.csrf import provenance
from ....protocol.wsgi import Environ, Headers
from ..answers import problem
from ..method import Failed
from ..return_to import safe_target
from .wishes import Template

if TYPE_CHECKING:
    from ..authority import Authority
    from ..visit import Visit

_MOST_BYTES = 16 * 1024
_PLACE = re.compile(r"%(?:%|s|\((action|message|token|nonce)\)s)")
_WRONG = "User name or password is wrong."
_LATER = "That did not work. Please try again in a moment."

Make = Callable[..., Any]
"""A callable that makes a page: asked for ``environ``, ``state`` and ``method`` where its signature names them."""


class LoginForm:
    """The page ``login`` below the mount. ``own`` is the site's template, ``make`` what it names if it is an object."""

    def __init__(
        self, authority: Authority, own: Template | None = None, make: Make | None = None, charset: str = "utf-8"
    ) -> None:
        self._authority = authority
        self._own = own
        self._make = make
        self._charset = charset

    def __call__(self, visit: Visit) -> Answer:
        """The form; what it has sent."""
        query = parse_qs(visit.environ.get("QUERY_STRING", ""), max_num_fields=20)
        target = safe_target(query.get("next", [""])[0]) or ""
        if visit.method in ("GET", "HEAD"):
            return self._page(visit, "200 OK", target)
        if visit.method != "POST":
            return problem("405 Method Not Allowed", "This form is sent with POST.", [("Allow", "GET, HEAD, POST")])
        fields = fields_of(visit.environ)
        if fields is None:
            return problem("400 Bad Request", "This is no form that was sent from the login page.")
        refused = self._forgery(visit, fields.get("token"))
        if refused is not None:
            return problem("403 Forbidden", f"The form was not taken: {refused}.")
        return self._judge(visit, fields, target)

    def _judge(self, visit: Visit, fields: Mapping[str, str], target: str) -> Answer:
        authority = self._authority
        found = authority.passwords.check(visit, fields.get("username", ""), fields.get("password", ""))
        if isinstance(found, Failed):
            if found.status == 503:
                return problem("503 Service Unavailable", _LATER, [("Retry-After", str(found.retry_after or 2))])
            return self._page(visit, "401 Unauthorized", target, _WRONG)
        return authority.logins.first_factor(visit, found, ("pwd",), target=target)

    def _forgery(self, visit: Visit, token: str | None) -> str | None:
        # Templates of old sites have no token. Where the browser itself says that the form is ours, none is needed.
        if provenance(visit.environ, self._authority.site.trusted_origins) == "own":
            return None
        return self._authority.forms.refusal(visit.environ, token)

    def _page(self, visit: Visit, status: str, target: str, message: str = "") -> Answer:
        authority = self._authority
        issued = authority.forms.issue(visit.environ)
        action = authority.url(visit, "login") + (f"?{urlencode({'next': target})}" if target else "")
        nonce = secrets.token_urlsafe(12)
        text = fill(self._text(visit.environ), action=action, message=_alert(message), token=issued.token, nonce=nonce)
        headers: Headers = [*issued.headers]
        if status.startswith("401"):
            headers.append(("WWW-Authenticate", 'Cookie realm="login"'))
        return page(status, text, self._charset, headers, nonce if self._own is None else None)

    def _text(self, environ: Environ) -> str:
        if self._own is None:
            return template("sign_in.html")
        return text_of(self._own, self._make, environ)


def page(status: str, text: str, charset: str, headers: Headers | None = None, nonce: str | None = None) -> Answer:
    """A page of the site's own, whose styles and scripts are not known; with ``nonce`` it is one of ours."""
    strict = f"default-src 'none'; style-src 'nonce-{nonce}'; " if nonce is not None else ""
    return Answer(
        status=status,
        headers=[
            ("Content-Type", f"text/html; charset={charset}"),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
            ("X-Frame-Options", "DENY"),
            ("Referrer-Policy", "same-origin"),
            (
                "Content-Security-Policy",
                f"{strict}form-action 'self'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'",
            ),
            *(headers or ()),
        ],
        body=text.encode(charset, "xmlcharrefreplace"),
    )


def fill(text: str, *, action: str = "", message: str = "", token: str = "", nonce: str = "") -> str:
    """The text of a template with its values: ``%s`` and ``%(action)s`` are the form's address, escaped for HTML.

    ``%(message)s`` is what went wrong, ``%(token)s`` the value of a hidden field ``token``. Other percent signs stay.
    """
    values = {"action": html.escape(action), "message": message, "token": html.escape(token), "nonce": nonce}

    def value(found: re.Match[str]) -> str:
        return "%" if found[0] == "%%" else values[found[1] or "action"]

    return _PLACE.sub(value, text)


def text_of(own: Template, make: Make | None, environ: Environ) -> str:
    """The text of a site's own template. A file is read each time, so that it can be changed."""
    if own.kind == "string":
        return own.value
    if own.kind == "file":
        return Path(own.value).read_text(encoding="utf-8")
    if make is None:
        raise TypeError(f"{own.value} was not imported")
    offered = {"environ": environ, "state": environ.get("gi.state"), "method": "post"}
    known = inspect.signature(make).parameters.values()
    takes_all = any(each.kind is each.VAR_KEYWORD for each in known)
    wanted = {name: each for name, each in offered.items() if takes_all or any(name == own.name for own in known)}
    return str(make(**wanted))


def fields_of(environ: Environ) -> dict[str, str] | None:
    """The fields of a form that was sent URL-encoded, the first of each name; None for anything else."""
    kind = environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        return None
    try:
        length = content_length(environ)
        if length is None or length > _MOST_BYTES:
            return None
        data = environ["wsgi.input"].read(length)
        found = parse_qs(data.decode("utf-8"), keep_blank_values=True, max_num_fields=50, strict_parsing=False)
    except (BodyRefused, ValueError, OSError):
        return None
    return {name: values[0] for name, values in found.items()}


def _alert(message: str) -> str:
    return f'<p role="alert">{html.escape(message)}</p>' if message else ""


@cache
def template(name: str) -> str:
    """The text of one of our own templates."""
    return (files(__package__) / "templates" / name).read_text(encoding="utf-8")
