"""What apps of AuthKit find in their environ, and what happens at paths that AuthKit took for itself.

``enter`` writes ``authkit.users``, ``authkit.config``, ``authkit.intercept``, ``authkit.authenticate``,
``authkit.cookie.error`` and ``authkit.cookie.timeout``, and ``AUTH_TYPE`` in AuthKit's words; ``Inner``, which stands
around the app, writes ``authkit.multi``, ``pylons.error_call`` and ``pylons.status_code_redirect`` where another reply
takes the place of the app's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ....protocol.answer import Answer
from ....protocol.csrf import SAFE_METHODS, provenance
from ....protocol.wsgi import Body, Environ, Headers, StartResponse, WSGIApp
from ..answers import problem, see_other
from ..auth import VISIT
from ..interception import Interception, Reply
from .login_form import Make, fill, page, text_of
from .wishes import Wishes

if TYPE_CHECKING:
    from ..visit import Visit

UsersOf = Callable[[Mapping[str, Any]], Any]
"""``environ -> the object for environ['authkit.users']``."""


class Enter:
    """Writes AuthKit's keys, once it is known who asks."""

    def __init__(self, wishes: Wishes, users: UsersOf) -> None:
        self._wishes = wishes
        self._users = users

    def __call__(self, visit: Visit) -> None:
        """Write them for this request."""
        environ, wishes = visit.environ, self._wishes
        environ["authkit.users"] = self._users(environ)
        environ["authkit.config"] = dict(wishes.config)
        environ["authkit.intercept"] = list(wishes.intercept)
        environ["authkit.authenticate"] = True
        if visit.identity is not None and visit.identity.method == "session":
            environ["AUTH_TYPE"] = "cookie"
        for key in ("authkit.cookie.error", "authkit.cookie.timeout"):
            environ.pop(key, None)
        flag = _what_is_wrong(visit, wishes)
        if flag is not None:
            environ[flag] = True


def _what_is_wrong(visit: Visit, wishes: Wishes) -> str | None:
    """The key that says what is wrong with the cookie of a request that has one and no session."""
    if wishes.cookie is None or visit.identity is not None or not any(visit.cookies(wishes.cookie.name)):
        return None
    failed = visit.failed.get("session")
    is_over = failed is not None and failed.reason == "session over"
    return "authkit.cookie.timeout" if is_over else "authkit.cookie.error"


class Inner:
    """Stands around the app: signs out at the path for that, shows the page for a bad cookie, marks what is replaced.

    ``legacy_get_signout``: links sign out, too, if they stand on a page of this site.
    """

    def __init__(
        self,
        app: WSGIApp,
        wishes: Wishes,
        *,
        legacy_get_signout: bool = False,
        bad_cookie: Make | None = None,
    ) -> None:
        self._app = app
        self._wishes = wishes
        self._signoutpath = None if wishes.cookie is None else wishes.cookie.signoutpath
        self._by_link = legacy_get_signout
        self._bad_cookie = bad_cookie
        self._statuses = frozenset(wishes.intercept)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Body:
        """Answer, or call the app."""
        visit: Visit | None = environ.get(VISIT)
        if visit is None:
            return self._app(environ, start_response)
        answer = self._bad_cookie_page(visit) or self._signed_out(visit)
        if answer is not None:
            return answer.send(environ, start_response)
        if visit.identity is not None:
            return self._app(environ, start_response)

        def decide(status: str, headers: Headers) -> Reply | None:
            if status[:3] in self._statuses:
                # Layers outside that show pages for errors leave alone what says so.
                visit.environ["authkit.multi"] = True
                visit.environ["pylons.error_call"] = visit.environ["pylons.status_code_redirect"] = "authkit"
            return None

        return Interception(environ, start_response, decide, _same).run(self._app)

    def _signed_out(self, visit: Visit) -> Answer | None:
        """Sign out, where the path is the one for it; the app still renders its page. None: it does."""
        if self._signoutpath is None or visit.path != self._signoutpath:
            return None
        identity = visit.identity
        if identity is None or identity.method != "session":
            return None
        origin = provenance(visit.environ, visit.authority.site.trusted_origins)
        if visit.method in SAFE_METHODS:
            if not (self._by_link and visit.method == "GET" and origin == "own"):
                # Any page could have a picture with this address.
                return see_other(visit.authority.url(visit, "logout"))
        elif origin != "own":
            return problem("403 Forbidden", "Another site's page cannot sign you out.")
        visit.environ["wheatpaste.logout"]()
        for key in ("REMOTE_USER", "AUTH_TYPE", "REMOTE_USER_TOKENS", "REMOTE_USER_DATA"):
            visit.environ.pop(key, None)
        return None

    def _bad_cookie_page(self, visit: Visit) -> Answer | None:
        cookie = self._wishes.cookie
        if cookie is None or cookie.badcookie_template is None or not cookie.badcookie_page:
            return None
        environ = visit.environ
        if "authkit.cookie.error" not in environ and "authkit.cookie.timeout" not in environ:
            return None
        visit.drop_cookie(cookie.name)
        return page("200 OK", fill(text_of(cookie.badcookie_template, self._bad_cookie, environ)), "utf-8")


def _same(headers: Headers) -> Headers:
    return headers
